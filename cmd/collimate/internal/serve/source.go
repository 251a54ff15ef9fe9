package serve

import (
	"bytes"
	"context"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"collimate/cmd/collimate/internal/archive"
	"collimate/cmd/collimate/internal/config"
	"collimate/gateway"
	"collimate/gateway/catalog"
	"collimate/gateway/documents"
	"collimate/gateway/publisher"
	"collimate/keys"
	"collimate/ledger"
	"collimate/pacs/transcode"
)

// startSource opens what a source keeps, and makes the source and its watcher.
func (o *organisation) startSource(ctx context.Context, key crypto.Signer, certificate *x509.Certificate) error {
	c := o.config
	if err := o.openStores(ctx); err != nil {
		return err
	}
	accepted, err := requesters(c)
	if err != nil {
		return fmt.Errorf("whose requests the source accepts: %w", err)
	}
	name, groups, err := onLedger(c)
	if err != nil {
		return err
	}
	submitters, err := c.Submitters()
	if err != nil {
		return fmt.Errorf("registry.submitters: %w", err)
	}
	codes, err := c.CodeSets()
	if err != nil {
		return fmt.Errorf("registry.codes: %w", err)
	}
	entries, err := entries(c)
	if err != nil {
		return err
	}
	recoded := c.Path(config.RecodedDir)
	if err := errors.Join(os.RemoveAll(recoded), os.MkdirAll(recoded, 0o700)); err != nil {
		return fmt.Errorf("preparing to recode images: %w", err)
	}
	transcoder, err := transcode.New(transcode.Config{Dir: recoded, Command: c.Archive.Transcoder, Syntaxes: c.Archive.TranscoderSyntaxes})
	if err != nil {
		return fmt.Errorf("archive.transcoder: %w", err)
	}
	logger := o.logger.With("part", "source")
	own := tls.Certificate{Certificate: [][]byte{certificate.Raw}, PrivateKey: key, Leaf: certificate}
	async, err := o.answers(c.Source.ReplyTo, own, logger)
	if err != nil {
		return fmt.Errorf("source.reply_to: %w", err)
	}
	s := gateway.SourceConfig{
		ChainID:         o.chainID,
		Key:             key,
		Certificate:     certificate,
		URL:             c.Source.URL,
		ID:              name,
		Peer:            o.peer,
		EmergencyGroups: groups,
		OIDs:            c.Source.OIDs,
		Catalog:         o.catalog,
		Archive:         o.archive,
		Registry:        o.registry,
		Documents:       o.documents,
		Submitters:      submitters,
		Codes:           codes,
		Entries:         entries,
		MaxDocument:     c.Registry.MaxDocumentMB << 20,
		Transcoder:      transcoder,
		Ledger:          nodeLedger{o.node},
		Audit:           o.audit,
		Logger:          logger,
		Requesters:      accepted,
		Async:           async,
		Institution:     c.Source.Institution,
		RetrieveAETitle: c.Source.RetrieveAETitle,
		MADO:            c.Source.Manifest == config.ManifestMADO,
		Staleness:       c.Source.Staleness,
	}
	if o.source, err = gateway.NewSource(s); err != nil {
		return err
	}
	from, err := c.FromDay()
	if err != nil {
		return fmt.Errorf("publishing.from: %w", err)
	}
	o.watcher, err = publisher.New(publisher.Config{
		Source:      o.source,
		Archive:     o.archive,
		Catalog:     o.catalog,
		Logger:      o.logger.With("part", "watcher"),
		From:        from,
		Interval:    c.Publishing.Interval,
		Full:        c.Publishing.Full,
		Stable:      c.Publishing.Stable,
		Grace:       c.Publishing.Grace,
		MaxVanished: int(c.Publishing.MaxVanished),
	})
	return err
}

// openStores opens what a source keeps.
func (o *organisation) openStores(ctx context.Context) (err error) {
	c := o.config
	if o.archive, err = archive.Open(c, c.Path(config.MeasuredDir), o.logger.With("part", "receiver")); err != nil {
		return fmt.Errorf("opening the archive: %w", err)
	}
	o.onClose(o.archive.Close)
	if o.catalog, err = catalog.Open(c.Path(config.CatalogDir), catalog.Options{}); err != nil {
		return err
	}
	o.onClose(o.catalog.Close)
	if o.registry, err = openRegistry(ctx, c); err != nil {
		return fmt.Errorf("registry.store: %w", err)
	}
	o.onClose(o.registry.Close)
	if o.documents, err = documents.Open(ctx, c.Path(config.DocumentsDir), o.registry.HasHash); err != nil {
		return fmt.Errorf("opening the document store: %w", err)
	}
	o.onClose(o.documents.Close)
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

// entries says what published studies are registered as.
func entries(c *config.Config) (gateway.EntryConfig, error) {
	r := &c.Registry
	zone, err := time.LoadLocation(r.TimeZone)
	return gateway.EntryConfig{
		PatientAuthority:   r.PatientAuthority,
		AccessionAuthority: r.AccessionAuthority,
		Location:           zone,
		Language:           r.Language,
		Class:              config.Code(r.Class),
		Type:               config.Code(r.Type),
		PracticeSetting:    config.Code(r.PracticeSetting),
		Facility:           config.Code(r.Facility),
		Confidentiality:    config.Code(r.Confidentiality),
		ContentType:        config.Code(r.ContentType),
		Format:             config.Code(r.Format),
	}, err
}
