package ledger

import "time"

// KindAllowAccess is the kind of AllowAccess.
const KindAllowAccess Kind = "allow-access"

// AllowAccess lets the grantee behind a commitment, a key or a group, retrieve a study. Of a group, it makes the
// grantee a member. The owner signs it. ledger-spec 5.14
type AllowAccess struct {
	Study      StudyID    `cbor:"1,keyasint"`
	Epoch      uint64     `cbor:"2,keyasint"` // the present one, StudyRecord.Epoch
	Commitment Commitment `cbor:"3,keyasint"` // NewCommitment or NewGroupCommitment with a fresh blind
	NotAfter   int64      `cbor:"4,keyasint"` // Unix time in seconds, the last at which it counts
	Scope      Scope      `cbor:"5,keyasint"`
	Tier       Tier       `cbor:"6,keyasint"` // the least evidence of who asks
}

// Kind returns KindAllowAccess.
func (a AllowAccess) Kind() Kind { return KindAllowAccess }

func (a AllowAccess) canonical() Body { return a }

func (a AllowAccess) validate() error {
	switch {
	case a.Commitment == Commitment{}:
		return outOfBounds("the commitment is zero, which no opening gives")
	case a.NotAfter <= 0:
		return outOfBounds("the grant has no end, or one before 1970")
	case a.Scope == 0 || a.Scope > ScopeAll:
		return outOfBounds("the scope is %d, want 1 to %d", a.Scope, ScopeAll)
	case a.Tier > TierMessage:
		return outOfBounds("the tier is %d, want 0 to %d", a.Tier, TierMessage)
	}
	return nil
}

func (a AllowAccess) rule(e *env) ([]write, error) {
	study, err := e.ownedStudy(a.Study, a.Epoch)
	if err != nil {
		return nil, err
	}
	if err := e.checkExpiry(a.NotAfter, int64(MaxGrantLife/time.Second)); err != nil {
		return nil, err
	}
	before, err := readGrant(e, a.Study, a.Commitment)
	if err != nil {
		return nil, err
	}
	if before != nil {
		return nil, refuse(CodeCommitmentUsed, "the commitment was granted or revoked before: make a new one with a fresh blind")
	}
	return study.add(e, a.Commitment, GrantRecord{
		Epoch: study.Epoch, NotAfter: Seconds(a.NotAfter), Granted: e.height, Scope: a.Scope, Tier: a.Tier,
	})
}

// checkExpiry refuses an end before chain time, or more than some seconds after it.
func (e *env) checkExpiry(notAfter, most int64) error {
	now := int64(e.now())
	if notAfter < now || notAfter-now > most {
		return refuse(CodeBadExpiry, "it must end between chain time and %d seconds after it", most)
	}
	return nil
}
