//go:build unix

package fs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"testing/iotest"
	"time"

	"collimate/dicom/phantom"
	"collimate/pacs"
	"collimate/pacs/pacstest"
)

// receive sends the slices of a folder, all at once.
func receive(t testing.TB, a *Archive, dir string) {
	t.Helper()
	var wg sync.WaitGroup
	err := filepath.WalkDir(dir, func(name string, d os.DirEntry, err error) error {
		if err == nil && filepath.Ext(name) == ".dcm" {
			wg.Go(func() {
				f, err := os.Open(name)
				if err != nil {
					t.Error(err)
					return
				}
				defer f.Close()
				if err := a.Receive(context.Background(), f); err != nil && !errors.Is(err, pacs.ErrOtherPatient) {
					t.Error(err)
				}
			})
		}
		return err
	})
	wg.Wait()
	if err != nil {
		t.Fatal(err)
	}
}

func TestReceiveSuite(t *testing.T) {
	pacstest.Run(t, func(t *testing.T, f pacstest.Fixtures) pacs.Archive {
		dir := t.TempDir()
		a := open(t, dir)
		for range 2 { // again changes nothing
			receive(t, a, f.Dir)
		}
		return open(t, dir) // as another process would
	})
}

// TestReceiveFolds: a journal becomes part of the index, by growing or by an import, and nothing is lost on the way.
func TestReceiveFolds(t *testing.T) {
	from := t.TempDir()
	info, err := phantom.Generate(from, phantom.Options{Series: 3, Slices: 150, Rows: 16, Columns: 16})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	a := open(t, dir)
	receive(t, a, from)
	s, err := a.Study(t.Context(), info.StudyInstanceUID)
	if err != nil {
		t.Fatal(err)
	}
	if n, _ := s.Count(); n != 450 {
		t.Errorf("%d instances", n)
	}
	if _, err := os.Stat(filepath.Join(dir, indexPath(info.StudyInstanceUID))); err != nil {
		t.Errorf("the journal was never folded: %v", err)
	}
	first := slice(from, 1)
	b, err := os.ReadFile(first)
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)-1] ^= 1
	if err := a.Receive(t.Context(), bytes.NewReader(b)); !errors.Is(err, pacs.ErrConflict) {
		t.Errorf("other bytes: %v", err)
	}
	// An import beside it, and then more.
	other := t.TempDir()
	fresh := small(t, other, 9)
	if _, err := a.Import(t.Context(), other, nil); err != nil {
		t.Fatal(err)
	}
	receive(t, a, other)
	if studies := pacstest.List(t, a, time.Time{}); len(studies) != 2 {
		t.Errorf("studies %v", studies)
	}
	if s, err = a.Study(t.Context(), fresh.StudyInstanceUID); err != nil {
		t.Fatal(err)
	}
	if n, _ := s.Count(); n != 3 {
		t.Errorf("%d instances", n)
	}
}

func TestReceiveRefuses(t *testing.T) {
	dir := t.TempDir()
	a := open(t, dir)
	from := t.TempDir()
	small(t, from, 1)
	whole, err := os.ReadFile(slice(from, 1))
	if err != nil {
		t.Fatal(err)
	}
	broken := errors.New("broken")
	for name, tt := range map[string]struct {
		r    io.Reader
		want error
	}{
		"nothing":             {bytes.NewReader(nil), pacs.ErrUnfit},
		"text":                {bytes.NewReader(bytes.Repeat([]byte("text "), 100)), pacs.ErrUnfit},
		"a path for a UID":    {bytes.NewReader(bytes.Replace(whole, []byte("2.25."), []byte("../.."), 9)), pacs.ErrUnfit},
		"a reader that fails": {io.MultiReader(bytes.NewReader(whole[:500]), iotest.ErrReader(broken)), broken},
	} {
		if err := a.Receive(t.Context(), tt.r); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", name, err, tt.want)
		}
	}
	if names, err := a.names(incoming); err != nil || len(names) != 0 {
		t.Errorf("left behind: %v, %v", names, err)
	}
	if err := a.Receive(t.Context(), bytes.NewReader(whole)); err != nil {
		t.Fatal(err)
	}
	if err := open(t, dir).Receive(t.Context(), bytes.NewReader(whole)); !errors.Is(err, ErrBusy) {
		t.Errorf("a second process that receives: %v", err)
	}
	unlock, err := open(t, dir).lock()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := a.Receive(ctx, bytes.NewReader(whole)); !errors.Is(err, context.Canceled) {
		t.Errorf("while an import runs: %v", err)
	}
	unlock()
}

