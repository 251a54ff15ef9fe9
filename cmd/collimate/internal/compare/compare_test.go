package compare

import (
	"archive/zip"
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"collimate/dicom/phantom"
	"collimate/pacs"
	"collimate/pacs/fs"
)

// archived returns a small study in an archive, and its files by the name that they get in the ZIP.
func archived(t *testing.T) (*fs.Archive, *pacs.Study, map[string][]byte) {
	t.Helper()
	from := t.TempDir()
	info, err := phantom.Generate(from, phantom.Options{Series: 1, Slices: 3, Rows: 64, Columns: 64})
	if err != nil {
		t.Fatal(err)
	}
	archive, err := fs.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { archive.Close() })
	if _, err := archive.Import(t.Context(), from, nil); err != nil {
		t.Fatal(err)
	}
	study, err := archive.Study(t.Context(), info.StudyInstanceUID)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{"DICOMDIR": []byte("a directory")}
	for n, i := range study.Series[0].Instances {
		r, err := archive.Open(t.Context(), i)
		if err != nil {
			t.Fatal(err)
		}
		raw, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		r.Close()
		files["DICOM/I"+string(rune('0'+n))] = raw
	}
	return archive, study, files
}

func zipOf(t *testing.T, files map[string][]byte) string {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for name, raw := range files {
		w, err := z.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Store})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(raw); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "study.zip")
	if err := os.WriteFile(file, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestStudy(t *testing.T) {
	archive, study, files := archived(t)
	for _, test := range []struct {
		name   string
		change func(map[string][]byte)
		want   string
	}{
		{"the same", func(map[string][]byte) {}, ""},
		{"one bit", func(f map[string][]byte) { f["DICOM/I1"][len(f["DICOM/I1"])-1] ^= 1 }, "differs"},
		{"one byte more", func(f map[string][]byte) { f["DICOM/I1"] = append(f["DICOM/I1"], 0) }, "differs"},
		{"one byte less", func(f map[string][]byte) { f["DICOM/I1"] = f["DICOM/I1"][:len(f["DICOM/I1"])-1] }, "differs"},
		{"one missing", func(f map[string][]byte) { delete(f, "DICOM/I1") }, "1 instances that the archive holds did not arrive"},
		{"one twice", func(f map[string][]byte) { f["DICOM/I9"] = f["DICOM/I1"] }, "came twice"},
		{"not DICOM", func(f map[string][]byte) { f["DICOM/I9"] = []byte("hello") }, "DICOM"},
	} {
		t.Run(test.name, func(t *testing.T) {
			changed := map[string][]byte{}
			for name, raw := range files {
				changed[name] = bytes.Clone(raw)
			}
			test.change(changed)
			n, size, err := Study(t.Context(), zipOf(t, changed), archive, study)
			if test.want == "" {
				wantN, wantSize := study.Count()
				if err != nil || n != wantN || size != wantSize {
					t.Errorf("got %d instances of %d bytes, %v; want %d of %d", n, size, err, wantN, wantSize)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want an error with %q", err, test.want)
			}
		})
	}
}
