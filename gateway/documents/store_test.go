package documents

import (
	"context"
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
)

// entries stands for the registry: the hashes that entries name.
type entries struct {
	mu    sync.Mutex
	named map[string]bool
	err   error
}

func (e *entries) has(_ context.Context, hash string) (bool, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.named[hash], e.err
}

func (e *entries) name(hashes ...string) func() error {
	return func() error {
		e.mu.Lock()
		defer e.mu.Unlock()
		for _, h := range hashes {
			e.named[h] = true
		}
		return nil
	}
}

func open(t *testing.T, dir string, e *entries) *Store {
	t.Helper()
	if e.named == nil {
		e.named = map[string]bool{}
	}
	s, err := Open(t.Context(), dir, e.has)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func receive(t *testing.T, s *Store, text string) *Received {
	t.Helper()
	d, err := s.Receive(strings.NewReader(text), 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	if want := hashOf(text); d.Hash != want || d.Size != int64(len(text)) {
		t.Fatalf("received %s of %d bytes, want %s of %d", d.Hash, d.Size, want, len(text))
	}
	return d
}

func hashOf(text string) string {
	sum := sha1.Sum([]byte(text))
	return hex.EncodeToString(sum[:])
}

func read(s *Store, hash string, size int64) (string, error) {
	r, err := s.Open(hash, size)
	if err != nil {
		return "", err
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	return string(b), err
}

// files lists what is below a folder of a store.
func files(t *testing.T, dir string) (all []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			all = append(all, filepath.Base(name))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestCommit(t *testing.T) {
	dir, e := t.TempDir(), &entries{}
	s := open(t, dir, e)
	texts := []string{"one", "two", "", "one"} // a document twice, and an empty one
	var received []*Received
	for _, text := range texts {
		received = append(received, receive(t, s, text))
	}
	registered := e.name(hashOf("one"), hashOf("two"), hashOf(""))
	err := s.Commit(t.Context(), received, func() error {
		if _, err := read(s, hashOf("two"), 3); err != nil {
			t.Errorf("a document is not in place when its entry is made: %v", err)
		}
		return registered()
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range texts {
		if got, err := read(s, hashOf(text), int64(len(text))); err != nil || got != text {
			t.Errorf("read %q, %v, want %q", got, err, text)
		}
	}
	if got := files(t, dir); len(got) != 3 {
		t.Errorf("the store has %v, want three documents and nothing else", got)
	}
	again := receive(t, s, "two")
	if err := s.Commit(t.Context(), []*Received{again}, registered); err != nil {
		t.Errorf("a document again: %v", err)
	}
	if got := files(t, dir); len(got) != 3 {
		t.Errorf("after a document came again the store has %v", got)
	}
}

// What the registry refuses is not kept, unless another entry names it.
func TestRefused(t *testing.T) {
	dir, e := t.TempDir(), &entries{}
	s := open(t, dir, e)
	if err := s.Commit(t.Context(), []*Received{receive(t, s, "kept")}, e.name(hashOf("kept"))); err != nil {
		t.Fatal(err)
	}
	refused := errors.New("refused")
	err := s.Commit(t.Context(), []*Received{receive(t, s, "new"), receive(t, s, "kept")}, func() error { return refused })
	if !errors.Is(err, refused) {
		t.Errorf("got %v", err)
	}
	if got := files(t, dir); !slices.Equal(got, []string{hashOf("kept")}) {
		t.Errorf("the store has %v", got)
	}
}

func TestErase(t *testing.T) {
	dir, e := t.TempDir(), &entries{}
	s := open(t, dir, e)
	for _, text := range []string{"of one study", "of both"} {
		if err := s.Commit(t.Context(), []*Received{receive(t, s, text)}, e.name(hashOf(text))); err != nil {
			t.Fatal(err)
		}
	}
	err := s.Erase(t.Context(), []string{hashOf("of one study"), hashOf("of both"), hashOf("never seen")}, func() error {
		delete(e.named, hashOf("of one study"))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Open(hashOf("of one study"), 12); !errors.Is(err, ErrNotFound) {
		t.Errorf("what was erased: %v", err)
	}
	if got := files(t, dir); !slices.Equal(got, []string{hashOf("of both")}) {
		t.Errorf("the store has %v", got)
	}
}

// Whatever step is the last before the power fails, what is registered is whole afterwards, and nothing else is there.
func TestCrash(t *testing.T) {
	crash := errors.New("the power fails")
	for last := 0; ; last++ {
		dir, e := t.TempDir(), &entries{named: map[string]bool{}}
		s := open(t, dir, e)
		if err := s.Commit(t.Context(), []*Received{receive(t, s, "old")}, e.name(hashOf("old"))); err != nil {
			t.Fatal(err)
		}
		steps := 0
		s.step = func(string) error {
			if steps++; steps > last {
				return crash
			}
			return nil
		}
		acknowledged := false
		var received []*Received
		for _, text := range []string{"new", "more", "old"} {
			d, err := s.Receive(strings.NewReader(text), 100)
			if err != nil {
				break
			}
			received = append(received, d)
		}
		if len(received) == 3 {
			acknowledged = s.Commit(t.Context(), received, e.name(hashOf("new"), hashOf("more"), hashOf("old"))) == nil
		}
		s.Close()
		s = open(t, dir, e)
		named := 0
		for _, text := range []string{"new", "more", "old"} {
			got, err := read(s, hashOf(text), int64(len(text)))
			if e.named[hashOf(text)] {
				if named++; err != nil || got != text {
					t.Fatalf("after %d steps: a registered document is lost: %v", last, err)
				}
			} else if !errors.Is(err, ErrNotFound) {
				t.Fatalf("after %d steps: a document that nothing names is kept: %v", last, err)
			}
		}
		if got := files(t, dir); len(got) != named {
			t.Fatalf("after %d steps the store has %v, want %d documents", last, got, named)
		}
		if acknowledged && steps <= last {
			if last < 10 {
				t.Fatalf("a submission took %d steps: this test sees too few", last)
			}
			return
		}
	}
}

// What cannot be asked about is kept until it can.
func TestRegistryAway(t *testing.T) {
	dir, e := t.TempDir(), &entries{}
	s := open(t, dir, e)
	e.err = errors.New("the registry is away")
	if err := s.Commit(t.Context(), []*Received{receive(t, s, "new")}, e.name(hashOf("new"))); err == nil {
		t.Error("a submission of which it is not known whether it is registered succeeds")
	}
	s.Close()
	if _, err := Open(t.Context(), dir, e.has); !errors.Is(err, e.err) {
		t.Errorf("opening without the registry: %v", err)
	}
	e.err = nil
	s = open(t, dir, e)
	if got, err := read(s, hashOf("new"), 3); err != nil || got != "new" {
		t.Errorf("read %q, %v", got, err)
	}
}

// Many who submit the same document, some of them in vain: it stays for those who succeed.
func TestTogether(t *testing.T) {
	dir, e := t.TempDir(), &entries{}
	s := open(t, dir, e)
	var all sync.WaitGroup
	for i := range 32 {
		all.Go(func() {
			text := fmt.Sprint("document ", i/8)
			d, err := s.Receive(strings.NewReader(text), 100)
			if err != nil {
				t.Error(err)
				return
			}
			if i%2 == 0 {
				s.Commit(t.Context(), []*Received{d}, func() error { return errors.New("refused") })
			} else if err := s.Commit(t.Context(), []*Received{d}, e.name(d.Hash)); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	for i := range 4 {
		text := fmt.Sprint("document ", i)
		if got, err := read(s, hashOf(text), int64(len(text))); err != nil || got != text {
			t.Errorf("read %q, %v, want %q", got, err, text)
		}
	}
}

func TestReceiveRefuses(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, &entries{})
	if _, err := s.Receive(strings.NewReader("12345"), 4); !errors.Is(err, ErrTooLarge) {
		t.Errorf("too large: %v", err)
	}
	broken := errors.New("the sender is gone")
	if _, err := s.Receive(io.MultiReader(strings.NewReader("12"), iotest.ErrReader(broken)), 4); !errors.Is(err, broken) {
		t.Errorf("broken off: %v", err)
	}
	s.free = func() (uint64, error) { return reserve - 1, nil }
	if _, err := s.Receive(strings.NewReader("1234"), 4); !errors.Is(err, ErrFull) {
		t.Errorf("into the reserve of the disk: %v", err)
	}
	s.free = func() (uint64, error) { return reserve, nil }
	if d, err := s.Receive(strings.NewReader("1234"), 4); err != nil {
		t.Errorf("as large as it may be: %v", err)
	} else {
		d.Discard()
	}
	if got := files(t, dir); len(got) > 0 {
		t.Errorf("what was refused is kept: %v", got)
	}
}

// Two documents of one SHA-1: only a file with other bytes under the name can show it here.
func TestConflict(t *testing.T) {
	dir, e := t.TempDir(), &entries{}
	s := open(t, dir, e)
	if err := s.Commit(t.Context(), []*Received{receive(t, s, "abc")}, e.name(hashOf("abc"))); err != nil {
		t.Fatal(err)
	}
	stored := filepath.Join(dir, nameOf(hashOf("abc")))
	for _, other := range []string{"abd", "ab", "abcd", ""} {
		if err := os.WriteFile(stored, []byte(other), 0o600); err != nil {
			t.Fatal(err)
		}
		err := s.Commit(t.Context(), []*Received{receive(t, s, "abc")}, e.name(hashOf("abc")))
		if !errors.Is(err, ErrConflict) {
			t.Errorf("beside %q: %v", other, err)
		}
	}
}

// A file that is not what its name says ends in an error before its last bytes, at every size of buffer.
func TestDamaged(t *testing.T) {
	dir, e := t.TempDir(), &entries{}
	s := open(t, dir, e)
	text := strings.Repeat("0123456789", 10)
	if err := s.Commit(t.Context(), []*Received{receive(t, s, text)}, e.name(hashOf(text))); err != nil {
		t.Fatal(err)
	}
	stored := filepath.Join(dir, nameOf(hashOf(text)))
	for name, damaged := range map[string]string{
		"flipped": "1" + text[1:], "cut": text[:99], "longer": text + "x", "empty": "",
	} {
		if err := os.WriteFile(stored, []byte(damaged), 0o600); err != nil {
			t.Fatal(err)
		}
		for _, step := range []int{1, 7, 100, 1000} {
			r, err := s.Open(hashOf(text), 100)
			if err != nil {
				continue
			}
			got := 0
			for err == nil {
				var n int
				n, err = r.Read(make([]byte, step))
				got += n
			}
			r.Close()
			if err == io.EOF || got >= 100 {
				t.Errorf("%s, by %d: %d bytes, %v", name, step, got, err)
			}
		}
	}
	if err := os.WriteFile(stored, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := s.Open(hashOf(text), 100)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if err := iotest.TestReader(r, []byte(text)); err != nil {
		t.Error(err)
	}
	for _, hash := range []string{"", "..", "../incoming", strings.Repeat("/", 40), strings.Repeat(".", 40), hashOf("x")} {
		if _, err := s.Open(hash, 0); err == nil {
			t.Errorf("%q opens something", hash)
		}
	}
}

// A document of any size passes through a small buffer.
func TestMemory(t *testing.T) {
	s := open(t, t.TempDir(), &entries{})
	allocated := testing.Benchmark(func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			d, err := s.Receive(io.LimitReader(zeros{}, 32<<20), 1<<30)
			if err != nil {
				b.Fatal(err)
			}
			d.Discard()
		}
	}).AllocedBytesPerOp()
	if allocated > 1<<20 {
		t.Errorf("a document of 32 MB allocates %d bytes", allocated)
	}
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { return len(b), nil }
