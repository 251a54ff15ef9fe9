package ledger

import "time"

// KindRevokeAccess is the kind of RevokeAccess.
const KindRevokeAccess Kind = "revoke-access"

// RevokeAccess ends one grant of a study, or all of them. The owner signs it. ledger-spec 5.5
//
// A commitment that was not granted yet can be revoked: the grant that may be on its way is refused then. To
// revoke everything begins a new epoch, so that the same message sent again cannot end what is granted later.
type RevokeAccess struct {
	Study      StudyID    `cbor:"1,keyasint"`
	Epoch      uint64     `cbor:"2,keyasint"` // the present one, StudyRecord.Epoch
	Commitment Commitment `cbor:"3,keyasint"` // zero if All
	All        bool       `cbor:"4,keyasint"`
}

// Kind returns KindRevokeAccess.
func (v RevokeAccess) Kind() Kind { return KindRevokeAccess }

func (v RevokeAccess) canonical() Body { return v }

func (v RevokeAccess) validate() error {
	if v.All != (v.Commitment == Commitment{}) {
		return outOfBounds("name either one commitment or all")
	}
	return nil
}

func (v RevokeAccess) rule(r Reader, by signer, at Context) ([]write, error) {
	study, err := ownedStudy(r, v.Study, v.Epoch, by)
	if err != nil {
		return nil, err
	}
	if v.All {
		study.nextEpoch(at)
		return []write{set(keyStudy(v.Study), study)}, nil
	}
	grant, err := readGrant(r, v.Study, v.Commitment)
	if err != nil {
		return nil, err
	}
	if grant == nil {
		return v.tombstone(r, study, at)
	}
	if grant.Revoked() || grant.Epoch != study.Epoch {
		return nil, refuse(CodeAlreadyRevoked, "the grant was revoked before, or ended with its epoch")
	}
	grant.RevokedAt = at.Height
	return []write{set(keyGrant(v.Study, v.Commitment), grant)}, nil
}

// tombstone revokes what has not been granted.
func (v RevokeAccess) tombstone(r Reader, study *StudyRecord, at Context) ([]write, error) {
	writes, err := study.room(r)
	if err != nil {
		return nil, err
	}
	return append(writes,
		set(keyStudy(v.Study), study),
		set(keyGrant(v.Study, v.Commitment), GrantRecord{
			Epoch: study.Epoch, NotAfter: time.Unix(0, 0), RevokedAt: at.Height,
		})), nil
}
