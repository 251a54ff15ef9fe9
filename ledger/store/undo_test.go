package store_test

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"collimate/ledger"
	"collimate/ledger/store"
)

// stateAt returns the records of a height, after checking that each is proved.
func stateAt(t *testing.T, s *store.Store, height int64) []byte {
	t.Helper()
	snap, err := s.SnapshotAt(height)
	if err != nil {
		t.Fatal(err)
	}
	defer snap.Close()
	if err := snap.Verify(t.Context(), nil); err != nil {
		t.Error(err)
	}
	head, _ := ledger.HeadEntry(ledger.Head{})
	root := [32]byte(snap.AppHash())
	err = snap.Iterate(nil, func(key, value []byte) error {
		absent := append(bytes.Clone(key), 0)
		proofs, err := snap.Prove(key, absent)
		if err != nil || bytes.Equal(key, head) {
			return err
		}
		return errors.Join(proofs[0].Verify(root, key, value), proofs[1].Verify(root, absent, nil))
	})
	if err != nil {
		t.Error(err)
	}
	return dumpOf(t, snap)
}

// TestBeforeRestart: the state before the last block can be proved after a restart as before it.
func TestBeforeRestart(t *testing.T) {
	disk := vfs.NewCrashableMem()
	s := open(t, disk)
	begin(t, s)
	for h := int64(1); h <= 5; h++ {
		extend(t, s, h, history(t, h))
	}
	want := stateAt(t, s, 4)
	crashed := disk.CrashClone(vfs.CrashCloneCfg{})
	for range 2 { // the second time nothing has been committed since
		closing(t, s)
		s = open(t, disk)
		if got := stateAt(t, s, 4); !bytes.Equal(got, want) {
			t.Errorf("the state before the last block is\n%s\nwant\n%s", got, want)
		}
	}
	held, err := s.SnapshotAt(4)
	if err != nil {
		t.Fatal(err)
	}
	last := dump(t, s)
	extend(t, s, 6, history(t, 6))
	if got := stateAt(t, s, 5); !bytes.Equal(got, last) {
		t.Error("the state at height 5 differs after block 6")
	}
	if got := dumpOf(t, held); !bytes.Equal(got, want) {
		t.Error("a snapshot that is held has changed with another block")
	}
	if err := held.Close(); err != nil {
		t.Error(err)
	}
	closing(t, s)
	s = open(t, disk)
	if got := stateAt(t, s, 5); !bytes.Equal(got, last) {
		t.Error("the state at height 5 differs after a restart")
	}
	if _, err := s.SnapshotAt(4); !errors.Is(err, store.ErrNotKept) {
		t.Errorf("height 4 after block 6: got %v", err)
	}
	closing(t, s)

	// After a crash it is not there, until the next block.
	s = open(t, crashed)
	if _, err := s.SnapshotAt(4); !errors.Is(err, store.ErrNotKept) {
		t.Errorf("after a crash: got %v", err)
	}
	extend(t, s, 6, history(t, 6))
	if got := stateAt(t, s, 5); !bytes.Equal(got, last) {
		t.Error("the state at height 5 differs after a crash")
	}
	closing(t, s)
}

