package consensus

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	sm "github.com/cometbft/cometbft/state"
	"github.com/libp2p/go-libp2p/core/peer"

	"collimate/ledger"
	"collimate/ledger/light"
	"collimate/ledger/store"
	"collimate/p2p"
)

// wipe takes a node's databases away. What the validator signed last stays: it must not vote twice.
func (w *network) wipe(i int) {
	w.t.Helper()
	data := filepath.Join(w.members[i].dir, "data")
	files, err := os.ReadDir(data)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, f := range files {
		if name := filepath.Join(data, f.Name()); f.Name() != filepath.Base(fileSigned) {
			if err := os.RemoveAll(name); err != nil {
				w.t.Fatal(err)
			}
		}
	}
}

// snapshots waits until nodes have an archive of at least a height, and returns the newest.
func (w *network) snapshots(least int64, is ...int) (height int64) {
	w.t.Helper()
	for _, i := range is {
		eventually(w.t, 2*time.Minute, fmt.Sprintf("node %d has a snapshot", i), func() bool {
			heights, err := w.members[i].engine.kept.heights()
			if err != nil {
				w.t.Fatal(err)
			}
			if len(heights) > 0 && heights[0] >= least {
				height = heights[0]
				return true
			}
			w.filler++
			_, raw := w.study(0, 1_000_000+w.filler)
			w.must(i, raw)
			return false
		})
	}
	return height
}

// TestJoin lets a node join by a snapshot and by replay, and checks that it is a full member either way.
func TestJoin(t *testing.T) {
	t.Parallel() // it waits more than it works
	w := newNetwork(t, 4)
	for _, m := range w.members {
		m.config.SnapshotEvery = 4
	}
	w.start(0, 1, 2, 3)
	w.ready(3, 0, 1, 2, 3)
	w.define(0)
	var last Receipt
	id, raw := w.study(0, 1)
	first := w.must(0, raw)
	for n := 2; n < 8; n++ {
		_, raw := w.study(0, n)
		last = w.must(n%4, raw)
	}
	for _, sync := range []Sync{SyncSnapshot, SyncReplay} {
		t.Run(string(sync), func(t *testing.T) {
			w.stop(3)
			w.snapshots(last.Height+1, 0, 1, 2)
			w.wipe(3)
			w.members[3].config.Sync = sync
			began := time.Now()
			w.start(3)
			w.ready(3, 3)
			e := w.members[3].engine
			t.Logf("joined after %v, block store from height %d", time.Since(began).Round(time.Millisecond), e.history.blocks.Base())
			if base := e.history.blocks.Base(); (base != 1) != (sync == SyncSnapshot) { // 0 if no block came yet
				t.Errorf("the blocks begin at height %d", base)
			}
			w.knowsThePast(3, 2)
			snap := w.members[3].store.Snapshot()
			if _, err := snap.Study(id); err != nil {
				t.Error(err)
			}
			snap.Close()

			// It votes: without it there is no majority when another is gone.
			w.stop(2)
			_, raw := w.study(0, int(last.Height)+100)
			r := w.must(3, raw)
			w.agree(r.Height, 0, 1, 3)
			w.start(2)
			w.ready(3, 2)

			// And it does so after a restart.
			w.stop(3)
			w.start(3)
			w.ready(3, 3)
			last = w.must(3, func() []byte { _, raw := w.study(0, int(last.Height)+200); return raw }())
			w.agree(last.Height, 0, 1, 2, 3)
			w.samePriorities(0, 3)
		})
	}
	if r, err := w.submit(3, raw); err != nil || r != first {
		t.Errorf("a node that has replayed everything gave the receipt %+v, %v, want %+v", r, err, first)
	}
}

// knowsThePast checks what a node needs to judge evidence of a height, whether it has the block or not.
func (w *network) knowsThePast(i int, height int64) {
	w.t.Helper()
	past, real := w.members[i].engine.past, w.members[0].engine.history
	want := real.blocks.LoadBlockMeta(height)
	if got := past.LoadBlockMeta(height); got == nil || !got.BlockID.Equals(want.BlockID) || !bytes.Equal(got.Header.Hash(), want.Header.Hash()) {
		w.t.Errorf("node %d knows block %d as %+v, want %+v", i, height, got, want)
	}
	c := past.LoadBlockCommit(height)
	if c == nil {
		w.t.Fatalf("node %d does not know the votes for block %d", i, height)
	}
	all, err := past.LoadValidators(height)
	if err != nil {
		w.t.Fatal(err)
	}
	if err := all.VerifyCommitLight(w.genesis.ChainID, want.BlockID, height, c); err != nil {
		w.t.Errorf("the votes for block %d as node %d knows them: %v", height, i, err)
	}
	if past.LoadBlockMeta(1<<40) != nil || past.LoadBlockMeta(-1) != nil || past.LoadBlockCommit(1<<40) != nil {
		w.t.Errorf("node %d knows blocks that there are not", i)
	}
}

