package ledger

import (
	"bytes"
	"slices"
)

// KindSetGuardians is the kind of SetGuardians.
const KindSetGuardians Kind = "set-guardians"

// SetGuardians names, behind commitments, the keys that can give the study a new owner together when the owner's key
// is lost; or nobody. It ends a recovery that is under way. The owner signs it. ledger-spec 5.16
type SetGuardians struct {
	Study     StudyID `cbor:"1,keyasint"`
	Epoch     uint64  `cbor:"2,keyasint"` // the present one, StudyRecord.Epoch
	Round     uint64  `cbor:"3,keyasint"` // the present one, GuardiansRecord.Round; 0 at first
	Threshold uint64  `cbor:"4,keyasint"` // how many must agree; 0 if there are no guardians
	// Guardians are NewGuardian of each with a fresh blind, in ascending order, which Sign sees to.
	Guardians []Commitment `cbor:"5,keyasint"`
	Delay     uint64       `cbor:"6,keyasint"` // seconds in which the owner can object; 0 if there are no guardians
}

// Kind returns KindSetGuardians.
func (s SetGuardians) Kind() Kind { return KindSetGuardians }

func (s SetGuardians) canonical() Body {
	s.Guardians = slices.SortedFunc(slices.Values(s.Guardians), compareCommitments)
	return s
}

func compareCommitments(a, b Commitment) int { return bytes.Compare(a[:], b[:]) }

func (s SetGuardians) validate() error {
	n := uint64(len(s.Guardians))
	switch {
	case n > MaxGuardians:
		return outOfBounds("there are %d guardians, at most %d are allowed", n, MaxGuardians)
	case n == 0 && (s.Threshold != 0 || s.Delay != 0):
		return outOfBounds("without guardians nobody has to agree, and there is no delay")
	case n > 0 && (s.Threshold == 0 || s.Threshold > n):
		return outOfBounds("%d of %d guardians must agree, want 1 to %d", s.Threshold, n, n)
	case s.Delay > maxRecoveryDelay:
		return outOfBounds("the delay is %d seconds, at most %d are allowed", s.Delay, maxRecoveryDelay)
	}
	var before Commitment // a zero guardian is not above it
	for _, g := range s.Guardians {
		if compareCommitments(before, g) >= 0 {
			return outOfBounds("the guardians are not in ascending order without repetition, or one is zero")
		}
		before = g
	}
	return nil
}

func (s SetGuardians) rule(e *env) ([]write, error) {
	study, err := e.ownedStudy(s.Study, s.Epoch)
	if err != nil {
		return nil, err
	}
	guardians, err := guardiansOf(e, study, s.Round)
	if err != nil {
		return nil, err
	}
	params, err := e.params()
	if err != nil {
		return nil, err
	}
	if len(s.Guardians) > 0 && s.Delay < params.RecoveryTime {
		return nil, refuse(CodeBadDelay, "the delay is %d seconds, at least %d are required", s.Delay, params.RecoveryTime)
	}
	if err := e.chargeStudy(study, 1); err != nil {
		return nil, err
	}
	guardians.Threshold, guardians.Guardians, guardians.Delay = s.Threshold, s.Guardians, s.Delay
	writes, err := nextRound(e, guardians)
	return append(writes, set(KeyStudy(study.ID), study)), err
}
