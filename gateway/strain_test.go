package gateway_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"collimate/dicom/phantom"
	"collimate/gateway"
	"collimate/keys"
	"collimate/ledger"
	"collimate/xds"
)

// Publications of one study at the same time draw one salt: else a ticket would be out for a study whose salt is lost.
func TestPublishAtOnce(t *testing.T) {
	for range 5 {
		w := newWorld(t, small)
		from := t.TempDir()
		_, err := phantom.Generate(from, phantom.Options{Series: 1, Slices: 1, Rows: 16, Columns: 16, Seed: 9, PatientID: "other"})
		w.must(err)
		got, err := w.folder.Import(context.Background(), from, nil)
		w.must(err)
		tickets := make([]*gateway.Ticket, 16)
		var all sync.WaitGroup
		for i := range tickets {
			all.Go(func() {
				var err error
				if tickets[i], err = w.source.Publish(context.Background(), got.Studies[0]); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		for _, x := range tickets {
			if x != nil && x.StudyID != tickets[0].StudyID {
				t.Fatal("the study is on the ledger twice")
			}
		}
	}
}

// What an earlier owner has disclosed, however much, does not stand in the way of the present owner's grants.
func TestOpeningsOfEarlierOwners(t *testing.T) {
	w := newWorld(t, small)
	grantee, heir := newParty(t, "grantee"), newParty(t, "heir")
	until := w.chain.now().Add(time.Hour)
	for range ledger.MaxGrantsPerStudy {
		w.allow(grantee, until, false)
	}
	w.chain.sign(w.patient.key, ledger.TransferStudy{Study: w.ticket.StudyID, Epoch: w.epoch(), NewOwner: keys.Owner{ID: heir.id}})
	blind := [32]byte{1}
	w.chain.sign(heir.key, ledger.AllowAccess{Study: w.ticket.StudyID, Epoch: w.epoch(), Scope: ledger.ScopeAll, NotAfter: until.Unix(),
		Commitment: ledger.NewCommitment(blind, keys.Grantee{ID: grantee.id}, w.ticket.StudyID)})
	if got := w.disclose(gateway.Opening{Study: w.ticket.StudyID, Grantee: keys.Grantee{ID: grantee.id}, Blind: blind}); got != http.StatusNoContent {
		t.Fatalf("the opening: %d, want 204", got)
	}
	if left, err := w.catalog.Openings(w.ticket.StudyID, keys.Grantee{ID: grantee.id}); err != nil || len(left) != 1 {
		t.Errorf("%d openings are stored, %v, want the one that counts", len(left), err)
	}
	got, err := w.retrieve(grantee, w.document(ledger.DocumentManifest))
	if err != nil || got.status != xds.Success {
		t.Errorf("status %s, errors %v, %v, want success", got.status, got.codes, err)
	}
}

// Anybody can ask for what does not exist; the audit trail grows by little, and not without end.
func TestAuditOfStrangers(t *testing.T) {
	w := newWorld(t, small)
	stranger := newParty(t, "stranger")
	var invented []xds.DocumentRequest
	for i := range 1024 {
		invented = append(invented, xds.DocumentRequest{RepositoryUniqueID: w.ticket.RepositoryUniqueID, DocumentUniqueID: fmt.Sprintf("1.2.3.%d^%s", i, strings.Repeat("&", 100))})
	}
	before := len(w.audit.messages)
	const rounds = 30 // all in one second of the chain's clock
	for range rounds {
		if got, err := w.retrieve(stranger, invented...); err != nil || got.status != xds.Failure {
			t.Fatalf("status %s, %v, want failure", got.status, err)
		}
	}
	bytes := 0
	for _, m := range w.audit.messages[before:] {
		raw, err := m.MarshalText()
		w.must(err)
		bytes += len(raw)
	}
	if n := len(w.audit.messages) - before; n == 0 || n >= rounds || bytes > 200_000 {
		t.Errorf("%d requests left %d messages of %d bytes", rounds, n, bytes)
	}
}
