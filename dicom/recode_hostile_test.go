package dicom

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"
)

// picture makes a file of so many frames of 8-bit or 16-bit pixels.
func picture(bits, frames, samples int, planar bool, pixels []byte) []byte {
	u16 := func(v int) string { return string(binary.LittleEndian.AppendUint16(nil, uint16(v))) }
	plan := 0
	if planar {
		plan = 1
	}
	return explicit(append(identity(),
		raw{SamplesPerPixel, "US", u16(samples)}, raw{planarConfiguration, "US", u16(plan)},
		raw{numberOfFrames, "IS", string([]byte{byte('0' + frames), ' '})},
		raw{Rows, "US", u16(3)}, raw{Columns, "US", u16(5)}, raw{BitsAllocated, "US", u16(bits)},
		raw{PixelData, "OW", string(pixels)})...)
}

// TestRecodeRLE: packed and unpacked, the pixels are what they were, in all layouts.
func TestRecodeRLE(t *testing.T) {
	for _, tt := range []struct {
		bits, frames, samples int
		planar                bool
	}{{8, 1, 1, false}, {16, 3, 1, false}, {32, 2, 1, true}, {8, 2, 3, false}, {8, 2, 3, true}, {16, 2, 3, false}, {16, 1, 3, true}} {
		size := 15 * tt.bits / 8 * tt.frames * tt.samples
		for _, fill := range []func(n int) byte{
			func(int) byte { return 7 }, func(n int) byte { return byte(n * 37) }, func(n int) byte { return byte(n / 4) },
		} {
			pixels := make([]byte, size+size%2)
			for n := range size {
				pixels[n] = fill(n)
			}
			file := picture(tt.bits, tt.frames, tt.samples, tt.planar, pixels)
			want := recode(t, file, ImplicitVRLittleEndian)
			packed := recode(t, file, RLELossless)
			if got := recode(t, packed, ImplicitVRLittleEndian); !bytes.Equal(got, want) {
				t.Errorf("%+v: %s", tt, difference(got, want))
			}
			if again := recode(t, packed, RLELossless); !bytes.Equal(again, packed) {
				t.Errorf("%+v: copied it is another", tt)
			}
		}
	}
	file := picture(16, 1, 1, false, make([]byte, 30))
	for name, bad := range map[string][]byte{
		"1 bit":             picture(1, 1, 1, false, make([]byte, 2)),
		"16 segments":       picture(64, 1, 3, false, make([]byte, 360)),
		"no frames":         picture(16, 0, 1, false, make([]byte, 30)),
		"pixels missing":    picture(16, 2, 1, false, make([]byte, 30)),
		"pixels to spare":   picture(16, 1, 1, false, make([]byte, 34)),
		"cut in the pixels": file[:len(file)-1],
	} {
		if err := Recode(io.Discard, bytes.NewReader(bad), RLELossless); (err == nil) != (name == "no frames") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestRecodeTruncated cuts files at each byte: an error, or a file that ended there.
func TestRecodeTruncated(t *testing.T) {
	file := picture(16, 2, 1, false, make([]byte, 60))
	for _, file := range [][]byte{file, recode(t, file, RLELossless), recode(t, file, DeflatedExplicitVRLittleEndian)} {
		for n := range file {
			err := Recode(io.Discard, bytes.NewReader(file[:n]), ImplicitVRLittleEndian)
			if err == nil {
				if _, whole := Inspect(bytes.NewReader(file[:n])); whole != nil {
					t.Errorf("cut at %d of %d: no error", n, len(file))
				}
			}
		}
	}
	// A reader that fails is not an end.
	broken := errors.New("broken")
	for _, n := range []int{10, 140, 200, 300} {
		r := io.MultiReader(bytes.NewReader(file[:n]), iotest.ErrReader(broken))
		if err := Recode(io.Discard, r, ImplicitVRLittleEndian); !errors.Is(err, broken) {
			t.Errorf("a reader that fails at %d: %v", n, err)
		}
	}
}

// TestRecodeHostile: what is malformed is an error in bounded memory, and says nothing of what is in the file.
func TestRecodeHostile(t *testing.T) {
	const undefined = "\xff\xff\xff\xff"
	l := layoutOf(ExplicitVRLittleEndian)
	pixels := func(s string) []byte {
		b := picture(8, 1, 1, false, nil)
		b = bytes.Replace(b, []byte(ExplicitVRLittleEndian), []byte(RLELossless), 1) // of the same length
		return append(b[:len(b)-12], "\xe0\x7f\x10\x00OB\x00\x00"+undefined+s...)
	}
	table := "\xfe\xff\x00\xe0\x00\x00\x00\x00"
	frame := func(header, data string) string {
		return table + "\xfe\xff\x00\xe0" + string(binary.LittleEndian.AppendUint32(nil, uint32(64+len(data)))) +
			header + strings.Repeat("\x00", 64-len(header)) + data
	}
	for _, tt := range []struct {
		name string
		file io.Reader
		want string
	}{
		{"20,000 deep", bytes.NewReader(nested(20_000, true)), "nested"},
		{"20,000 deep with lengths", bytes.NewReader(deep(20_000)), "nested"},
		{"an item longer than its sequence", bytes.NewReader(explicit(raw{0x00091010, "SQ", "\xfe\xff\x00\xe0\x40\x00\x00\x00"})), "longer than what holds it"},
		{"an element longer than its item", bytes.NewReader(explicit(raw{0x00091010, "SQ", "\xfe\xff\x00\xe0\x08\x00\x00\x00\x08\x00\x16\x00UI\x40\x00"})), "longer than what holds it"},
		{"a value without end", bytes.NewReader(explicit(raw{0x00091010, "LO", ""}, raw{tag: 0x00091011, vr: "OB"})[:0]), "not a DICOM"},
		{"undefined length", bytes.NewReader(append(fileOf(ExplicitVRLittleEndian, nil), "\x09\x00\x10\x10OB\x00\x00"+undefined...)), "undefined length"},
		{"a delimiter out of place", bytes.NewReader(append(fileOf(ExplicitVRLittleEndian, nil), "\xfe\xff\xdd\xe0\x00\x00\x00\x00"...)), "where an item"},
		{"long meta", bytes.NewReader(append(fileOf(ExplicitVRLittleEndian, nil), l.encode(raw{0x00020102, "OB", strings.Repeat("x", maxMetaBytes+2)})...)), "too long"},
		{"no transfer syntax", bytes.NewReader(append(make([]byte, 128), "DICM"...)), "no transfer syntax"},
		{"a bomb", io.MultiReader(bytes.NewReader(fileOf(DeflatedExplicitVRLittleEndian, nil)[:deflatedStart]), bytes.NewReader(bombTail(t))), "more than"},
		{"no frame", bytes.NewReader(pixels(table + "\xfe\xff\xdd\xe0\x00\x00\x00\x00")), "fragments"},
		{"two frames for one", bytes.NewReader(pixels(frame("\x01\x00\x00\x00\x40\x00\x00\x00", "\xf2\x01") + "\xfe\xff\x00\xe0\x02\x00\x00\x00xx")), "more fragments"},
		{"a frame of 4 GB", bytes.NewReader(pixels(table + "\xfe\xff\x00\xe0\xf0\xff\xff\xff")), "an RLE frame of"},
		{"no header", bytes.NewReader(pixels(table + "\xfe\xff\x00\xe0\x02\x00\x00\x00xx")), "cannot be unpacked"},
		{"other segments", bytes.NewReader(pixels(frame("\x02\x00\x00\x00\x40\x00\x00\x00", "\xf2\x01"))), "cannot be unpacked"},
		{"an offset beyond", bytes.NewReader(pixels(frame("\x01\x00\x00\x00\x43\x00\x00\x00", "\xf2\x01"))), "cannot be unpacked"},
		{"an offset in the header", bytes.NewReader(pixels(frame("\x01\x00\x00\x00\x04\x00\x00\x00", "\xf2\x01"))), "cannot be unpacked"},
		{"a run too long", bytes.NewReader(pixels(frame("\x01\x00\x00\x00\x40\x00\x00\x00", "\x81\x01"))), "cannot be unpacked"},
		{"a run too short", bytes.NewReader(pixels(frame("\x01\x00\x00\x00\x40\x00\x00\x00", "\xf3\x01"))), "cannot be unpacked"},
		{"good", bytes.NewReader(pixels(frame("\x01\x00\x00\x00\x40\x00\x00\x00", "\xf2\x01") + "\xfe\xff\xdd\xe0\x00\x00\x00\x00")), ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			err := Recode(io.Discard, tt.file, ImplicitVRLittleEndian)
			runtime.ReadMemStats(&after)
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
			if err != nil && strings.Contains(err.Error(), "Doe") {
				t.Errorf("the error tells: %v", err)
			}
			if used := after.TotalAlloc - before.TotalAlloc; used > 4<<20 {
				t.Errorf("allocated %d bytes", used)
			}
		})
	}
}

// deep nests sequences and items of defined lengths.
func deep(levels int) []byte {
	var b []byte
	for range levels {
		n := uint32(len(b))
		inner := append(binary.LittleEndian.AppendUint32([]byte("\xfe\xff\x00\xe0"), n), b...)
		b = append(binary.LittleEndian.AppendUint32([]byte("\x09\x00\x10\x10SQ\x00\x00"), n+8), inner...)
		if levels > 100 && len(b) > 2000 { // the outermost count; the rest would cost a gigabyte to build
			break
		}
	}
	return fileOf(ExplicitVRLittleEndian, b)
}

// bombTail is deflated and claims to hold more than may be inflated.
func bombTail(t *testing.T) []byte {
	t.Helper()
	return bomb(t, "\x09\x00\x10\x10OB\x00\x00\xfe\xff\xff\xff", 64<<20)[deflatedStart:]
}

func FuzzRecode(f *testing.F) {
	file := picture(16, 2, 1, false, make([]byte, 60))
	f.Add(file, byte(0))
	f.Add(fileOf(ImplicitVRLittleEndian, layoutOf(ImplicitVRLittleEndian).encode(identity()...)), byte(1))
	f.Add(fileOf(ExplicitVRBigEndian, layoutOf(ExplicitVRBigEndian).encode(identity()...)), byte(2))
	for _, to := range []string{RLELossless, DeflatedExplicitVRLittleEndian} {
		var b bytes.Buffer
		if err := Recode(&b, bytes.NewReader(file), to); err != nil {
			f.Fatal(err)
		}
		f.Add(b.Bytes(), byte(3))
	}
	f.Add(nested(5, true), byte(0))
	all := []string{ExplicitVRLittleEndian, ImplicitVRLittleEndian, DeflatedExplicitVRLittleEndian, RLELossless}
	f.Fuzz(func(t *testing.T, b []byte, n byte) {
		to := all[int(n)%len(all)]
		var once, twice bytes.Buffer
		if Recode(&once, bytes.NewReader(b), to) != nil {
			return
		}
		// What was written can be read, and is written again as it is.
		if err := Recode(&twice, bytes.NewReader(once.Bytes()), to); err != nil {
			t.Fatalf("what was written to %s cannot be read: %v", to, err)
		}
		if !bytes.Equal(once.Bytes(), twice.Bytes()) {
			t.Fatalf("to %s, written again: %s", to, difference(twice.Bytes(), once.Bytes()))
		}
	})
}

func BenchmarkRecode(b *testing.B) {
	pixels := make([]byte, 2*512*512)
	for n := range pixels {
		pixels[n] = byte(n / 64)
	}
	u16 := func(v int) string { return string(binary.LittleEndian.AppendUint16(nil, uint16(v))) }
	file := explicit(append(identity(), raw{SamplesPerPixel, "US", u16(1)}, raw{Rows, "US", u16(512)},
		raw{Columns, "US", u16(512)}, raw{BitsAllocated, "US", u16(16)}, raw{PixelData, "OW", string(pixels)})...)
	packed := new(bytes.Buffer)
	if err := Recode(packed, bytes.NewReader(file), RLELossless); err != nil {
		b.Fatal(err)
	}
	for _, bb := range []struct {
		name, to string
		file     []byte
	}{
		{"implicit", ImplicitVRLittleEndian, file}, {"deflate", DeflatedExplicitVRLittleEndian, file},
		{"pack", RLELossless, file}, {"unpack", ExplicitVRLittleEndian, packed.Bytes()},
	} {
		b.Run(bb.name, func(b *testing.B) {
			b.SetBytes(int64(len(file)))
			b.ReportAllocs()
			for b.Loop() {
				if err := Recode(io.Discard, bytes.NewReader(bb.file), bb.to); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