// TestOtherPatient: an instance that names another patient than its study is refused, however it comes, and changes nothing.
func TestOtherPatient(t *testing.T) {
	dir, from := t.TempDir(), t.TempDir()
	info := small(t, from, 1)
	a := open(t, dir)
	change := func(b []byte, pairs ...string) []byte {
		for n := 0; n < len(pairs); n += 2 {
			b = bytes.ReplaceAll(b, []byte(pairs[n]), []byte(pairs[n+1]))
		}
		return b
	}
	whole := func(n int) []byte {
		t.Helper()
		b, err := os.ReadFile(slice(from, n))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	if err := a.Receive(t.Context(), bytes.NewReader(change(whole(1), "PHANTOM-1", "         "))); err != nil {
		t.Fatal(err) // it does not say whose it is
	}
	if err := a.Receive(t.Context(), bytes.NewReader(whole(2))); err != nil {
		t.Fatal(err)
	}
	other := change(whole(3), "PHANTOM-1", "PHANTOM-2")
	for _, again := range []bool{false, true} {
		if again { // as another process, from the journal
			a.Close()
			a = open(t, dir)
		}
		if err := a.Receive(t.Context(), bytes.NewReader(other)); !errors.Is(err, pacs.ErrOtherPatient) {
			t.Errorf("received: %v", err)
		}
	}
	a.Close()
	a = open(t, dir)
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "other.dcm"), other, 0o600); err != nil {
		t.Fatal(err)
	}
	done, err := a.Import(t.Context(), folder, nil)
	if err != nil || done.Refused != 1 || done.Files != 0 || !errors.Is(done.Refusals[0], pacs.ErrOtherPatient) {
		t.Errorf("imported: %+v, %v", done, err)
	}
	s, err := a.Study(t.Context(), info.StudyInstanceUID)
	if err != nil {
		t.Fatal(err)
	}
	if n, _ := s.Count(); n != 2 || s.PatientID != "PHANTOM-1" || s.Mixed() {
		t.Errorf("%d instances of patient %s", n, s.PatientID)
	}
	if err := a.Receive(t.Context(), bytes.NewReader(whole(3))); err != nil { // corrected
		t.Error(err)
	}
}

