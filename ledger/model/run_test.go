package model

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"collimate/keys"
	"collimate/ledger"
)

// length is for how many operations one world is played with. After that most studies are withdrawn and most sources
// expelled. One in eight worlds is crowded: it takes longer, and some of its studies are filled to the limit.
func length(seed uint64) int {
	if crowded(seed) {
		return 20_000
	}
	return 4000
}

func crowded(seed uint64) bool { return seed%8 == 0 }

// TestModel runs random operations against package ledger and against the model. After each operation the answers are
// compared, and a random decision; after some blocks every byte of the state. COLLIMATE_MODEL_OPS says how many
// operations, and COLLIMATE_MODEL_SEED repeats one run.
func TestModel(t *testing.T) {
	ops, seed := 8_000, rand.Uint64()>>1&^7|1 // seven worlds that are not crowded come first
	if testing.Short() {
		ops = 4_000
	}
	ops = fromEnv(t, "COLLIMATE_MODEL_OPS", ops)
	if s := fromEnv(t, "COLLIMATE_MODEL_SEED", 0); s != 0 {
		seed, ops = uint64(s), length(uint64(s))
	}
	all := tally{}
	for done := 0; done < ops; done += length(seed - 1) {
		got, err := game{seed: seed, ops: length(seed), every: 50}.play()
		if err != nil {
			if _, closer := (game{seed: seed, ops: length(seed), every: 1}).play(); closer != nil {
				err = closer
			}
			t.Fatalf("COLLIMATE_MODEL_SEED=%d repeats this: %v", seed, err)
		}
		for what, n := range got {
			all[what] += n
		}
		seed++
	}
	for _, what := range slices.Sorted(maps.Keys(all)) {
		t.Logf("%8d  %s", all[what], what)
	}
	if ops >= 100_000 {
		all.complete(t)
	}
}

func fromEnv(t *testing.T, name string, otherwise int) int {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return n
}

// tally counts what happened, so that a run that did not get anywhere is seen.
type tally map[string]int

// complete fails unless every kind was accepted, and every reason given.
func (n tally) complete(t *testing.T) {
	t.Helper()
	for _, kind := range []ledger.Kind{
		ledger.KindDefineSource, ledger.KindUpdateSource, ledger.KindRotateKey, ledger.KindBond, ledger.KindUnbond,
		ledger.KindSetParams, ledger.KindUnjail, ledger.KindAnchorReceipts, ledger.KindDefineStudy, ledger.KindAmendStudy,
		ledger.KindHoldStudy, ledger.KindWithdrawStudy, ledger.KindTransferStudy, ledger.KindAllowAccess, ledger.KindRevokeAccess,
		ledger.KindSetGuardians, ledger.KindRecover, ledger.KindCancelRecovery, ledger.KindEmergencyAccess,
	} {
		if n[string(kind)+": "] == 0 {
			t.Errorf("no %s was accepted", kind)
		}
	}
	for _, refused := range []string{"define-study: bad-group", "emergency-access: no-allowance", "emergency-access: not-admitted"} {
		if n[refused] == 0 {
			t.Errorf("nothing was refused: %s", refused)
		}
	}
	for _, reason := range []ledger.Reason{
		ledger.ReasonAllowed, ledger.ReasonOwner, ledger.ReasonEmergency, ledger.ReasonStale, ledger.ReasonNobody,
		ledger.ReasonUnknownSource, ledger.ReasonUnknownStudy, ledger.ReasonOtherSource, ledger.ReasonWithdrawn, ledger.ReasonHeld,
		ledger.ReasonNoGrant, ledger.ReasonEarlierOwner, ledger.ReasonRevokedAll, ledger.ReasonRevoked, ledger.ReasonRevokedAllSeen,
		ledger.ReasonRevokedSeen, ledger.ReasonExpired, ledger.ReasonNotMember, ledger.ReasonOutOfScope, ledger.ReasonLowTier,
	} {
		if n["decided: "+string(reason)] == 0 {
			t.Errorf("nothing was decided with %s", reason)
		}
	}
}

// block is one block of a run, for those who play it again.
type block struct {
	time      time.Time
	seen      ledger.Observed
	txs       []*ledger.Transaction
	results   []string
	questions []question
	decisions []ledger.Decision
}

// game is one world that is played with.
type game struct {
	seed   uint64
	ops    int
	every  int  // after so many blocks the whole state is compared
	steady bool // without votes on params
	record func(ledger.Genesis, block)
}

