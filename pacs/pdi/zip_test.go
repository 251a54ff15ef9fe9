package pdi

import (
	"archive/zip"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// planned is an archive with nothing but zeros for contents, as a sparse file.
func planned(t *testing.T, sizes ...uint64) (name string, length int64) {
	t.Helper()
	name = filepath.Join(t.TempDir(), "large.zip")
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var entries []entry
	at := uint64(0)
	for n, size := range sizes {
		e := entry{name: fmt.Sprintf("F%07d", n), size: size, crc: uint32(n), offset: at}
		entries = append(entries, e)
		header := e.appendLocal(nil, dosTime{})
		if _, err := f.WriteAt(header, int64(at)); err != nil {
			t.Skipf("no room for a sparse file: %v", err)
		}
		at += uint64(len(header)) + size
	}
	end := appendDirectory(nil, entries, dosTimeOf(time.Time{}))
	if _, err := f.WriteAt(end, int64(at)); err != nil {
		t.Skipf("no room for a sparse file: %v", err)
	}
	return name, int64(at) + int64(len(end))
}

// TestLarge goes over each of the limits of plain ZIP.
func TestLarge(t *testing.T) {
	const limit = math.MaxUint32
	for _, tt := range []struct {
		name  string
		sizes []uint64
		zip64 bool
	}{
		{"below", []uint64{limit - 200, 1}, false},
		{"largest plain entry", []uint64{limit - 1}, true}, // the directory begins past the limit
		{"entry at the limit", []uint64{limit, 1}, true},
		{"entry over the limit", []uint64{1, 5 << 30, 2}, true},
		{"offset at the limit", []uint64{limit - 38, 7}, true},
		{"offset below the limit", []uint64{limit - 39, 7}, true},
		{"65534 entries", make([]uint64, 65534), false},
		{"65535 entries", make([]uint64, 65535), true},
		{"65536 entries", make([]uint64, 65536), true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			name, length := planned(t, tt.sizes...)
			r, err := zip.OpenReader(name)
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			if len(r.File) != len(tt.sizes) {
				t.Fatalf("%d entries, want %d", len(r.File), len(tt.sizes))
			}
			zip64 := false
			for n, file := range r.File {
				if file.UncompressedSize64 != tt.sizes[n] || file.CompressedSize64 != tt.sizes[n] || file.CRC32 != uint32(n) {
					t.Errorf("entry %d: %d bytes, want %d", n, file.UncompressedSize64, tt.sizes[n])
				}
				if _, err := file.DataOffset(); err != nil {
					t.Errorf("entry %d: %v", n, err)
				}
			}
			b := make([]byte, 20)
			f, err := os.Open(name)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			if _, err := f.ReadAt(b, length-22-20); err == nil {
				zip64 = le.Uint32(b) == 0x07064b50
			}
			if zip64 != tt.zip64 {
				t.Errorf("zip64 is %v, want %v", zip64, tt.zip64)
			}
			// unzip 6.0 takes a size that is the limit itself for "see the extra field" once more.
			if unzip, err := exec.LookPath("unzip"); err == nil && tt.sizes[0] != limit {
				out, err := exec.Command(unzip, "-l", name).CombinedOutput()
				if err != nil || !strings.Contains(string(out), fmt.Sprintf("%d file", len(tt.sizes))) {
					t.Errorf("unzip: %v: %s", err, out)
				}
			}
		})
	}
}

// TestLargeLocalHeader: what a streaming reader finds of an entry about the limit and past it. APPNOTE 4.5.3
func TestLargeLocalHeader(t *testing.T) {
	for size, large := range map[uint64]bool{0: false, math.MaxUint32 - 1: false, math.MaxUint32: true, 5 << 30: true} {
		b := entry{name: "F", size: size}.appendLocal(nil, dosTime{})
		extra := b[31:]
		if int(le.Uint16(b[28:])) != len(extra) {
			t.Errorf("%d bytes: header %x", size, b)
		}
		if !large {
			if le.Uint16(b[4:]) != versionPlain || uint64(le.Uint32(b[18:])) != size || uint64(le.Uint32(b[22:])) != size || len(extra) != 0 {
				t.Errorf("%d bytes: header %x", size, b)
			}
			continue
		}
		if le.Uint16(b[4:]) != versionZIP64 || le.Uint32(b[18:]) != math.MaxUint32 || le.Uint32(b[22:]) != math.MaxUint32 || len(extra) != 20 {
			t.Fatalf("%d bytes: header %x", size, b)
		}
		if le.Uint16(extra) != 1 || le.Uint16(extra[2:]) != 16 || le.Uint64(extra[4:]) != size || le.Uint64(extra[12:]) != size {
			t.Errorf("%d bytes: extra field %x", size, extra)
		}
	}
}

func TestModified(t *testing.T) {
	for _, tt := range []struct {
		date string
		want dosTime
	}{
		{"20240311", dosTime{44<<9 | 3<<5 | 11, 0}},
		{"19800101", dosTime{1<<5 | 1, 0}},
		{"19791231", dosTime{1<<5 | 1, 0}},
		{"21071231", dosTime{127<<9 | 12<<5 | 31, 0}},
		{"21080101", dosTime{1<<5 | 1, 0}},
		{"", dosTime{1<<5 | 1, 0}},
		{"2024.03.11", dosTime{1<<5 | 1, 0}},
		{"20241399", dosTime{1<<5 | 1, 0}},
	} {
		if got := modified(tt.date); got != tt.want {
			t.Errorf("%q: %v, want %v", tt.date, got, tt.want)
		}
	}
}