// TestJournalCut: what a crash leaves of the last line does not count, and is written over; damage before it is damage.
func TestJournalCut(t *testing.T) {
	from, dir := t.TempDir(), t.TempDir()
	info := small(t, from, 1)
	a := open(t, dir)
	receive(t, a, from)
	a.Close()
	name := filepath.Join(dir, journalPath(info.StudyInstanceUID))
	whole, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	last := bytes.LastIndexByte(whole[:len(whole)-1], '\n') + 1
	for _, n := range []int{last, last + 1, last + 9, last + 100, len(whole) - 1, len(whole)} {
		if err := os.WriteFile(name, whole[:n], 0o600); err != nil {
			t.Fatal(err)
		}
		a := open(t, dir)
		s, err := a.Study(t.Context(), info.StudyInstanceUID)
		if err != nil {
			t.Fatal(err)
		}
		want := 2
		if n == len(whole) {
			want = 3
		}
		if got, _ := s.Count(); got != want {
			t.Errorf("cut at %d of %d: %d instances, want %d", n, len(whole), got, want)
		}
		receive(t, a, from)
		if s, err = a.Study(t.Context(), info.StudyInstanceUID); err != nil {
			t.Fatal(err)
		}
		if got, _ := s.Count(); got != 3 {
			t.Errorf("cut at %d and received again: %d instances", n, got)
		}
		a.Close()
	}
	whole[20] ^= 1
	if err := os.WriteFile(name, whole, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := open(t, dir).Study(t.Context(), info.StudyInstanceUID); !errors.Is(err, errDamaged) {
		t.Errorf("a damaged line: %v", err)
	}
}

// TestReceiveKill kills the receiving process at each step in turn. What it said it had taken is there afterwards.
func TestReceiveKill(t *testing.T) {
	if at := os.Getenv(killAt); at != "" {
		dieReceiving(t, at)
		return
	}
	if testing.Short() {
		t.Skip("starts some 30 processes")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	killed := 0
	for step := 1; ; step++ {
		from, dir := t.TempDir(), t.TempDir()
		info := small(t, from, 1)
		child := exec.Command(self, "-test.run=^TestReceiveKill$")
		child.Env = append(os.Environ(), killAt+"="+strconv.Itoa(step), "DIR="+dir, "FROM="+from)
		out, err := child.CombinedOutput()
		acknowledged := bytes.Count(out, []byte("taken\n"))
		a := open(t, dir)
		got := 0
		s, listing := a.Study(t.Context(), info.StudyInstanceUID)
		if listing == nil {
			got, _ = s.Count()
			for _, i := range s.Series[0].Instances {
				read(t, a, i)
			}
		} else if !errors.Is(listing, pacs.ErrNotFound) {
			t.Errorf("step %d: %v", step, listing)
		}
		if got < acknowledged || got > acknowledged+1 {
			t.Errorf("step %d: %d instances, %d acknowledged", step, got, acknowledged)
		}
		receive(t, a, from)
		if s, err := a.Study(t.Context(), info.StudyInstanceUID); err != nil {
			t.Errorf("step %d: %v", step, err)
		} else if n, _ := s.Count(); n != 3 {
			t.Errorf("step %d: %d instances after all were received again", step, n)
		}
		a.Close()
		if err == nil {
			break
		}
		status, ok := child.ProcessState.Sys().(syscall.WaitStatus)
		if !ok || !status.Signaled() || status.Signal() != syscall.SIGKILL {
			t.Fatalf("step %d: %v: %s", step, err, out)
		}
		killed++
	}
	if killed < 15 {
		t.Errorf("killed %d times", killed)
	}
}

// dieReceiving is the child: it receives and kills itself before step at.
func dieReceiving(t *testing.T, at string) {
	step, err := strconv.Atoi(at)
	if err != nil {
		t.Fatal(err)
	}
	a, err := Open(os.Getenv("DIR"))
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	a.fault = func(string) error {
		if n++; n == step {
			syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
		return nil
	}
	for k := 1; k <= 3; k++ {
		f, err := os.Open(slice(os.Getenv("FROM"), k))
		if err != nil {
			t.Fatal(err)
		}
		if err := a.Receive(context.Background(), f); err != nil {
			t.Fatal(err)
		}
		f.Close()
		fmt.Println("taken")
	}
}

func BenchmarkReceive(b *testing.B) {
	from := b.TempDir()
	if _, err := phantom.Generate(from, phantom.Options{Series: 1, Slices: 50}); err != nil {
		b.Fatal(err)
	}
	var bytes int64
	filepath.WalkDir(from, func(name string, d os.DirEntry, err error) error {
		if info, err := os.Stat(name); err == nil && !info.IsDir() {
			bytes += info.Size()
		}
		return nil
	})
	b.SetBytes(bytes)
	for b.Loop() {
		receive(b, open(b, b.TempDir()), from)
	}
}
