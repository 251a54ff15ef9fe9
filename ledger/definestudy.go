package ledger

import (
	"bytes"
	"slices"

	"collimate/keys"
)

// KindDefineStudy is the kind of DefineStudy.
const KindDefineStudy Kind = "define-study"

// DefineStudy publishes 1 to MaxStudiesPerTx studies. The source signs it. ledger-spec 5.9
type DefineStudy struct {
	// Studies are in ascending order of Study, which Sign sees to.
	Studies []StudyDefinition `cbor:"1,keyasint"`
}

// StudyDefinition is one study, who decides about it (at first the claim key of the patient's ticket) and what it is.
type StudyDefinition struct {
	_     struct{} `cbor:",toarray"`
	Study StudyID  // of a group: NewGroupID
	Owner keys.Owner
	Kind  RecordKind
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
	n := len(d.Studies)
	if n == 0 || n > MaxStudiesPerTx {
		return outOfBounds("%d studies are defined, want 1 to %d", n, MaxStudiesPerTx)
	}
	for i, s := range d.Studies {
		switch {
		case s.Owner.IsZero():
			return outOfBounds("study %d of %d has no owner", i+1, n)
		case s.Kind == 0 || s.Kind > maxRecordKind:
			return outOfBounds("study %d of %d is of kind %d, want 1 to %d", i+1, n, s.Kind, maxRecordKind)
		case i > 0 && bytes.Compare(d.Studies[i-1].Study[:], s.Study[:]) >= 0:
			return outOfBounds("the studies are not in ascending order without repetition")
		}
	}
	return nil
}

func (d DefineStudy) rule(e *env) ([]write, error) {
	source, err := e.source()
	if err != nil {
		return nil, err
	}
	stake, err := readStake(e, source.ID)
	switch {
	case err != nil:
		return nil, err
	case stake.Jailed():
		return nil, refuse(CodeJailed, "the source is in jail: let it out with unjail when its time is over")
	}
	for i, s := range d.Studies {
		if s.Kind == RecordGroup && s.Study != NewGroupID([8]byte(s.Study[:8]), source.ID, s.Owner) {
			return nil, refuse(CodeBadGroup, "study %d of %d is a group: its name is not that of this source and owner", i+1, len(d.Studies))
		}
	}
	writes := make([]write, 0, len(d.Studies)+1)
	for i, s := range d.Studies {
		before, err := e.Get(KeyStudy(s.Study))
		switch {
		case err != nil:
			return nil, err
		case before != nil:
			return nil, refuse(CodeStudyExists, "study %d of %d is on the ledger already", i+1, len(d.Studies))
		}
		writes = append(writes, set(KeyStudy(s.Study), StudyRecord{
			Source: source.ID, Owner: s.Owner, Kind: s.Kind,
			DefinedAt: e.height, ChangedAt: e.height, RevisedAt: e.height,
		}))
	}
	if err := e.chargeSource(source, uint64(len(d.Studies))); err != nil {
		return nil, err
	}
	source.Studies += uint64(len(d.Studies))
	return append(writes, set(KeySource(source.ID), source)), nil
}
