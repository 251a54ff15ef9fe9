package tree_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"iter"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"collimate/ledger/tree"
)

// memory holds the entries of a tree.
type memory map[string][]byte

func (m memory) Scan(from, to []byte, visit func(key, value []byte) error) error {
	var keys []string
	for k := range m {
		if k >= string(from) && k < string(to) {
			keys = append(keys, k)
		}
	}
	slices.Sort(keys)
	for _, k := range keys {
		if err := visit([]byte(k), m[k]); err != nil {
			return err
		}
	}
	return nil
}

func (m memory) set(key, value []byte) error {
	if value == nil {
		delete(m, string(key))
	} else {
		m[string(key)] = bytes.Clone(value)
	}
	return nil
}

// state is what the tree is over; a nil value in a batch deletes.
type state map[string][]byte

func (s state) all() iter.Seq2[[]byte, []byte] {
	return func(yield func(key, value []byte) bool) {
		for k, v := range s {
			if !yield([]byte(k), v) {
				return
			}
		}
	}
}

func (s state) apply(batch state) {
	for k, v := range batch {
		if v == nil {
			delete(s, k)
		} else {
			s[k] = v
		}
	}
}

// naive is the definition of section 7.1 and nothing else.
func (s state) naive() tree.Hash {
	var leaves [][2][32]byte
	for k, v := range s {
		leaves = append(leaves, [2][32]byte{sha256.Sum256([]byte(k)), sha256.Sum256(v)})
	}
	var root func(leaves [][2][32]byte, depth int) [32]byte
	root = func(leaves [][2][32]byte, depth int) [32]byte {
		switch len(leaves) {
		case 0:
			return [32]byte{}
		case 1:
			return sha256.Sum256(slices.Concat([]byte{0}, leaves[0][0][:], leaves[0][1][:]))
		}
		var sides [2][][2][32]byte
		for _, l := range leaves {
			b := l[0][depth/8] >> (7 - depth%8) & 1
			sides[b] = append(sides[b], l)
		}
		left, right := root(sides[0], depth+1), root(sides[1], depth+1)
		return sha256.Sum256(slices.Concat([]byte{1}, left[:], right[:]))
	}
	return root(leaves, 0)
}

