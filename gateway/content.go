package gateway

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"collimate/dicom"
	"collimate/gateway/catalog"
	"collimate/ledger"
	"collimate/pacs"
	"collimate/pacs/pdi"
	"collimate/xds"
	"collimate/xua"
)

// The media types of the documents that a study is offered as.
const (
	mimeStudy    = "application/zip"   // the whole study as IHE PDI lays it out
	mimeManifest = "application/dicom" // the XDS-I.b manifest, a Key Object Selection document; and each instance
)

// offer is one document, ready to be streamed; its size is known and no instance has been read.
type offer struct {
	about    subject
	mimeType string
	size     int64 // -1 for an instance that is to be recoded
	// newID is what the document is called if it is made anew each time, and is another when the study has changed:
	// NewDocumentUniqueId. ITI TF-2: 3.43.4.2.2
	newID string
	write func(ctx context.Context, w io.Writer) (int64, error)
}

// document describes an offer as an answer to a request.
func (o offer) document(asked xds.DocumentRequest) xds.Document {
	d := xds.Document{DocumentRequest: asked, MimeType: o.mimeType, Size: o.size}
	if o.newID != asked.DocumentUniqueID {
		d.NewDocumentUniqueID = o.newID
	}
	return d
}

// preparation makes the offers of one request. Of a study there is one listing, however often it is asked for, and of a
// document one offer.
type preparation struct {
	source   *Source
	listings map[string]listing // by Study Instance UID
	offers   map[string]offer   // by documentUniqueId
}

func (s *Source) prepare() *preparation {
	return &preparation{source: s, listings: map[string]listing{}, offers: map[string]offer{}}
}

// offer prepares the document of a verdict that allows it.
func (p *preparation) offer(ctx context.Context, v *verdict) (o offer, err error) {
	id := v.request.DocumentUniqueID
	o, ok := p.offers[id]
	if ok {
		return o, nil
	}
	if v.entry != nil {
		o, err = p.source.submitted(v.subject)
	} else {
		o, err = p.made(ctx, v)
	}
	if err == nil {
		o.about = v.subject
		p.offers[id] = o
	}
	return o, err
}

// listing is what the archive said of a study.
type listing struct {
	study *pacs.Study
	err   error
}

// listing lists a study. One that fails is not asked for again: an answer may be of a thousand of its images.
func (p *preparation) listing(ctx context.Context, study catalog.Study) (*pacs.Study, error) {
	l, ok := p.listings[study.StudyInstanceUID]
	if !ok {
		l.study, l.err = p.source.listings.study(ctx, p.source.config.Archive, study.StudyInstanceUID)
		p.listings[study.StudyInstanceUID] = l
	}
	return l.study, l.err
}

// made prepares a document that is made from the archive.
func (p *preparation) made(ctx context.Context, v *verdict) (o offer, err error) {
	listing, err := p.listing(ctx, v.study)
	if err != nil {
		return offer{}, err
	}
	s := p.source
	switch v.kind {
	case ledger.DocumentStudy:
		archive, err := pdi.New(listing)
		if err != nil {
			return offer{}, fmt.Errorf("laying out the study: %w", err)
		}
		o.mimeType, o.size = mimeStudy, archive.Size()
		if o.newID, err = snapshotID(v.study, listing); err != nil {
			return offer{}, err
		}
		o.write = func(ctx context.Context, w io.Writer) (int64, error) {
			return archive.WriteArchive(w, func(i pacs.Instance) (io.ReadCloser, error) { return s.config.Archive.Open(ctx, i) })
		}
	case ledger.DocumentManifest:
		m, err := s.manifest(v.study, listing)
		if err != nil {
			return offer{}, err
		}
		o.mimeType, o.size, o.newID = mimeManifest, int64(len(m.bytes)), m.id
		o.write = func(_ context.Context, w io.Writer) (int64, error) { return io.Copy(w, bytes.NewReader(m.bytes)) }
	default:
		return offer{}, fmt.Errorf("the catalog names a document of kind %q, which this version does not make", v.kind)
	}
	return o, nil
}

