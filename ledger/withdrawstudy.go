package ledger

// KindWithdrawStudy is the kind of WithdrawStudy.
const KindWithdrawStudy Kind = "withdraw-study"

// WithdrawStudy says that a study is gone, for good. The source of the study signs it. ledger-spec 5.12
type WithdrawStudy struct {
	Study    StudyID `cbor:"1,keyasint"`
	Revision uint64  `cbor:"2,keyasint"` // the present one, StudyRecord.Revision
}

// Kind returns KindWithdrawStudy.
func (w WithdrawStudy) Kind() Kind { return KindWithdrawStudy }

func (w WithdrawStudy) canonical() Body { return w }

func (w WithdrawStudy) validate() error { return nil }

func (w WithdrawStudy) rule(e *env) ([]write, error) {
	source, study, err := e.publishedStudy(w.Study, w.Revision)
	if err != nil {
		return nil, err
	}
	study.Status = Withdrawn
	source.Studies--
	return []write{set(KeySource(source.ID), source), set(KeyStudy(study.ID), study)}, nil
}
