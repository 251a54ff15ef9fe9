package ledger

import (
	"errors"

	"collimate/keys"
)

// nextEpoch ends the present epoch of a study, and with it every grant. ledger-spec 5.13
func (s *StudyRecord) nextEpoch(height int64) {
	s.Epoch++
	s.Earlier += s.Grants
	s.Grants = 0
	s.ChangedAt = height
}

// handOver gives a study to a new owner, in a new epoch and without the guardians of the last owner. ledger-spec 5.13
func (s *StudyRecord) handOver(r Reader, to keys.Owner, height int64) ([]write, error) {
	s.nextEpoch(height)
	s.Owner, s.OwnerSince = to, s.Epoch
	writes, err := endRecovery(r, s.ID)
	if err != nil {
		return nil, err
	}
	guardians, err := r.Get(KeyGuardians(s.ID))
	if guardians != nil {
		writes = append(writes, write{key: KeyGuardians(s.ID)})
	}
	return append(writes, set(KeyStudy(s.ID), s)), err
}

// add puts a new grant or tombstone of the present epoch beside the study, for one write of the owner's.
// ledger-spec 5.14
func (s *StudyRecord) add(e *env, c Commitment, g GrantRecord) ([]write, error) {
	if s.Grants >= MaxGrantsPerStudy {
		return nil, refuse(CodeTooManyGrants, "the study has %d grants in this epoch: revoke everything, or hand the study over, to begin a new one", s.Grants)
	}
	if err := e.chargeStudy(s, 1); err != nil {
		return nil, err
	}
	writes, err := s.room(e)
	if err != nil {
		return nil, err
	}
	return append(writes, set(KeyStudy(s.ID), s), set(KeyGrant(s.ID, c), g)), nil
}

// room makes room for one more grant. When those of earlier epochs fill the room left to them, some are cleared: they
// count for nothing, and what signed them is void with its epoch. So no earlier owner can fill a study for a later
// one, and each deletion was paid for by a grant. ledger-spec 5.14
func (s *StudyRecord) room(r Reader) ([]write, error) {
	s.Grants++
	if s.Earlier < MaxGrantsPerStudy {
		return nil, nil
	}
	s.Earlier -= MaxCleared
	enough := errors.New("enough")
	var writes []write
	err := visitGrants(r, s.ID, func(g GrantRecord) error {
		if len(writes) == MaxCleared {
			return enough
		}
		if g.Epoch < s.Epoch {
			writes = append(writes, write{key: KeyGrant(s.ID, g.Commitment)})
		}
		return nil
	})
	if errors.Is(err, enough) {
		err = nil
	}
	return writes, err
}
