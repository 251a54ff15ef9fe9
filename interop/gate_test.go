package interop

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"collimate/soap"
	"collimate/soap/wss"
	"collimate/xua"
)

const (
	action         = "urn:ihe:iti:2007:RetrieveDocumentSet"
	actionResponse = "urn:ihe:iti:2007:RetrieveDocumentSetResponse"
	// success answers every request that is let in.
	success = `<xdsb:RetrieveDocumentSetResponse xmlns:xdsb="urn:ihe:iti:xds-b:2007">` +
		`<rs:RegistryResponse xmlns:rs="urn:oasis:names:tc:ebxml-regrep:xsd:rs:3.0" status="urn:oasis:names:tc:ebxml-regrep:ResponseStatusType:Success"/>` +
		`</xdsb:RetrieveDocumentSetResponse>`
)

// door is a whole server on loopback: TLS that wants a client certificate, soap.Server, wss.Verifier. It has an
// endpoint for each policy and packaging, and remembers what became of each message.
type door struct {
	base   string
	client *http.Client

	mu   sync.Mutex
	seen map[string]entry // by MessageID
}

// entry is what the server made of a message, and the message.
type entry struct {
	caller xua.Caller
	err    error
	sent   message
}

// sentKey is the key of the message in the context of its request.
type sentKey struct{}

// keep lets the handler see the message as it came.
func keep(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		m := message{r.Header.Get("Content-Type"), body}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), sentKey{}, m)))
	})
}

// open starts a server whose clock is now. With anyTo it takes messages that were meant for another endpoint.
func open(t *testing.T, id identities, now func() time.Time, anyTo bool) *door {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	d := &door{base: "https://localhost:" + port, client: id.client(), seen: map[string]entry{}}
	mux := http.NewServeMux()
	for policy, change := range policies {
		for _, mtom := range []bool{false, true} {
			path := endpoint(policy, mtom)
			config := wss.Config{Now: now, Replay: wss.NewMemoryReplay(0, now), RequireTo: []string{d.base + path}}
			if anyTo {
				config.RequireTo = nil
			}
			change(t, &config, id)
			verifier, err := wss.NewVerifier(config)
			if err != nil {
				t.Fatal(err)
			}
			mux.Handle(path, &soap.Server{Operations: []soap.Operation{
				{ID: "ITI-43", Action: action, ResponseAction: actionResponse, MTOM: mtom, Handle: d.handle(verifier)},
			}})
		}
	}
	server := soap.NewHTTPServer(keep(mux), id.serverTLS(), nil)
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = server.ServeTLS(listener, "", "")
	}()
	t.Cleanup(func() {
		server.Close()
		<-served
	})
	return d
}

func endpoint(policy string, mtom bool) string {
	policy = strings.ReplaceAll(policy, " ", "-")
	if mtom {
		return "/" + policy + "/mtom"
	}
	return "/" + policy + "/plain"
}

func (d *door) handle(verifier *wss.Verifier) func(context.Context, *soap.Request) (*soap.Response, error) {
	return func(ctx context.Context, r *soap.Request) (*soap.Response, error) {
		caller, err := verifier.Authenticate(ctx, r)
		d.mu.Lock()
		defer d.mu.Unlock()
		sent, _ := ctx.Value(sentKey{}).(message)
		d.seen[r.MessageID] = entry{caller, err, sent}
		if err != nil {
			return nil, err
		}
		return &soap.Response{Payload: []byte(success)}, nil
	}
}

// take returns what became of a message, and forgets it.
func (d *door) take(messageID string) (entry, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	e, ok := d.seen[messageID]
	delete(d.seen, messageID)
	return e, ok
}

// send sends a message as it is, and returns what became of it.
func (d *door) send(t *testing.T, url, messageID string, m message) entry {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, bytes.NewReader(m.body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", m.contentType)
	response, err := d.client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	got, ok := d.take(messageID)
	if !ok {
		t.Fatalf("the message did not reach the operation: HTTP %d %s", response.StatusCode, answer)
	}
	if (response.StatusCode == http.StatusOK) != (got.err == nil) {
		t.Errorf("got HTTP %d with error %v", response.StatusCode, got.err)
	}
	return got
}

// serverTLS asks for a certificate, of anyone: what counts is the signature. ITI TF-2: 3.19.6
func (id identities) serverTLS() *tls.Config {
	return &tls.Config{Certificates: []tls.Certificate{id.server.tls()}, ClientAuth: tls.RequireAnyClientCert}
}

func (id identities) client() *http.Client {
	return &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{
		RootCAs: id.pool, Certificates: []tls.Certificate{id.of["ec"].tls()},
	}}}
}
