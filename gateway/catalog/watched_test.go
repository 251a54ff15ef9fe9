package catalog

import (
	"errors"
	"slices"
	"testing"

	"collimate/ledger"

	"github.com/cockroachdb/pebble/v2/vfs"
)

func TestWatched(t *testing.T) {
	fs := vfs.NewMem()
	c := open(t, fs)
	s := study("1.2.3")
	if _, err := c.Watched(s.StudyID); !errors.Is(err, ErrNotFound) {
		t.Errorf("of a study that nobody watched: %v", err)
	}
	want := Watched{Listed: [32]byte{1}, Content: [32]byte{2}, Patient: [32]byte{3}, Issuer: [32]byte{4}, Missing: -5, Rejected: 6}
	if err := errors.Join(c.PutStudy(s, nil), c.PutWatched(map[ledger.StudyID]Watched{s.StudyID: want}), c.Close()); err != nil {
		t.Fatal(err)
	}
	c = open(t, fs)
	defer c.Close()
	if got, err := c.Watched(s.StudyID); err != nil || got != want {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
	if err := c.db.Set(key(prefixWatched, s.StudyID[:]), []byte("short"), nil); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Watched(s.StudyID); err == nil || errors.Is(err, ErrNotFound) {
		t.Errorf("damaged: %v", err)
	}
}

// An erased study is marked until it is stored again, and nothing else is remembered of it.
func TestErased(t *testing.T) {
	c := open(t, vfs.NewMem())
	defer c.Close()
	one, two := study("1.2.3"), study("1.2.4")
	put := func(studies ...Study) {
		t.Helper()
		if err := c.PutStudies(studies, func(s Study) map[string]ledger.DocumentKind {
			return map[string]ledger.DocumentKind{s.StudyID.Alias(): ledger.DocumentStudy}
		}); err != nil {
			t.Fatal(err)
		}
	}
	erased := func() (marked []string) {
		for _, s := range []Study{one, two} {
			if was, err := c.Erased(s.StudyInstanceUID); err != nil {
				t.Fatal(err)
			} else if was {
				marked = append(marked, s.StudyInstanceUID)
			}
		}
		return marked
	}
	put(one, two)
	if got := erased(); got != nil {
		t.Errorf("erased are %v, want none", got)
	}
	if err := c.Erase(t.Context(), "1.2.5"); err != nil {
		t.Fatal(err)
	}
	if was, err := c.Erased("1.2.5"); err != nil || !was {
		t.Errorf("a study that never was is not marked: %v", err)
	}
	if err := errors.Join(c.PutWatched(map[ledger.StudyID]Watched{one.StudyID: {Missing: 1}}), c.Erase(t.Context(), "1.2.3")); err != nil {
		t.Fatal(err)
	}
	if got := erased(); !slices.Equal(got, []string{"1.2.3"}) {
		t.Errorf("erased are %v, want 1.2.3", got)
	}
	if _, err := c.Watched(one.StudyID); !errors.Is(err, ErrNotFound) {
		t.Errorf("what was remembered of it is still there: %v", err)
	}
	if d, of, err := c.Document(two.StudyID.Alias()); err != nil || d.Kind != ledger.DocumentStudy || of.StudyInstanceUID != "1.2.4" {
		t.Errorf("the other's document: %+v, %+v, %v", d, of, err)
	}
	if err := c.Erase(t.Context(), "1.2.3"); err != nil { // again, as after an interruption
		t.Fatal(err)
	}
	if got := erased(); len(got) != 1 {
		t.Errorf("erased twice, marked are %v", got)
	}
	put(one)
	if got := erased(); got != nil {
		t.Errorf("stored again, erased are %v", got)
	}
}
