package dicomweb

import "time"

const (
	// pageSize is how many studies, series or instances are asked for at once: some 2 kB each.
	pageSize = 1000

	// maxStudies ends the listing of a PACS that has no end: a hundred years of a large hospital.
	maxStudies = 50_000_000

	// maxPageBytes bounds one page of JSON. Some PACS add attributes that were not asked for.
	maxPageBytes = 64 << 20

	// maxPartHeader bounds what stands before an instance in an answer: real PACS write some 100 bytes.
	maxPartHeader = 8 << 10

	// maxConnections bounds the connections to the PACS.
	maxConnections = 16

	// keepConnection is how long an idle connection is kept. Orthanc closes after a second.
	keepConnection = 30 * time.Second

	// connectTimeout bounds connecting, and again the TLS handshake.
	connectTimeout = 10 * time.Second

	// defaultIdle is how long the PACS may be silent: before it answers, as it may have to fetch an old study
	// from tape, and within an answer.
	defaultIdle = 60 * time.Second
)
