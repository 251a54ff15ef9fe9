// Package dicom reads the front of DICOM files, recodes them, and writes the two small ones that an exchange adds to a
// study: the manifest (a Key Object Selection document, RAD TF-3: 4.68) and the DICOMDIR (DICOM PS3.10 8).
//
// A Part 10 file, DICOM PS3.10 7.1, is
//
//	128 bytes  preamble, of no meaning here
//	  4 bytes  "DICM"
//	group 0002 file meta information, always explicit VR little endian: which SOP instance, which transfer syntax
//	data set   elements in the order of their tags, in the transfer syntax
//
// and one element is
//
//	explicit VR   tag (2+2)  VR (2)  length (2)               value
//	              tag (2+2)  VR (2)  0 0  length (4)          value     for OB, OW, SQ, UN, UT, ...
//	implicit VR   tag (2+2)         length (4)                value
//
// ReadHeader takes the attributes that say whose file it is and where it belongs, all of which stand before
// the pixels, and stops there: its cost does not depend on the size of the file. Texts come out as UTF-8
// whatever the Specific Character Set. Inspect reads on to the end and refuses a file that was cut.
//
// Recode copies a file in another transfer syntax, as a stream: implicit, explicit and deflated little endian and RLE
// lossless, from these and big endian. Beyond RLE pixels are never decoded, and never changed.
//
// Writing goes through Dataset: explicit VR little endian, UTF-8, defined lengths, sorted. What is written
// depends on the arguments alone, dates and UIDs included, so the same input gives the same bytes.
//
// Files come from strangers. Every length is held against limits.go, nesting is walked without recursion, and
// malformed input is a *SyntaxError or ErrNotDICOM. No error carries a value of the file: names and UIDs
// identify patients, errors travel.
//
// The package holds no state; everything may be called concurrently, a Dataset by one goroutine at a time.
package dicom
