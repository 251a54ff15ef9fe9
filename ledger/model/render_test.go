package model

import (
	"encoding/binary"
	"maps"
	"slices"

	"collimate/ledger"
)

// render is the state as it stands on disk, but for the head: each key and its value. ledger-spec 4
func (m *model) render() map[string]string {
	state := map[string]string{}
	put := func(key string, fields ...[]byte) { state[key] = string(record(fields...)) }
	putName := func(key string, name id) { state[key] = string(text(2, name[:])) }

	put("\x01genesis", text(3, []byte(m.chain)), integer(m.genesisTime), integer(int64(m.genesisSize[0])),
		integer(int64(m.genesisSize[1])))
	put("\x01params", number(m.version), paramsMap(m.params))
	if n := m.next; n != nil {
		put("\x01next", number(n.version), paramsMap(n.params), payersList(n.payers), number(n.height))
	}
	for k, v := range m.validators {
		put(key(2, k), name(v.source), number(v.window), number(v.times))
	}
	for k, s := range m.sources {
		var oids [][]byte
		for _, oid := range s.oids {
			oids = append(oids, text(3, []byte(oid)))
		}
		var groups [][]byte
		for _, g := range s.groups {
			groups = append(groups, name(g))
		}
		put(key(3, k), number(s.version), endpoints(s.endpoints), array(oids...), name(s.validator), text(3, []byte(s.peer)),
			array(groups...), name(s.key), endpoints(s.earlier), name(s.earlierKey), integer(s.earlierUntil),
			integer(s.defined), integer(s.changed), number(s.studies), integer(s.paid), integer(s.receipts))
	}
	for oid, source := range m.oids {
		putName("\x04"+oid, source)
	}
	for k, source := range m.rotated {
		putName(key(7, k), source)
	}
	for k, p := range m.payers {
		put(key(8, k), number(p.units), number(p.bonded), number(p.forfeited), number(p.sequence), integer(p.paid))
	}
	for k, b := range m.bonds {
		put(key(9, k[0], k[1]), number(b.units), number(b.unbonding), integer(b.free))
	}
	for k, s := range m.stakes {
		put(key(10, k), number(s.units), number(s.forfeited), integer(s.jailed), number(s.jailings), boolean(s.expelled))
	}
	for k := range m.unbondings() {
		put("\x0b\x01" + k)
	}
	for k := range m.recoveries() {
		put("\x0b\x02" + k)
	}
	for k, paid := range m.members {
		put(key(17, k[0], k[1]), integer(paid))
	}
	for k, v := range m.votes {
		put(key(12, k), number(v.version), name(v.proposal))
	}
	for k, r := range m.receipts {
		put("\x10"+k, integer(r.from), number(r.count), name(r.root), integer(r.height))
	}
	for k, s := range m.studies {
		m.renderStudy(put, k, s)
	}
	return state
}

func (m *model) renderStudy(put func(string, ...[]byte), k id, s *study) {
	now, earlier := s.counts()
	put(key(5, k), name(s.source), name(s.owner), number(s.kind), number(s.status), number(s.revision), number(s.epoch),
		number(s.since), number(now), number(earlier), integer(s.defined), integer(s.epochBegan), integer(s.revBegan), integer(s.paid))
	for c, g := range s.grants {
		put(key(6, k, c), number(g.epoch), integer(g.until), integer(g.granted), integer(g.revoked), number(g.scope), number(g.tier))
	}
	if g := s.guardians; g != nil {
		var who [][]byte
		for _, c := range g.who {
			who = append(who, name(c))
		}
		put(key(13, k), number(g.since), number(g.round), number(g.agree), array(who...), number(g.delay))
	}
	if r := s.recovery; r != nil {
		var calls [][]byte
		for _, c := range sorted(slices.Collect(maps.Keys(r.calls))) {
			calls = append(calls, array(name(c), number(r.calls[c].attempt), name(r.calls[c].owner)))
		}
		put(key(14, k), number(r.round), array(calls...), name(r.owner), integer(r.at))
	}
	for who, e := range s.emergencies {
		put(key(15, k, who), name(e.group), name(e.membership), name(e.reason), integer(e.height), integer(e.until))
	}
}

// key is a state key.
func key(prefix byte, parts ...id) string {
	k := []byte{prefix}
	for _, p := range parts {
		k = append(k, p[:]...)
	}
	return string(k)
}

// CBOR in core deterministic encoding. RFC 8949 section 4.2.1

func head(major byte, n uint64) []byte {
	b := []byte{major << 5}
	switch {
	case n < 24:
		b[0] |= byte(n)
	case n < 1<<8:
		b = append(b, byte(n))
		b[0] |= 24
	case n < 1<<16:
		b = binary.BigEndian.AppendUint16(b, uint16(n))
		b[0] |= 25
	case n < 1<<32:
		b = binary.BigEndian.AppendUint32(b, uint32(n))
		b[0] |= 26
	default:
		b = binary.BigEndian.AppendUint64(b, n)
		b[0] |= 27
	}
	return b
}

func number(n uint64) []byte { return head(0, n) }

func integer(n int64) []byte {
	if n < 0 {
		return head(1, uint64(-1-n))
	}
	return head(0, uint64(n))
}

// text is a byte string (major type 2) or a text string (3).
func text(major byte, b []byte) []byte { return append(head(major, uint64(len(b))), b...) }

func name(n id) []byte { return text(2, n[:]) }

func boolean(b bool) []byte {
	if b {
		return []byte{0xf5}
	}
	return []byte{0xf4}
}

func array(items ...[]byte) []byte {
	b := head(4, uint64(len(items)))
	for _, item := range items {
		b = append(b, item...)
	}
	return b
}

// record is a map whose keys are 1, 2, 3, ...
func record(fields ...[]byte) []byte {
	b := head(5, uint64(len(fields)))
	for i, f := range fields {
		b = append(append(b, number(uint64(i+1))...), f...)
	}
	return b
}

func endpoints(e ledger.Endpoints) []byte {
	return record(text(3, []byte(e.ITI43)), text(3, []byte(e.Openings)), text(3, []byte(e.RAD69)))
}

func paramsMap(p [17]uint64) []byte {
	var fields [][]byte
	for _, n := range p[1:] {
		fields = append(fields, number(n))
	}
	return record(fields...)
}

func payersList(payers []ledger.PayerUnits) []byte {
	var all [][]byte
	for _, p := range payers {
		all = append(all, array(name(p.Payer.ID), number(p.Units)))
	}
	return array(all...)
}
