package dicom

// Limits on what is read and written.
const (
	// MaxUID is the longest UID in characters. DICOM PS3.5 9.1
	MaxUID = 64

	// maxHeaderBytes bounds the bytes of one file that ReadHeader walks over, after inflating, before it gives
	// up. Real files reach Instance Number (0020,0013) within a few kilobytes; private groups and icon
	// images before it have been seen to take some megabytes. It is also what a deflate bomb costs.
	maxHeaderBytes = 16 << 20

	// maxValueBytes bounds the one value that ReadHeader keeps. The longest that the standard allows is a
	// person name: 3 groups of 64 characters, some of them escape sequences; real ones break that limit
	// but not this one.
	maxValueBytes = 4 << 10

	// maxDepth bounds the nesting of sequences of undefined length; enhanced objects and structured reports
	// in practice stay under 10.
	maxDepth = 32

	// maxShortLength is the longest value of a VR with a 16-bit length; longer ones cannot be written.
	maxShortLength = 0xfffe

	// maxLongLength is the longest value of a VR with a 32-bit length; 0xffffffff means undefined.
	maxLongLength = 0xfffffffe

	// MaxInstances bounds a study in a manifest or a DICOMDIR. The largest studies made today (4D CT,
	// cardiac) have some 20,000 instances.
	MaxInstances = 100_000
)
