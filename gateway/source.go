package gateway

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"runtime"
	"sync"
	"time"

	"collimate/atna"
	"collimate/dicom"
	"collimate/gateway/catalog"
	"collimate/gateway/documents"
	"collimate/gateway/registry"
	"collimate/keys"
	"collimate/ledger"
	"collimate/pacs"
	"collimate/pacs/iocm"
	"collimate/pacs/transcode"
	"collimate/soap"
	"collimate/xds"
	"collimate/xds/metadata"
	"collimate/xds/xdsi"
	"collimate/xua"
)

// SourceConfig is what a Source is made of. All fields are required unless said otherwise.
type SourceConfig struct {
	ChainID     string            // of the ledger; transactions are signed for it
	Key         crypto.Signer     // the source's key on the ledger
	Certificate *x509.Certificate // of Key, self-signed or not; what the TLS listener presents
	// URL is where requesters reach this source, scheme and host, such as https://images.example:8440. It
	// stands on the ledger, and a signed request must name it in wsa:To.
	URL string
	// ID names the source on the ledger if Key is not its first one but came by rotation; optional.
	ID   keys.Source
	OIDs []string // repository OIDs that the source owned before; optional
	Peer string   // libp2p peer of its node, ID@host:port; optional
	// EmergencyGroups are the groups whose members the source admits without a grant, in the open; ascending, optional.
	EmergencyGroups []ledger.StudyID
	Catalog         *catalog.Catalog
	Archive         pacs.Archive
	Ledger          Ledger
	Audit           atna.Recorder
	Logger          *slog.Logger
	// Registry lists what the source has published, and with Documents what was submitted to it; both optional, and
	// Documents not without Registry.
	Registry  *registry.Store
	Documents *documents.Store
	// Submitters are the keys of the organisation's own systems, which may submit documents and see what is of no study
	// on the ledger; optional.
	Submitters []keys.ID
	// Codes are those of the affinity domain, which submissions are held against; nil allows any.
	Codes *metadata.Codes
	// Entries says what DocumentEntries of published studies are like.
	Entries EntryConfig
	// MaxDocument is how large a submitted document may be, in bytes; DefaultMaxDocument when zero.
	MaxDocument int64
	// Transcoder recodes instances that are asked for in another transfer syntax; without a program when nil.
	Transcoder *transcode.Transcoder
	// Requesters says which evidence of who asks is accepted; optional.
	Requesters Requesters
	// Async sends answers to where requests ask for them in wsa:ReplyTo; nil refuses such requests. Who makes it shuts
	// it down, after the HTTP server.
	Async *soap.Async
	// MADO has the manifests of studies that are published from now on describe series and instances. dicom.Description
	MADO bool
	// Institution and RetrieveAETitle are written into manifests; optional.
	Institution     string
	RetrieveAETitle string
	// Staleness is how old the last block may be; DefaultStaleness when zero.
	Staleness time.Duration
	Now       func() time.Time // time.Now when nil
	Rand      io.Reader        // crypto/rand.Reader when nil
}

// Source is the source side of a gateway. It fills xds.Repository, xds.Registry, xds.Recipient and xdsi.ImageSource.
type Source struct {
	config  SourceConfig
	id      keys.Source
	archive pacs.Archive // behind config.Archive, which hides what was rejected: it may be a pacs.Batcher

	listings listings

	publishing sync.Mutex    // held by Publish: two at once would draw two salts for a study
	submitting sync.Mutex    // held from looking whether a submission may be to registering it
	asking     chan struct{} // a place for each query of who does not submit
	strangers  rate          // of requests of which nothing was found, in the audit trail
	failures   rate          // of requests whose sender was not authenticated, likewise
}

var (
	_ xds.Repository   = (*Source)(nil)
	_ xds.Registry     = (*Source)(nil)
	_ xds.Recipient    = (*Source)(nil)
	_ xdsi.ImageSource = (*Source)(nil)
)

