package light_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/fxamacker/cbor/v2"

	"collimate/ledger"
	"collimate/ledger/light"
)

const testChain = "collimate-test"

// begun is the time of the test chain's genesis, and hour the distance of its blocks.
var (
	begun  = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	policy = light.Policy{TrustingPeriod: 14 * 24 * time.Hour, ClockDrift: 10 * time.Second}
)

const hour = time.Hour

// named returns 32 bytes that differ for each name.
func named(name string) [32]byte { return sha256.Sum256([]byte(name)) }

// keyOf returns the key of a validator.
func keyOf(name string) ed25519.PrivateKey {
	seed := named("validator " + name)
	return ed25519.NewKeyFromSeed(seed[:])
}

func publicKey(name string) ledger.ValidatorKey {
	return ledger.ValidatorKey(keyOf(name).Public().(ed25519.PublicKey))
}

// set returns validators v1..vn of power 10, in the engine's order.
func set(n int) []light.Validator {
	var all []light.Validator
	for i := range n {
		all = append(all, light.Validator{Key: publicKey("v" + strconv.Itoa(i+1)), Power: 10})
	}
	return ordered(all)
}

// ordered sorts validators as the engine does: by power, greatest first, then by address.
func ordered(all []light.Validator) []light.Validator {
	slices.SortFunc(all, func(a, b light.Validator) int {
		if a.Power != b.Power {
			return int(b.Power - a.Power)
		}
		x, y := sha256.Sum256(a.Key[:]), sha256.Sum256(b.Key[:])
		return bytes.Compare(x[:20], y[:20])
	})
	return all
}

// unsigned returns a block of the test chain without votes, an hour after the one before.
func unsigned(height int64, validators, next []light.Validator, appHash light.Hash) *light.Block {
	of := func(what string) light.Hash { return named(what + strconv.FormatInt(height, 10)) }
	b := &light.Block{
		Header: light.Header{
			BlockVersion: 11, AppVersion: 1, ChainID: testChain, Height: height,
			Time:           begun.Add(time.Duration(height-1) * hour).UnixNano(),
			LastCommitHash: of("last commit"), DataHash: of("data"),
			ValidatorsHash: light.ValidatorsHash(validators), NextValidatorsHash: light.ValidatorsHash(next),
			ConsensusHash: named("parameters"), AppHash: appHash, LastResultsHash: of("results"), EvidenceHash: of("evidence"),
		},
		Commit:     light.Commit{PartsTotal: 1, PartsHash: of("parts"), Votes: make([]*light.Vote, len(validators))},
		Validators: slices.Clone(validators),
	}
	if height > 1 {
		b.Header.LastBlockID = light.BlockID{Hash: of("last block"), PartsTotal: 1, PartsHash: of("last parts")}
	}
	address := sha256.Sum256(validators[0].Key[:])
	b.Header.ProposerAddress = [20]byte(address[:])
	return b
}

// signed lets validators v1 to vn of n vote for a block, and all others be absent.
func signed(b *light.Block, n int) *light.Block {
	for i := range n {
		name := "v" + strconv.Itoa(i+1)
		at := slices.IndexFunc(b.Validators, func(v light.Validator) bool { return v.Key == publicKey(name) })
		if at >= 0 {
			vote(b, at, keyOf(name))
		}
	}
	return b
}

// vote signs for the block in the place of one validator.
func vote(b *light.Block, at int, key ed25519.PrivateKey) {
	v := &light.Vote{Time: b.Header.Time + int64(at)*1e6 + 1e9}
	v.Signature = [64]byte(ed25519.Sign(key, light.VoteBytes(b, v.Time)))
	b.Commit.Votes[at] = v
}

func genesis(t testing.TB, validators []light.Validator) light.Trusted {
	t.Helper()
	trusted, err := light.TrustGenesis(testChain, begun, validators)
	if err != nil {
		t.Fatal(err)
	}
	return trusted
}

// entries is a state of a few keys.
func entries() state {
	s := state{}
	for i := range 41 {
		s["key "+strconv.Itoa(i)] = "value " + strconv.Itoa(i)
	}
	return s
}

// bundle returns a bundle that shows one key that is there and one that is not, after the block of a height.
func bundle(height int64, validators []light.Validator, votes int) *light.Bundle {
	s := entries()
	b := signed(unsigned(height, validators, validators, s.root()), votes)
	return &light.Bundle{Blocks: []light.Block{*b}, Entries: []light.Entry{s.prove("key 7"), s.prove("key 41")}}
}

// state is a state whose hash tree is computed anew each time, as ledger-spec 7.1 says it.
type state map[string]string

type leaf struct{ path, value [32]byte }

func (l leaf) hash() light.Hash {
	return sha256.Sum256(slices.Concat([]byte{0}, l.path[:], l.value[:]))
}

func (s state) leaves() []leaf {
	var all []leaf
	for k, v := range s {
		all = append(all, leaf{sha256.Sum256([]byte(k)), sha256.Sum256([]byte(v))})
	}
	return all
}

func (s state) root() light.Hash { return subtree(s.leaves(), 0) }

func subtree(all []leaf, depth int) light.Hash {
	switch len(all) {
	case 0:
		return light.Hash{}
	case 1:
		return all[0].hash()
	}
	left, right := split(all, depth)
	l, r := subtree(left, depth+1), subtree(right, depth+1)
	return sha256.Sum256(slices.Concat([]byte{1}, l[:], r[:]))
}

func split(all []leaf, depth int) (left, right []leaf) {
	for _, l := range all {
		if bit(l.path, depth) == 0 {
			left = append(left, l)
		} else {
			right = append(right, l)
		}
	}
	return left, right
}

func bit(b [32]byte, i int) byte { return b[i/8] >> (7 - i%8) & 1 }

// proof is the encoding of a proof.
type proof struct {
	_        struct{} `cbor:",toarray"`
	Bitmap   []byte
	Depth    int
	Siblings []byte
	Other    []any
}

// prove returns the entry of a key, present or absent.
func (s state) prove(key string) light.Entry {
	e := light.Entry{Key: []byte(key)}
	if value, ok := s[key]; ok {
		e.Value = []byte(value)
	}
	p := proof{Bitmap: []byte{}, Siblings: []byte{}}
	path := sha256.Sum256([]byte(key))
	at := s.leaves()
	for len(at) > 1 {
		mine, sibling := split(at, p.Depth)
		if bit(path, p.Depth) == 1 {
			mine, sibling = sibling, mine
		}
		if p.Depth%8 == 0 {
			p.Bitmap = append(p.Bitmap, 0)
		}
		if len(sibling) > 0 {
			hash := subtree(sibling, p.Depth+1)
			p.Bitmap[p.Depth/8] |= 0x80 >> (p.Depth % 8)
			p.Siblings = append(p.Siblings, hash[:]...)
		}
		p.Depth++
		at = mine
	}
	if e.Value == nil && len(at) == 1 {
		p.Other = []any{at[0].path[:], at[0].value[:]}
	}
	b, err := cbor.Marshal(p)
	if err != nil {
		panic(err)
	}
	e.Proof = b
	return e
}
