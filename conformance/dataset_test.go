package conformance

import "testing"

// TestReadPart10: sequences of both kinds of length are read, and what is cut off is an error, never a panic.
func TestReadPart10(t *testing.T) {
	f, target := newFake(t)
	b := f.documents[target.Manifest].body
	d, err := readPart10(b)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(d.items[tagEvidence]); n != 1 || len(d.items[tagEvidence][0].items[tagReferencedSerie]) != 2 {
		t.Errorf("%d studies: %+v", n, d.items)
	}
	if d.text(tagPatientName) != "Doe^Jane" {
		t.Errorf("got %q", d.text(tagPatientName))
	}
	for n := range b {
		readPart10(b[:n])
	}
	if _, err := readPart10(b[:140]); err == nil {
		t.Error("a file without its data set is taken")
	}
	deep := append([]byte{}, b[:132]...)
	for range 100 {
		deep = append(deep, 0x40, 0x00, 0x75, 0xA3, 'S', 'Q', 0, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0xFE, 0xFF, 0x00, 0xE0, 0xFF, 0xFF, 0xFF, 0xFF)
	}
	if _, err := readPart10(deep); err == nil {
		t.Error("sequences nested 100 deep are read")
	}
}

func FuzzReadPart10(f *testing.F) {
	f.Add(part10("1.2", "1.3", "1.4", "1.5", "CT", func(w *dicomWriter) { w.sequence(tagEvidence, true, "") }))
	f.Fuzz(func(_ *testing.T, b []byte) { readPart10(b) })
}