// NewSource returns a Source, or an error that says what is missing.
func NewSource(c SourceConfig) (*Source, error) {
	if c.Key == nil || c.Certificate == nil || c.Catalog == nil || c.Archive == nil || c.Ledger == nil || c.Audit == nil || c.Logger == nil {
		return nil, errors.New("gateway: a source needs key, certificate, catalog, archive, ledger, audit and logger")
	}
	if c.ChainID == "" || c.URL == "" {
		return nil, errors.New("gateway: a source needs the chain id and the URL where it is reached")
	}
	if c.Documents != nil && c.Registry == nil {
		return nil, errors.New("gateway: a document store needs a registry")
	}
	id, err := keys.IDOf(c.Key.Public())
	if err != nil {
		return nil, fmt.Errorf("gateway: the source's key: %w", err)
	}
	if got, err := keys.IDOfCertificate(c.Certificate); err != nil || got != id {
		return nil, errors.New("gateway: the source's certificate is not of the source's key")
	}
	if c.Requesters.MinTier == xua.TierNone {
		c.Requesters.MinTier = xua.TierA
	}
	if c.Transcoder == nil {
		if c.Transcoder, err = transcode.New(transcode.Config{}); err != nil {
			return nil, fmt.Errorf("gateway: %w", err)
		}
	}
	if c.MaxDocument == 0 {
		c.MaxDocument = DefaultMaxDocument
	}
	archive := c.Archive
	c.Archive = iocm.New(archive) // what was rejected is not in any answer
	if c.Staleness == 0 {
		c.Staleness = DefaultStaleness
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Rand == nil {
		c.Rand = rand.Reader
	}
	if c.ID.IsZero() {
		c.ID = keys.Source{ID: id}
	}
	if err := c.Entries.prepare(c.ID.Alias()); err != nil {
		return nil, fmt.Errorf("gateway: the entries of studies: %w", err)
	}
	// They never have all processors, where there are several.
	asking := make(chan struct{}, min(maxAsking, max(1, runtime.GOMAXPROCS(0)-1)))
	source := &Source{config: c, id: c.ID, archive: archive, asking: asking}
	if _, ok := archive.(pacs.Batcher); ok { // it is another machine
		source.listings.keep = listingAge
	}
	return source, nil
}

// ID returns the key that names the source on the ledger.
func (s *Source) ID() keys.Source { return s.id }

// Endpoints returns the URLs under which the source is defined on the ledger.
func (s *Source) Endpoints() ledger.Endpoints {
	return ledger.Endpoints{ITI43: s.config.URL + PathRepository, Openings: s.config.URL + PathOpenings}
}

// Retrieve decides on each document by one snapshot of the ledger, prepares all that were allowed, writes the
// audit records, and only then returns. Each document is decided on once more when its turn to stream comes.
func (s *Source) Retrieve(ctx context.Context, caller xua.Caller, requests []xds.DocumentRequest) (*xds.RetrieveResponse, error) {
	verdicts := make([]verdict, len(requests))
	err := s.config.Ledger.View(func(view *ledger.Snapshot) (err error) {
		type asked struct{ repository, document string }
		first := map[asked]int{} // a thousand times the same document is one decision
		for i, r := range requests {
			name := asked{r.RepositoryUniqueID, r.DocumentUniqueID}
			if before, ok := first[name]; ok {
				verdicts[i] = verdicts[before].of(r)
				continue
			}
			find := func() (subject, error) { return s.byUniqueID(ctx, r.DocumentUniqueID) }
			if verdicts[i], err = s.decide(view, caller, r, find); err != nil {
				return err
			}
			first[name] = i
		}
		return nil
	})
	if err != nil {
		return nil, err // xds answers XDSRepositoryError without the text
	}
	prepared := s.prepare()
	response, offers := s.answer(verdicts, func(i int) (offer, error) { return prepared.offer(ctx, &verdicts[i]) })
	response.Content = &sourceContent{ctx: ctx, source: s, caller: caller, offers: offers}
	if err := s.audit(ctx, caller, verdicts); err != nil {
		return nil, fmt.Errorf("writing the audit trail: %w", err) // what cannot be audited is not released
	}
	return response, nil
}

// answer prepares what was allowed, and refuses what cannot be had after all. There is an offer for each document.
func (s *Source) answer(verdicts []verdict, prepare func(i int) (offer, error)) (response *xds.RetrieveResponse, offers []offer) {
	response = &xds.RetrieveResponse{}
	for i := range verdicts {
		v := &verdicts[i]
		if v.refusal == nil {
			o, err := prepare(i)
			if err == nil {
				offers = append(offers, o)
				response.Documents = append(response.Documents, o.document(v.request))
				continue
			}
			*v = s.cannot(*v, err)
		}
		response.Errors = append(response.Errors, v.refusal)
	}
	return response, offers
}

// cannot refuses a document that the caller may have and that cannot be given. What ails the archive stays here.
func (s *Source) cannot(v verdict, err error) verdict {
	var syntax *dicom.TransferSyntaxError
	switch {
	case errors.Is(err, catalog.ErrNotFound), errors.Is(err, pacs.ErrNotFound):
		return v.refuse(reasonGone)
	case errors.As(err, &syntax):
		v.reason = "transfer-syntax"
		v.refusal = &xds.Error{Code: xdsi.TransferSyntaxError, Location: v.request.DocumentUniqueID, Err: err,
			Context: "the instance cannot be given in any of the transfer syntaxes asked for"}
		return v
	}
	s.config.Logger.Error("preparing a document", "error", err)
	v.reason = "archive"
	v.refusal = &xds.Error{Code: xds.RepositoryError, Location: v.request.DocumentUniqueID, Err: err,
		Context: "the archive cannot give the document now, try again later"}
	return v
}

// of returns a verdict on another document of the same request, about which the same is to be said.
func (v verdict) of(r xds.DocumentRequest) verdict {
	v.request = r
	if v.refusal != nil {
		return v.refuse(v.reason)
	}
	return v
}
