package ledger

// KindHoldStudy is the kind of HoldStudy.
const KindHoldStudy Kind = "hold-study"

// HoldStudy keeps a study from everybody, as when it may be of another patient, or releases it again. The source of
// the study signs it. ledger-spec 5.11
type HoldStudy struct {
	Study    StudyID `cbor:"1,keyasint"`
	Revision uint64  `cbor:"2,keyasint"` // the present one, StudyRecord.Revision
	Held     bool    `cbor:"3,keyasint"`
}

// Kind returns KindHoldStudy.
func (h HoldStudy) Kind() Kind { return KindHoldStudy }

func (h HoldStudy) canonical() Body { return h }

func (h HoldStudy) validate() error { return nil }

func (h HoldStudy) rule(e *env) ([]write, error) {
	source, study, err := e.publishedStudy(h.Study, h.Revision)
	if err != nil {
		return nil, err
	}
	if (study.Status == Held) == h.Held {
		return nil, refuse(CodeNoChange, "the study is held already, or not held")
	}
	if h.Held {
		study.Status = Held
		return []write{set(KeyStudy(study.ID), study)}, nil
	}
	study.Status = Live
	if err := e.chargeSource(source, 1); err != nil {
		return nil, err
	}
	return []write{set(KeySource(source.ID), source), set(KeyStudy(study.ID), study)}, nil
}