func (w game) play() (tally, error) {
	k := newMaker(w.seed, w.steady)
	g := k.genesis()
	k.m = newModel(g)
	state := ledger.NewOverlay(nil)
	if err := ledger.InitGenesis(state, g); err != nil {
		return nil, err
	}
	if err := writeHead(state, 0, g.Time); err != nil {
		return nil, err
	}
	n := tally{}
	at := ledger.Context{Time: g.Time}
	for done, blocks := 0, 1; done < w.ops; blocks++ {
		at.Height++
		at.Time = at.Time.Add(k.step())
		equivocated, absent := k.observed()
		b := block{time: at.Time, seen: ledger.Observed{Equivocated: validatorKeys(equivocated), Absent: validatorKeys(absent)}}
		if err := ledger.BeginBlock(state, at, b.seen); err != nil {
			return nil, err
		}
		k.m.begin(at.Time.UnixNano(), equivocated, absent)
		for range k.rng.IntN(12) {
			if err := k.operate(state, at, &b, n); err != nil {
				return nil, fmt.Errorf("block %d, operation %d: %w", at.Height, done, err)
			}
			done++
		}
		if err := writeHead(state, at.Height, at.Time); err != nil {
			return nil, err
		}
		for range 1 + len(b.txs) {
			if err := k.ask(state, &b, n); err != nil {
				return nil, fmt.Errorf("after block %d: %w", at.Height, err)
			}
		}
		if blocks%w.every == 0 || done >= w.ops {
			if err := compare(state, k.m); err != nil {
				return nil, fmt.Errorf("after block %d: %w", at.Height, err)
			}
		}
		if w.record != nil {
			w.record(g, b)
		}
	}
	return n, nil
}

func writeHead(state *ledger.Overlay, height int64, t time.Time) error {
	return state.Set(ledger.HeadEntry(ledger.Head{Height: height, Time: t}))
}

func validatorKeys(ids []id) (all []ledger.ValidatorKey) {
	for _, v := range ids {
		all = append(all, v)
	}
	return all
}

// operate makes one operation and compares what becomes of it.
func (k *maker) operate(state *ledger.Overlay, at ledger.Context, b *block, n tally) error {
	raw, err := k.next()
	if err != nil {
		return err
	}
	tx, err := ledger.Parse(chainID, raw)
	if err != nil {
		return err
	}
	checked := ledger.Check(state, tx, at)
	applied := ledger.Apply(state, tx, at)
	got, want := string(ledger.CodeOf(applied)), k.m.apply(tx.Signer, tx.Body)
	switch {
	case applied != nil && got == "":
		return applied
	case ledger.CodeOf(checked) != ledger.CodeOf(applied):
		return fmt.Errorf("%s: Check says %v, Apply %v", tx.Body.Kind(), checked, applied)
	case got != want:
		return fmt.Errorf("%+v by %s: got %v, the model says %q", tx.Body, tx.Signer, applied, want)
	}
	n[string(tx.Body.Kind())+": "+got]++
	b.txs = append(b.txs, tx)
	b.results = append(b.results, got)
	return nil
}

// ask makes a question and compares the answers.
func (k *maker) ask(state ledger.Reader, b *block, n tally) error {
	q := k.question()
	snap, err := ledger.NewSnapshot(state)
	if err != nil {
		return err
	}
	got, err := ledger.Decide(snap, q.access(snap))
	if err != nil {
		return err
	}
	want := k.m.decide(q)
	allowed := want.reason == "allowed" || want.reason == "owner" || want.reason == "emergency"
	sameKeys := slices.EqualFunc(got.Keys, want.keys, func(a []byte, b string) bool { return string(a) == b })
	if string(got.Reason) != want.reason || got.Allowed != allowed || !sameKeys {
		return fmt.Errorf("%+v: got %s on %x, the model says %s on %x", q, got.Reason, got.Keys, want.reason, want.keys)
	}
	n["decided: "+want.reason]++
	b.questions = append(b.questions, q)
	b.decisions = append(b.decisions, got)
	return nil
}

// access is the question as package ledger takes it.
func (q question) access(snap *ledger.Snapshot) ledger.Access {
	a := ledger.Access{
		Source: keys.Source{ID: q.source}, Study: q.study, Requester: keys.Grantee{ID: q.requester},
		Scope: ledger.Scope(q.scope), Tier: ledger.Tier(q.tier),
		Now: snap.Time().Add(time.Duration(q.late)), Staleness: time.Duration(q.patience),
		Revoked:    func(s ledger.StudyID, c ledger.Commitment) bool { return q.seen.one[[2]id{s, c}] },
		RevokedAll: func(s ledger.StudyID, epoch uint64) bool { return q.seen.all[epochOf{s, epoch}] },
	}
	for _, o := range q.openings {
		a.Openings = append(a.Openings, ledger.Opening{Blind: o[0], Group: o[1], Membership: o[2]})
	}
	return a
}

// compare compares every byte of the state.
func compare(state *ledger.Overlay, m *model) error {
	want := m.render()
	for key, value := range state.Writes() {
		if value == nil || string(key) == "\x01head" {
			continue
		}
		expect, there := want[string(key)]
		if !there {
			return fmt.Errorf("the state has %x: %x, the model has not", key, value)
		}
		if !bytes.Equal(value, []byte(expect)) {
			return fmt.Errorf("the state has %x: %x, the model %x", key, value, expect)
		}
		delete(want, string(key))
	}
	var missing []error
	for key := range want {
		missing = append(missing, fmt.Errorf("the model has %x: %x, the state has not", key, want[key]))
	}
	return errors.Join(missing...)
}
