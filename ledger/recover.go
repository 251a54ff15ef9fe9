package ledger

import (
	"slices"

	"collimate/keys"
)

// KindRecover is the kind of Recover.
const KindRecover Kind = "recover"

// Recover asks for a new owner of a study. When enough guardians have asked for the same one, it takes over after the
// delay that the owner has set, unless the owner cancels. A guardian signs it. ledger-spec 5.17
type Recover struct {
	Study      StudyID    `cbor:"1,keyasint"`
	OwnerSince uint64     `cbor:"2,keyasint"` // StudyRecord.OwnerSince
	Round      uint64     `cbor:"3,keyasint"` // the present one, GuardiansRecord.Round
	NewOwner   keys.Owner `cbor:"4,keyasint"`
	Blind      [32]byte   `cbor:"5,keyasint"` // of the guardian's commitment
	Attempt    uint64     `cbor:"6,keyasint"` // 1 at first, one more for each change of mind
}

// Kind returns KindRecover.
func (v Recover) Kind() Kind { return KindRecover }

func (v Recover) canonical() Body { return v }

func (v Recover) validate() error {
	switch {
	case v.NewOwner.IsZero():
		return outOfBounds("the recovery names no new owner")
	case v.Attempt == 0 || v.Attempt > MaxAttempts:
		return outOfBounds("the attempt is %d, want 1 to %d", v.Attempt, MaxAttempts)
	}
	return nil
}

func (v Recover) rule(e *env) ([]write, error) {
	study, guardians, err := v.guardians(e)
	if err != nil {
		return nil, err
	}
	who := NewGuardian(v.Blind, keys.Guardian{ID: e.by}, v.Study)
	if !slices.Contains(guardians.Guardians, who) {
		return nil, refuse(CodeNotGuardian, "the signer is not a guardian of the study, or with another blind")
	}
	if v.NewOwner == study.Owner {
		return nil, refuse(CodeSameOwner, "the new owner is the present one")
	}
	recovery, err := readRecovery(e, guardians)
	if err != nil {
		return nil, err
	}
	if recovery == nil {
		recovery = &RecoveryRecord{Study: v.Study, Round: guardians.Round}
	}
	if recovery.At != 0 {
		return nil, refuse(CodeRecoveryPending, "the guardians have agreed already: it stands unless the owner cancels")
	}
	if err := recovery.call(who, v.Attempt, v.NewOwner); err != nil {
		return nil, err
	}
	if err := e.chargeOthers(study); err != nil {
		return nil, err
	}
	writes := []write{set(KeyStudy(study.ID), study)}
	if recovery.calls(v.NewOwner) >= guardians.Threshold {
		recovery.NewOwner = v.NewOwner
		recovery.At = e.now() + Seconds(guardians.Delay)
		writes = append(writes, set(keyRecover(recovery.At, v.Study), nothing{}))
	}
	return append(writes, set(KeyRecovery(v.Study), recovery)), nil
}

// guardians returns the study and its guardians, who need not be those that signed.
func (v Recover) guardians(e *env) (*StudyRecord, *GuardiansRecord, error) {
	study, err := readStudy(e, v.Study)
	switch {
	case err != nil:
		return nil, nil, err
	case study == nil:
		return nil, nil, refuse(CodeUnknownStudy, "the study is not on the ledger")
	case study.Status == Withdrawn:
		return nil, nil, refuse(CodeWithdrawn, "the source has withdrawn the study")
	case study.OwnerSince != v.OwnerSince:
		return nil, nil, refuse(CodeWrongEpoch, "the owner is that since epoch %d: what was signed for that of epoch %d does not count", study.OwnerSince, v.OwnerSince)
	}
	guardians, err := guardiansOf(e, study, v.Round)
	return study, guardians, err
}

// call notes the word of a guardian, in place of its last one.
func (r *RecoveryRecord) call(who Commitment, attempt uint64, to keys.Owner) error {
	i, found := slices.BinarySearchFunc(r.Calls, who, func(c RecoveryCall, who Commitment) int {
		return compareCommitments(c.Guardian, who)
	})
	if !found {
		r.Calls = slices.Insert(r.Calls, i, RecoveryCall{Guardian: who})
	}
	if next := r.Calls[i].Attempt + 1; attempt != next {
		return refuse(CodeWrongAttempt, "the guardian's next attempt is %d, not %d", next, attempt)
	}
	r.Calls[i].Attempt, r.Calls[i].NewOwner = attempt, to
	return nil
}

// calls counts the guardians whose last word is for an owner.
func (r *RecoveryRecord) calls(to keys.Owner) (n uint64) {
	for _, c := range r.Calls {
		if c.NewOwner == to {
			n++
		}
	}
	return n
}
