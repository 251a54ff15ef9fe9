package conformance

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// The transfer syntaxes that a dataset can be read in. DICOM PS3.5 annex A
const (
	implicitLittleEndian = "1.2.840.10008.1.2"
	explicitLittleEndian = "1.2.840.10008.1.2.1"
)

// tag is a DICOM tag, group and element.
type tag uint32

// The tags that the checks read. DICOM PS3.6
const (
	tagTransferSyntax  tag = 0x00020010
	tagSOPClass        tag = 0x00080016
	tagSOPInstance     tag = 0x00080018
	tagAccession       tag = 0x00080050
	tagRetrieveAETitle tag = 0x00080054
	tagModality        tag = 0x00080060
	tagReferencedClass tag = 0x00081150
	tagReferencedSOP   tag = 0x00081155
	tagReferencedSerie tag = 0x00081115
	tagReferencedItems tag = 0x00081199
	tagPatientName     tag = 0x00100010
	tagPatientID       tag = 0x00100020
	tagBirthDate       tag = 0x00100030
	tagSex             tag = 0x00100040
	tagStudy           tag = 0x0020000D
	tagSeries          tag = 0x0020000E
	tagRetrieveUID     tag = 0x0040E011
	tagEvidence        tag = 0x0040A375
	tagPixelData       tag = 0x7FE00010
	tagItem            tag = 0xFFFEE000
	tagItemEnd         tag = 0xFFFEE00D
	tagSequenceEnd     tag = 0xFFFEE0DD
)

// dataset is a DICOM data set, as far as it goes without pixels.
type dataset struct {
	values map[tag]string
	items  map[tag][]*dataset
}

// text returns a value without its padding.
func (d *dataset) text(t tag) string { return strings.Trim(d.values[t], " \x00") }

// readPart10 reads a DICOM file up to its pixels. With an error comes what was read before it. DICOM PS3.10 section 7.1, PS3.5 section 7
func readPart10(b []byte) (*dataset, error) {
	if len(b) < 132 || string(b[128:132]) != "DICM" {
		return nil, expected("DICM at byte 128", fmt.Sprintf("%d bytes without", len(b)))
	}
	r := &datasetReader{b: b[132:], explicit: true}
	meta := &dataset{values: map[tag]string{}, items: map[tag][]*dataset{}}
	if err := r.read(meta, len(r.b), true, 0); err != nil {
		return nil, fmt.Errorf("file meta information: %w", err)
	}
	switch syntax := meta.text(tagTransferSyntax); syntax {
	case implicitLittleEndian:
		r.explicit = false
	case "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.1.99": // big endian, deflated
		return nil, fmt.Errorf("transfer syntax %s is not read here", syntax)
	}
	return meta, r.read(meta, len(r.b), false, 0)
}

// datasetReader reads little endian.
type datasetReader struct {
	b        []byte
	at       int
	explicit bool
}

var errCut = errors.New("the data set ends in the middle of an element")

const undefinedLength = 0xFFFFFFFF

// longVR are the representations whose length has four bytes. DICOM PS3.5 section 7.1.2
var longVR = []string{"OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"}

// read reads elements up to end, or the file meta information only.
func (r *datasetReader) read(d *dataset, end int, meta bool, depth int) error {
	if depth > maxDepth {
		return errors.New("sequences are nested too deeply")
	}
	for r.at+8 <= end {
		start := r.at
		t := tag(binary.LittleEndian.Uint16(r.b[r.at:]))<<16 | tag(binary.LittleEndian.Uint16(r.b[r.at+2:]))
		if meta && t>>16 != 2 || t == tagPixelData {
			return nil
		}
		if t == tagItemEnd || t == tagSequenceEnd {
			r.at += 8
			return nil
		}
		n, vr := binary.LittleEndian.Uint32(r.b[r.at+4:]), ""
		r.at += 8
		if r.explicit && t != tagItem {
			vr = string(r.b[start+4 : start+6])
			n = uint32(binary.LittleEndian.Uint16(r.b[start+6:]))
			if slices.Contains(longVR, vr) {
				if r.at+4 > end {
					return errCut
				}
				n = binary.LittleEndian.Uint32(r.b[r.at:])
				r.at += 4
			}
		}
		if n == undefinedLength || vr == "SQ" || !r.explicit && t != tagItem && r.looksLikeItem(int(min(n, 1<<31))) {
			if err := r.sequence(d, t, n, end, depth); err != nil {
				return err
			}
			continue
		}
		if uint64(r.at)+uint64(n) > uint64(end) {
			return errCut
		}
		d.values[t] = string(r.b[r.at : r.at+int(n)])
		r.at += int(n)
	}
	return nil
}

// looksLikeItem tells sequences apart where the representation is implicit.
func (r *datasetReader) looksLikeItem(n int) bool {
	return n >= 8 && r.at+8 <= len(r.b) && bytes.Equal(r.b[r.at:r.at+4], []byte{0xFE, 0xFF, 0x00, 0xE0})
}

// sequence reads the items of a sequence.
func (r *datasetReader) sequence(d *dataset, t tag, n uint32, end, depth int) error {
	stop := end
	if n != undefinedLength {
		if stop = r.at + int(n); uint64(r.at)+uint64(n) > uint64(end) {
			return errCut
		}
	}
	for r.at+8 <= stop {
		head := tag(binary.LittleEndian.Uint16(r.b[r.at:]))<<16 | tag(binary.LittleEndian.Uint16(r.b[r.at+2:]))
		length := binary.LittleEndian.Uint32(r.b[r.at+4:])
		r.at += 8
		if head == tagSequenceEnd {
			return nil
		}
		if head != tagItem {
			return errors.New("a sequence holds something that is no item")
		}
		itemEnd := stop
		if length != undefinedLength {
			if itemEnd = r.at + int(length); uint64(r.at)+uint64(length) > uint64(stop) {
				return errCut
			}
		}
		item := &dataset{values: map[tag]string{}, items: map[tag][]*dataset{}}
		if err := r.read(item, itemEnd, false, depth+1); err != nil {
			return err
		}
		d.items[t] = append(d.items[t], item)
	}
	return nil
}
