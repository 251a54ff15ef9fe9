package ledger

// KindAmendStudy is the kind of AmendStudy.
const KindAmendStudy Kind = "amend-study"

// AmendStudy says that images of a study were added or changed. The source of the study signs it. ledger-spec 5.10
type AmendStudy struct {
	Study    StudyID `cbor:"1,keyasint"`
	Revision uint64  `cbor:"2,keyasint"` // the present one, StudyRecord.Revision
}

// Kind returns KindAmendStudy.
func (a AmendStudy) Kind() Kind { return KindAmendStudy }

func (a AmendStudy) canonical() Body { return a }

func (a AmendStudy) validate() error { return nil }

func (a AmendStudy) rule(e *env) ([]write, error) {
	source, study, err := e.publishedStudy(a.Study, a.Revision)
	if err != nil {
		return nil, err
	}
	if err := e.chargeSource(source, 1); err != nil {
		return nil, err
	}
	return []write{set(KeySource(source.ID), source), set(KeyStudy(study.ID), study)}, nil
}
