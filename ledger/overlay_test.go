package ledger_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"collimate/ledger"
	"collimate/ledger/tree"
)

// TestOverlay compares an overlay over an overlay with one flat overlay under the same random operations.
func TestOverlay(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	key := func() []byte { return []byte{byte('a' + rng.IntN(3)), byte('a' + rng.IntN(6))} }
	for round := range 200 {
		flat, base := ledger.NewOverlay(nil), ledger.NewOverlay(nil)
		top := ledger.NewOverlay(base)
		for i := range 40 {
			on := base
			if i >= 20 {
				on = top
			}
			k, v := key(), fmt.Append(nil, i)
			for _, o := range []*ledger.Overlay{flat, on} {
				if i%3 == 0 {
					o.Delete(k)
				} else {
					o.Set(k, v)
				}
			}
		}
		for _, prefix := range []string{"", "a", "b", "c", "ab", "d"} {
			got, want := list(t, top, prefix), list(t, flat, prefix)
			if got != want {
				t.Fatalf("round %d, prefix %q: got %s, want %s", round, prefix, got, want)
			}
		}
		k := key()
		got, _ := top.Get(k)
		if want, _ := flat.Get(k); !bytes.Equal(got, want) {
			t.Fatalf("round %d, %s: got %s, want %s", round, k, got, want)
		}
	}
}

func list(t *testing.T, r ledger.Reader, prefix string) (all string) {
	t.Helper()
	err := r.Iterate([]byte(prefix), func(k, v []byte) error {
		all += fmt.Sprintf("%s=%s ", k, v)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestIterateStops(t *testing.T) {
	base := ledger.NewOverlay(nil)
	base.Set([]byte("b"), nil)
	top := ledger.NewOverlay(base)
	top.Set([]byte("a"), nil)
	top.Set([]byte("c"), nil)
	stop := errors.New("stop")
	for n := 1; n <= 3; n++ {
		visits := 0
		err := top.Iterate(nil, func(k, v []byte) error {
			if visits++; visits == n {
				return stop
			}
			return nil
		})
		if err != stop || visits != n {
			t.Errorf("stopped at %d: got %v after %d", n, err, visits)
		}
	}
}

// appHash returns the app hash of a whole state in memory. ledger-spec 7
func appHash(o *ledger.Overlay) []byte {
	head, _ := ledger.HeadEntry(ledger.Head{})
	root := tree.Root(func(yield func(key, value []byte) bool) {
		for key, value := range o.Writes() {
			if !bytes.Equal(key, head) && !yield(key, value) {
				return
			}
		}
	})
	return root[:]
}

// broken is a state whose disk fails at the nth read.
type broken struct {
	ledger.Reader
	left int
}

var errBroken = errors.New("the disk is broken")

func (b *broken) Get(key []byte) ([]byte, error) {
	if b.left--; b.left < 0 {
		return nil, errBroken
	}
	return b.Reader.Get(key)
}

// TestBrokenState: a failure to read is neither a refusal of the transaction nor a permission.
func TestBrokenState(t *testing.T) {
	w := newWorld(t, "north")
	w.must(t, "north", sourceBody("north"))
	w.must(t, "north", studiesBody("north", "s1"))
	for name, body := range sampleBodies() {
		if name == "define-source" || name == "define-source, least" {
			continue
		}
		for n := range 2 {
			err := ledger.Check(&broken{w, n}, signed(t, "north", body), w.at)
			if !errors.Is(err, errBroken) || ledger.CodeOf(err) != "" {
				t.Errorf("%s, read %d fails: got %v", name, n, err)
			}
		}
	}
	access := decideAccess("north")
	for n := range 2 {
		d, err := ledger.Decide(w.snapshot(t).On(&broken{w, n}), access)
		if !errors.Is(err, errBroken) || d.Allowed {
			t.Errorf("read %d fails: got %+v, %v", n, d, err)
		}
	}
	if d, err := ledger.Decide(w.snapshot(t).On(&broken{w, 2}), access); err != nil || !d.Allowed {
		t.Errorf("no read fails: got %+v, %v", d, err)
	}
}
