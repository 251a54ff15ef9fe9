package registry

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"collimate/xds/metadata"
	"collimate/xds/query"
)

func TestEntry(t *testing.T) {
	onEach(t, func(t *testing.T, dsn string) {
		s, ctx := openStore(t, dsn), context.Background()
		o := Submission{Now: noon, NewID: numbers(0), Studies: map[string]string{"1.3": "S", "1.4": "S", "2.3": "T"}}
		ids := filed(t, s, o)
		entry := func(uniqueID string) string {
			t.Helper()
			d, study, err := s.Entry(ctx, uniqueID)
			if err != nil {
				t.Fatal(err)
			}
			return d.ID + " " + study
		}
		if got, want := entry("1.3"), ids["1.3"]+" S"; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		if got, want := entry("1.5"), ids["1.5"]+" "; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		for _, id := range []string{"9.9", "1.1", "1.2", ids["1.3"]} { // not of sets and folders
			if _, _, err := s.Entry(ctx, id); !errors.Is(err, ErrNotFound) {
				t.Errorf("%s: %v", id, err)
			}
		}
		again := submission("2.1", patientA)
		again.entry("1.3")
		second := submit(t, s, again, o)["1.3"]
		if got, want := entry("1.3"), second+" S"; got != want {
			t.Errorf("got %s, want the newest, %s", got, want)
		}
		if err := s.Deprecate(ctx, second); err != nil {
			t.Fatal(err)
		}
		if got, want := entry("1.3"), ids["1.3"]+" S"; got != want {
			t.Errorf("got %s, want the one that is Approved, %s", got, want)
		}
		if err := s.Deprecate(ctx, ids["1.3"], ids["1.2"], "unknown"); err != nil {
			t.Fatal(err)
		}
		if got, want := picture(everything(t, s)), "1.3D, 1.4D, 1.5D, 1.3D, 1.2@20240301120000, "; !strings.HasPrefix(got, want) {
			t.Errorf("got %s", got)
		}
		list, err := s.Entries(ctx, "S")
		if err != nil || len(list) != 3 || list[0].ID != ids["1.3"] || list[1].ID != ids["1.4"] || list[2].ID != second {
			t.Errorf("%v, %v", list, err)
		}
		if list, err := s.Entries(ctx, ""); err != nil || len(list) != 0 {
			t.Errorf("%v, %v", list, err)
		}
	})
}

func TestHasHash(t *testing.T) {
	onEach(t, func(t *testing.T, dsn string) {
		s := openStore(t, dsn)
		b := submission("1.1", patientA)
		b.entry("1.3")
		b.Documents[0].Hash = "DA39A3EE5E6B4B0D3255BFEF95601890AFD80709"
		b.entry("1.4") // of another repository
		b.Documents[1].Hash, b.Documents[1].RepositoryUniqueID = "da39a3ee5e6b4b0d3255bfef95601890afd80707", "1.2.8"
		submit(t, s, b, Submission{Now: noon, NewID: numbers(0), Repository: "1.2.7"})
		for hash, want := range map[string]bool{
			"da39a3ee5e6b4b0d3255bfef95601890afd80709": true, "DA39A3EE5E6B4B0D3255BFEF95601890AFD80709": true,
			"da39a3ee5e6b4b0d3255bfef95601890afd80708": false, "da39a3ee5e6b4b0d3255bfef95601890afd80707": false, "": false,
		} {
			if got, err := s.HasHash(context.Background(), hash); err != nil || got != want {
				t.Errorf("%s: %t, %v", hash, got, err)
			}
		}
		if _, err := s.HasHash(context.Background(), "no hash"); err == nil {
			t.Error("no error for what is no hash")
		}
	})
}

// An entry is found by its id, and belongs to no study once it is detached.
func TestDetach(t *testing.T) {
	onEach(t, func(t *testing.T, dsn string) {
		s := openStore(t, dsn)
		ids := filed(t, s, Submission{Now: noon, NewID: numbers(0), Studies: map[string]string{"1.3": "S", "1.4": "S"}})
		ctx := context.Background()
		if err := s.Detach(ctx, ids["1.3"]); err != nil {
			t.Fatal(err)
		}
		for uniqueID, want := range map[string]string{"1.3": "", "1.4": "S"} {
			if e, study, err := s.EntryOf(ctx, ids[uniqueID]); err != nil || e.UniqueID != uniqueID || study != want {
				t.Errorf("%s: of study %q, %v", uniqueID, study, err)
			}
		}
		for _, id := range []string{ids["1.2"], numbers(1 << 30)(), "document"} {
			if _, _, err := s.EntryOf(ctx, id); !errors.Is(err, ErrNotFound) {
				t.Errorf("%s: %v", id, err)
			}
		}
	})
}

