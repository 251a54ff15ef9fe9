package model

import (
	"maps"
	"slices"

	"collimate/keys"
	"collimate/ledger"
)

// grantee is who a random grant of a study is to, behind a commitment: a key or a group.
func (k *maker) grantee(study id) id {
	blind := named("blind", k.rng.IntN(nBlinds))
	o, c := [3]id{blind, pick(k, parties).id}, id{}
	if k.chance(3) {
		o[1], o[2] = id{}, k.group()
		c = commitment("group", blind, o[2], study)
	} else {
		c = commitment("grantee", blind, o[1], study)
	}
	k.opens[c] = o
	return c
}

// group is a group, or what could be one.
func (k *maker) group() id { return pick(k, k.studies[:nGroups]) }

// standing is a random grant of a study that stands.
func (k *maker) standing(study id) (opening [3]id, ok bool) {
	s := k.m.studies[study]
	if s == nil || len(s.grants) > 300 {
		return opening, false
	}
	var stand []id
	for _, c := range sorted(slices.Collect(maps.Keys(s.grants))) {
		if _, known := k.opens[c]; known && s.stops(c, k.m.now(), nil) == "" {
			stand = append(stand, c)
		}
	}
	if len(stand) == 0 {
		return opening, false
	}
	return k.opens[pick(k, stand)], true
}

func (k *maker) allow() (party, ledger.Body) {
	name, s, p := k.study()
	if k.crowded && s.kind != 0 && s.status != 2 && k.chance(20) {
		if old := k.m.studies[k.burstOf]; old == nil || old.status == 2 {
			k.burstOf = name
		}
		k.burst = 1 + k.rng.IntN(60)
		if now, _ := k.m.studies[k.burstOf].counts(); k.chance(2) {
			k.burst = (4096-int(now))*9/8 + k.rng.IntN(100) // some are replays, or by somebody else
		}
	}
	until := k.m.now() + int64(k.rng.IntN(400)) - 5
	if k.chance(2) {
		until += 86400
	}
	if k.chance(20) {
		until = k.m.now() + 732*86400 + int64(k.rng.IntN(3)) - 1
	}
	body := ledger.AllowAccess{
		Study: name, Epoch: k.off(s.epoch), Commitment: k.grantee(name), NotAfter: until, Scope: ledger.Scope(1 + k.rng.IntN(7)),
	}
	if k.chance(3) {
		body.Tier = ledger.Tier(k.rng.IntN(4))
	}
	return p, body
}

// crowd is one of a burst.
func (k *maker) crowd(s *study) (party, ledger.Body) {
	if k.burst == 0 && k.chance(2) {
		return k.partyOf(s.owner), ledger.RevokeAccess{Study: k.burstOf, Epoch: s.epoch, All: true}
	}
	k.serial++
	return k.partyOf(s.owner), ledger.AllowAccess{
		Study: k.burstOf, Epoch: s.epoch, Commitment: named("burst", k.serial), NotAfter: k.m.now() + 1000, Scope: 1,
	}
}

func (k *maker) revoke() (party, ledger.Body) {
	name, s, p := k.study()
	body := ledger.RevokeAccess{Study: name, Epoch: k.off(s.epoch)}
	if k.chance(5) {
		body.All = true
		return p, body
	}
	body.Commitment = k.grantee(name)
	if len(s.grants) > 0 && len(s.grants) < 100 && k.chance(2) {
		body.Commitment = pick(k, sorted(slices.Collect(maps.Keys(s.grants))))
	}
	return p, body
}

// guardianOf is the commitment to a guardian of a study.
func guardianOf(study id, p party, blind int) id {
	return commitment("guardian", named("blind", blind), p.id, study)
}

func (k *maker) guardians() (party, ledger.Body) {
	name, s, p := k.study()
	body := ledger.SetGuardians{Study: name, Epoch: k.off(s.epoch)}
	if s.kind != 0 {
		body.Round = k.off(s.currentGuardians().round)
	}
	for _, g := range parties[8:12] {
		if k.chance(2) {
			body.Guardians = append(body.Guardians, guardianOf(name, g, k.rng.IntN(2)))
		}
	}
	if n := len(body.Guardians); n > 0 {
		body.Threshold = uint64(1 + k.rng.IntN(min(n, 2)))
		body.Delay = k.off(k.m.params[8]) + uint64(k.rng.IntN(3))
		if k.chance(20) {
			body.Delay = 366 * 86400
		}
	}
	return p, body
}

