package ledger

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"collimate/keys"
)

// Observed is what the engine reports of validators with a block.
type Observed struct {
	Equivocated []ValidatorKey // that voted twice at one height
	Absent      []ValidatorKey // that did not sign the block before; none at the first block
}

// BeginBlock does what is to be done before the transactions of a block, once: it puts decided params in force, does
// what is due, and punishes. The head record must be that of the block before. An error is a failure to read or write the
// state. ledger-spec 5.0.3
func BeginBlock(w ReaderWriter, at Context, seen Observed) error {
	b := &beginning{ReaderWriter: w, height: at.Height, time: at.Time.UnixNano(), now: Seconds(at.Time.UnixNano() / 1e9)}
	for _, step := range []func() error{
		b.changeParams,
		func() error { return b.doDue(dueUnbond, b.freeUnits) },
		func() error {
			return b.doDue(dueRecover, func(at Seconds, reference []byte) ([]write, error) {
				return recoverDue(b, StudyID(reference), at, b.height)
			})
		},
		func() error { return b.expel(seen.Equivocated) },
		func() error { return b.countAbsences(seen.Absent) },
	} {
		if err := step(); err != nil {
			return fmt.Errorf("beginning block %d: %w", at.Height, err)
		}
	}
	return nil
}

// beginning is a block that begins.
type beginning struct {
	ReaderWriter
	height int64
	time   int64 // chain time, Unix nanoseconds
	now    Seconds
}

// changeParams puts decided params in force.
func (b *beginning) changeParams() error {
	next, err := readNext(b)
	if err != nil || next == nil || next.Height > uint64(b.height) {
		return err
	}
	writes := []write{
		set(KeyParams(), ParamsRecord{next.Version, next.Params}),
		{key: KeyNext()},
	}
	for _, p := range next.Payers {
		payer, err := readPayer(b, p.Payer)
		if err != nil {
			return err
		}
		if payer == nil {
			payer = &PayerRecord{}
		}
		payer.Units = p.Units
		writes = append(writes, set(KeyPayer(p.Payer), payer))
	}
	return put(b, writes)
}

// doDue does what is due of a kind, the first MaxDuePerBlock of it.
func (b *beginning) doDue(kind byte, do func(at Seconds, reference []byte) ([]write, error)) error {
	var due [][]byte
	enough := errors.New("enough")
	err := b.Iterate([]byte{prefixDue, kind}, func(key, _ []byte) error {
		if len(due) == MaxDuePerBlock || Seconds(binary.BigEndian.Uint64(key[2:])) > b.now {
			return enough
		}
		due = append(due, bytes.Clone(key))
		return nil
	})
	if err != nil && !errors.Is(err, enough) {
		return fmt.Errorf("reading the state: %w", err)
	}
	for _, key := range due {
		writes, err := do(Seconds(binary.BigEndian.Uint64(key[2:])), key[10:])
		if err != nil {
			return err
		}
		if err := put(b, append(writes, write{key: key})); err != nil {
			return err
		}
	}
	return nil
}

// freeUnits gives a payer back what has been unbonded.
func (b *beginning) freeUnits(at Seconds, reference []byte) ([]write, error) {
	source, id := keys.Source{ID: keys.ID(reference[:32])}, keys.Payer{ID: keys.ID(reference[32:])}
	bond, err := readBond(b, source, id)
	if err != nil || bond.FreeAt != at {
		return nil, err
	}
	payer, err := readPayer(b, id)
	if err != nil {
		return nil, err
	}
	payer.Bonded -= bond.Unbonding
	bond.Unbonding, bond.FreeAt = 0, 0
	return []write{bond.write(), set(KeyPayer(id), payer)}, nil
}