// Erasing waits for those who read, and those who come wait for it.
func TestRemoveWaitsForReaders(t *testing.T) {
	s := openStore(t, sqliteDSN(t))
	filed(t, s, Submission{Now: noon, NewID: numbers(0), Studies: map[string]string{"1.3": "S"}})
	asked, answer, removed := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	q := &query.Query{Name: query.FindDocuments, Return: query.ObjectRef, Documents: query.Filter{PatientID: patientA}}
	read := make(chan error, 1)
	go func() {
		var once sync.Once
		_, _, err := s.Query(context.Background(), q, func(Entry) (bool, error) {
			once.Do(func() { close(asked) })
			<-answer
			return true, nil
		})
		read <- err
	}()
	<-asked
	go func() { removed <- s.Remove(context.Background(), "S") }()
	deadline := time.Now().Add(30 * time.Second)
	for len(removed) == 0 && s.wiping.TryRLock() { // until it is waiting
		s.wiping.RUnlock()
		if time.Now().After(deadline) {
			close(answer)
			t.Fatal("it does not come to wait")
		}
		time.Sleep(time.Millisecond)
	}
	select {
	case err := <-removed:
		t.Fatalf("it has not waited: %v", err)
	default:
	}
	close(answer)
	if err := errors.Join(<-read, <-removed); err != nil {
		t.Error(err)
	}
}

// What hangs on a study that is erased goes with it, and what does not stays.
func TestRemove(t *testing.T) {
	onEach(t, func(t *testing.T, dsn string) {
		s, ctx := openStore(t, dsn), context.Background()
		number := numbers(0)
		o := func(studies map[string]string) Submission {
			return Submission{Now: noon, NewID: number, Studies: studies}
		}
		kept := submission("1.1", patientA)
		shared := kept.folder("1.2")
		kept.into(shared, kept.entry("1.3"))
		ids := submit(t, s, kept, o(map[string]string{"1.3": "kept"}))
		before := everything(t, s).Objects

		gone := submission("2.1", patientA)
		entry := gone.entry("2.3")
		gone.into(ids["1.2"], entry)
		gone.into(gone.folder("2.2"), entry)
		gone.link(metadata.Signs, entry, ids["1.3"])
		ids = submit(t, s, gone, o(map[string]string{"2.3": "gone"}))
		replaced := submission("3.1", patientA)
		replaced.link(metadata.Replace, replaced.entry("3.3"), ids["2.3"])
		submit(t, s, replaced, o(map[string]string{"3.3": "gone"}))

		if err := s.Remove(ctx, "other"); err != nil {
			t.Fatal(err)
		}
		for range 2 { // and again
			if err := s.Remove(ctx, "gone"); err != nil {
				t.Fatal(err)
			}
			after := everything(t, s).Objects
			if !reflect.DeepEqual(after, before) {
				t.Errorf("got  %+v\nwant %+v", after, before)
			}
		}
		submit(t, s, gone, o(nil)) // may come again
	})
}

// Nothing of a study that is erased is in the files.
func TestErased(t *testing.T) {
	dir := t.TempDir()
	s, ctx := openStore(t, "sqlite:"+filepath.Join(dir, "registry.db")), context.Background()
	number := numbers(0)
	secrets := []string{"1.99.98.97", "SECRET-PERSON", "1.95.94"}
	traces := func() (found int) {
		files, _ := os.ReadDir(dir)
		for _, f := range files {
			b, err := os.ReadFile(filepath.Join(dir, f.Name()))
			if err != nil {
				t.Fatal(err)
			}
			for _, secret := range secrets {
				found += bytes.Count(b, []byte(secret))
			}
		}
		return found
	}
	for i := range 20 {
		uid := "1.3." + strings.Repeat("1", i+1)
		b := submission(uid+".1", patientA)
		b.entry(uid + ".2")
		studies := map[string]string{}
		if i%4 == 0 {
			b.SubmissionSets[0].PatientID, b.Documents[0].PatientID = "SECRET-PERSON^^^&1.2.3&ISO", "SECRET-PERSON^^^&1.2.3&ISO"
			b.Documents[0].ReferenceIDs = []string{"1.99.98.97^^^^urn:ihe:iti:xds:2016:studyInstanceUID"}
			b.Documents[0].UniqueID = "1.95.94." + uid
			b.Documents[0].Comments.Value = strings.Repeat("SECRET-PERSON", i*50) // to pages of its own
			studies[b.Documents[0].UniqueID] = "1.99.98.97"
		}
		if err := s.Submit(ctx, b.Objects, Submission{Now: noon, NewID: number, Studies: studies}); err != nil {
			t.Fatal(err)
		}
	}
	if traces() == 0 {
		t.Fatal("the test looks in the wrong place")
	}
	if err := s.Remove(ctx, "1.99.98.97"); err != nil {
		t.Fatal(err)
	}
	if n := traces(); n != 0 {
		t.Errorf("%d traces are left", n)
	}
	if n := len(everything(t, s).Documents); n != 15 {
		t.Errorf("%d entries", n)
	}
}
