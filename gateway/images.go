package gateway

import (
	"context"
	"errors"
	"fmt"
	"io"

	"collimate/gateway/catalog"
	"collimate/ledger"
	"collimate/pacs"
	"collimate/xds"
	"collimate/xds/xdsi"
	"collimate/xua"
)

// RetrieveImages answers RAD-69 as Retrieve answers ITI-43: by the same checks, once for each study and again when an
// instance's turn to stream comes. Who knows real UIDs and has no grant learns nothing: the archive is asked only after
// the ledger has let the caller in. RAD TF-3: 4.69
func (s *Source) RetrieveImages(
	ctx context.Context, caller xua.Caller, requests []xdsi.ImagingRequest, transferSyntaxes []string,
) (*xds.RetrieveResponse, error) {
	verdicts := make([]verdict, len(requests))
	err := s.config.Ledger.View(func(view *ledger.Snapshot) (err error) {
		type asked struct{ repository, study string }
		first := map[asked]int{} // a thousand instances of one study are one decision
		for i, r := range requests {
			name := asked{r.RepositoryUniqueID, r.StudyInstanceUID}
			if before, ok := first[name]; ok {
				verdicts[i] = verdicts[before].of(r.DocumentRequest)
				continue
			}
			find := func() (subject, error) {
				study, err := s.config.Catalog.Study(r.StudyInstanceUID)
				return subject{study: study, kind: kindInstance}, err
			}
			if verdicts[i], err = s.decide(view, caller, r.DocumentRequest, find); err != nil {
				return err
			}
			first[name] = i
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	images := &imageAnswer{source: s, syntaxes: transferSyntaxes, prepared: s.prepare(), placed: map[string]map[string]placed{}}
	response, offers := s.answer(verdicts, func(i int) (offer, error) {
		return images.offer(ctx, requests[i], &verdicts[i])
	})
	if err := s.auditImages(ctx, caller, requests, verdicts); err != nil {
		return nil, fmt.Errorf("writing the audit trail: %w", err) // what cannot be audited is not released
	}
	response.Content = &imageContent{
		sourceContent: sourceContent{ctx: ctx, source: s, caller: caller, offers: offers},
		syntaxes:      transferSyntaxes, instances: images.found, batch: pacs.NewBatch(s.archive, images.found),
	}
	return response, nil
}

// imageAnswer prepares the instances of one answer.
type imageAnswer struct {
	source   *Source
	syntaxes []string
	prepared *preparation
	placed   map[string]map[string]placed // by Study, then SOP Instance UID
	found    []pacs.Instance              // one for each offer
}

// placed is an instance and where it belongs.
type placed struct {
	series   string
	instance pacs.Instance
}

// offer prepares an instance. One that is not in the study, or not in the series that was named, is as absent as any.
func (a *imageAnswer) offer(ctx context.Context, r xdsi.ImagingRequest, v *verdict) (offer, error) {
	instances, ok := a.placed[r.StudyInstanceUID]
	if !ok {
		listing, err := a.prepared.listing(ctx, v.study)
		if err != nil && !errors.Is(err, pacs.ErrNotFound) {
			return offer{}, err
		}
		instances = map[string]placed{}
		if listing != nil {
			for _, i := range instancesOf(listing) {
				instances[i.SOPInstanceUID] = placed{i.SeriesInstanceUID, i}
			}
		}
		a.placed[r.StudyInstanceUID] = instances
	}
	p, ok := instances[r.DocumentUniqueID]
	if !ok || p.series != r.SeriesInstanceUID {
		return offer{}, errAbsent
	}
	o := offer{about: v.subject, mimeType: mimeManifest, newID: r.DocumentUniqueID, size: p.instance.Size}
	to, err := a.source.config.Transcoder.Choose(p.instance.TransferSyntaxUID, listed(a.syntaxes, p.instance))
	if err != nil {
		return offer{}, err
	}
	if to != p.instance.TransferSyntaxUID {
		o.size = -1
	}
	a.found = append(a.found, p.instance)
	return o, nil
}

// errAbsent is an instance that a study does not have.
var errAbsent = fmt.Errorf("the study has no such instance: %w", catalog.ErrNotFound)

// imageContent streams instances in the order that suits the archive: the answer names them in the order asked, and each
// where it comes.
type imageContent struct {
	sourceContent
	syntaxes  []string
	instances []pacs.Instance // of the offers
	batch     pacs.Batch
	open      io.Closer // the instance that was yielded last
}

// Next returns the next instance, if its requester may still have it.
func (c *imageContent) Next() (int, io.WriterTo, error) {
	c.done()
	i, r, err := c.batch.Next(c.ctx)
	if err != nil {
		return 0, nil, err
	}
	c.open = r
	if err := c.source.recheck(c.caller, c.offers[i].about); err != nil {
		return 0, nil, err
	}
	return i, writerTo(func(w io.Writer) (int64, error) { return c.write(w, c.instances[i], r) }), nil
}

// write copies an instance, in a transfer syntax that was asked for.
func (c *imageContent) write(w io.Writer, i pacs.Instance, r io.ReadCloser) (int64, error) {
	d, err := c.source.config.Transcoder.Open(c.ctx, opened{c.source.config.Archive, r}, i, listed(c.syntaxes, i))
	if err != nil {
		return 0, err
	}
	defer d.Close()
	return io.Copy(w, d)
}

// done closes the instance that was yielded last.
func (c *imageContent) done() {
	if c.open != nil {
		c.open.Close()
		c.open = nil
	}
}

// Close ends what is being read.
func (c *imageContent) Close() error {
	c.done()
	return c.batch.Close()
}

// opened is an archive of which one instance is open.
type opened struct {
	pacs.Archive
	r io.ReadCloser
}

func (o opened) Open(context.Context, pacs.Instance) (io.ReadCloser, error) { return o.r, nil }

// listed returns the transfer syntaxes that an instance may be given in: any, so that which is stored, if none is asked for.
func listed(asked []string, i pacs.Instance) []string {
	if len(asked) == 0 {
		return []string{i.TransferSyntaxUID}
	}
	return asked
}