// TestUndone compares random records with what was written over them, and scans between any two keys.
func TestUndone(t *testing.T) {
	rng := random(t)
	s := open(t, vfs.NewMem())
	defer closing(t, s)
	key := func() []byte { return []byte{1, byte(rng.IntN(40))} }
	want := map[string][]byte{}
	for range 30 {
		k, v := key(), []byte{byte(rng.IntN(256))}[:rng.IntN(2)]
		want[string(k)] = v
		if err := s.DB().Set(k, v, pebble.NoSync); err != nil {
			t.Fatal(err)
		}
	}
	scan, get, err := s.Undone(func(b *pebble.Batch) error {
		var err error
		for range 30 {
			if rng.IntN(2) == 0 {
				err = errors.Join(err, b.Delete(key(), nil))
			} else {
				err = errors.Join(err, b.Set(key(), []byte("after"), nil))
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for from := range byte(41) {
		got, _ := get([]byte{1, from})
		if v, there := want[string([]byte{1, from})]; !bytes.Equal(got, v) || (got != nil) != there {
			t.Errorf("key %d is %x, want %x, %t", from, got, v, there)
		}
		for to := from; to <= 40; to++ {
			var keys []string
			err := scan([]byte{1, from}, []byte{1, to}, func(key, value []byte) error {
				if !bytes.Equal(value, want[string(key)]) {
					t.Errorf("key %x is %x, want %x", key, value, want[string(key)])
				}
				keys = append(keys, string(key))
				return nil
			})
			var all []string
			for _, k := range slices.Sorted(maps.Keys(want)) {
				if k[1] >= from && k[1] < to {
					all = append(all, k)
				}
			}
			if err != nil || !slices.Equal(keys, all) {
				t.Fatalf("from %d to %d: got %x, %v, want %x", from, to, keys, err, all)
			}
		}
	}
	enough := errors.New("enough")
	if err := scan([]byte{1}, []byte{2}, func(_, _ []byte) error { return enough }); !errors.Is(err, enough) {
		t.Errorf("got %v, want the error of the visit", err)
	}
}

// TestReadOnly opens a store to look at it.
func TestReadOnly(t *testing.T) {
	disk := vfs.NewCrashableMem()
	if _, err := store.Open("ledger", store.Options{FS: disk, ReadOnly: true}); err == nil {
		t.Error("a store that is not there was opened")
	}
	s := open(t, disk)
	begin(t, s)
	extend(t, s, 1, history(t, 1))
	want := dump(t, s)
	disk = disk.CrashClone(vfs.CrashCloneCfg{}) // the block stands in the log alone
	files := list(t, disk)
	closing(t, s)
	s, err := store.Open("ledger", store.Options{FS: disk, ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	if got := dump(t, s); !bytes.Equal(got, want) {
		t.Error("it reads otherwise")
	}
	b, err := s.Begin(2, testTime.Add(2*1e9))
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Commit(); !errors.Is(err, pebble.ErrReadOnly) {
		t.Errorf("committing: got %v", err)
	}
	closing(t, s)
	if got := list(t, disk); got != files {
		t.Errorf("the files are\n%s, were\n%s", got, files)
	}
}

// list returns the names and sizes of a store's files.
func list(t *testing.T, disk vfs.FS) (out string) {
	t.Helper()
	names, err := disk.List("ledger")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range slices.Sorted(slices.Values(names)) {
		info, err := disk.Stat("ledger/" + name)
		if err != nil {
			t.Fatal(err)
		}
		out += fmt.Sprintln(name, info.Size())
	}
	return out
}

// TestIterateFrom begins at every key there is, between two, and outside.
func TestIterateFrom(t *testing.T) {
	s := open(t, vfs.NewMem())
	defer closing(t, s)
	begin(t, s)
	for h := int64(1); h <= 4; h++ {
		extend(t, s, h, history(t, h))
	}
	snap := s.Snapshot()
	defer snap.Close()
	var all [][]byte
	collect := func(out *[][]byte) func(key, _ []byte) error {
		return func(key, _ []byte) error { *out = append(*out, bytes.Clone(key)); return nil }
	}
	if err := snap.Iterate(nil, collect(&all)); err != nil {
		t.Fatal(err)
	}
	for _, at := range append(slices.Clone(all), nil, []byte{0xff}) {
		for _, from := range [][]byte{at, append(bytes.Clone(at), 0)} {
			for _, prefix := range [][]byte{nil, all[0][:1], all[len(all)/2][:1], all[len(all)/2]} {
				var got, want [][]byte
				for _, key := range all {
					if bytes.HasPrefix(key, prefix) && bytes.Compare(key, from) >= 0 {
						want = append(want, key)
					}
				}
				if err := snap.IterateFrom(prefix, from, collect(&got)); err != nil || !slices.EqualFunc(got, want, bytes.Equal) {
					t.Fatalf("prefix %x from %x: got %x, %v, want %x", prefix, from, got, err, want)
				}
			}
		}
	}
}
