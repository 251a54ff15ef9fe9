// Package tree is the hash tree over the state of a ledger: its root is the app hash, and a few siblings prove to
// anybody that a key has a value or that it has none. ledger-spec 7
//
// It is a binary tree of 256 levels over the SHA-256 of the keys, in which a subtree of one leaf is that leaf and an
// empty subtree is 32 zero bytes. So the root depends on the set of keys and values alone: not on their history, on
// how writes were gathered into blocks, nor on how the tree is stored.
//
//	path = SHA-256(key)        leaf  = SHA-256(0x00 || path || SHA-256(value))
//	                           inner = SHA-256(0x01 || left || right)
//
// What is stored are small entries beside the state: one for each leaf, and one for each subtree that is worth
// remembering, which are those at a depth of 20 bits, and below that those at every fourth bit whose parent, four
// bits up, has more than bucketLeaves leaves. The hashes between are computed as needed, those above stay in memory:
//
//	depth 0 ... 20   in memory, 72 MB at most            node  0xf1 depth/4 prefix -> leaves, hash
//	depth 24 ...     stored where there are many leaves
//	at most 32 leaves: scanned and hashed               leaf  0xf2 prefix path    -> SHA-256(value)
//
// Up to 30 million records a write costs one short scan and two small entries, and beyond that one more of each for
// sixteen times as many. Pages of hashes that are rewritten at each change would cost a kilobyte each
// (docs/adr/0006-state-tree.md).
//
// The package is pure: entries are read through Reader and handed to the caller to be written. A Tree is one version,
// immutable, and may be used concurrently.
package tree
