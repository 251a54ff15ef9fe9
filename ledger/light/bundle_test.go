package light_test

import (
	"bytes"
	"slices"
	"testing"

	"collimate/ledger/light"
	"collimate/ledger/tree"
)

func encoded(t testing.TB, b *light.Bundle) []byte {
	t.Helper()
	raw, err := b.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestBundle(t *testing.T) {
	four := set(4)
	b := bundle(40, four, 3)
	raw := encoded(t, b)
	got, err := light.DecodeBundle(raw)
	if err != nil {
		t.Fatal(err)
	}
	trusted, err := got.Verify(genesis(t, four), policy, now(40))
	if err != nil {
		t.Fatal(err)
	}
	if trusted.Height != 40 {
		t.Errorf("height %d, want 40", trusted.Height)
	}
	if string(got.Entries[0].Value) != "value 7" || got.Entries[1].Value != nil {
		t.Errorf("values %q, %v", got.Entries[0].Value, got.Entries[1].Value)
	}
	if again := encoded(t, got); !bytes.Equal(again, raw) {
		t.Error("a decoded bundle encodes to other bytes")
	}
}

// TestBundleOfTwo reaches across a change of all validators but one.
func TestBundleOfTwo(t *testing.T) {
	old := set(4)
	between := ordered([]light.Validator{{Key: publicKey("v1"), Power: 10}, {Key: publicKey("v2"), Power: 10}, {Key: publicKey("v5"), Power: 10}})
	last := ordered([]light.Validator{{Key: publicKey("v5"), Power: 10}, {Key: publicKey("v6"), Power: 1}})
	b := bundle(60, last, 6)
	b.Blocks = append([]light.Block{*signed(unsigned(30, between, between, named("s")), 6)}, b.Blocks...)
	if _, err := b.Verify(genesis(t, old), policy, now(60)); err == nil {
		t.Fatal("a third of the power exactly is trusted")
	}
	between = ordered([]light.Validator{{Key: publicKey("v1"), Power: 10}, {Key: publicKey("v2"), Power: 10}, {Key: publicKey("v5"), Power: 11}})
	b.Blocks[0] = *signed(unsigned(30, between, between, named("s")), 6)
	if _, err := b.Verify(genesis(t, old), policy, now(60)); err != nil {
		t.Fatal(err)
	}
	slices.Reverse(b.Blocks)
	_, err := b.Verify(genesis(t, old), policy, now(60))
	wantCode(t, err, light.CodeNotTrusted)
}

// lie changes an entry of a bundle so that it is not true, or not shown.
type lie struct {
	name   string
	change func(*light.Bundle)
}

func lies() []lie {
	return []lie{
		{"proof of another key", func(b *light.Bundle) { b.Entries[0].Key = []byte("key 8") }},
		{"value changed by a bit", func(b *light.Bundle) { b.Entries[0].Value[0] ^= 1 }},
		{"no value instead of one", func(b *light.Bundle) { b.Entries[0].Value = nil }},
		{"empty value instead of none", func(b *light.Bundle) { b.Entries[1].Value = []byte{} }},
		{"absence of a key that is there", func(b *light.Bundle) { b.Entries[1].Key = []byte("key 7") }},
		{"proof of another state", func(b *light.Bundle) {
			s := entries()
			s["key 50"] = "new"
			b.Entries[0] = s.prove("key 7")
		}},
		{"another leaf beside a value", func(b *light.Bundle) {
			edit(&b.Entries[0], func(p *tree.Proof) { p.Other = &tree.Leaf{Path: named("path"), Value: named("value")} })
		}},
		{"a sibling too many", func(b *light.Bundle) {
			edit(&b.Entries[0], func(p *tree.Proof) { p.Siblings = append(make([]byte, 31), append([]byte{1}, p.Siblings...)...) })
		}},
		{"an empty sibling that is written out", func(b *light.Bundle) {
			b.Entries[0] = entries().prove("key 0") // whose sibling is empty at one level
			edit(&b.Entries[0], fillGap)
		}},
		{"proof that is none", func(b *light.Bundle) { b.Entries[0].Proof = []byte{0} }},
	}
}

// edit changes the proof of an entry, which may be none afterwards.
func edit(e *light.Entry, change func(*tree.Proof)) {
	var p tree.Proof
	if err := p.UnmarshalBinary(e.Proof); err != nil {
		panic(err)
	}
	change(&p)
	raw, err := p.MarshalBinary()
	if err != nil {
		panic(err)
	}
	e.Proof = raw
}

// fillGap gives a proof the hash of the first sibling that is empty.
func fillGap(p *tree.Proof) {
	for i := range int(p.Depth) {
		if p.Bitmap[i/8]&(0x80>>(i%8)) == 0 {
			p.Bitmap[i/8] |= 0x80 >> (i % 8)
			p.Siblings = slices.Insert(p.Siblings, 32*i, make([]byte, 32)...)
			return
		}
	}
	panic("the proof has no gap")
}

func TestWrongProofs(t *testing.T) {
	four := set(4)
	for _, test := range lies() {
		b := bundle(9, four, 4)
		test.change(b)
		_, err := b.Verify(genesis(t, four), policy, now(9))
		if got := light.CodeOf(err); got != light.CodeWrongProof {
			t.Errorf("%s: got %v, want %s", test.name, err, light.CodeWrongProof)
		}
	}
}

// TestEveryBit flips each bit of a bundle. What is accepted then is true: another key that is absent too, and ends
// in the same empty place.
func TestEveryBit(t *testing.T) {
	four := set(4)
	raw := encoded(t, bundle(9, four, 3))
	trusted := genesis(t, four)
	for i := range len(raw) * 8 {
		raw[i/8] ^= 1 << (i % 8)
		if b, err := light.DecodeBundle(raw); err == nil {
			if _, err := b.Verify(trusted, policy, now(9)); err == nil {
				if other := string(b.Entries[1].Key); other == "key 41" || entries()[other] != "" || b.Entries[1].Value != nil {
					t.Errorf("bit %d of byte %d of %d can be flipped", i%8, i/8, len(raw))
				}
			}
		}
		raw[i/8] ^= 1 << (i % 8)
	}
	for n := range raw {
		if _, err := light.DecodeBundle(raw[:n]); err == nil {
			t.Errorf("the first %d of %d bytes are a bundle", n, len(raw))
		}
	}
}

func TestBundleBounds(t *testing.T) {
	four := set(4)
	for _, test := range []struct {
		name   string
		change func(*light.Bundle)
		ok     bool
	}{
		{"most blocks", func(b *light.Bundle) { b.Blocks = slices.Repeat(b.Blocks, light.MaxBlocks) }, true},
		{"too many blocks", func(b *light.Bundle) { b.Blocks = slices.Repeat(b.Blocks, light.MaxBlocks+1) }, false},
		{"no block", func(b *light.Bundle) { b.Blocks = nil }, false},
		{"most entries", func(b *light.Bundle) { b.Entries = slices.Repeat(b.Entries, light.MaxEntries/2) }, true},
		{"too many entries", func(b *light.Bundle) { b.Entries = append(slices.Repeat(b.Entries, light.MaxEntries/2), b.Entries[0]) }, false},
		{"no entry", func(b *light.Bundle) { b.Entries = nil }, false},
		{"no key", func(b *light.Bundle) { b.Entries[0].Key = nil }, false},
		{"long key", func(b *light.Bundle) { b.Entries[0].Key = make([]byte, light.MaxKeyBytes+1) }, false},
		{"no proof", func(b *light.Bundle) { b.Entries[0].Proof = nil }, false},
		{"long proof", func(b *light.Bundle) { b.Entries[0].Proof = make([]byte, tree.MaxProofBytes+1) }, false},
	} {
		b := bundle(9, four, 4)
		test.change(b)
		_, err := b.Verify(genesis(t, four), policy, now(9))
		if refused := light.CodeOf(err) == light.CodeOutOfBounds; refused == test.ok {
			t.Errorf("%s: verifying gives %v", test.name, err)
		}
		if _, err := b.Encode(); (err == nil) != test.ok {
			t.Errorf("%s: encoding gives %v", test.name, err)
		}
	}
	_, err := light.DecodeBundle(make([]byte, light.MaxBundleBytes+1))
	wantCode(t, err, light.CodeTooLarge)
	_, err = light.DecodeBlock(make([]byte, light.MaxBlockBytes+1))
	wantCode(t, err, light.CodeTooLarge)
}
