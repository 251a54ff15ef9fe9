// Package model holds the rules of the ledger a second time, as simply as they can be written: maps, loops and a
// hundred lines for each group of kinds, made from docs/ledger-spec.md and sharing no code with package ledger but the
// bodies of transactions. Its tests run random operations against both and compare every answer, every decision and
// every byte of the state; and they run the same transactions over stores in ways that must not matter.
package model

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"maps"
	"math/big"
	"slices"

	"collimate/ledger"
)

// id is any name of 32 bytes.
type id = [32]byte

const (
	second = 1_000_000_000
	day    = 86400 * second
)

// model is the whole state.
type model struct {
	chain       string
	genesisTime int64
	genesisSize [2]int // validators, payers

	height int64
	time   int64 // ns
	before int64 // time of the block before

	version uint64
	params  [17]uint64 // by field number
	next    *next
	votes   map[id]vote

	payers     map[id]*payer
	bonds      map[[2]id]*bond // source, payer
	stakes     map[id]*stake
	validators map[id]*validator
	sources    map[id]*source
	rotated    map[id]id
	oids       map[string]id
	receipts   map[string]*receipts // source and time, as in the key
	studies    map[id]*study
	members    map[[2]id]int64 // group, key: paid until
}

type (
	next struct {
		version uint64
		params  [17]uint64
		payers  []ledger.PayerUnits
		height  uint64
	}
	vote struct {
		version  uint64
		proposal id
	}
	payer struct {
		units, bonded, forfeited, sequence uint64
		paid                               int64
	}
	bond struct {
		units, unbonding uint64
		free             int64
	}
	stake struct {
		units, forfeited uint64
		jailed           int64
		jailings         uint64
		expelled         bool
	}
	validator struct {
		source        id
		window, times uint64
	}
	source struct {
		version            uint64
		endpoints, earlier ledger.Endpoints
		oids               []string
		validator          id
		peer               string
		groups             []ledger.StudyID
		key, earlierKey    id
		earlierUntil       int64
		defined, changed   int64
		studies            uint64
		paid               int64
		receipts           int64
	}
	receipts struct {
		from   int64
		count  uint64
		root   id
		height int64
	}
	study struct {
		source, owner                 id
		kind, status, revision        uint64
		epoch, since                  uint64
		defined, epochBegan, revBegan int64
		paid                          int64
		grants                        map[id]*grant
		guardians                     *guardians
		recovery                      *recovery
		emergencies                   map[id]*emergency
	}
	grant struct {
		epoch            uint64
		until            int64
		granted, revoked int64
		scope, tier      uint64
	}
	guardians struct {
		since, round, agree uint64
		who                 []id
		delay               uint64
	}
	recovery struct {
		round uint64
		calls map[id]*call
		owner id
		at    int64
	}
	call struct {
		attempt uint64
		owner   id
	}
	emergency struct {
		group, membership, reason id
		height, until             int64
	}
)

func newModel(g ledger.Genesis) *model {
	m := &model{
		chain: g.ChainID, genesisTime: g.Time.UnixNano(), genesisSize: [2]int{len(g.Validators), len(g.Payers)},
		time: g.Time.UnixNano(), version: 1, params: numbers(*g.Params),
		votes: map[id]vote{}, payers: map[id]*payer{}, bonds: map[[2]id]*bond{}, stakes: map[id]*stake{},
		validators: map[id]*validator{}, sources: map[id]*source{}, rotated: map[id]id{}, oids: map[string]id{},
		receipts: map[string]*receipts{}, studies: map[id]*study{}, members: map[[2]id]int64{},
	}
	for _, v := range g.Validators {
		m.validators[v] = &validator{}
	}
	for _, p := range g.Payers {
		m.payers[p.Payer.ID] = &payer{units: p.Units}
	}
	return m
}

