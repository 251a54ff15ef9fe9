package consensus

import (
	"time"

	"collimate/ledger"
	"collimate/ledger/light"
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

	// maxPendingOfKey and maxPendingOfKeyBytes bound those of one key: a sixteenth.
	maxPendingOfKey      = maxPending / 16
	maxPendingOfKeyBytes = maxPendingBytes / 16

	// maxBlockOfKey and maxBlockOfKeyBytes are the share of one key in a block that this node proposes, and of what it
	// sends on before that: one with 256 studies, so that a source can publish some 1,800 a second. It is what somebody
	// who floods can add to the latency of the others: each transaction takes each node 0.3 ms, half of it for the
	// signature, and each further study 30 us.
	maxBlockOfKey      = 32
	maxBlockOfKeyBytes = maxBlockBytes / 32

	// maxRecheck bounds the writes of the transactions that are judged anew after a block, at some 10 us each. The last of
	// them may have more.
	maxRecheck = 64

	// maxTurns and maxTurnsOfLane bound the transactions that wait to be verified or judged, in all and
	// with the same claimed key or from the same peer. A lane of its own waits for one of each other lane: half a second at most.
	maxTurns       = 1024
	maxTurnsOfLane = 64

	// restAfterTurn is how many times longer than a turn the rest after it is, maxRest at most: with one turn at a time
	// for two processors, verifying what is offered takes an eighth of them, which is some 2,500 transactions a second.
	restAfterTurn = 3
	maxRest       = 10 * time.Millisecond

	// maxGossipBytes and maxGossipCount bound a message of transactions, which has at least one of any size.
	maxGossipBytes = 2 * ledger.MaxTxBytes
	maxGossipCount = 1024

	// maxGossipQueue bounds the transactions that wait to be sent to a peer, and maxGossipMessages the messages
	// of a peer that wait to be looked at.
	maxGossipQueue    = 8 * 1024
	maxGossipMessages = 16

	// deafness is how long a peer is not listened to that has sent what is no transaction.
	deafness = 10 * time.Second

	// maxVerified bounds each of the two generations of verified transactions that are kept between a proposal and its
	// block, so that a signature is verified once: twice 2,000 of at most 64 KiB, mostly 300 B.
	maxVerified = 2_000

	// maxWaiters bounds the Submits that wait for finality at the same time. One costs a goroutine.
	maxWaiters = 4096

	// offerAgain is how long a transaction may wait for its block before it is sent to all peers again. Ordinary
	// finality takes a tenth of it, so that nothing is sent twice in ordinary times. But if a message was lost with its
	// connection, a proposer would not know, and with nothing else to do nobody would ask before the next heartbeat.
	offerAgain = time.Second

	// maxSyncMessage bounds a block in a catch-up answer: a block, its commit and their framing. The engine's own
	// bound is 100 MiB, and a reader allocates what is declared.
	maxSyncMessage = 4 * maxBlockBytes

	// DefaultSnapshotEvery is a snapshot a day on an idle network, and more when there is work.
	DefaultSnapshotEvery = 8640

	// keptArchives is how many snapshots are kept: one may be on its way to a peer while the next is made.
	keptArchives = 2

	// archiveRate is how many bytes of snapshots a peer gets a second.
	archiveRate = 16 << 20

	// MinRetainBlocks is the least that can be retained: what a peer may miss while it restarts.
	MinRetainBlocks = 100

	// maxPrune bounds the blocks that are deleted with each that is made.
	maxPrune = 200

	// youngNetwork is the age below which a network is replayed: whoever begins one would wait for the others.
	youngNetwork = 10 * time.Minute

	// joinPatience is how long a node that joins waits for its peers, before it replays or gives up.
	joinPatience = 20 * time.Second

	// askAgain is the pause between two rounds of questions to peers.
	askAgain = 200 * time.Millisecond

	// fetchAhead is how many chunks are under way at a time: 2 MB each, mostly.
	fetchAhead = 4

	// maxKnownPast bounds the old headers that are remembered for evidence: each is of one accusation.
	maxKnownPast = 16

	// maxBlocksFile bounds the two light blocks of an archive.
	maxBlocksFile = 2 * (4 + light.MaxBlockBytes)

	// maxFails is how often a peer may fail to give a chunk before another is asked for good.
	maxFails = 3

	// compareStep is after how many records VerifyChain looks whether it is to go on.
	compareStep = 10_000

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

	// gossipRest is the pause between two messages of transactions to a peer, in which more gather.
	gossipRest = 5 * time.Millisecond

	// DefaultHeartbeat is the interval between empty blocks. It is what chain time lags behind the clock on an
	// idle network, so it must be well below any staleness bound. MinHeartbeat and MaxHeartbeat are what Config takes.
	DefaultHeartbeat = 10 * time.Second
	MinHeartbeat     = time.Second
	MaxHeartbeat     = 10 * time.Minute

	// blocksBehind is how far a peer may be ahead before this node calls itself catching up: one block that it
	// is about to commit, and one in flight.
	blocksBehind = 2
)
