package atna

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

func exampleMessage(id string) Message {
	r := exampleRetrieve()
	r.Documents = []Document{{RepositoryUniqueID: "2.25.2", DocumentUniqueID: id}}
	return RetrieveExport(r)[0]
}

// spooled returns the document ids in a spool's files, oldest first, and checks that every line is whole.
func spooled(t *testing.T, path string) []string {
	t.Helper()
	var files []string
	for i := 1; ; i++ {
		file := fmt.Sprintf("%s.%d", path, i)
		if _, err := os.Stat(file); err != nil {
			break
		}
		files = append(files, file)
	}
	var ids []string
	for _, file := range append(files, path) {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for line := range bytes.Lines(b) {
			var m xmlMessage
			if err := xml.Unmarshal(line, &m); err != nil || line[len(line)-1] != '\n' {
				t.Fatalf("%s: %v: %q", file, err, line)
			}
			ids = append(ids, m.Objects[0].ID)
		}
	}
	return ids
}

func record(t *testing.T, s *FileSpool, ids ...string) {
	t.Helper()
	for _, id := range ids {
		if err := s.Record(context.Background(), exampleMessage(id)); err != nil {
			t.Fatal(err)
		}
	}
}

func open(t *testing.T, path string, max int64) *FileSpool {
	t.Helper()
	s, err := OpenSize(path, max)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func TestSpoolKeepsOrderAndPermissions(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.xml")
	s, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	record(t, s, "1", "2")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	record(t, open(t, path, DefaultMaxBytes), "3")
	if got := strings.Join(spooled(t, path), " "); got != "1 2 3" {
		t.Errorf("got %s, want 1 2 3", got)
	}
	if info, _ := os.Stat(path); info.Mode().Perm() != 0o600 {
		t.Errorf("mode is %v, want 0600", info.Mode().Perm())
	}
	if err := s.Record(context.Background(), exampleMessage("4")); !errors.Is(err, os.ErrClosed) {
		t.Errorf("after Close: got %v, want %v", err, os.ErrClosed)
	}
}

func TestSpoolRecordsForACallerWhoHungUp(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.xml")
	s := open(t, path, DefaultMaxBytes)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := s.Record(ctx, exampleMessage("1")); err != nil {
		t.Fatal(err)
	}
	if got := spooled(t, path); len(got) != 1 {
		t.Errorf("got %d records, want 1", len(got))
	}
}

func TestSpoolTornLine(t *testing.T) {
	line, err := exampleMessage("2").MarshalText()
	if err != nil {
		t.Fatal(err)
	}
	whole, err := exampleMessage("1").MarshalText()
	if err != nil {
		t.Fatal(err)
	}
	whole = append(whole, '\n')
	for _, n := range []int{0, 1, 13, 14, len(line) - 1, len(line)} { // len(line): all but the line end
		for name, before := range map[string][]byte{"first": nil, "second": whole} {
			path := filepath.Join(t.TempDir(), "audit.xml")
			if err := os.WriteFile(path, append(bytes.Clone(before), line[:n]...), 0o600); err != nil {
				t.Fatal(err)
			}
			s := open(t, path, DefaultMaxBytes)
			if s.Torn() != int64(n) {
				t.Errorf("%s line cut after %d: removed %d bytes", name, n, s.Torn())
			}
			record(t, s, "3")
			want := "3"
			if before != nil {
				want = "1 3"
			}
			if got := strings.Join(spooled(t, path), " "); got != want {
				t.Errorf("%s line cut after %d: got %s, want %s", name, n, got, want)
			}
		}
	}
}

func TestSpoolZerosAfterCrash(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.xml")
	record(t, open(t, path, DefaultMaxBytes), "1")
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write(make([]byte, 4096)); err != nil {
		t.Fatal(err)
	}
	f.Close()
	s := open(t, path, DefaultMaxBytes)
	record(t, s, "2")
	if got := strings.Join(spooled(t, path), " "); got != "1 2" || s.Torn() != 4096 {
		t.Errorf("got %s with %d torn bytes, want 1 2 with 4096", got, s.Torn())
	}
}

func TestSpoolRefusesForeignFile(t *testing.T) {
	for _, content := range []string{"patients.csv\n", "<html>\n", strings.Repeat("a", 2*maxRecord+1)} {
		path := filepath.Join(t.TempDir(), "precious")
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(path); err == nil {
			t.Errorf("%.10q: want an error", content)
		}
		if got, _ := os.ReadFile(path); string(got) != content {
			t.Errorf("%.10q: the file was changed", content)
		}
	}
}

func TestSpoolRotates(t *testing.T) {
	line, err := exampleMessage("1").MarshalText()
	if err != nil {
		t.Fatal(err)
	}
	two := int64(2 * (len(line) + 1))
	for _, c := range []struct {
		max   int64
		files int // renamed files after five records
	}{
		{two - 1, 4}, // one a file
		{two, 2},     // two a file: 2, 2, 1
		{two + 1, 2},
		{1, 4}, // a record larger than the bound still gets in
	} {
		path := filepath.Join(t.TempDir(), "audit.xml")
		s := open(t, path, c.max)
		record(t, s, "1", "2", "3")
		s.Close()
		record(t, open(t, path, c.max), "4", "5") // numbering goes on after a restart
		if got := strings.Join(spooled(t, path), " "); got != "1 2 3 4 5" {
			t.Errorf("max %d: got %s", c.max, got)
		}
		files, _ := filepath.Glob(path + ".*")
		if len(files) != c.files {
			t.Errorf("max %d: got %d renamed files, want %d", c.max, len(files), c.files)
		}
	}
}

func TestSpoolConcurrent(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.xml")
	s := open(t, path, 8<<10) // rotates often
	const writers, each = 8, 25
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				if err := s.Record(context.Background(), exampleMessage(fmt.Sprintf("%d.%d", w, i))); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	seen := map[string]bool{}
	for _, id := range spooled(t, path) {
		seen[id] = true
	}
	if len(seen) != writers*each {
		t.Errorf("got %d different records, want %d", len(seen), writers*each)
	}
}

// TestSpoolFailedDisk: after a failed write of the disk nothing is promised any more.
func TestSpoolFailedDisk(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "audit.xml"), DefaultMaxBytes)
	s.file.Close()
	for range 2 {
		if err := s.Record(context.Background(), exampleMessage("1")); err == nil {
			t.Fatal("want an error")
		}
	}
}

func BenchmarkRecord(b *testing.B) {
	s, err := Open(filepath.Join(b.TempDir(), "audit.xml"))
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	m := exampleMessage("1")
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if err := s.Record(context.Background(), m); err != nil {
				b.Fatal(err)
			}
		}
	})
}
