package light

import (
	"time"

	"collimate/ledger"
)

// Trusted is what a client takes for the truth: a genesis, or a header that Verify or the client's owner accepted.
// The zero Trusted trusts nothing: every block is of another chain.
type Trusted struct {
	ChainID string
	Height  int64 // 0 for a genesis
	Time    time.Time
	Hash    Hash // of the header; zero for a genesis
	// AppHash is that of the state after block Height-1; zero for a genesis.
	AppHash Hash
	// NextValidatorsHash names the validators of the block that follows.
	NextValidatorsHash Hash
	// Validators are those of this block; for a genesis those of the first.
	Validators []Validator
}

// Policy is how far a client trusts.
type Policy struct {
	// TrustingPeriod is how long a header is trusted after its time. It must be well below the time for which a
	// validator's bond can still be taken, for past that time the validators of that header lose nothing by
	// signing another. A client that was away longer needs a recent header from somebody it believes.
	TrustingPeriod time.Duration
	// ClockDrift is how far a header may be ahead of the client's clock.
	ClockDrift time.Duration
}

// TrustGenesis trusts the validators with which a chain begins.
func TrustGenesis(chainID string, begun time.Time, validators []Validator) (Trusted, error) {
	if err := checkValidators(validators); err != nil {
		return Trusted{}, err
	}
	if chainID == "" || len(chainID) > ledger.MaxChainIDBytes {
		return Trusted{}, refuse(CodeOutOfBounds, "the chain id has %d bytes, want 1 to %d", len(chainID), ledger.MaxChainIDBytes)
	}
	return Trusted{
		ChainID: chainID, Time: begun.UTC(),
		NextValidatorsHash: ValidatorsHash(validators), Validators: validators,
	}, nil
}

// TrustBlock trusts a block because the caller does: one that was verified and kept, or whose hash came from
// somebody whom the client's owner believes. It checks that the block is whole, not who voted for it.
func TrustBlock(b *Block) (Trusted, error) {
	if err := b.bounds(); err != nil {
		return Trusted{}, err
	}
	h := &b.Header
	if ValidatorsHash(b.Validators) != h.ValidatorsHash {
		return Trusted{}, refuse(CodeWrongValidators, "the validators are not those that the header names")
	}
	return Trusted{
		ChainID: h.ChainID, Height: h.Height, Time: time.Unix(0, h.Time).UTC(), Hash: h.Hash(), AppHash: h.AppHash,
		NextValidatorsHash: h.NextValidatorsHash, Validators: b.Validators,
	}, nil
}

// Verify returns what may be trusted instead of t after a later block: if the block follows t, or if more than a
// third of the power of t voted for it, so that at least one honest validator did; and if more than two thirds of
// the power of its own validators voted for it. The header of t itself is accepted again. ledger-spec 8.3
func (t Trusted) Verify(b *Block, p Policy, now time.Time) (Trusted, error) {
	next, err := TrustBlock(b)
	if err != nil {
		return Trusted{}, err
	}
	if err := t.checkHeader(next, p, now); err != nil {
		return Trusted{}, err
	}
	votes, err := t.quorum(b)
	if err != nil {
		return Trusted{}, err
	}
	// Last, as it is what costs.
	if err := b.verifyVotes(next.Hash, votes); err != nil {
		return Trusted{}, err
	}
	return next, nil
}

// checkHeader checks chain, height and times.
func (t Trusted) checkHeader(next Trusted, p Policy, now time.Time) error {
	switch {
	case next.ChainID != t.ChainID:
		return refuse(CodeOtherChain, "the header is of another chain")
	case !now.Before(t.Time.Add(p.TrustingPeriod)):
		return refuse(CodeExpired, "what is trusted is older than %v: get a recent header from a party you believe", p.TrustingPeriod)
	case !next.Time.Before(now.Add(p.ClockDrift)):
		return refuse(CodeFuture, "the header is more than %v ahead of the clock", p.ClockDrift)
	case next.Hash == t.Hash:
		return nil
	case next.Height <= t.Height:
		return refuse(CodeNotNewer, "the height is %d, and %d is trusted", next.Height, t.Height)
	case next.Time.Before(t.Time), next.Time.Equal(t.Time) && t.Height > 0: // block 1 has the time of the genesis
		return refuse(CodeNotNewer, "the time is not after that of height %d", t.Height)
	}
	return nil
}

// quorum returns how many votes, from the first on, are enough to accept a block: more than two thirds of the power of its
// validators, and unless these follow from t, more than a third of that of t. The votes beyond show nothing more.
func (t Trusted) quorum(b *Block) (votes int, err error) {
	known, trusted := map[ledger.ValidatorKey]int64{}, int64(0)
	switch {
	case b.Header.Height > t.Height+1:
		for _, v := range t.Validators {
			known[v.Key] = v.Power
			trusted += v.Power
		}
	case b.Header.Height == t.Height+1 && b.Header.ValidatorsHash != t.NextValidatorsHash:
		return 0, refuse(CodeWrongValidators, "the validators are not those that the header before names")
	}
	var voted, total, votedOfTrusted int64
	for _, v := range b.Validators {
		total += v.Power
	}
	for i, v := range b.Validators {
		if b.Commit.Votes[i] == nil {
			continue
		}
		voted += v.Power
		votedOfTrusted += known[v.Key]
		if 3*voted > 2*total && (trusted == 0 || 3*votedOfTrusted > trusted) {
			return i + 1, nil
		}
	}
	if trusted > 0 && 3*votedOfTrusted <= trusted {
		return 0, refuse(CodeNotTrusted, "%d of a trusted power of %d voted, want more than a third: verify a block between", votedOfTrusted, trusted)
	}
	return 0, refuse(CodeNotEnoughPower, "%d of a power of %d voted, want more than two thirds", voted, total)
}
