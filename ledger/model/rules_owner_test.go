package model

import (
	"maps"
	"slices"

	"collimate/ledger"
)

// Owners.

func (m *model) owned(by, name id, epoch uint64, evenWithdrawn bool) (s *study, refused string) {
	s = m.studies[name]
	switch {
	case s == nil:
		refused = "unknown-study"
	case s.owner != by:
		refused = "not-owner"
	case s.epoch != epoch:
		refused = "wrong-epoch"
	case s.status == 2 && !evenWithdrawn:
		refused = "withdrawn"
	}
	return s, refused
}

func (s *study) newEpoch(height int64) {
	s.epoch++
	s.epochBegan = height
}

func (s *study) handOver(to id, height int64) {
	s.newEpoch(height)
	s.owner, s.since = to, s.epoch
	s.guardians, s.recovery = nil, nil
}

// counts returns how many grants there are of this epoch, and of those before it.
func (s *study) counts() (now, earlier uint64) {
	for _, g := range s.grants {
		if g.epoch == s.epoch {
			now++
		} else {
			earlier++
		}
	}
	return now, earlier
}

func (m *model) transferStudy(by id, b ledger.TransferStudy) string {
	s, refused := m.owned(by, b.Study, b.Epoch, false)
	switch {
	case refused != "":
		return refused
	case b.NewOwner.ID == s.owner:
		return "same-owner"
	case !m.takeOwner(s, 1):
		return "no-allowance"
	}
	s.handOver(b.NewOwner.ID, m.height)
	return ""
}

// add adds a grant or a tombstone.
func (m *model) add(s *study, c id, g *grant) string {
	now, earlier := s.counts()
	switch {
	case now >= 4096:
		return "too-many-grants"
	case !m.takeOwner(s, 1):
		return "no-allowance"
	}
	if earlier >= 4096 {
		cleared := 0
		for _, key := range sorted(slices.Collect(maps.Keys(s.grants))) {
			if s.grants[key].epoch < s.epoch && cleared < 256 {
				cleared++
				delete(s.grants, key)
			}
		}
	}
	s.grants[c] = g
	return ""
}

func (m *model) allowAccess(by id, b ledger.AllowAccess) string {
	s, refused := m.owned(by, b.Study, b.Epoch, false)
	switch {
	case refused != "":
		return refused
	case b.NotAfter < m.now() || b.NotAfter > m.now()+732*86400:
		return "bad-expiry"
	case s.grants[b.Commitment] != nil:
		return "commitment-used"
	}
	return m.add(s, b.Commitment, &grant{
		epoch: s.epoch, until: b.NotAfter, granted: m.height, scope: uint64(b.Scope), tier: uint64(b.Tier),
	})
}

func (m *model) revokeAccess(by id, b ledger.RevokeAccess) string {
	s, refused := m.owned(by, b.Study, b.Epoch, true)
	if refused != "" {
		return refused
	}
	if b.All {
		if now, _ := s.counts(); now == 0 && !m.takeOwner(s, 1) {
			return "no-allowance"
		}
		s.newEpoch(m.height)
		return ""
	}
	g := s.grants[b.Commitment]
	switch {
	case g == nil:
		return m.add(s, b.Commitment, &grant{epoch: s.epoch, revoked: m.height})
	case g.epoch != s.epoch || g.revoked != 0:
		return "already-revoked"
	}
	g.revoked = m.height
	return ""
}

// Guardians.

// currentGuardians are those that the present owner has set.
func (s *study) currentGuardians() *guardians {
	if s.guardians == nil || s.guardians.since != s.since {
		return &guardians{since: s.since}
	}
	return s.guardians
}

// currentRecovery is what they have said in their present round.
func (s *study) currentRecovery() *recovery {
	if s.recovery == nil || s.recovery.round != s.currentGuardians().round {
		return nil
	}
	return s.recovery
}

func (m *model) setGuardians(by id, b ledger.SetGuardians) string {
	s, refused := m.owned(by, b.Study, b.Epoch, false)
	if refused != "" {
		return refused
	}
	g := s.currentGuardians()
	switch {
	case b.Round != g.round:
		return "wrong-round"
	case len(b.Guardians) > 0 && b.Delay < m.params[8]:
		return "bad-delay"
	case !m.takeOwner(s, 1):
		return "no-allowance"
	}
	s.guardians = &guardians{since: s.since, round: g.round + 1, agree: b.Threshold, delay: b.Delay}
	for _, c := range b.Guardians {
		s.guardians.who = append(s.guardians.who, c)
	}
	s.recovery = nil
	return ""
}

func (m *model) recover(by id, b ledger.Recover) string {
	s := m.studies[b.Study]
	switch {
	case s == nil:
		return "unknown-study"
	case s.status == 2:
		return "withdrawn"
	case b.OwnerSince != s.since:
		return "wrong-epoch"
	}
	g, r := s.currentGuardians(), s.currentRecovery()
	if r == nil {
		r = &recovery{round: g.round, calls: map[id]*call{}}
	}
	who := commitment("guardian", b.Blind, by, b.Study)
	last := r.calls[who]
	if last == nil {
		last = &call{}
	}
	switch {
	case b.Round != g.round:
		return "wrong-round"
	case !slices.Contains(g.who, who):
		return "not-guardian"
	case b.NewOwner.ID == s.owner:
		return "same-owner"
	case r.at != 0:
		return "recovery-pending"
	case b.Attempt != last.attempt+1:
		return "wrong-attempt"
	case !m.takeOthers(s):
		return "no-allowance"
	}
	s.recovery = r
	r.calls[who] = &call{b.Attempt, b.NewOwner.ID}
	var agree uint64
	for _, c := range r.calls {
		if c.owner == b.NewOwner.ID {
			agree++
		}
	}
	if agree >= g.agree {
		r.owner, r.at = b.NewOwner.ID, m.now()+int64(g.delay)
	}
	return ""
}

func (m *model) cancelRecovery(by id, b ledger.CancelRecovery) string {
	s, refused := m.owned(by, b.Study, b.Epoch, true)
	switch {
	case refused != "":
		return refused
	case b.Round != s.currentGuardians().round:
		return "wrong-round"
	case s.currentRecovery() == nil:
		return "no-recovery"
	}
	s.guardians.round++
	s.recovery = nil
	return ""
}

// Members of groups.

func (m *model) emergencyAccess(by id, b ledger.EmergencyAccess) string {
	s := m.studies[b.Study]
	switch {
	case s == nil:
		return "unknown-study"
	case s.status == 2:
		return "withdrawn"
	case s.status == 1:
		return "held"
	case !slices.Contains(m.sources[s.source].groups, b.Group):
		return "not-admitted"
	}
	group := m.studies[b.Group]
	membership := commitment("grantee", b.Blind, by, b.Group)
	if !group.isLiveGroup() || group.stops(membership, m.now(), nil) != "" {
		return "not-admitted"
	}
	before := s.emergencies[by]
	switch {
	case b.NotAfter < m.now() || b.NotAfter > m.now()+int64(m.params[9]):
		return "bad-expiry"
	case before != nil && before.until >= m.now():
		return "emergency-active"
	case !m.takeMember(group, b.Group, by):
		return "no-allowance"
	}
	s.emergencies[by] = &emergency{b.Group, membership, b.Reason, m.height, b.NotAfter}
	return ""
}

func (s *study) isLiveGroup() bool { return s != nil && s.kind == 6 && s.status == 0 }
