package tree

import (
	"bytes"
	"crypto/sha256"
	"iter"
	"math/bits"
	"slices"
	"sort"
)

// Hash is a SHA-256, or 32 zero bytes for a subtree without leaves. A path is one too; its bits are counted from
// the most significant one of the first byte.
type Hash = [32]byte

// Path returns the place of a key in the tree.
func Path(key []byte) Hash { return sha256.Sum256(key) }

// Leaf is what the tree holds of a key and its value.
type Leaf struct {
	_     struct{} `cbor:",toarray"`
	Path  Hash
	Value Hash // of the value
}

// NewLeaf returns the leaf of a key and its value.
func NewLeaf(key, value []byte) Leaf { return Leaf{Path: Path(key), Value: sha256.Sum256(value)} }

// Hash returns the hash of the leaf.
func (l *Leaf) Hash() Hash {
	var b [1 + 32 + 32]byte
	copy(b[1:], l.Path[:])
	copy(b[33:], l.Value[:])
	return sha256.Sum256(b[:])
}

func inner(left, right *Hash) Hash {
	b := [1 + 32 + 32]byte{0: 1}
	copy(b[1:], left[:])
	copy(b[33:], right[:])
	return sha256.Sum256(b[:])
}

// Subtree is what stands under a prefix: how many leaves, and their hash. Whether there are none, one or more decides how it is
// joined with another; how many more is not in the hash.
type Subtree struct {
	Leaves uint64
	Hash   Hash
}

// Join returns the subtree that has these two below it. Empty beside at most one leaf adds no level.
func Join(left, right Subtree) Subtree {
	switch {
	case left.Leaves == 0 && right.Leaves <= 1:
		return right
	case right.Leaves == 0 && left.Leaves <= 1:
		return left
	}
	return Subtree{left.Leaves + right.Leaves, inner(&left.Hash, &right.Hash)}
}

// Fold joins the 2^n subtrees under all prefixes of n bits, in their order. It overwrites them.
func Fold(subtrees []Subtree) Subtree {
	for n := len(subtrees); n > 1; n /= 2 {
		for i := range n / 2 {
			subtrees[i] = Join(subtrees[2*i], subtrees[2*i+1])
		}
	}
	return subtrees[0]
}

// under returns the subtree of leaves that agree in their first depth bits. They are in strictly ascending order of paths.
func under(leaves []Leaf, depth int) Subtree {
	switch len(leaves) {
	case 0:
		return Subtree{}
	case 1:
		return Subtree{1, leaves[0].Hash()}
	}
	right := firstRight(leaves, depth)
	return Join(under(leaves[:right], depth+1), under(leaves[right:], depth+1))
}

// firstRight returns the index of the first of the leaves whose path goes right at a depth.
func firstRight(leaves []Leaf, depth int) int {
	return sort.Search(len(leaves), func(i int) bool { return bit(&leaves[i].Path, depth) == 1 })
}

// Root returns the hash of a whole state, given as keys and values in any order without duplicates. A nil value is a deleted key, and no
// leaf. Trees that change are cheaper by Update.
func Root(state iter.Seq2[[]byte, []byte]) Hash {
	var leaves []Leaf
	for key, value := range state {
		if value != nil {
			leaves = append(leaves, NewLeaf(key, value))
		}
	}
	slices.SortFunc(leaves, byPath)
	return under(leaves, 0).Hash
}

func byPath(a, b Leaf) int { return bytes.Compare(a.Path[:], b.Path[:]) }

// bit returns the bit of a path that decides which way it goes at a depth: 0 left, 1 right.
func bit(path *Hash, depth int) int { return int(path[depth/8]>>(7-depth%8)) & 1 }

// nibble returns the four bits of a path from a depth on, which is a multiple of four.
func nibble(path *Hash, depth int) int { return int(path[depth/8]>>(4-depth%8)) & 15 }

// common returns the number of bits in which two paths agree from the beginning.
func common(a, b *Hash) int {
	for i := range a {
		if x := a[i] ^ b[i]; x != 0 {
			return 8*i + bits.LeadingZeros8(x)
		}
	}
	return maxDepth
}

// span returns the least and the greatest path that agree with path in the first depth bits.
func span(path Hash, depth int) (first, last Hash) {
	for i := range path {
		mask := byte(0xff) >> min(8, max(0, depth-8*i))
		first[i], last[i] = path[i]&^mask, path[i]|mask
	}
	return first, last
}

// child returns the prefix of a subtree's child, one step down.
func child(prefix Hash, depth, n int) Hash {
	prefix[depth/8] |= byte(n << (4 - depth%8))
	return prefix
}

// sum folds the children of a node.
func sum(children *fan) Subtree {
	work := *children
	return Fold(work[:])
}
