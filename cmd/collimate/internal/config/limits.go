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
	// minTimeout is under which a PACS that reads from tape or spun-down disks seems dead; maxTimeout keeps a hung one
	// from holding a requester for longer than its own patience.
	minTimeout = time.Second
	maxTimeout = 10 * time.Minute
	// minInterval and maxInterval bound the pace of the watcher: more often only loads the PACS, and a week is as good as off.
	minInterval = time.Second
	maxInterval = 7 * 24 * time.Hour
	// maxGrace bounds how long an entry outlives its images.
	maxGrace = 90 * 24 * time.Hour
	// maxDocumentMB is 1 TB.
	maxDocumentMB = 1 << 20
	// maxAETitle is of the value representation AE. DICOM PS3.5 6.2
	maxAETitle = 16
	// maxSecretBytes bounds a password or token; a token with many claims has 4 kB.
	maxSecretBytes = 64 << 10
	// maxCodesBytes bounds a codes.xml; the largest in use has 1 MB.
	maxCodesBytes = 32 << 20
	// connectSeconds is how long PostgreSQL may take to let us in, unless registry.store says otherwise (connect_timeout).
	connectSeconds = 10
)
