package light_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/fxamacker/cbor/v2"

	"collimate/ledger"
	"collimate/ledger/light"
	"collimate/ledger/tree"
	"collimate/ledger/vectortest"
)

var update = flag.Bool("update", false, "write the vectors anew")

type hexBytes = vectortest.Hex

type (
	// vector is a block or a bundle that a client meets who trusts either a genesis or a block. Times are Unix time
	// in nanoseconds, in decimal, as are durations: JSON's numbers are too short for them.
	vector struct {
		Name           string         `json:"name"`
		Genesis        *genesisVector `json:"genesis,omitempty"`
		Trusted        hexBytes       `json:"trusted,omitempty"` // a light block
		TrustingPeriod int64          `json:"trusting_period,string"`
		ClockDrift     int64          `json:"clock_drift,string"`
		Now            int64          `json:"now,string"`
		Block          hexBytes       `json:"block,omitempty"`
		Bundle         hexBytes       `json:"bundle,omitempty"`
		Code           light.Code     `json:"code,omitempty"` // why it is refused; absent if it is accepted
		Want           *wantVector    `json:"want,omitempty"` // what it gives if it is accepted
	}
	genesisVector struct {
		ChainID    string            `json:"chain_id"`
		Time       int64             `json:"time,string"`
		Validators []validatorVector `json:"validators"` // in any order, as in a genesis file
	}
	validatorVector struct {
		Key   hexBytes `json:"key"`
		Power int64    `json:"power"`
	}
	// wantVector is about the last block.
	wantVector struct {
		Height         int64    `json:"height"`
		Time           int64    `json:"time,string"`
		HeaderHash     hexBytes `json:"header_hash"`
		AppHash        hexBytes `json:"app_hash"`
		ValidatorsHash hexBytes `json:"validators_hash"`
		VoteBytes      hexBytes `json:"vote_bytes"` // what the first validator that voted signed
	}
)

func (v vector) trusted() (light.Trusted, error) {
	if v.Genesis == nil {
		b, err := light.DecodeBlock(v.Trusted)
		if err != nil {
			return light.Trusted{}, err
		}
		return light.TrustBlock(b)
	}
	var validators []light.Validator
	for _, of := range v.Genesis.Validators {
		validators = append(validators, light.Validator{Key: ledger.ValidatorKey(of.Key), Power: of.Power})
	}
	return light.TrustGenesis(v.Genesis.ChainID, time.Unix(0, v.Genesis.Time), ordered(validators))
}

// verify returns what may be trusted afterwards, and the last block.
func (v vector) verify() (light.Trusted, *light.Block, error) {
	trusted, err := v.trusted()
	if err != nil {
		return light.Trusted{}, nil, err
	}
	p := light.Policy{TrustingPeriod: time.Duration(v.TrustingPeriod), ClockDrift: time.Duration(v.ClockDrift)}
	now := time.Unix(0, v.Now)
	if v.Bundle == nil {
		b, err := light.DecodeBlock(v.Block)
		if err != nil {
			return light.Trusted{}, nil, err
		}
		trusted, err = trusted.Verify(b, p, now)
		return trusted, b, err
	}
	bundle, err := light.DecodeBundle(v.Bundle)
	if err != nil {
		return light.Trusted{}, nil, err
	}
	trusted, err = bundle.Verify(trusted, p, now)
	return trusted, &bundle.Blocks[len(bundle.Blocks)-1], err
}

// outcome fills in what verify says.
func (v vector) outcome() vector {
	trusted, b, err := v.verify()
	if err != nil {
		v.Code = light.CodeOf(err)
		return v
	}
	at := slices.IndexFunc(b.Commit.Votes, func(vote *light.Vote) bool { return vote != nil })
	validators := light.ValidatorsHash(b.Validators)
	v.Want = &wantVector{
		Height: trusted.Height, Time: trusted.Time.UnixNano(), HeaderHash: trusted.Hash[:], AppHash: trusted.AppHash[:],
		ValidatorsHash: validators[:], VoteBytes: light.VoteBytes(b, b.Commit.Votes[at].Time),
	}
	return v
}

func TestVectors(t *testing.T) {
	path := filepath.Join("..", "testdata", "vectors", "light.json")
	all := vectortest.Read(t, path, *update, func() []vector { return newVectors(t) })
	accepted := 0
	for _, v := range all {
		want, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		v.Code, v.Want = "", nil
		v = v.outcome()
		got, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s:\ngot  %s\nwant %s", v.Name, got, want)
		}
		if v.Want != nil {
			accepted++
		}
	}
	if accepted == 0 || accepted == len(all) {
		t.Errorf("%d of %d vectors are accepted: the vectors show nothing", accepted, len(all))
	}
}