// numbers are params by the numbers of their fields. ledger-spec 4.3
func numbers(p ledger.Params) [17]uint64 {
	return [17]uint64{
		0, p.WritesPerUnit, p.SavedDays, p.WritesPerStudy, p.SavedWrites, p.WritesPerPayer, p.UnbondingTime, p.EarlierTime,
		p.RecoveryTime, p.EmergencyTime, p.ChangeBlocks, p.AbsenceTime, p.AbsenceWindow, p.AbsencesTolerated, p.JailTime,
		p.AbsenceForfeit, p.EmergenciesPerMember,
	}
}

// now is chain time in seconds.
func (m *model) now() int64 { return m.time / second }

// begin is ledger-spec 5.0.3.
func (m *model) begin(time int64, equivocated, absent []id) {
	m.height++
	m.before, m.time = m.time, time
	if n := m.next; n != nil && n.height <= uint64(m.height) {
		m.version, m.params, m.next = n.version, n.params, nil
		for _, p := range n.payers {
			if m.payers[p.Payer.ID] == nil {
				m.payers[p.Payer.ID] = &payer{}
			}
			m.payers[p.Payer.ID].units = p.Units
		}
	}
	for _, b := range first(1024, m.unbondings(), m.now()) {
		m.payers[b[1]].bonded -= m.bonds[b].unbonding
		m.bonds[b].unbonding, m.bonds[b].free = 0, 0
		m.tidy(b[0], b[1])
	}
	for _, r := range first(1024, m.recoveries(), m.now()) {
		m.studies[r].handOver(m.studies[r].recovery.owner, m.height)
	}
	for _, v := range sorted(equivocated) {
		if s := m.stakeOf(v); s != nil && !s.expelled {
			m.forfeit(m.validators[v].source, 1000)
			s.expelled = true
		}
	}
	m.countAbsent(absent)
}

// due is what is to be done at times, by how it stands in keys: time and reference.
type due[name any] map[string]name

func dueKey(at int64, reference ...[]byte) string {
	return string(append(binary.BigEndian.AppendUint64(nil, uint64(at)), bytes.Join(reference, nil)...))
}

// first returns the first n of what is due.
func first[name any](n int, all due[name], now int64) (names []name) {
	for _, key := range slices.Sorted(maps.Keys(all)) {
		if int64(binary.BigEndian.Uint64([]byte(key))) > now || len(names) == n {
			break
		}
		names = append(names, all[key])
	}
	return names
}

// unbondings are the bonds of which something is being unbonded.
func (m *model) unbondings() due[[2]id] {
	all := due[[2]id]{}
	for key, b := range m.bonds {
		if b.free != 0 {
			all[dueKey(b.free, key[0][:], key[1][:])] = key
		}
	}
	return all
}

// recoveries are the studies on whose new owner the guardians have agreed.
func (m *model) recoveries() due[id] {
	all := due[id]{}
	for key, s := range m.studies {
		if s.recovery != nil && s.recovery.at != 0 {
			all[dueKey(s.recovery.at, key[:])] = key
		}
	}
	return all
}

// tidy deletes a bond of nothing.
func (m *model) tidy(source, payer id) {
	if b := m.bonds[[2]id{source, payer}]; b.units == 0 && b.unbonding == 0 {
		delete(m.bonds, [2]id{source, payer})
	}
}

func sorted(ids []id) []id {
	return slices.SortedFunc(slices.Values(ids), func(a, b id) int { return bytes.Compare(a[:], b[:]) })
}

// stakeOf is the stake of the source that a validator belongs to.
func (m *model) stakeOf(v id) *stake {
	if m.validators[v] == nil || m.validators[v].source == (id{}) {
		return nil
	}
	return m.stakes[m.validators[v].source]
}

