package tree

const (
	// maxDepth is the number of levels: the bits of a path. Only a collision of SHA-256 would need more.
	maxDepth = 256
	// step is the number of levels from one stored node to those below it: 16 of them, 0.7 KB, make one scan.
	step = 4
	// topDepth is the depth down to which nodes are kept in memory: a million of 40 bytes and those above them.
	topDepth = 20
	// bucketLeaves is the number of leaves that are hashed anew rather than divided: 63 hashes of about 0.1 us, less than
	// to look up one more node. The layout depends on it, the root does not.
	bucketLeaves = 32
	// MaxProofBytes bounds an encoded Proof: 256 siblings, their bitmap and another leaf. One of 10 million records takes
	// about 900 bytes.
	MaxProofBytes = 8<<10 + 128
)
