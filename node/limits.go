package node

import (
	"time"

	"collimate/ledger/light"
)

// What one request may bring and take.
const (
	// maxBody bounds a request to submit: the largest transaction is 64 KiB, and one byte more tells it from a
	// larger one.
	maxBody = 64<<10 + 1

	// maxHeaderBytes bounds the head of a request; the API uses no cookies or tokens.
	maxHeaderBytes = 16 << 10

	// maxNameBytes bounds what a path or a query names; the longest is a cursor, 128 digits of a state key.
	maxNameBytes = 256

	// defaultPage and maxPage bound the records of one answer. A page and what it is read beside fit into one
	// bundle of proofs.
	defaultPage = 100
	maxPage     = light.MaxEntries - 6

	// maxProvedKeys bounds GET /v1/prove.
	maxProvedKeys = 16

	// maxLightBlocks bounds a range of light blocks: 64 of at most 36 KiB.
	maxLightBlocks = 64

	// maxHistory bounds a page of a study's history.
	maxHistory = 1000
)

// What all requests together may take, and those of one address. An IPv6 address counts by its /64: whoever has one
// address has them all.
const (
	// maxConnections and maxConnectionsEach bound the open connections: a goroutine and some 16 KiB each. The
	// second leaves room for a hospital behind one address.
	maxConnections     = 2048
	maxConnectionsEach = 256

	// maxRequests and maxRequestsEach bound the requests that are being answered, without those that wait for finality
	// or events. Whoever sends a body or takes an answer slowly holds one for a minute.
	maxRequests     = 256
	maxRequestsEach = 32

	// maxWaits and maxWaitsEach bound the requests that wait for finality. Each holds a connection and a goroutine.
	maxWaits     = 1024
	maxWaitsEach = 128

	// defaultRate is how many requests a second one address may make, and burstSeconds how many seconds' worth it
	// can save up. A wallet that shows a hundred studies asks a few hundred times.
	defaultRate  = 100
	burstSeconds = 5

	// proofCost is what a request for proofs counts, and again each maxProvedKeys keys of a list: each key costs some ten
	// reads. A light block counts as a request: each vote in it is verified.
	proofCost = 5

	// maxAddresses bounds the addresses whose rate is remembered, 100 bytes each. Beyond, all new ones share one.
	maxAddresses = 64 << 10
)

// Events.
const (
	// maxSubscribers and maxSubscribersEach bound the open streams of events. A browser opens one.
	maxSubscribers     = 1024
	maxSubscribersEach = 32

	// maxWatched bounds the studies of one stream.
	maxWatched = 64

	// maxQueued bounds the blocks that wait for a slow reader: half a minute's at full pace.
	maxQueued = 256

	// maxBackfill and backfillAge bound what a stream that resumes is sent of the past. Whoever was away for longer
	// reads the state instead. It is short, as older events are for the owner alone.
	maxBackfill = 1000
	backfillAge = time.Hour

	// eventsHeartbeat keeps proxies from closing a stream on which nothing happens.
	eventsHeartbeat = 15 * time.Second

	// eventsWriteTimeout is how long a reader may take for one block.
	eventsWriteTimeout = 10 * time.Second
)

// Times.
const (
	// defaultWait and maxWait are how long a request waits for finality: blocks take a tenth of a second when all
	// is well, and minutes do not help when it is not.
	defaultWait = 30 * time.Second
	maxWait     = time.Minute

	// headTimeout and readTimeout bound the reading of a request, idleTimeout a kept-alive connection, and
	// writeTimeout an answer including its wait.
	headTimeout  = 5 * time.Second
	readTimeout  = 15 * time.Second
	idleTimeout  = time.Minute
	writeTimeout = maxWait + 15*time.Second

	// stopTimeout bounds Run's own stop.
	stopTimeout = 10 * time.Second

	// drainTimeout is how long requests under way may take to finish when the node stops.
	drainTimeout = 2 * time.Second

	// preflightAge is how long a browser may remember what other origins may do.
	preflightAge = 10 * time.Minute

	// healthyAge is how many heartbeats old the last block may be before /healthz says so.
	healthyAge = 4
)

// Sightings.
const (
	// sightGrace is how long a sighting outlives the end of its transactions: longer than any decision that began
	// with an older snapshot.
	sightGrace = time.Minute

	// resumeAfter is how long a revocation may be neither final nor refused before it is offered again: finality
	// takes a tenth of a second when all is well.
	resumeAfter = time.Minute

	// resumeInterval is the pause between two looks for such revocations, and resumeWait how long one may take.
	resumeInterval = time.Second
	resumeWait     = 10 * time.Second

	// maxSighted bounds the transactions of one sighting that are told apart: an owner signs one or two.
	maxSighted = 8
)
