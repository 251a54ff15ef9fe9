// Package pacstest is the suite that every pacs.Archive passes.
//
// Run makes studies with dicom/phantom, has them put into the archive under test by whatever way it has, and
// then asks the archive what pacs.Archive promises: complete listings in order, bytes exactly as stored,
// sizes and checksums that are right, no image of another patient unless it is marked, ErrNotFound for what is not there, an end to what a context ends, all that at
// once from several goroutines, and, of a pacs.Lister, which studies it holds.
package pacstest

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	iofs "io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"collimate/dicom"
	"collimate/dicom/phantom"
	"collimate/pacs"
)

// Fixtures are the files that the archive is to hold.
type Fixtures struct {
	Dir     string   // DICOM files in folders, and one file that is none
	Studies []string // the Study Instance UIDs in it, sorted
	files   map[string][]byte
}

// Run tests the archive that fill returns, which holds the files of Dir and nothing else. fill cleans up by
// t.Cleanup.
func Run(t *testing.T, fill func(t *testing.T, f Fixtures) pacs.Archive) {
	f := Make(t)
	a := fill(t, f)
	t.Run("Study", func(t *testing.T) { f.testStudy(t, a) })
	t.Run("Open", func(t *testing.T) { f.testOpen(t, a) })
	t.Run("NotFound", func(t *testing.T) { f.testNotFound(t, a) })
	t.Run("Context", func(t *testing.T) { f.testContext(t, a) })
	t.Run("Concurrent", func(t *testing.T) { f.testConcurrent(t, a) })
	if l, ok := a.(pacs.Lister); ok {
		t.Run("Studies", func(t *testing.T) { f.testStudies(t, a, l) })
	}
	t.Run("OtherPatient", func(t *testing.T) { testOtherPatient(t, fill) })
}

// testOtherPatient has an archive hold a study of which one file names another patient. It may refuse files or the study;
// what it does list is of one patient, or marked.
func testOtherPatient(t *testing.T, fill func(t *testing.T, f Fixtures) pacs.Archive) {
	f := Fixtures{Dir: t.TempDir(), files: make(map[string][]byte)}
	made, err := phantom.Generate(f.Dir, phantom.Options{Series: 1, Slices: 4, Rows: 32, Columns: 32, Seed: 3})
	if err != nil {
		t.Fatal(err)
	}
	f.Studies = []string{made.StudyInstanceUID}
	n := 0
	err = filepath.WalkDir(f.Dir, func(path string, d iofs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if n++; n == 3 {
			b = bytes.ReplaceAll(b, []byte("PHANTOM-1"), []byte("PHANTOM-2"))
		}
		to := filepath.Join(f.Dir, fmt.Sprintf("%03d.dcm", n))
		if err := errors.Join(os.Remove(path), os.WriteFile(to, b, 0o600)); err != nil {
			return err
		}
		return f.read(to)
	})
	if err != nil || n != 4 {
		t.Fatalf("%d files: %v", n, err)
	}
	a := fill(t, f)
	s, err := a.Study(t.Context(), made.StudyInstanceUID)
	if err != nil {
		t.Logf("the study is refused: %v", err)
		return
	}
	for _, i := range s.Series[0].Instances {
		r, err := a.Open(t.Context(), i)
		if err != nil {
			t.Fatal(err)
		}
		h, err := dicom.Inspect(r)
		if closed := r.Close(); err != nil || closed != nil {
			t.Fatal(err, closed)
		}
		if other := h.Text(dicom.PatientID) != s.PatientID; i.OtherPatient != other {
			t.Errorf("instance %s names another patient: %v; it is marked: %v", i.Number, other, i.OtherPatient)
		}
	}
}

