package store_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/fxamacker/cbor/v2"

	"collimate/detcbor"
	"collimate/ledger/store"
	"collimate/ledger/tree"
	"collimate/ledger/vectortest"
)

var rewrite = flag.Bool("update", false, "write the vectors anew")

const vectorFile = "../testdata/vectors/snapshot.json"

type (
	// snapshotVector is a state, and what is to be made of it. ledger-spec 7.4, 11
	snapshotVector struct {
		Name     string         `json:"name"`
		ChainID  string         `json:"chain_id"`
		Height   int64          `json:"height"`
		Time     int64          `json:"time_ns,string"`
		Records  []recordVector `json:"records"`
		Numbered int            `json:"numbered"` // records besides, see numbered
		Manifest vectortest.Hex `json:"manifest"`
		// Chunks are the SHA-256 of each.
		Chunks           []vectortest.Hex `json:"chunks"`
		RefusedManifests []refusedVector  `json:"refused_manifests"`
		RefusedChunks    []refusedVector  `json:"refused_chunks"` // as chunk 0
	}
	recordVector struct {
		Key   vectortest.Hex `json:"key"`
		Value vectortest.Hex `json:"value"`
	}
	refusedVector struct {
		Name  string         `json:"name"`
		Bytes vectortest.Hex `json:"bytes"`
	}
)

// numbered is one of many records: under 0x05 and the SHA-256 of "record " and n in decimal, n in four bytes.
func numbered(n int) recordVector {
	hash := sha256.Sum256(fmt.Append(nil, "record ", n))
	return recordVector{append([]byte{5}, hash[:]...), binary.BigEndian.AppendUint32(nil, uint32(n))}
}