func marshal(t *testing.T, v any) []byte {
	t.Helper()
	b, err := cbor.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// newVectors makes the vectors. The code of each is checked against what its maker wanted.
func newVectors(t *testing.T) (all []vector) {
	t.Helper()
	add := func(name string, validators []light.Validator, height int64, want light.Code, change func(*vector)) {
		v := vector{
			Name: name, TrustingPeriod: int64(policy.TrustingPeriod), ClockDrift: int64(policy.ClockDrift), Now: now(height).UnixNano(),
			Genesis: &genesisVector{ChainID: testChain, Time: begun.UnixNano()},
		}
		for _, of := range validators {
			v.Genesis.Validators = append(v.Genesis.Validators, validatorVector{of.Key[:], of.Power})
		}
		change(&v)
		if v = v.outcome(); v.Code != want {
			t.Fatalf("vector %q is refused with %q, want %q", name, v.Code, want)
		}
		all = append(all, v)
	}
	block := func(b *light.Block) func(*vector) { return func(v *vector) { v.Block = marshal(t, b) } }
	raw := func(b []byte) func(*vector) { return func(v *vector) { v.Bundle = b } }
	four, six, heavy := set(4), set(6), weighted(5, 1, 1, 1)
	good := func(height int64, validators []light.Validator, votes int) *light.Block {
		return signed(unsigned(height, validators, validators, named("state")), votes)
	}

	add("first block", four, 1, "", block(good(1, four, 4)))
	add("far block", four, 40, "", block(good(40, four, 3)))
	add("one validator", set(1), 1, "", block(good(1, set(1), 1)))
	add("seven validators", set(7), 5, "", block(good(5, set(7), 6)))
	add("powers", weighted(1_000_000_000, 3, 2, 1), 5, "", block(good(5, weighted(1_000_000_000, 3, 2, 1), 4)))
	add("5 of 6", six, 5, "", block(good(5, six, 5)))
	add("2/3 exactly", six, 5, light.CodeNotEnoughPower, block(good(5, six, 4)))
	add("1/3 exactly", six, 5, light.CodeNotTrusted, block(good(5, six, 2)))
	add("5/8 of the power", heavy, 1, light.CodeNotEnoughPower, block(good(1, heavy, 1)))
	add("6/8 of the power", heavy, 1, "", block(good(1, heavy, 2)))
	add("a genesis in another order", set(7), 5, "", func(v *vector) {
		slices.Reverse(v.Genesis.Validators)
		v.Block = marshal(t, good(5, set(7), 6))
	})
	add("first block of a genesis in another order", set(7), 1, "", func(v *vector) {
		slices.Reverse(v.Genesis.Validators)
		v.Block = marshal(t, good(1, set(7), 6))
	})
	add("1/11 of the trusted power, most of the new", weighted(1, 10), 5, light.CodeNotTrusted, block(good(5, weighted(10, 1), 1)))
	add("most of the trusted power, 3/11 of the new", weighted(10, 1), 5, light.CodeNotEnoughPower, block(good(5, weighted(3, 8), 1)))
	add("3/11 of the trusted power, half of the new", weighted(3, 8), 5, light.CodeNotTrusted, block(good(5, weighted(10, 1, 9), 1)))
	add("4/11 of the trusted power, a quarter of the new", weighted(4, 7), 5, "", func(v *vector) {
		b := unsigned(5, weighted(10, 1, 30), weighted(10, 1, 30), named("state"))
		for _, name := range []string{"v1", "v3"} {
			at := slices.IndexFunc(b.Validators, func(of light.Validator) bool { return of.Key == publicKey(name) })
			vote(b, at, keyOf(name))
		}
		v.Block = marshal(t, b)
	})
	add("a validator of small order that does not vote", append(set(4), light.Validator{Power: 1}), 5, "", func(v *vector) {
		v.Block = marshal(t, good(5, append(set(4), light.Validator{Power: 1}), 4))
	})
	add("a later round, and many parts", four, 2, "", func(v *vector) {
		b := unsigned(2, four, four, named("state"))
		b.Commit.Round, b.Commit.PartsTotal, b.Header.Time = 3, 300, b.Header.Time+123456789
		v.Block = marshal(t, signed(b, 4))
	})
	add("trusted block", four, 9, "", func(v *vector) {
		v.Genesis, v.Trusted, v.Block = nil, marshal(t, good(8, four, 3)), marshal(t, good(9, four, 3))
	})
	add("trusted block again", four, 9, "", func(v *vector) {
		v.Genesis, v.Trusted, v.Block = nil, marshal(t, good(9, four, 3)), marshal(t, good(9, four, 3))
	})
	add("another block of the trusted height", four, 9, light.CodeNotNewer, func(v *vector) {
		v.Genesis, v.Trusted, v.Block = nil, marshal(t, good(9, four, 3)), marshal(t, signed(unsigned(9, four, four, named("other")), 4))
	})
	add("another block of the trusted height, later", four, 9, light.CodeNotNewer, func(v *vector) {
		later := unsigned(9, four, four, named("state"))
		later.Header.Time++
		v.Genesis, v.Trusted, v.Block = nil, marshal(t, good(9, four, 3)), marshal(t, signed(later, 4))
	})
	add("next block, earlier", four, 9, light.CodeNotNewer, func(v *vector) {
		early := unsigned(9, four, four, named("state"))
		early.Header.Time = good(8, four, 4).Header.Time - 1
		v.Genesis, v.Trusted, v.Block = nil, marshal(t, good(8, four, 3)), marshal(t, signed(early, 4))
	})
	add("earlier block", four, 9, light.CodeNotNewer, func(v *vector) {
		v.Genesis, v.Trusted, v.Block = nil, marshal(t, good(9, four, 3)), marshal(t, good(8, four, 3))
	})
	add("time goes back", four, 9, light.CodeNotNewer, func(v *vector) {
		late := unsigned(9, four, four, named("state"))
		late.Header.Time = good(8, four, 4).Header.Time
		v.Genesis, v.Trusted, v.Block = nil, marshal(t, good(8, four, 3)), marshal(t, signed(late, 4))
	})
	add("validators that are not next", four, 9, light.CodeWrongValidators, func(v *vector) {
		v.Genesis, v.Trusted, v.Block = nil, marshal(t, signed(unsigned(8, four, six, named("state")), 4)), marshal(t, good(9, four, 4))
	})
	add("ahead of the clock", four, 9, light.CodeFuture, func(v *vector) {
		v.Block = marshal(t, good(9, four, 4))
		v.Now = good(9, four, 4).Header.Time - int64(policy.ClockDrift)
	})
	add("ahead of the clock by less than the drift", four, 9, "", func(v *vector) {
		v.Block = marshal(t, good(9, four, 4))
		v.Now = good(9, four, 4).Header.Time - int64(policy.ClockDrift) + 1
	})
	add("end of the trusting period", four, 9, light.CodeExpired, func(v *vector) {
		v.Block = marshal(t, good(9, four, 4))
		v.Now = begun.Add(policy.TrustingPeriod).UnixNano()
	})
	for _, a := range attacks() {
		add(a.name, four, 3, a.want, block(a.make()))
	}
	// A vote that is not needed is not looked at; one of a trusted validator is needed until there is a third of their power.
	spoil := func(b *light.Block, name string) func(*vector) {
		at := slices.IndexFunc(b.Validators, func(of light.Validator) bool { return of.Key == publicKey(name) })
		b.Commit.Votes[at].Signature[0] ^= 1
		return block(b)
	}
	last := good(3, four, 4)
	last.Commit.Votes[3].Signature[0] ^= 1
	add("a bad vote beyond two thirds", four, 3, "", block(last))
	newcomer := []light.Validator{{Key: publicKey("v2"), Power: 1}, {Key: publicKey("v3"), Power: 1}}
	first, second := good(5, weighted(10, 2, 1), 3), good(5, weighted(10, 2, 1), 3)
	add("a bad vote within a third of the trusted power", newcomer, 5, light.CodeBadSignature, spoil(first, "v2"))
	add("a bad vote beyond a third of the trusted power", newcomer, 5, "", spoil(second, "v3"))
	add("made by the engine", nil, 6, "", engineBlock(t))

	add("bundle", four, 40, "", raw(marshal(t, bundle(40, four, 3))))
	add("bundle of two blocks", four, 60, "", func(v *vector) {
		b := bundle(60, six, 6)
		b.Blocks = append([]light.Block{*good(30, four, 4)}, b.Blocks...)
		v.Bundle = marshal(t, b)
	})
	chain := func(n int) func(*vector) { // of n blocks
		one := set(1)
		b := bundle(int64(n), one, 1)
		for height := range n - 1 {
			b.Blocks = slices.Insert(b.Blocks, height, *good(int64(height+1), one, 1))
		}
		return raw(marshal(t, b))
	}
	add("bundle of 16 blocks", set(1), 16, "", chain(light.MaxBlocks))
	add("bundle of 17 blocks", set(1), 17, light.CodeOutOfBounds, chain(light.MaxBlocks+1))
	many := state{}
	for i := range 100_000 {
		many["key "+strconv.Itoa(i)] = "value " + strconv.Itoa(i)
	}
	root := many.root()
	for _, n := range []int{4, 64} {
		add(fmt.Sprintf("%d validators, 4 of 100000 records", n), set(n), 40, "", func(v *vector) {
			b := light.Bundle{Blocks: []light.Block{*signed(unsigned(40, set(n), set(n), root), n)}}
			for _, key := range []string{"key 1", "key 20000", "key 99999", "key 100000"} {
				b.Entries = append(b.Entries, many.prove(key))
			}
			v.Bundle = marshal(t, b)
		})
	}
	add("bundle with a bad block", four, 9, light.CodeNotEnoughPower, raw(marshal(t, bundle(9, four, 2))))
	for _, l := range lies() {
		b := bundle(9, four, 4)
		l.change(b)
		add(l.name, four, 9, light.CodeWrongProof, raw(marshal(t, b)))
	}
	entry := func(name string, want light.Code, change func(*light.Entry)) {
		b := bundle(9, four, 4)
		change(&b.Entries[1])
		add(name, four, 9, want, raw(marshal(t, b)))
	}
	absent := func(n int) func(*light.Entry) {
		return func(e *light.Entry) { *e = entries().prove(strings.Repeat("k", n)) }
	}
	entry("key of no bytes", light.CodeOutOfBounds, absent(0))
	entry("key of 128 bytes", "", absent(light.MaxKeyBytes))
	entry("key of 129 bytes", light.CodeOutOfBounds, absent(light.MaxKeyBytes+1))
	entry("proof of no bytes", light.CodeOutOfBounds, func(e *light.Entry) { e.Proof = []byte{} })
	entry("proof of 8320 bytes", light.CodeWrongProof, func(e *light.Entry) { e.Proof = make([]byte, tree.MaxProofBytes) })
	entry("proof of 8321 bytes", light.CodeOutOfBounds, func(e *light.Entry) { e.Proof = make([]byte, tree.MaxProofBytes+1) })
	b := marshal(t, bundle(9, four, 4))
	add("trailing byte", four, 9, light.CodeMalformed, raw(append(bytes.Clone(b), 0)))
	add("cut off", four, 9, light.CodeMalformed, raw(b[:len(b)-1]))
	add("long length", four, 9, light.CodeNotCanonical, raw(append([]byte{0x98, 2}, b[1:]...)))
	add("three parts", four, 9, light.CodeMalformed, raw(append([]byte{0x83}, append(bytes.Clone(b[1:]), 0)...)))
	add("not a list", four, 9, light.CodeMalformed, raw([]byte{0xa0}))
	add("null", four, 9, light.CodeNotCanonical, raw([]byte{0xf6}))
	add("indefinite list", four, 9, light.CodeMalformed, raw(append([]byte{0x9f}, append(bytes.Clone(b[1:]), 0xff)...)))
	none := bundle(9, four, 4)
	none.Entries = []light.Entry{}
	add("no entries", four, 9, light.CodeOutOfBounds, raw(marshal(t, none)))
	return all
}

// weighted returns validators v1, v2 .. of the given powers.
func weighted(powers ...int64) []light.Validator {
	var all []light.Validator
	for i, power := range powers {
		all = append(all, light.Validator{Key: publicKey("v" + strconv.Itoa(i+1)), Power: power})
	}
	return ordered(all)
}

// engineBlock makes a random block with the engine's types, hashes and signatures.
func engineBlock(t *testing.T) func(*vector) {
	t.Helper()
	return func(v *vector) {
		r := random{rand.New(rand.NewPCG(1, 2))}
		vals := r.validators(9)
		h := r.header(vals, r.validators(5))
		b := fromEngine(h, r.commit(h, vals, 0.9), vals)
		v.Block = marshal(t, b)
		v.Genesis.Time, v.Now = b.Header.Time-1, b.Header.Time
		for _, of := range b.Validators {
			v.Genesis.Validators = append(v.Genesis.Validators, validatorVector{of.Key[:], of.Power})
		}
	}
}
