package interop

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"collimate/soap"
	"collimate/soap/wss"
)

// TestFromUs lets soap.Client and wss.Signer make requests and each peer verify them. A second message in which
// another document is asked for has to be refused by each: a peer that accepts everything shows nothing.
func TestFromUs(t *testing.T) {
	requirePeers(t)
	id := newIdentities(t)
	all := peers(t)
	rows := map[string]row{}
	for _, r := range fromUs {
		rows[r.peer] = r
	}
	for _, name := range slices.Sorted(maps.Keys(rows)) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var jobs []job
			for _, c := range columns {
				m := ours(t, id.of[c.key], c.mtom)
				for _, m := range []message{m, {m.contentType, tamper(t, m.body)}} {
					in := filepath.Join(t.TempDir(), "message")
					if name == "gSOAP" { // reads HTTP
						write(t, in, m.http())
					} else {
						write(t, in, unpack(t, m))
					}
					jobs = append(jobs, job{"op": "verify", "key": c.key, "in": in})
				}
			}
			results := all[name].run(t, id, jobs)
			for i, c := range columns {
				t.Run(c.family+"_"+c.packaging, func(t *testing.T) {
					got, tampered := results[2*i], results[2*i+1]
					if want := rows[name].cells[i]; got.ok != (want.verdict == accepted) {
						t.Errorf("the peer says %v %q, want accepted: %v (%s)", got.ok, got.detail, want.verdict == accepted, want.why)
					}
					if tampered.ok {
						t.Errorf("the peer accepts the message with another document in it: %q", tampered.detail)
					}
					if got.ok && name != "xmlsec1" { // which does not say what was signed
						for _, part := range []string{"To", "Action", "MessageID", "ReplyTo", "Timestamp", "Body"} {
							if !slices.Contains(strings.Fields(got.detail), part) {
								t.Errorf("the peer finds signed %q, and not %s", got.detail, part)
							}
						}
					}
				})
			}
		})
	}
}

// ours returns the request that our client sends.
func ours(t *testing.T, i identity, mtom bool) message {
	t.Helper()
	signer, err := wss.NewSigner(i.key, i.certificate, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	var m message
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		m.contentType = r.Header.Get("Content-Type")
		m.body, _ = io.ReadAll(r.Body)
		w.WriteHeader(http.StatusServiceUnavailable)
	}))
	defer server.Close()
	payload := `<xdsb:RetrieveDocumentSetRequest xmlns:xdsb="urn:ihe:iti:xds-b:2007"><xdsb:DocumentRequest><xdsb:RepositoryUniqueId>2.25.1</xdsb:RepositoryUniqueId>` +
		`<xdsb:DocumentUniqueId>` + documentID + `</xdsb:DocumentUniqueId></xdsb:DocumentRequest></xdsb:RetrieveDocumentSetRequest>`
	client := soap.Client{HTTP: server.Client(), Signer: signer}
	reply, err := client.Call(context.Background(), server.URL, soap.Envelope{Action: action, Payload: []byte(payload), MTOM: mtom})
	if err == nil {
		reply.Close()
	}
	if len(m.body) == 0 {
		t.Fatalf("our client sent nothing: %v", err)
	}
	return m
}

// http is the message as a whole HTTP request.
func (m message) http() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: %s\r\nContent-Length: %d\r\nConnection: close\r\n\r\n", m.contentType, len(m.body))
	b.Write(m.body)
	return b.Bytes()
}
