package node

import (
	"context"
	"errors"
	"testing"
	"time"

	"collimate/consensus"
	"collimate/ledger"
	"collimate/ledger/store"
)

// TestFirstSight revokes on a node that is cut off from the majority: the revocations count at once, and after a
// restart, though they are not final; and once they are, the ledger itself says so.
func TestFirstSight(t *testing.T) {
	w := newWorld(t, 2)
	n, stop := w.start(0)
	_, stopOther := w.start(1)
	c := w.client(0)
	w.ready(c, 1)
	w.ready(w.client(1), 1)
	id := w.publish(c)
	com := w.grant(c, id, 1)
	if n.Revoked(id, com) || n.RevokedAll(id, 0) {
		t.Fatal("revoked before anybody revoked")
	}
	stopOther()

	one := w.sign(ledger.RevokeAccess{Study: id, Commitment: com}, w.owner)
	all := w.sign(ledger.RevokeAccess{Study: id, All: true}, w.owner)
	forged := w.sign(ledger.RevokeAccess{Study: w2(id), Commitment: com}, w.source) // not the owner, nor a study
	for _, raw := range [][]byte{one, all} {
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		if _, err := n.Submit(ctx, raw); !errors.Is(err, consensus.ErrNotFinal) {
			t.Errorf("got %v, want ErrNotFinal", err)
		}
		cancel()
	}
	if _, err := n.Submit(t.Context(), forged); ledger.CodeOf(err) != ledger.CodeUnknownStudy {
		t.Errorf("a forged revocation: got %v", err)
	}
	check := func(n *Node, when string) {
		t.Helper()
		snap := n.Snapshot()
		defer snap.Close()
		if g, err := snap.Grant(id, com); err != nil || g.Revoked() {
			t.Errorf("%s: the ledger has %+v, %v, want a grant that is not revoked yet", when, g, err)
		}
		if !n.Revoked(id, com) || !n.RevokedAll(id, 0) {
			t.Errorf("%s: the node does not know the revocations", when)
		}
		if n.Revoked(w2(id), com) || n.RevokedAll(id, 1) || n.RevokedAll(w2(id), 0) {
			t.Errorf("%s: the node knows revocations that nobody made", when)
		}
	}
	check(n, "before finality")
	stop()
	n, stop = w.start(0)
	check(n, "after a restart")

	// The majority is back: the node offers them again by itself. The one comes first, as it is in the ledger's
	// own order of keys.
	w.start(1)
	w.ready(c, 1)
	eventually(t, "the revocations are on the ledger", func() bool {
		snap := n.Snapshot()
		defer snap.Close()
		s, err := snap.Study(id)
		g, err2 := snap.Grant(id, com)
		return err == nil && err2 == nil && s.Epoch == 1 && g.Revoked()
	})
	w.must(c, one) // has its receipt
	w.must(c, all)
	if !n.Revoked(id, com) || !n.RevokedAll(id, 0) {
		t.Error("forgotten at finality: a decision on an older snapshot may be under way")
	}
	stop()
	n, _ = w.start(0)
	if n.Revoked(id, com) || n.RevokedAll(id, 0) {
		t.Error("still remembered after a restart, though the ledger says the same")
	}
}

// w2 is another study.
func w2(id ledger.StudyID) ledger.StudyID {
	id[0]++
	return id
}

// TestForget looks at the grace after finality.
func TestForget(t *testing.T) {
	s := openTestSightings(t, t.TempDir())
	defer s.close()
	study := ledger.StudyID{1}
	first := &ledger.Transaction{Body: ledger.RevokeAccess{Study: study, Commitment: ledger.Commitment{1}}}
	second := &ledger.Transaction{Body: ledger.RevokeAccess{Study: study, Commitment: ledger.Commitment{2}}}
	refused := &ledger.Transaction{Body: ledger.RevokeAccess{Study: study, Commitment: ledger.Commitment{3}}}
	s.note(first)
	s.note(second)
	s.note(refused)
	s.note(&ledger.Transaction{Body: ledger.AllowAccess{Study: study}})
	if len(s.keys) != 3 {
		t.Errorf("%d sightings, want 3", len(s.keys))
	}
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	s.settle(first, nil, now)
	s.settle(refused, &ledger.Error{Code: ledger.CodeWrongEpoch}, now)
	s.settle(second, nil, now.Add(sightGrace))
	if !s.has(keyOne(study, ledger.Commitment{1})) {
		t.Error("forgotten before the grace was over")
	}
	s.settle(second, nil, now.Add(sightGrace+1))
	if s.has(keyOne(study, ledger.Commitment{1})) {
		t.Error("remembered after the grace was over")
	}
	if !s.has(keyOne(study, ledger.Commitment{2})) || !s.has(keyOne(study, ledger.Commitment{3})) {
		t.Error("forgot too much")
	}
}

// TestSightingsSurvive opens the sightings again, before the ledger knows anything.
func TestSightingsSurvive(t *testing.T) {
	dir := t.TempDir()
	s := openTestSightings(t, dir)
	s.note(&ledger.Transaction{Raw: []byte("one"), Body: ledger.RevokeAccess{Study: ledger.StudyID{1}, Commitment: ledger.Commitment{2}}})
	s.note(&ledger.Transaction{Raw: []byte("all"), Body: ledger.RevokeAccess{Study: ledger.StudyID{1}, Epoch: 3, All: true}})
	if err := s.close(); err != nil {
		t.Fatal(err)
	}
	s = openTestSightings(t, dir)
	defer s.close()
	if !s.has(keyOne(ledger.StudyID{1}, ledger.Commitment{2})) || !s.has(keyAll(ledger.StudyID{1}, 3)) || len(s.keys) != 2 {
		t.Errorf("got %v", s.keys)
	}
	if len(s.pending) != 2 || string(s.pending[0]) != "one" || string(s.pending[1]) != "all" {
		t.Errorf("to be offered again: got %q", s.pending)
	}
}

func openTestSightings(t *testing.T, dir string) *sightings {
	t.Helper()
	state, err := store.Open(t.TempDir(), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer state.Close()
	snap := state.Snapshot()
	defer snap.Close()
	s, err := openSightings(dir, snap.Snapshot, testLog())
	if err != nil {
		t.Fatal(err)
	}
	return s
}
