package consensus

import (
	"bytes"
	"context"
	"crypto"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	cmtp2p "github.com/cometbft/cometbft/p2p"
	"github.com/cometbft/cometbft/types"

	"collimate/keys"
	"collimate/keys/keystore"
	"collimate/ledger"
	"collimate/ledger/store"
)

// poolWorld is a state with sources n0, n1, ... and nothing but a pool over it.
type poolWorld struct {
	t       *testing.T
	store   *store.Store
	sources []crypto.Signer
	settled map[ledger.TxID]error
	height  int64
	at      time.Time
	*pool
}

// newPoolWorld gives each source so many writes.
func newPoolWorld(t *testing.T, writes ...uint64) *poolWorld {
	t.Helper()
	s, err := store.Open(t.TempDir(), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	w := &poolWorld{t: t, store: s, settled: map[ledger.TxID]error{}, at: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	payer := newKey(t)
	params := ledger.DefaultParams()
	params.WritesPerUnit, params.SavedDays = 1, 1
	g := ledger.Genesis{ChainID: "test", Time: w.at, Params: &params, Payers: []ledger.PayerUnits{{Payer: keys.Payer{ID: idOf(t, payer)}, Units: 1 << 30}}}
	var txs []*ledger.Transaction
	for i, n := range writes {
		key, err := keystore.Generate(keystore.Ed25519)
		if err != nil {
			t.Fatal(err)
		}
		w.sources = append(w.sources, key)
		id := keys.Source{ID: idOf(t, key)}
		pub, proof := validatorProof(t, id)
		g.Validators = append(g.Validators, pub)
		txs = append(txs, w.tx(payer, ledger.Bond{Source: id, Units: n, Sequence: uint64(i + 1)}),
			w.tx(key, ledger.DefineSource{Endpoints: ledger.Endpoints{ITI43: "https://n.example/"}, ValidatorKey: pub, ValidatorProof: proof}))
	}
	b, err := s.Begin(0, w.at)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(b.Init(g), b.Commit()); err != nil {
		t.Fatal(err)
	}
	w.pool = newPool(s, 0, func(id ledger.TxID, o outcome) { w.settled[id] = o.err })
	for _, r := range w.block(txs...) {
		if r.Err != nil {
			t.Fatal(r.Err)
		}
	}
	return w
}

func validatorProof(t *testing.T, id keys.Source) (pub ledger.ValidatorKey, proof [64]byte) {
	t.Helper()
	dir := t.TempDir()
	k, err := InitKeys(dir)
	if err != nil {
		t.Fatal(err)
	}
	proof, err = SignValidatorProof(dir, ledger.ValidatorProofMessage("test", id))
	if err != nil {
		t.Fatal(err)
	}
	return k.ValidatorKey, proof
}

func (w *poolWorld) tx(key crypto.Signer, body ledger.Body) *ledger.Transaction {
	w.t.Helper()
	raw, err := ledger.Sign(nil, "test", body, key)
	if err != nil {
		w.t.Fatal(err)
	}
	tx, err := ledger.Parse("test", raw)
	if err != nil {
		w.t.Fatal(err)
	}
	return tx
}

// studies returns a transaction by which a source defines n studies, numbered from first.
func (w *poolWorld) studies(source, first, n int) *ledger.Transaction {
	w.t.Helper()
	var body ledger.DefineStudy
	for i := range n {
		body.Studies = append(body.Studies, ledger.StudyDefinition{
			Study: ledger.StudyID{byte(source), byte((first + i) >> 16), byte((first + i) >> 8), byte(first + i)},
			Owner: keys.Owner{ID: idOf(w.t, w.sources[source])}, Kind: ledger.RecordImaging,
		})
	}
	return w.tx(w.sources[source], body)
}

// block makes the next block, a second later.
func (w *poolWorld) block(txs ...*ledger.Transaction) []Result {
	w.t.Helper()
	w.height++
	w.at = w.at.Add(time.Second)
	b, err := w.store.Begin(w.height, w.at)
	if err != nil {
		w.t.Fatal(err)
	}
	made := Block{Height: w.height, Time: w.at}
	if err := b.Begin(ledger.Observed{}); err != nil {
		w.t.Fatal(err)
	}
	for _, tx := range txs {
		made.Results = append(made.Results, Result{tx, b.Apply(tx)})
	}
	if err := b.Commit(); err != nil {
		w.t.Fatal(err)
	}
	w.commit(made)
	if err := w.Update(0, nil, nil, nil, nil); err != nil {
		w.t.Fatal(err)
	}
	return made.Results
}

// counted checks the sums of the pool against what is in it.
func (w *poolWorld) counted() {
	w.t.Helper()
	byKey, byAccount, bytes, held := map[keys.ID]share{}, map[ledger.Account]uint64{}, 0, 0
	for e := w.order.Front(); e != nil; e = e.Next() {
		x := e.Value.(*pending)
		byKey[x.tx.Signer] = byKey[x.tx.Signer].plus(x.tx)
		bytes += len(x.tx.Raw)
		if x.ready && x.sent.IsZero() {
			held++
		}
		if x.writes > 0 {
			byAccount[x.account] += x.writes
		}
	}
	if fmt.Sprint(byKey) != fmt.Sprint(w.pool.keys) || fmt.Sprint(byAccount) != fmt.Sprint(w.writes) || bytes != w.bytes ||
		w.order.Len() != len(w.by) || held != w.held {
		w.t.Errorf("the sums are %v, %v, %d bytes, %d held, want %v, %v, %d bytes, %d held",
			w.pool.keys, w.writes, w.bytes, w.held, byKey, byAccount, bytes, held)
	}
}

func (w *poolWorld) want(err error, code ledger.ErrorCode) {
	w.t.Helper()
	if ledger.CodeOf(err) != code || (err == nil) != (code == "") {
		w.t.Errorf("got %v, want %q", err, code)
	}
}

// TestPoolAllowance fills an allowance with what waits, and gets it back.
func TestPoolAllowance(t *testing.T) {
	w := newPoolWorld(t, 10, 10)
	a, b, c := w.studies(0, 0, 4), w.studies(0, 10, 5), w.studies(0, 20, 2)
	w.want(w.add(a, ""), "")
	w.want(w.add(a, ""), "") // again: it waits already
	w.want(w.add(b, ""), "")
	w.want(w.add(c, ""), ledger.CodeNoAllowance)
	w.want(w.add(w.studies(0, 20, 1), ""), "") // ten are ten
	w.want(w.add(w.studies(1, 0, 10), ""), "") // somebody else's
	w.want(w.add(w.studies(1, 20, 11), ""), ledger.CodeNoAllowance)
	w.counted()

	// What is final counts in the state and nowhere else; what is refused counts nowhere.
	twin := w.studies(0, 10, 5)
	for _, r := range w.block(a, twin, b) {
		if (r.Err != nil) != (r.Tx == b) {
			t.Fatalf("transaction %s: %v", r.Tx.ID, r.Err)
		}
	}
	w.counted()
	if n := w.Size(); n != 2 {
		t.Errorf("%d wait, want 2", n)
	}
	w.want(w.add(c, ""), ledger.CodeNoAllowance) // 9 written, 1 waits
	w.want(w.add(twin, ""), ledger.CodeStudyExists)

	// A dropped one gives its writes back, and whoever waits for it is told.
	last := w.order.Front().Value.(*pending).tx
	w.drop(last.ID, &ledger.Error{Code: ledger.CodeJailed})
	w.counted()
	w.want(w.settled[last.ID], ledger.CodeJailed)
	w.want(w.add(w.studies(0, 30, 1), ""), "")
}

// TestPoolRecheck makes what waits impossible by a block.
func TestPoolRecheck(t *testing.T) {
	w := newPoolWorld(t, 100)
	stale, good := w.studies(0, 0, 2), w.studies(0, 10, 1)
	w.want(w.add(stale, ""), "")
	w.want(w.add(good, ""), "")
	w.block(w.studies(0, 1, 1))
	w.want(w.settled[stale.ID], ledger.CodeStudyExists)
	if w.get(stale.ID) != nil || w.get(good.ID) == nil {
		t.Error("the wrong one has left the pool")
	}
	w.counted()
}

// TestPoolOvertaken judges a transaction before a block, and inserts it after.
func TestPoolOvertaken(t *testing.T) {
	w := newPoolWorld(t, 100)
	tx := w.studies(0, 0, 1)
	x, err := w.judge(tx)
	w.want(err, "")
	w.block(tx)
	if err := w.insert(x); !errors.Is(err, errOvertaken) {
		t.Errorf("got %v, want errOvertaken", err)
	}
	w.want(w.add(tx, ""), ledger.CodeStudyExists)
	w.counted()
}

// TestPoolShares lets one key send more than its share.
func TestPoolShares(t *testing.T) {
	w := newPoolWorld(t, 100_000, 1000)
	flood := func(n int) (refused error) {
		for i := range n {
			if err := w.add(w.studies(0, i, 1), ""); err != nil {
				return err
			}
		}
		return nil
	}
	if err := flood(maxPendingOfKey); err != nil {
		t.Fatal(err)
	}
	if err := w.add(w.studies(0, maxPendingOfKey, 1), ""); !errors.Is(err, ErrBusy) {
		t.Errorf("more than the share of a key: got %v, want ErrBusy", err)
	}
	var others []*ledger.Transaction
	for i := range 3 {
		others = append(others, w.studies(1, i, 1))
		w.want(w.add(others[i], ""), "")
	}
	w.counted()

	// In a block the others stand although they came last, and in their order.
	block := w.ReapMaxBytesMaxGas(maxBlockBytes, -1)
	at := func(raw []byte) int {
		return slices.IndexFunc(block, func(b types.Tx) bool { return bytes.Equal(b, raw) })
	}
	for i, tx := range others {
		if at(tx.Raw) < 0 || i > 0 && at(tx.Raw) < at(others[i-1].Raw) {
			t.Errorf("transaction %d of the other key is number %d of the block", i, at(tx.Raw))
		}
	}
	if n := len(block) - len(others); n > maxBlockOfKey || n < maxBlockOfKey/2 {
		t.Errorf("%d transactions of one key in a block, want about %d", n, maxBlockOfKey)
	}
	// When there is room for two, it is one of each.
	if block := w.ReapMaxBytesMaxGas(txSize(others[0].Raw)*5/2, -1); len(block) != 2 || string(block[1]) != string(others[0].Raw) {
		t.Errorf("a small block has %d transactions", len(block))
	}
}

// TestPoolHolds: of one key, only what stands in a block is sent on, and more of it after each block.
func TestPoolHolds(t *testing.T) {
	w := newPoolWorld(t, 100_000, 1000)
	var sent []*ledger.Transaction
	w.send = func(tx *ledger.Transaction, _ cmtp2p.ID) { sent = append(sent, tx) }
	var all []*ledger.Transaction
	for i := range maxBlockOfKey + 10 {
		all = append(all, w.studies(0, i, 1))
		w.want(w.add(all[i], ""), "")
	}
	other := w.studies(1, 0, 1)
	w.want(w.add(other, ""), "")
	if want := append(slices.Clone(all[:maxBlockOfKey]), other); !slices.Equal(sent, want) {
		t.Fatalf("%d were sent, want the %d of a block and the other key's", len(sent), maxBlockOfKey)
	}
	if late := w.overdue(0, len(all)+1); !slices.Equal(late, sent) {
		t.Errorf("%d are sent again, want %d", len(late), len(sent))
	}
	w.counted()

	sent = nil
	w.drop(all[len(all)-1].ID, &ledger.Error{Code: ledger.CodeJailed}) // of those that are held
	w.block(all[:4]...)
	if !slices.Equal(sent, all[maxBlockOfKey:maxBlockOfKey+4]) {
		t.Errorf("%d were sent after a block with 4", len(sent))
	}
	w.block(all[4:maxBlockOfKey]...)
	if !slices.Equal(sent, all[maxBlockOfKey:len(all)-1]) || w.held != 0 {
		t.Errorf("%d were sent in the end, want %d; %d are held", len(sent), 9, w.held)
	}

	// A transaction that is larger than the share by itself is sent.
	sent = nil
	large := w.studies(1, 100, ledger.MaxStudiesPerTx)
	w.block(other)
	w.want(w.add(large, ""), "")
	w.counted()
	if len(sent) != 1 {
		t.Error("the only one of its key is held")
	}
}

// TestPoolEviction fills the pool: who has least is let in at the cost of who has most.
func TestPoolEviction(t *testing.T) {
	w := newPoolWorld(t, 1000, 1000)
	var last *ledger.Transaction
	for i := range 3 {
		last = w.studies(0, i, 1)
		w.want(w.add(last, ""), "")
	}
	w.bytes += maxPendingBytes // as if others had filled it
	first := w.studies(1, 0, 1)
	w.want(w.add(first, ""), "")
	if w.get(last.ID) != nil || !errors.Is(w.settled[last.ID], ErrBusy) {
		t.Errorf("the last of the key that has most is still there, or its sender was not told: %v", w.settled[last.ID])
	}
	if err := w.add(w.studies(1, 1, 1), ""); !errors.Is(err, ErrBusy) {
		t.Errorf("who has as much as any: got %v, want ErrBusy", err)
	}
	w.bytes -= maxPendingBytes
	w.counted()
}

// TestPoolSeen: what is seen is not final before the call has returned.
func TestPoolSeen(t *testing.T) {
	w := newPoolWorld(t, 100)
	tx := w.studies(0, 0, 1)
	w.seen = func(*ledger.Transaction) {
		if n := len(w.ReapMaxBytesMaxGas(1<<20, -1)); n != 0 {
			t.Errorf("%d transactions are offered before seen has returned", n)
		}
		if len(w.offered) > 0 {
			t.Error("the engine was told before seen has returned")
		}
	}
	w.want(w.add(tx, ""), "")
	if n := len(w.ReapMaxBytesMaxGas(1<<20, -1)); n != 1 || len(w.offered) != 1 {
		t.Errorf("%d transactions and %d tokens after it has returned, want 1 and 1", n, len(w.offered))
	}
	// A token for each block, as long as something waits.
	<-w.TxsAvailable()
	w.seen = func(*ledger.Transaction) {}
	w.want(w.add(w.studies(0, 1, 1), ""), "")
	if len(w.offered) != 0 {
		t.Error("a second token for one block")
	}
	w.block()
	if len(w.offered) != 1 {
		t.Error("no token after the next block")
	}
}

// TestTurns has a lane with many who wait and one with one.
func TestTurns(t *testing.T) {
	turns := newTurns(1)
	if err := turns.take(t.Context(), "many"); err != nil {
		t.Fatal(err)
	}
	order := make(chan string, 100)
	var started int
	wait := func(lane string) {
		started++
		want := started
		go func() {
			if err := turns.take(t.Context(), lane); err != nil {
				order <- err.Error()
				return
			}
			order <- lane
			turns.give()
		}()
		eventually(t, time.Second, "it waits", func() bool { turns.mu.Lock(); defer turns.mu.Unlock(); return turns.waiting == want })
	}
	for range maxTurnsOfLane {
		wait("many")
	}
	if err := turns.take(t.Context(), "many"); !errors.Is(err, ErrBusy) {
		t.Errorf("one more than a lane holds: got %v, want ErrBusy", err)
	}
	wait("one")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := turns.take(ctx, "gone"); !errors.Is(err, context.Canceled) || !errors.Is(err, ErrBusy) {
		t.Errorf("got %v, want ErrBusy and context.Canceled", err)
	}
	turns.give()
	var got []string
	for range started {
		got = append(got, <-order)
	}
	if at := slices.Index(got, "one"); at != 1 {
		t.Errorf("the one was number %d, want 1 after the first of the many: %v", at, got)
	}
	eventually(t, time.Second, "all is given back", func() bool {
		turns.mu.Lock()
		defer turns.mu.Unlock()
		return turns.free == 1 && turns.waiting == 0 && len(turns.lanes) == 0 && len(turns.next) == 0
	})
}

// TestTurnsRest: a turn is followed by a rest in which nobody works, whether it was a good one or not.
func TestTurnsRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		turns := newTurns(1)
		began := time.Now()
		for range 10 {
			must(t, turns.do(t.Context(), "one", func() { time.Sleep(time.Millisecond) }))
		}
		if got, want := time.Since(began), 10*time.Millisecond+9*restAfterTurn*time.Millisecond; got != want {
			t.Errorf("ten turns took %v, want %v", got, want)
		}
		synctest.Wait()
		time.Sleep(time.Second)
		must(t, turns.do(t.Context(), "one", func() { time.Sleep(time.Second) }))
		began = time.Now()
		must(t, turns.do(t.Context(), "one", func() {}))
		if got := time.Since(began); got != maxRest {
			t.Errorf("the rest after a long turn took %v, want %v", got, maxRest)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if turns.free != 1 {
			t.Errorf("%d turns are free in the end, want 1", turns.free)
		}
	})
}

// TestLaneOf: a lane is the claimed key's, whatever else is in the transaction.
func TestLaneOf(t *testing.T) {
	a, b := newKey(t), newKey(t)
	raw := func(key crypto.Signer, epoch uint64) []byte {
		raw, err := ledger.Sign(nil, "test", ledger.RevokeAccess{All: true, Epoch: epoch}, key)
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	first := laneOf(raw(a, 1))
	if first == "" || laneOf(raw(a, 2)) != first || laneOf(raw(b, 1)) == first {
		t.Error("the lanes are not the keys'")
	}
	flipped := raw(a, 1)
	flipped[len(flipped)-1] ^= 1
	if laneOf(flipped) != first {
		t.Error("a bad signature has a lane of its own")
	}
	for n := range len(flipped) {
		if lane := laneOf(flipped[:n]); lane != "" && lane != first {
			t.Errorf("the first %d bytes have a lane of their own", n)
		}
	}
}
