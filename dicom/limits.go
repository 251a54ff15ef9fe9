package dicom

// Limits on what is read and written.
const (
	// MaxUID is the longest UID in characters. DICOM PS3.5 9.1
	MaxUID = 64

	// maxHeaderBytes bounds the bytes of one file that ReadHeader walks over, after inflating, before it gives
	// up. Real files reach Instance Number (0020,0013) within a few kilobytes; private groups and icon
	// images before it have been seen to take some megabytes. It is also what a deflate bomb costs.
	maxHeaderBytes = 16 << 20

	// maxInflatedBytes bounds a deflated data set that is read to its end: what one value can hold. Deflate packs
	// up to 1:1000, so that a file of 4 MB can claim that much; real ones are reports and segmentations.
	maxInflatedBytes = 4 << 30

	// maxValueBytes bounds the one value that ReadHeader keeps. The longest that the standard allows is a
	// person name: 3 groups of 64 characters, some of them escape sequences; real ones break that limit
	// but not this one.
	maxValueBytes = 4 << 10

	// maxFrameBytes bounds one frame that is packed or unpacked as RLE, of which one is held: 16,000 by 16,000 pixels
	// of one byte. Whole slides come in tiles.
	maxFrameBytes = 256 << 20

	// maxMetaBytes bounds an element of the file meta information that is recoded, maxMetaElements their number.
	// The standard has some 20, of at most 64 characters; private information may be longer.
	maxMetaBytes    = 64 << 10
	maxMetaElements = 64

	// maxImageValue bounds the Image Pixel attributes that are looked at: numbers.
	maxImageValue = 64

	// recodeBuffer is what files are recoded through; a multiple of 8.
	recodeBuffer = 64 << 10

	// maxKeyObjectBytes bounds what ReadKeyObject walks over: MaxInstances references of some 150 bytes each, twice.
	maxKeyObjectBytes = 32 << 20

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
