package gateway

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"collimate/atna"
	"collimate/keys"
	"collimate/ledger"
	"collimate/soap"
	"collimate/soap/wss"
	"collimate/xds"
	"collimate/xua"
)

// ConsumerConfig is what a Consumer is made of. All fields are required unless said otherwise.
type ConsumerConfig struct {
	Key         crypto.Signer     // the grantee's key: owners let it in, it signs every request
	Certificate *x509.Certificate // of Key
	Ledger      Ledger
	Audit       atna.Recorder
	Logger      *slog.Logger
	Async       *soap.Async      // as in SourceConfig; optional
	Now         func() time.Time // time.Now when nil
}

// Consumer is the consumer side of a gateway. To the local XDS consumer it is an ordinary Document Repository;
// it fills xds.Repository from the sources that the ledger names.
type Consumer struct {
	config ConsumerConfig
	id     keys.Grantee
	tls    tls.Certificate

	mu      sync.Mutex
	clients map[keys.Source]pinned // guarded by mu
}

// pinned is a client for a source, and the keys that it accepts.
type pinned struct {
	to     []keys.ID
	client *xds.Client
}

var _ xds.Repository = (*Consumer)(nil)

// NewConsumer returns a Consumer, or an error that says what is missing.
func NewConsumer(c ConsumerConfig) (*Consumer, error) {
	if c.Key == nil || c.Certificate == nil || c.Ledger == nil || c.Audit == nil || c.Logger == nil {
		return nil, errors.New("gateway: a consumer needs key, certificate, ledger, audit and logger")
	}
	id, err := keys.IDOf(c.Key.Public())
	if err != nil {
		return nil, fmt.Errorf("gateway: the grantee's key: %w", err)
	}
	if got, err := keys.IDOfCertificate(c.Certificate); err != nil || got != id {
		return nil, errors.New("gateway: the grantee's certificate is not of the grantee's key")
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Consumer{
		config:  c,
		id:      keys.Grantee{ID: id},
		tls:     tls.Certificate{Certificate: [][]byte{c.Certificate.Raw}, PrivateKey: c.Key, Leaf: c.Certificate},
		clients: map[keys.Source]pinned{},
	}, nil
}

// ID returns the key that owners let in.
func (c *Consumer) ID() keys.Grantee { return c.id }

// group is the part of a request that one far source answers.
type group struct {
	source   *ledger.SourceRecord
	requests []xds.DocumentRequest
	response *xds.RetrieveResponse
	err      error
}

// Retrieve resolves each repositoryUniqueId on the ledger, asks all sources at the same time, and returns when
// each has sent its status: from there on their documents are streamed one source after the other.
func (c *Consumer) Retrieve(ctx context.Context, caller xua.Caller, requests []xds.DocumentRequest) (*xds.RetrieveResponse, error) {
	groups, merged, err := c.resolve(requests)
	if err != nil {
		return nil, err
	}
	var all sync.WaitGroup
	for _, g := range groups {
		all.Go(func() { g.response, g.err = c.ask(ctx, g) })
	}
	all.Wait()

	content := &relayedContent{}
	merged.Content = content
	for _, g := range groups {
		if g.err != nil {
			c.config.Logger.Warn("a source did not answer", "source", g.source.ID, "error", g.err)
			for _, r := range g.requests {
				merged.Errors = append(merged.Errors, unavailable(r, g.err))
			}
			continue
		}
		content.add(g.response, len(merged.Documents))
		merged.Documents = append(merged.Documents, g.response.Documents...)
		merged.Errors = append(merged.Errors, g.response.Errors...)
	}
	if err := c.audit(ctx, caller, groups); err != nil {
		return nil, errors.Join(fmt.Errorf("writing the audit trail: %w", err), merged.Close())
	}
	return merged, nil
}

// resolve sorts the requests by the source that the ledger names for them, in the order of their first mention.
func (c *Consumer) resolve(requests []xds.DocumentRequest) ([]*group, *xds.RetrieveResponse, error) {
	var groups []*group
	refused := &xds.RetrieveResponse{}
	bySource := map[keys.Source]*group{}
	err := c.config.Ledger.View(func(view *ledger.Snapshot) error {
		for _, r := range requests {
			source, err := view.SourceByOID(r.RepositoryUniqueID)
			if errors.Is(err, ledger.ErrNotFound) {
				refused.Errors = append(refused.Errors, &xds.Error{Code: xds.UnknownRepositoryID, Location: r.DocumentUniqueID,
					Context: "no source on the ledger has the repositoryUniqueId asked for"})
				continue
			}
			if err != nil {
				return fmt.Errorf("looking up a repository: %w", err)
			}
			g, ok := bySource[source.ID]
			if !ok {
				if len(groups) == maxSourcesPerRequest {
					return &xds.Error{Code: xds.RepositoryOutOfResources,
						Context: fmt.Sprintf("one request may name %d repositories at the most", maxSourcesPerRequest)}
				}
				g = &group{source: source}
				bySource[source.ID], groups = g, append(groups, g)
			}
			g.requests = append(g.requests, r)
		}
		return nil
	})
	return groups, refused, err
}

// ask sends the part of a request that a source answers.
func (c *Consumer) ask(ctx context.Context, g *group) (*xds.RetrieveResponse, error) {
	client, err := c.client(g.source)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	late := time.AfterFunc(upstreamDialTimeout+upstreamHeaderTimeout, func() { cancel(errLate) })
	response, err := client.Retrieve(ctx, g.source.Endpoints.ITI43, g.requests)
	if !late.Stop() && err == nil {
		err = errLate
	}
	if err != nil {
		cancel(nil)
		return nil, errors.Join(err, response.Close())
	}
	if response.Content == nil {
		cancel(nil)
		return response, nil
	}
	response.Content = heldContent{response.Content, cancel}
	return response, nil
}

// errLate ends a request whose status has not come in time: one slow source must not hold back the others.
var errLate = errors.New("the source has not sent its status in time")

// heldContent is content whose request lives until it is closed.
type heldContent struct {
	xds.Content
	cancel context.CancelCauseFunc
}

func (c heldContent) Close() error {
	defer c.cancel(nil)
	return c.Content.Close()
}

// client returns the client for a source: TLS pinned to the source's key, requests signed with ours.
func (c *Consumer) client(source *ledger.SourceRecord) (*xds.Client, error) {
	pins := source.TLSKeys(c.config.Now())
	c.mu.Lock()
	defer c.mu.Unlock()
	if p, ok := c.clients[source.ID]; ok && slices.Equal(p.to, pins) {
		return p.client, nil
	}
	signer, err := wss.NewSigner(c.config.Key, c.config.Certificate, c.config.Now, rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("preparing to sign: %w", err)
	}
	if len(c.clients) >= maxClients {
		clear(c.clients) // idle connections close by themselves
	}
	client := &xds.Client{SOAP: &soap.Client{HTTP: PinnedClient(&c.tls, pins...), Signer: signer}}
	c.clients[source.ID] = pinned{pins, client}
	return client, nil
}

// unavailable reports a source that could not be asked. Why stays on this side.
func unavailable(r xds.DocumentRequest, err error) *xds.Error {
	return &xds.Error{Code: xds.RepositoryError, Location: r.DocumentUniqueID, Err: err,
		Context: "the repository that holds the document did not answer, try again later"}
}
