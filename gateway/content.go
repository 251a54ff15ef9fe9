package gateway

import (
	"bytes"
	"context"
	"fmt"
	"io"

	"collimate/ledger"
	"collimate/pacs"
	"collimate/pacs/pdi"
	"collimate/xds"
	"collimate/xua"
)

// The media types of the documents that a study is offered as.
const (
	mimeStudy    = "application/zip"   // the whole study as IHE PDI lays it out
	mimeManifest = "application/dicom" // the XDS-I.b manifest, a Key Object Selection document
)

// offer is one document, ready to be streamed; its size is known and no instance has been read.
type offer struct {
	study    ledger.StudyID
	kind     ledger.DocumentKind
	mimeType string
	size     int64
	write    func(ctx context.Context, w io.Writer) (int64, error)
	listing  *pacs.Study
}

// offer prepares the document of a verdict that allows it. prepared holds what was prepared for the same
// request before, by documentUniqueId.
func (s *Source) offer(ctx context.Context, v *verdict, prepared map[string]offer) (offer, error) {
	if o, ok := prepared[v.request.DocumentUniqueID]; ok {
		return o, nil
	}
	listing, err := s.listing(ctx, v, prepared)
	if err != nil {
		return offer{}, err
	}
	o := offer{study: v.study.StudyID, kind: v.document.Kind, listing: listing}
	switch v.document.Kind {
	case ledger.DocumentStudy:
		archive, err := pdi.New(listing)
		if err != nil {
			return offer{}, fmt.Errorf("laying out the study: %w", err)
		}
		o.mimeType, o.size = mimeStudy, archive.Size()
		o.write = func(ctx context.Context, w io.Writer) (int64, error) {
			return archive.WriteArchive(w, func(i pacs.Instance) (io.ReadCloser, error) { return s.config.Archive.Open(ctx, i) })
		}
	case ledger.DocumentManifest:
		manifest, err := s.manifest(v, listing)
		if err != nil {
			return offer{}, fmt.Errorf("making the manifest: %w", err)
		}
		o.mimeType, o.size = mimeManifest, int64(len(manifest))
		o.write = func(_ context.Context, w io.Writer) (int64, error) { return io.Copy(w, bytes.NewReader(manifest)) }
	default:
		return offer{}, fmt.Errorf("the catalog names a document of kind %q, which this version does not make", v.document.Kind)
	}
	prepared[v.request.DocumentUniqueID] = o
	return o, nil
}

// listing lists a study, once for each request.
func (s *Source) listing(ctx context.Context, v *verdict, prepared map[string]offer) (*pacs.Study, error) {
	for _, o := range prepared {
		if o.study == v.study.StudyID {
			return o.listing, nil
		}
	}
	return s.config.Archive.Study(ctx, v.study.StudyInstanceUID)
}

// manifest makes the XDS-I.b manifest. Its SOP Instance UID is its documentUniqueId, its dates are those of the
// publication, and so the same study yields the same bytes each time. RAD TF-3: 4.68.4.1.2.1
func (s *Source) manifest(v *verdict, listing *pacs.Study) ([]byte, error) {
	return pdi.Manifest(listing, pdi.ManifestOptions{
		SOPInstanceUID:      v.request.DocumentUniqueID,
		SeriesInstanceUID:   ledger.DocumentUniqueID(v.study.StudyID, "manifest-series"),
		Content:             published(v.study),
		RetrieveAETitle:     s.config.RetrieveAETitle,
		RetrieveLocationUID: s.id.Alias(),
		Institution:         s.config.Institution,
	})
}

// sourceContent streams the offers of one answer in their order.
type sourceContent struct {
	ctx    context.Context
	source *Source
	caller xua.Caller
	offers []offer
	next   int
}

var _ xds.Content = (*sourceContent)(nil)

// Next returns the next document, if its requester may still have it.
func (c *sourceContent) Next() (int, io.WriterTo, error) {
	if c.next == len(c.offers) {
		return 0, nil, io.EOF
	}
	i := c.next
	c.next++
	o := c.offers[i]
	if err := c.source.recheck(c.caller, o.study, o.kind); err != nil { // the first too: answers may wait in a queue
		return 0, nil, err
	}
	return i, writerTo(func(w io.Writer) (int64, error) { return o.write(c.ctx, w) }), nil
}

// Close has nothing to release: instances are opened one at a time while they are written.
func (c *sourceContent) Close() error { return nil }

// writerTo is an io.WriterTo from a function.
type writerTo func(io.Writer) (int64, error)

func (f writerTo) WriteTo(w io.Writer) (int64, error) { return f(w) }
