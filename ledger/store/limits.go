package store

const (
	// cacheBytes is Pebble's block cache, of which it takes off what its tables in memory hold: one that is filled and one
	// that is written out leave a third. That holds what says where blocks are, at ten million records, or the hot state of a
	// network of hospitals. Much more is slower: leaves are read once each, and to choose which of many blocks to drop
	// takes longer than to read it again from the system's own cache.
	cacheBytes = 192 << 20
	// memTableBytes is what Pebble holds in memory before it writes a table: some hundred thousand writes. It bounds
	// the log that is replayed after a crash, too.
	memTableBytes = 64 << 20
	// baseBytes is the size of the first level that tables are merged into. A greater one spares a level, and each level costs
	// some ten rewrites of a record.
	baseBytes = 256 << 20
	// mergeTables is twice how many written tables may lie over each other before they are merged into the first level, all
	// of which is rewritten then. Pebble's own 4 doubles what is rewritten; filters tell reads which tables to pass by.
	mergeTables = 16
	// indexBlockBytes is the size of the blocks that say where the blocks of a table are. Small ones are needed so seldom,
	// each, that the cache drops them, and are read again for every second record at ten million.
	indexBlockBytes = 256 << 10
	// bloomBits a key make one absent key in a hundred cost a disk read. Most reads of a block are of keys that
	// must be absent.
	bloomBits = 10

	// chunkLeaves is how many records one chunk of an archive should have: 1 to 2 MB of them. ledger-spec 7.4
	chunkLeaves = 8192
	// maxChunkBits bounds the number of chunks: 4096, whose hashes take 150 KB. Beyond 33 million records chunks grow.
	maxChunkBits = 12
	// maxLeaves is what a manifest can claim without sums overflowing.
	maxLeaves = 1 << 48
	// leastRecord is the length of a short record in a chunk, of which most are longer.
	leastRecord = 64
	// exportBuffer bounds what Export holds in memory before it writes to the parts of chunks.
	exportBuffer = 64 << 20
)

const (
	// MaxManifestBytes bounds an encoded Manifest: 4096 subtrees of at most 42 bytes.
	MaxManifestBytes = 192 << 10
	// MaxChunkBytes bounds a chunk: 4096 of them are 400 million records.
	MaxChunkBytes = 16 << 20
)
