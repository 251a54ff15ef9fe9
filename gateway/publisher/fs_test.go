package publisher

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"collimate/dicom/phantom"
	"collimate/pacs/fs"
)

// TestFolder watches a real archive: instances come one at a time, and the process is started anew in between.
func TestFolder(t *testing.T) {
	w := newWorld(t)
	files, err := fs.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { files.Close() })
	w.now = time.Now()
	w.source.archive, w.config.Archive = files, files
	w.restart()
	from := t.TempDir()
	made, err := phantom.Generate(from, phantom.Options{Series: 1, Slices: 3, Rows: 16, Columns: 16})
	if err != nil {
		t.Fatal(err)
	}
	names, err := filepath.Glob(filepath.Join(from, "CT", "*", "*.dcm"))
	if err != nil || len(names) != 3 {
		t.Fatalf("%d files: %v", len(names), err)
	}
	receive := func(name string) {
		t.Helper()
		f, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if err := files.Receive(t.Context(), f); err != nil {
			t.Fatal(err)
		}
	}
	receive(names[0])
	w.watch(8 * time.Minute)
	receive(names[1]) // which the archive says came when it did, by a clock that we do not move
	w.did()
	w.watch(5 * time.Minute)
	w.did("publish " + made.StudyInstanceUID)
	receive(names[2])
	w.restart()
	w.watch(15 * time.Minute)
	w.did("amend " + made.StudyInstanceUID)
	if _, err := files.Import(t.Context(), from, nil); err != nil { // what is there already
		t.Fatal(err)
	}
	w.watch(25 * time.Hour)
	w.did()
}