// Make makes two studies: one small with a name in Cyrillic, one of two series with more than ten slices,
// so that order by number is not order by text.
func Make(t *testing.T) Fixtures {
	t.Helper()
	f := Fixtures{Dir: t.TempDir(), files: make(map[string][]byte)}
	for _, o := range []phantom.Options{
		{Series: 1, Slices: 1, Rows: 32, Columns: 32, PatientName: "Фантом^Цилиндр", Seed: 1},
		{Series: 2, Slices: 12, Rows: 32, Columns: 32, Seed: 2},
	} {
		made, err := phantom.Generate(filepath.Join(f.Dir, fmt.Sprint(o.Seed)), o)
		if err != nil {
			t.Fatal(err)
		}
		f.Studies = append(f.Studies, made.StudyInstanceUID)
	}
	slices.Sort(f.Studies)
	n := 0
	err := filepath.WalkDir(f.Dir, func(path string, d iofs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		n++ // the last slice gets the first name, as no archive may go by names
		to := filepath.Join(f.Dir, fmt.Sprintf("%03d.dcm", 999-n))
		if err := os.Rename(path, to); err != nil {
			return err
		}
		return f.read(to)
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(f.Dir, "readme.txt"), []byte("not DICOM"), 0o600); err != nil {
		t.Fatal(err)
	}
	return f
}

// Remeta gives all files the file meta information that dicom.AppendMeta writes. An archive behind DIMSE, which carries
// data sets only, has it of its own making.
func (f *Fixtures) Remeta(t *testing.T) {
	t.Helper()
	err := filepath.WalkDir(f.Dir, func(path string, d iofs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".dcm" {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		h, err := dicom.ReadHeader(bytes.NewReader(b))
		if err != nil {
			return err
		}
		group := int(binary.LittleEndian.Uint32(b[140:])) // as the phantoms have it
		made, err := dicom.AppendMeta(nil, h.Text(dicom.SOPClassUID), h.Text(dicom.SOPInstanceUID), h.TransferSyntaxUID)
		if err != nil {
			return err
		}
		if err := os.WriteFile(path, append(made, b[144+group:]...), 0o600); err != nil {
			return err
		}
		return f.read(path)
	})
	if err != nil {
		t.Fatal(err)
	}
}

func (f *Fixtures) read(path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	h, err := dicom.ReadHeader(file)
	if err != nil {
		return err
	}
	f.files[h.Text(dicom.SOPInstanceUID)], err = os.ReadFile(path)
	return err
}

func (f Fixtures) testStudy(t *testing.T, a pacs.Archive) {
	seen := map[string]bool{}
	for _, uid := range f.Studies {
		s, err := a.Study(t.Context(), uid)
		if err != nil {
			t.Fatal(err)
		}
		if s.InstanceUID != uid || s.PatientID != "PHANTOM-1" || s.Date != "20240311" || s.AccessionNumber != "ACC-1" || s.Stored.IsZero() {
			t.Errorf("the study is listed as %+v", *s)
		}
		if n, _ := s.Count(); n == 1 && s.PatientName != "Фантом^Цилиндр" {
			t.Errorf("the name is %q", s.PatientName)
		}
		for n, series := range s.Series {
			if series.Number != fmt.Sprint(n+1) || series.Modality != "CT" {
				t.Errorf("series %d is number %s, %s", n+1, series.Number, series.Modality)
			}
			for k, i := range series.Instances {
				want := f.files[i.SOPInstanceUID]
				switch {
				case want == nil || seen[i.SOPInstanceUID]:
					t.Errorf("instance %d of series %d was not stored, or is listed twice", k+1, n+1)
				case i.Number != fmt.Sprint(k+1) || i.StudyInstanceUID != uid || i.SeriesInstanceUID != series.InstanceUID ||
					i.SOPClassUID != dicom.CTImageStorage || i.TransferSyntaxUID != dicom.ExplicitVRLittleEndian:
					t.Errorf("instance %d of series %d is listed as %+v", k+1, n+1, i)
				case i.Size != int64(len(want)) || i.CRC32 != crc32.ChecksumIEEE(want):
					t.Errorf("instance %d of series %d: size %d, want %d, or another checksum", k+1, n+1, i.Size, len(want))
				}
				seen[i.SOPInstanceUID] = true
			}
		}
	}
	if len(seen) != len(f.files) {
		t.Errorf("%d instances are listed, %d were stored", len(seen), len(f.files))
	}
}

// each calls do with every instance.
func (f Fixtures) each(t *testing.T, a pacs.Archive, do func(i pacs.Instance, want []byte)) {
	t.Helper()
	for _, uid := range f.Studies {
		s, err := a.Study(t.Context(), uid)
		if err != nil {
			t.Error(err)
			return
		}
		for _, series := range s.Series {
			for _, i := range series.Instances {
				do(i, f.files[i.SOPInstanceUID])
			}
		}
	}
}

func (f Fixtures) testOpen(t *testing.T, a pacs.Archive) {
	f.each(t, a, func(i pacs.Instance, want []byte) {
		r, err := a.Open(t.Context(), i)
		if err != nil {
			t.Error(err)
			return
		}
		if err := iotest.TestReader(struct{ io.Reader }{r}, want); err != nil {
			t.Errorf("instance %s: %v", i.Number, err)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
		wrong := i
		wrong.Size++
		if r, err := a.Open(t.Context(), wrong); err == nil { // then reading must fail, not end early
			if _, err := io.Copy(io.Discard, r); err == nil {
				t.Error("an instance that is shorter than listed came to a good end")
			}
			r.Close()
		}
	})
}

func (f Fixtures) testNotFound(t *testing.T, a pacs.Archive) {
	for _, uid := range []string{"1.2.3", "", "../../etc/passwd", "1.2.3\r\nX: y", f.Studies[0] + ".1"} {
		if s, err := a.Study(t.Context(), uid); !errors.Is(err, pacs.ErrNotFound) {
			t.Errorf("study %q: %v, %v", uid, s, err)
		}
		if r, err := a.Open(t.Context(), pacs.Instance{StudyInstanceUID: f.Studies[0], SOPInstanceUID: uid}); !errors.Is(err, pacs.ErrNotFound) {
			t.Errorf("instance %q: %v, %v", uid, r, err)
		}
	}
}

func (f Fixtures) testContext(t *testing.T, a pacs.Archive) {
	s, err := a.Study(t.Context(), f.Studies[0])
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := a.Study(ctx, f.Studies[0]); !errors.Is(err, context.Canceled) {
		t.Errorf("Study: %v", err)
	}
	if _, err := a.Open(ctx, s.Series[0].Instances[0]); !errors.Is(err, context.Canceled) {
		t.Errorf("Open: %v", err)
	}
}

func (f Fixtures) testConcurrent(t *testing.T, a pacs.Archive) {
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			f.each(t, a, func(i pacs.Instance, want []byte) {
				r, err := a.Open(t.Context(), i)
				if err != nil {
					t.Error(err)
					return
				}
				defer r.Close()
				if got, err := io.ReadAll(r); err != nil || string(got) != string(want) {
					t.Errorf("instance %s is not as stored: %v", i.Number, err)
				}
			})
		})
	}
	wg.Wait()
}