func load(t testing.TB, m memory) *tree.Tree {
	t.Helper()
	tr, err := tree.Load(m)
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

func update(t testing.TB, tr *tree.Tree, m memory, batch state) *tree.Tree {
	t.Helper()
	next := memory{}
	maps.Copy(next, m)
	after, err := tr.Update(batch.all(), next.set)
	if err != nil {
		t.Fatal(err)
	}
	clear(m)
	maps.Copy(m, next)
	return after.On(m)
}

// crowd returns a hundred keys whose paths agree in their first 20 bits, as do one in a million.
func crowd() (keys []string) {
	for _, i := range []int{
		595299, 2593927, 5345038, 5802099, 6973189, 6976366, 9391268, 10443039, 11687836, 15958309, 16530075, 17266002,
		18855379, 20483907, 20901398, 21333962, 21548453, 22808004, 22822283, 24227601, 25233618, 25700668, 27594699, 28545233,
		29273592, 34816485, 35130768, 35604491, 37804590, 38726004, 39254777, 40785382, 40828111, 42354903, 42850351, 43738271,
		44877071, 44912478, 46352138, 46607922, 46962848, 47150620, 48735024, 49726753, 49953437, 50536276, 51495392, 53307775,
		53393763, 53976306, 55477863, 57037321, 57062569, 58232669, 58276039, 58703272, 59366772, 60319979, 61692029, 64344322,
		66128169, 67854317, 68599334, 69175011, 70051804, 70281775, 70572624, 71434086, 72085256, 72841634, 73107578, 74781365,
		76172828, 77338285, 78341742, 79101268, 80621068, 81183866, 82816059, 84644380, 85210721, 86229196, 86790334, 87041296,
		88383721, 88693363, 90237153, 94506811, 94721021, 96436441, 97111291, 97146783, 97844351, 98493247, 98904492, 99536920,
		100099254, 100215785, 100724444, 101149630,
	} {
		keys = append(keys, fmt.Sprint("crowd", i))
	}
	return keys
}

// TestUpdate compares the tree with the definition over random batches, among them keys that crowd in one place
// far down, and checks that what is stored depends on the state alone.
func TestUpdate(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	names := slices.Clone(crowd())
	for i := range 200 {
		names = append(names, fmt.Sprint("key", i))
	}
	for round := range 30 {
		m, s := memory{}, state{}
		tr := load(t, m)
		for range 12 {
			batch := state{}
			share := rng.IntN(100) // of deletions
			for range rng.IntN(200) {
				k := names[rng.IntN(len(names))]
				if rng.IntN(100) < share {
					batch[k] = nil
				} else {
					batch[k] = fmt.Append(nil, rng.IntN(3))
				}
			}
			tr = update(t, tr, m, batch)
			s.apply(batch)
			if got, want := tr.Root(), s.naive(); got != want {
				t.Fatalf("round %d: root %x, want %x", round, got, want)
			}
			if got := tree.Root(s.all()); got != tr.Root() {
				t.Fatalf("round %d: Root gives %x, want %x", round, got, tr.Root())
			}
			if tr.Leaves() != uint64(len(s)) {
				t.Fatalf("round %d: %d leaves, want %d", round, tr.Leaves(), len(s))
			}
		}
		fresh := memory{}
		once := update(t, load(t, fresh), fresh, s)
		if !maps.EqualFunc(m, fresh, bytes.Equal) {
			t.Fatalf("round %d: what is stored shows the history", round)
		}
		if got := load(t, m); got.Root() != once.Root() || got.Leaves() != once.Leaves() {
			t.Fatalf("round %d: loaded %x with %d leaves, want %x with %d", round, got.Root(), got.Leaves(), once.Root(), once.Leaves())
		}
		for _, n := range []int{0, 1, 3, 4, 5, 8, 11, 12, 16} {
			subtrees := tr.Subtrees(n)
			if len(subtrees) != 1<<n {
				t.Fatalf("%d subtrees of %d bits", len(subtrees), n)
			}
			if got := tree.Fold(subtrees); got.Hash != tr.Root() || got.Leaves != tr.Leaves() {
				t.Fatalf("the subtrees of %d bits make %x with %d leaves, want %x with %d", n, got.Hash, got.Leaves, tr.Root(), tr.Leaves())
			}
		}
	}
}

// TestVersions: an update leaves the tree that it began from as it was.
func TestVersions(t *testing.T) {
	m := memory{}
	before := update(t, load(t, m), m, state{"a": {1}, "b": {2}})
	root := before.Root()
	old := maps.Clone(m)
	after := update(t, before, m, state{"a": nil, "c": {3}})
	if before = before.On(old); before.Root() != root || after.Root() == root {
		t.Error("the update reached the tree before it")
	}
	for k, v := range map[string][]byte{"a": {1}, "b": {2}, "c": nil} {
		if p := prove(t, before, k); p.Verify(root, []byte(k), v) != nil {
			t.Errorf("%s is not as it was before the update", k)
		}
	}
	if again := update(t, after, m, state{}); again.Root() != after.Root() {
		t.Error("no writes changed the root")
	}
	if again := update(t, after, m, state{"b": {2}, "never": nil}); again.Root() != after.Root() {
		t.Error("writes without effect changed the root")
	}
}

func prove(t testing.TB, tr *tree.Tree, key string) *tree.Proof {
	t.Helper()
	p, err := tr.Prove([]byte(key))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestProve proves each key of states of many sizes, and as many that are not there.
func TestProve(t *testing.T) {
	crowded := crowd()[:40]
	for n := range 100 {
		s := state{}
		for i := range n {
			s[fmt.Sprint("key", i)] = fmt.Append(nil, i)
			if n%2 == 1 && i < len(crowded) {
				s[crowded[i]] = []byte{}
			}
		}
		m := memory{}
		tr := update(t, load(t, m), m, s)
		root := s.naive()
		for _, k := range append([]string{"", "absent", "crowd"}, crowded...) {
			if _, there := s[k]; !there {
				verify(t, tr, root, k, nil)
			}
		}
		for k, v := range s {
			verify(t, tr, root, k, v)
			verify(t, tr, root, k+"'", nil)
		}
	}
}

// verify checks that the one proof of a key holds, for its value and nothing else, and survives its encoding.
func verify(t *testing.T, tr *tree.Tree, root tree.Hash, key string, value []byte) {
	t.Helper()
	p := prove(t, tr, key)
	b, err := p.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	var q tree.Proof
	if err := q.UnmarshalBinary(b); err != nil {
		t.Fatal(err)
	}
	if err := q.Verify(root, []byte(key), value); err != nil {
		t.Fatalf("%q: %v", key, err)
	}
	for _, other := range [][]byte{nil, {}, []byte("other")} {
		if (other == nil) == (value == nil) && bytes.Equal(other, value) {
			continue
		}
		if err := q.Verify(root, []byte(key), other); !errors.Is(err, tree.ErrProof) {
			t.Fatalf("%q with another value: got %v", key, err)
		}
	}
	if err := q.Verify(tree.Hash{1}, []byte(key), value); !errors.Is(err, tree.ErrProof) {
		t.Fatalf("%q under another root: got %v", key, err)
	}
}

// TestDamaged: entries that contradict each other are an error, not a root.
func TestDamaged(t *testing.T) {
	s := state{}
	for _, k := range crowd()[:60] {
		s[k] = []byte("v")
	}
	whole := memory{}
	update(t, load(t, whole), whole, s)
	found := 0
	for k, v := range whole {
		for name, broken := range map[string][]byte{"gone": nil, "shorter": v[1:], "longer": append(bytes.Clone(v), 0)} {
			m := maps.Clone(whole)
			m.set([]byte(k), broken)
			tr, err := tree.Load(m)
			for key := range s {
				if err == nil {
					_, err = tr.Prove([]byte(key))
				}
			}
			_, leaf := m[k]
			switch {
			case errors.Is(err, tree.ErrDamaged):
				found++
			case err != nil:
				t.Errorf("entry %x %s: got %v", k, name, err)
			case name != "gone" || leaf || tr.Leaves() == uint64(len(s)):
				t.Errorf("entry %x %s: not noticed", k, name)
			}
		}
	}
	if found < 2*len(whole) {
		t.Errorf("%d damages found in %d entries", found, len(whole))
	}
}

// TestFails: an error of the reader or of the writer comes back.
func TestFails(t *testing.T) {
	want := errors.New("the disk is broken")
	m := memory{}
	tr := update(t, load(t, m), m, state{"a": {1}})
	if _, err := tr.Update(state{"b": {1}}.all(), func(_, _ []byte) error { return want }); !errors.Is(err, want) {
		t.Errorf("writing: got %v", err)
	}
	broken := tr.On(brokenReader{want})
	if _, err := broken.Update(state{"a": {2}}.all(), m.set); !errors.Is(err, want) {
		t.Errorf("reading: got %v", err)
	}
	if _, err := broken.Prove([]byte("a")); !errors.Is(err, want) {
		t.Errorf("proving: got %v", err)
	}
	if _, err := tree.Load(brokenReader{want}); !errors.Is(err, want) {
		t.Errorf("loading: got %v", err)
	}
}

type brokenReader struct{ err error }

func (b brokenReader) Scan(_, _ []byte, _ func(key, value []byte) error) error { return b.err }

// TestSplit: leaves have the order of their paths, and those under one node at a depth of 20 bits share the prefix by which they are scanned;
// nodes have no prefix but themselves.
func TestSplit(t *testing.T) {
	entries, batch := memory{}, state{}
	for i := range 5000 {
		batch[fmt.Sprint(i)] = []byte{1}
	}
	empty, err := tree.Load(entries)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := empty.Update(batch.all(), entries.set); err != nil {
		t.Fatal(err)
	}
	var paths []tree.Hash
	for key := range batch {
		paths = append(paths, tree.Path([]byte(key)))
	}
	slices.SortFunc(paths, func(a, b tree.Hash) int { return bytes.Compare(a[:], b[:]) })
	leaves := 0
	for _, key := range slices.Sorted(maps.Keys(entries)) {
		n := tree.Split([]byte(key))
		if key[0] != 0xf2 {
			if n != len(key) {
				t.Errorf("the node %x has a prefix of %d bytes", key, n)
			}
			continue
		}
		path := paths[leaves]
		leaves++
		want := append([]byte{0xf2}, path[0], path[1], path[2]&0xf0)
		if key[:n] != string(want) || tree.Split(want) != n || key[n:] != string(path[2:]) {
			t.Errorf("the leaf of %x is %x, with a prefix of %d bytes", path, key, n)
		}
	}
	if leaves != len(batch) {
		t.Errorf("%d leaves of %d records", leaves, len(batch))
	}
}
