package gateway

import "time"

const (
	// maxOpeningBytes bounds the body of a POST to PathOpenings; a real one has about 250 bytes.
	maxOpeningBytes = 4 << 10
	// maxSourcesPerRequest bounds the far sources that one consumer request is fanned out to, each of which
	// holds a connection until its turn to stream comes.
	maxSourcesPerRequest = 16
	// maxClients bounds the pinned HTTP clients that a Consumer keeps, one for each source it has asked.
	maxClients = 1024
	// maxAuditedFailures bounds the failed authentications that are written to the audit trail in one second:
	// enough to see an attack, too few for an attack to fill the disk in a night.
	maxAuditedFailures = 10
	// maxAuditedRefusals bounds the documents named in the record of a request of which nothing was found: a request may
	// name a thousand that somebody made up.
	maxAuditedRefusals = 8
	// maxCallerName bounds what a caller says of itself, in the audit trail, in bytes.
	maxCallerName = 256
	// upstreamDialTimeout and upstreamHeaderTimeout bound the wait for a far source before its first byte.
	// The sum is under the 20 seconds after which common consumers give up.
	upstreamDialTimeout   = 5 * time.Second
	upstreamHeaderTimeout = 14 * time.Second
	// turnTimeout is how long a requester may take nothing of an answer: another gateway takes the answers of several
	// sources one after the other, and the last has to wait until all others are through.
	turnTimeout = 30 * time.Minute
)
