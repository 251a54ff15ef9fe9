package node

import (
	"bytes"
	"context"
	"crypto/sha256"
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

// TestForget looks at what ends a sighting, and at the grace after that.
func TestForget(t *testing.T) {
	s := openTestSightings(t, t.TempDir())
	defer s.close()
	study := ledger.StudyID{1}
	revoke := func(commitment, id byte) *ledger.Transaction {
		return &ledger.Transaction{ID: ledger.TxID{id}, Body: ledger.RevokeAccess{Study: study, Commitment: ledger.Commitment{commitment}}}
	}
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	expect := func(when string, want ...byte) {
		t.Helper()
		for c := range byte(8) {
			if got := s.has(keyOne(study, ledger.Commitment{c})); got != bytes.Contains(want, []byte{c}) {
				t.Errorf("%s: the revocation of %d counts: %t", when, c, got)
			}
		}
		on := 0
		it, err := s.db.NewIter(nil)
		if err != nil {
			t.Fatal(err)
		}
		for ok := it.First(); ok; ok = it.Next() {
			on++
		}
		if err := it.Close(); err != nil || on != len(want) {
			t.Errorf("%s: %d on disk, %v, want %d", when, on, err, len(want))
		}
	}
	for c := range byte(6) {
		s.note(revoke(c, c), now)
	}
	s.note(revoke(4, 14), now) // signed twice
	s.note(revoke(5, 15), now)
	s.note(&ledger.Transaction{Body: ledger.AllowAccess{Study: study}}, now)
	expect("at first", 0, 1, 2, 3, 4, 5)

	refused := &ledger.Error{Code: ledger.CodeNoAllowance}
	s.settle(revoke(1, 1), nil, now)
	s.settle(revoke(2, 2), refused, now)
	s.settle(revoke(3, 3), refused, now)
	s.settle(revoke(4, 4), refused, now) // the other one may still be final
	s.settle(revoke(5, 5), nil, now)     // the other one says nothing new
	s.settle(revoke(6, 6), nil, now)     // never seen here
	s.expire(now.Add(sightGrace))
	expect("before the grace was over", 0, 1, 2, 3, 4, 5)
	s.note(revoke(3, 13), now.Add(sightGrace)) // again
	s.expire(now.Add(sightGrace + 1))
	expect("after the grace was over", 0, 3, 4)

	now = now.Add(sightGrace)
	s.settle(revoke(3, 13), nil, now)
	s.settle(revoke(4, 14), refused, now)
	s.expire(now.Add(sightGrace + 1))
	expect("later", 0)
}

// TestOverdue looks at what is offered again, and when.
func TestOverdue(t *testing.T) {
	s := openTestSightings(t, t.TempDir())
	defer s.close()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	var txs []*ledger.Transaction
	for i := range byte(3) {
		raw := []byte{i}
		txs = append(txs, &ledger.Transaction{Raw: raw, ID: sha256.Sum256(raw), Body: ledger.RevokeAccess{Study: ledger.StudyID{1}, Commitment: ledger.Commitment{i + 1}}})
		s.note(txs[i], now.Add(time.Duration(i)*time.Second))
	}
	s.settle(txs[1], nil, now)
	expect := func(at time.Duration, want *ledger.Transaction) {
		t.Helper()
		key, raw, err := s.overdue(now.Add(at))
		if err != nil {
			t.Fatal(err)
		}
		if want == nil {
			if raw != nil {
				t.Errorf("after %v: %v is overdue, want none", at, raw)
			}
			return
		}
		if k, _ := keyOf(want); key != k || !bytes.Equal(raw, want.Raw) {
			t.Errorf("after %v: %v is overdue, want %v", at, raw, want.Raw)
		}
	}
	expect(resumeAfter, nil)
	expect(resumeAfter+1, txs[0])
	expect(resumeAfter+1, nil)
	expect(resumeAfter+3*time.Second, txs[2])
	expect(2*resumeAfter+2, txs[0])
	key, _ := keyOf(txs[0])
	s.end(key, txs[0].ID, false, now)
	expect(4*resumeAfter, txs[2])
	expect(8*resumeAfter, txs[2])
}

// TestSightingsSurvive opens the sightings again, before the ledger knows anything.
func TestSightingsSurvive(t *testing.T) {
	dir := t.TempDir()
	s := openTestSightings(t, dir)
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	s.note(&ledger.Transaction{Raw: []byte("one"), Body: ledger.RevokeAccess{Study: ledger.StudyID{1}, Commitment: ledger.Commitment{2}}}, now)
	s.note(&ledger.Transaction{Raw: []byte("all"), Body: ledger.RevokeAccess{Study: ledger.StudyID{1}, Epoch: 3, All: true}}, now)
	if err := s.close(); err != nil {
		t.Fatal(err)
	}
	s = openTestSightings(t, dir)
	defer s.close()
	if !s.has(keyOne(ledger.StudyID{1}, ledger.Commitment{2})) || !s.has(keyAll(ledger.StudyID{1}, 3)) || len(s.by) != 2 {
		t.Errorf("got %v", s.by)
	}
	for _, want := range []string{"one", "all"} {
		key, raw, err := s.overdue(now)
		if err != nil || string(raw) != want {
			t.Errorf("to be offered again at once: got %q, %v, want %q", raw, err, want)
		}
		s.end(key, sha256.Sum256(raw), false, now)
	}
	s.expire(now.Add(sightGrace + 1))
	if len(s.by) != 0 {
		t.Errorf("%d are left after both were refused", len(s.by))
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
