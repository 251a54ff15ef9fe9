package tree_test

import (
	"bytes"
	"crypto/sha256"
	"flag"
	"fmt"
	"maps"
	"slices"
	"testing"

	"collimate/ledger/tree"
	"collimate/ledger/vectortest"
)

var rewrite = flag.Bool("update", false, "write the vectors anew")

const vectorFile = "../testdata/vectors/state-tree.json"

type hexBytes = vectortest.Hex

type (
	stateVector struct {
		Name    string         `json:"name"`
		Records []recordVector `json:"records"`
		AppHash hexBytes       `json:"app_hash"`
		Proofs  []proofVector  `json:"proofs"`
	}
	recordVector struct {
		Key   hexBytes `json:"key"`
		Value hexBytes `json:"value"`
	}
	proofVector struct {
		Name  string    `json:"name"`
		Key   hexBytes  `json:"key"`
		Value *hexBytes `json:"value"` // null: absent
		Proof hexBytes  `json:"proof"`
		// Reason says what is wrong; empty if the proof holds.
		Reason string `json:"reason"`
	}
)

// TestVectors checks the frozen file, which other programs hold too: each root from the records, each proof.
func TestVectors(t *testing.T) {
	for _, v := range vectortest.Read(t, vectorFile, *rewrite, func() []stateVector { return makeVectors(t) }) {
		s := state{}
		for _, r := range v.Records {
			s[string(r.Key)] = append([]byte{}, r.Value...)
		}
		m := memory{}
		tr := update(t, load(t, m), m, s)
		for from, root := range map[string]tree.Hash{"the definition": s.naive(), "Root": tree.Root(s.all()), "Update": tr.Root()} {
			if !bytes.Equal(root[:], v.AppHash) {
				t.Errorf("%s: app hash %x by %s, want %x", v.Name, root, from, v.AppHash)
			}
		}
		for _, p := range v.Proofs {
			var proof tree.Proof
			err := proof.UnmarshalBinary(p.Proof)
			if err == nil {
				var value []byte
				if p.Value != nil {
					value = append([]byte{}, *p.Value...)
				}
				err = proof.Verify(tree.Hash(v.AppHash), p.Key, value)
			}
			if (err == nil) != (p.Reason == "") {
				t.Errorf("%s, %s: got %v, want reason %q", v.Name, p.Name, err, p.Reason)
			}
			if p.Reason != "" {
				continue
			}
			if b, err := prove(t, tr, string(p.Key)).MarshalBinary(); err != nil || !bytes.Equal(b, p.Proof) {
				t.Errorf("%s, %s: proof %x, %v, want %x", v.Name, p.Name, b, err, p.Proof)
			}
		}
	}
}

func makeVectors(t *testing.T) []stateVector {
	numbered := func(n int) state {
		s := state{}
		for i := range n {
			s[fmt.Sprint("key", i)] = fmt.Append(nil, "value", i)
		}
		return s
	}
	near, far := neighbours(200_000)
	deep := state{near: []byte("near"), far: []byte("far")}
	more := numbered(8)
	maps.Copy(more, deep)
	all := []stateVector{
		honest(t, "empty", state{}, "key0"),
		honest(t, "one record", numbered(1), "key0", "key1", ""),
		honest(t, "an empty key and an empty value", state{"": {}}, "", "key0"),
		honest(t, "two records", numbered(2), "key0", "key1", "absent0", "absent1", "absent2", "absent3"),
		honest(t, "two records with one way", deep, near, far, "absent0", "absent1"),
		honest(t, "gaps in the bitmap", more, near, far, "key0", "key7", "absent0"),
		honest(t, "a thousand records", numbered(1000), "key0", "key500", "key999", "absent0", "absent1", "absent2", "absent3", "absent4"),
	}
	gaps := honest(t, "two records with one way, another form", deep, near)
	proof := prove(t, load(t, memoryOf(t, deep)), near)
	proof.Bitmap[0] |= 0x80
	proof.Siblings = append(make([]byte, 32), proof.Siblings...)
	b, err := proof.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	value := hexBytes("near")
	gaps.Proofs = []proofVector{{Name: "an empty sibling said to have leaves", Key: hexBytes(near), Value: &value, Proof: b, Reason: "form"}}
	return append(all, gaps, dishonest(t, numbered(50)))
}

