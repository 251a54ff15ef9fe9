package gateway_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"collimate/gateway"
	"collimate/keys"
	"collimate/ledger"
	"collimate/pacs"
)

// Publishing again changes nothing, and a claimed study's ticket opens nothing.
func TestPublishAgain(t *testing.T) {
	w := newWorld(t, small) // published and claimed
	again, err := w.source.Publish(context.Background(), w.ticket.StudyInstanceUID)
	if err != nil {
		t.Fatal(err)
	}
	if again.StudyID != w.ticket.StudyID || again.Salt != w.ticket.Salt {
		t.Error("publishing again drew another salt: the study is on the ledger twice")
	}
	if _, err := again.Claim(); !errors.Is(err, gateway.ErrClaimed) {
		t.Errorf("Claim of a claimed study = %v, want ErrClaimed", err)
	}
	stored, err := w.catalog.Study(w.ticket.StudyInstanceUID)
	if err != nil || stored.ClaimKey != nil {
		t.Errorf("the catalog still holds the claim key (%v)", err)
	}
	if _, err := w.source.Publish(context.Background(), "1.2.3"); !errors.Is(err, pacs.ErrNotFound) {
		t.Errorf("publishing what the archive has not got = %v, want pacs.ErrNotFound", err)
	}
}

// Defining a source again changes nothing while its entry is right.
func TestDefineAgain(t *testing.T) {
	w := newWorld(t, small)
	w.secondSource(small).defineAs(spareValidator)
	w.must(w.chain.View(func(view *ledger.Snapshot) error {
		sources, err := view.Sources()
		for _, s := range sources {
			if s.Version != 1 {
				t.Errorf("a source is at version %d, want 1", s.Version)
			}
		}
		if len(sources) != 2 {
			t.Errorf("%d sources, want 2", len(sources))
		}
		return err
	}))
}

// A crash between the catalog and the ledger is made good by publishing again, with the same salt.
func TestPublishAfterCrash(t *testing.T) {
	w := newWorld(t, small)
	from, err := w.catalog.Study(w.ticket.StudyInstanceUID)
	w.must(err)
	lost := newWorld(t, small) // whose ledger has never heard of it
	from.ClaimKey = w.ticket.ClaimKey
	w.must(lost.catalog.PutStudy(from, nil))
	got, err := lost.source.Publish(context.Background(), from.StudyInstanceUID)
	if err != nil || got.StudyID != w.ticket.StudyID {
		t.Fatalf("Publish = %v, %v, want the study that the catalog knew", got, err)
	}
	w.must(lost.chain.View(func(view *ledger.Snapshot) error { _, err := view.Study(got.StudyID); return err }))
}

func TestTicket(t *testing.T) {
	w := newWorld(t, small)
	raw, err := json.Marshal(w.ticket)
	w.must(err)
	got, err := gateway.ParseTicket(raw)
	if err != nil || got.StudyID != w.ticket.StudyID {
		t.Fatalf("ParseTicket = %+v, %v", got, err)
	}
	if printed := fmt.Sprintf("%v %s", w.ticket.Salt, w.ticket.Salt); strings.Contains(printed, keys.ID(w.ticket.Salt).String()[:8]) {
		t.Error("the salt prints")
	}
	for name, damaged := range map[string]string{
		"another study":  strings.Replace(string(raw), w.ticket.StudyInstanceUID, "1.2.3", 1),
		"another salt":   strings.Replace(string(raw), keys.ID(w.ticket.Salt).String(), keys.ID{1}.String(), 1),
		"not JSON":       string(raw[1:]),
		"unknown field":  `{"extra":1,` + string(raw[1:]),
		"nothing at all": "",
	} {
		if _, err := gateway.ParseTicket([]byte(damaged)); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// The source's endpoint for openings takes what proves itself and nothing else.
func TestOpenings(t *testing.T) {
	w := newWorld(t, small)
	south := newParty(t, "south")
	blind := gateway.Secret{42}
	opening := gateway.Opening{Study: w.ticket.StudyID, Grantee: keys.Grantee{ID: south.id}, Blind: blind}
	post := func(body []byte) int {
		t.Helper()
		r, err := pinnedWithout(w.north.id).Post(w.source.Endpoints().Openings, "application/json", bytes.NewReader(body))
		w.must(err)
		r.Body.Close()
		return r.StatusCode
	}
	encode := func(o gateway.Opening) []byte { raw, err := json.Marshal(o); w.must(err); return raw }

	if got := post(encode(opening)); got != http.StatusNotFound {
		t.Errorf("before the grant is final: %d, want 404", got)
	}
	w.chain.sign(w.patient.key, ledger.AllowAccess{Study: w.ticket.StudyID, Epoch: w.epoch(),
		Commitment: ledger.NewCommitment(blind, opening.Grantee, opening.Study), NotAfter: w.chain.now().Add(time.Hour).Unix(), Scope: ledger.ScopeAll})
	for name, o := range map[string]gateway.Opening{
		"another blind":   {Study: opening.Study, Grantee: opening.Grantee, Blind: gateway.Secret{43}},
		"another grantee": {Study: opening.Study, Grantee: keys.Grantee{ID: keys.ID{1}}, Blind: blind},
		"another study":   {Study: ledger.StudyID{1}, Grantee: opening.Grantee, Blind: blind},
	} {
		if got := post(encode(o)); got != http.StatusNotFound {
			t.Errorf("%s: %d, want 404", name, got)
		}
	}
	// A study of another source, properly granted, is that source's business.
	east := w.secondSource(small)
	east.chain.sign(w.patient.key, ledger.AllowAccess{Study: east.ticket.StudyID, Epoch: east.epoch(),
		Commitment: ledger.NewCommitment(blind, opening.Grantee, east.ticket.StudyID), NotAfter: w.chain.now().Add(time.Hour).Unix(), Scope: ledger.ScopeAll})
	if got := post(encode(gateway.Opening{Study: east.ticket.StudyID, Grantee: opening.Grantee, Blind: blind})); got != http.StatusNotFound {
		t.Errorf("study of another source: %d, want 404", got)
	}
	for name, body := range map[string][]byte{
		"not JSON":   []byte("hello"),
		"upper case": bytes.ToUpper(encode(opening)),
		"more":       append([]byte(`{"extra":1,`), encode(opening)[1:]...),
		"too long":   append(bytes.Repeat([]byte(" "), 5000), encode(opening)...),
	} {
		if got := post(body); got != http.StatusBadRequest {
			t.Errorf("%s: %d, want 400", name, got)
		}
	}
	for range 2 { // the second time changes nothing
		if got := post(encode(opening)); got != http.StatusNoContent {
			t.Fatalf("the opening: %d, want 204", got)
		}
	}
	if got, err := w.retrieve(south, w.document(ledger.DocumentManifest)); err != nil || len(got.codes) > 0 {
		t.Errorf("after the opening: errors %v, %v, want success", got.codes, err)
	}
	r, err := pinnedWithout(w.north.id).Get(w.source.Endpoints().Openings)
	w.must(err)
	r.Body.Close()
	if r.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("GET: %d, want 405", r.StatusCode)
	}
}
