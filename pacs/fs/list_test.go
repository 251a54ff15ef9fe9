//go:build unix

package fs

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"collimate/dicom/phantom"
	"collimate/pacs/pacstest"
)

// TestListAgain: what has not changed is not read again, and what has is.
func TestListAgain(t *testing.T) {
	dir, from, more := t.TempDir(), t.TempDir(), t.TempDir()
	a := open(t, dir)
	still, grows := small(t, from, 1).StudyInstanceUID, small(t, more, 2).StudyInstanceUID
	if _, err := a.Import(t.Context(), from, nil); err != nil {
		t.Fatal(err)
	}
	for n := 1; n <= 3; n++ { // an instance at a time
		receive(t, a, slice(more, n))
		all := pacstest.List(t, a, time.Time{})
		if len(all) != 2 || all[grows].Instances != n || all[still].Instances != 3 {
			t.Fatalf("after %d instances: %+v", n, all)
		}
	}
	rest := t.TempDir() // by which the index of the other changes, and nothing else
	if _, err := phantom.Generate(rest, phantom.Options{Series: 1, Slices: 1, Rows: 16, Columns: 16, Seed: 3, StudyInstanceUID: still}); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Import(t.Context(), rest, nil); err != nil {
		t.Fatal(err)
	}
	if all := pacstest.List(t, a, time.Time{}); all[still].Instances != 4 {
		t.Errorf("after an import: %+v", all[still])
	}
	damage := func(uid string) {
		t.Helper()
		for _, name := range []string{indexPath(uid), journalPath(uid)} {
			path := filepath.Join(dir, name)
			info, err := os.Stat(path)
			if errors.Is(err, os.ErrNotExist) {
				continue
			} else if err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(os.WriteFile(path, make([]byte, info.Size()), 0o600), os.Chtimes(path, info.ModTime(), info.ModTime())); err != nil {
				t.Fatal(err)
			}
		}
	}
	damage(still)
	if all := pacstest.List(t, a, time.Time{}); len(all) != 2 {
		t.Errorf("files that have not changed were read again: %d studies", len(all))
	}
	// In a process that has not read them, one damaged study does not hide the other.
	listed, failed := 0, 0
	for s, err := range open(t, dir).Studies(t.Context(), time.Time{}) {
		if err != nil {
			failed++
		} else if s.Study.InstanceUID == grows {
			listed++
		}
	}
	if listed != 1 || failed != 1 {
		t.Errorf("%d listed and %d damaged, want one each", listed, failed)
	}
	// Those that came before are left out by the time of their files.
	past := time.Now().Add(-time.Hour)
	for _, name := range []string{indexPath(grows), journalPath(grows)} {
		if err := os.Chtimes(filepath.Join(dir, name), past, past); err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
	}
	if all := pacstest.List(t, a, time.Now().Add(-time.Minute)); len(all) != 1 || all[grows].Instances != 0 {
		t.Errorf("since a minute ago: %+v", all)
	}
}
