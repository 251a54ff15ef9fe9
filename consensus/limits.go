package consensus

import (
	"time"

	"collimate/ledger"
)

// Rules of the chain: every node must have the same, and they count for the genesis hash.
const (
	// maxBlockBytes bounds a block. 1 MiB is some 4,000 ordinary transactions; a block must cross the slowest
	// link of the network several times within timeoutPropose.
	maxBlockBytes = 1 << 20

	// maxEvidenceBytes bounds the evidence in a block, which the engine counts within maxBlockBytes.
	maxEvidenceBytes = maxBlockBytes / 4

	// maxEvidenceBlocks and maxEvidenceAge bound how late a double vote can be shown.
	maxEvidenceBlocks = 100_000
	maxEvidenceAge    = 48 * time.Hour

	// appVersion is the version of the rules in package ledger.
	appVersion = 1

	// maxPower bounds a validator's voting power, far below where the sum of all could overflow.
	maxPower = 1_000_000_000
)

// Bounds of one node.
const (
	// maxPending and maxPendingBytes bound the transactions that wait for a block: 64 full blocks.
	maxPending      = 64 * 1024
	maxPendingBytes = 64 * maxBlockBytes

	// maxSeen is the number of transactions whose hash is remembered so that they are not checked again.
	maxSeen = 2 * maxPending

	// maxVerified bounds each of the two generations of verified transactions that are kept between CheckTx, the
	// proposal and the block, so that a signature is verified once: twice 2,000 of at most 64 KiB, mostly 300 B.
	maxVerified = 2_000

	// maxWaiters bounds the Submits that wait for finality at the same time. One costs a goroutine.
	maxWaiters = 4096

	// offerAgain is how long a transaction may wait for its block before it is sent to all peers again. Ordinary
	// finality takes a tenth of it, so that nothing is sent twice in ordinary times.
	offerAgain = time.Second

	// maxSyncMessage bounds a block in a catch-up answer: a block, its commit and their framing. The engine's own
	// bound is 100 MiB, and a reader allocates what is declared.
	maxSyncMessage = 4 * maxBlockBytes

	// maxName bounds a validator's name and a moniker, in bytes.
	maxName = 64

	// maxGenesisFile bounds a genesis file: 256 validators of 200 bytes.
	maxGenesisFile = 1 << 20

	// cacheBytes is the block cache that all databases of one engine share.
	cacheBytes = 16 << 20
)

// The pace of agreement. A proposal that fails costs timeoutPropose and two vote timeouts, and each further round a
// little more. Finality at low load is some 30 ms plus what is left of timeoutCommit, so 100 ms is the balance
// between latency and being fair to a validator at the far end of a slow link, whose vote counts as missed if it
// comes later than that.
const (
	timeoutPropose      = time.Second
	timeoutProposeDelta = 200 * time.Millisecond
	timeoutVote         = 300 * time.Millisecond
	timeoutVoteDelta    = 100 * time.Millisecond
	timeoutCommit       = 100 * time.Millisecond

	// gossipSleep is how long a gossip goroutine rests when it has nothing to send; the engine's 100 ms would be
	// the larger part of a block.
	gossipSleep = 10 * time.Millisecond

	// DefaultHeartbeat is the interval between empty blocks. It is what chain time lags behind the clock on an
	// idle network, so it must be well below any staleness bound. MinHeartbeat and MaxHeartbeat are what Config takes.
	DefaultHeartbeat = 10 * time.Second
	MinHeartbeat     = time.Second
	MaxHeartbeat     = 10 * time.Minute

	// blocksBehind is how far a peer may be ahead before this node calls itself catching up: one block that it
	// is about to commit, and one in flight.
	blocksBehind = 2
)

// maxTx is the largest transaction that a block can hold.
const maxTx = ledger.MaxTxBytes
