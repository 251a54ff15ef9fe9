package model

import "slices"

// question is what Decide is asked.
type question struct {
	source, study, requester id
	openings                 [][3]id // blind, group, membership
	scope, tier              uint64
	seen                     seen
	late                     int64 // ns by which the clock is ahead of chain time
	patience                 int64
}

// seen has revocations that are not final.
type seen struct {
	one map[[2]id]bool // study, commitment
	all map[epochOf]bool
}

type epochOf struct {
	study id
	epoch uint64
}

// stops says what ended a grant; "nothing" if there is none, "" if it stands. ledger-spec 6.2
func (s *study) stops(c id, now int64, not *seenOf) string {
	g := s.grants[c]
	switch {
	case g == nil:
		return "nothing"
	case g.epoch < s.since:
		return "earlier-owner"
	case g.epoch < s.epoch:
		return "revoked-all"
	case g.revoked > 0:
		return "revoked"
	case not != nil && not.seen.all[epochOf{not.study, g.epoch}]:
		return "revoked-all-seen"
	case not != nil && not.seen.one[[2]id{not.study, c}]:
		return "revoked-seen"
	case now > g.until:
		return "expired"
	}
	return ""
}

// seenOf is what was seen of one study.
type seenOf struct {
	study id
	seen  *seen
}

// answer is a reason and the keys of what it rests on.
type answer struct {
	reason string
	keys   []string
}

// decide is ledger-spec 6.2.
func (m *model) decide(q question) answer {
	if q.late > q.patience || q.late < -q.patience {
		return answer{reason: "stale"}
	}
	if q.requester == (id{}) {
		return answer{reason: "nobody"}
	}
	keys := []string{key(3, q.source)}
	if m.sources[q.source] == nil {
		return answer{"unknown-source", keys}
	}
	keys = append(keys, key(5, q.study))
	s := m.studies[q.study]
	switch {
	case s == nil:
		return answer{"unknown-study", keys}
	case s.source != q.source:
		return answer{"other-source", keys}
	case s.status == 2:
		return answer{"withdrawn", keys}
	case s.status == 1:
		return answer{"held", keys}
	case s.owner == q.requester:
		return answer{"owner", keys}
	}
	best := answer{reason: "no-grant"}
	order := []string{
		"no-grant", "earlier-owner", "revoked-all", "revoked", "revoked-all-seen", "revoked-seen", "expired", "not-member",
		"out-of-scope", "low-tier", "emergency", "allowed",
	}
	for _, a := range append(m.grants(q, s), m.emergency(q, s)) {
		if slices.Index(order, a.reason) > slices.Index(order, best.reason) {
			best = a
		}
	}
	best.keys = append(keys, best.keys...)
	return best
}

func (m *model) grants(q question, s *study) (all []answer) {
	for _, o := range q.openings {
		c := commitment("grantee", o[0], q.requester, q.study)
		if o[1] != (id{}) {
			c = commitment("group", o[0], o[1], q.study)
		}
		stop := s.stops(c, m.now(), &seenOf{q.study, &q.seen})
		if stop == "nothing" {
			continue
		}
		a := answer{stop, []string{key(6, q.study, c)}}
		if stop == "" {
			reach := []*grant{s.grants[c]}
			if o[1] != (id{}) {
				membership, keys := m.membership(q, o[1], commitment("grantee", o[2], q.requester, o[1]))
				a.keys = append(a.keys, keys...)
				reach = append(reach, membership)
			}
			a.reason = q.within("allowed", reach)
		}
		all = append(all, a)
	}
	return all
}

func (m *model) emergency(q question, s *study) answer {
	e := s.emergencies[q.requester]
	if e == nil || e.until < m.now() {
		return answer{reason: "no-grant"}
	}
	a := answer{"not-member", []string{key(15, q.study, q.requester)}}
	if slices.Contains(m.sources[q.source].groups, e.group) {
		membership, keys := m.membership(q, e.group, e.membership)
		a.keys = append(a.keys, keys...)
		a.reason = q.within("emergency", []*grant{membership})
	}
	return a
}

// membership is the grant by which a group lets the requester in, nil if none stands.
func (m *model) membership(q question, name, c id) (*grant, []string) {
	keys := []string{key(5, name)}
	group := m.studies[name]
	if !group.isLiveGroup() {
		return nil, keys
	}
	keys = append(keys, key(6, name, c))
	if group.stops(c, m.now(), &seenOf{name, &q.seen}) != "" {
		return nil, keys
	}
	return group.grants[c], keys
}

func (q question) within(yes string, grants []*grant) string {
	scope, tier := uint64(7), uint64(0)
	for _, g := range grants {
		if g == nil {
			return "not-member"
		}
		scope &= g.scope
		tier = max(tier, g.tier)
	}
	switch {
	case q.scope&scope != q.scope:
		return "out-of-scope"
	case q.tier < tier:
		return "low-tier"
	}
	return yes
}
