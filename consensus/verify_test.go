package consensus

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2"

	"collimate/ledger"
	"collimate/ledger/store"
)

// tamper changes the databases of a stopped node behind its back.
func tamper(t *testing.T, dir string, change func(db *pebble.DB)) {
	t.Helper()
	order := pebble.DefaultComparer
	if filepath.Base(dir) == "ledger.db" {
		order = store.Comparer
	}
	db, err := pebble.Open(dir, &pebble.Options{Comparer: order, FormatMajorVersion: pebble.FormatTableFormatV6, Logger: quietPebble{}})
	if err != nil {
		t.Fatal(err)
	}
	change(db)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

type quietPebble struct{}

func (quietPebble) Infof(string, ...any)  {}
func (quietPebble) Errorf(string, ...any) {}
func (quietPebble) Fatalf(string, ...any) {}

// TestVerifyChain verifies a sound chain, then the same with one thing wrong at a time.
func TestVerifyChain(t *testing.T) {
	w := newNetwork(t, 1)
	w.start(0)
	w.ready(0, 0)
	w.define(0)
	id, raw := w.study(0, 1)
	w.must(0, raw)
	for n := 2; n < 5; n++ {
		_, raw := w.study(0, n)
		w.must(0, raw)
	}
	w.must(0, w.sign(ledger.HoldStudy{Study: id, Revision: 0, Held: true}, w.members[0].key))
	w.stop(0)
	dir := w.members[0].dir
	verify := func(dir string) (*Verified, error) {
		return VerifyChain(t.Context(), dir, w.genesis, nil, testLog(0))
	}
	v, err := verify(dir)
	if err != nil {
		t.Fatal(err)
	}
	if v.From != 1 || v.To < 5 || v.Last < v.To || v.Transactions != 7 || v.Records < 8 || len(v.AppHash) != 32 {
		t.Errorf("got %+v", v)
	}
	t.Logf("%+v", v)

	study := append([]byte{5}, id[:]...)
	for _, test := range []struct {
		name, db string
		change   func(db *pebble.DB)
		want     string
	}{
		{"a byte of a record", "ledger.db", func(db *pebble.DB) {
			value := read(t, db, study)
			value[len(value)-1]++
			must(t, db.Set(study, value, pebble.Sync))
		}, "differs from byte"},
		{"a record more", "ledger.db", func(db *pebble.DB) { must(t, db.Set(append([]byte{5}, make([]byte, 32)...), []byte{1}, pebble.Sync)) }, "does not follow"},
		{"a record less", "ledger.db", func(db *pebble.DB) { must(t, db.Delete(study, pebble.Sync)) }, "lacks the record"},
		{"a byte of a block", "blockstore.db", func(db *pebble.DB) {
			key := find(t, db, raw)
			value := read(t, db, key)
			value[bytes.Index(value, raw)+len(raw)-1]++
			must(t, db.Set(key, value, pebble.Sync))
		}, "block"},
	} {
		t.Run(test.name, func(t *testing.T) {
			copied := t.TempDir()
			must(t, os.CopyFS(copied, os.DirFS(dir)))
			tamper(t, filepath.Join(copied, "data", test.db), test.change)
			if _, err := verify(copied); !errors.Is(err, ErrDiffers) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want ErrDiffers that says %q", err, test.want)
			} else {
				t.Log(err)
			}
		})
	}
	other := *w.genesis
	other.Payers = slices.Clone(other.Payers)
	other.Payers[0].Units--
	if _, err := VerifyChain(t.Context(), dir, &other, nil, testLog(0)); !errors.Is(err, ErrDiffers) {
		t.Errorf("with another genesis: got %v, want ErrDiffers", err)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, db *pebble.DB, key []byte) []byte {
	t.Helper()
	value, closer, err := db.Get(key)
	if err != nil {
		t.Fatal(err)
	}
	defer closer.Close()
	return bytes.Clone(value)
}

// find returns the key of the first value that holds some bytes.
func find(t *testing.T, db *pebble.DB, part []byte) []byte {
	t.Helper()
	it, err := db.NewIter(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer it.Close()
	for ok := it.First(); ok; ok = it.Next() {
		if bytes.Contains(it.Value(), part) {
			return bytes.Clone(it.Key())
		}
	}
	t.Fatal("no value holds it")
	return nil
}

// TestPrune keeps as few blocks as may be, verifies what is left from the oldest snapshot, and carries it over in a file.
func TestPrune(t *testing.T) {
	t.Parallel() // it waits more than it works
	w := newNetwork(t, 4)
	for _, m := range w.members {
		m.config.SnapshotEvery = 4
	}
	w.members[0].config.RetainBlocks = MinRetainBlocks
	w.start(0, 1, 2, 3)
	w.ready(3, 0, 1, 2, 3)
	w.define(0)
	w.snapshots(1, 0, 1)
	e := w.members[0].engine
	for e.history.blocks.Base() <= 1 {
		if e.history.blocks.Height() > 3*MinRetainBlocks {
			t.Fatal("no block was deleted")
		}
		w.filler++
		_, raw := w.study(0, 1_000_000+w.filler)
		w.must(0, raw)
	}
	heights, err := e.kept.heights()
	if err != nil || len(heights) > keptArchives+1 {
		t.Errorf("%d snapshots are kept, %v", len(heights), err)
	}
	base := e.history.blocks.Base()
	if base > heights[len(heights)-1] {
		t.Errorf("blocks are kept from %d on, and a snapshot is of height %d", base, heights[len(heights)-1])
	}
	if b, err := e.LightBlock(1); err != nil || b.Header.Height != 1 {
		t.Errorf("the header of block 1, which evidence may need: %v", err)
	}
	last, err := e.LightBlock(base + 1)
	if err != nil || last.Header.Height != base+1 {
		t.Errorf("light block %d: %v", base+1, err)
	}
	w.stop(0, 1, 2, 3)
	v, err := VerifyChain(t.Context(), w.members[0].dir, w.genesis, nil, testLog(0))
	if err != nil {
		t.Fatal(err)
	}
	if v.Snapshot == 0 || v.From != v.Snapshot+1 {
		t.Errorf("got %+v, want it to begin with a snapshot", v)
	}
	v, err = VerifyChain(t.Context(), w.members[1].dir, w.genesis, nil, testLog(1))
	if err != nil || v.From != 1 {
		t.Errorf("the node that keeps all: got %+v, %v", v, err)
	}

	// A file is as good as a peer.
	var file bytes.Buffer
	height, err := ExportArchive(w.members[0].dir, &file)
	if err != nil {
		t.Fatal(err)
	}
	w.wipe(1)
	m := w.members[1]
	for name, bad := range map[string][]byte{
		"nothing":           nil,
		"a byte flipped":    flip(file.Bytes(), file.Len()-1),
		"magic":             flip(file.Bytes(), 0),
		"manifest flipped":  flip(file.Bytes(), len(archiveMagic)+40),
		"cut":               file.Bytes()[:file.Len()-1],
		"declared too much": append([]byte(archiveMagic), 0xff, 0xff, 0xff, 0xff),
	} {
		if _, err := ImportArchive(t.Context(), m.config, bytes.NewReader(bad), testLog(1)); err == nil {
			t.Errorf("%s: it was imported", name)
		}
		if begun, err := hasBegun(filepath.Join(m.dir, "data")); begun || err != nil {
			t.Fatalf("%s: it has begun: %t, %v", name, begun, err)
		}
	}
	got, err := ImportArchive(t.Context(), m.config, bytes.NewReader(file.Bytes()), testLog(1))
	if err != nil || got != height {
		t.Fatalf("got height %d, %v, want %d", got, err, height)
	}
	if _, err := ImportArchive(t.Context(), m.config, bytes.NewReader(file.Bytes()), testLog(1)); err == nil {
		t.Error("it was imported over a state")
	}
	w.start(0, 1, 2, 3)
	w.ready(3, 0, 1, 2, 3)
	_, raw := w.study(0, 1)
	w.agree(w.must(1, raw).Height, 0, 1, 2, 3)
}

func flip(b []byte, at int) []byte {
	b = slices.Clone(b)
	b[at] ^= 1
	return b
}

// TestSettle cuts the last steps of joining off after each of them: the next start finishes.
func TestSettle(t *testing.T) {
	for steps := range 4 {
		data := t.TempDir()
		join := filepath.Join(data, joinDir)
		must(t, os.Mkdir(join, 0o700))
		names := []string{"ledger.db", "state.db", "blockstore.db"}
		for i, name := range names {
			at := join
			if i < steps {
				at = data
			}
			must(t, os.Mkdir(filepath.Join(at, name), 0o700))
		}
		must(t, settle(data))
		if begun, err := hasBegun(data); begun != (steps > 0) || err != nil {
			t.Fatalf("without the mark it was finished: %t, %v", begun, err)
		}
		must(t, writeSynced(filepath.Join(join, joinDone), nil))
		must(t, settle(data))
		for _, name := range names {
			if _, err := os.Stat(filepath.Join(data, name)); err != nil {
				t.Errorf("after %d steps: %v", steps, err)
			}
		}
		if _, err := os.Stat(join); err == nil {
			t.Errorf("after %d steps: the directory is still there", steps)
		}
		must(t, settle(data))
	}
}
