package store

const (
	// cacheBytes is Pebble's block cache. The hot state of a network of hospitals, its sources and the
	// studies of a week, fits.
	cacheBytes = 64 << 20
	// memTableBytes is what Pebble holds in memory before it writes a table: some ten thousand
	// transactions. It bounds the log that is replayed after a crash, too.
	memTableBytes = 16 << 20
	// bloomBits a key make one absent key in a hundred cost a disk read. Most reads of a block are of keys that
	// must be absent.
	bloomBits = 10
)
