package ledger

import (
	"bytes"
	"slices"

	"collimate/keys"
)

// Params are the rules that payers can change by a vote. ledger-spec 4.3
type Params struct {
	WritesPerUnit     uint64 `cbor:"1,keyasint" json:"writes_per_unit"`     // a day, for each unit bonded for a source
	SavedDays         uint64 `cbor:"2,keyasint" json:"saved_days"`          // for which a source can save them up
	WritesPerStudy    uint64 `cbor:"3,keyasint" json:"writes_per_study"`    // a day, of the owner
	SavedWrites       uint64 `cbor:"4,keyasint" json:"saved_writes"`        // that an owner can save up
	WritesPerPayer    uint64 `cbor:"5,keyasint" json:"writes_per_payer"`    // a day, which are what a payer can save up
	UnbondingTime     uint64 `cbor:"6,keyasint" json:"unbonding_time"`      // seconds
	EarlierTime       uint64 `cbor:"7,keyasint" json:"earlier_time"`        // seconds for a source's earlier endpoints and key
	RecoveryTime      uint64 `cbor:"8,keyasint" json:"recovery_time"`       // least delay of a recovery in seconds
	EmergencyTime     uint64 `cbor:"9,keyasint" json:"emergency_time"`      // longest emergency in seconds
	ChangeBlocks      uint64 `cbor:"10,keyasint" json:"change_blocks"`      // between the decision on new params and their effect
	AbsenceTime       uint64 `cbor:"11,keyasint" json:"absence_time"`       // seconds between two looks at who is absent
	AbsenceWindow     uint64 `cbor:"12,keyasint" json:"absence_window"`     // seconds in which absences are counted
	AbsencesTolerated uint64 `cbor:"13,keyasint" json:"absences_tolerated"` // in a window
	JailTime          uint64 `cbor:"14,keyasint" json:"jail_time"`          // seconds
	AbsenceForfeit    uint64 `cbor:"15,keyasint" json:"absence_forfeit"`    // thousandths of each bond
	// EmergenciesPerMember is how many a member of a group has a day, which are what it can save up.
	EmergenciesPerMember uint64 `cbor:"16,keyasint" json:"emergencies_per_member"`
}

// DefaultParams are those of a genesis that names none.
func DefaultParams() Params {
	return Params{
		WritesPerUnit: 10, SavedDays: 21,
		WritesPerStudy: 24, SavedWrites: 64,
		WritesPerPayer:       1000,
		UnbondingTime:        21 * 86400,
		EarlierTime:          7 * 86400,
		RecoveryTime:         3 * 86400,
		EmergencyTime:        86400,
		ChangeBlocks:         100,
		AbsenceTime:          10,
		AbsenceWindow:        86400,
		AbsencesTolerated:    4320,
		JailTime:             3600,
		AbsenceForfeit:       10,
		EmergenciesPerMember: 8,
	}
}

// Validate returns a *SyntaxError that names the first number that is out of bounds.
func (p Params) Validate() error {
	const year = 365 * 86400
	for _, n := range []struct {
		name             string
		got, least, most uint64
	}{
		{"writes_per_unit", p.WritesPerUnit, 1, 1_000_000},
		{"saved_days", p.SavedDays, 1, 366},
		{"writes_per_study", p.WritesPerStudy, 1, 1_000_000},
		{"saved_writes", p.SavedWrites, 2, 10_000},
		{"writes_per_payer", p.WritesPerPayer, 1, 1_000_000},
		{"unbonding_time", p.UnbondingTime, 1, 10 * year},
		{"earlier_time", p.EarlierTime, 1, year},
		{"recovery_time", p.RecoveryTime, 1, year},
		{"emergency_time", p.EmergencyTime, 1, 7 * 86400},
		{"change_blocks", p.ChangeBlocks, 1, 1_000_000},
		{"absence_time", p.AbsenceTime, 1, 3600},
		{"absence_window", p.AbsenceWindow, 60, year},
		{"absences_tolerated", p.AbsencesTolerated, 1, 1_000_000},
		{"jail_time", p.JailTime, 1, year},
		{"absence_forfeit", p.AbsenceForfeit, 0, 1000},
		{"emergencies_per_member", p.EmergenciesPerMember, 1, 1_000_000},
	} {
		if n.got < n.least || n.got > n.most {
			return outOfBounds("%s is %d, want %d to %d", n.name, n.got, n.least, n.most)
		}
	}
	return nil
}

// ParamsRecord is the Params in force.
type ParamsRecord struct {
	Version uint64 `cbor:"1,keyasint" json:"version"` // 1 at genesis
	Params  Params `cbor:"2,keyasint" json:"params"`
}

// NextRecord is a change of Params that has been decided.
type NextRecord struct {
	Version uint64       `cbor:"1,keyasint" json:"version"`
	Params  Params       `cbor:"2,keyasint" json:"params"`
	Payers  []PayerUnits `cbor:"3,keyasint" json:"payers"` // ascending by key
	Height  uint64       `cbor:"4,keyasint" json:"height"` // from which it counts
}

// PayerUnits is how many units a payer may have in bonds.
type PayerUnits struct {
	_     struct{}   `cbor:",toarray"`
	Payer keys.Payer `json:"payer"`
	Units uint64     `json:"units"`
}

// sortedPayers returns payers in the order of the encoding.
func sortedPayers(payers []PayerUnits) []PayerUnits {
	return slices.SortedFunc(slices.Values(payers), func(a, b PayerUnits) int {
		return bytes.Compare(a.Payer.ID[:], b.Payer.ID[:])
	})
}

// VoteRecord is the last vote of a payer while nothing has been decided.
type VoteRecord struct {
	Version  uint64   `cbor:"1,keyasint"`
	Proposal [32]byte `cbor:"2,keyasint"`
}

// readParams returns the params in force; there are some from the genesis on.
func readParams(r Reader) (*ParamsRecord, error) {
	p, err := read(r, KeyParams(), ParamsRecord{})
	if err == nil && p == nil {
		err = refuse(CodeNoGenesis, "the state has not begun")
	}
	return p, err
}

func readNext(r Reader) (*NextRecord, error) { return read(r, KeyNext(), NextRecord{}) }
