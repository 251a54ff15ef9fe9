//go:build unix

package main

import (
	"crypto/rand"
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"collimate/cmd/collimate/internal/demo"
	"collimate/gateway"
	"collimate/keys/keystore"
	"collimate/ledger"
	"collimate/soap"
	"collimate/soap/mtom"
	"collimate/soap/wss"
)

// inbox takes answers that are sent elsewhere.
type inbox struct {
	url, certificate string
	answers          chan inboxed
	hold             func() // called when an answer begins
}

// inboxed is an answer that came.
type inboxed struct {
	envelope string
	bytes    int64 // of its attachments
	err      error
}

func newInbox(t *testing.T) *inbox {
	t.Helper()
	key, err := keystore.Generate(keystore.P256)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := keystore.SelfSigned(key, "inbox", []string{"127.0.0.1"}, time.Now().Add(-time.Hour), time.Now().Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	b := &inbox{certificate: filepath.Join(t.TempDir(), "inbox.crt"), answers: make(chan inboxed, 4), hold: func() {}}
	if err := keystore.SaveCertificate(b.certificate, certificate); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(b)
	server.TLS = &tls.Config{ClientAuth: tls.RequireAnyClientCert, Certificates: []tls.Certificate{{Certificate: [][]byte{certificate.Raw}, PrivateKey: key}}}
	server.StartTLS()
	t.Cleanup(server.Close)
	b.url = server.URL + "/answers/"
	return b
}

func (b *inbox) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b.hold()
	var got inboxed
	parts, err := mtom.NewReader(r.Body, r.Header.Get("Content-Type"), mtom.DefaultLimits)
	for n := 0; err == nil; n++ {
		var part *mtom.Part
		if part, err = parts.Next(); err != nil {
			break
		}
		if n == 0 {
			var envelope []byte
			envelope, err = io.ReadAll(part)
			got.envelope = string(envelope)
			continue
		}
		var size int64
		size, err = io.Copy(io.Discard, part)
		got.bytes += size
	}
	if err != io.EOF {
		got.err = err
	}
	w.WriteHeader(http.StatusAccepted)
	b.answers <- got
}

// wait returns the next answer, which must have come whole and hold the study.
func (b *inbox) wait(t *testing.T, s *demo.Study, messageID string) {
	t.Helper()
	select {
	case got := <-b.answers:
		if got.err != nil || got.bytes < s.Bytes || !strings.Contains(got.envelope, "RelatesTo>"+messageID+"<") || !strings.Contains(got.envelope, "ResponseStatusType:Success") {
			t.Errorf("got %d bytes of %d, %v, with %s", got.bytes, s.Bytes, got.err, got.envelope)
		}
	case <-time.After(patience):
		t.Fatal("no answer came")
	}
}

// askElsewhere sends ITI-43, whose answer is to go elsewhere, and returns its MessageID.
func askElsewhere(t *testing.T, client *soap.Client, url, replyTo string, s *demo.Study) (messageID string, err error) {
	t.Helper()
	messageID = "urn:uuid:" + rand.Text()
	reply, err := client.Call(t.Context(), url, soap.Envelope{
		Action: "urn:ihe:iti:2007:RetrieveDocumentSet", MTOM: true, MessageID: messageID, ReplyTo: replyTo,
		Payload: []byte(`<RetrieveDocumentSetRequest xmlns="urn:ihe:iti:xds-b:2007"><DocumentRequest><RepositoryUniqueId>` + s.RepositoryUniqueID +
			`</RepositoryUniqueId><DocumentUniqueId>` + s.Documents[ledger.DocumentStudy] + `</DocumentUniqueId></DocumentRequest></RetrieveDocumentSetRequest>`),
	})
	if err == nil {
		reply.Close()
		return messageID, errors.New("the answer came back")
	}
	var status *soap.StatusError
	if errors.As(err, &status) && status.Code == http.StatusAccepted {
		err = nil
	}
	return messageID, err
}

// Answers go where requests ask for them, from both sides of the gateway, if the configuration lists the place. One
// that is under way when the server is told to stop still arrives.
func (n *network) testAnswersElsewhere(t *testing.T) {
	s := &n.Studies[0]
	b := newInbox(t)
	t.Setenv("COLLIMATE_SOURCE_REPLY_TO", b.url+"source/="+b.certificate)
	t.Setenv("COLLIMATE_CONSUMER_REPLY_TO", b.url+"consumer/="+b.certificate)
	for _, name := range []string{"north", "south"} {
		n.kill(t, name)
		n.restart(t, name)
	}
	n.agree(t, 0)
	n.mustRetrieve(t, s)

	north, south := n.organisation(t, "north"), n.organisation(t, s.Grantee.Organisation)
	key, err := keystore.Load(s.Grantee.Key)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := keystore.LoadCertificate(s.Grantee.Certificate)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := wss.NewSigner(key, certificate, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	own := tls.Certificate{Certificate: [][]byte{certificate.Raw}, PrivateKey: key}
	source := &soap.Client{HTTP: gateway.PinnedClient(&own, north.KeyID), Signer: signer}
	viewer, err := tls.LoadX509KeyPair(south.XDSConsumer.Certificate, south.XDSConsumer.Key)
	if err != nil {
		t.Fatal(err)
	}
	roots, err := authorities(south.CA)
	if err != nil {
		t.Fatal(err)
	}
	consumer := &soap.Client{HTTP: &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{viewer}}}}}
	defer source.HTTP.CloseIdleConnections()
	defer consumer.HTTP.CloseIdleConnections()

	for _, ask := range []struct {
		client          *soap.Client
		url, here, away string // away is listed at the other side only
	}{
		{source, north.SourceURL, b.url + "source/1", b.url + "consumer/1"},
		{consumer, s.Grantee.ConsumerURL, b.url + "consumer/1", b.url + "source/1"},
	} {
		id, err := askElsewhere(t, ask.client, ask.url, ask.here, s)
		if err != nil {
			t.Fatalf("%s: %v", ask.url, err)
		}
		b.wait(t, s, id)
		var fault *soap.RemoteFault
		if _, err := askElsewhere(t, ask.client, ask.url, ask.away, s); !errors.As(err, &fault) || fault.Subsubcode.Local != "InvalidAddress" {
			t.Errorf("%s: an address that is not listed: %v, want InvalidAddress", ask.url, err)
		}
	}

	begun, stopping := make(chan struct{}), make(chan struct{})
	b.hold = func() { close(begun); <-stopping }
	id, err := askElsewhere(t, source, north.SourceURL, b.url+"source/2", s)
	if err != nil {
		t.Fatal(err)
	}
	<-begun
	pid := n.pid(t, "north")
	if err := syscall.Kill(pid, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	wait(t, "north to take no more connections", func() error { return refuses(north.SourceURL) })
	close(stopping)
	b.wait(t, s, id)
	wait(t, "north to end", func() error { return gone(pid) })
	for _, o := range []*demo.Organisation{north, south} {
		checkLog(t, o, s)
	}
}
