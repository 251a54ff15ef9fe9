package node

import (
	"bytes"
	"crypto/sha256"
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

	if stake, err := c.Stake(t.Context(), source); err != nil || stake.Units != 100 || stake.Source != source {
		t.Errorf("stake: %+v, %v", stake, err)
	}
	payer := keys.Payer{ID: idOf(t, w.payer)}
	if bonds, err := c.Bonds(t.Context(), source); err != nil || len(bonds) != 1 || bonds[0].Payer != payer || bonds[0].Units != 100 {
		t.Errorf("bonds: %+v, %v", bonds, err)
	}
	if p, err := c.Payer(t.Context(), payer); err != nil || p.Units != 1000 || p.Bonded != 100 || p.Sequence != 1 {
		t.Errorf("payer: %+v, %v", p, err)
	}
	if all, err := c.Payers(t.Context()); err != nil || len(all) != 1 || all[0].ID != payer {
		t.Errorf("payers: %+v, %v", all, err)
	}
	if p, err := c.Params(t.Context()); err != nil || p.Version != 1 || p.Params != ledger.DefaultParams() {
		t.Errorf("params: %+v, %v", p, err)
	}
	to := time.Now().Add(-10 * time.Second)
	w.must(c, w.sign(ledger.AnchorReceipts{From: 1, To: to.Unix(), Count: 7}, w.source))
	if all, err := c.Receipts(t.Context(), source); err != nil || len(all) != 1 || all[0].Count != 7 || all[0].To.Time().Unix() != to.Unix() {
		t.Errorf("receipts: %+v, %v", all, err)
	}
	guardian := ledger.NewGuardian([32]byte{1}, keys.Guardian{ID: keys.ID{9}}, id)
	w.must(c, w.sign(ledger.SetGuardians{Study: id, Threshold: 1, Guardians: []ledger.Commitment{guardian}, Delay: 999_999}, w.owner))
	if g, err := c.Guardians(t.Context(), id); err != nil || g.Round != 1 || len(g.Guardians) != 1 || g.Guardians[0] != guardian {
		t.Errorf("guardians: %+v, %v", g, err)
	}

	for name, err := range map[string]error{
		"stake":       second(c.Stake(t.Context(), keys.Source{ID: keys.ID{1}})),
		"payer":       second(c.Payer(t.Context(), keys.Payer{ID: keys.ID{1}})),
		"change":      second(c.NextParams(t.Context())),
		"guardians":   second(c.Guardians(t.Context(), ledger.StudyID{1})),
		"recovery":    second(c.Recovery(t.Context(), id)),
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
	for name, got := range map[string]int{
		"emergencies": length(c.Emergencies(t.Context(), id)),
		"receipts":    length(c.Receipts(t.Context(), keys.Source{ID: keys.ID{1}})),
		"bonds":       length(c.Bonds(t.Context(), keys.Source{ID: keys.ID{1}})),
	} {
		if got != 0 {
			t.Errorf("%s: got %d, want an empty list", name, got)
		}
	}

	// Without waiting.
	raw = w.sign(ledger.RevokeAccess{Study: id, Commitment: ledger.Commitment{1}}, w.owner)
	if got, err := c.Offer(t.Context(), raw); err != nil || got.TxID != sha256.Sum256(raw) || got.Result != client.ResultPending {
		t.Errorf("offered: got %+v, %v", got, err)
	}
	final := w.must(c, raw)
	if got, err := c.Offer(t.Context(), raw); err != nil || got != final || got.Result != client.ResultFinal {
		t.Errorf("offered again: got %+v, %v, want %+v", got, err, final)
	}
	if _, err := c.Offer(t.Context(), w.sign(ledger.RevokeAccess{Study: id, Epoch: 5, All: true}, w.owner)); ledger.CodeOf(err) != ledger.CodeWrongEpoch {
		t.Errorf("offered for another epoch: got %v, want %s", err, ledger.CodeWrongEpoch)
	}
	if err := n.Healthy(); err != nil {
		t.Errorf("not healthy: %v", err)
	}
}

func second[T any](_ T, err error) error { return err }

// length returns the length of a list, -1 if there was an error.
func length[T any](list []T, err error) int {
	if err != nil {
		return -1
	}
	return len(list)
}

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
		{"limit", "GET", "/v1/sources?limit=1", "", nil, 200, ""},
		{"largest limit", "GET", "/v1/sources?limit=250", "", nil, 200, ""},
		{"larger limit", "GET", "/v1/sources?limit=251", "", nil, 400, client.CodeBadRequest},
		{"no limit", "GET", "/v1/sources?limit=0", "", nil, 400, client.CodeBadRequest},
		{"cursor", "GET", "/v1/sources?cursor=03ff", "", nil, 200, ""},
		{"longest cursor", "GET", "/v1/sources?cursor=" + strings.Repeat("ff", 128), "", nil, 200, ""},
		{"longer cursor", "GET", "/v1/sources?cursor=" + strings.Repeat("ff", 129), "", nil, 400, client.CodeBadRequest},
		{"odd cursor", "GET", "/v1/sources?cursor=0", "", nil, 400, client.CodeBadRequest},
		{"prove what", "GET", "/v1/sources?prove=maybe", "", nil, 400, client.CodeBadRequest},
		{"stake of an alias", "GET", "/v1/sources/1.2.3/stake", "", nil, 400, client.CodeBadRequest},
		{"bad payer", "GET", "/v1/payers/1", "", nil, 400, client.CodeBadRequest},
		{"prove nothing", "GET", "/v1/prove", "", nil, 400, client.CodeBadRequest},
		{"prove too much", "GET", "/v1/prove?" + strings.Repeat("key=01&", 17), "", nil, 400, client.CodeBadRequest},
		{"prove no key", "GET", "/v1/prove?key=xx", "", nil, 400, client.CodeBadRequest},
		{"height 0", "GET", "/v1/light-blocks/0", "", nil, 400, client.CodeBadRequest},
		{"no height", "GET", "/v1/light-blocks/x", "", nil, 400, client.CodeBadRequest},
		{"far away", "GET", "/v1/light-blocks/1000000000", "", nil, 404, client.CodeNotFound},
		{"long range", "GET", "/v1/light-blocks?from=1&to=65", "", nil, 400, client.CodeBadRequest},
		{"backwards", "GET", "/v1/light-blocks?from=2&to=1", "", nil, 400, client.CodeBadRequest},
		{"no range", "GET", "/v1/light-blocks", "", nil, 400, client.CodeBadRequest},
		{"document", "GET", "/openapi.json", "", nil, 200, ""},
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
