package ledger

import "collimate/keys"

// The kinds of Bond and Unbond.
const (
	KindBond   Kind = "bond"
	KindUnbond Kind = "unbond"
)

// Bond puts up units for a source, which need not be defined yet. A payer signs it. ledger-spec 5.4
type Bond struct {
	Source   keys.Source `cbor:"1,keyasint"`
	Units    uint64      `cbor:"2,keyasint"`
	Sequence uint64      `cbor:"3,keyasint"` // one more than PayerRecord.Sequence
}

// Kind returns KindBond.
func (b Bond) Kind() Kind { return KindBond }

func (b Bond) canonical() Body { return b }

func (b Bond) validate() error { return checkBond(b.Source, b.Units) }

// checkBond is the form that Bond and Unbond have in common.
func checkBond(source keys.Source, units uint64) error {
	if source.IsZero() {
		return outOfBounds("the bond names no source")
	}
	if units == 0 || units > MaxUnits {
		return outOfBounds("the bond is about %d units, want 1 to %d", units, uint64(MaxUnits))
	}
	return nil
}

func (b Bond) rule(e *env) ([]write, error) {
	payer, err := e.payer(b.Sequence)
	if err != nil {
		return nil, err
	}
	if payer.Bonded+b.Units > payer.Units {
		return nil, refuse(CodeOverLimit, "the payer has %d of its %d units in bonds: %d more are too many",
			payer.Bonded, payer.Units, b.Units)
	}
	stake, err := readStake(e, b.Source)
	switch {
	case err != nil:
		return nil, err
	case stake.Expelled:
		return nil, refuse(CodeExpelled, "the source is expelled for good")
	}
	bond, err := readBond(e, b.Source, payer.ID)
	if err != nil {
		return nil, err
	}
	if err := e.chargePayer(payer); err != nil {
		return nil, err
	}
	bond.Units += b.Units
	stake.Units += b.Units
	payer.Bonded += b.Units
	return []write{bond.write(), set(KeyStake(b.Source), stake), set(KeyPayer(payer.ID), payer)}, nil
}

// Unbond takes units back, which are free after a while. A payer signs it. ledger-spec 5.5
type Unbond struct {
	Source   keys.Source `cbor:"1,keyasint"`
	Units    uint64      `cbor:"2,keyasint"`
	Sequence uint64      `cbor:"3,keyasint"` // one more than PayerRecord.Sequence
}

// Kind returns KindUnbond.
func (u Unbond) Kind() Kind { return KindUnbond }

func (u Unbond) canonical() Body { return u }

func (u Unbond) validate() error { return checkBond(u.Source, u.Units) }

func (u Unbond) rule(e *env) ([]write, error) {
	payer, err := e.payer(u.Sequence)
	if err != nil {
		return nil, err
	}
	bond, err := readBond(e, u.Source, payer.ID)
	switch {
	case err != nil:
		return nil, err
	case u.Units > bond.Units:
		return nil, refuse(CodeOverLimit, "the bond has %d units: %d are too many", bond.Units, u.Units)
	}
	stake, err := readStake(e, u.Source)
	if err != nil {
		return nil, err
	}
	params, err := e.params()
	if err != nil {
		return nil, err
	}
	if err := e.chargePayer(payer); err != nil {
		return nil, err
	}
	var writes []write
	if bond.FreeAt != 0 { // what is being unbonded begins again to wait
		writes = append(writes, write{key: keyUnbond(bond.FreeAt, u.Source, payer.ID)})
	}
	bond.Units -= u.Units
	bond.Unbonding += u.Units
	bond.FreeAt = e.now() + Seconds(params.UnbondingTime)
	stake.Units -= u.Units
	return append(writes,
		bond.write(),
		set(KeyStake(u.Source), stake),
		set(KeyPayer(payer.ID), payer),
		set(keyUnbond(bond.FreeAt, u.Source, payer.ID), nothing{}),
	), nil
}
