package dicom

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// raw is an element as it is to stand in a test file, right or wrong.
type raw struct {
	tag   Tag
	vr    string
	value string
}

// encode lays elements out, with the lengths that their values have.
func (l layout) encode(elements ...raw) []byte {
	var b []byte
	u16 := func(v uint16) { b = append(b, 0, 0); l.order.PutUint16(b[len(b)-2:], v) }
	u32 := func(v uint32) { b = append(b, 0, 0, 0, 0); l.order.PutUint32(b[len(b)-4:], v) }
	for _, e := range elements {
		u16(uint16(e.tag >> 16))
		u16(uint16(e.tag))
		switch {
		case l.implicit || e.vr == "":
			u32(uint32(len(e.value)))
		case vr([]byte(e.vr)).long():
			b = append(b, e.vr...)
			u16(0)
			u32(uint32(len(e.value)))
		default:
			b = append(b, e.vr...)
			u16(uint16(len(e.value)))
		}
		b = append(b, e.value...)
	}
	return b
}

// fileOf makes a Part 10 file of a data set in a transfer syntax.
func fileOf(transferSyntax string, dataSet []byte) []byte {
	b := append(make([]byte, 128), "DICM"...)
	b = append(b, layoutOf(ExplicitVRLittleEndian).encode(
		raw{fileMetaVersion, "OB", "\x00\x01"},
		raw{transferSyntaxUID, "UI", transferSyntax})...)
	if transferSyntax != DeflatedExplicitVRLittleEndian {
		return append(b, dataSet...)
	}
	var z bytes.Buffer
	w, _ := flate.NewWriter(&z, flate.BestCompression)
	w.Write(dataSet)
	w.Close()
	return append(b, z.Bytes()...)
}

// explicit makes a Part 10 file in explicit VR little endian.
func explicit(elements ...raw) []byte {
	return fileOf(ExplicitVRLittleEndian, layoutOf(ExplicitVRLittleEndian).encode(elements...))
}

// identity is the elements that every instance has.
func identity() []raw {
	return []raw{
		{SOPClassUID, "UI", CTImageStorage + "\x00"},
		{SOPInstanceUID, "UI", "1.2.3.4"},
		{PatientName, "PN", "Doe^Jane "},
		{PatientID, "LO", " 17 "},
		{StudyInstanceUID, "UI", "1.2.3\x00"},
		{SeriesInstanceUID, "UI", "1.2.3.5"},
		{InstanceNumber, "IS", "7 "},
	}
}

// node is a data set that was read back, by a reader that takes nothing but what Dataset writes.
type node struct {
	offset   int
	values   map[Tag]string
	children map[Tag][]node
}

// parse reads the data set of a file that we wrote, and fails on anything out of order, odd or overlapping.
func parse(t *testing.T, file []byte) node {
	t.Helper()
	if string(file[128:132]) != "DICM" {
		t.Fatal("no DICM")
	}
	group := int(binary.LittleEndian.Uint32(file[140:]))
	parseNode(t, file, 132, 144+group) // the meta information
	return parseNode(t, file, 144+group, len(file))
}

func parseNode(t *testing.T, file []byte, from, to int) node {
	t.Helper()
	n := node{offset: from, values: map[Tag]string{}, children: map[Tag][]node{}}
	last := Tag(0)
	for at := from; at < to; {
		tag := Tag(binary.LittleEndian.Uint16(file[at:]))<<16 | Tag(binary.LittleEndian.Uint16(file[at+2:]))
		v := vr{file[at+4], file[at+5]}
		if tag <= last {
			t.Fatalf("%v after %v", tag, last)
		}
		last = tag
		length := int(binary.LittleEndian.Uint16(file[at+6:]))
		at += 8
		if v.long() {
			length = int(binary.LittleEndian.Uint32(file[at:]))
			at += 4
		}
		if length%2 == 1 || at+length > to {
			t.Fatalf("%v has length %d, %d are left", tag, length, to-at)
		}
		if v != (vr{'S', 'Q'}) {
			n.values[tag] = string(file[at : at+length])
			if v != (vr{'U', 'L'}) {
				n.values[tag] = strings.TrimRight(n.values[tag], " \x00")
			}
		}
		for end := at + length; v == (vr{'S', 'Q'}) && at < end; {
			size := int(binary.LittleEndian.Uint32(file[at+4:]))
			child := parseNode(t, file, at+8, at+8+size)
			child.offset = at
			n.children[tag] = append(n.children[tag], child)
			at += 8 + size
			length -= 8 + size
		}
		at += length
	}
	return n
}

func (n node) uint32(t Tag) int {
	return int(binary.LittleEndian.Uint32([]byte((n.values[t] + "\x00\x00\x00\x00")[:4])))
}

// studyOf makes a study with so many instances in series of at most 100.
func studyOf(patient string, instances int) Study {
	s := Study{
		InstanceUID: "1.2.3", PatientName: patient, PatientID: "17", PatientBirthDate: "19700101", PatientSex: "O",
		Date: "20240311", Time: "101500", ID: "S1", AccessionNumber: "A1", Description: "CT", ReferringPhysicianName: "Roe^Richard",
	}
	for n := range instances {
		if n%100 == 0 {
			s.Series = append(s.Series, Series{
				InstanceUID: fmt.Sprintf("1.2.3.%d", n/100+1), Modality: "CT", Number: fmt.Sprint(n/100 + 1),
			})
		}
		series := &s.Series[n/100]
		series.Instances = append(series.Instances, Instance{
			SOPClassUID: CTImageStorage, SOPInstanceUID: fmt.Sprintf("%s.%d", series.InstanceUID, n%100+1),
			TransferSyntaxUID: ExplicitVRLittleEndian, Number: fmt.Sprint(n%100 + 1),
			FileID: []string{"DICOM", fmt.Sprintf("S%07d", n/100+1), fmt.Sprintf("I%07d", n%100+1)},
		})
	}
	return s
}

// golden compares with a file of testdata.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s: %d bytes, not the %d frozen ones", name, len(got), len(want))
	}
}

// judge runs a tool of DCMTK or dicom3tools over a file and fails on an error.
func judge(t *testing.T, file []byte, tool string, args ...string) {
	t.Helper()
	t.Run(tool, func(t *testing.T) {
		for _, line := range complaints(t, file, tool, args...) {
			t.Error(line)
		}
	})
}

// complaints runs such a tool and returns the lines that tell errors.
func complaints(t *testing.T, file []byte, tool string, args ...string) (lines []string) {
	t.Helper()
	path, err := exec.LookPath(tool)
	if err != nil {
		t.Skipf("%s is not installed; it comes with Debian's dcmtk or dicom3tools", tool)
	}
	name := filepath.Join(t.TempDir(), "file.dcm")
	if err := os.WriteFile(name, file, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(path, append(args, name)...).CombinedOutput()
	if tool != "dciodvfy" && err != nil { // which tells errors by its lines
		t.Errorf("%s: %v", tool, err)
	}
	for line := range strings.Lines(string(out)) {
		if strings.HasPrefix(line, "Error") || strings.HasPrefix(line, "E:") || strings.HasPrefix(line, "F:") {
			lines = append(lines, strings.TrimSpace(line))
		}
	}
	return lines
}
