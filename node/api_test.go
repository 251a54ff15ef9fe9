package node

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"collimate/keys"
	"collimate/ledger"
	"collimate/node/client"
)

// TestClient asks a node of its own network everything through package client.
func TestClient(t *testing.T) {
	w := newWorld(t, 1)
	n, _ := w.start(0)
	c := w.client(0)
	w.ready(c, 0)
	id := w.publish(c)
	com := w.grant(c, id, 1)

	if s, err := c.Status(t.Context()); err != nil || s.ChainID != w.genesis.ChainID || s.Height < 3 || len(s.AppHash) != 64 ||
		s.NodeID != n.Status().NodeID || s.ValidatorAddress == "" || time.Since(s.BlockTime) > time.Minute {
		t.Errorf("status: %+v, %v", s, err)
	}
	source := keys.Source{ID: idOf(t, w.source)}
	want, err := c.Source(t.Context(), source)
	if err != nil || want.ID != source || want.Endpoints.ITI43 != "https://n.example/iti43" || want.Version != 1 {
		t.Errorf("source: %+v, %v", want, err)
	}
	for _, oid := range []string{source.Alias(), "1.2.3.4"} {
		if got, err := c.SourceByOID(t.Context(), oid); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("source by %s: %+v, %v, want %+v", oid, got, err, want)
		}
	}
	if got, err := c.Sources(t.Context()); err != nil || len(got) != 1 || !reflect.DeepEqual(&got[0], want) {
		t.Errorf("sources: %+v, %v", got, err)
	}
	if got, err := c.Study(t.Context(), id); err != nil || got.ID != id || got.Source != source || got.Owner.ID != idOf(t, w.owner) {
		t.Errorf("study: %+v, %v", got, err)
	}
	if got, err := c.Grants(t.Context(), id); err != nil || len(got) != 1 || got[0].Commitment != com || got[0].Study != id || got[0].Revoked() {
		t.Errorf("grants: %+v, %v", got, err)
	}
	raw := w.sign(ledger.RevokeAccess{Study: id, Commitment: com}, w.owner)
	r := w.must(c, raw)
	if again := w.must(c, raw); again != r {
		t.Errorf("the same bytes again: got %+v, want %+v", again, r)
	}
	if got, err := c.Transaction(t.Context(), r.TxID); err != nil || got != r {
		t.Errorf("transaction: got %+v, %v, want %+v", got, err, r)
	}

	for name, err := range map[string]error{
		"source":      second(c.Source(t.Context(), keys.Source{ID: keys.ID{1}})),
		"oid":         second(c.SourceByOID(t.Context(), "1.2.3.5")),
		"odd oid":     second(c.SourceByOID(t.Context(), "a/b?c")),
		"study":       second(c.Study(t.Context(), ledger.StudyID{1})),
		"grants":      second(c.Grants(t.Context(), ledger.StudyID{1})),
		"transaction": second(c.Transaction(t.Context(), ledger.TxID{1})),
	} {
		if !errors.Is(err, ledger.ErrNotFound) {
			t.Errorf("an absent %s: got %v, want ErrNotFound", name, err)
		}
	}
	var refused *ledger.Error
	if _, err := c.Submit(t.Context(), w.sign(ledger.RevokeAccess{Study: id, Epoch: 5, All: true}, w.owner)); !errors.As(err, &refused) || refused.Code != ledger.CodeWrongEpoch {
		t.Errorf("for another epoch: got %v, want %s", err, ledger.CodeWrongEpoch)
	}
	var malformed *ledger.SyntaxError
	if _, err := c.Submit(t.Context(), []byte("garbage")); !errors.As(err, &malformed) || malformed.Code != ledger.CodeMalformed {
		t.Errorf("garbage: got %v, want %s", err, ledger.CodeMalformed)
	}
	if err := n.Healthy(); err != nil {
		t.Errorf("not healthy: %v", err)
	}
}

func second[T any](_ T, err error) error { return err }

// TestRequests sends what package client does not.
func TestRequests(t *testing.T) {
	w := newWorld(t, 1)
	w.start(0)
	w.ready(w.client(0), 0)
	base := w.client(0).URL()
	const cbor = client.MediaTypeTransaction
	for _, test := range []struct {
		name, method, path, media string
		body                      io.Reader
		status                    int
		code                      string
	}{
		{"health", "GET", "/healthz", "", nil, 200, ""},
		{"status", "GET", "/v1/status", "", nil, 200, ""},
		{"no sources", "GET", "/v1/sources", "", nil, 200, ""},
		{"no such path", "GET", "/v1/", "", nil, 404, client.CodeNotFound},
		{"wrong method", "DELETE", "/v1/status", "", nil, 404, client.CodeNotFound},
		{"bad study id", "GET", "/v1/studies/1", "", nil, 400, client.CodeBadRequest},
		{"upper case", "GET", "/v1/studies/" + strings.Repeat("A", 64), "", nil, 400, client.CodeBadRequest},
		{"bad study id for grants", "GET", "/v1/studies/1/grants", "", nil, 400, client.CodeBadRequest},
		{"bad transaction id", "GET", "/v1/transactions/1", "", nil, 400, client.CodeBadRequest},
		{"form", "POST", "/v1/transactions", "text/plain", strings.NewReader("x"), 415, client.CodeMediaType},
		{"no type", "POST", "/v1/transactions", "", strings.NewReader("x"), 415, client.CodeMediaType},
		{"empty", "POST", "/v1/transactions", cbor, nil, 422, string(ledger.CodeMalformed)},
		{"largest", "POST", "/v1/transactions", cbor, bytes.NewReader(make([]byte, ledger.MaxTxBytes)), 422, string(ledger.CodeMalformed)},
		{"larger", "POST", "/v1/transactions", cbor, bytes.NewReader(make([]byte, ledger.MaxTxBytes+1)), 422, string(ledger.CodeTooLarge)},
		{"too large to read", "POST", "/v1/transactions", cbor, bytes.NewReader(make([]byte, maxBody+1)), 413, client.CodeTooLarge},
		{"longest wait", "POST", "/v1/transactions?wait=1m", cbor, nil, 422, string(ledger.CodeMalformed)},
		{"longer wait", "POST", "/v1/transactions?wait=61s", cbor, nil, 400, client.CodeBadRequest},
		{"negative wait", "POST", "/v1/transactions?wait=-1s", cbor, nil, 400, client.CodeBadRequest},
		{"no duration", "POST", "/v1/transactions?wait=soon", cbor, nil, 400, client.CodeBadRequest},
	} {
		req, err := http.NewRequestWithContext(t.Context(), test.method, base+test.path, test.body)
		if err != nil {
			t.Fatal(err)
		}
		if test.media != "" {
			req.Header.Set("Content-Type", test.media)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		var p client.Problem
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || !json.Valid(body) {
			t.Errorf("%s: the answer is no JSON: %q, %v", test.name, body, err)
		}
		_ = json.Unmarshal(body, &p)
		if resp.StatusCode != test.status || p.Error.Code != test.code || (test.code != "") != (p.Error.Detail != "") {
			t.Errorf("%s: got %d %+v, want %d %s", test.name, resp.StatusCode, p.Error, test.status, test.code)
		}
		if got := resp.Header.Get("Content-Type"); got != "application/json" {
			t.Errorf("%s: Content-Type %q", test.name, got)
		}
	}
}
