package ledger

// KindCancelRecovery is the kind of CancelRecovery.
const KindCancelRecovery Kind = "cancel-recovery"

// CancelRecovery says that the owner's key is not lost: what the guardians have said so far counts no more. It costs
// nothing, so that guardians cannot hinder it. The owner signs it. ledger-spec 5.18
type CancelRecovery struct {
	Study StudyID `cbor:"1,keyasint"`
	Epoch uint64  `cbor:"2,keyasint"` // the present one, StudyRecord.Epoch
	Round uint64  `cbor:"3,keyasint"` // the present one, GuardiansRecord.Round
}

// Kind returns KindCancelRecovery.
func (c CancelRecovery) Kind() Kind { return KindCancelRecovery }

func (c CancelRecovery) canonical() Body { return c }

func (c CancelRecovery) validate() error { return nil }

func (c CancelRecovery) rule(e *env) ([]write, error) {
	study, err := e.ownedEvenWithdrawn(c.Study, c.Epoch)
	if err != nil {
		return nil, err
	}
	guardians, err := guardiansOf(e, study, c.Round)
	if err != nil {
		return nil, err
	}
	recovery, err := readRecovery(e, guardians)
	if err != nil {
		return nil, err
	}
	if recovery == nil {
		return nil, refuse(CodeNoRecovery, "no guardian has asked for a new owner")
	}
	return nextRound(e, guardians)
}
