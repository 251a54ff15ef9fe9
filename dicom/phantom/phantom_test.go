package phantom

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	iofs "io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"collimate/dicom"
)

// generate makes a study and returns its files by path.
func generate(t testing.TB, o Options) (Info, map[string][]byte) {
	t.Helper()
	dir := t.TempDir()
	info, err := Generate(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{}
	err = filepath.WalkDir(dir, func(path string, d iofs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		files[filepath.ToSlash(name)], err = os.ReadFile(path)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return info, files
}

func TestGenerate(t *testing.T) {
	info, files := generate(t, Options{})
	if info.Files != 64 || len(files) != 64 {
		t.Errorf("%d files, %d said, want 64", len(files), info.Files)
	}
	var bytesInAll int64
	instances, series, planes := map[string]bool{}, map[string]int{}, map[string]bool{}
	for name, b := range files {
		bytesInAll += int64(len(b))
		h, err := dicom.ReadHeader(bytes.NewReader(b))
		if err != nil || h.Validate() != nil {
			t.Fatalf("%s: %v, %v", name, err, h.Validate())
		}
		if h.Text(dicom.StudyInstanceUID) != info.StudyInstanceUID {
			t.Errorf("%s is of another study", name)
		}
		instances[h.Text(dicom.SOPInstanceUID)] = true
		series[h.Text(dicom.SeriesInstanceUID)]++
		planes[string(pixels(t, b, 512*512))] = true
	}
	if bytesInAll != info.Bytes || len(instances) != 64 || len(series) != 2 || len(planes) != 64 {
		t.Errorf("%d bytes of %d, %d instances, %d series, %d different slices", bytesInAll, info.Bytes, len(instances), len(series), len(planes))
	}
}

// pixels returns the pixels of a file, which are its end.
func pixels(t *testing.T, file []byte, n int) []byte {
	t.Helper()
	at := len(file) - 2*n
	if string(file[at-12:at]) != "\xe0\x7f\x10\x00OW\x00\x00"+string(binary.LittleEndian.AppendUint32(nil, uint32(2*n))) {
		t.Fatal("no pixel data where it is to be")
	}
	return file[at:]
}

// TestHounsfield looks at what is in a slice: air in the corner, water off the rods, noise about both.
func TestHounsfield(t *testing.T) {
	_, files := generate(t, Options{Series: 1, Slices: 4})
	plane := pixels(t, files["CT/S0000001/I0000001.dcm"], 512*512)
	mean := func(row, column int) (mean float64, differs bool) {
		first, sum := int16(0), 0
		for y := range 8 {
			for x := range 8 {
				v := int16(binary.LittleEndian.Uint16(plane[2*((row+y)*512+column+x):]))
				if x == 0 && y == 0 {
					first = v
				}
				differs = differs || v != first
				sum += int(v)
			}
		}
		return float64(sum) / 64, differs
	}
	for _, tt := range []struct {
		name        string
		row, column int
		want        float64
	}{{"air", 2, 2, air}, {"water", 252, 445, water}, {"table", 490, 252, table}} {
		if got, differs := mean(tt.row, tt.column); got < tt.want-8 || got > tt.want+8 || !differs {
			t.Errorf("%s is %.1f HU, want about %.0f; noise %v", tt.name, got, tt.want, differs)
		}
	}
}

func TestDeterministic(t *testing.T) {
	o := Options{Series: 2, Slices: 3, Rows: 17, Columns: 33, Seed: 5}
	infoA, a := generate(t, o)
	infoB, b := generate(t, o)
	if infoA != infoB || len(a) != len(b) {
		t.Fatalf("%+v, then %+v", infoA, infoB)
	}
	h := sha256.New()
	for _, name := range []string{"CT/S0000001/I0000001.dcm", "CT/S0000002/I0000003.dcm"} {
		if !bytes.Equal(a[name], b[name]) {
			t.Errorf("%s differs", name)
		}
		h.Write(a[name])
	}
	// Frozen, so that a change of the phantom is a decision. Update it with one.
	if got, want := hex.EncodeToString(h.Sum(nil)[:8]), "b11fdee9a34c0ac4"; got != want {
		t.Errorf("the phantom is %s, was %s", got, want)
	}
}

// TestOptionsTellApart: studies that differ share no UID.
func TestOptionsTellApart(t *testing.T) {
	base := Options{Series: 1, Slices: 1, Rows: 16, Columns: 16}
	seen := map[string]string{}
	for name, change := range map[string]func(*Options){
		"base": func(*Options) {}, "Series": func(o *Options) { o.Series = 2 }, "Slices": func(o *Options) { o.Slices = 2 },
		"Rows": func(o *Options) { o.Rows = 17 }, "Columns": func(o *Options) { o.Columns = 17 }, "Seed": func(o *Options) { o.Seed = 1 },
		"PatientName": func(o *Options) { o.PatientName = "Фантом^Цилиндр" }, "PatientID": func(o *Options) { o.PatientID = "2" },
		"AccessionNumber": func(o *Options) { o.AccessionNumber = "2" }, "Description": func(o *Options) { o.Description = "2" },
		"StudyDate": func(o *Options) { o.StudyDate = "20250101" }, "StudyInstanceUID": func(o *Options) { o.StudyInstanceUID = "1.2.3" },
	} {
		o := base
		change(&o)
		info, files := generate(t, o)
		if o.StudyInstanceUID != "" && info.StudyInstanceUID != o.StudyInstanceUID {
			t.Errorf("%s: it is %s", name, info.StudyInstanceUID)
		}
		h, err := dicom.ReadHeader(bytes.NewReader(files["CT/S0000001/I0000001.dcm"]))
		if err != nil {
			t.Fatal(err)
		}
		for _, uid := range []string{info.StudyInstanceUID, h.Text(dicom.SeriesInstanceUID), h.Text(dicom.SOPInstanceUID)} {
			if other, ok := seen[uid]; ok {
				t.Errorf("%s shares a UID with %s", name, other)
			}
			seen[uid] = name
		}
	}
}

func TestValidate(t *testing.T) {
	for _, tt := range []struct {
		o  Options
		ok bool
	}{
		{Options{}, true},
		{Options{Series: maxSeries, Slices: maxSlices, Rows: maxSide, Columns: maxSide}, true},
		{Options{Rows: minSide, Columns: minSide}, true},
		{Options{Series: maxSeries + 1}, false},
		{Options{Series: -1}, false},
		{Options{Slices: maxSlices + 1}, false},
		{Options{Rows: minSide - 1}, false},
		{Options{Columns: maxSide + 1}, false},
		{Options{StudyInstanceUID: "../1"}, false},
	} {
		if err := tt.o.Validate(); (err == nil) != tt.ok {
			t.Errorf("%+v: %v, want ok %v", tt.o, err, tt.ok)
		}
	}
	err := Options{Series: -1, Slices: -1}.Validate()
	if err == nil || !strings.Contains(err.Error(), "Series") || !strings.Contains(err.Error(), "Slices") {
		t.Errorf("two faults: %v", err)
	}
	if _, err := Generate(t.TempDir(), Options{Series: -1}); err == nil {
		t.Error("Generate: no error")
	}
	if _, err := Generate(t.TempDir(), Options{PatientName: "a\nb", Rows: 16, Columns: 16}); err == nil {
		t.Error("a name with a line break: no error")
	}
}

func TestGenerateStops(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if info, err := GenerateContext(ctx, t.TempDir(), Options{}); !errors.Is(err, context.Canceled) || info.Files != 0 {
		t.Errorf("%+v, %v", info, err)
	}
}

// TestConforms asks dicom3tools whether these are CT images, for all shapes that the options give.
func TestConforms(t *testing.T) {
	dciodvfy, err := exec.LookPath("dciodvfy")
	if err != nil {
		t.Skip("dciodvfy is not installed; it comes with Debian's dicom3tools")
	}
	for _, o := range []Options{
		{Series: 2, Slices: 32}, {Series: 1, Slices: 1}, {Series: 3, Slices: 2, Rows: 33, Columns: 17, PatientName: "Фантом^Цилиндр"},
		{Series: 1, Slices: 2, PatientName: "Hong^Gildong=洪^吉洞=홍^길동", PatientID: "홍-1"},
	} {
		_, files := generate(t, o)
		for name, b := range files {
			path := filepath.Join(t.TempDir(), "slice.dcm")
			if err := os.WriteFile(path, b, 0o600); err != nil {
				t.Fatal(err)
			}
			out, err := exec.Command(dciodvfy, path).CombinedOutput()
			if err != nil || strings.Contains(string(out), "Error") || !strings.Contains(string(out), "CTImage") {
				t.Fatalf("%s: %v: %s", name, err, out)
			}
		}
	}
}

func BenchmarkGenerate(b *testing.B) {
	o := Options{Series: 1, Slices: 8}
	p := newPainter(o.withDefaults())
	var file []byte
	var err error
	o = o.withDefaults()
	b.SetBytes(2 * 512 * 512)
	b.ReportAllocs()
	for n := 0; b.Loop(); n++ {
		if file, err = o.dataset(0, n%8, p.paint(0, n%8)).AppendFile(file[:0]); err != nil {
			b.Fatal(err)
		}
	}
}