func memoryOf(t *testing.T, s state) memory {
	m := memory{}
	update(t, load(t, m), m, s)
	return m
}

// neighbours returns, of n keys, the two whose paths agree in the most bits.
func neighbours(n int) (a, b string) {
	type place struct {
		path [32]byte
		key  string
	}
	var all []place
	for i := range n {
		key := fmt.Sprint("deep", i)
		all = append(all, place{sha256.Sum256([]byte(key)), key})
	}
	slices.SortFunc(all, func(a, b place) int { return bytes.Compare(a.path[:], b.path[:]) })
	best := bytes.Repeat([]byte{0xff}, 32)
	for i := 1; i < len(all); i++ {
		x := make([]byte, 32)
		for j := range x {
			x[j] = all[i-1].path[j] ^ all[i].path[j]
		}
		if bytes.Compare(x, best) < 0 {
			best, a, b = x, all[i-1].key, all[i].key
		}
	}
	return a, b
}

func begin(t *testing.T, name string, s state) (*tree.Tree, stateVector) {
	m := memory{}
	tr := update(t, load(t, m), m, s)
	root := tr.Root()
	v := stateVector{Name: name, AppHash: root[:], Records: []recordVector{}}
	for _, k := range slices.Sorted(maps.Keys(s)) {
		v.Records = append(v.Records, recordVector{hexBytes(k), s[k]})
	}
	return tr, v
}

// honest returns a state and the proofs of some keys.
func honest(t *testing.T, name string, s state, keys ...string) stateVector {
	tr, v := begin(t, name, s)
	for _, k := range keys {
		p := prove(t, tr, k)
		b, err := p.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		pv := proofVector{Name: "absent, an empty place", Key: hexBytes(k), Proof: b}
		if value, there := s[k]; there {
			h := hexBytes(value)
			pv.Value, pv.Name = &h, "present"
		} else if p.Other != nil {
			pv.Name = "absent, another leaf"
		}
		v.Proofs = append(v.Proofs, pv)
	}
	return v
}

