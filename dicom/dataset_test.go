package dicom

import (
	"bytes"
	"strings"
	"testing"
)

func TestDatasetAppend(t *testing.T) {
	inner := new(Dataset)
	inner.Put(CodeValue, "odd")
	d := new(Dataset)
	d.PutUint16(Rows, 0x0102)
	d.PutItems(ConceptNameCodeSequence, inner)
	d.Put(PatientName, "replaced")
	d.Put(PatientName, "A^B")
	d.Put(StudyInstanceUID, "1.2.3")
	d.Put(ImageType, "ORIGINAL", "PRIMARY")
	d.PutUint32(firstRootRecordOffset, 0x01020304)
	d.PutBytes(PixelData, []byte{1, 2, 3})
	got, err := d.appendTo(nil, layoutOf(ExplicitVRLittleEndian))
	if err != nil {
		t.Fatal(err)
	}
	want := "\x04\x00\x00\x12UL\x04\x00\x04\x03\x02\x01" +
		"\x08\x00\x08\x00CS\x10\x00ORIGINAL\\PRIMARY" +
		"\x10\x00\x10\x00PN\x04\x00A^B " +
		"\x20\x00\x0d\x00UI\x06\x001.2.3\x00" +
		"\x28\x00\x10\x00US\x02\x00\x02\x01" +
		"\x40\x00\x43\xa0SQ\x00\x00\x14\x00\x00\x00" + "\xfe\xff\x00\xe0\x0c\x00\x00\x00" + "\x08\x00\x00\x01SH\x04\x00odd " +
		"\xe0\x7f\x10\x00OW\x00\x00\x04\x00\x00\x00\x01\x02\x03 "
	if !bytes.Equal(got, []byte(want)) {
		t.Errorf("got\n%q, want\n%q", got, want)
	}
	again, err := d.appendTo(nil, layoutOf(ExplicitVRLittleEndian))
	if err != nil || !bytes.Equal(got, again) {
		t.Errorf("the second time otherwise: %v", err)
	}
}

func TestDatasetRefuses(t *testing.T) {
	for _, tt := range []struct {
		name string
		put  func(*Dataset)
		want string
	}{
		{"longest short value", func(d *Dataset) { d.Put(StudyDescription, strings.Repeat("x", maxShortLength)) }, ""},
		{"too long", func(d *Dataset) { d.Put(StudyDescription, strings.Repeat("x", maxShortLength+1)) }, "(0008,1030) has more than 65534 bytes"},
		{"text in a number", func(d *Dataset) { d.Put(Rows, "1") }, "(0028,0010) is not"},
		{"number in a text", func(d *Dataset) { d.PutUint16(PatientName, 1) }, "(0010,0010) is not"},
		{"unknown", func(d *Dataset) { d.Put(0x00091010, "1") }, "(0009,1010) is not"},
		{"backslash", func(d *Dataset) { d.Put(PatientName, `a\b`) }, "(0010,0010): a backslash"},
		{"in an item", func(d *Dataset) {
			i := new(Dataset)
			i.Put(PatientName, "\x00")
			d.PutItems(ContentSequence, i)
		}, "in (0040,A730): (0010,0010)"},
	} {
		d := new(Dataset)
		tt.put(d)
		_, err := d.appendTo(nil, layoutOf(ExplicitVRLittleEndian))
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
}

func TestAppendFile(t *testing.T) {
	d := new(Dataset)
	if _, err := d.AppendFile(nil); err == nil {
		t.Error("no SOP class: no error")
	}
	d.Put(SOPClassUID, CTImageStorage)
	d.Put(SOPInstanceUID, "1.2.3")
	b, err := d.AppendFile([]byte("before"))
	if err != nil {
		t.Fatal(err)
	}
	h, err := ReadHeader(bytes.NewReader(b[len("before"):]))
	if err != nil || !h.Part10 || h.TransferSyntaxUID != ExplicitVRLittleEndian || h.MediaStorageSOPClassUID() != CTImageStorage {
		t.Errorf("%+v, %v", h, err)
	}
}

// TestDictionary: each tag that can be put has a representation that one of the Put functions writes.
func TestDictionary(t *testing.T) {
	n := 0
	for group := range Tag(0x100) {
		for element := range Tag(0x10000) {
			v, ok := (group<<16 | element).representation()
			if !ok {
				continue
			}
			n++
			if !v.valid() {
				t.Errorf("%v has %q", group<<16|element, v)
			}
		}
	}
	if n < 100 {
		t.Errorf("%d tags", n)
	}
}
