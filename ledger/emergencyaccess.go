package ledger

import (
	"slices"

	"collimate/keys"
)

// KindEmergencyAccess is the kind of EmergencyAccess.
const KindEmergencyAccess Kind = "emergency-access"

// EmergencyAccess breaks the glass: a member of a group that the study's source admits in emergencies takes a study for
// a short time without a grant, and everybody sees it. The member signs it. ledger-spec 5.19
type EmergencyAccess struct {
	Study    StudyID    `cbor:"1,keyasint"`
	Group    StudyID    `cbor:"2,keyasint"`
	Blind    [32]byte   `cbor:"3,keyasint"` // of the grant of Group by which the signer is a member
	Reason   Commitment `cbor:"4,keyasint"` // NewReason with a fresh blind
	NotAfter int64      `cbor:"5,keyasint"` // Unix time in seconds, the last at which it counts
}

// Kind returns KindEmergencyAccess.
func (a EmergencyAccess) Kind() Kind { return KindEmergencyAccess }

func (a EmergencyAccess) canonical() Body { return a }

func (a EmergencyAccess) validate() error {
	if a.NotAfter <= 0 {
		return outOfBounds("the emergency has no end, or one before 1970")
	}
	return nil
}

func (a EmergencyAccess) rule(e *env) ([]write, error) {
	study, err := a.findStudy(e)
	if err != nil {
		return nil, err
	}
	requester := keys.Grantee{ID: e.by}
	membership := NewCommitment(a.Blind, requester, a.Group)
	group, err := a.admit(e, study, membership)
	if err != nil {
		return nil, err
	}
	params, err := e.params()
	if err != nil {
		return nil, err
	}
	if err := e.checkExpiry(a.NotAfter, int64(params.EmergencyTime)); err != nil {
		return nil, err
	}
	before, err := readEmergency(e, a.Study, requester)
	if err != nil {
		return nil, err
	}
	if before != nil && before.NotAfter >= e.now() {
		return nil, refuse(CodeEmergencyActive, "the signer has access by an emergency already")
	}
	member, err := readMember(e, group.ID, requester)
	if err != nil {
		return nil, err
	}
	if err := e.chargeMember(group, requester, member); err != nil {
		return nil, err
	}
	return []write{set(KeyStudy(group.ID), group), set(KeyMember(group.ID, requester), member), set(KeyEmergency(a.Study, requester), EmergencyRecord{
		Group: a.Group, Membership: membership, Reason: a.Reason, Height: e.height, NotAfter: Seconds(a.NotAfter),
	})}, nil
}

// findStudy refuses a study that nobody can have.
func (a EmergencyAccess) findStudy(e *env) (*StudyRecord, error) {
	study, err := readStudy(e, a.Study)
	switch {
	case err != nil:
		return nil, err
	case study == nil:
		return nil, refuse(CodeUnknownStudy, "the study is not on the ledger")
	case study.Status == Withdrawn:
		return nil, refuse(CodeWithdrawn, "the source has withdrawn the study")
	case study.Status == Held:
		return nil, refuse(CodeHeld, "the source holds the study: it may be of another patient")
	}
	return study, nil
}

// admit returns the group, if the study's source admits it and the membership stands.
func (a EmergencyAccess) admit(e *env, study *StudyRecord, membership Commitment) (*StudyRecord, error) {
	source, err := readSource(e, study.Source)
	if err != nil {
		return nil, err
	}
	if source == nil || !source.admits(a.Group) {
		return nil, refuse(CodeNotAdmitted, "the source of the study does not admit the group in emergencies")
	}
	group, err := readStudy(e, a.Group)
	if err != nil {
		return nil, err
	}
	grant, err := readGrant(e, a.Group, membership)
	if err != nil {
		return nil, err
	}
	seen := new(Access) // of revocations: those that are final alone
	if !group.isLiveGroup() || grant == nil || seen.ended(group, grant, e.now()) != "" {
		return nil, refuse(CodeNotAdmitted, "the signer is not a member of the group, or there is no such group")
	}
	return group, nil
}

// admits reports whether members of a group may break the glass at a source.
func (s *SourceRecord) admits(group StudyID) bool { return slices.Contains(s.EmergencyGroups, group) }
