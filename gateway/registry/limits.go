package registry

import "time"

const (
	// maxObjects and maxRefs bound the objects of an answer, whole or by id. A whole entry has some 5 KB as ebRIM, and
	// an answer is made in memory; metadata.ParseObjects takes 20,000 of either.
	maxObjects = 5_000
	maxRefs    = 10_000
	// maxNear bounds the objects that an answer is found among where these are more than the answer, as a multiple of it:
	// the folders of a document are found by way of the document and its memberships.
	maxNear = 4
	// pageSize is how many rows are read before they are judged.
	pageSize = 256
	// maxKeys bounds the alternatives of one SQL statement, and maxBatch what it may find before they are asked one by one.
	maxKeys  = 128
	maxBatch = 8 * maxKeys
	// maxInserted bounds the rows of one SQL statement; each has as many parameters as there are columns, and the driver of
	// SQLite takes time that grows with their square.
	maxInserted = 32
	// maxWaiting bounds the submissions that wait to be written, each of which is held in memory. The next is told that
	// the registry is busy.
	maxWaiting = 64
	// maxGrouping bounds the time in which those that wait join a transaction, since the first waits for the last. It is
	// several times that of syncing a disk.
	maxGrouping = 50 * time.Millisecond
	// maxWriting bounds the time of a transaction, for a database that does not answer. The largest submission takes seconds.
	maxWriting = time.Minute
	// maxReaders bounds the queries that run at the same time, each with a connection and its cache.
	maxReaders = 8
)
