package ledger

// KindRevokeAccess is the kind of RevokeAccess.
const KindRevokeAccess Kind = "revoke-access"

// RevokeAccess ends one grant of a study, or all of them. The owner signs it. ledger-spec 5.15
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

func (v RevokeAccess) rule(e *env) ([]write, error) {
	study, err := e.ownedEvenWithdrawn(v.Study, v.Epoch)
	if err != nil {
		return nil, err
	}
	if v.All {
		return v.everything(e, study)
	}
	grant, err := readGrant(e, v.Study, v.Commitment)
	switch {
	case err != nil:
		return nil, err
	case grant == nil: // a tombstone
		return study.add(e, v.Commitment, GrantRecord{Epoch: study.Epoch, RevokedAt: e.height})
	case grant.Revoked() || grant.Epoch != study.Epoch:
		return nil, refuse(CodeAlreadyRevoked, "the grant was revoked before, or ended with its epoch")
	}
	grant.RevokedAt = e.height
	return []write{set(KeyGrant(v.Study, v.Commitment), grant)}, nil
}

// everything begins a new epoch. That it can be had for nothing while there is something to revoke lets nobody fill
// the ledger: each grant was paid for.
func (v RevokeAccess) everything(e *env, study *StudyRecord) ([]write, error) {
	if study.Grants == 0 {
		if err := e.chargeStudy(study, 1); err != nil {
			return nil, err
		}
	}
	study.nextEpoch(e.height)
	return []write{set(KeyStudy(v.Study), study)}, nil
}
