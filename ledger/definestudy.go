package ledger

import (
	"bytes"
	"slices"

	"collimate/keys"
)

// KindDefineStudy is the kind of DefineStudy.
const KindDefineStudy Kind = "define-study"

// DefineStudy publishes 1 to MaxStudiesPerTx studies. The source signs it. ledger-spec 5.2
type DefineStudy struct {
	// Studies are in ascending order of Study, which Sign sees to.
	Studies []StudyDefinition `cbor:"1,keyasint"`
}

// StudyDefinition is one study and who decides about it: at first the claim key of the patient's ticket.
type StudyDefinition struct {
	_     struct{} `cbor:",toarray"`
	Study StudyID
	Owner keys.Owner
}

// Kind returns KindDefineStudy.
func (d DefineStudy) Kind() Kind { return KindDefineStudy }

func (d DefineStudy) canonical() Body {
	d.Studies = slices.SortedFunc(slices.Values(d.Studies), func(a, b StudyDefinition) int {
		return bytes.Compare(a.Study[:], b.Study[:])
	})
	return d
}

func (d DefineStudy) validate() error {
	if n := len(d.Studies); n == 0 || n > MaxStudiesPerTx {
		return outOfBounds("%d studies are defined, want 1 to %d", n, MaxStudiesPerTx)
	}
	for i, s := range d.Studies {
		if s.Owner.IsZero() {
			return outOfBounds("study %d of %d has no owner", i+1, len(d.Studies))
		}
		if i > 0 && bytes.Compare(d.Studies[i-1].Study[:], s.Study[:]) >= 0 {
			return outOfBounds("the studies are not in ascending order without repetition")
		}
	}
	return nil
}

func (d DefineStudy) rule(r Reader, by signer, at Context) ([]write, error) {
	source := keys.Source{ID: by.id}
	if record, err := readSource(r, source); err != nil {
		return nil, err
	} else if record == nil {
		return nil, refuse(CodeUnknownSource, "the signer is not a source on this ledger: define the source first")
	}
	writes := make([]write, 0, len(d.Studies))
	for i, s := range d.Studies {
		before, err := readStudy(r, s.Study)
		if err != nil {
			return nil, err
		}
		if before != nil {
			return nil, refuse(CodeStudyExists, "study %d of %d is on the ledger already", i+1, len(d.Studies))
		}
		writes = append(writes, set(keyStudy(s.Study), StudyRecord{
			Source: source, Owner: s.Owner, DefinedAt: at.Height, ChangedAt: at.Height,
		}))
	}
	return writes, nil
}
