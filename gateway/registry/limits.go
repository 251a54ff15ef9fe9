package registry

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
	// maxInserted bounds the rows of one SQL statement; each has as many parameters as there are columns, and SQLite
	// takes 32,766.
	maxInserted = 128
	// maxWriters bounds the submissions that wait for their turn, each of which is held in memory. The next is told that
	// the registry is busy.
	maxWriters = 64
	// maxReaders bounds the queries that run at the same time, each with a connection and its cache.
	maxReaders = 8
)