// TestInstallResumes interrupts the making of the databases between two chunks.
func TestInstallResumes(t *testing.T) {
	w := newPoolWorld(t, 20_000)
	for n := range 40 {
		for _, r := range w.block(w.studies(0, n*ledger.MaxStudiesPerTx, ledger.MaxStudiesPerTx)) {
			must(t, r.Err)
		}
	}
	g := testGenesis(4)
	export := func() *offer {
		snap := w.store.Snapshot()
		defer snap.Close()
		m, err := snap.Export(t.Context(), filepath.Join(t.TempDir(), "archive"))
		must(t, err)
		set, err := g.validatorSet()
		must(t, err)
		next := &light.Block{Header: light.Header{ChainID: "test", Height: m.Height + 1, AppHash: light.Hash(m.AppHash), NextValidatorsHash: light.Hash(set.Hash())}}
		this := &light.Block{Header: light.Header{ChainID: "test", Height: m.Height}}
		return &offer{encoded: m.Encode(), manifest: m, this: this, next: next}
	}
	chunksOf := func() [][]byte {
		dir := filepath.Join(t.TempDir(), "archive")
		snap := w.store.Snapshot()
		defer snap.Close()
		m, err := snap.Export(t.Context(), dir)
		must(t, err)
		var chunks [][]byte
		for i := range m.Subtrees {
			b, err := os.ReadFile(filepath.Join(dir, store.ChunkFile(i)))
			must(t, err)
			chunks = append(chunks, b)
		}
		return chunks
	}
	o, chunks := export(), chunksOf()
	if len(chunks) < 2 {
		t.Fatalf("%d chunks, want several", len(chunks))
	}
	c := Config{Dir: t.TempDir(), Genesis: &g}
	cut := errors.New("cut off")
	var asked []int
	give := func(until int) func(context.Context, int) ([]byte, func(error), error) {
		asked = nil
		return func(_ context.Context, i int) ([]byte, func(error), error) {
			asked = append(asked, i)
			if i >= until {
				return nil, nil, cut
			}
			return chunks[i], func(err error) { t.Errorf("chunk %d was rejected: %v", i, err) }, nil
		}
	}
	check := func(err, want error, questions ...int) {
		t.Helper()
		if !errors.Is(err, want) || !slices.Equal(asked, questions) {
			t.Errorf("got %v after questions for %v, want %v after %v", err, asked, want, questions)
		}
		if begun, err := hasBegun(filepath.Join(c.Dir, "data")); begun != (want == nil) || err != nil {
			t.Errorf("it has begun: %t, %v", begun, err)
		}
	}
	check(install(t.Context(), c, o, testLog(0), give(1)), cut, 0, 1)
	check(install(t.Context(), c, o, testLog(0), give(1)), cut, 1) // it goes on

	// Another archive begins again; a chunk of the first one is rejected, and asked for again.
	w.block()
	w.block(w.studies(0, 1_000_000, 1))
	newer, old := export(), chunks
	chunks = chunksOf()
	asked = nil
	wrong := 0
	err := install(t.Context(), c, newer, testLog(0), func(_ context.Context, i int) ([]byte, func(error), error) {
		asked = append(asked, i)
		if wrong == 0 && !bytes.Equal(old[i], chunks[i]) {
			return old[i], func(error) { wrong++ }, nil
		}
		return chunks[i], func(err error) { t.Errorf("chunk %d was rejected: %v", i, err) }, nil
	})
	if err != nil || wrong != 1 || len(asked) != len(chunks)+1 {
		t.Errorf("got %v after questions for %v, %d wrong", err, asked, wrong)
	}
	s, err := store.Open(LedgerDir(c.Dir), store.Options{})
	must(t, err)
	defer s.Close()
	want := newer.manifest
	if height, hash, err := s.Last(); height != want.Height || !bytes.Equal(hash, want.AppHash[:]) || err != nil {
		t.Errorf("got height %d, app hash %x, %v, want %d, %x", height, hash, err, want.Height, want.AppHash)
	}
}

