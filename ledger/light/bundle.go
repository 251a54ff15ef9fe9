package light

import (
	"fmt"
	"time"

	"collimate/ledger/tree"
)

// Bundle is an answer that can be checked: blocks that lead from what a client trusts to a header, and what the
// state that this header commits to holds. The header of block H+1 commits to the state after block H.
// ledger-spec 8.4
type Bundle struct {
	_       struct{} `cbor:",toarray"`
	Blocks  []Block
	Entries []Entry
}

// Entry says that a key of the state has a value, or that it has none.
type Entry struct {
	_     struct{} `cbor:",toarray"`
	Key   []byte
	Value []byte // nil: the key is absent
	Proof []byte // a tree.Proof, encoded. ledger-spec 7.3
}

// DecodeBundle decodes a bundle. It has been checked for its form and for nothing else.
func DecodeBundle(b []byte) (*Bundle, error) {
	var bundle Bundle
	if err := decodeExact(b, &bundle, "bundle", MaxBundleBytes); err != nil {
		return nil, err
	}
	return &bundle, bundle.bounds()
}

// Encode returns what DecodeBundle decodes.
func (b *Bundle) Encode() ([]byte, error) {
	if err := b.bounds(); err != nil {
		return nil, err
	}
	return encodeValid(b, "bundle", MaxBundleBytes)
}

func (b *Bundle) bounds() error {
	if n := len(b.Blocks); n == 0 || n > MaxBlocks {
		return refuse(CodeOutOfBounds, "there are %d blocks, want 1 to %d", n, MaxBlocks)
	}
	if n := len(b.Entries); n == 0 || n > MaxEntries {
		return refuse(CodeOutOfBounds, "there are %d entries, want 1 to %d", n, MaxEntries)
	}
	for i := range b.Blocks {
		if err := b.Blocks[i].bounds(); err != nil {
			return err
		}
	}
	for i, e := range b.Entries {
		if n := len(e.Key); n == 0 || n > MaxKeyBytes {
			return refuse(CodeOutOfBounds, "the key of entry %d has %d bytes, want 1 to %d", i+1, n, MaxKeyBytes)
		}
		if n := len(e.Proof); n == 0 || n > tree.MaxProofBytes {
			return refuse(CodeOutOfBounds, "the proof of entry %d has %d bytes, want 1 to %d", i+1, n, tree.MaxProofBytes)
		}
	}
	return nil
}

// Verify verifies the blocks one after the other, beginning with what t trusts, and every entry against the app
// hash of the last. It returns what may be trusted instead of t. The entries held after block Height-1 of it, at
// a chain time before its Time; whether that is recent enough is for the caller to decide, as a node can always
// show an old state.
func (b *Bundle) Verify(t Trusted, p Policy, now time.Time) (Trusted, error) {
	if err := b.bounds(); err != nil {
		return Trusted{}, err
	}
	for i := range b.Blocks {
		next, err := t.Verify(&b.Blocks[i], p, now)
		if err != nil {
			return Trusted{}, err
		}
		t = next
	}
	for i, e := range b.Entries {
		if err := e.verify(t.AppHash); err != nil {
			return Trusted{}, &Error{Code: CodeWrongProof, Detail: fmt.Sprintf("verifying entry %d", i+1), Err: err}
		}
	}
	return t, nil
}

func (e *Entry) verify(root Hash) error {
	var p tree.Proof
	if err := p.UnmarshalBinary(e.Proof); err != nil {
		return err
	}
	return p.Verify(root, e.Key, e.Value)
}
