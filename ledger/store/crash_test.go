package store_test

import (
	"bytes"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"collimate/ledger"
	"collimate/ledger/store"
)

// chain is what each height must look like: the reference that a store is compared with after a power cut.
type chain struct {
	txs    [][]*ledger.Transaction // of block h
	states [][]byte                // after block h
	hashes [][]byte
}

func newChain(t *testing.T, blocks int64) chain {
	t.Helper()
	s := open(t, vfs.NewMem())
	defer closing(t, s)
	begin(t, s)
	_, hash, err := s.Last()
	if err != nil {
		t.Fatal(err)
	}
	c := chain{txs: [][]*ledger.Transaction{nil}, states: [][]byte{dump(t, s)}, hashes: [][]byte{hash}}
	for h := int64(1); h <= blocks; h++ {
		c.txs = append(c.txs, history(t, h))
		c.hashes = append(c.hashes, extend(t, s, h, c.txs[h]))
		c.states = append(c.states, dump(t, s))
	}
	return c
}

// height of the last block of the reference.
func (c chain) height() int64 { return int64(len(c.states) - 1) }

func random(t *testing.T) *rand.Rand {
	t.Helper()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

// TestPowerCut cuts the power at random moments between commits. The disk that is left must hold every block that
// was acknowledged, and the blocks after it must lead to the same bytes as without a cut.
func TestPowerCut(t *testing.T) {
	rng := random(t)
	c := newChain(t, 40)
	for range 30 {
		disk := vfs.NewCrashableMem()
		s := open(t, disk)
		begin(t, s)
		acknowledged := rng.Int64N(c.height())
		for h := int64(1); h <= acknowledged; h++ {
			extend(t, s, h, c.txs[h])
		}
		left := disk.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: rng.IntN(101), RNG: rng})
		closing(t, s)
		c.check(t, left, acknowledged, acknowledged)
	}
}

// TestPowerCutWithin cuts the power while commits are under way: each block is there in full or not at all.
func TestPowerCutWithin(t *testing.T) {
	rng := random(t)
	c := newChain(t, 12)
	for range 20 {
		disk := vfs.NewCrashableMem()
		s := open(t, disk)
		begin(t, s)
		var mu sync.Mutex
		var acknowledged int64 // guarded by mu
		type left struct {
			disk  vfs.FS
			least int64 // acknowledged before the cut
		}
		var cuts []left
		done := make(chan struct{})
		var cutter sync.WaitGroup
		cutter.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				mu.Lock()
				least := acknowledged
				mu.Unlock()
				cuts = append(cuts, left{disk.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: rng.IntN(101), RNG: rng}), least})
			}
		})
		for h := int64(1); h < c.height(); h++ {
			extend(t, s, h, c.txs[h])
			mu.Lock()
			acknowledged = h
			mu.Unlock()
		}
		close(done)
		cutter.Wait()
		closing(t, s)
		for i := 0; i < len(cuts); i += 1 + len(cuts)/4 { // a few, spread over the time
			c.check(t, cuts[i].disk, cuts[i].least, c.height())
		}
	}
}

// TestPowerCutAtEachWrite cuts the power at each write to the file system while a few blocks are committed.
func TestPowerCutAtEachWrite(t *testing.T) {
	rng := random(t)
	c := newChain(t, 4)
	disk := vfs.NewCrashableMem()
	type left struct {
		disk  vfs.FS
		least int64
	}
	var mu sync.Mutex // Pebble writes from several goroutines
	var cuts []left
	acknowledged := int64(-1) // guarded by mu; before the genesis
	cut := errorfs.InjectorFunc(func(op errorfs.Op) error {
		if op.Kind.ReadOrWrite() == errorfs.OpIsWrite {
			mu.Lock()
			defer mu.Unlock()
			if acknowledged >= 0 {
				cuts = append(cuts, left{disk.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: rng.IntN(101), RNG: rng}), acknowledged})
			}
		}
		return nil
	})
	s := open(t, errorfs.Wrap(disk, cut))
	begin(t, s)
	for h := int64(0); ; {
		mu.Lock()
		acknowledged = h
		mu.Unlock()
		if h++; h == c.height() {
			break
		}
		extend(t, s, h, c.txs[h])
		if h == 2 {
			if err := s.DB().Flush(); err != nil { // so that tables are written, too
				t.Fatal(err)
			}
		}
	}
	closing(t, s)
	if len(cuts) < 10 {
		t.Errorf("%d writes", len(cuts))
	}
	for _, l := range cuts {
		c.check(t, l.disk, l.least, c.height())
	}
}

// check opens what a power cut left. The state is that after a block between least and most, and goes on as if
// nothing had been.
func (c chain) check(t *testing.T, disk vfs.FS, least, most int64) {
	t.Helper()
	s := open(t, disk)
	defer closing(t, s)
	h, hash, err := s.Last()
	if err != nil || h < least || h > most {
		t.Fatalf("got height %d, %v, want %d to %d", h, err, least, most)
	}
	if !bytes.Equal(hash, c.hashes[h]) || !bytes.Equal(dump(t, s), c.states[h]) {
		t.Fatalf("the state is not that after block %d", h)
	}
	c.replay(t, s, h)
	if !bytes.Equal(dump(t, s), c.states[c.height()]) {
		t.Error("the state after all blocks differs")
	}
	if err := verify(t, s); err != nil {
		t.Error(err)
	}
}

// replay commits the blocks after h, as the engine does after a restart.
func (c chain) replay(t *testing.T, s *store.Store, h int64) {
	t.Helper()
	for h++; h <= c.height(); h++ {
		if got := extend(t, s, h, c.txs[h]); !bytes.Equal(got, c.hashes[h]) {
			t.Fatalf("block %d: app hash %x, want %x", h, got, c.hashes[h])
		}
	}
}
