package ledger_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"collimate/ledger"
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

// TestAppHash: every difference in what is written shows, and the order of writing does not.
func TestAppHash(t *testing.T) {
	make := func(kv ...string) *ledger.Overlay {
		o := ledger.NewOverlay(nil)
		for i := 0; i < len(kv); i += 2 {
			if kv[i+1] == "deleted" {
				o.Delete([]byte(kv[i]))
			} else {
				o.Set([]byte(kv[i]), []byte(kv[i+1]))
			}
		}
		return o
	}
	one := make("a", "1", "b", "2").AppHash(nil)
	if again := make("b", "0", "b", "2", "a", "1").AppHash(nil); !bytes.Equal(one, again) {
		t.Error("the order of writing shows in the app hash")
	}
	seen := map[string]string{}
	for name, h := range map[string][]byte{
		"as it is":         one,
		"another value":    make("a", "1", "b", "3").AppHash(nil),
		"another key":      make("a", "1", "c", "2").AppHash(nil),
		"a byte moved":     make("a1", "", "b", "2").AppHash(nil),
		"deleted":          make("a", "deleted", "b", "2").AppHash(nil),
		"empty":            make("a", "", "b", "2").AppHash(nil),
		"one less":         make("b", "2").AppHash(nil),
		"another previous": make("a", "1", "b", "2").AppHash(one),
	} {
		if other, ok := seen[string(h)]; ok {
			t.Errorf("%s and %s have the same app hash", name, other)
		}
		seen[string(h)] = name
	}
	if got := make().AppHash(one); !bytes.Equal(got, one) {
		t.Error("a block that writes nothing changed the app hash")
	}
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
	w.must(t, "north", sourceBody("north", 1))
	w.must(t, "north", ledger.DefineStudy{Studies: []ledger.StudyDefinition{{Study: studyOf("s1"), Owner: owner("north")}}})
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
