package remote

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"collimate/dicom/phantom"
	"collimate/pacs"
	"collimate/pacs/fs"
	"collimate/pacs/pacstest"
)

// fake is a PACS that has what an fs.Archive has, and can be made to fail.
type fake struct {
	held *fs.Archive

	mu      sync.Mutex
	fetches int
	list    func(*pacs.Study) error
	studies iter.Seq2[pacs.Summary, error]
	fetch   func(n int, i pacs.Instance, r io.Reader) (io.Reader, error)
}

func (f *fake) List(ctx context.Context, uid string) (*pacs.Study, error) {
	s, err := f.held.Study(ctx, uid)
	if err != nil {
		return nil, err
	}
	for n := range s.Series {
		for k := range s.Series[n].Instances {
			i := &s.Series[n].Instances[k]
			i.Size, i.CRC32, i.TransferSyntaxUID = 0, 0, ""
		}
	}
	if f.list != nil {
		return s, f.list(s)
	}
	return s, nil
}

func (f *fake) Studies(ctx context.Context, from time.Time) iter.Seq2[pacs.Summary, error] {
	if f.studies != nil {
		return f.studies
	}
	return f.held.Studies(ctx, from)
}

func (f *fake) Fetch(ctx context.Context, i pacs.Instance) (io.ReadCloser, error) {
	f.mu.Lock()
	f.fetches++
	n := f.fetches
	f.mu.Unlock()
	s, err := f.held.Study(ctx, i.StudyInstanceUID)
	if err != nil {
		return nil, err
	}
	for _, series := range s.Series {
		for _, held := range series.Instances {
			if held.SOPInstanceUID != i.SOPInstanceUID {
				continue
			}
			r, err := f.held.Open(ctx, held)
			if err != nil || f.fetch == nil {
				return r, err
			}
			defer r.Close()
			b, err := io.ReadAll(r)
			if err != nil {
				return nil, err
			}
			made, err := f.fetch(n, i, bytes.NewReader(b))
			if err != nil {
				return nil, err
			}
			return io.NopCloser(made), nil
		}
	}
	return nil, pacs.ErrNotFound
}

// holding makes a fake with one study of six instances.
func holding(t testing.TB) (*fake, string) {
	t.Helper()
	from := t.TempDir()
	info, err := phantom.Generate(from, phantom.Options{Series: 2, Slices: 3, Rows: 256, Columns: 256})
	if err != nil {
		t.Fatal(err)
	}
	return holds(t, from), info.StudyInstanceUID
}

func holds(t testing.TB, from string) *fake {
	t.Helper()
	held, err := fs.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { held.Close() })
	if _, err := held.Import(context.Background(), from, nil); err != nil {
		t.Fatal(err)
	}
	return &fake{held: held}
}

func open(t testing.TB, p PACS, dir string) *Archive {
	t.Helper()
	a, err := Open(p, dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	return a
}

func TestSuite(t *testing.T) {
	pacstest.Run(t, func(t *testing.T, f pacstest.Fixtures) pacs.Archive { return open(t, holds(t, f.Dir), t.TempDir()) })
}

// list lists a study and returns its first instance.
func list(t *testing.T, a *Archive, uid string) pacs.Instance {
	t.Helper()
	s, err := a.Study(t.Context(), uid)
	if err != nil {
		t.Fatal(err)
	}
	if n, _ := s.Count(); n != 6 {
		t.Fatalf("%d instances", n)
	}
	return s.Series[0].Instances[0]
}

// TestMeasuredOnce: a study is read once, also after a restart, until the PACS says something else of it.
func TestMeasuredOnce(t *testing.T) {
	f, uid := holding(t)
	dir := t.TempDir()
	want := list(t, open(t, f, dir), uid)
	if f.fetches != 6 || want.Size == 0 || want.TransferSyntaxUID == "" {
		t.Fatalf("%d fetched: %+v", f.fetches, want)
	}
	if got := list(t, open(t, f, dir), uid); got != want || f.fetches != 6 {
		t.Errorf("after a restart %d fetched", f.fetches)
	}
	f.list = func(s *pacs.Study) error { s.Series[1].Description = "corrected"; return nil }
	if list(t, open(t, f, dir), uid); f.fetches != 9 {
		t.Errorf("a series changed: %d fetched, want 9", f.fetches)
	}
	f.list = func(s *pacs.Study) error { s.PatientName = "Roe"; return nil }
	if list(t, open(t, f, dir), uid); f.fetches != 15 {
		t.Errorf("the name changed: %d fetched, want 15", f.fetches)
	}
	// Damage of the index, and what a kill leaves, costs reading again.
	name := filepath.Join(dir, nameOf(uid))
	whole, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range [][]byte{nil, whole[:len(whole)/2], bytes.Replace(whole, []byte(`"Size":`), []byte(`"Size":1`), 1)} {
		before := f.fetches
		if err := os.WriteFile(name, b, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "half.new"), b, 0o600); err != nil {
			t.Fatal(err)
		}
		if list(t, open(t, f, dir), uid); f.fetches != before+6 {
			t.Errorf("a damaged index of %d bytes: %d fetched", len(b), f.fetches-before)
		}
		if _, err := os.Stat(filepath.Join(dir, "half.new")); err == nil {
			t.Error("half a file is left")
		}
	}
	for _, private := range []string{"Roe", "Phantom", "PHANTOM-1", "ACC-1"} {
		if bytes.Contains(whole, []byte(private)) {
			t.Errorf("the index tells %q", private)
		}
	}
}

