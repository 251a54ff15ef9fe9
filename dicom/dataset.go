package dicom

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Dataset collects the elements of a data set to be written. The order of the Put calls is free; putting a tag
// again replaces it. Faults are kept and reported by the function that writes.
type Dataset struct {
	elements []entry
	err      error // the first fault
}

type entry struct {
	tag   Tag
	vr    vr
	value []byte     // nil when items
	items []*Dataset // of a sequence
}

// Put sets a text attribute; several values are parted by backslashes. Texts must be UTF-8 without backslash
// and control characters, and must fit the 16-bit length of their representation.
func (d *Dataset) Put(t Tag, values ...string) {
	for _, v := range values {
		if !utf8.ValidString(v) || strings.ContainsFunc(v, func(r rune) bool { return r == '\\' || unicode.IsControl(r) }) {
			d.fail(fmt.Errorf("%v: a backslash, a control character or not UTF-8", t))
			return
		}
	}
	d.put(t, []byte(strings.Join(values, `\`)), "AE", "AS", "CS", "DA", "DS", "IS", "LO", "PN", "SH", "TM", "UI", "UT")
}

// PutUint16 sets an attribute of representation US.
func (d *Dataset) PutUint16(t Tag, v uint16) {
	d.put(t, binary.LittleEndian.AppendUint16(nil, v), "US")
}

// PutUint32 sets an attribute of representation UL.
func (d *Dataset) PutUint32(t Tag, v uint32) {
	d.put(t, binary.LittleEndian.AppendUint32(nil, v), "UL")
}

// PutBytes sets an attribute of representation OB or OW, little endian. It keeps b.
func (d *Dataset) PutBytes(t Tag, b []byte) { d.put(t, b, "OB", "OW") }

// PutItems sets a sequence.
func (d *Dataset) PutItems(t Tag, items ...*Dataset) {
	for _, i := range items {
		if i.err != nil {
			d.fail(fmt.Errorf("in %v: %w", t, i.err))
		}
	}
	if d.put(t, nil, "SQ") {
		d.elements[len(d.elements)-1].items = items
	}
}

// put appends an element whose representation is among vrs, and reports whether it could.
func (d *Dataset) put(t Tag, value []byte, vrs ...string) bool {
	v, ok := t.representation()
	limit := uint64(maxShortLength)
	if v.long() {
		limit = maxLongLength
	}
	switch {
	case !ok || !slices.Contains(vrs, string(v[:])):
		d.fail(fmt.Errorf("%v is not %s", t, strings.Join(vrs, ", ")))
		return false
	case uint64(len(value)) > limit:
		d.fail(fmt.Errorf("%v has more than %d bytes", t, limit))
		return false
	}
	d.elements = slices.DeleteFunc(d.elements, func(e entry) bool { return e.tag == t })
	d.elements = append(d.elements, entry{tag: t, vr: v, value: value})
	return true
}

func (d *Dataset) fail(err error) {
	if d.err == nil {
		d.err = err
	}
}

// AppendDataSet appends the elements without preamble and meta information, as a message carries them, in
// implicit or explicit VR little endian.
func (d *Dataset) AppendDataSet(b []byte, transferSyntaxUID string) ([]byte, error) {
	switch transferSyntaxUID {
	case ImplicitVRLittleEndian, ExplicitVRLittleEndian:
		return d.appendTo(b, layoutOf(transferSyntaxUID))
	}
	return nil, &TransferSyntaxError{From: ExplicitVRLittleEndian, To: transferSyntaxUID}
}

// appendTo appends the elements, little endian, in the order of their tags, all of defined length.
func (d *Dataset) appendTo(b []byte, l layout) ([]byte, error) {
	if d.err != nil {
		return nil, d.err
	}
	slices.SortFunc(d.elements, func(a, b entry) int { return int(int64(a.tag) - int64(b.tag)) })
	var err error
	for _, e := range d.elements {
		b = appendTag(b, e.tag)
		switch {
		case l.implicit:
			b = append(b, 0, 0, 0, 0)
		case e.vr.long():
			b = append(append(b, e.vr[:]...), 0, 0, 0, 0, 0, 0)
		default:
			b = append(b, e.vr[:]...)
			b = binary.LittleEndian.AppendUint16(b, uint16(len(e.value)+len(e.value)%2))
		}
		start := len(b)
		b = append(b, e.value...)
		for _, i := range e.items {
			if b, err = i.appendItem(b, l); err != nil {
				return nil, err
			}
		}
		if len(e.value)%2 == 1 {
			b = append(b, e.vr.padding())
		}
		if l.implicit || e.vr.long() {
			if err := putLength(b, start, e.tag); err != nil {
				return nil, err
			}
		}
	}
	return b, nil
}

// appendItem appends d as an item of a sequence.
func (d *Dataset) appendItem(b []byte, l layout) ([]byte, error) {
	b = append(appendTag(b, item), 0, 0, 0, 0)
	start := len(b)
	b, err := d.appendTo(b, l)
	if err != nil {
		return nil, err
	}
	return b, putLength(b, start, item)
}

// putLength writes the number of bytes from start on into the 4 bytes before it.
func putLength(b []byte, start int, t Tag) error {
	n := len(b) - start
	if uint64(n) > maxLongLength {
		return fmt.Errorf("%v has more than %d bytes", t, uint64(maxLongLength))
	}
	binary.LittleEndian.PutUint32(b[start-4:], uint32(n))
	return nil
}

func appendTag(b []byte, t Tag) []byte {
	b = binary.LittleEndian.AppendUint16(b, uint16(t>>16))
	return binary.LittleEndian.AppendUint16(b, uint16(t))
}

// AppendFile appends a Part 10 file in explicit VR little endian: preamble, file meta information and d, which
// holds SOP Class UID and SOP Instance UID. DICOM PS3.10 7.1
func (d *Dataset) AppendFile(b []byte) ([]byte, error) {
	return d.appendFile(b, d.text(SOPClassUID), d.text(SOPInstanceUID))
}

func (d *Dataset) appendFile(b []byte, sopClass, sopInstance string) ([]byte, error) {
	b, err := AppendMeta(b, sopClass, sopInstance, ExplicitVRLittleEndian)
	if err != nil {
		return nil, err
	}
	return d.appendTo(b, layoutOf(ExplicitVRLittleEndian))
}

// AppendMeta appends what stands before the data set of a Part 10 file: preamble and file meta information. The
// same arguments give the same bytes. DICOM PS3.10 7.1
func AppendMeta(b []byte, sopClass, sopInstance, transferSyntax string) ([]byte, error) {
	for _, uid := range []string{sopClass, sopInstance, transferSyntax} {
		if err := CheckUID(uid); err != nil {
			return nil, fmt.Errorf("SOP class, instance or transfer syntax: %w", err)
		}
	}
	var meta Dataset
	meta.PutBytes(fileMetaVersion, []byte{0, 1})
	meta.Put(mediaStorageSOPClassUID, sopClass)
	meta.Put(mediaStorageSOPInstanceUID, sopInstance)
	meta.Put(transferSyntaxUID, transferSyntax)
	meta.Put(implementationClass, ImplementationClassUID)
	meta.Put(implementationVersion, ImplementationVersionName)
	l := layoutOf(ExplicitVRLittleEndian)
	group, err := meta.appendTo(nil, l)
	if err != nil {
		return nil, err
	}
	var length Dataset
	length.PutUint32(fileMetaGroupLength, uint32(len(group)))
	b = append(b, make([]byte, 128)...)
	b = append(b, "DICM"...)
	if b, err = length.appendTo(b, l); err != nil {
		return nil, err
	}
	return append(b, group...), nil
}

// text returns the value of a text attribute that was put, "" if none was.
func (d *Dataset) text(t Tag) string {
	for _, e := range d.elements {
		if e.tag == t {
			return string(e.value)
		}
	}
	return ""
}
