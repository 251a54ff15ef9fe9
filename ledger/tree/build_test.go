package tree_test

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"

	"collimate/ledger/tree"
)

// TestBuild: a tree built part by part has the entries of one that was updated.
func TestBuild(t *testing.T) {
	s := state{}
	for _, k := range crowd() {
		s[k] = []byte("crowd")
	}
	for i := range 300 {
		s[fmt.Sprint("key", i)] = fmt.Append(nil, i)
	}
	m := memory{}
	tr := update(t, load(t, m), m, s)
	for _, n := range []int{0, 1, 5, 8, 12, 16} {
		parts := make([][]tree.Leaf, 1<<n)
		for k, v := range s {
			leaf := tree.NewLeaf([]byte(k), v)
			i := (int(leaf.Path[0])<<8 | int(leaf.Path[1])) >> (16 - n)
			parts[i] = append(parts[i], leaf)
		}
		built := memory{}
		want := tr.Subtrees(n)
		for i, leaves := range parts {
			at := i << (16 - n)
			got, err := tree.Build(leaves, tree.Hash{byte(at >> 8), byte(at)}, n, built.set)
			if err != nil {
				t.Fatal(err)
			}
			if got != want[i] {
				t.Fatalf("part %d of %d: got %v, want %v", i, len(parts), got, want[i])
			}
		}
		if !maps.EqualFunc(m, built, bytes.Equal) {
			t.Fatalf("%d bits: other entries than those of an update", n)
		}
	}
	if got, err := tree.Check(m, m); err != nil || got.Hash != tr.Root() || got.Leaves != tr.Leaves() {
		t.Errorf("checked: got %v, %v", got, err)
	}
}

func TestBuildRefuses(t *testing.T) {
	a, b := tree.NewLeaf([]byte("a"), nil), tree.NewLeaf([]byte("b"), nil)
	set := memory{}.set
	if _, err := tree.Build([]tree.Leaf{a, b, a}, tree.Hash{}, 0, set); err == nil {
		t.Error("a path twice is accepted")
	}
	elsewhere := a.Path
	elsewhere[0] ^= 0x80
	if _, err := tree.Build([]tree.Leaf{a}, elsewhere, 1, set); err == nil {
		t.Error("a leaf elsewhere is accepted")
	}
}

// TestCheck: each entry that is missing, changed or too many is found.
func TestCheck(t *testing.T) {
	s := state{}
	for _, k := range crowd()[:60] {
		s[k] = []byte("v")
	}
	whole := memory{}
	root := update(t, load(t, whole), whole, s).Root()
	sound := func(m memory) bool {
		got, err := tree.Check(m, m)
		if err != nil && !errors.Is(err, tree.ErrDamaged) {
			t.Fatal(err)
		}
		return err == nil && got.Hash == root
	}
	if !sound(whole) {
		t.Fatal("a sound tree is not found sound")
	}
	for _, k := range slices.Sorted(maps.Keys(whole)) {
		m := maps.Clone(whole)
		v := bytes.Clone(m[k])
		v[len(v)-1] ^= 1
		m[k] = v
		if sound(m) {
			t.Errorf("entry %x changed: not found", k)
		}
		delete(m, k)
		if sound(m) {
			t.Errorf("entry %x gone: not found", k)
		}
		m[k] = whole[k]
		other := []byte(k)
		other[len(other)-1] ^= 1
		m[string(other)] = whole[k]
		if sound(m) {
			t.Errorf("entry %x twice: not found", k)
		}
	}
}
