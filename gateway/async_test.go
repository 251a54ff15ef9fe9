package gateway_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"collimate/dicom/phantom"
	"collimate/gateway"
	"collimate/keys"
	"collimate/ledger"
	"collimate/soap"
	"collimate/soap/mtom"
	"collimate/soap/wss"
	"collimate/xds"
)

// posted is an answer that came to an inbox.
type posted struct {
	from        keys.ID // who showed which key in TLS
	envelope    string
	attachments [][]byte
}

// inbox is where a requester takes answers: over TLS, from those that show a certificate.
func inbox(t *testing.T, owner party) (url string, arrivals chan posted) {
	t.Helper()
	arrivals = make(chan posted, 10)
	take := http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		p := posted{}
		p.from, _ = keys.IDOfCertificate(r.TLS.PeerCertificates[0])
		parts, err := mtom.NewReader(r.Body, r.Header.Get("Content-Type"), mtom.DefaultLimits)
		for n := 0; err == nil; n++ {
			var part *mtom.Part
			if part, err = parts.Next(); err != nil {
				break
			}
			var b []byte
			if b, err = io.ReadAll(part); n == 0 {
				p.envelope = string(b)
			} else {
				p.attachments = append(p.attachments, b)
			}
		}
		if err != io.EOF {
			t.Errorf("reading an answer: %v", err)
		}
		rw.WriteHeader(http.StatusAccepted)
		arrivals <- p
	})
	l := listen(t)
	serve(t, l, take, &tls.Config{ClientAuth: tls.RequireAnyClientCert, Certificates: []tls.Certificate{*owner.tls()}})
	return "https://" + l.Addr().String() + "/answers/", arrivals
}

// next returns the next answer.
func next(t *testing.T, arrivals chan posted) posted {
	t.Helper()
	select {
	case p := <-arrivals:
		return p
	case <-time.After(10 * time.Second):
		t.Fatal("no answer came")
		return posted{}
	}
}

// callFor sends a signed ITI-43 whose answer is to go elsewhere.
func (w *world) callFor(p party, replyTo string, r xds.DocumentRequest) error {
	w.t.Helper()
	signer, err := wss.NewSigner(p.key, p.cert, w.chain.now, rand.Reader)
	w.must(err)
	client := &soap.Client{HTTP: gateway.PinnedClient(p.tls(), w.north.id), Signer: signer}
	reply, err := client.Call(context.Background(), w.url, soap.Envelope{
		Action: "urn:ihe:iti:2007:RetrieveDocumentSet", MTOM: true, MessageID: "urn:uuid:" + rand.Text(), ReplyTo: replyTo,
		Payload: []byte(`<RetrieveDocumentSetRequest xmlns="urn:ihe:iti:xds-b:2007"><DocumentRequest><RepositoryUniqueId>` + r.RepositoryUniqueID +
			`</RepositoryUniqueId><DocumentUniqueId>` + r.DocumentUniqueID + `</DocumentUniqueId></DocumentRequest></RetrieveDocumentSetRequest>`),
	})
	if err == nil {
		reply.Close()
	}
	return err
}

// A requester may have the answer sent to an inbox of its own: to one that is listed, that holds the key that is
// listed, and nowhere else. ITI TF-2: 3.43.5, Appendix V.3.2.2
func TestAnswerElsewhere(t *testing.T) {
	south := newParty(t, "south")
	url, arrivals := inbox(t, south)
	stolen, nothing := inbox(t, newParty(t, "thief")) // listed with the key of south
	dead := "https://127.0.0.1:1/"
	var log bytes.Buffer
	w := newWorldWith(t, phantom.Options{Series: 1, Slices: 2, Rows: 64, Columns: 64}, func(w *world) {
		pinned := gateway.PinnedTLS(w.north.tls(), south.id)
		var err error
		w.async, err = soap.NewAsync(soap.AsyncConfig{
			Listed:   []soap.Inbox{{URL: url, TLS: pinned}, {URL: stolen, TLS: pinned}, {URL: dead, TLS: pinned}},
			Attempts: 2, Backoff: time.Millisecond, Logger: slog.New(slog.NewTextHandler(&log, nil)),
		})
		w.must(err)
	})
	stop := func() {
		if err := w.async.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	}
	defer stop()
	w.allow(south, w.chain.now().Add(time.Hour), false)
	study := w.document(ledger.DocumentStudy)

	accepted := func(p party, replyTo string) {
		t.Helper()
		var status *soap.StatusError
		if err := w.callFor(p, replyTo, study); !errors.As(err, &status) || status.Code != http.StatusAccepted {
			t.Fatalf("the request is answered with %v, want HTTP 202", err)
		}
	}
	accepted(south, url+"7")
	got := next(t, arrivals)
	if got.from != w.north.id || len(got.attachments) != 1 || !strings.Contains(got.envelope, "ResponseStatusType:Success") || !strings.Contains(got.envelope, "RelatesTo>urn:uuid:") {
		t.Fatalf("from %v came %d attachments with %s", got.from, len(got.attachments), got.envelope)
	}
	w.compare(got.attachments[0])
	if !w.audit.names(url + "7") {
		t.Error("the audit trail does not say where the answer went")
	}

	// Who has not been let in is told so at the same place, and the documents stay.
	accepted(newParty(t, "stranger"), url)
	if got := next(t, arrivals); len(got.attachments) != 0 || !strings.Contains(got.envelope, "ResponseStatusType:Failure") {
		t.Errorf("to a stranger went %d attachments with %s", len(got.attachments), got.envelope)
	}

	var fault *soap.RemoteFault
	elsewhere := strings.Replace(url, "/answers/", "/other/", 1)
	if err := w.callFor(south, elsewhere, study); !errors.As(err, &fault) || fault.Subsubcode.Local != "InvalidAddress" {
		t.Errorf("an address that is not listed: %v, want InvalidAddress", err)
	}

	// What cannot be delivered is given up, and the log says to whom without saying what.
	accepted(south, dead)
	accepted(south, stolen)
	stop()
	if n := strings.Count(log.String(), "not sent"); n != 2 || !strings.Contains(log.String(), gateway.ErrPin.Error()) {
		t.Errorf("%d answers were given up, want 2: %s", n, log.String())
	}
	if leak := contains(log.String(), w.ticket.StudyInstanceUID, study.DocumentUniqueID, study.RepositoryUniqueID, "urn:uuid"); leak != "" {
		t.Errorf("the log has %q in it", leak)
	}
	if len(arrivals)+len(nothing) > 0 {
		t.Errorf("%d more answers came, %d of them to a thief", len(arrivals)+len(nothing), len(nothing))
	}
}

// Without a list nothing is sent elsewhere.
func TestAnswerElsewhereIsOff(t *testing.T) {
	w := newWorld(t, phantom.Options{Series: 1, Slices: 1, Rows: 64, Columns: 64})
	south := newParty(t, "south")
	url, arrivals := inbox(t, south)
	var fault *soap.RemoteFault
	if err := w.callFor(south, url, w.document(ledger.DocumentStudy)); !errors.As(err, &fault) || fault.Subsubcode.Local != "OnlyAnonymousAddressSupported" {
		t.Errorf("got %v, want OnlyAnonymousAddressSupported", err)
	}
	if len(arrivals) > 0 {
		t.Error("an answer came")
	}
}
