package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"collimate/cmd/collimate/internal/ledgercmd"
	"collimate/cmd/collimate/internal/owner"
	"collimate/gateway"
	"collimate/keys"
	"collimate/keys/keystore"
	"collimate/ledger"
	"collimate/ledger/light"
	"collimate/node/client"
)

// lies are what a node may say of a record, in JSON, or of the proofs of it.
type lies struct {
	path  string // that its name ends with
	json  func(record map[string]any)
	proof func(b *light.Bundle)
}

// liar is a node that lies, before an honest one. Submitted counts what it was given to keep.
func liar(t *testing.T, honest string, l lies) (node *client.Client, submitted *atomic.Int64) {
	t.Helper()
	to, err := url.Parse(honest)
	if err != nil {
		t.Fatal(err)
	}
	submitted = new(atomic.Int64)
	proxy := httputil.NewSingleHostReverseProxy(to)
	proxy.ModifyResponse = func(r *http.Response) error {
		if r.StatusCode != http.StatusOK || !strings.HasSuffix(r.Request.URL.Path, l.path) {
			return nil
		}
		b, err := io.ReadAll(r.Body)
		if err != nil {
			return err
		}
		if r.Header.Get("Content-Type") == client.MediaTypeBundle {
			if b, err = lieInProofs(b, l.proof); err != nil {
				return err
			}
		} else if l.json != nil {
			var record map[string]any
			if err := json.Unmarshal(b, &record); err != nil {
				return err
			}
			l.json(record)
			if b, err = json.Marshal(record); err != nil {
				return err
			}
		}
		r.Header.Del("Content-Length")
		r.ContentLength, r.Body = int64(len(b)), io.NopCloser(bytes.NewReader(b))
		return nil
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			submitted.Add(1)
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	return client.New(s.URL), submitted
}

func lieInProofs(b []byte, lie func(*light.Bundle)) ([]byte, error) {
	if lie == nil {
		return b, nil
	}
	bundle, err := light.DecodeBundle(b)
	if err != nil {
		return nil, err
	}
	lie(bundle)
	return bundle.Encode()
}

// TestLyingNode: an owner signs for no epoch but the present one, and tells nobody but the source whom a grant names,
// whatever the node says.
func TestLyingNode(t *testing.T) {
	w := newLedgerWorld(t, "payer", "north", "patient")
	w.run("payer bond 100 --source $north --key FILE:payer.key")
	w.define("north")
	study := ledger.StudyID{2}
	w.submit(ledger.DefineStudy{Studies: []ledger.StudyDefinition{{Study: study, Owner: keys.Owner{ID: w.keys["patient"]}, Kind: ledger.RecordImaging}}}, "north")
	key, err := keystore.Load(w.file("patient.key"))
	if err != nil {
		t.Fatal(err)
	}
	next := func(record map[string]any) { record["epoch"] = record["epoch"].(float64) + 1 }
	changed := func(b *light.Bundle) { b.Entries[0].Value[len(b.Entries[0].Value)-1]++ }
	elsewhere := func(record map[string]any) {
		record["endpoints"].(map[string]any)["openings"] = "https://liar.example/"
	}
	allow := func(ctx context.Context, o *owner.Owner) error {
		_, err := o.Allow(ctx, owner.NewOpening(study, keys.Grantee{ID: keys.ID{1}}), owner.Reach{Scope: ledger.ScopeAll}, time.Now().Add(time.Hour))
		return err
	}
	disclose := func(ctx context.Context, o *owner.Owner) error {
		return owner.Disclose(ctx, o.Reader, gateway.Opening{Study: study})
	}
	notShown := func(err error) bool { return errors.Is(err, ledgercmd.ErrNotShown) }
	for _, test := range []struct {
		name string
		lies lies
		do   func(context.Context, *owner.Owner) error
		want func(error) bool
	}{
		{"the next epoch", lies{path: study.String(), json: next}, allow, notShown},
		{"the next epoch, to who revokes", lies{path: study.String(), json: next},
			func(ctx context.Context, o *owner.Owner) error { _, err := o.RevokeAll(ctx, study); return err }, notShown},
		{"the next epoch, with proofs to match", lies{path: study.String(), json: next, proof: changed}, allow,
			func(err error) bool { return light.CodeOf(err) == light.CodeWrongProof }},
		{"no study", lies{path: "/v1/studies/" + study.String(), json: func(r map[string]any) { clear(r) }}, allow, notShown},
		{"another chain", lies{path: "/v1/status", json: func(r map[string]any) { r["chain_id"] = "other" }}, allow, notShown},
		{"another source", lies{path: study.String(), json: func(r map[string]any) { r["source"] = keys.ID{7}.String() }}, disclose, notShown},
		{"another address of the source", lies{path: "/v1/sources/" + w.keys["north"].String(), json: elsewhere}, disclose, notShown},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel() // it waits more than it works
			node, submitted := liar(t, w.node.URL(), test.lies)
			v, err := ledgercmd.Verifier(node, w.genesis)
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second) // longer than between two blocks
			defer cancel()
			err = test.do(ctx, &owner.Owner{Key: key, Reader: ledgercmd.Reader{Node: node, Verifier: v}})
			if !test.want(err) || submitted.Load() != 0 {
				t.Errorf("got %v, and the node was given %d transactions", err, submitted.Load())
			}
		})
	}

	// The same through an honest one.
	node, _ := liar(t, w.node.URL(), lies{path: "none"})
	v, err := ledgercmd.Verifier(node, w.genesis)
	if err != nil {
		t.Fatal(err)
	}
	o := &owner.Owner{Key: key, Reader: ledgercmd.Reader{Node: node, Verifier: v}}
	if err := allow(t.Context(), o); err != nil {
		t.Error(err)
	}
	if _, err := o.RevokeAll(t.Context(), study); err != nil {
		t.Error(err)
	}
	if err := allow(t.Context(), o); err != nil { // at once, in the new epoch, which no block has proved yet
		t.Error(err)
	}
	if s, err := w.node.Study(t.Context(), study); err != nil || s.Epoch != 1 || s.Grants != 1 {
		t.Errorf("got %+v, %v, want one grant in epoch 1", s, err)
	}
}
