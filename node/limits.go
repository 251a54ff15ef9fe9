package node

import "time"

const (
	// maxBody bounds a request to submit: the largest transaction is 64 KiB, and one byte more tells it from a
	// larger one.
	maxBody = 64<<10 + 1

	// maxWaits bounds the requests that wait for finality. Each holds a connection and a goroutine.
	maxWaits = 1024

	// defaultWait and maxWait are how long a request waits for finality: blocks take a tenth of a second when all
	// is well, and minutes do not help when it is not.
	defaultWait = 30 * time.Second
	maxWait     = time.Minute

	// maxHeaderBytes bounds the head of a request; the API uses no cookies or tokens.
	maxHeaderBytes = 16 << 10

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

	// sightGrace is how long a sighting outlives the finality of its revocation: longer than any decision that
	// began with an older snapshot.
	sightGrace = time.Minute

	// resumeInterval is the pause between two attempts to offer a revocation again after a restart.
	resumeInterval = time.Second

	// healthyAge is how many heartbeats old the last block may be before /healthz says so.
	healthyAge = 4
)
