package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	"collimate/detcbor"
	"collimate/ledger/tree"
)

// ErrArchive is returned for a manifest or a chunk that is not what it should be. Whoever sent it is at fault.
var ErrArchive = errors.New("the state archive is not sound")

func unsound(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrArchive, fmt.Sprintf(format, args...))
}

// Manifest says what the chunks of an archived state must come to. ledger-spec 7.4
//
// That it leads to its AppHash is checked when it is decoded. The rest is the word of whoever sent it: compare
// Height, Time and AppHash with a header that is trusted.
type Manifest struct {
	ChainID  string
	Height   int64
	Time     time.Time
	AppHash  tree.Hash
	Subtrees []tree.Subtree // one for each chunk
}

// manifestTag tells a manifest from anything else.
const manifestTag = "collimate/snapshot/v1"

// wireManifest is a Manifest as it travels.
type wireManifest struct {
	_        struct{} `cbor:",toarray"`
	Tag      string
	ChainID  string
	Height   int64
	Time     int64 // Unix nanoseconds
	AppHash  tree.Hash
	Bits     uint64
	Subtrees []wireSubtree
}

type wireSubtree struct {
	_      struct{} `cbor:",toarray"`
	Leaves uint64
	Hash   tree.Hash
}

// manifestFormat is the encoding of manifests. ledger-spec 7.4
var manifestFormat = detcbor.New(detcbor.Limits{Depth: 4, Elements: 1 << maxChunkBits, Pairs: 16})

// Encode returns the manifest in deterministic CBOR.
func (m *Manifest) Encode() []byte {
	w := wireManifest{
		Tag: manifestTag, ChainID: m.ChainID, Height: m.Height, Time: m.Time.UnixNano(), AppHash: m.AppHash, Bits: uint64(m.bits()),
	}
	for _, s := range m.Subtrees {
		w.Subtrees = append(w.Subtrees, wireSubtree{Leaves: s.Leaves, Hash: s.Hash})
	}
	b, err := manifestFormat.Encode(w)
	if err != nil {
		panic(fmt.Sprintf("store: encoding a manifest: %v", err)) // a bug: no such value fails to encode
	}
	return b
}

// DecodeManifest decodes a manifest and checks that it leads to its app hash. An error wraps ErrArchive.
func DecodeManifest(b []byte) (*Manifest, error) {
	if len(b) > MaxManifestBytes {
		return nil, unsound("a manifest of %d bytes, want at most %d", len(b), MaxManifestBytes)
	}
	var w wireManifest
	if err := manifestFormat.DecodeExact(b, &w); err != nil {
		return nil, unsound("decoding the manifest: %v", err)
	}
	if w.Tag != manifestTag || w.Bits > maxChunkBits || len(w.Subtrees) != 1<<w.Bits || w.Height < 0 {
		return nil, unsound("the manifest is of another form")
	}
	m := &Manifest{ChainID: w.ChainID, Height: w.Height, Time: time.Unix(0, w.Time).UTC(), AppHash: w.AppHash}
	var leaves uint64
	for _, s := range w.Subtrees {
		if leaves += s.Leaves; s.Leaves > maxLeaves || leaves > maxLeaves || (s.Leaves == 0) != (s.Hash == tree.Hash{}) {
			return nil, unsound("a subtree of the manifest has %d leaves, of %d so far", s.Leaves, leaves)
		}
		m.Subtrees = append(m.Subtrees, tree.Subtree{Leaves: s.Leaves, Hash: s.Hash})
	}
	if m.bits() != chunkBits(leaves) {
		return nil, unsound("%d chunks for %d records, want %d", len(m.Subtrees), leaves, 1<<chunkBits(leaves))
	}
	if root := tree.Fold(slices.Clone(m.Subtrees)); root.Hash != m.AppHash {
		return nil, unsound("the manifest leads to the app hash %x, not %x", root.Hash, m.AppHash)
	}
	return m, nil
}

// bits is the number of bits of a path that say in which chunk it lies.
func (m *Manifest) bits() int {
	n := 0
	for 1<<n < len(m.Subtrees) {
		n++
	}
	return n
}

// chunkBits returns the number of bits by which so many records are divided.
func chunkBits(leaves uint64) int {
	n := 0
	for n < maxChunkBits && leaves > chunkLeaves<<n {
		n++
	}
	return n
}

