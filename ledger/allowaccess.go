package ledger

import "time"

// KindAllowAccess is the kind of AllowAccess.
const KindAllowAccess Kind = "allow-access"

// AllowAccess lets the grantee behind a commitment retrieve a study. The owner signs it. ledger-spec 5.4
type AllowAccess struct {
	Study      StudyID    `cbor:"1,keyasint"`
	Epoch      uint64     `cbor:"2,keyasint"` // the present one, StudyRecord.Epoch
	Commitment Commitment `cbor:"3,keyasint"` // NewCommitment with a fresh blind
	NotAfter   int64      `cbor:"4,keyasint"` // Unix time in seconds, the last at which it counts
}

// Kind returns KindAllowAccess.
func (a AllowAccess) Kind() Kind { return KindAllowAccess }

func (a AllowAccess) canonical() Body { return a }

func (a AllowAccess) validate() error {
	if a.NotAfter <= 0 {
		return outOfBounds("the grant has no end, or one before 1970")
	}
	return nil
}

func (a AllowAccess) rule(r Reader, by signer, at Context) ([]write, error) {
	study, err := ownedStudy(r, a.Study, a.Epoch, by)
	if err != nil {
		return nil, err
	}
	// Compared as seconds: far dates would overflow a Duration.
	now := at.Time.Unix()
	if a.NotAfter < now || a.NotAfter-now > int64(MaxGrantLife/time.Second) {
		return nil, refuse(CodeBadExpiry, "the grant must end between chain time and %d days after it", MaxGrantLife/(24*time.Hour))
	}
	before, err := readGrant(r, a.Study, a.Commitment)
	if err != nil {
		return nil, err
	}
	if before != nil {
		return nil, refuse(CodeCommitmentUsed, "the commitment was granted or revoked before: make a new one with a fresh blind")
	}
	writes, err := study.room(r)
	if err != nil {
		return nil, err
	}
	return append(writes,
		set(keyStudy(a.Study), study),
		set(keyGrant(a.Study, a.Commitment), GrantRecord{
			Epoch: study.Epoch, NotAfter: time.Unix(a.NotAfter, 0), Granted: at.Height,
		})), nil
}