// archived puts the records of a vector into a store, and returns manifest and chunks.
func (v *snapshotVector) archived(t *testing.T) (manifest []byte, chunks [][]byte) {
	t.Helper()
	s := open(t, vfs.NewMem())
	defer closing(t, s)
	for h := int64(1); h < v.Height; h++ {
		extend(t, s, h, nil)
	}
	b, err := s.Begin(v.Height, time.Unix(0, v.Time))
	if err != nil {
		t.Fatal(err)
	}
	records := slices.Clone(v.Records)
	for n := range v.Numbered {
		records = append(records, numbered(n))
	}
	for _, r := range records {
		if err := b.Set(r.Key, r.Value); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.Commit(); err != nil {
		t.Fatal(err)
	}
	return archive(t, s)
}

// TestSnapshotVectors checks the frozen file: the archive of each state, and what is none of it.
func TestSnapshotVectors(t *testing.T) {
	for _, v := range vectortest.Read(t, vectorFile, *rewrite, func() []snapshotVector { return snapshotVectors(t) }) {
		manifest, chunks := v.archived(t)
		if !bytes.Equal(manifest, v.Manifest) {
			t.Errorf("%s: manifest %x, want %x", v.Name, manifest, v.Manifest)
		}
		m, err := store.DecodeManifest(v.Manifest)
		if err != nil || m.ChainID != v.ChainID || m.Height != v.Height || m.Time.UnixNano() != v.Time {
			t.Errorf("%s: got %+v, %v", v.Name, m, err)
			continue
		}
		if len(chunks) != len(v.Chunks) {
			t.Errorf("%s: %d chunks, want %d", v.Name, len(chunks), len(v.Chunks))
			continue
		}
		for i, b := range chunks {
			if hash := sha256.Sum256(b); !bytes.Equal(hash[:], v.Chunks[i]) {
				t.Errorf("%s: chunk %d has the hash %x, want %x", v.Name, i, hash, v.Chunks[i])
			}
			if err := m.VerifyChunk(i, b); err != nil {
				t.Errorf("%s: %v", v.Name, err)
			}
		}
		for _, bad := range v.RefusedManifests {
			if _, err := store.DecodeManifest(bad.Bytes); !errors.Is(err, store.ErrArchive) {
				t.Errorf("%s, a manifest with %s: got %v", v.Name, bad.Name, err)
			}
		}
		for _, bad := range v.RefusedChunks {
			if err := m.VerifyChunk(0, bad.Bytes); !errors.Is(err, store.ErrArchive) {
				t.Errorf("%s, a chunk with %s: got %v", v.Name, bad.Name, err)
			}
		}
	}
}

func snapshotVectors(t *testing.T) (all []snapshotVector) {
	t.Helper()
	// The genesis record of a chain, and values on both sides of each length of a length.
	records := []recordVector{{[]byte("\x01genesis"), encoded(t, map[int]any{1: testChain, 2: testTime.UnixNano(), 3: 1, 4: 1})}}
	for i, n := range []int{1, 23, 24, 255, 256} {
		records = append(records, recordVector{fmt.Append([]byte{4}, "1.2.", i), bytes.Repeat([]byte{byte(i + 1)}, n)})
	}
	long := recordVector{[]byte("\x042.5"), make([]byte, 1<<16)}
	for _, v := range []snapshotVector{
		{Name: "six records", Records: records, Height: 1},
		{Name: "a value of 65536 bytes", Records: []recordVector{records[0], long}, Height: 2},
		{Name: "8192 records", Records: records[:1], Numbered: 8191, Height: 3},
		{Name: "8193 records", Records: records[:1], Numbered: 8192, Height: 3},
		{Name: "20000 records", Records: records[:1], Numbered: 19999, Height: 3},
	} {
		v.ChainID, v.Time = testChain, testTime.Add(time.Hour+1).UnixNano()
		manifest, chunks := v.archived(t)
		v.Manifest = manifest
		for _, b := range chunks {
			hash := sha256.Sum256(b)
			v.Chunks = append(v.Chunks, hash[:])
		}
		v.RefusedManifests = refusedManifests(t, manifest)
		if len(v.Records) == len(records) {
			v.RefusedChunks = refusedChunks(t, chunks[0])
		}
		all = append(all, v)
	}
	return all
}

// wireManifest is a manifest in the order of its fields.
type wireManifest struct {
	_        struct{} `cbor:",toarray"`
	Tag      string
	ChainID  string
	Height   int64
	Time     int64
	AppHash  tree.Hash
	Bits     uint64
	Subtrees []wireSubtree
}

type wireSubtree struct {
	_      struct{} `cbor:",toarray"`
	Leaves uint64
	Hash   tree.Hash
}

func encoded(t *testing.T, v any) []byte {
	t.Helper()
	b, err := detcbor.New(detcbor.Limits{Depth: 4, Elements: 16, Pairs: 16, NilIsNull: true}).Encode(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// refusedManifests are made of a good one, each by one change.
func refusedManifests(t *testing.T, good []byte) (all []refusedVector) {
	t.Helper()
	edit := func(name string, change func(*wireManifest)) {
		var m wireManifest
		if err := cbor.Unmarshal(good, &m); err != nil {
			t.Fatal(err)
		}
		change(&m)
		all = append(all, refusedVector{name, encoded(t, m)})
	}
	raw := func(name string, b ...[]byte) { all = append(all, refusedVector{name, slices.Concat(b...)}) }
	edit("another tag", func(m *wireManifest) { m.Tag = "collimate/snapshot/v2" })
	edit("a height below 0", func(m *wireManifest) { m.Height = -1 })
	edit("another app hash", func(m *wireManifest) { m.AppHash[31] ^= 1 })
	edit("more bits than subtrees", func(m *wireManifest) { m.Bits++ })
	edit("no subtrees", func(m *wireManifest) { m.Subtrees = []wireSubtree{} })
	edit("a leaf more", func(m *wireManifest) { m.Subtrees[0].Leaves += 1 << 14 })
	edit("more leaves than there can be", func(m *wireManifest) { m.Subtrees[0].Leaves = 1 << 63 })
	edit("leaves of no hash", func(m *wireManifest) { m.Subtrees[0].Hash = tree.Hash{} })
	edit("a hash of no leaves", func(m *wireManifest) { m.Subtrees[0].Leaves = 0 })
	edit("another hash", func(m *wireManifest) { m.Subtrees[0].Hash[0] ^= 1 })
	edit("an empty half", func(m *wireManifest) { // which would give the same app hash if it were divided so
		m.Bits++
		for i := len(m.Subtrees); i > 0; i-- {
			m.Subtrees = slices.Insert(m.Subtrees, i, wireSubtree{})
		}
	})
	raw("a byte more", good, []byte{0})
	raw("a byte less", good[:len(good)-1])
	raw("a long head", []byte{0x98, 7}, good[1:])
	raw("nothing")
	raw("null", []byte{0xf6})
	return all
}

// refusedChunks are made of a good one, each by one change.
func refusedChunks(t *testing.T, good []byte) (all []refusedVector) {
	t.Helper()
	key, _, rest, err := store.CutRecord(good)
	if err != nil {
		t.Fatal(err)
	}
	first := good[:len(good)-len(rest)]
	_, _, last, err := store.CutRecord(rest)
	if err != nil {
		t.Fatal(err)
	}
	second := rest[:len(rest)-len(last)]
	flip := func(at int) []byte {
		b := bytes.Clone(good)
		b[at] ^= 1
		return b
	}
	for name, b := range map[string][]byte{
		"nothing":            {},
		"a byte less":        good[:len(good)-1],
		"a byte more":        append(bytes.Clone(good), 0),
		"a record less":      rest,
		"a record twice":     slices.Concat(first, good),
		"two changed over":   slices.Concat(second, first, last),
		"another value":      flip(len(first) - 1),
		"another key":        flip(2),
		"a long length":      slices.Concat([]byte{0x58, byte(len(key))}, good[1:]),
		"an indefinite key":  slices.Concat([]byte{0x5f}, good[:1+len(key)], []byte{0xff}, good[1+len(key):]),
		"text":               slices.Concat([]byte{good[0] | 0x60}, good[1:]),
		"an empty key":       slices.Concat([]byte{0x40, 0x41, 0}, good),
		"a key beyond 0xef":  slices.Concat([]byte{0x41, 0xf0, 0x41, 0}, good),
		"a length of 2^64-1": slices.Concat([]byte{0x5b, 255, 255, 255, 255, 255, 255, 255, 255}, good),
	} {
		all = append(all, refusedVector{name, b})
	}
	slices.SortFunc(all, func(a, b refusedVector) int { return bytes.Compare([]byte(a.Name), []byte(b.Name)) })
	return all
}