// expel expels the sources of validators that voted twice at one height, and all that was bonded for them is lost.
func (b *beginning) expel(validators []ValidatorKey) error {
	for _, key := range sortedValidators(validators) {
		stake, err := b.stakeOf(key)
		if err != nil {
			return err
		}
		if stake == nil || stake.Expelled {
			continue
		}
		stake.Expelled = true
		if err := b.forfeit(stake, 1000); err != nil {
			return err
		}
	}
	return nil
}

// countAbsences counts who did not sign the block before, and puts sources in jail whose validators are absent too
// often. It looks once in AbsenceTime seconds, so that the speed of the chain does not matter.
func (b *beginning) countAbsences(validators []ValidatorKey) error {
	params, err := readParams(b)
	if err != nil {
		return err
	}
	p := params.Params
	before, err := timeBefore(b)
	if err != nil {
		return err
	}
	step := int64(p.AbsenceTime) * 1e9
	if b.time/step == before/step {
		return nil
	}
	window := uint64(b.now) / p.AbsenceWindow
	for _, key := range sortedValidators(validators) {
		v, err := readValidator(b, key)
		if err != nil {
			return err
		}
		if v == nil {
			continue
		}
		if v.Window != window {
			v.Window, v.Absences = window, 0
		}
		v.Absences++
		tooOften := v.Absences > p.AbsencesTolerated
		if tooOften {
			v.Absences = 0
		}
		if err := put(b, []write{set(KeyValidator(key), v)}); err != nil {
			return err
		}
		if !tooOften {
			continue
		}
		if err := b.jail(key, &p); err != nil {
			return err
		}
	}
	return nil
}

// jail puts the source of a validator in jail, if there is one and it is free.
func (b *beginning) jail(validator ValidatorKey, p *Params) error {
	stake, err := b.stakeOf(validator)
	if err != nil || stake == nil || stake.Jailed() || stake.Expelled {
		return err
	}
	stake.JailedUntil = b.now + Seconds(p.JailTime)
	stake.Jailings++
	return b.forfeit(stake, p.AbsenceForfeit)
}

// stakeOf returns the stake of the source that a validator belongs to, nil if it belongs to none.
func (b *beginning) stakeOf(validator ValidatorKey) (*StakeRecord, error) {
	v, err := readValidator(b, validator)
	if err != nil || v == nil || v.Source.IsZero() {
		return nil, err
	}
	return readStake(b, v.Source)
}

// forfeit takes some thousandths of each bond of a source, and of what is being unbonded of it, each rounded up; and
// writes the stake.
func (b *beginning) forfeit(stake *StakeRecord, thousandths uint64) error {
	var writes []write
	err := visitBonds(b, stake.Source, func(bond BondRecord) error {
		payer, err := readPayer(b, bond.Payer)
		if err != nil {
			return err
		}
		units, unbonding := share(bond.Units, thousandths), share(bond.Unbonding, thousandths)
		lost := units + unbonding
		bond.Units -= units
		bond.Unbonding -= unbonding
		if bond.Unbonding == 0 && bond.FreeAt != 0 {
			writes = append(writes, write{key: keyUnbond(bond.FreeAt, bond.Source, bond.Payer)})
			bond.FreeAt = 0
		}
		stake.Units -= units
		stake.Forfeited += lost
		payer.Units -= min(lost, payer.Units)
		payer.Bonded -= lost
		payer.Forfeited += lost
		writes = append(writes, bond.write(), set(KeyPayer(bond.Payer), payer))
		return nil
	})
	if err != nil {
		return err
	}
	return put(b, append(writes, set(KeyStake(stake.Source), stake)))
}

// share returns some thousandths of a number of units, rounded up.
func share(units, thousandths uint64) uint64 { return (units*thousandths + 999) / 1000 }

// sortedValidators returns each key once, in bytewise order.
func sortedValidators(all []ValidatorKey) []ValidatorKey {
	sorted := slices.SortedFunc(slices.Values(all), func(a, b ValidatorKey) int { return bytes.Compare(a[:], b[:]) })
	return slices.Compact(sorted)
}
