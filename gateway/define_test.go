package gateway_test

import (
	"crypto/rand"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"

	"collimate/gateway"
	"collimate/gateway/catalog"
	"collimate/keys"
	"collimate/ledger"
)

// A source that reads a name before it is final can define it first. It gains nothing: the study gets another name.
func TestTakenName(t *testing.T) {
	w := newWorld(t, small)
	ctx, uid := t.Context(), w.ticket.StudyInstanceUID
	thief := w.secondSource(small)
	taken := func() catalog.Study {
		t.Helper()
		s := catalog.Study{StudyInstanceUID: uid, Salt: w.ticket.Salt, ClaimKey: w.ticket.ClaimKey}
		_, err := rand.Read(s.Salt[:])
		w.must(err)
		s.StudyID = ledger.NewStudyID(s.Salt, uid)
		w.must(w.catalog.PutStudy(s, nil))
		return s
	}
	define := func(s catalog.Study) {
		thief.chain.sign(thief.north.key, ledger.DefineStudy{Studies: []ledger.StudyDefinition{{Study: s.StudyID, Owner: keys.Owner{ID: thief.north.id}, Kind: ledger.RecordImaging}}})
	}
	w.must(w.source.Erase(ctx, uid))
	s := taken()
	define(s)
	got, err := w.source.Publish(ctx, uid)
	w.must(err)
	if _, err := got.Claim(); err != nil || got.StudyID == s.StudyID || got.Salt == gateway.Secret(s.Salt) {
		t.Errorf("published under a name that is taken: %v", err)
	}
	w.must(w.chain.View(func(view *ledger.Snapshot) error {
		record, err := view.Study(got.StudyID)
		if err == nil && record.Source.ID != w.north.id {
			t.Error("the study is on the ledger as another source's")
		}
		return err
	}))

	// Nor does it keep the study from being erased; and a study that never came to the ledger can be erased too.
	w.must(w.source.Erase(ctx, uid))
	s = taken()
	define(s)
	w.must(w.source.Erase(ctx, uid))
	taken()
	w.must(w.source.Erase(ctx, uid))
	if err := w.source.Erase(ctx, uid); !errors.Is(err, catalog.ErrNotFound) {
		t.Errorf("erasing what is erased: %v", err)
	}
}

// A withdrawn study is not published: the ticket would be worth nothing.
func TestPublishWithdrawn(t *testing.T) {
	w := newWorld(t, small)
	w.must(w.source.Withdraw(t.Context(), w.ticket.StudyInstanceUID))
	if _, err := w.source.Publish(t.Context(), w.ticket.StudyInstanceUID); err == nil || !strings.Contains(err.Error(), "withdrawn") {
		t.Errorf("got %v", err)
	}
}

// A source that is a payer bonds for itself, unless somebody has. What it says of itself stands on the ledger, and is brought up to date when
// it says something else.
func TestDefine(t *testing.T) {
	for _, bonded := range []bool{false, true} {
		testDefine(t, bonded)
	}
}

func testDefine(t *testing.T, bonded bool) {
	w := newWorld(t, small)
	group := w.newGroup()
	config := gateway.SourceConfig{
		ChainID: chainID, Key: w.chain.payer.key, Certificate: w.chain.payer.cert, URL: "https://source.example",
		OIDs: []string{"1.2.3.4"}, Peer: "12D3KooWA@192.0.2.1:1", EmergencyGroups: []ledger.StudyID{group},
		Catalog: w.catalog, Archive: w.archive, Ledger: w.chain, Audit: w.audit, Logger: slog.New(slog.DiscardHandler), Now: w.chain.now,
	}
	id := keys.Source{ID: w.chain.payer.id}
	define := func(version uint64) {
		t.Helper()
		var err error
		w.source, err = gateway.NewSource(config)
		w.must(err)
		w.defineAs(spareValidator)
		w.must(w.chain.View(func(view *ledger.Snapshot) error {
			got, err := view.Source(id)
			if err != nil {
				return err
			}
			if got.Version != version || got.Endpoints != w.source.Endpoints() || !slices.Equal(got.OIDs, config.OIDs) || got.Peer != config.Peer ||
				!slices.Equal(got.EmergencyGroups, config.EmergencyGroups) {
				t.Errorf("got %+v, want version %d of what the configuration says", got, version)
			}
			return nil
		}))
	}
	if bonded {
		w.chain.bond(id.ID)
	}
	define(1)
	w.must(w.chain.View(func(view *ledger.Snapshot) error {
		payer, err := view.Payer(keys.Payer{ID: w.chain.payer.id})
		if err == nil && (payer.Bonded == payer.Units) == bonded {
			t.Errorf("bonded before %t: the payer is %+v", bonded, payer)
		}
		return err
	}))
	define(1)
	config.URL = "https://elsewhere.example"
	define(2)
	config.Peer = ""
	define(3)
	config.EmergencyGroups = nil
	define(4)
	define(4)
}

// Many who publish a study at once publish it once.
func TestPublishTogether(t *testing.T) {
	w := newWorld(t, small)
	for range 2 { // the study is claimed: the first time the claim key is forgotten
		if ticket, err := w.source.Publish(t.Context(), w.ticket.StudyInstanceUID); err != nil || ticket.StudyID != w.ticket.StudyID || len(ticket.ClaimKey) != 0 {
			t.Errorf("publishing a claimed study: %v", err)
		}
	}
	w.must(w.source.Erase(t.Context(), w.ticket.StudyInstanceUID))
	names := make([]ledger.StudyID, 8)
	var all sync.WaitGroup
	for i := range names {
		all.Go(func() {
			ticket, err := w.source.Publish(t.Context(), w.ticket.StudyInstanceUID)
			if err == nil {
				_, err = ticket.Claim() // it stays until the study is claimed
			}
			if err != nil {
				t.Error(err)
				return
			}
			names[i] = ticket.StudyID
		})
	}
	all.Wait()
	for _, name := range names {
		if name != names[0] {
			t.Errorf("published as %s and as %s", names[0], name)
		}
	}
}
