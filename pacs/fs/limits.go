package fs

const (
	// maxFiles bounds the files that one Import looks at. What it keeps of each until the end is some
	// 200 bytes.
	maxFiles = 1_000_000

	// maxIndexBytes bounds an index that is read: dicom.MaxInstances at some 500 bytes each, twice.
	maxIndexBytes = 100 << 20

	// maxRefused bounds the refusals that Import reports one by one; the rest are only counted.
	maxRefused = 1000

	// maxListed bounds the summaries that are kept between two listings, some 500 bytes each.
	maxListed = 200_000

	// maxGrowing bounds the studies whose indexes are kept at hand while instances come in for them.
	maxGrowing = 32

	// foldAfter is how long a journal gets before it is folded into the index, if it is also longer than that: so
	// each byte of an index is written some three times, however an instance at a time a study comes.
	foldAfter = 256 << 10

	// copyBuffer is what a file is copied through; large enough that the calls to the system do not count.
	copyBuffer = 256 << 10
)
