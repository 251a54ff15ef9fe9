package light_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/cometbft/cometbft/crypto/ed25519"
	cmtlight "github.com/cometbft/cometbft/light"
	cmtversion "github.com/cometbft/cometbft/proto/tendermint/version"
	"github.com/cometbft/cometbft/types"

	"collimate/ledger"
	"collimate/ledger/light"
)

// The engine is the oracle: random headers and commits are hashed, signed and verified by both.

// random makes random things of the engine's types.
type random struct{ *rand.Rand }

func (r random) bytes(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

// time returns a time whose nanoseconds are zero now and then.
func (r random) time() time.Time {
	return time.Unix(r.Int64N(1<<32), r.Int64N(2)*r.Int64N(1e9)).UTC()
}

func (r random) blockID() types.BlockID {
	return types.BlockID{Hash: r.bytes(32), PartSetHeader: types.PartSetHeader{Total: r.Uint32() >> r.IntN(32), Hash: r.bytes(32)}}
}

func (r random) header(vals, next *types.ValidatorSet) *types.Header {
	h := &types.Header{
		Version: cmtversion.Consensus{Block: 11, App: r.Uint64() >> r.IntN(64)},
		ChainID: testChain, Height: r.Int64()>>r.IntN(62) + 2, Time: r.time(), LastBlockID: r.blockID(),
		LastCommitHash: r.bytes(32), DataHash: r.bytes(32), ValidatorsHash: vals.Hash(), NextValidatorsHash: next.Hash(),
		ConsensusHash: r.bytes(32), AppHash: r.bytes(32), LastResultsHash: r.bytes(32), EvidenceHash: r.bytes(32),
		ProposerAddress: vals.Validators[0].Address,
	}
	if r.IntN(8) == 0 {
		h.Height, h.LastBlockID = 1, types.BlockID{}
	}
	return h
}

// validators returns a set out of sixty keys, so that two sets have some in common.
func (r random) validators(n int) *types.ValidatorSet {
	var all []*types.Validator
	for _, i := range r.Perm(60)[:n] {
		all = append(all, types.NewValidator(engineKeys[i].PubKey(), r.Int64N(1000)+1))
	}
	return types.NewValidatorSet(all)
}

// engineKeys are the keys of which validators are chosen.
var engineKeys = func() (all []ed25519.PrivKey) {
	for i := range 60 {
		all = append(all, ed25519.GenPrivKeyFromSecret([]byte{byte(i)}))
	}
	return all
}()

// commit lets each validator vote for the block with the given probability, and be absent or vote for nil otherwise.
func (r random) commit(h *types.Header, vals *types.ValidatorSet, probability float64) *types.Commit {
	keys := map[string]ed25519.PrivKey{}
	for _, key := range engineKeys {
		keys[string(key.PubKey().Address())] = key
	}
	c := &types.Commit{Height: h.Height, Round: int32(r.IntN(3)), BlockID: r.blockID()}
	c.BlockID.Hash = h.Hash()
	for i, v := range vals.Validators {
		sig := types.CommitSig{BlockIDFlag: types.BlockIDFlagCommit, ValidatorAddress: v.Address, Timestamp: r.time()}
		if r.Float64() >= probability {
			sig.BlockIDFlag = types.BlockIDFlagNil
			if r.IntN(2) == 0 {
				sig = types.NewCommitSigAbsent()
			}
		}
		c.Signatures = append(c.Signatures, sig)
		if sig.BlockIDFlag != types.BlockIDFlagAbsent {
			signature, err := keys[string(v.Address)].Sign(c.VoteSignBytes(testChain, int32(i)))
			if err != nil {
				panic(err)
			}
			c.Signatures[i].Signature = signature
		}
	}
	return c
}

// fromEngine is what whoever serves light blocks does with the engine's types.
func fromEngine(h *types.Header, c *types.Commit, vals *types.ValidatorSet) *light.Block {
	b := &light.Block{
		Header: light.Header{
			BlockVersion: h.Version.Block, AppVersion: h.Version.App, ChainID: h.ChainID, Height: h.Height, Time: h.Time.UnixNano(),
			LastCommitHash: light.Hash(h.LastCommitHash), DataHash: light.Hash(h.DataHash),
			ValidatorsHash: light.Hash(h.ValidatorsHash), NextValidatorsHash: light.Hash(h.NextValidatorsHash),
			ConsensusHash: light.Hash(h.ConsensusHash), AppHash: light.Hash(h.AppHash), LastResultsHash: light.Hash(h.LastResultsHash),
			EvidenceHash: light.Hash(h.EvidenceHash), ProposerAddress: [20]byte(h.ProposerAddress),
		},
		Commit: light.Commit{Round: c.Round, PartsTotal: c.BlockID.PartSetHeader.Total, PartsHash: light.Hash(c.BlockID.PartSetHeader.Hash)},
	}
	if !h.LastBlockID.IsZero() {
		b.Header.LastBlockID = light.BlockID{Hash: light.Hash(h.LastBlockID.Hash),
			PartsTotal: h.LastBlockID.PartSetHeader.Total, PartsHash: light.Hash(h.LastBlockID.PartSetHeader.Hash)}
	}
	for i, v := range vals.Validators {
		b.Validators = append(b.Validators, light.Validator{Key: ledger.ValidatorKey(v.PubKey.Bytes()), Power: v.VotingPower})
		var vote *light.Vote
		if sig := c.Signatures[i]; sig.BlockIDFlag == types.BlockIDFlagCommit {
			vote = &light.Vote{Time: sig.Timestamp.UnixNano(), Signature: [64]byte(sig.Signature)}
		}
		b.Commit.Votes = append(b.Commit.Votes, vote)
	}
	return b
}

func TestHashesAsTheEngine(t *testing.T) {
	for seed := range uint64(200) {
		r := random{rand.New(rand.NewPCG(seed, 0))}
		vals := r.validators(r.IntN(20) + 1)
		h := r.header(vals, r.validators(3))
		c := r.commit(h, vals, 0.8)
		b := fromEngine(h, c, vals)
		if got, want := b.Header.Hash(), light.Hash(h.Hash()); got != want {
			t.Fatalf("seed %d: header hash %v, the engine has %v", seed, got, want)
		}
		if got, want := light.ValidatorsHash(b.Validators), light.Hash(vals.Hash()); got != want {
			t.Fatalf("seed %d: validators hash %v, the engine has %v", seed, got, want)
		}
		for i, vote := range b.Commit.Votes {
			if vote == nil {
				continue
			}
			if got, want := light.VoteBytes(b, vote.Time), c.VoteSignBytes(testChain, int32(i)); string(got) != string(want) {
				t.Fatalf("seed %d: vote %x, the engine has %x", seed, got, want)
			}
		}
	}
}

// TestVerifiesAsTheEngine compares the verdicts over pairs of blocks that are sometimes adjacent, have some
// validators in common, too few votes, or times that do not fit. Where the engine accepts, so must we, and the other
// way round: all signatures are those of a proper signer, so the two rules for Ed25519 do not differ.
func TestVerifiesAsTheEngine(t *testing.T) {
	accepted, refused := 0, map[light.Code]int{}
	for seed := range uint64(300) {
		r := random{rand.New(rand.NewPCG(seed, 1))}
		oldVals, newVals := r.validators(r.IntN(30)+20), r.validators(r.IntN(30)+20)
		if r.IntN(2) == 0 {
			newVals = oldVals
		}
		named := newVals
		if r.IntN(4) == 0 {
			named = r.validators(30)
		}
		old, next := r.header(oldVals, named), r.header(newVals, newVals)
		old.Height = r.Int64N(5) + 1
		next.Height = old.Height + r.Int64N(4)
		next.Time = old.Time.Add(time.Duration(r.Int64N(100)-5) * time.Second)
		now := next.Time.Add(time.Duration(r.Int64N(300)-12) * time.Second)
		p := light.Policy{TrustingPeriod: 300 * time.Second, ClockDrift: 10 * time.Second}
		oldCommit, newCommit := r.commit(old, oldVals, 1), r.commit(next, newVals, 0.6+0.4*r.Float64())

		want := cmtlight.Verify(&types.SignedHeader{Header: old, Commit: oldCommit}, oldVals,
			&types.SignedHeader{Header: next, Commit: newCommit}, newVals, p.TrustingPeriod, now, p.ClockDrift, cmtlight.DefaultTrustLevel)
		trusted, err := light.TrustBlock(fromEngine(old, oldCommit, oldVals))
		if err != nil {
			t.Fatal(err)
		}
		_, got := trusted.Verify(fromEngine(next, newCommit, newVals), p, now)
		if (got == nil) != (want == nil) {
			t.Fatalf("seed %d: %v, the engine says %v", seed, got, want)
		}
		if got == nil {
			accepted++
		} else {
			refused[light.CodeOf(got)]++
		}
	}
	for _, code := range []light.Code{
		light.CodeExpired, light.CodeNotNewer, light.CodeFuture, light.CodeWrongValidators, light.CodeNotTrusted, light.CodeNotEnoughPower,
	} {
		if refused[code] == 0 {
			t.Errorf("no case of %s: the test compares less than it says", code)
		}
	}
	if accepted < 50 {
		t.Errorf("only %d blocks were accepted: the test compares less than it says", accepted)
	}
	t.Logf("accepted %d, refused %v", accepted, refused)
}
