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
	// maxAuditedInstances bounds the instances in one record about images: about 200 bytes each, of 1 MiB.
	maxAuditedInstances = 2000
	// maxCallerName bounds what a caller says of itself, in the audit trail, in bytes.
	maxCallerName = 256
	// DefaultMaxDocument is how large a submitted document may be: what one value of a DICOM file can hold.
	DefaultMaxDocument = 4 << 30
	// maxKeyObject bounds a manifest that is read when it is submitted: dicom.MaxInstances at some 300 bytes each.
	maxKeyObject = 64 << 20
	// listingAge is how long a listing of a PACS serves for answers: to list a study costs it more than to send it, and a
	// viewer asks for the manifest, then for the images, series by series. What each instance is, is checked when it is
	// read. maxListings bounds the listings that are kept: some 500 bytes for each instance.
	listingAge  = 10 * time.Second
	maxListings = 32
	// queryTimeout bounds an answer to ITI-18, of which an erasure waits for those that have begun; ordinary ones take
	// milliseconds. maxAsking bounds those that run at once for others than submitters: less than the registry has readers.
	queryTimeout = 10 * time.Second
	maxAsking    = 4
	// quietStep is what answers to ITI-18 that have nothing in them take, or a multiple of it: a thousand decisions fit.
	quietStep = 25 * time.Millisecond
	// upstreamDialTimeout and upstreamHeaderTimeout bound the wait for a far source before its first byte.
	// The sum is under the 20 seconds after which common consumers give up.
	upstreamDialTimeout   = 5 * time.Second
	upstreamHeaderTimeout = 14 * time.Second
	// turnTimeout is how long a requester may take nothing of an answer: another gateway takes the answers of several
	// sources one after the other, and the last has to wait until all others are through.
	turnTimeout = 30 * time.Minute
)
