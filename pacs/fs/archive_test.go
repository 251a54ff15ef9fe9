package fs

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"collimate/dicom/phantom"
	"collimate/pacs"
	"collimate/pacs/pacstest"
)

// open opens the archive in dir and closes it at the end of the test.
func open(t testing.TB, dir string) *Archive {
	t.Helper()
	a, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	return a
}

// small makes a study of three small slices below dir.
func small(t testing.TB, dir string, seed uint64) phantom.Info {
	t.Helper()
	info, err := phantom.Generate(dir, phantom.Options{Series: 1, Slices: 3, Rows: 16, Columns: 16, Seed: seed})
	if err != nil {
		t.Fatal(err)
	}
	return info
}

func TestSuite(t *testing.T) {
	pacstest.Run(t, func(t *testing.T, f pacstest.Fixtures) pacs.Archive {
		dir := filepath.Join(t.TempDir(), "made", "by", "Open")
		a := open(t, dir)
		done, err := a.Import(t.Context(), f.Dir, nil)
		all := len(f.Studies) == 2 // of the suite's other study it refuses a file
		if err != nil || all && (done.Files != 25 || done.New != 25 || done.Skipped != 1 || done.Refused != 0) {
			t.Fatalf("%+v, %v", done, err)
		}
		return open(t, dir) // as another process would
	})
}

// TestNothingPersonalInNames: names in the archive are hashes, and only the owner may read them.
func TestNothingPersonalInNames(t *testing.T) {
	from, dir := t.TempDir(), t.TempDir()
	info := small(t, from, 1)
	if _, err := open(t, dir).Import(t.Context(), from, nil); err != nil {
		t.Fatal(err)
	}
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || path == dir {
			return err
		}
		info2, err := d.Info()
		if err != nil {
			return err
		}
		if info2.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v", path, info2.Mode())
		}
		if strings.Contains(path, info.StudyInstanceUID) || strings.Contains(path, "2.25") {
			t.Errorf("%s tells a UID", path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// read returns the bytes of an instance.
func read(t *testing.T, a *Archive, i pacs.Instance) []byte {
	t.Helper()
	r, err := a.Open(t.Context(), i)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// instance returns the first instance of a study.
func instance(t *testing.T, a *Archive, study string) pacs.Instance {
	t.Helper()
	s, err := a.Study(t.Context(), study)
	if err != nil {
		t.Fatal(err)
	}
	return s.Series[0].Instances[0]
}

func TestDamagedObject(t *testing.T) {
	from, dir := t.TempDir(), t.TempDir()
	info := small(t, from, 1)
	a := open(t, dir)
	if _, err := a.Import(t.Context(), from, nil); err != nil {
		t.Fatal(err)
	}
	i := instance(t, a, info.StudyInstanceUID)
	object := filepath.Join(dir, objectPath(i.StudyInstanceUID, i.SOPInstanceUID))
	for _, size := range []int64{0, i.Size - 1, i.Size + 1} {
		if err := os.Truncate(object, size); err != nil {
			t.Fatal(err)
		}
		if _, err := a.Open(t.Context(), i); !errors.Is(err, errDamaged) {
			t.Errorf("%d of %d bytes: %v", size, i.Size, err)
		}
	}
	// Cut while it is being read: an error, not an end.
	if err := os.Truncate(object, i.Size); err != nil {
		t.Fatal(err)
	}
	r, err := a.Open(t.Context(), i)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := io.CopyN(io.Discard, r, 100); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(object, 200); err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, r); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("cut while it was read: %v", err)
	}
	if err := os.Remove(object); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Open(t.Context(), i); !errors.Is(err, pacs.ErrNotFound) {
		t.Errorf("removed: %v", err)
	}
}

// TestDamagedIndex cuts the index at each length: an error each time, and never "no such study", which a
// gateway would take as an answer.
func TestDamagedIndex(t *testing.T) {
	from, dir := t.TempDir(), t.TempDir()
	info := small(t, from, 1)
	a := open(t, dir)
	if _, err := a.Import(t.Context(), from, nil); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(dir, indexPath(info.StudyInstanceUID))
	whole, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	check := func(b []byte, what string) {
		t.Helper()
		if err := os.WriteFile(name, b, 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := a.Study(t.Context(), info.StudyInstanceUID)
		if err == nil || errors.Is(err, pacs.ErrNotFound) || strings.Contains(err.Error(), "2.25") {
			t.Fatalf("%s: %v, %v", what, s, err)
		}
		if _, err := a.Import(t.Context(), from, nil); err == nil {
			t.Fatalf("%s: Import wrote over it", what)
		}
	}
	for n := range whole {
		if n < 64 || n%37 == 0 || n == len(whole)-1 {
			check(whole[:n], "cut")
		}
	}
	check(bytes.Replace(whole, []byte(`"Version":1`), []byte(`"Version":2`), 1), "another version")
	check(bytes.ReplaceAll(whole, []byte(info.StudyInstanceUID), []byte("1.2.3")), "another study")
	check(append(bytes.Clone(whole), whole...), "twice")
	if err := os.WriteFile(name, whole, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Study(t.Context(), info.StudyInstanceUID); err != nil {
		t.Error(err)
	}
}

func FuzzDecodeIndex(f *testing.F) {
	from, dir := f.TempDir(), f.TempDir()
	info := small(f, from, 1)
	if _, err := open(f, dir).Import(f.Context(), from, nil); err != nil {
		f.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(dir, indexPath(info.StudyInstanceUID)))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add([]byte(`{"Version":1,"Study":{"InstanceUID":"1.2","Series":[{}]}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		x, err := decodeIndex(b)
		if err != nil {
			return
		}
		if n, _ := x.Study.Count(); n == 0 || n != len(x.Digests) {
			t.Errorf("%d instances, %d digests", n, len(x.Digests))
		}
	})
}

func TestOpenFails(t *testing.T) {
	name := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(name, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(name); err == nil {
		t.Error("a file as archive: no error")
	}
}

func BenchmarkOpen(b *testing.B) {
	from := b.TempDir()
	info, err := phantom.Generate(from, phantom.Options{Series: 1, Slices: 20})
	if err != nil {
		b.Fatal(err)
	}
	a := open(b, b.TempDir())
	if _, err := a.Import(b.Context(), from, nil); err != nil {
		b.Fatal(err)
	}
	s, err := a.Study(b.Context(), info.StudyInstanceUID)
	if err != nil {
		b.Fatal(err)
	}
	buffer := make([]byte, 256<<10)
	b.SetBytes(info.Bytes)
	b.ReportAllocs()
	for b.Loop() {
		for _, i := range s.Series[0].Instances {
			r, err := a.Open(b.Context(), i)
			if err != nil {
				b.Fatal(err)
			}
			if _, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, r, buffer); err != nil {
				b.Fatal(err)
			}
			r.Close()
		}
	}
}

func BenchmarkStudy(b *testing.B) {
	from := b.TempDir()
	info, err := phantom.Generate(from, phantom.Options{Series: 2, Slices: 32, Rows: 16, Columns: 16})
	if err != nil {
		b.Fatal(err)
	}
	a := open(b, b.TempDir())
	if _, err := a.Import(b.Context(), from, nil); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := a.Study(b.Context(), info.StudyInstanceUID); err != nil {
			b.Fatal(err)
		}
	}
}