// submitted prepares a document of the document store.
func (s *Source) submitted(about subject) (offer, error) {
	size, err := strconv.ParseInt(about.entry.Size, 10, 64)
	if err != nil {
		return offer{}, fmt.Errorf("the entry of a submitted document: %w", err)
	}
	open := func() (io.ReadCloser, error) { return s.config.Documents.Open(lowerHash(about.entry), size) }
	r, err := open() // whether it is there is to be known before the first byte
	if err != nil {
		return offer{}, err
	}
	r.Close()
	return offer{mimeType: about.entry.MimeType, size: size, newID: about.entry.UniqueID, write: func(_ context.Context, w io.Writer) (int64, error) {
		r, err := open()
		if err != nil {
			return 0, err
		}
		defer r.Close()
		return io.Copy(w, r)
	}}, nil
}

// snapshotID names the ZIP of a study as the archive lists it: the same name stands for the same bytes.
func snapshotID(study catalog.Study, listing *pacs.Study) (string, error) {
	l := *listing
	l.Stored = time.Time{}
	b, err := json.Marshal(l)
	if err != nil {
		return "", fmt.Errorf("naming a study: %w", err)
	}
	return derivedID(study, ledger.DocumentStudy, sha256.Sum256(b)), nil
}

// derivedID names what a document of a study is at present.
func derivedID(study catalog.Study, kind ledger.DocumentKind, digest [32]byte) string {
	return ledger.DocumentUniqueID(study.StudyID, kind+"/"+ledger.DocumentKind(hex.EncodeToString(digest[:])))
}

// manifest is the XDS-I.b manifest of a study as the archive lists it.
type manifest struct {
	id            string // documentUniqueId and SOP Instance UID
	bytes         []byte
	digest, first [32]byte // of the manifest under the name of the first one; and of the first one
}

// manifest makes the manifest. Its SOP Instance UID is its documentUniqueId, its dates are those of the publication,
// and so the same study yields the same bytes each time. The first one has the name that follows from the StudyID; one
// of a study that was amended since has another name, as XDS wants it of other bytes. RAD TF-3: 4.68.4.1.2.1
func (s *Source) manifest(study catalog.Study, listing *pacs.Study) (manifest, error) {
	m := manifest{id: ledger.DocumentUniqueID(study.StudyID, ledger.DocumentManifest)}
	var err error
	if m.bytes, err = s.manifestAs(m.id, study, listing); err != nil {
		return m, err
	}
	m.digest = sha256.Sum256(m.bytes)
	m.first, err = s.config.Catalog.Manifest(study.StudyInstanceUID)
	if errors.Is(err, catalog.ErrNotFound) {
		m.first, err = m.digest, nil
	}
	if err != nil || m.first == m.digest {
		return m, err
	}
	m.id = derivedID(study, ledger.DocumentManifest, m.digest)
	m.bytes, err = s.manifestAs(m.id, study, listing)
	return m, err
}

func (s *Source) manifestAs(id string, study catalog.Study, listing *pacs.Study) ([]byte, error) {
	var description *dicom.Description
	if study.MADO {
		description = s.config.Entries.description(listing)
	}
	b, err := pdi.Manifest(listing, pdi.ManifestOptions{
		SOPInstanceUID:      id,
		SeriesInstanceUID:   ledger.DocumentUniqueID(study.StudyID, "manifest-series"),
		Content:             time.Unix(study.Published, 0).UTC(),
		RetrieveAETitle:     s.config.RetrieveAETitle,
		RetrieveLocationUID: s.id.Alias(),
		Institution:         s.config.Institution,
		Description:         description,
	})
	if err != nil {
		return nil, fmt.Errorf("making the manifest: %w", err)
	}
	return b, nil
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
	if err := c.source.recheck(c.caller, o.about); err != nil { // the first too: answers may wait in a queue
		return 0, nil, err
	}
	return i, writerTo(func(w io.Writer) (int64, error) { return o.write(c.ctx, w) }), nil
}

// Close has nothing to release: instances are opened one at a time while they are written.
func (c *sourceContent) Close() error { return nil }

// instancesOf lists the instances of a study in its order.
func instancesOf(study *pacs.Study) []pacs.Instance {
	var all []pacs.Instance
	for _, series := range study.Series {
		all = append(all, series.Instances...)
	}
	return all
}

// writerTo is an io.WriterTo from a function.
type writerTo func(io.Writer) (int64, error)

func (f writerTo) WriteTo(w io.Writer) (int64, error) { return f(w) }