func (k *maker) recover() (party, ledger.Body) {
	name, s, _ := k.study()
	for range 8 { // rather one with guardians
		if s.kind == 0 || s.guardians == nil || len(s.guardians.who) == 0 {
			name, s, _ = k.study()
		}
	}
	p, blind := pick(k, parties[8:12]), k.rng.IntN(2)
	body := ledger.Recover{Study: name, OwnerSince: k.off(s.since), NewOwner: keys.Owner{ID: pick(k, parties[:5]).id}, Attempt: 1}
	if s.kind != 0 {
		g := s.currentGuardians()
		body.Round = k.off(g.round)
		for range 6 {
			if !slices.Contains(g.who, guardianOf(name, p, blind)) {
				p, blind = pick(k, parties[8:12]), k.rng.IntN(2)
			}
		}
		if r := s.currentRecovery(); r != nil && r.calls[guardianOf(name, p, blind)] != nil {
			body.Attempt = min(16, k.off(r.calls[guardianOf(name, p, blind)].attempt+1))
		}
	}
	body.Blind = named("blind", blind)
	body.Attempt = max(1, body.Attempt)
	return p, body
}

func (k *maker) cancel() (party, ledger.Body) {
	name, s, p := k.study()
	for range 3 { // rather one with a recovery
		if s.recovery == nil {
			name, s, p = k.study()
		}
	}
	body := ledger.CancelRecovery{Study: name, Epoch: k.off(s.epoch)}
	if s.kind != 0 {
		body.Round = k.off(s.currentGuardians().round)
	}
	return p, body
}

func (k *maker) emergency() (party, ledger.Body) {
	name, s, _ := k.study()
	p, blind := pick(k, parties), named("blind", k.rng.IntN(nBlinds))
	group := k.group()
	if of := k.m.sources[s.source]; of != nil && len(of.groups) > 0 {
		group = pick(k, of.groups)
	}
	if o, ok := k.standing(group); ok && o[2] == (id{}) && !k.chance(8) { // rather a member
		p, blind = k.partyOf(o[1]), o[0]
	}
	until := k.m.now() + int64(k.rng.IntN(int(k.m.params[9])+4)) - 2
	return p, ledger.EmergencyAccess{Study: name, Group: group, Blind: blind, Reason: named("reason", 0), NotAfter: until}
}

// question is something to decide.
func (k *maker) question() question {
	name, s, _ := k.study()
	q := question{
		source: s.source, study: name, requester: pick(k, parties).id,
		scope: 1 + k.rng.Uint64N(7), tier: k.rng.Uint64N(4), patience: 120 * second,
	}
	if k.chance(2) {
		q.scope = 1 << k.rng.IntN(3)
	}
	if k.chance(2) {
		q.tier = 3
	}
	if k.chance(15) {
		q.source = pick(k, parties).id
	}
	if k.chance(40) {
		q.requester = id{}
	}
	if k.chance(20) {
		q.late = pick(k, []int64{q.patience, q.patience + 1, -q.patience, -q.patience - 1})
	}
	for range k.rng.IntN(6) {
		o := [3]id{named("blind", k.rng.IntN(nBlinds))}
		if k.chance(2) {
			o[1], o[2] = k.group(), named("blind", k.rng.IntN(nBlinds))
		}
		q.openings = append(q.openings, o)
	}
	if o, ok := k.standing(name); ok && k.chance(2) {
		opening := [3]id{o[0]}
		if q.requester = o[1]; o[2] != (id{}) {
			opening[1], q.requester = o[2], pick(k, parties).id
			if member, ok := k.standing(o[2]); ok {
				opening[2], q.requester = member[0], member[1]
			}
		}
		q.openings = append(q.openings, opening)
	}
	if len(s.emergencies) > 0 && k.chance(3) {
		q.requester = pick(k, sorted(slices.Collect(maps.Keys(s.emergencies))))
	}
	if k.chance(40) {
		q.study = named("nowhere", 0)
	}
	q.seen = seen{one: map[[2]id]bool{}, all: map[epochOf]bool{}}
	if len(q.openings) > 0 && k.chance(6) {
		q.seen.one[[2]id{name, commitment("grantee", q.openings[len(q.openings)-1][0], q.requester, name)}] = true
	}
	for k.chance(3) {
		of := pick(k, k.studies)
		if k.chance(2) {
			of = name
		}
		if study := k.m.studies[of]; study != nil {
			q.seen.one[[2]id{of, k.grantee(of)}] = true
			if k.chance(4) {
				q.seen.all[epochOf{of, k.off(study.epoch)}] = true
			}
		}
	}
	return q
}
