package tree_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"testing"

	"collimate/ledger/tree"
)

// world returns a tree over fifty keys.
func world(t testing.TB) (tr *tree.Tree, s state) {
	t.Helper()
	s = state{}
	for i := range 50 {
		s[fmt.Sprint("key", i)] = fmt.Append(nil, "value", i)
	}
	m := memory{}
	return update(t, load(t, m), m, s), s
}

// TestForms: of several ways to say the same, one is taken.
func TestForms(t *testing.T) {
	tr, s := world(t)
	member := prove(t, tr, "key7")
	var empty, other *tree.Proof
	var emptyKey, otherKey string
	for i := 0; empty == nil || other == nil; i++ {
		key := fmt.Sprint("absent", i)
		if p := prove(t, tr, key); p.Other == nil {
			empty, emptyKey = p, key
		} else {
			other, otherKey = p, key
		}
	}
	value := s["key7"]
	zero := make([]byte, 32)
	cases := []struct {
		name  string
		key   string
		value []byte
		from  *tree.Proof
		edit  func(*tree.Proof)
		good  bool
	}{
		{"member", "key7", value, member, func(*tree.Proof) {}, true},
		{"empty place", emptyKey, nil, empty, func(*tree.Proof) {}, true},
		{"other leaf", otherKey, nil, other, func(*tree.Proof) {}, true},
		{"a level more, empty", "key7", value, member, func(p *tree.Proof) { p.Depth++ }, false},
		{"a level less", "key7", value, member, func(p *tree.Proof) { p.Depth-- }, false},
		{"a byte of bitmap more", "key7", value, member, func(p *tree.Proof) { p.Bitmap = append(p.Bitmap, 0) }, false},
		{"a bit behind the last level", "key7", value, member, func(p *tree.Proof) { p.Bitmap[len(p.Bitmap)-1] |= 1 }, false},
		{"an empty sibling said to be none", "key7", value, member, func(p *tree.Proof) {
			p.Siblings = append(p.Siblings, zero...)
		}, false},
		{"a bit behind the last level, and a sibling for it", "key7", value, member, func(p *tree.Proof) {
			p.Bitmap[len(p.Bitmap)-1] |= 1
			p.Siblings = append(bytes.Repeat([]byte{1}, 32), p.Siblings...)
		}, false},
		{"257 levels", "key7", value, member, func(p *tree.Proof) {
			p.Depth, p.Bitmap = 257, append(make([]byte, 32), 0x80)
			p.Siblings = zero
		}, false},
		{"a member with another leaf", "key7", value, member, func(p *tree.Proof) { p.Other = other.Other }, false},
		{"a member shown absent by its own leaf", "key7", nil, member, func(p *tree.Proof) {
			l := tree.NewLeaf([]byte("key7"), value)
			p.Other = &l
		}, false},
		{"a member shown absent", "key7", nil, member, func(*tree.Proof) {}, false},
		{"the other leaf left out", otherKey, nil, other, func(p *tree.Proof) { p.Other = nil }, false},
		{"the proof of another key", "key8", s["key8"], member, func(*tree.Proof) {}, false},
	}
	for _, c := range cases {
		p := tree.Proof{Bitmap: bytes.Clone(c.from.Bitmap), Depth: c.from.Depth, Siblings: bytes.Clone(c.from.Siblings), Other: c.from.Other}
		c.edit(&p)
		if err := p.Verify(tr.Root(), []byte(c.key), c.value); (err == nil) != c.good || err != nil && !errors.Is(err, tree.ErrProof) {
			t.Errorf("%s: got %v, want good=%v", c.name, err, c.good)
		}
	}
}

// TestOtherPlace: a leaf proves nothing about keys whose place it is not in.
func TestOtherPlace(t *testing.T) {
	tr, s := world(t)
	for k := range s {
		if p := prove(t, tr, k); p.Verify(tr.Root(), []byte(k), nil) == nil {
			t.Fatalf("%s is shown absent", k)
		}
		for o, v := range s {
			if o == k {
				continue
			}
			// The leaf of o, by the way of o, as if it stood in the place of k.
			p := prove(t, tr, o)
			l := tree.NewLeaf([]byte(o), v)
			p.Other = &l
			if p.Verify(tr.Root(), []byte(k), nil) == nil {
				t.Fatalf("%s is shown absent by %s", k, o)
			}
		}
	}
}

// TestMisplaced: under a root that no state has, with a leaf in a place that is not its own, that leaf proves nothing.
func TestMisplaced(t *testing.T) {
	l, key := tree.NewLeaf([]byte("a"), nil), "b"
	for i := 0; tree.Path([]byte(key))[0]>>7 == l.Path[0]>>7; i++ {
		key = fmt.Sprint("b", i)
	}
	sibling := bytes.Repeat([]byte{1}, 32)
	hash := l.Hash()
	left, right := hash[:], sibling
	if tree.Path([]byte(key))[0]>>7 == 1 {
		left, right = right, left
	}
	root := sha256.Sum256(slices.Concat([]byte{1}, left, right))
	p := tree.Proof{Bitmap: []byte{0x80}, Depth: 1, Siblings: sibling, Other: &l}
	if err := p.Verify(root, []byte(key), nil); !errors.Is(err, tree.ErrProof) {
		t.Errorf("got %v", err)
	}
}

