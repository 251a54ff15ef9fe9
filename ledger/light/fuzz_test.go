package light_test

import (
	"bytes"
	"testing"

	"collimate/ledger/light"
)

// FuzzDecodeBundle looks for bytes that are decoded and encode to others, and for a verifier that does not end.
func FuzzDecodeBundle(f *testing.F) {
	four := set(4)
	f.Add(encoded(f, bundle(9, four, 4)))
	f.Add(encoded(f, bundle(1, set(1), 1)))
	f.Add([]byte{0x82, 0x80, 0x80})
	f.Add([]byte{0x82, 0xf6, 0xf6})
	trusted := genesis(f, four)
	f.Fuzz(func(t *testing.T, raw []byte) {
		b, err := light.DecodeBundle(raw)
		if err != nil {
			if light.CodeOf(err) == "" {
				t.Fatalf("an error without a code: %v", err)
			}
			return
		}
		again, err := b.Encode()
		if err != nil || !bytes.Equal(again, raw) {
			t.Fatalf("%x is decoded and encodes to %x, %v", raw, again, err)
		}
		if _, err := b.Verify(trusted, policy, now(9)); err != nil && light.CodeOf(err) == "" {
			t.Fatalf("an error without a code: %v", err)
		}
	})
}

func FuzzDecodeBlock(f *testing.F) {
	for _, n := range []int{1, 4} {
		raw, err := signed(unsigned(3, set(n), set(n), named("state")), n).Encode()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		b, err := light.DecodeBlock(raw)
		if err != nil {
			return
		}
		if again, err := b.Encode(); err != nil || !bytes.Equal(again, raw) {
			t.Fatalf("%x is decoded and encodes to %x, %v", raw, again, err)
		}
	})
}