// dishonest returns a state and proofs that do not hold.
func dishonest(t *testing.T, s state) stateVector {
	tr, v := begin(t, "proofs that do not hold", s)
	absent := func(withOther bool) string {
		for i := 0; ; i++ {
			key := fmt.Sprint("absent", i)
			if p := prove(t, tr, key); (p.Other != nil) == withOther && p.Depth%8 != 0 {
				return key
			}
		}
	}
	emptyKey, otherKey := absent(false), absent(true)
	add := func(name, reason, key string, value []byte, proof []byte) {
		pv := proofVector{Name: name, Key: hexBytes(key), Proof: proof, Reason: reason}
		if value != nil {
			h := hexBytes(value)
			pv.Value = &h
		}
		v.Proofs = append(v.Proofs, pv)
	}
	encode := func(p *tree.Proof) []byte {
		b, err := p.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	edit := func(name, reason, key string, value []byte, change func(*tree.Proof)) {
		p := prove(t, tr, key)
		change(p)
		add(name, reason, key, value, encode(p))
	}
	leaf := func(key string) *tree.Leaf {
		l := tree.NewLeaf([]byte(key), s[key])
		return &l
	}
	key, value := "key7", s["key7"]
	good := encode(prove(t, tr, key))
	none := func(*tree.Proof) {}
	const statement, form, encoding, place = "it leads to another root", "form", "encoding", "the other leaf is not in the place of the key"

	edit("another value", statement, key, []byte("value8"), none)
	edit("an empty value", statement, key, []byte{}, none)
	edit("present, said to be absent", statement, key, nil, none)
	edit("present, said to be absent by its own leaf", "the other leaf is the key's own", key, nil, func(p *tree.Proof) { p.Other = leaf(key) })
	edit("absent, said to be present", statement, emptyKey, []byte("value"), none)
	edit("absent, said to be present beside another leaf", "a proof of presence has no other leaf", otherKey, []byte("value"), none)
	edit("absent, the other leaf left out", statement, otherKey, nil, func(p *tree.Proof) { p.Other = nil })
	edit("absent, a leaf where the place is empty", statement, emptyKey, nil, func(p *tree.Proof) {
		l := tree.NewLeaf([]byte(emptyKey), []byte("value"))
		l.Path[31] ^= 1
		p.Other = &l
	})
	edit("absent, the other leaf with another value", statement, otherKey, nil, func(p *tree.Proof) { p.Other.Value[0] ^= 1 })
	add("the proof of another key", statement, "key8", s["key8"], good)
	for o := range 50 {
		k := fmt.Sprint("key", o)
		if p := prove(t, tr, k); k != key && tree.Path([]byte(k))[0]>>7 != tree.Path([]byte(key))[0]>>7 {
			p.Other = leaf(k)
			add("absent, by a leaf in another place", place, key, nil, encode(p))
			break
		}
	}
	edit("a sibling changed", statement, key, value, func(p *tree.Proof) { p.Siblings[0] ^= 1 })
	edit("two siblings changed over", statement, key, value, func(p *tree.Proof) {
		first := bytes.Clone(p.Siblings[:32])
		copy(p.Siblings, p.Siblings[32:64])
		copy(p.Siblings[32:], first)
	})
	edit("a level more, without a sibling", form, key, value, func(p *tree.Proof) {
		if p.Depth++; p.Depth%8 == 1 {
			p.Bitmap = append(p.Bitmap, 0)
		}
	})
	edit("a level less", form, key, value, func(p *tree.Proof) { p.Depth-- })
	edit("a byte of bitmap more", form, key, value, func(p *tree.Proof) { p.Bitmap = append(p.Bitmap, 0) })
	edit("no bitmap", form, key, value, func(p *tree.Proof) { p.Bitmap = nil })
	edit("a bit behind the last level", form, key, value, func(p *tree.Proof) { p.Bitmap[len(p.Bitmap)-1] |= 1 })
	edit("a bit behind the last level, and a sibling for it", form, key, value, func(p *tree.Proof) {
		p.Bitmap[len(p.Bitmap)-1] |= 1
		p.Siblings = append(bytes.Repeat([]byte{1}, 32), p.Siblings...)
	})
	edit("an empty sibling as one that has leaves", form, key, value, func(p *tree.Proof) {
		p.Siblings = append(bytes.Clone(p.Siblings[:len(p.Siblings)-32]), make([]byte, 32)...)
	})
	edit("a sibling more", form, key, value, func(p *tree.Proof) { p.Siblings = append(p.Siblings, p.Siblings[:32]...) })
	edit("a sibling less", form, key, value, func(p *tree.Proof) { p.Siblings = p.Siblings[32:] })
	edit("half a sibling more", form, key, value, func(p *tree.Proof) { p.Siblings = append(p.Siblings, p.Siblings[:16]...) })
	edit("257 levels", form, key, value, func(p *tree.Proof) {
		p.Depth, p.Bitmap, p.Siblings = 257, append(make([]byte, 32), 0x80), p.Siblings[:32]
	})
	add("a byte more", encoding, key, value, append(bytes.Clone(good), 0))
	add("a byte less", encoding, key, value, good[:len(good)-1])
	add("a long head", encoding, key, value, slices.Concat([]byte{0x98, 4}, good[1:]))
	add("an indefinite list", encoding, key, value, slices.Concat([]byte{0x9f}, good[1:], []byte{0xff}))
	add("undefined in place of null", encoding, key, value, slices.Concat(good[:len(good)-1], []byte{0xf7}))
	add("three elements", encoding, key, value, slices.Concat([]byte{0x83}, good[1:len(good)-1]))
	add("five elements", encoding, key, value, slices.Concat([]byte{0x85}, good[1:], []byte{0xf6}))
	add("nothing", encoding, key, value, []byte{})
	return v
}
