package ledger

import (
	"bytes"
	"crypto/sha256"

	"collimate/keys"
)

// KindSetParams is the kind of SetParams.
const KindSetParams Kind = "set-params"

// SetParams is a vote for new params, new units of payers, and the height from which they count. A payer signs it.
// More than two thirds of all units decide. ledger-spec 5.6
type SetParams struct {
	Version uint64 `cbor:"1,keyasint"` // one more than ParamsRecord.Version
	Params  Params `cbor:"2,keyasint"`
	// Payers are those whose units change, and new ones, in ascending order of keys, which Sign sees to.
	Payers   []PayerUnits `cbor:"3,keyasint"`
	Height   uint64       `cbor:"4,keyasint"`
	Sequence uint64       `cbor:"5,keyasint"` // one more than PayerRecord.Sequence
}

// Kind returns KindSetParams.
func (s SetParams) Kind() Kind { return KindSetParams }

func (s SetParams) canonical() Body {
	s.Payers = sortedPayers(s.Payers)
	return s
}

func (s SetParams) validate() error {
	if err := s.Params.Validate(); err != nil {
		return err
	}
	if n := len(s.Payers); n > MaxPayers {
		return outOfBounds("%d payers are changed, at most %d are allowed", n, MaxPayers)
	}
	for i, p := range s.Payers {
		switch {
		case p.Payer.IsZero():
			return outOfBounds("payer %d of %d has no key", i+1, len(s.Payers))
		case p.Units > MaxUnits:
			return outOfBounds("payer %d of %d gets %d units, at most %d are allowed", i+1, len(s.Payers), p.Units, uint64(MaxUnits))
		case i > 0 && bytes.Compare(s.Payers[i-1].Payer.ID[:], p.Payer.ID[:]) >= 0:
			return outOfBounds("the payers are not in ascending order without repetition")
		}
	}
	return nil
}

// Proposal returns the hash of what is voted for: SHA-256("collimate/proposal/v1" 0x00 CBOR of [version, params,
// payers, height]). ledger-spec 5.6
func (s SetParams) Proposal() [32]byte {
	proposal := encode([]any{s.Version, s.Params, s.Payers, s.Height})
	return sha256.Sum256(append([]byte(tagProposal), proposal...))
}

func (s SetParams) rule(e *env) ([]write, error) {
	payer, err := e.payer(s.Sequence)
	if err != nil {
		return nil, err
	}
	now, err := readParams(e)
	if err != nil {
		return nil, err
	}
	if s.Version != now.Version+1 {
		return nil, refuse(CodeWrongVersion, "the version on the ledger is %d: the next is one more, not %d", now.Version, s.Version)
	}
	next, err := readNext(e)
	switch {
	case err != nil:
		return nil, err
	case next != nil:
		return nil, refuse(CodeChangePending, "other params are decided and count from height %d", next.Height)
	}
	if least := uint64(e.height) + now.Params.ChangeBlocks; s.Height < least || s.Height > uint64(e.height)+maxChangeBlocks {
		return nil, refuse(CodeBadHeight, "params can be changed from height %d to %d", least, e.height+maxChangeBlocks)
	}
	count, err := s.count(e)
	if err != nil {
		return nil, err
	}
	if count.payers > MaxPayers {
		return nil, refuse(CodeTooManyPayers, "there would be %d payers, at most %d are allowed", count.payers, MaxPayers)
	}
	if err := e.chargePayer(payer); err != nil {
		return nil, err
	}
	writes := []write{set(KeyPayer(payer.ID), payer)}
	if 3*count.agreed <= 2*count.units {
		return append(writes, set(KeyVote(payer.ID), VoteRecord{s.Version, s.Proposal()})), nil
	}
	for _, voter := range count.voters {
		writes = append(writes, write{key: KeyVote(voter)})
	}
	return append(writes, set(KeyNext(), NextRecord{s.Version, s.Params, s.Payers, s.Height})), nil
}

// count is how a vote stands.
type count struct {
	units, agreed uint64       // of all payers, and of those who agree
	voters        []keys.Payer // whose vote the state holds
	payers        int          // that there would be
}

// count counts the votes for this proposal, that of the signer among them.
func (s SetParams) count(e *env) (c count, err error) {
	proposal := s.Proposal()
	known := map[keys.Payer]bool{}
	err = visitPayers(e, func(p PayerRecord) error {
		known[p.ID] = true
		c.units += p.Units
		var vote VoteRecord
		voted, err := get(e, KeyVote(p.ID), &vote)
		if voted {
			c.voters = append(c.voters, p.ID)
		}
		if p.ID.ID == e.by || voted && vote == (VoteRecord{s.Version, proposal}) {
			c.agreed += p.Units
		}
		return err
	})
	c.payers = len(known)
	for _, p := range s.Payers {
		if !known[p.Payer] {
			c.payers++
		}
	}
	return c, err
}
