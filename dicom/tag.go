package dicom

import "fmt"

// Tag names an attribute: the group in the upper, the element in the lower 16 bits.
type Tag uint32

// String returns the tag as the standard writes it, (0010,0020).
func (t Tag) String() string { return fmt.Sprintf("(%04X,%04X)", uint32(t)>>16, uint32(t)&0xffff) }

// Tags that structure the stream. DICOM PS3.5 7.5
const (
	item                 Tag = 0xfffee000
	itemDelimitation     Tag = 0xfffee00d
	sequenceDelimitation Tag = 0xfffee0dd
)

// undefinedLength says that a delimiter ends the value. DICOM PS3.5 7.1.1
const undefinedLength = 0xffffffff

// vr is a value representation: two capital letters. DICOM PS3.5 6.2
type vr [2]byte

// long reports whether v has a 32-bit length in explicit VR. DICOM PS3.5 Table 7.1-1
func (v vr) long() bool {
	switch string(v[:]) {
	case "OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV":
		return true
	}
	return false
}

// valid reports whether v is two capital letters. Representations to come are read by length alone.
func (v vr) valid() bool {
	return v[0] >= 'A' && v[0] <= 'Z' && v[1] >= 'A' && v[1] <= 'Z'
}

// padding fills values to an even length. DICOM PS3.5 6.2
func (v vr) padding() byte {
	switch string(v[:]) {
	case "UI", "OB", "UN":
		return 0
	}
	return ' '
}
