package model

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/fxamacker/cbor/v2"

	"collimate/ledger"
	"collimate/ledger/store"
)

// history is a game that was played, to be played again over stores.
type history struct {
	genesis ledger.Genesis
	blocks  []block
}

func newHistory(t *testing.T, steady bool) history {
	t.Helper()
	seed := rand.Uint64()>>1&^7 | 1
	seed = uint64(fromEnv(t, "COLLIMATE_MODEL_SEED", int(seed)))
	t.Logf("COLLIMATE_MODEL_SEED=%d repeats this", seed)
	var h history
	_, err := game{seed: seed, ops: 1500, every: 1000, steady: steady, record: func(g ledger.Genesis, b block) {
		h.genesis = g
		h.blocks = append(h.blocks, b)
	}}.play()
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// node is a store on a disk of its own.
type node struct {
	*store.Store
	t      *testing.T
	disk   vfs.FS
	height int64
}

func newNode(t *testing.T, g ledger.Genesis) *node {
	t.Helper()
	n := &node{t: t, disk: vfs.NewMem()}
	n.open()
	t.Cleanup(func() { n.must(n.Close()) })
	b, err := n.Begin(0, g.Time)
	n.must(err)
	n.must(b.Init(g))
	n.must(b.Commit())
	return n
}

func (n *node) must(err error) {
	n.t.Helper()
	if err != nil {
		n.t.Fatal(err)
	}
}

func (n *node) open() {
	n.t.Helper()
	var err error
	n.Store, err = store.Open("ledger", store.Options{FS: n.disk})
	n.must(err)
}

func (n *node) restart() {
	n.t.Helper()
	n.must(n.Close())
	n.open()
}

// make makes the next block and returns its app hash. The results must be those of the history.
func (n *node) make(at time.Time, seen ledger.Observed, txs []*ledger.Transaction, results []string) []byte {
	n.t.Helper()
	b := n.fill(at, seen, txs, results)
	hash := b.AppHash()
	n.must(b.Commit())
	n.height++
	return hash
}

func (n *node) fill(at time.Time, seen ledger.Observed, txs []*ledger.Transaction, results []string) *store.Block {
	n.t.Helper()
	b, err := n.Begin(n.height+1, at)
	n.must(err)
	n.must(b.Begin(seen))
	for i, tx := range txs {
		if got := string(ledger.CodeOf(b.Apply(tx))); got != results[i] {
			n.t.Fatalf("block %d: %s got %q, want %q", n.height+1, tx.Body.Kind(), got, results[i])
		}
	}
	return b
}

// ask asks the questions of a block again. The height of a decision may be another.
func (n *node) ask(b block) {
	n.t.Helper()
	snap := n.Snapshot()
	defer snap.Close()
	for i, q := range b.questions {
		got, err := ledger.Decide(snap.Snapshot, q.access(snap.Snapshot))
		n.must(err)
		want := b.decisions[i]
		if want.Height = got.Height; !reflect.DeepEqual(got, want) {
			n.t.Fatalf("block %d: decided %+v, want %+v", n.height, got, want)
		}
	}
}

// dump is the state without the head.
func (n *node) dump() map[string]string {
	n.t.Helper()
	state := map[string]string{}
	snap := n.Snapshot()
	defer snap.Close()
	for prefix := byte(1); prefix < 0x20; prefix++ {
		n.must(snap.Iterate([]byte{prefix}, func(key, value []byte) error {
			state[string(key)] = string(value)
			return nil
		}))
	}
	delete(state, "\x01head")
	return state
}

// TestNodes feeds two nodes alike, of which one is stopped and started again, and now and then drops a block that it had
// begun. Every app hash is the same, and so are decisions and records.
func TestNodes(t *testing.T) {
	h := newHistory(t, false)
	rng := rand.New(rand.NewPCG(1, 1))
	steady, shaky := newNode(t, h.genesis), newNode(t, h.genesis)
	for i, b := range h.blocks {
		want := steady.make(b.time, b.seen, b.txs, b.results)
		if rng.IntN(8) == 0 {
			shaky.restart()
		}
		if rng.IntN(4) == 0 {
			dropped := shaky.fill(b.time, b.seen, b.txs, b.results)
			if rng.IntN(2) == 0 {
				dropped.AppHash()
			}
			dropped.Discard()
		}
		if got := shaky.make(b.time, b.seen, b.txs, b.results); !bytes.Equal(got, want) {
			t.Fatalf("block %d: app hashes %x and %x", i+1, got, want)
		}
		steady.ask(b)
		shaky.ask(b)
	}
	if got, want := shaky.dump(), steady.dump(); !maps.Equal(got, want) || len(got) < 50 {
		t.Errorf("the nodes hold %d and %d records that differ", len(got), len(want))
	}
}

// TestBlockSize makes a block of each transaction, at the same chain time. Results and decisions stay the same, and so do
// the records but for the heights in them.
func TestBlockSize(t *testing.T) {
	h := newHistory(t, true)
	large, small := newNode(t, h.genesis), newNode(t, h.genesis)
	for _, b := range h.blocks {
		large.make(b.time, b.seen, b.txs, b.results)
		seen := b.seen
		for i := range max(1, len(b.txs)) {
			n := min(len(b.txs), i+1)
			small.make(b.time, seen, b.txs[i:n], b.results[i:n])
			seen = ledger.Observed{}
		}
		small.ask(b)
	}
	got, want := small.dump(), large.dump()
	if !slices.Equal(slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want))) {
		t.Error("other records")
	}
	for key := range want {
		if got, want := withoutHeights(t, key, got[key]), withoutHeights(t, key, want[key]); got != want {
			t.Errorf("%x: got %s, want %s", key, got, want)
		}
	}
}

// heights are the fields of records that hold heights. ledger-spec 4
var heights = map[byte][]int{3: {11, 12}, 5: {10, 11, 12}, 6: {3, 4}, 15: {4}, 16: {4}}

// withoutHeights writes a record with all heights but 0 made the same.
func withoutHeights(t *testing.T, key, value string) string {
	t.Helper()
	fields := heights[key[0]]
	if fields == nil {
		return value
	}
	var record map[int]any
	if err := cbor.Unmarshal([]byte(value), &record); err != nil {
		t.Fatal(err)
	}
	for _, f := range fields {
		if record[f] != uint64(0) {
			record[f] = "a height"
		}
	}
	return fmt.Sprint(record)
}
