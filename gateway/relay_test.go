package gateway_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"regexp"
	"testing"
	"time"

	"collimate/conformance"
	"collimate/dicom/phantom"
	"collimate/gateway"
	"collimate/keys"
	"collimate/keys/keystore"
	"collimate/ledger"
	"collimate/xds"
)

// hospital is a consumer-side gateway with an XDS consumer in front of it that knows nothing of signatures.
type hospital struct {
	party
	url      string
	audit    *trail
	consumer *http.Client
	// clientTLS is what the consumer connects with.
	clientTLS *tls.Config
}

func (w *world) hospital() *hospital {
	w.t.Helper()
	h := &hospital{party: newParty(w.t, "south"), audit: &trail{}}
	gate, err := gateway.NewConsumer(gateway.ConsumerConfig{Key: h.key, Certificate: h.cert, Ledger: w.chain, Audit: h.audit, Logger: slog.New(slog.DiscardHandler), Now: w.chain.now})
	w.must(err)

	from, until := time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	caKey, err := keystore.Generate(keystore.P256)
	w.must(err)
	ca, err := keystore.NewCA(caKey, "hospital", from, until)
	w.must(err)
	issue := func(name string) tls.Certificate {
		key, err := keystore.Generate(keystore.P256)
		w.must(err)
		cert, err := keystore.Issue(ca, caKey, key.Public(), name, []string{"127.0.0.1"}, from, until)
		w.must(err)
		return tls.Certificate{Certificate: [][]byte{cert.Raw}, PrivateKey: key, Leaf: cert}
	}
	pool := x509.NewCertPool()
	pool.AddCert(ca)

	listener := listen(w.t)
	h.url = "https://" + listener.Addr().String() + gateway.PathRepository
	config, err := gateway.ConsumerTLSConfig(issue("gateway"), pool)
	w.must(err)
	mux := http.NewServeMux()
	mux.Handle(gateway.PathRepository, gate.Handler(h.url))
	serve(w.t, listener, mux, config)
	h.clientTLS = &tls.Config{RootCAs: pool, Certificates: []tls.Certificate{issue("viewer")}}
	h.consumer = conformance.NewHTTPClient(h.clientTLS)
	return h
}

// ask sends a plain ITI-43, as a consumer that exists today does.
func (h *hospital) ask(requests ...xds.DocumentRequest) (*conformance.Answer, map[string][]byte, error) {
	bodies := map[string]*bytes.Buffer{}
	consumer := conformance.Consumer{HTTP: h.consumer, Body: func(d conformance.Document) io.Writer {
		b := &bytes.Buffer{}
		bodies[d.DocumentUniqueID] = b
		return b
	}}
	var refs []conformance.DocumentRef
	for _, r := range requests {
		refs = append(refs, conformance.DocumentRef(r))
	}
	answer, err := consumer.Retrieve(context.Background(), h.url, refs...)
	got := map[string][]byte{}
	for id, b := range bodies {
		got[id] = b.Bytes()
	}
	return answer, got, err
}

// The whole path: an unchanged consumer, the gateway that signs for it, the source that decides.
func TestRelay(t *testing.T) {
	w := newWorld(t, small)
	south := w.hospital()
	answer, _, err := south.ask(w.document(ledger.DocumentStudy))
	if err != nil || answer.Status != conformance.StatusFailure || answer.Errors[0].Code != string(xds.DocumentUniqueIDError) {
		t.Fatalf("before the grant: %+v, %v, want failure", answer, err)
	}
	w.allow(south.party, w.chain.now().Add(time.Hour), false)

	answer, bodies, err := south.ask(w.document(ledger.DocumentStudy), w.document(ledger.DocumentManifest))
	if err != nil {
		t.Fatal(err)
	}
	if err := answer.Success(); err != nil || len(bodies) != 2 {
		t.Fatalf("%d documents, %v, want two", len(bodies), err)
	}
	w.compare(bodies[w.ticket.Documents[ledger.DocumentStudy]])
	if south.audit.last() != "" || len(south.audit.messages) == 0 {
		t.Errorf("the hospital's audit trail has %d messages, the last says %q, want success", len(south.audit.messages), south.audit.last())
	}
}

// Several repositories in one request: each answered by whoever has it, the rest refused one by one.
func TestRelayMixed(t *testing.T) {
	w := newWorld(t, small)
	south := w.hospital()
	w.allow(south.party, w.chain.now().Add(time.Hour), false)
	away := xds.DocumentRequest{RepositoryUniqueID: w.otherSource().Alias(), DocumentUniqueID: "1.2.3"} // its address leads nowhere
	unknown := xds.DocumentRequest{RepositoryUniqueID: "1.2.3", DocumentUniqueID: "1.2.4"}

	answer, bodies, err := south.ask(away, w.document(ledger.DocumentManifest), unknown)
	if err != nil {
		t.Fatal(err)
	}
	if answer.Status != conformance.StatusPartialSuccess || len(bodies) != 1 || len(answer.Errors) != 2 {
		t.Fatalf("status %s, %d documents, errors %+v", answer.Status, len(bodies), answer.Errors)
	}
	want := map[string]string{"1.2.3": "XDSRepositoryError", "1.2.4": "XDSUnknownRepositoryId"}
	for _, e := range answer.Errors {
		if want[e.Location] != e.Code {
			t.Errorf("%s for %s, want %s", e.Code, e.Location, want[e.Location])
		}
	}
}

