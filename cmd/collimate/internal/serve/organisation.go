package serve

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"

	"collimate/atna"
	"collimate/cmd/collimate/internal/admin"
	"collimate/cmd/collimate/internal/config"
	"collimate/consensus"
	"collimate/gateway"
	"collimate/gateway/catalog"
	"collimate/keys"
	"collimate/keys/keystore"
	"collimate/ledger"
	"collimate/node"
	"collimate/pacs/fs"
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

	audit    *atna.FileSpool
	archive  *fs.Archive
	catalog  *catalog.Catalog
	source   *gateway.Source   // nil without the role
	consumer *gateway.Consumer // nil without the role

	closers []func() error // in the order of opening
}

var _ admin.Operations = (*organisation)(nil)

// errNoSource is returned to commands of a source when there is none.
var errNoSource = errors.New("this organisation does not have the role source")

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
		if err := o.openStores(); err != nil {
			return err
		}
		accepted, err := requesters(o.config)
		if err != nil {
			return fmt.Errorf("whose requests the source accepts: %w", err)
		}
		name, groups, err := onLedger(o.config)
		if err != nil {
			return err
		}
		logger := o.logger.With("part", "source")
		own := tls.Certificate{Certificate: [][]byte{certificate.Raw}, PrivateKey: key, Leaf: certificate}
		async, err := o.answers(o.config.Source.ReplyTo, own, logger)
		if err != nil {
			return fmt.Errorf("source.reply_to: %w", err)
		}
		o.source, err = gateway.NewSource(gateway.SourceConfig{
			ChainID:         o.chainID,
			Key:             key,
			Certificate:     certificate,
			URL:             o.config.Source.URL,
			ID:              name,
			Peer:            o.peer,
			EmergencyGroups: groups,
			OIDs:            o.config.Source.OIDs,
			Catalog:         o.catalog,
			Archive:         o.archive,
			Ledger:          nodeLedger{o.node},
			Audit:           o.audit,
			Logger:          logger,
			Requesters:      accepted,
			Async:           async,
			Institution:     o.config.Source.Institution,
			RetrieveAETitle: o.config.Source.RetrieveAETitle,
			Staleness:       o.config.Source.Staleness,
		})
		if err != nil {
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

// onLedger returns by what the ledger names the source, zero for its key, and the groups that it admits in emergencies.
func onLedger(c *config.Config) (name keys.Source, groups []ledger.StudyID, err error) {
	if c.Source.ID != "" {
		if name.ID, err = keys.ParseID(c.Source.ID); err != nil {
			return name, nil, err
		}
	}
	for _, text := range c.Source.EmergencyGroups {
		id, err := ledger.ParseStudyID(text)
		if err != nil {
			return name, nil, err
		}
		groups = append(groups, id)
	}
	slices.SortFunc(groups, func(a, b ledger.StudyID) int { return bytes.Compare(a[:], b[:]) })
	return name, slices.Compact(groups), nil
}

// openStores opens what a source keeps.
func (o *organisation) openStores() (err error) {
	if o.archive, err = fs.Open(o.config.Path(config.ArchiveDir)); err != nil {
		return err
	}
	o.onClose(o.archive.Close)
	if o.catalog, err = catalog.Open(o.config.Path(config.CatalogDir), catalog.Options{}); err != nil {
		return err
	}
	o.onClose(o.catalog.Close)
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

// DefineSource puts the source on the ledger.
func (o *organisation) DefineSource(ctx context.Context) (*admin.Source, error) {
	if o.source == nil {
		return nil, errNoSource
	}
	dir := o.config.Path(config.LedgerDir)
	own, err := consensus.LoadKeys(dir)
	if err != nil {
		return nil, err
	}
	prove := func(message []byte) ([64]byte, error) { return consensus.SignValidatorProof(dir, message) }
	if err := o.source.Define(ctx, own.ValidatorKey, prove); err != nil {
		return nil, err
	}
	e := o.source.Endpoints()
	return &admin.Source{Source: o.source.ID(), RepositoryUniqueID: o.source.ID().Alias(), ITI43: e.ITI43, Openings: e.Openings}, nil
}

// PublishFolder takes a folder into the archive and publishes its studies.
func (o *organisation) PublishFolder(ctx context.Context, folder string, progress func(admin.Progress)) ([]*gateway.Ticket, error) {
	if o.source == nil {
		return nil, errNoSource
	}
	imported, err := o.archive.Import(ctx, folder, func(p fs.Progress) {
		progress(admin.Progress{Step: "archiving", Done: p.Files, Of: p.TotalFiles, Bytes: p.Bytes})
	})
	if err != nil {
		return nil, err
	}
	for _, r := range imported.Refusals {
		progress(admin.Progress{Refused: r.Error()})
	}
	if imported.Refused > 0 {
		o.logger.Warn("files were not archived", "refused", imported.Refused)
	}
	if len(imported.Studies) == 0 {
		return nil, fmt.Errorf("no DICOM file in %s: %d files are something else, %d were refused", folder, imported.Skipped, imported.Refused)
	}
	var tickets []*gateway.Ticket
	for n, uid := range imported.Studies {
		progress(admin.Progress{Step: "publishing", Done: n, Of: len(imported.Studies)})
		t, err := o.source.Publish(ctx, uid)
		if err != nil {
			return tickets, err
		}
		tickets = append(tickets, t)
	}
	return tickets, nil
}

// DefineGroup puts a record of kind group on the ledger.
func (o *organisation) DefineGroup(ctx context.Context, owner keys.Owner) (ledger.StudyID, error) {
	if o.source == nil {
		return ledger.StudyID{}, errNoSource
	}
	return o.source.DefineGroup(ctx, owner)
}

// Act does something with a published study.
func (o *organisation) Act(ctx context.Context, studyInstanceUID string, act admin.Act) error {
	if o.source == nil {
		return errNoSource
	}
	err := errors.ErrUnsupported
	switch act {
	case admin.ActAmend:
		err = o.source.Amend(ctx, studyInstanceUID)
	case admin.ActHold:
		err = o.source.Hold(ctx, studyInstanceUID, true)
	case admin.ActRelease:
		err = o.source.Hold(ctx, studyInstanceUID, false)
	case admin.ActWithdraw:
		err = o.source.Withdraw(ctx, studyInstanceUID)
	case admin.ActErase:
		err = o.source.Erase(ctx, studyInstanceUID)
	}
	if errors.Is(err, catalog.ErrNotFound) {
		return errors.New("this source has not published such a study, or has erased it")
	}
	return err
}