// samePriorities compares whose turn it is to propose on two nodes.
func (w *network) samePriorities(a, b int) {
	w.t.Helper()
	var states [2]sm.State
	eventually(w.t, 10*time.Second, "two nodes are at the same height", func() bool {
		for n, i := range []int{a, b} {
			var err error
			if states[n], err = w.members[i].engine.history.states.Load(); err != nil {
				w.t.Fatal(err)
			}
		}
		return states[0].LastBlockHeight == states[1].LastBlockHeight
	})
	if !states[0].Equals(states[1]) && !samePriorities(states[0].NextValidators, states[1].NextValidators) {
		w.t.Errorf("nodes %d and %d differ in whose turn it is: %v, %v", a, b, states[0].NextValidators, states[1].NextValidators)
	}
}

// TestRotation compares the shortcut with the engine's own way, one step for each block.
func TestRotation(t *testing.T) {
	for _, powers := range [][]int64{{10}, {10, 10, 10, 10}, {1, 2, 3, 4}, {1, 1000}, {7, 7, 13}} {
		g := testGenesis(len(powers))
		for i, p := range powers {
			g.Validators[i].Power = p
		}
		doc, err := g.doc()
		if err != nil {
			t.Fatal(err)
		}
		state, err := sm.MakeGenesisState(doc)
		if err != nil {
			t.Fatal(err)
		}
		want, next := state.Validators, state.NextValidators
		for height := int64(1); height < 3000; height++ {
			if height < 50 || height > 2990 {
				this, _, after := rotation(state.Validators, height)
				if !samePriorities(this, want) || !samePriorities(after, next.CopyIncrementProposerPriority(1)) {
					t.Fatalf("powers %v, height %d: got %v, want %v", powers, height, this, want)
				}
			}
			want, next = next, next.CopyIncrementProposerPriority(1)
		}
	}
}

// archive returns manifest and blocks of the newest archive of a node.
func (w *network) archive(i int) (manifest, blocks []byte) {
	w.t.Helper()
	a := w.members[i].engine.kept
	heights, err := a.heights()
	if err != nil || len(heights) == 0 {
		w.t.Fatalf("no archive: %v", err)
	}
	manifest, err = a.file(heights[0], store.ManifestFile)
	if err != nil {
		w.t.Fatal(err)
	}
	blocks, err = a.file(heights[0], blocksFile)
	if err != nil {
		w.t.Fatal(err)
	}
	return manifest, blocks
}

