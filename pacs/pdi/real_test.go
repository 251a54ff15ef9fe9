package pdi_test

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"collimate/internal/sharedfiles"
	"collimate/pacs"
	"collimate/pacs/fs"
	"collimate/pacs/pdi"
)

// TestRealStudies takes whole studies of real files through an archive into a ZIP, and compares each file.
func TestRealStudies(t *testing.T) {
	for name, files := range map[string]int{"mr-series-16": 16, "ct-seg-study": 5} {
		t.Run(name, func(t *testing.T) {
			from := sharedfiles.Path(t, "dicom", name)
			a, err := fs.Open(t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			defer a.Close()
			done, err := a.Import(t.Context(), from, nil)
			if err != nil || done.Files != files || len(done.Studies) != 1 {
				t.Fatalf("%+v, %v", done, err)
			}
			s, err := a.Study(t.Context(), done.Studies[0])
			if err != nil {
				t.Fatal(err)
			}
			plan, err := pdi.New(s)
			if err != nil {
				t.Fatal(err)
			}
			var b bytes.Buffer
			if _, err := plan.WriteArchive(&b, func(i pacs.Instance) (io.ReadCloser, error) { return a.Open(t.Context(), i) }); err != nil {
				t.Fatal(err)
			}
			compare(t, from, b.Bytes(), files)
			manifest, err := pdi.Manifest(s, pdi.ManifestOptions{SOPInstanceUID: "2.25.7", RetrieveLocationUID: "2.25.9"})
			if err != nil {
				t.Fatal(err)
			}
			conforms(t, manifest)
		})
	}
}

// compare checks that the ZIP holds each file of the folder and a DICOMDIR, and no other.
func compare(t *testing.T, from string, b []byte, files int) {
	t.Helper()
	stored := map[[32]byte]bool{}
	names, err := filepath.Glob(filepath.Join(from, "*.dcm"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		content, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		stored[sha256.Sum256(content)] = true
	}
	r, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range r.File[1:] {
		content, err := r.Open(f.Name)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(content)
		if err != nil || !stored[sha256.Sum256(got)] {
			t.Errorf("%s is not a file of the study: %v", f.Name, err)
		}
		delete(stored, sha256.Sum256(got))
	}
	if len(stored) != 0 || len(r.File) != files+1 {
		t.Errorf("%d files of the study are missing, %d are there", len(stored), len(r.File)-1)
	}
}

// conforms asks dicom3tools about a file.
func conforms(t *testing.T, file []byte) {
	t.Helper()
	dciodvfy, err := exec.LookPath("dciodvfy")
	if err != nil {
		t.Skip("dciodvfy is not installed; it comes with Debian's dicom3tools")
	}
	name := filepath.Join(t.TempDir(), "manifest.dcm")
	if err := os.WriteFile(name, file, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(dciodvfy, name).CombinedOutput()
	if err != nil || strings.Contains(string(out), "Error") {
		t.Errorf("%v: %s", err, out)
	}
}