// TestInterrupted: what was measured before a failure is not measured again.
func TestInterrupted(t *testing.T) {
	f, uid := holding(t)
	a := open(t, f, t.TempDir())
	broken := errors.New("broken")
	s, err := f.held.Study(t.Context(), uid)
	if err != nil {
		t.Fatal(err)
	}
	bad := s.Series[1].Instances[2].SOPInstanceUID
	f.fetch = func(_ int, i pacs.Instance, r io.Reader) (io.Reader, error) {
		if i.SOPInstanceUID == bad {
			return io.MultiReader(io.LimitReader(r, 1000), iotest.ErrReader(broken)), nil
		}
		return r, nil
	}
	if _, err := a.Study(t.Context(), uid); !errors.Is(err, broken) {
		t.Fatalf("got %v", err)
	}
	if f.fetches < attempts {
		t.Errorf("tried %d times", f.fetches)
	}
	f.fetch, f.fetches = nil, 0
	if list(t, a, uid); f.fetches > 3 { // those under way beside it may have been given up
		t.Errorf("%d fetched again", f.fetches)
	}
}

// TestListing: listings that cannot be are errors, and never "no such study".
func TestListing(t *testing.T) {
	for name, change := range map[string]func(*pacs.Study) error{
		"another study": func(s *pacs.Study) error { s.InstanceUID = "1.2"; return nil },
		"twice": func(s *pacs.Study) error {
			s.Series[1].Instances = append(s.Series[1].Instances, s.Series[0].Instances[0])
			return nil
		},
		"no UID":    func(s *pacs.Study) error { s.Series[0].Instances[0].SOPInstanceUID = "../x"; return nil },
		"unknown":   func(s *pacs.Study) error { s.Series[0].Instances[0].SOPInstanceUID = "1.2.3"; return nil },
		"no series": func(s *pacs.Study) error { s.Series[0].InstanceUID = ""; return nil },
		"class":     func(s *pacs.Study) error { s.Series[0].Instances[0].SOPClassUID = "1.2.3"; return nil },
	} {
		f, uid := holding(t)
		f.list = change
		if _, err := open(t, f, t.TempDir()).Study(t.Context(), uid); err == nil || errors.Is(err, pacs.ErrNotFound) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestOpen: exactly the bytes that were listed, or an error; what fails before the first byte is tried again.
func TestOpen(t *testing.T) {
	f, uid := holding(t)
	a := open(t, f, t.TempDir())
	i := list(t, a, uid)
	broken := errors.New("broken")
	flip := func(r io.Reader, at int) io.Reader {
		b, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		b[at] ^= 1
		return bytes.NewReader(b)
	}
	for name, tt := range map[string]struct {
		fetch func(n int, i pacs.Instance, r io.Reader) (io.Reader, error)
		want  error
		tries int
	}{
		"good": {nil, nil, 1},
		"broken once": {func(n int, _ pacs.Instance, r io.Reader) (io.Reader, error) {
			if n == 1 {
				return nil, broken
			}
			return r, nil
		}, nil, 2},
		"broken early": {func(n int, _ pacs.Instance, r io.Reader) (io.Reader, error) {
			if n == 1 {
				return io.MultiReader(io.LimitReader(r, readAhead-1), iotest.ErrReader(broken)), nil
			}
			return r, nil
		}, nil, 2},
		"broken late": {func(n int, _ pacs.Instance, r io.Reader) (io.Reader, error) {
			return io.MultiReader(io.LimitReader(r, readAhead+1), iotest.ErrReader(broken)), nil
		}, broken, 1},
		"refused": {func(int, pacs.Instance, io.Reader) (io.Reader, error) { return nil, ErrRefused }, ErrRefused, 1},
		"gone":    {func(int, pacs.Instance, io.Reader) (io.Reader, error) { return nil, pacs.ErrNotFound }, pacs.ErrNotFound, 1},
		"down":    {func(int, pacs.Instance, io.Reader) (io.Reader, error) { return nil, broken }, broken, attempts},
		"short":   {func(_ int, i pacs.Instance, r io.Reader) (io.Reader, error) { return io.LimitReader(r, i.Size-1), nil }, errChanged, 1},
		"long": {func(_ int, i pacs.Instance, r io.Reader) (io.Reader, error) {
			return io.MultiReader(r, bytes.NewReader([]byte{0})), nil
		}, errChanged, 1},
		"first byte": {func(_ int, _ pacs.Instance, r io.Reader) (io.Reader, error) { return flip(r, 0), nil }, errChanged, 1},
		"last byte":  {func(_ int, i pacs.Instance, r io.Reader) (io.Reader, error) { return flip(r, int(i.Size)-1), nil }, errChanged, 1},
		"a fault instead of the end": {func(_ int, _ pacs.Instance, r io.Reader) (io.Reader, error) {
			return io.MultiReader(r, iotest.ErrReader(broken)), nil
		}, broken, 1},
	} {
		t.Run(name, func(t *testing.T) {
			f.fetch, f.fetches = tt.fetch, 0
			r, err := a.Open(t.Context(), i)
			var n int64
			if err == nil {
				n, err = io.Copy(io.Discard, r)
				r.Close()
			}
			if !errors.Is(err, tt.want) || f.fetches != tt.tries {
				t.Errorf("%d bytes after %d tries: %v, want %v after %d", n, f.fetches, err, tt.want, tt.tries)
			}
			if err != nil && n >= i.Size {
				t.Errorf("all %d bytes were handed out, and then an error", n)
			}
			f.fetch, f.fetches = nil, 0
			want := 0
			if errors.Is(tt.want, errChanged) {
				want = 1 // it was forgotten
			}
			if list(t, a, uid); f.fetches != want {
				t.Errorf("%d measured again, want %d", f.fetches, want)
			}
		})
	}
}

// TestTurns: two who list a study at once measure it once.
func TestTurns(t *testing.T) {
	f, uid := holding(t)
	a := open(t, f, t.TempDir())
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if _, err := a.Study(t.Context(), uid); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if f.fetches != 6 || len(a.studies) != 0 {
		t.Errorf("%d fetched, %d turns left", f.fetches, len(a.studies))
	}
}

// TestEvict: the studies that were asked for longest ago go.
func TestEvict(t *testing.T) {
	a := open(t, &fake{}, t.TempDir())
	a.index.max = 10
	for n := range 25 {
		uid := fmt.Sprintf("1.2.%d", n)
		if err := a.index.save(uid, &record{Instances: map[string]measured{}}); err != nil {
			t.Fatal(err)
		}
		names, err := a.index.names()
		if err != nil || len(names) > 10 || len(names) != a.index.count {
			t.Fatalf("%d records, %d counted: %v", len(names), a.index.count, err)
		}
		if a.index.load(uid).Study != uid {
			t.Errorf("the newest is gone after %d", n)
		}
	}
}

func FuzzDecode(f *testing.F) {
	b, err := encode(&record{Version: version, Study: "1.2", Instances: map[string]measured{"1.2.3": {Size: 5}}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		r, ok := decode(b)
		if !ok {
			return
		}
		again, err := encode(r)
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := decode(again); !ok {
			t.Error("encoded it is not decoded")
		}
	})
}

// TestOtherPatient: an instance whose file names another patient than the PACS says is marked when it is measured, and
// stays so until the PACS says something else.
func TestOtherPatient(t *testing.T) {
	f, uid := holding(t)
	dir := t.TempDir()
	var wrong string // the instance
	f.fetch = func(_ int, i pacs.Instance, r io.Reader) (io.Reader, error) {
		b, err := io.ReadAll(r)
		if i.SOPInstanceUID == wrong {
			b = bytes.ReplaceAll(b, []byte("PHANTOM-1"), []byte("PHANTOM-2"))
		}
		return bytes.NewReader(b), err
	}
	first := list(t, open(t, f, t.TempDir()), uid)
	wrong = first.SOPInstanceUID
	marked := func() (n int) {
		t.Helper()
		s, err := open(t, f, dir).Study(t.Context(), uid) // as after a restart
		if err != nil {
			t.Fatal(err)
		}
		for _, series := range s.Series {
			for _, i := range series.Instances {
				if i.OtherPatient {
					n++
				}
			}
		}
		return n
	}
	for range 2 {
		if got := marked(); got != 1 {
			t.Errorf("%d instances are marked, want 1", got)
		}
	}
	for patient, want := range map[string]int{"PHANTOM-2": 5, "": 6, "PHANTOM-1": 1} {
		f.list = func(s *pacs.Study) error { s.PatientID = patient; return nil }
		if got := marked(); got != want {
			t.Errorf("of a study of patient %q %d instances are marked, want %d", patient, got, want)
		}
	}
	wrong = ""
	f.list = func(s *pacs.Study) error { s.PatientName = "corrected"; return nil }
	if got := marked(); got != 0 {
		t.Errorf("corrected: %d instances are marked", got)
	}
}
