package config

import "time"

const (
	// maxFileBytes bounds collimate.yaml; one with every key and its comments has 4 kB.
	maxFileBytes = 1 << 20
	// minHeartbeat and maxHeartbeat bound the time between empty blocks. Faster only fills disks; slower than
	// that and a revocation's neighbours wait too long to know that their view is current.
	minHeartbeat = time.Second
	maxHeartbeat = time.Minute
	// minStaleness is under which a source would refuse for want of a single block; maxStaleness is how long
	// a source that is cut off from its network may go on releasing images at all.
	minStaleness = 5 * time.Second
	maxStaleness = time.Hour
	// heartbeatsPerStaleness is how many heartbeats may be missed before a source refuses: fewer, and a
	// leader's crash would.
	heartbeatsPerStaleness = 3
	// maxBlocks is above any number of blocks that means something: three hundred years of one a second.
	maxBlocks = 10_000_000_000
	// maxSuggestionDistance is how many letters a misspelt key may be away from the one that is suggested.
	maxSuggestionDistance = 3
	// maxNameLength bounds organisation.name, which is written into certificates: X.509 ends at 64.
	maxNameLength = 64
	// maxOIDLength is of a repositoryUniqueId. ITI TF-3: Table 4.2.3.2-1
	maxOIDLength = 64
)