func (m *model) countAbsent(absent []id) {
	look := int64(m.params[11]) * second
	if m.time/look == m.before/look {
		return
	}
	window := uint64(m.now()) / m.params[12]
	for _, key := range sorted(absent) {
		v := m.validators[key]
		if v.window == window {
			v.times++
		} else {
			v.window, v.times = window, 1
		}
		if v.times <= m.params[13] {
			continue
		}
		v.times = 0
		if s := m.stakeOf(key); s != nil && s.jailed == 0 && !s.expelled {
			s.jailed = m.now() + int64(m.params[14])
			s.jailings++
			m.forfeit(v.source, m.params[15])
		}
	}
}

func (m *model) forfeit(source id, thousandths uint64) {
	share := func(units uint64) uint64 { return (units*thousandths + 999) / 1000 }
	for key, b := range m.bonds {
		if key[0] != source {
			continue
		}
		units, unbonding := share(b.units), share(b.unbonding)
		b.units -= units
		b.unbonding -= unbonding
		if b.unbonding == 0 {
			b.free = 0
		}
		p, s := m.payers[key[1]], m.stakes[source]
		s.units -= units
		s.forfeited += units + unbonding
		p.units -= min(p.units, units+unbonding)
		p.bonded -= units + unbonding
		p.forfeited += units + unbonding
		m.tidy(source, key[1])
	}
}

// take pays a cost out of an allowance, if it is there. ledger-spec 5.0.2
func (m *model) take(paid *int64, cost uint64, interval, depth int64) bool {
	if cost == 0 {
		return true
	}
	after := max(m.time, *paid) + int64(cost)*interval
	if interval == 0 || after > m.time+depth {
		return false
	}
	*paid = after
	return true
}

func (m *model) takeSource(name id, cost uint64) bool {
	units := new(big.Int).SetUint64(m.stakes[name].units)
	units.Mul(units, new(big.Int).SetUint64(m.params[1]))
	interval := int64(0)
	if units.Sign() > 0 {
		interval = max(1, new(big.Int).Div(big.NewInt(day), units).Int64())
	}
	return m.take(&m.sources[name].paid, cost, interval, min(int64(m.params[2])*day, int64(m.params[6])*second))
}

func (m *model) takeOwner(s *study, cost uint64) bool {
	interval := day / int64(m.params[3])
	return m.take(&s.paid, cost, interval, int64(m.params[4])*interval)
}

func (m *model) takeOthers(s *study) bool {
	interval := day / int64(m.params[3])
	return m.take(&s.paid, 1, interval, int64(m.params[4])*interval/2)
}

// takeMember pays for an emergency: the group and the member do, or neither.
func (m *model) takeMember(group *study, name, who id) bool {
	interval := day / int64(m.params[16])
	paid, before := m.members[[2]id{name, who}], group.paid
	if !m.takeOthers(group) {
		return false
	}
	if !m.take(&paid, 1, interval, int64(m.params[16])*interval) {
		group.paid = before
		return false
	}
	m.members[[2]id{name, who}] = paid
	return true
}

func (m *model) takePayer(p *payer) bool {
	interval := day / int64(m.params[5])
	if !m.take(&p.paid, 1, interval, int64(m.params[5])*interval) {
		return false
	}
	p.sequence++
	return true
}

// The names. ledger-spec 2

func hash(parts ...[]byte) id { return sha256.Sum256(bytes.Join(parts, nil)) }

func commitment(tag string, blind, who, study id) id {
	return hash([]byte("collimate/"+tag+"/v1\x00"), blind[:], who[:], study[:])
}

func groupID(nonce []byte, source, owner id) id {
	h := hash([]byte("collimate/group-id/v1\x00"), nonce, source[:], owner[:])
	return id(append(bytes.Clone(nonce), h[:24]...))
}

// alias is the OID of a name.
func alias(name id) string {
	uuid := name
	uuid[6] = uuid[6]&0x0f | 0x80
	uuid[8] = uuid[8]&0x3f | 0x80
	return "2.25." + new(big.Int).SetBytes(uuid[:16]).String()
}
