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
	"sync"
	"time"

	"collimate/atna"
	"collimate/gateway/catalog"
	"collimate/keys"
	"collimate/ledger"
	"collimate/pacs"
	"collimate/soap"
	"collimate/xds"
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
	// Requesters says which evidence of who asks is accepted; optional.
	Requesters Requesters
	// Async sends answers to where requests ask for them in wsa:ReplyTo; nil refuses such requests. Who makes it shuts
	// it down, after the HTTP server.
	Async *soap.Async
	// Institution and RetrieveAETitle are written into manifests; optional.
	Institution     string
	RetrieveAETitle string
	// Staleness is how old the last block may be; DefaultStaleness when zero.
	Staleness time.Duration
	Now       func() time.Time // time.Now when nil
	Rand      io.Reader        // crypto/rand.Reader when nil
}

// Source is the source side of a gateway. It fills xds.Repository.
type Source struct {
	config SourceConfig
	id     keys.Source

	publishing sync.Mutex // held by Publish: two at once would draw two salts for a study
	strangers  rate       // of requests of which nothing was found, in the audit trail
}

var _ xds.Repository = (*Source)(nil)

// NewSource returns a Source, or an error that says what is missing.
func NewSource(c SourceConfig) (*Source, error) {
	if c.Key == nil || c.Certificate == nil || c.Catalog == nil || c.Archive == nil || c.Ledger == nil || c.Audit == nil || c.Logger == nil {
		return nil, errors.New("gateway: a source needs key, certificate, catalog, archive, ledger, audit and logger")
	}
	if c.ChainID == "" || c.URL == "" {
		return nil, errors.New("gateway: a source needs the chain id and the URL where it is reached")
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
	return &Source{config: c, id: c.ID}, nil
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
				verdicts[i] = verdicts[before]
				verdicts[i].request = r
				continue
			}
			if verdicts[i], err = s.decide(view, caller, r); err != nil {
				return err
			}
			first[name] = i
		}
		return nil
	})
	if err != nil {
		return nil, err // xds answers XDSRepositoryError without the text
	}

	content := &sourceContent{ctx: ctx, source: s, caller: caller}
	response := &xds.RetrieveResponse{Content: content}
	offers := map[string]offer{} // one listing of the archive for each study, however often it is asked for
	for i := range verdicts {
		v := &verdicts[i]
		if v.refusal == nil {
			o, err := s.offer(ctx, v, offers)
			if err != nil {
				// The caller may know that the document exists; what ails the archive stays here.
				s.config.Logger.Error("preparing a document", "error", err)
				v.reason = "archive"
				v.refusal = &xds.Error{Code: xds.RepositoryError, Location: v.request.DocumentUniqueID, Err: err,
					Context: "the archive cannot give the document now, try again later"}
			} else {
				content.offers = append(content.offers, o)
				response.Documents = append(response.Documents, xds.Document{DocumentRequest: v.request, MimeType: o.mimeType, Size: o.size})
				continue
			}
		}
		response.Errors = append(response.Errors, v.refusal)
	}
	if err := s.audit(ctx, caller, verdicts); err != nil {
		return nil, fmt.Errorf("writing the audit trail: %w", err) // what cannot be audited is not released
	}
	return response, nil
}
