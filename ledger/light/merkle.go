package light

import (
	"crypto/sha256"
	"math/bits"
)

// merkleRoot returns the Merkle tree hash of one or more leaves. RFC 6962 section 2.1
func merkleRoot(leaves [][]byte) Hash {
	if len(leaves) == 1 {
		return sha256.Sum256(append([]byte{0}, leaves[0]...))
	}
	// The left part is the largest power of two below the number of leaves.
	split := 1 << (bits.Len(uint(len(leaves)-1)) - 1)
	left, right := merkleRoot(leaves[:split]), merkleRoot(leaves[split:])
	b := append([]byte{1}, left[:]...)
	return sha256.Sum256(append(b, right[:]...))
}
