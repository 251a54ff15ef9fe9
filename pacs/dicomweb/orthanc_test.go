package dicomweb

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"collimate/pacs"
	"collimate/pacs/pacstest"
	"collimate/pacs/pacstest/peer"
	"collimate/pacs/remote"
)

// archive opens a pacs.Archive over a PACS.
func archive(t testing.TB, c Config, dir string) *remote.Archive {
	t.Helper()
	client, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	a, err := remote.Open(client, dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	return a
}

// files lists the DICOM files of a folder.
func files(t testing.TB, dir string) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*.dcm"))
	if err != nil || len(names) == 0 {
		t.Fatalf("%d files: %v", len(names), err)
	}
	return names
}

func TestSuite(t *testing.T) {
	orthanc := peer.Orthanc(t, peer.Options{User: "gateway", Password: "secret"})
	pacstest.Run(t, func(t *testing.T, f pacstest.Fixtures) pacs.Archive {
		orthanc.Stow(t, files(t, f.Dir)...)
		return archive(t, Config{URL: orthanc.URL, User: "gateway", Password: "secret"}, t.TempDir())
	})
}

// TestOrthancAttacked takes the PACS apart while it is read.
func TestOrthancAttacked(t *testing.T) {
	orthanc := peer.Orthanc(t, peer.Options{User: "gateway", Password: "secret"})
	good := Config{URL: orthanc.URL, User: "gateway", Password: "secret"}
	f := pacstest.Make(t)
	orthanc.Stow(t, files(t, f.Dir)...)

	wrong := good
	wrong.Password = "guess"
	if _, err := archive(t, wrong, t.TempDir()).Study(t.Context(), f.Studies[0]); !errors.Is(err, remote.ErrRefused) {
		t.Errorf("wrong password: %v", err)
	}
	measured := archive(t, good, t.TempDir())
	var i pacs.Instance
	for _, uid := range f.Studies {
		s, err := measured.Study(t.Context(), uid)
		if err != nil {
			t.Fatal(err)
		}
		i = s.Series[0].Instances[0]
	}
	damage := func(what string, do func(name string) error) {
		t.Run(what, func(t *testing.T) {
			n := 0
			err := filepath.WalkDir(filepath.Join(orthanc.Dir, "files"), func(name string, d os.DirEntry, err error) error {
				if err != nil || d.IsDir() {
					return err
				}
				b, err := os.ReadFile(name)
				if err == nil && len(b) > 132 && string(b[128:132]) == "DICM" {
					n++
					return do(name)
				}
				return err
			})
			if err != nil || n == 0 {
				t.Fatalf("%d files: %v", n, err)
			}
			r, err := measured.Open(t.Context(), i)
			if err == nil {
				var got int64
				if got, err = io.Copy(io.Discard, r); err == nil {
					t.Errorf("a damaged instance came to a good end after %d of %d bytes", got, i.Size)
				}
				r.Close()
			}
			t.Logf("measured before: %v", err)
			s, err := archive(t, good, t.TempDir()).Study(t.Context(), i.StudyInstanceUID)
			if err == nil || errors.Is(err, pacs.ErrNotFound) {
				t.Errorf("a study with a damaged instance is listed: %+v, %v", s, err)
			}
			t.Logf("listed after: %v", err)
		})
	}
	damage("cut", func(name string) error { return os.Truncate(name, i.Size-100) })
	damage("removed", os.Remove)
	orthanc.Kill()
	if _, err := measured.Study(t.Context(), f.Studies[0]); err == nil || errors.Is(err, pacs.ErrNotFound) {
		t.Errorf("killed: %v", err)
	}
}
