package store_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"collimate/ledger"
	"collimate/ledger/store"
	"collimate/ledger/tree"
)

// full returns a store with some history and enough records for four chunks.
func full(t testing.TB, records int) *store.Store {
	t.Helper()
	s := open(t, vfs.NewMem())
	begin(t, s)
	for h := int64(1); h <= 5; h++ {
		extend(t, s, h, history(t, h))
	}
	b, err := s.Begin(6, timeOf(6))
	if err != nil {
		t.Fatal(err)
	}
	for i := range records {
		if err := b.Set(record(i)); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.Commit(); err != nil {
		t.Fatal(err)
	}
	return s
}

const fourChunks = 20_000

// archive exports the last state of s, and returns manifest and chunks.
func archive(t testing.TB, s *store.Store) (manifest []byte, chunks [][]byte) {
	t.Helper()
	snap := s.Snapshot()
	defer snap.Close()
	dir := filepath.Join(t.TempDir(), "archive")
	m, err := snap.Export(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	read := func(name string) []byte {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	manifest = read(store.ManifestFile)
	for i := range m.Subtrees {
		chunks = append(chunks, read(store.ChunkFile(i)))
	}
	files, err := os.ReadDir(dir)
	if err != nil || len(files) != 1+len(chunks) {
		t.Fatalf("%d files, %v, want %d", len(files), err, 1+len(chunks))
	}
	return manifest, chunks
}

// restore makes a store of an archive on fs.
func restore(t testing.TB, fs vfs.FS, manifest []byte, chunks [][]byte) *store.Store {
	t.Helper()
	r := resume(t, fs, manifest)
	for i, more := r.Next(); more; i, more = r.Next() {
		if err := r.Add(chunks[i]); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.Finish(); err != nil {
		t.Fatal(err)
	}
	return open(t, fs)
}

func resume(t testing.TB, fs vfs.FS, manifest []byte) *store.Restore {
	t.Helper()
	r, err := store.BeginRestore("ledger", manifest, store.Options{FS: fs})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func verify(t testing.TB, s *store.Store) error {
	t.Helper()
	snap := s.Snapshot()
	defer snap.Close()
	return snap.Verify(t.Context(), nil)
}

// TestArchive: a store made of an archive holds the same bytes and goes on alike, and every node makes the same archive.
func TestArchive(t *testing.T) {
	for _, records := range []int{0, fourChunks} {
		s := full(t, records)
		defer closing(t, s)
		manifest, chunks := archive(t, s)
		if want := 1 + 3*min(1, records); len(chunks) != want {
			t.Errorf("%d records: %d chunks, want %d", records, len(chunks), want)
		}
		restored := restore(t, vfs.NewMem(), manifest, chunks)
		defer closing(t, restored)
		if !bytes.Equal(dump(t, s), dump(t, restored)) {
			t.Fatal("the restored state differs")
		}
		if err := verify(t, restored); err != nil {
			t.Error(err)
		}
		again, chunksAgain := archive(t, restored)
		if !bytes.Equal(manifest, again) || !slices.EqualFunc(chunks, chunksAgain, bytes.Equal) {
			t.Error("the restored store makes another archive")
		}
		txs := history(t, 7)[:1]
		if x, y := extend(t, s, 7, txs), extend(t, restored, 7, txs); !bytes.Equal(x, y) {
			t.Errorf("the next block has the app hash %x, in the restored store %x", x, y)
		}
	}
}

// TestChunks: of each chunk only its own bytes are accepted.
func TestChunks(t *testing.T) {
	s := full(t, fourChunks)
	defer closing(t, s)
	manifest, chunks := archive(t, s)
	m, err := store.DecodeManifest(manifest)
	if err != nil {
		t.Fatal(err)
	}
	chunk := chunks[1]
	key, _, rest, err := store.CutRecord(chunk)
	if err != nil {
		t.Fatal(err)
	}
	first := len(chunk) - len(rest) // the length of the first record
	_, _, rest, err = store.CutRecord(rest)
	if err != nil {
		t.Fatal(err)
	}
	second := len(chunk) - len(rest)
	edit := func(f func(b []byte) []byte) []byte { return f(bytes.Clone(chunk)) }
	for name, b := range map[string][]byte{
		"another":             chunks[2],
		"nothing":             {},
		"a byte less":         chunk[:len(chunk)-1],
		"a byte more":         append(bytes.Clone(chunk), 0),
		"a record more":       append(bytes.Clone(chunk), chunks[2][:first]...),
		"a record less":       chunk[first:],
		"the first twice":     append(bytes.Clone(chunk[:first]), chunk...),
		"two changed over":    slices.Concat(chunk[first:second], chunk[:first], rest),
		"another value":       edit(func(b []byte) []byte { b[first-1] ^= 1; return b }),
		"another key":         edit(func(b []byte) []byte { b[10] ^= 1; return b }),
		"a long head":         slices.Concat([]byte{0x59, 0, byte(len(key))}, chunk[2:]),
		"a huge length":       slices.Concat([]byte{0x5b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, chunk),
		"a length of 4 GB":    slices.Concat([]byte{0x5a, 0xff, 0xff, 0xff, 0xff}, chunk),
		"a text":              edit(func(b []byte) []byte { b[0] |= 0x60; return b }),
		"an indefinite one":   edit(func(b []byte) []byte { b[0] = 0x5f; return b }),
		"a key of the tree":   {0x41, 0xf2, 0x41, 0},
		"an empty key":        {0x40, 0x41, 0},
		"longer than allowed": make([]byte, store.MaxChunkBytes+1),
	} {
		if err := m.VerifyChunk(1, b); !errors.Is(err, store.ErrArchive) {
			t.Errorf("%s: got %v, want %v", name, err, store.ErrArchive)
		}
	}
	for i, b := range chunks {
		if err := m.VerifyChunk(i, b); err != nil {
			t.Errorf("chunk %d: %v", i, err)
		}
	}
	for _, i := range []int{-1, len(chunks)} {
		if err := m.VerifyChunk(i, chunk); !errors.Is(err, store.ErrArchive) {
			t.Errorf("number %d: got %v", i, err)
		}
	}
	if chunk[0] != 0x58 {
		t.Fatalf("the first key has a head of %#x", chunk[0])
	}
	// A wrong chunk spoils nothing: the right one is taken after it.
	r := resume(t, vfs.NewMem(), manifest)
	defer r.Close()
	if err := r.Add(chunk); !errors.Is(err, store.ErrArchive) {
		t.Errorf("chunk 1 first: got %v", err)
	}
	if err := r.Add(chunks[0]); err != nil {
		t.Error(err)
	}
	if err := r.Finish(); err == nil {
		t.Error("finished with chunks missing")
	}
}

func TestManifestRefused(t *testing.T) {
	s := full(t, fourChunks)
	defer closing(t, s)
	good, _ := archive(t, s)
	edit := func(f func(m *store.Manifest)) []byte {
		m, err := store.DecodeManifest(good)
		if err != nil {
			t.Fatal(err)
		}
		f(m)
		return m.Encode()
	}
	for name, b := range map[string][]byte{
		"nothing":          {},
		"a byte less":      good[:len(good)-1],
		"a byte more":      append(bytes.Clone(good), 0),
		"another app hash": edit(func(m *store.Manifest) { m.AppHash[0] ^= 1 }),
		"another hash":     edit(func(m *store.Manifest) { m.Subtrees[3].Hash[0] ^= 1 }),
		"two changed over": edit(func(m *store.Manifest) { m.Subtrees[0], m.Subtrees[1] = m.Subtrees[1], m.Subtrees[0] }),
		"no leaves":        edit(func(m *store.Manifest) { m.Subtrees[0].Leaves = 0 }),
		"one leaf":         edit(func(m *store.Manifest) { m.Subtrees[0].Leaves = 1; m.Subtrees[1].Leaves = 0 }),
		"joined chunks": edit(func(m *store.Manifest) {
			m.Subtrees = []tree.Subtree{tree.Join(m.Subtrees[0], m.Subtrees[1]), tree.Join(m.Subtrees[2], m.Subtrees[3])}
		}),
		"a long head":      slices.Concat([]byte{0x98, 7}, good[1:]),
		"too many leaves":  edit(func(m *store.Manifest) { m.Subtrees[0].Leaves = 1 << 63 }),
		"fewer chunks":     edit(func(m *store.Manifest) { m.Subtrees = m.Subtrees[:2] }),
		"three chunks":     edit(func(m *store.Manifest) { m.Subtrees = m.Subtrees[:3] }),
		"a height below 0": edit(func(m *store.Manifest) { m.Height = -1 }),
		"too long":         make([]byte, store.MaxManifestBytes+1),
	} {
		if _, err := store.DecodeManifest(b); !errors.Is(err, store.ErrArchive) {
			t.Errorf("%s: got %v, want %v", name, err, store.ErrArchive)
		}
		if _, err := store.BeginRestore("ledger", b, store.Options{FS: vfs.NewMem()}); !errors.Is(err, store.ErrArchive) {
			t.Errorf("%s, restored: got %v, want %v", name, err, store.ErrArchive)
		}
	}
	// Another chain's name is found out at the end.
	r := resume(t, vfs.NewMem(), edit(func(m *store.Manifest) { m.ChainID = "another" }))
	_, chunks := archive(t, s)
	for _, b := range chunks {
		if err := r.Add(b); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.Finish(); !errors.Is(err, store.ErrArchive) {
		t.Errorf("another chain: got %v", err)
	}
}

// TestRestoreInterrupted cuts the power at a random moment of a restore. What is left is no store, and is resumed.
func TestRestoreInterrupted(t *testing.T) {
	rng := random(t)
	s := full(t, fourChunks)
	defer closing(t, s)
	manifest, chunks := archive(t, s)
	want := dump(t, s)
	for stop := range len(chunks) + 1 {
		disk := vfs.NewCrashableMem()
		r := resume(t, disk, manifest)
		for _, b := range chunks[:stop] {
			if err := r.Add(b); err != nil {
				t.Fatal(err)
			}
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		r = resume(t, disk, manifest)
		if i, more := r.Next(); i != stop || more != (stop < len(chunks)) {
			t.Errorf("goes on at chunk %d, more=%v, after %d", i, more, stop)
		}
		left := disk.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: rng.IntN(101), RNG: rng})
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := store.Open("ledger", store.Options{FS: left}); !errors.Is(err, store.ErrUnfinished) {
			t.Fatalf("after %d chunks: opened with %v, want %v", stop, err, store.ErrUnfinished)
		}
		r = resume(t, left, manifest)
		if i, _ := r.Next(); i > stop {
			t.Errorf("goes on at chunk %d after %d", i, stop)
		}
		r.Close()
		restored := restore(t, left, manifest, chunks)
		if !bytes.Equal(dump(t, restored), want) {
			t.Errorf("after %d chunks: the state differs", stop)
		}
		if err := verify(t, restored); err != nil {
			t.Error(err)
		}
		closing(t, restored)
		if _, err := store.BeginRestore("ledger", manifest, store.Options{FS: left}); err == nil {
			t.Error("a store that is there is restored over")
		}
	}
}

// TestRestoreOther: what was begun with one manifest does not go on with another.
func TestRestoreOther(t *testing.T) {
	a, b := full(t, fourChunks), full(t, fourChunks+1)
	defer closing(t, a)
	defer closing(t, b)
	one, _ := archive(t, a)
	two, _ := archive(t, b)
	disk := vfs.NewMem()
	if err := resume(t, disk, one).Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := store.BeginRestore("ledger", two, store.Options{FS: disk}); err == nil || errors.Is(err, store.ErrArchive) {
		t.Errorf("got %v, want a refusal that does not blame the manifest", err)
	}
}

func TestExport(t *testing.T) {
	s := full(t, 10)
	defer closing(t, s)
	snap := s.Snapshot()
	defer snap.Close()
	dir := t.TempDir()
	stopped, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := snap.Export(stopped, dir); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: got %v", err)
	}
	if _, err := snap.Export(t.Context(), dir); err != nil {
		t.Errorf("after an interrupted one: %v", err)
	}
	if _, err := snap.Export(t.Context(), dir); !errors.Is(err, fs.ErrExist) {
		t.Errorf("over another one: got %v", err)
	}
	empty := open(t, vfs.NewMem())
	defer closing(t, empty)
	before := empty.Snapshot()
	defer before.Close()
	if _, err := before.Export(t.Context(), t.TempDir()); err == nil {
		t.Error("a state that has not begun is exported")
	}
}

// TestVerify: a record, a leaf or a node that changed on disk is found and named.
func TestVerify(t *testing.T) {
	s := full(t, 3000)
	defer closing(t, s)
	if err := verify(t, s); err != nil {
		t.Fatal(err)
	}
	calls := 0
	snap := s.Snapshot()
	if err := snap.Verify(t.Context(), func(int) { calls++ }); err != nil || calls != 0 {
		t.Errorf("%d calls, %v", calls, err)
	}
	snap.Close()
	db := s.DB()
	key, value := record(17)
	it, err := db.NewIter(nil)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string][]byte{}
	for ok := it.First(); ok; ok = it.Next() {
		all[string(it.Key())] = bytes.Clone(it.Value())
	}
	if err := it.Close(); err != nil {
		t.Fatal(err)
	}
	// Damage is seen by a fresh look at the disk: a snapshot of before does not change.
	check := func(what string, key, damaged, sound []byte) {
		t.Helper()
		b := db.NewBatch()
		if damaged == nil {
			b.Delete(key, nil)
		} else {
			b.Set(key, damaged, nil)
		}
		if err := b.Commit(nil); err != nil {
			t.Fatal(err)
		}
		fresh, err := s.Look()
		if err == nil {
			err = fresh.Verify(t.Context(), nil)
			fresh.Close()
		}
		if !errors.Is(err, store.ErrDamaged) {
			t.Errorf("%s: got %v, want %v", what, err, store.ErrDamaged)
		}
		b = db.NewBatch()
		if sound == nil {
			b.Delete(key, nil)
		} else {
			b.Set(key, sound, nil)
		}
		if err := b.Commit(nil); err != nil {
			t.Fatal(err)
		}
	}
	check("a record gone", key, nil, value)
	check("a record changed", key, append(bytes.Clone(value), 0), value)
	check("a record more", append(bytes.Clone(key), 0), value, nil)
	rng := rand.New(rand.NewPCG(1, 1))
	for k, v := range all {
		if k[0] < 0xf1 || rng.IntN(200) > 0 {
			continue
		}
		changed := bytes.Clone(v)
		changed[len(v)-1] ^= 1
		check(fmt.Sprintf("entry %x changed", k), []byte(k), changed, v)
		check(fmt.Sprintf("entry %x gone", k), []byte(k), nil, v)
	}
	headKey, _ := ledger.HeadEntry(ledger.Head{})
	_, other := ledger.HeadEntry(ledger.Head{Height: 6, Time: timeOf(6), AppHash: make([]byte, 32)})
	check("another head", headKey, other, all[string(headKey)])
	if err := db.Set(headKey, other, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Look(); !errors.Is(err, store.ErrDamaged) {
		t.Errorf("opened with another head: got %v, want %v", err, store.ErrDamaged)
	}
	if err := db.Set(headKey, all[string(headKey)], nil); err != nil {
		t.Fatal(err)
	}
	if err := verify(t, s); err != nil {
		t.Error(err)
	}
}

// FuzzManifest: what decodes is encoded in one way only.
func FuzzManifest(f *testing.F) {
	for _, n := range []int{0, fourChunks} {
		s := full(f, n)
		manifest, _ := archive(f, s)
		closing(f, s)
		f.Add(manifest)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := store.DecodeManifest(b)
		if err != nil {
			if !errors.Is(err, store.ErrArchive) {
				t.Errorf("got %v", err)
			}
			return
		}
		if !bytes.Equal(m.Encode(), b) {
			t.Error("encodes to other bytes")
		}
	})
}

// FuzzChunk: no other bytes than the chunk itself are accepted.
func FuzzChunk(f *testing.F) {
	s := full(f, 10)
	manifest, chunks := archive(f, s)
	closing(f, s)
	m, err := store.DecodeManifest(manifest)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(chunks[0])
	f.Fuzz(func(t *testing.T, b []byte) {
		if err := m.VerifyChunk(0, b); (err == nil) != bytes.Equal(b, chunks[0]) || err != nil && !errors.Is(err, store.ErrArchive) {
			t.Errorf("got %v", err)
		}
	})
}
