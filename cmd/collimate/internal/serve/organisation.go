package serve

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"

	"collimate/atna"
	"collimate/cmd/collimate/internal/admin"
	"collimate/cmd/collimate/internal/archive"
	"collimate/cmd/collimate/internal/config"
	"collimate/gateway"
	"collimate/gateway/catalog"
	"collimate/gateway/documents"
	"collimate/gateway/publisher"
	"collimate/gateway/registry"
	"collimate/keys/keystore"
	"collimate/node"
)

// organisation is the parts of a running organisation. It fills admin.Operations.
type organisation struct {
	config *config.Config
	logger *slog.Logger

	chainID   string
	peer      string // own libp2p peer, ID@host:port, as the address book has it
	node      *node.Node
	nodeEnded chan struct{} // closed when the node has ended; nodeErr is set then
	nodeErr   error

	audit     *atna.FileSpool
	archive   *archive.Archive
	catalog   *catalog.Catalog
	registry  *registry.Store
	documents *documents.Store
	source    *gateway.Source    // nil without the role
	watcher   *publisher.Watcher // nil without the role source
	consumer  *gateway.Consumer  // nil without the role

	closers []func() error // in the order of opening
}

var _ admin.Operations = (*organisation)(nil)

// auditFile is the audit trail in its directory: one DICOM audit message per line.
const auditFile = "audit.xml"

// start opens and starts all parts but the listeners.
func (o *organisation) start(ctx context.Context) error {
	key, err := keystore.Load(o.config.Organisation.Key)
	if err != nil {
		return err
	}
	certificate, err := keystore.LoadCertificate(o.config.Organisation.Certificate)
	if err != nil {
		return err
	}
	if err := o.startNode(ctx); err != nil {
		return err
	}
	if err := os.MkdirAll(o.config.Path(config.AuditDir), 0o700); err != nil {
		return fmt.Errorf("preparing the audit trail: %w", err)
	}
	if o.audit, err = atna.Open(o.config.Path(config.AuditDir, auditFile)); err != nil {
		return err
	}
	o.onClose(o.audit.Close)
	if o.config.Has(config.RoleSource) {
		if err := o.startSource(ctx, key, certificate); err != nil {
			return err
		}
	}
	if o.config.Has(config.RoleConsumer) {
		logger := o.logger.With("part", "consumer")
		own, err := o.config.ConsumerCertificate()
		if err != nil {
			return fmt.Errorf("consumer.certificate: %w", err)
		}
		async, err := o.answers(o.config.Consumer.ReplyTo, own, logger)
		if err != nil {
			return fmt.Errorf("consumer.reply_to: %w", err)
		}
		o.consumer, err = gateway.NewConsumer(gateway.ConsumerConfig{
			Key:         key,
			Certificate: certificate,
			Ledger:      nodeLedger{o.node},
			Audit:       o.audit,
			Logger:      logger,
			Async:       async,
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (o *organisation) onClose(f func() error) { o.closers = append(o.closers, f) }

// close closes all that was opened, the last first.
func (o *organisation) close() (err error) {
	for i := len(o.closers) - 1; i >= 0; i-- {
		err = errors.Join(err, o.closers[i]())
	}
	o.closers = nil
	return err
}