// List returns the summaries of all studies dated or come since from, by Study Instance UID.
func List(t testing.TB, l pacs.Lister, from time.Time) map[string]pacs.Summary {
	t.Helper()
	all := map[string]pacs.Summary{}
	for s, err := range l.Studies(t.Context(), from) {
		if err != nil {
			t.Fatal(err)
		}
		all[s.Study.InstanceUID] = s
	}
	return all
}

func (f Fixtures) testStudies(t *testing.T, a pacs.Archive, l pacs.Lister) {
	all := List(t, l, time.Time{})
	if got := slices.Sorted(maps.Keys(all)); !slices.Equal(got, f.Studies) {
		t.Errorf("the archive lists %d studies, want %d, or others", len(got), len(f.Studies))
	}
	for uid, s := range all {
		whole, err := a.Study(t.Context(), uid)
		if err != nil {
			t.Fatal(err)
		}
		want := whole.Summary()
		if s.Study.Series != nil || s.Study.PatientID != "PHANTOM-1" || s.Study.PatientName != want.Study.PatientName ||
			s.Study.Date != "20240311" || s.Study.AccessionNumber != "ACC-1" || s.Study.Description != want.Study.Description ||
			s.Instances != 0 && s.Instances != want.Instances {
			t.Errorf("the study is summed up as %+v, want %+v", s, want)
		}
	}
	if got := len(List(t, l, time.Date(2024, 3, 11, 18, 0, 0, 0, time.UTC))); got != len(f.Studies) {
		t.Errorf("of the day of the studies %d are listed", got)
	}
	if got := len(List(t, l, time.Now().Add(48*time.Hour))); got != 0 {
		t.Errorf("of the day after tomorrow %d are listed", got)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := error(nil)
	for _, e := range l.Studies(ctx, time.Time{}) {
		err = e
	}
	if !errors.Is(err, context.Canceled) {
		t.Errorf("after the context ended: %v", err)
	}
	for range l.Studies(t.Context(), time.Time{}) {
		break // which must not disturb what comes next
	}
	if got := len(List(t, l, time.Time{})); got != len(f.Studies) {
		t.Errorf("after a listing that was given up %d are listed", got)
	}
}