// Documents of two sources in one request: each arrives under its own name.
func TestRelayTwoSources(t *testing.T) {
	w := newWorld(t, small)
	south := w.hospital()
	w.allow(south.party, w.chain.now().Add(time.Hour), false)
	east := w.secondSource(phantom.Options{Series: 1, Slices: 2, Rows: 64, Columns: 64, Seed: 2})
	east.allow(south.party, w.chain.now().Add(time.Hour), false)

	asked := []xds.DocumentRequest{east.document(ledger.DocumentStudy), w.document(ledger.DocumentStudy), east.document(ledger.DocumentManifest)}
	answer, bodies, err := south.ask(asked...)
	if err != nil || answer.Success() != nil || len(bodies) != 3 {
		t.Fatalf("%d documents, %v, want three", len(bodies), err)
	}
	w.compare(bodies[w.ticket.Documents[ledger.DocumentStudy]])
	east.compare(bodies[east.ticket.Documents[ledger.DocumentStudy]])
}

// A cut on one leg is a cut on the other.
func TestAbortThroughRelay(t *testing.T) {
	w := newWorld(t, small)
	south := w.hospital()
	w.allow(south.party, w.chain.now().Add(time.Hour), false)
	w.archive.breakAt = 4
	_, _, err := south.ask(w.document(ledger.DocumentStudy))
	if !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Fatalf("got %v, want an answer that broke off", err)
	}
}

// The TLS key must be the one on the ledger: a server in its place, with whatever certificate, gets nothing.
func TestPin(t *testing.T) {
	w := newWorld(t, small)
	south := newParty(t, "south")
	client := w.client(south)
	client.SOAP.HTTP = gateway.PinnedClient(south.tls(), newParty(t, "expected").id)
	_, err := client.Retrieve(context.Background(), w.url, []xds.DocumentRequest{w.document(ledger.DocumentStudy)})
	if !errors.Is(err, gateway.ErrPin) {
		t.Fatalf("got %v, want ErrPin", err)
	}
}

// A consumer without a certificate of the hospital's own authority is not served.
func TestForeignConsumer(t *testing.T) {
	w := newWorld(t, small)
	south := w.hospital()
	w.allow(south.party, w.chain.now().Add(time.Hour), false)
	for name, client := range map[string]*tls.Config{
		"another authority": {InsecureSkipVerify: true, Certificates: []tls.Certificate{*newParty(t, "visitor").tls()}},
		"no certificate":    {InsecureSkipVerify: true},
	} {
		south.consumer = conformance.NewHTTPClient(client)
		if answer, _, err := south.ask(w.document(ledger.DocumentManifest)); err == nil {
			t.Errorf("%s: served with %s", name, answer.Status)
		}
	}
}

// varying is all in an answer that differs from one request to the next: ids of messages, boundaries, and the
// documentUniqueId itself.
var varying = regexp.MustCompile(`urn:uuid:[0-9a-f-]+|2\.25\.[0-9]+|cid:[^"]+`)

// What is denied and what does not exist look the same, to the byte.
func TestDeniedLooksAbsent(t *testing.T) {
	w := newWorld(t, small)
	south := w.hospital()
	late := w.chain.now().Add(time.Minute)
	absent := xds.DocumentRequest{RepositoryUniqueID: w.ticket.RepositoryUniqueID, DocumentUniqueID: keys.ID{3}.Alias()}
	see := func(r xds.DocumentRequest) string {
		answer, _, err := south.ask(r)
		if err != nil {
			t.Fatal(err)
		}
		return varying.ReplaceAllString(string(answer.RawEnvelope), "*")
	}
	want := see(absent)
	if got := see(w.document(ledger.DocumentStudy)); got != want {
		t.Errorf("not granted:\n%s\nabsent:\n%s", got, want)
	}
	c := w.allow(south.party, late, false)
	w.chain.see(c)
	if got := see(w.document(ledger.DocumentStudy)); got != want {
		t.Errorf("revoked:\n%s\nabsent:\n%s", got, want)
	}
	w.allow(south.party, late, false)
	w.chain.pass(2 * time.Minute)
	if got := see(w.document(ledger.DocumentManifest)); got != want {
		t.Errorf("expired:\n%s\nabsent:\n%s", got, want)
	}

	// A source that is out of step says so of everything, present or not.
	w.chain.stop()
	present, gone := see(w.document(ledger.DocumentStudy)), see(absent)
	if present != gone || present == want {
		t.Errorf("out of step, present:\n%s\nabsent:\n%s", present, gone)
	}
	if leak := contains(want, w.ticket.StudyInstanceUID, w.ticket.StudyID.String()); leak != "" {
		t.Errorf("the answer tells %q", leak)
	}
}
