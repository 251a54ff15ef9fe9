package tree

import (
	"errors"
	"fmt"
	"math/bits"

	"collimate/detcbor"
)

// ErrProof is returned for a proof that does not show what it is to show.
var ErrProof = errors.New("the state proof does not hold")

// Proof shows that a key has a value in a state, or that it has none: it is the way from the place of the key, Depth levels down,
// to the root. There is one for each key and state. ledger-spec 7.3
type Proof struct {
	_        struct{} `cbor:",toarray"`
	Bitmap   []byte   // a bit for each level from the root on, 1 where the sibling has leaves; then zeros
	Depth    uint64   // levels
	Siblings []byte   // the hashes of those that have leaves, from the root on
	// Other is the leaf that stands in the place of a key that is absent; nil if there is none, or if the key is present.
	Other *Leaf
}

// Prove returns the proof of a key, present or absent.
func (t *Tree) Prove(key []byte) (*Proof, error) {
	path := Path(key)
	p := &Proof{}
	node, page := t.sum, t.top
	depth := 0
	for ; node.Leaves > bucketLeaves || node.Leaves > 1 && depth < topDepth; depth += step {
		var nodes fan
		var err error
		if depth < topDepth {
			nodes, page = page.children, page.pages[nibble(&path, depth)]
		} else if nodes, err = children(t.r, path, depth, node); err != nil {
			return nil, fmt.Errorf("proving a key: %w", err)
		}
		if node = p.descend(&nodes, &path); node.Leaves <= 1 {
			break
		}
	}
	if node.Leaves == 0 {
		return p, nil
	}
	list, err := leaves(t.r, nil, path, int(p.Depth), node)
	if err != nil {
		return nil, fmt.Errorf("proving a key: %w", err)
	}
	for len(list) > 1 {
		right := firstRight(list, int(p.Depth))
		left := list[:right]
		list = list[right:]
		if bit(&path, int(p.Depth)) == 0 {
			left, list = list, left
		}
		p.add(under(left, int(p.Depth)+1))
	}
	if len(list) == 1 && list[0].Path != path {
		p.Other = &list[0]
	}
	return p, nil
}

// descend goes down one step, or until at most one leaf is left, and returns what is there.
func (p *Proof) descend(below *fan, path *Hash) Subtree {
	within := below[:]
	for {
		half := len(within) / 2
		near, far := within[:half], within[half:]
		if bit(path, int(p.Depth)) == 1 {
			near, far = far, near
		}
		p.add(Fold(far))
		if half == 1 {
			return near[0]
		}
		work := [1 << (step - 1)]Subtree{}
		if node := Fold(work[:copy(work[:], near)]); node.Leaves <= 1 {
			return node
		}
		within = near
	}
}

// add adds the sibling one level further down.
func (p *Proof) add(sibling Subtree) {
	if p.Depth%8 == 0 {
		p.Bitmap = append(p.Bitmap, 0)
	}
	if sibling.Leaves > 0 {
		p.Bitmap[p.Depth/8] |= 0x80 >> (p.Depth % 8)
		p.Siblings = append(p.Siblings, sibling.Hash[:]...)
	}
	p.Depth++
}

// Verify checks that under this root a key has a value or, if value is nil, that it has none. An error wraps ErrProof.
func (p *Proof) Verify(root Hash, key, value []byte) error {
	if err := p.check(); err != nil {
		return err
	}
	path := Path(key)
	var hash Hash
	switch {
	case value != nil && p.Other != nil:
		return fmt.Errorf("%w: it is one of absence", ErrProof)
	case value != nil:
		leaf := NewLeaf(key, value)
		hash = leaf.Hash()
	case p.Other != nil:
		if p.Other.Path == path {
			return fmt.Errorf("%w: the key is there", ErrProof)
		}
		if common(&p.Other.Path, &path) < int(p.Depth) {
			return fmt.Errorf("%w: the other leaf is not in the place of the key", ErrProof)
		}
		hash = p.Other.Hash()
	}
	siblings := p.Siblings
	for depth := int(p.Depth) - 1; depth >= 0; depth-- {
		var sibling Hash
		if p.Bitmap[depth/8]&(0x80>>(depth%8)) != 0 {
			sibling = Hash(siblings[len(siblings)-32:])
			siblings = siblings[:len(siblings)-32]
		}
		if bit(&path, depth) == 0 {
			hash = inner(&hash, &sibling)
		} else {
			hash = inner(&sibling, &hash)
		}
	}
	if hash != root {
		return fmt.Errorf("%w: it leads to another root", ErrProof)
	}
	return nil
}

// check checks the form. The last sibling has leaves: without it the level would not be there, and one key would have several proofs.
func (p *Proof) check() error {
	if p.Depth > maxDepth {
		return fmt.Errorf("%w: %d levels, want at most %d", ErrProof, p.Depth, maxDepth)
	}
	depth := int(p.Depth)
	if len(p.Bitmap) != (depth+7)/8 {
		return fmt.Errorf("%w: a bitmap of %d bytes for %d levels", ErrProof, len(p.Bitmap), depth)
	}
	ones := 0
	for _, b := range p.Bitmap {
		ones += bits.OnesCount8(b)
	}
	if depth > 0 && bits.TrailingZeros8(p.Bitmap[len(p.Bitmap)-1]) != 7-(depth-1)%8 {
		return fmt.Errorf("%w: the bitmap does not end in the last level", ErrProof)
	}
	if len(p.Siblings) != 32*ones {
		return fmt.Errorf("%w: %d bytes of siblings, want %d", ErrProof, len(p.Siblings), 32*ones)
	}
	for i := 0; i < len(p.Siblings); i += 32 {
		if Hash(p.Siblings[i:]) == (Hash{}) {
			return fmt.Errorf("%w: a sibling is empty", ErrProof)
		}
	}
	return nil
}

// format is the encoding of proofs, which are lists of four within which there is one of two. ledger-spec 7.3
var format = detcbor.New(detcbor.Limits{Depth: 4, Elements: 16, Pairs: 16})

// MarshalBinary encodes the proof in deterministic CBOR.
func (p *Proof) MarshalBinary() ([]byte, error) { return format.Encode((*encoded)(p)) }

// UnmarshalBinary decodes a proof and checks its form. It refuses any other encoding than that of MarshalBinary.
func (p *Proof) UnmarshalBinary(b []byte) error {
	if len(b) > MaxProofBytes {
		return fmt.Errorf("%w: %d bytes, want at most %d", ErrProof, len(b), MaxProofBytes)
	}
	var got Proof
	if err := format.DecodeExact(b, (*encoded)(&got)); err != nil {
		return fmt.Errorf("%w: decoding it: %w", ErrProof, err)
	}
	if err := got.check(); err != nil {
		return err
	}
	*p = got
	return nil
}

// encoded is a Proof without methods, or the encoder would call MarshalBinary.
type encoded Proof