// prefix is the path whose first bits are those of chunk i.
func (m *Manifest) prefix(i int) (at tree.Hash) {
	binary.BigEndian.PutUint16(at[:], uint16(i<<(16-m.bits())))
	return at
}

// VerifyChunk checks that a chunk is number i. An error wraps ErrArchive.
func (m *Manifest) VerifyChunk(i int, chunk []byte) error {
	return m.build(i, chunk, func(_, _ []byte) error { return nil })
}

// build hands the records of chunk i and the entries of the tree over them to set. What was set counts for nothing if it returns an
// error; that wraps ErrArchive unless it is one of set.
func (m *Manifest) build(i int, chunk []byte, set func(key, value []byte) error) error {
	if i < 0 || i >= len(m.Subtrees) {
		return unsound("no chunk has the number %d, the last is %d", i, len(m.Subtrees)-1)
	}
	if len(chunk) > MaxChunkBytes {
		return unsound("chunk %d has %d bytes, want at most %d", i, len(chunk), MaxChunkBytes)
	}
	want := m.Subtrees[i]
	leaves := make([]tree.Leaf, 0, min(want.Leaves, uint64(len(chunk)/leastRecord)))
	for len(chunk) > 0 {
		key, value, rest, err := cutRecord(chunk)
		if err != nil {
			return unsound("chunk %d, record %d: %v", i, len(leaves), err)
		}
		chunk = rest
		leaf := tree.NewLeaf(key, value)
		switch {
		case uint64(len(leaves)) == want.Leaves:
			return unsound("chunk %d has more records than %d", i, want.Leaves)
		case !isState(key):
			return unsound("chunk %d, record %d: no key of a state", i, len(leaves))
		case len(leaves) > 0 && bytes.Compare(leaves[len(leaves)-1].Path[:], leaf.Path[:]) >= 0:
			return unsound("chunk %d, record %d: not in order", i, len(leaves))
		}
		if err := set(key, value); err != nil {
			return err
		}
		leaves = append(leaves, leaf)
	}
	var failed error
	got, err := tree.Build(leaves, m.prefix(i), m.bits(), func(key, value []byte) error {
		failed = set(key, value)
		return failed
	})
	switch {
	case failed != nil:
		return failed
	case err != nil:
		return unsound("chunk %d: %v", i, err)
	case got != want:
		return unsound("chunk %d has %d records with the hash %x, want %d with %x", i, got.Leaves, got.Hash, want.Leaves, want.Hash)
	}
	return nil
}

// appendRecord appends key and value, each as a CBOR byte string.
func appendRecord(b, key, value []byte) []byte { return appendBytes(appendBytes(b, key), value) }

func appendBytes(b, s []byte) []byte {
	const major = 2 << 5
	switch n := len(s); {
	case n < 24:
		b = append(b, major|byte(n))
	case n < 1<<8:
		b = append(b, major|24, byte(n))
	case n < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, major|25), uint16(n))
	default:
		b = binary.BigEndian.AppendUint32(append(b, major|26), uint32(n))
	}
	return append(b, s...)
}

// cutRecord takes key and value off the beginning of b.
func cutRecord(b []byte) (key, value, rest []byte, err error) {
	if key, rest, err = cutBytes(b); err != nil {
		return nil, nil, nil, err
	}
	value, rest, err = cutBytes(rest)
	return key, value, rest, err
}

var errNotBytes = errors.New("not a byte string of shortest length")

func cutBytes(b []byte) (s, rest []byte, err error) {
	if len(b) == 0 || b[0]>>5 != 2 {
		return nil, nil, errNotBytes
	}
	n, head := uint64(b[0]&31), 1
	switch {
	case n >= 24 && n <= 26:
		width := 1 << (n - 24)
		if len(b) < 1+width {
			return nil, nil, errNotBytes
		}
		n = 0
		for _, c := range b[1 : 1+width] {
			n = n<<8 | uint64(c)
		}
		if head += width; n < 24 || width > 1 && n < 1<<(8*width/2) {
			return nil, nil, errNotBytes
		}
	case n > 26:
		return nil, nil, errNotBytes
	}
	if uint64(len(b)-head) < n {
		return nil, nil, errNotBytes
	}
	end := head + int(n)
	return b[head:end:end], b[end:], nil
}
