package store_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"collimate/keys"
	"collimate/ledger"
	"collimate/ledger/store"
	"collimate/ledger/tree"
)

const (
	testChain = "collimate-store"
	testUnits = 1 << 20 // bonded for the source: allowance enough for every test
)

var testTime = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func keyOf(name string) ed25519.PrivateKey {
	seed := sha256.Sum256([]byte(name))
	return ed25519.NewKeyFromSeed(seed[:])
}

func idOf(t testing.TB, name string) keys.ID {
	t.Helper()
	id, err := keys.IDOf(keyOf(name).Public())
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func studyOf(i int) ledger.StudyID { return sha256.Sum256(fmt.Append(nil, "study", i)) }

func signed(t testing.TB, by string, body ledger.Body) *ledger.Transaction {
	t.Helper()
	raw, err := ledger.Sign(nil, testChain, body, keyOf(by))
	if err != nil {
		t.Fatal(err)
	}
	tx, err := ledger.Parse(testChain, raw)
	if err != nil {
		t.Fatal(err)
	}
	return tx
}

func genesis() ledger.Genesis {
	v := [32]byte(keyOf("validator").Public().(ed25519.PublicKey))
	payer, err := keys.IDOf(keyOf("payer").Public())
	if err != nil {
		panic(err)
	}
	return ledger.Genesis{
		ChainID: testChain, Time: testTime, Validators: [][32]byte{v},
		Payers: []ledger.PayerUnits{{Payer: keys.Payer{ID: payer}, Units: testUnits}},
	}
}

// history returns the transactions of block h: the source, then in each block a study and grants on those before.
func history(t testing.TB, h int64) []*ledger.Transaction {
	t.Helper()
	if h == 1 {
		d := ledger.DefineSource{Endpoints: ledger.Endpoints{ITI43: "https://north.example/"}, ValidatorKey: genesis().Validators[0]}
		d.ValidatorProof = [64]byte(ed25519.Sign(keyOf("validator"), ledger.ValidatorProofMessage(testChain, keys.Source{ID: idOf(t, "north")})))
		bond := ledger.Bond{Source: keys.Source{ID: idOf(t, "north")}, Units: testUnits, Sequence: 1}
		return []*ledger.Transaction{signed(t, "payer", bond), signed(t, "north", d)}
	}
	i := int(h)
	txs := []*ledger.Transaction{signed(t, "north", ledger.DefineStudy{Studies: []ledger.StudyDefinition{{Study: studyOf(i), Owner: keys.Owner{ID: idOf(t, "p1")}, Kind: ledger.RecordImaging}}})}
	if i > 2 {
		c := sha256.Sum256(fmt.Append(nil, "commitment", i))
		until := testTime.Add(time.Hour).Unix()
		txs = append(txs, signed(t, "p1", ledger.AllowAccess{Study: studyOf(i - 1), Commitment: c, NotAfter: until, Scope: ledger.ScopeAll}))
		if i%3 == 0 {
			txs = append(txs, signed(t, "p1", ledger.RevokeAccess{Study: studyOf(i - 1), Commitment: c}))
		}
	}
	return txs
}

// timeOf is the chain time of block h.
func timeOf(h int64) time.Time { return testTime.Add(time.Duration(h) * time.Second) }

func open(t testing.TB, fs vfs.FS) *store.Store {
	t.Helper()
	s, err := store.Open("ledger", store.Options{FS: fs, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func closing(t testing.TB, s *store.Store) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// begin makes the genesis block.
func begin(t testing.TB, s *store.Store) {
	t.Helper()
	b, err := s.Begin(0, testTime)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Init(genesis()); err != nil {
		t.Fatal(err)
	}
	if err := b.Commit(); err != nil {
		t.Fatal(err)
	}
}

// extend commits block h, and returns its app hash.
func extend(t testing.TB, s *store.Store, h int64, txs []*ledger.Transaction) []byte {
	t.Helper()
	b, err := s.Begin(h, timeOf(h))
	if err != nil {
		t.Fatal(err)
	}
	defer b.Discard()
	for _, tx := range txs {
		if err := b.Apply(tx); err != nil {
			t.Fatalf("block %d: %v", h, err)
		}
	}
	hash := b.AppHash()
	if err := b.Commit(); err != nil {
		t.Fatal(err)
	}
	return hash
}

// dump returns every key and value of the state.
func dump(t testing.TB, s *store.Store) []byte {
	t.Helper()
	snap := s.Snapshot()
	defer snap.Close()
	return dumpOf(t, snap)
}

func dumpOf(t testing.TB, snap *store.Snapshot) []byte {
	t.Helper()
	var b bytes.Buffer
	err := snap.Iterate(nil, func(k, v []byte) error {
		fmt.Fprintf(&b, "%x=%x\n", k, v)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestReopen(t *testing.T) {
	fs := vfs.NewMem()
	s := open(t, fs)
	if h, hash, err := s.Last(); h != 0 || len(hash) != 0 || err != nil {
		t.Errorf("empty store: got %d, %x, %v", h, hash, err)
	}
	begin(t, s)
	var want []byte
	for h := int64(1); h <= 10; h++ {
		want = extend(t, s, h, history(t, h))
	}
	state := dump(t, s)
	closing(t, s)

	s = open(t, fs)
	defer closing(t, s)
	if h, hash, err := s.Last(); h != 10 || !bytes.Equal(hash, want) || err != nil {
		t.Errorf("got %d, %x, %v, want 10, %x", h, hash, err, want)
	}
	if !bytes.Equal(dump(t, s), state) {
		t.Error("the state changed while the store was closed")
	}
	snap := s.Snapshot()
	defer snap.Close()
	if !snap.Time().Equal(timeOf(10)) || snap.ChainID() != testChain {
		t.Errorf("got %v of %s, want %v of %s", snap.Time(), snap.ChainID(), timeOf(10), testChain)
	}
}

// TestSameBytes: two stores that got the same blocks hold the same bytes, whatever was tried in between, and an
// Overlay in memory agrees.
func TestSameBytes(t *testing.T) {
	a, b := open(t, vfs.NewMem()), open(t, vfs.NewMem())
	defer closing(t, a)
	defer closing(t, b)
	memory := ledger.NewOverlay(nil)
	begin(t, a)
	begin(t, b)
	if err := ledger.InitGenesis(memory, genesis()); err != nil {
		t.Fatal(err)
	}
	for h := int64(1); h <= 20; h++ {
		txs := history(t, h)
		// b tries another block first, and a transaction that is refused.
		try, err := b.Begin(h, timeOf(h))
		if err != nil {
			t.Fatal(err)
		}
		if err := try.Apply(txs[0]); err != nil {
			t.Fatal(err)
		}
		if err := try.Apply(txs[0]); ledger.CodeOf(err) == "" {
			t.Fatalf("the same transaction again: got %v, want a refusal", err)
		}
		try.Discard()
		x, y := extend(t, a, h, txs), extend(t, b, h, txs)
		if !bytes.Equal(x, y) {
			t.Fatalf("block %d: app hashes %x and %x", h, x, y)
		}
		for _, tx := range txs {
			if err := ledger.Apply(memory, tx, ledger.Context{Height: h, Time: timeOf(h)}); err != nil {
				t.Fatal(err)
			}
		}
		memory.Set(ledger.HeadEntry(ledger.Head{Height: h, Time: timeOf(h), AppHash: x}))
	}
	if !bytes.Equal(dump(t, a), dump(t, b)) {
		t.Error("the two stores differ")
	}
	var want bytes.Buffer
	memory.Iterate(nil, func(k, v []byte) error {
		fmt.Fprintf(&want, "%x=%x\n", k, v)
		return nil
	})
	if !bytes.Equal(dump(t, a), want.Bytes()) {
		t.Error("the store and the state in memory differ")
	}
	_, hash, err := a.Last()
	if root := rootOf(memory); err != nil || !bytes.Equal(hash, root[:]) {
		t.Errorf("app hash %x, %v, that of the state in memory is %x", hash, err, root)
	}
}

// rootOf returns the root of the tree over a state in memory.
func rootOf(state *ledger.Overlay) tree.Hash {
	head, _ := ledger.HeadEntry(ledger.Head{})
	return tree.Root(func(yield func(key, value []byte) bool) {
		for k, v := range state.Writes() {
			if !bytes.Equal(k, head) && !yield(k, v) {
				return
			}
		}
	})
}

// TestEmptyBlock: time goes on, the app hash does not.
func TestEmptyBlock(t *testing.T) {
	s := open(t, vfs.NewMem())
	defer closing(t, s)
	begin(t, s)
	want := extend(t, s, 1, history(t, 1))
	if got := extend(t, s, 2, nil); !bytes.Equal(got, want) {
		t.Errorf("got %x, want %x", got, want)
	}
	snap := s.Snapshot()
	defer snap.Close()
	if snap.Height() != 2 || !snap.Time().Equal(timeOf(2)) {
		t.Errorf("got height %d at %v", snap.Height(), snap.Time())
	}
}

// TestSnapshotStays: what a snapshot shows does not change while blocks go on.
func TestSnapshotStays(t *testing.T) {
	s := open(t, vfs.NewMem())
	defer closing(t, s)
	begin(t, s)
	extend(t, s, 1, history(t, 1))
	extend(t, s, 2, history(t, 2))
	snap := s.Snapshot()
	b, err := s.Begin(3, timeOf(3))
	if err != nil {
		t.Fatal(err)
	}
	for _, tx := range history(t, 3) {
		if err := b.Apply(tx); err != nil {
			t.Fatal(err)
		}
	}
	see := func(when string) {
		t.Helper()
		if _, err := snap.Study(studyOf(3)); !errors.Is(err, ledger.ErrNotFound) {
			t.Errorf("%s: the study of block 3 is seen: %v", when, err)
		}
		if snap.Height() != 2 {
			t.Errorf("%s: height %d, want 2", when, snap.Height())
		}
	}
	see("before the commit")
	if err := b.Commit(); err != nil {
		t.Fatal(err)
	}
	see("after the commit")
	extend(t, s, 4, history(t, 4))
	see("two blocks later")
	now := s.Snapshot()
	if _, err := now.Study(studyOf(3)); err != nil {
		t.Errorf("a new snapshot: %v", err)
	}
	for range 2 {
		if err := errors.Join(snap.Close(), now.Close()); err != nil {
			t.Error(err)
		}
	}
}

func TestBegin(t *testing.T) {
	s := open(t, vfs.NewMem())
	defer closing(t, s)
	cases := []struct {
		last, height int64
		at           time.Time
		good         bool
	}{
		{-1, 0, testTime, true}, // before the genesis
		{-1, 1, testTime, true},
		{-1, 2, testTime, false},
		{-1, -1, testTime, false},
		{0, 0, testTime, true}, // an engine that stopped before block 1 begins again
		{0, 1, testTime, true},
		{0, 1, testTime.Add(-1), false},
		{0, 2, timeOf(2), false},
		{1, 2, timeOf(1), true},
		{1, 2, timeOf(1).Add(-1), false},
		{1, 1, timeOf(1), false},
		{1, 0, timeOf(1), false},
		{1, 3, timeOf(3), false},
	}
	last := int64(-1)
	for _, c := range cases {
		for ; last < c.last; last++ {
			if last < 0 {
				begin(t, s)
			} else {
				extend(t, s, last+1, nil)
			}
		}
		b, err := s.Begin(c.height, c.at)
		if (err == nil) != c.good {
			t.Errorf("after %d, Begin(%d, %v): got %v, want good=%v", c.last, c.height, c.at, err, c.good)
		}
		if err == nil {
			b.Discard()
		}
	}
}

// TestOvertaken: of two blocks in the making one is committed.
func TestOvertaken(t *testing.T) {
	s := open(t, vfs.NewMem())
	defer closing(t, s)
	begin(t, s)
	var blocks [2]*store.Block
	for i := range blocks {
		b, err := s.Begin(1, timeOf(1))
		if err != nil {
			t.Fatal(err)
		}
		blocks[i] = b
	}
	if err := blocks[1].Commit(); err != nil {
		t.Fatal(err)
	}
	if err := blocks[0].Commit(); !errors.Is(err, store.ErrOvertaken) {
		t.Errorf("got %v, want %v", err, store.ErrOvertaken)
	}
	if err := blocks[1].Commit(); !errors.Is(err, store.ErrClosed) {
		t.Errorf("a second Commit: got %v, want %v", err, store.ErrClosed)
	}
	if err := blocks[1].Apply(history(t, 1)[0]); !errors.Is(err, store.ErrClosed) {
		t.Errorf("Apply after Commit: got %v, want %v", err, store.ErrClosed)
	}
}

// TestProve: every key of a state, and others, are proved against its app hash, while the chain goes on.
func TestProve(t *testing.T) {
	s := open(t, vfs.NewMem())
	defer closing(t, s)
	begin(t, s)
	for h := int64(1); h <= 9; h++ {
		extend(t, s, h, history(t, h))
	}
	snap := s.Snapshot()
	defer snap.Close()
	root := tree.Hash(snap.AppHash())
	extend(t, s, 10, history(t, 10))
	head, _ := ledger.HeadEntry(ledger.Head{})
	err := snap.Iterate(nil, func(key, value []byte) error {
		absent := append(bytes.Clone(key), 0)
		proofs, err := snap.Prove(key, absent)
		if err != nil {
			return err
		}
		if bytes.Equal(key, head) {
			value = nil // it stands beside the tree
		}
		return errors.Join(proofs[0].Verify(root, key, value), proofs[1].Verify(root, absent, nil))
	})
	if err != nil {
		t.Error(err)
	}
}

// TestSnapshotAt: the last state and the one before it are there, others are not.
func TestSnapshotAt(t *testing.T) {
	s := open(t, vfs.NewMem())
	begin(t, s)
	hashes := [][]byte{}
	for h := int64(1); h <= 3; h++ {
		hashes = append(hashes, extend(t, s, h, history(t, h)))
	}
	for h, kept := range []bool{false, false, true, true, false} {
		snap, err := s.SnapshotAt(int64(h))
		if (err == nil) != kept || err != nil && !errors.Is(err, store.ErrNotKept) {
			t.Fatalf("height %d: got %v, want kept=%v", h, err, kept)
		}
		if err != nil {
			continue
		}
		if !bytes.Equal(snap.AppHash(), hashes[h-1]) || snap.Height() != int64(h) {
			t.Errorf("height %d: got height %d with %x", h, snap.Height(), snap.AppHash())
		}
		_, err = snap.Study(studyOf(3))
		if found := err == nil; found != (h == 3) {
			t.Errorf("height %d: the study of block 3: %v", h, err)
		}
		if err := snap.Close(); err != nil {
			t.Error(err)
		}
	}
	closing(t, s)
	if _, err := s.SnapshotAt(3); !errors.Is(err, store.ErrClosed) {
		t.Errorf("closed: got %v", err)
	}
}

// TestOtherFormat: what an earlier version wrote, or something else altogether, is refused and left alone.
func TestOtherFormat(t *testing.T) {
	headKey, head := ledger.HeadEntry(ledger.Head{Height: 7, Time: timeOf(7), AppHash: []byte("a chain of hashes")})
	for name, entry := range map[string][2][]byte{
		"a head without a mark": {headKey, head},
		"a later format":        {{0xf0, 'f'}, []byte("collimate/ledger-store/v4")},
		"something else":        {[]byte("x"), []byte("y")},
	} {
		for _, comparer := range []*pebble.Comparer{store.Comparer, pebble.DefaultComparer} {
			disk := vfs.NewMem()
			db, err := pebble.Open("ledger", &pebble.Options{FS: disk, Comparer: comparer, FormatMajorVersion: pebble.FormatTableFormatV6})
			if err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(db.Set(entry[0], entry[1], pebble.Sync), db.Close()); err != nil {
				t.Fatal(err)
			}
			if _, err := store.Open("ledger", store.Options{FS: disk}); !errors.Is(err, store.ErrFormat) {
				t.Errorf("%s, ordered by %s: got %v, want %v", name, comparer.Name, err, store.ErrFormat)
			}
		}
	}
}

// TestCannotSeal: a block whose app hash cannot be worked out has none and is not committed.
func TestCannotSeal(t *testing.T) {
	s := open(t, vfs.NewMem())
	defer closing(t, s)
	begin(t, s)
	b, err := s.Begin(1, timeOf(1))
	if err != nil {
		t.Fatal(err)
	}
	b.Set([]byte{0xf2, 1}, []byte("in the place of the tree"))
	if hash := b.AppHash(); hash != nil {
		t.Errorf("app hash %x", hash)
	}
	if err := b.Commit(); err == nil {
		t.Error("committed")
	}
	if h, _, err := s.Last(); h != 0 || err != nil {
		t.Errorf("height %d, %v", h, err)
	}
}

// TestDiskFails: when the tree cannot be read the block ends, the store does not.
func TestDiskFails(t *testing.T) {
	disk := vfs.NewMem()
	s := open(t, disk)
	begin(t, s)
	b, err := s.Begin(1, timeOf(1))
	if err != nil {
		t.Fatal(err)
	}
	for i := range 10_000 { // more than Pebble reads at once
		b.Set(record(i))
	}
	if err := b.Commit(); err != nil {
		t.Fatal(err)
	}
	if err := s.DB().Flush(); err != nil {
		t.Fatal(err)
	}
	closing(t, s)

	var broken atomic.Bool
	s = open(t, errorfs.Wrap(disk, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if broken.Load() && op.Kind.ReadOrWrite() == errorfs.OpIsRead {
			return errorfs.ErrInjected
		}
		return nil
	})))
	defer closing(t, s)
	if b, err = s.Begin(2, timeOf(2)); err != nil {
		t.Fatal(err)
	}
	for i := range 1000 {
		key, _ := record(i)
		b.Set(key, nil)
	}
	broken.Store(true)
	hash, err := b.AppHash(), b.Commit()
	broken.Store(false)
	if hash != nil || !errors.Is(err, errorfs.ErrInjected) {
		t.Errorf("got %x, %v", hash, err)
	}
	extend(t, s, 2, history(t, 1))
	if err := verify(t, s); err != nil {
		t.Error(err)
	}
}

// TestAgain: an app hash that was asked for too early does not stay.
func TestAgain(t *testing.T) {
	s := open(t, vfs.NewMem())
	defer closing(t, s)
	begin(t, s)
	b, err := s.Begin(1, timeOf(1))
	if err != nil {
		t.Fatal(err)
	}
	early := b.AppHash()
	if err := b.Apply(history(t, 1)[0]); err != nil {
		t.Fatal(err)
	}
	late := b.AppHash()
	if err := b.Commit(); err != nil {
		t.Fatal(err)
	}
	if _, hash, _ := s.Last(); bytes.Equal(early, late) || !bytes.Equal(hash, late) {
		t.Errorf("app hash %x, then %x, committed %x", early, late, hash)
	}
}

// TestClosed: a store that is closed answers nothing, and so lets nobody in.
func TestClosed(t *testing.T) {
	s := open(t, vfs.NewMem())
	begin(t, s)
	b, err := s.Begin(1, timeOf(1))
	if err != nil {
		t.Fatal(err)
	}
	b.Discard()
	closing(t, s)
	if err := s.Close(); !errors.Is(err, store.ErrClosed) {
		t.Errorf("a second Close: got %v", err)
	}
	if _, _, err := s.Last(); !errors.Is(err, store.ErrClosed) {
		t.Errorf("Last: got %v", err)
	}
	if _, err := s.Begin(1, timeOf(1)); !errors.Is(err, store.ErrClosed) {
		t.Errorf("Begin: got %v", err)
	}
	snap := s.Snapshot()
	defer snap.Close()
	if _, err := snap.Study(studyOf(1)); !errors.Is(err, store.ErrClosed) {
		t.Errorf("Study: got %v", err)
	}
	d, err := ledger.Decide(snap.Snapshot, ledger.Access{Requester: keys.Grantee{ID: keys.ID{1}}, Now: testTime, Staleness: 1 << 62})
	if err == nil && d.Allowed {
		t.Errorf("Decide: got %+v, %v", d, err)
	}
}

// TestLocked: two processes cannot have one store open.
func TestLocked(t *testing.T) {
	fs := vfs.NewMem()
	s := open(t, fs)
	defer closing(t, s)
	if other, err := store.Open("ledger", store.Options{FS: fs}); err == nil {
		other.Close()
		t.Error("opened twice")
	}
}
