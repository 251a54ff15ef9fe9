//go:build unix

package fs

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"

	"collimate/pacs"
)

// scene is an archive that holds one of the three slices of a study, and a folder with all of them and with
// another study.
type scene struct {
	dir, from    string
	grown, fresh string // Study Instance UIDs
}

func newScene(t *testing.T) scene {
	t.Helper()
	s := scene{dir: t.TempDir(), from: t.TempDir()}
	first := t.TempDir()
	s.grown = small(t, filepath.Join(s.from, "1"), 1).StudyInstanceUID
	s.fresh = small(t, filepath.Join(s.from, "2"), 2).StudyInstanceUID
	copyFile(t, filepath.Join(first, "one.dcm"), slice(filepath.Join(s.from, "1"), 2))
	a, err := Open(s.dir)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	if _, err := a.Import(t.Context(), first, nil); err != nil {
		t.Fatal(err)
	}
	return s
}

// check opens the archive anew, as after a restart: each study is as it was or as it was to be, and all that
// is listed is there. Importing again completes it. It reports whether it was complete before.
func (s scene) check(t *testing.T) (complete bool) {
	t.Helper()
	a, err := Open(s.dir)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	if names, err := a.names(incoming); len(names) != 0 || err != nil {
		t.Errorf("left behind: %v, %v", names, err)
	}
	grown, fresh := s.count(t, a, s.grown), s.count(t, a, s.fresh)
	if grown != 1 && grown != 3 || fresh != 0 && fresh != 3 {
		t.Errorf("%d and %d instances, want 1 or 3, and 0 or 3", grown, fresh)
	}
	done, err := a.Import(t.Context(), s.from, nil)
	if err != nil || done.Files != 6 || done.New != 6-grown-fresh {
		t.Errorf("importing again: %+v, %v", done, err)
	}
	if grown, fresh := s.count(t, a, s.grown), s.count(t, a, s.fresh); grown != 3 || fresh != 3 {
		t.Errorf("after importing again %d and %d instances", grown, fresh)
	}
	return grown == 3 && fresh == 3
}

// count returns the number of instances of a study, and compares each with the files of the folder.
func (s scene) count(t *testing.T, a *Archive, uid string) int {
	t.Helper()
	study, err := a.Study(t.Context(), uid)
	if errors.Is(err, pacs.ErrNotFound) {
		return 0
	}
	if err != nil {
		t.Fatal(err)
	}
	folder := map[string]string{s.grown: "1", s.fresh: "2"}[uid]
	n, _ := study.Count()
	for _, i := range study.Series[0].Instances {
		number, err := strconv.Atoi(i.Number)
		if err != nil {
			t.Fatal(err)
		}
		want, err := os.ReadFile(slice(filepath.Join(s.from, folder), number))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(read(t, a, i), want) {
			t.Errorf("instance %s is not as stored", i.Number)
		}
	}
	return n
}

// TestFault makes each step fail in turn.
func TestFault(t *testing.T) {
	broken := errors.New("broken")
	steps := 0
	for ; ; steps++ {
		s := newScene(t)
		a, err := Open(s.dir)
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		a.fault = func(string) error {
			if n++; n > steps {
				return broken
			}
			return nil
		}
		_, err = a.Import(t.Context(), s.from, nil)
		a.Close()
		if err != nil && !errors.Is(err, broken) {
			t.Fatalf("step %d: %v", steps, err)
		}
		s.check(t)
		if err == nil {
			break
		}
	}
	if steps < 25 {
		t.Errorf("only %d steps", steps)
	}
}

// killAt names the step at which a child of TestKill kills itself.
const killAt = "COLLIMATE_TEST_KILL_AT"

// TestKill kills the importing process at each step in turn, as kill -9 does: no deferred call runs.
func TestKill(t *testing.T) {
	if at := os.Getenv(killAt); at != "" {
		die(t, at)
		return
	}
	if testing.Short() {
		t.Skip("starts some 40 processes")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	killed, complete := 0, 0
	for step := 1; ; step++ {
		s := newScene(t)
		child := exec.Command(self, "-test.run=^TestKill$")
		child.Env = append(os.Environ(), killAt+"="+strconv.Itoa(step), "DIR="+s.dir, "FROM="+s.from)
		out, err := child.CombinedOutput()
		if s.check(t) {
			complete++
		}
		if err == nil {
			break
		}
		status, ok := child.ProcessState.Sys().(syscall.WaitStatus)
		if !ok || !status.Signaled() || status.Signal() != syscall.SIGKILL {
			t.Fatalf("step %d: %v: %s", step, err, out)
		}
		killed++
	}
	if killed < 25 || complete < 2 {
		t.Errorf("killed %d times, %d times complete", killed, complete)
	}
}

// die is the child: it imports and kills itself before step at.
func die(t *testing.T, at string) {
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
			if err := syscall.Kill(os.Getpid(), syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
			select {}
		}
		return nil
	}
	if _, err := a.Import(context.Background(), os.Getenv("FROM"), nil); err != nil {
		t.Fatal(err)
	}
}

func TestBusy(t *testing.T) {
	dir, from := t.TempDir(), t.TempDir()
	small(t, from, 1)
	a := open(t, dir)
	unlock, err := a.lock()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, incoming, "on its way"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	b := open(t, dir) // must not clear what an import under way has written
	if names, err := b.names(incoming); len(names) != 1 || err != nil {
		t.Errorf("incoming holds %v: %v", names, err)
	}
	if _, err := b.Import(t.Context(), from, nil); !errors.Is(err, ErrBusy) {
		t.Errorf("got %v", err)
	}
	unlock()
	if _, err := b.Import(t.Context(), from, nil); err != nil {
		t.Errorf("after the lock is free: %v", err)
	}
}

// TestPipe: a named pipe in the folder is passed over; to open it would wait for a writer for ever.
func TestPipe(t *testing.T) {
	from := t.TempDir()
	small(t, from, 1)
	if err := syscall.Mkfifo(filepath.Join(from, "pipe"), 0o600); err != nil {
		t.Skipf("no named pipes here: %v", err)
	}
	done, err := open(t, t.TempDir()).Import(t.Context(), from, nil)
	if err != nil || done.Skipped != 1 || done.Files != 3 {
		t.Errorf("%+v, %v", done, err)
	}
}
