package ledger

import "collimate/keys"

// ownedStudy returns the study that an owner's transaction is about. It refuses unless the signer is the present
// owner and signed for the present epoch: so nothing signed can be sent a second time after a transfer or a
// revocation of everything. ledger-spec 5.3
func ownedStudy(r Reader, id StudyID, epoch uint64, by signer) (*StudyRecord, error) {
	study, err := readStudy(r, id)
	switch {
	case err != nil:
		return nil, err
	case study == nil:
		return nil, refuse(CodeUnknownStudy, "the study is not on the ledger")
	case study.Owner != keys.Owner{ID: by.id}:
		return nil, refuse(CodeNotOwner, "the signer is not the present owner of the study")
	case study.Epoch != epoch:
		return nil, refuse(CodeWrongEpoch, "the study is in epoch %d: what was signed for epoch %d does not count", study.Epoch, epoch)
	}
	return study, nil
}

// nextEpoch ends the present epoch of a study, and with it every grant.
func (s *StudyRecord) nextEpoch(at Context) {
	s.Epoch++
	s.Earlier += s.Grants
	s.Grants = 0
	s.ChangedAt = at.Height
}

// room makes room for one more grant or tombstone of a study. When the grants of earlier epochs fill the room
// left to them, they are cleared: they count for nothing, and what signed them is void with its epoch. So
// no earlier owner can fill a study for a later one, and each deletion was paid for by a grant. ledger-spec 5.4
func (s *StudyRecord) room(r Reader) ([]write, error) {
	if s.Grants >= MaxGrantsPerStudy {
		return nil, refuse(CodeTooManyGrants, "the study has %d grants and revocations in this epoch: revoke everything, or hand the study over, to begin a new one", s.Grants)
	}
	s.Grants++
	if s.Earlier < MaxGrantsPerStudy {
		return nil, nil
	}
	var writes []write
	err := visitGrants(r, s.ID, func(g GrantRecord) error {
		if g.Epoch < s.Epoch {
			writes = append(writes, write{key: keyGrant(s.ID, g.Commitment)})
		}
		return nil
	})
	s.Earlier = 0
	return writes, err
}