// TestGaps: where the sibling is empty there is one way to say so.
func TestGaps(t *testing.T) {
	a, b := neighbours(10_000)
	m := memory{}
	tr := update(t, load(t, m), m, state{a: {1}, b: {2}})
	p := prove(t, tr, a)
	if p.Depth < 16 || len(p.Siblings) != 32 {
		t.Fatalf("depth %d, %d bytes of siblings", p.Depth, len(p.Siblings))
	}
	p.Bitmap[0] |= 0x80
	p.Siblings = append(make([]byte, 32), p.Siblings...)
	if err := p.Verify(tr.Root(), []byte(a), []byte{1}); !errors.Is(err, tree.ErrProof) {
		t.Errorf("got %v", err)
	}
}

// TestEmptyTree: of nothing everything is absent.
func TestEmptyTree(t *testing.T) {
	tr := load(t, memory{})
	if tr.Root() != (tree.Hash{}) {
		t.Errorf("root %x", tr.Root())
	}
	p := prove(t, tr, "k")
	if err := p.Verify(tree.Hash{}, []byte("k"), nil); err != nil {
		t.Error(err)
	}
	if err := p.Verify(tree.Hash{}, []byte("k"), []byte{}); err == nil {
		t.Error("an empty value is shown in an empty tree")
	}
	one := sha256.Sum256([]byte("x"))
	if err := p.Verify(one, []byte("k"), nil); err == nil {
		t.Error("holds for another root")
	}
}

func TestDecodeStrictly(t *testing.T) {
	tr, _ := world(t)
	good, err := prove(t, tr, "key7").MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string][]byte{
		"nothing":                {},
		"a byte more":            append(bytes.Clone(good), 0),
		"a byte less":            good[:len(good)-1],
		"a map":                  {0xa0},
		"an empty list":          {0x80},
		"three elements":         slices.Concat([]byte{0x83}, good[1:len(good)-1]),
		"five elements":          slices.Concat([]byte{0x85}, good[1:], []byte{0xf6}),
		"a long head":            slices.Concat([]byte{0x98, 4}, good[1:]),
		"indefinite":             slices.Concat([]byte{0x9f}, good[1:], []byte{0xff}),
		"null for the bitmap":    {0x84, 0xf6, 0, 0x40, 0xf6},
		"null for depth":         {0x84, 0x40, 0xf6, 0x40, 0xf6},
		"negative depth":         {0x84, 0x40, 0x20, 0x40, 0xf6},
		"undefined for other":    {0x84, 0x40, 0, 0x40, 0xf7},
		"other of one":           {0x84, 0x40, 0, 0x40, 0x81, 0x40},
		"other of short strings": {0x84, 0x40, 0, 0x40, 0x82, 0x40, 0x40},
		"siblings by the list":   {0x84, 0x40, 0, 0x80, 0xf6},
		"too long":               make([]byte, tree.MaxProofBytes+1),
		"many":                   {0x84, 0x5b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
	} {
		if err := new(tree.Proof).UnmarshalBinary(b); !errors.Is(err, tree.ErrProof) {
			t.Errorf("%s: got %v, want %v", name, err, tree.ErrProof)
		}
	}
	if err := new(tree.Proof).UnmarshalBinary([]byte{0x84, 0x40, 0, 0x40, 0xf6}); err != nil {
		t.Errorf("the least proof: %v", err)
	}
}

// FuzzProof: whatever decodes encodes to the same bytes, and no other bytes than those that Prove makes show
// anything about a state.
func FuzzProof(f *testing.F) {
	tr, s := world(f)
	proofs := map[string][]byte{}
	for i := range 60 { // the last ten are absent
		key := fmt.Sprint("key", i)
		b, err := prove(f, tr, key).MarshalBinary()
		if err != nil {
			f.Fatal(err)
		}
		proofs[key] = b
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var p tree.Proof
		if p.UnmarshalBinary(b) != nil {
			return
		}
		if again, err := p.MarshalBinary(); err != nil || !bytes.Equal(again, b) {
			t.Fatalf("encodes to %x, %v", again, err)
		}
		for key, honest := range proofs {
			for _, value := range [][]byte{nil, {}, s[key], []byte("other")} {
				err := p.Verify(tr.Root(), []byte(key), value)
				right := bytes.Equal(b, honest) && (value == nil) == (s[key] == nil) && bytes.Equal(value, s[key])
				if (err == nil) != right {
					t.Fatalf("%s = %q: got %v, want right=%v", key, value, err, right)
				}
			}
		}
	})
}
