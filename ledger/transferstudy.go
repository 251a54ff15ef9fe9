package ledger

import "collimate/keys"

// KindTransferStudy is the kind of TransferStudy.
const KindTransferStudy Kind = "transfer-study"

// TransferStudy gives a study to a new owner: a patient claims it with the key of the ticket, or hands it over.
// The present owner signs it. It begins a new epoch, which voids every grant: whom the study is shown to is for
// the new owner to decide. ledger-spec 5.13
type TransferStudy struct {
	Study    StudyID    `cbor:"1,keyasint"`
	Epoch    uint64     `cbor:"2,keyasint"` // the present one, StudyRecord.Epoch
	NewOwner keys.Owner `cbor:"3,keyasint"`
}

// Kind returns KindTransferStudy.
func (t TransferStudy) Kind() Kind { return KindTransferStudy }

func (t TransferStudy) canonical() Body { return t }

func (t TransferStudy) validate() error {
	if t.NewOwner.IsZero() {
		return outOfBounds("the transfer names no new owner")
	}
	return nil
}

func (t TransferStudy) rule(e *env) ([]write, error) {
	study, err := e.ownedStudy(t.Study, t.Epoch)
	if err != nil {
		return nil, err
	}
	if t.NewOwner == study.Owner {
		return nil, refuse(CodeSameOwner, "the new owner is the present one")
	}
	if err := e.chargeStudy(study, 1); err != nil {
		return nil, err
	}
	return study.handOver(e, t.NewOwner, e.height)
}