// TestHostileArchives joins a network with peers that lie about everything, beside one that does not.
func TestHostileArchives(t *testing.T) {
	t.Parallel() // it waits more than it works
	w := newNetwork(t, 4)
	for _, m := range w.members {
		m.config.SnapshotEvery = 4
	}
	w.start(0, 1, 2, 3)
	w.ready(3, 0, 1, 2, 3)
	w.define(0)
	w.stop(3)
	height := w.snapshots(5, 0, 1, 2)
	manifest, blocks := w.archive(0)
	honest := w.members[0].engine.kept.answer

	// What the proof refuses.
	trusted, err := w.genesis.trusted()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := prove(trusted, manifest, blocks, time.Now()); err != nil {
		t.Fatalf("an honest archive: %v", err)
	}
	this, next, err := decodeBlocks(blocks)
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func() ([]byte, []byte){
		"other state":      func() ([]byte, []byte) { return w.otherState(height, time.Unix(0, this.Header.Time)), blocks },
		"cut manifest":     func() ([]byte, []byte) { return manifest[:len(manifest)-1], blocks },
		"cut blocks":       func() ([]byte, []byte) { return manifest, blocks[:len(blocks)-1] },
		"longer blocks":    func() ([]byte, []byte) { return manifest, append(slices.Clone(blocks), 0) },
		"one block":        func() ([]byte, []byte) { b, _ := encodeBlocks(this); return manifest, b },
		"the first twice":  func() ([]byte, []byte) { b, _ := encodeBlocks(this, this); return manifest, b },
		"the second twice": func() ([]byte, []byte) { b, _ := encodeBlocks(next, next); return manifest, b },
		"no votes": func() ([]byte, []byte) {
			b := *next
			b.Commit.Votes = make([]*light.Vote, len(b.Commit.Votes))
			e, _ := encodeBlocks(this, &b)
			return manifest, e
		},
		"another app hash, unsigned": func() ([]byte, []byte) {
			b := *next
			b.Header.AppHash[0]++
			e, _ := encodeBlocks(this, &b)
			return manifest, e
		},
	} {
		m, b := change()
		if _, err := prove(trusted, m, b, time.Now()); err == nil {
			t.Errorf("%s: it was proved", name)
		}
	}

	// Peers 1 and 2 answer as they like. Peer 0 stays honest.
	for name, lie := range map[string]func(r archiveRequest) ([]byte, error){
		"chunk of other bytes": func(r archiveRequest) ([]byte, error) {
			if r.what == askChunk {
				return []byte{0x41, 1, 0x41, 2}, nil
			}
			return honest("", r.encode())
		},
		"oversized chunk": func(r archiveRequest) ([]byte, error) {
			if r.what == askChunk {
				return make([]byte, store.MaxChunkBytes), nil
			}
			return honest("", r.encode())
		},
		"a height that is not": func(r archiveRequest) ([]byte, error) {
			if r.what == askHeights {
				return []byte{0x7f, 0, 0, 0, 0, 0, 0, 1}, nil
			}
			r.height = height
			return honest("", r.encode())
		},
		"silence": func(archiveRequest) ([]byte, error) { return nil, errors.New("no answer") },
		"nothing": func(archiveRequest) ([]byte, error) { return nil, p2p.ErrNotThere },
		"zeros":   func(archiveRequest) ([]byte, error) { return make([]byte, 1<<16), nil },
	} {
		t.Run(name, func(t *testing.T) {
			for _, i := range []int{1, 2} {
				w.members[i].engine.host.Answer(archiveExchange, func(_ peer.ID, request []byte) ([]byte, error) {
					return lie(archiveRequest{request[0], int64(be(request[1:9])), uint32(be(request[9:]))})
				})
			}
			w.stop(3)
			w.wipe(3)
			w.members[3].config.Sync = SyncSnapshot
			w.start(3)
			w.ready(3, 3)
			_, raw := w.study(0, int(time.Now().UnixNano()))
			w.agree(w.must(3, raw).Height, 0, 1, 2, 3)
			if base := w.members[3].engine.history.blocks.Base(); base == 1 {
				t.Errorf("the blocks begin at height %d: it did not join by a snapshot", base)
			}
		})
	}

	// With nobody honest it does not join, and leaves nothing that it could mistake for a state.
	for i := range 3 {
		w.members[i].engine.host.Answer(archiveExchange, func(peer.ID, []byte) ([]byte, error) { return make([]byte, 1<<16), nil })
	}
	w.stop(3)
	w.wipe(3)
	if err := w.tryStart(3); !errors.Is(err, ErrNoSnapshot) {
		t.Errorf("joining liars: got %v, want ErrNoSnapshot", err)
	}
	if begun, err := hasBegun(filepath.Join(w.members[3].dir, "data")); begun || err != nil {
		t.Errorf("it has begun: %t, %v", begun, err)
	}
}

func be(b []byte) (n uint64) {
	for _, x := range b {
		n = n<<8 | uint64(x)
	}
	return n
}

// otherState returns a sound manifest of another state for a height and a time.
func (w *network) otherState(height int64, at time.Time) []byte {
	w.t.Helper()
	dir := w.t.TempDir()
	s, err := store.Open(filepath.Join(dir, "s"), store.Options{})
	if err != nil {
		w.t.Fatal(err)
	}
	defer s.Close()
	b, err := s.Begin(0, w.genesis.Time)
	if err != nil {
		w.t.Fatal(err)
	}
	g := w.genesis.ledger()
	g.Payers = append(g.Payers, ledger.PayerUnits{Payer: g.Payers[0].Payer, Units: 1})
	g.Payers[1].Payer.ID[0]++
	if err := errors.Join(b.Init(g), b.Commit()); err != nil {
		w.t.Fatal(err)
	}
	snap := s.Snapshot()
	defer snap.Close()
	m, err := snap.Export(w.t.Context(), filepath.Join(dir, "a"))
	if err != nil {
		w.t.Fatal(err)
	}
	m.Height, m.Time = height, at
	return m.Encode()
}
