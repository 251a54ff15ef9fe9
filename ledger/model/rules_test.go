package model

import (
	"bytes"
	"crypto/ed25519"
	"encoding/binary"
	"slices"

	"collimate/ledger"
)

// apply applies a transaction, and returns "" or the code of its refusal. ledger-spec 5
func (m *model) apply(by id, body ledger.Body) string {
	switch b := body.(type) {
	case ledger.Bond:
		return m.bond(by, b)
	case ledger.Unbond:
		return m.unbond(by, b)
	case ledger.SetParams:
		return m.setParams(by, b)
	case ledger.DefineSource:
		return m.defineSource(by, b)
	case ledger.UpdateSource:
		return m.updateSource(by, b)
	case ledger.RotateKey:
		return m.rotateKey(by, b)
	case ledger.Unjail:
		return m.unjail(by, b)
	case ledger.AnchorReceipts:
		return m.anchorReceipts(by, b)
	case ledger.DefineStudy:
		return m.defineStudy(by, b)
	case ledger.AmendStudy:
		return m.amendStudy(by, b)
	case ledger.HoldStudy:
		return m.holdStudy(by, b)
	case ledger.WithdrawStudy:
		return m.withdrawStudy(by, b)
	case ledger.TransferStudy:
		return m.transferStudy(by, b)
	case ledger.AllowAccess:
		return m.allowAccess(by, b)
	case ledger.RevokeAccess:
		return m.revokeAccess(by, b)
	case ledger.SetGuardians:
		return m.setGuardians(by, b)
	case ledger.Recover:
		return m.recover(by, b)
	case ledger.CancelRecovery:
		return m.cancelRecovery(by, b)
	case ledger.EmergencyAccess:
		return m.emergencyAccess(by, b)
	}
	panic("a kind that the model does not know")
}

// Payers.

func (m *model) payer(by id, sequence uint64) (*payer, string) {
	p := m.payers[by]
	if p == nil {
		return nil, "not-payer"
	}
	if sequence != p.sequence+1 {
		return nil, "wrong-sequence"
	}
	return p, ""
}

func (m *model) bond(by id, b ledger.Bond) string {
	p, refused := m.payer(by, b.Sequence)
	if refused != "" {
		return refused
	}
	s := m.stakes[b.Source.ID]
	switch {
	case b.Units+p.bonded > p.units:
		return "over-limit"
	case s != nil && s.expelled:
		return "expelled"
	case !m.takePayer(p):
		return "no-allowance"
	}
	if s == nil {
		s = &stake{}
		m.stakes[b.Source.ID] = s
	}
	key := [2]id{b.Source.ID, by}
	if m.bonds[key] == nil {
		m.bonds[key] = &bond{}
	}
	m.bonds[key].units += b.Units
	s.units += b.Units
	p.bonded += b.Units
	return ""
}

func (m *model) unbond(by id, b ledger.Unbond) string {
	p, refused := m.payer(by, b.Sequence)
	if refused != "" {
		return refused
	}
	it := m.bonds[[2]id{b.Source.ID, by}]
	switch {
	case it == nil || b.Units > it.units:
		return "over-limit"
	case !m.takePayer(p):
		return "no-allowance"
	}
	it.units -= b.Units
	it.unbonding += b.Units
	it.free = m.now() + int64(m.params[6])
	m.stakes[b.Source.ID].units -= b.Units
	return ""
}

func (m *model) setParams(by id, b ledger.SetParams) string {
	p, refused := m.payer(by, b.Sequence)
	if refused != "" {
		return refused
	}
	all := map[id]bool{}
	for key := range m.payers {
		all[key] = true
	}
	for _, p := range b.Payers {
		all[p.Payer.ID] = true
	}
	h := uint64(m.height)
	switch {
	case b.Version != m.version+1:
		return "wrong-version"
	case m.next != nil:
		return "change-pending"
	case b.Height < h+m.params[10] || b.Height > h+1_000_000:
		return "bad-height"
	case len(all) > 64:
		return "too-many-payers"
	case !m.takePayer(p):
		return "no-allowance"
	}
	params := numbers(b.Params)
	proposal := array(number(b.Version), paramsMap(params), payersList(b.Payers), number(b.Height))
	m.votes[by] = vote{b.Version, hash([]byte("collimate/proposal/v1\x00"), proposal)}
	var units, agreed uint64
	for key, p := range m.payers {
		units += p.units
		if m.votes[key] == m.votes[by] {
			agreed += p.units
		}
	}
	if 3*agreed > 2*units {
		m.next = &next{b.Version, params, b.Payers, b.Height}
		clear(m.votes)
	}
	return ""
}

// Sources.

// signer returns the name of the source whose present key signs.
func (m *model) signer(by id) (name id, refused string) {
	name = by
	if m.sources[name] == nil {
		name = m.rotated[by]
	}
	if s := m.sources[name]; s == nil || s.key != by {
		return id{}, "unknown-source"
	}
	return name, ""
}

func (m *model) keyTaken(key id) bool {
	_, was := m.rotated[key]
	return was || m.sources[key] != nil
}

func (m *model) defineSource(by id, b ledger.DefineSource) string {
	v := m.validators[id(b.ValidatorKey)]
	proof := bytes.Join([][]byte{[]byte("collimate/validator-proof/v1\x00" + m.chain + "\x00"), by[:]}, nil)
	oids := append([]string{alias(by)}, b.OIDs...)
	s := m.stakes[by]
	switch {
	case m.keyTaken(by):
		return "key-taken"
	case s == nil || s.units == 0:
		return "no-bond"
	case s.expelled:
		return "expelled"
	case v != nil && v.source != (id{}):
		return "validator-taken"
	case !ed25519.Verify(b.ValidatorKey[:], proof, b.ValidatorProof[:]):
		return "bad-proof"
	case slices.ContainsFunc(oids, func(oid string) bool { _, taken := m.oids[oid]; return taken }):
		return "oid-taken"
	}
	if v == nil {
		v = &validator{}
		m.validators[id(b.ValidatorKey)] = v
	}
	v.source = by
	for _, oid := range oids {
		m.oids[oid] = by
	}
	m.sources[by] = &source{
		version: 1, endpoints: b.Endpoints, oids: b.OIDs, validator: id(b.ValidatorKey), peer: b.Peer,
		groups: b.EmergencyGroups, key: by, defined: m.height, changed: m.height,
	}
	return ""
}

// newVersion makes what is good now the earlier one.
func (m *model) newVersion(s *source) {
	s.version++
	s.earlier, s.earlierKey, s.earlierUntil = s.endpoints, s.key, m.now()+int64(m.params[7])
	s.changed = m.height
}

func (m *model) updateSource(by id, b ledger.UpdateSource) string {
	name, refused := m.signer(by)
	if refused != "" {
		return refused
	}
	s := m.sources[name]
	switch {
	case b.Version != s.version+1:
		return "wrong-version"
	case !m.takeSource(name, 1):
		return "no-allowance"
	}
	m.newVersion(s)
	s.endpoints, s.peer, s.groups = b.Endpoints, b.Peer, b.EmergencyGroups
	return ""
}

func (m *model) rotateKey(by id, b ledger.RotateKey) string {
	name, refused := m.signer(by)
	if refused != "" {
		return refused
	}
	s, key := m.sources[name], hash(b.SPKI)
	message := bytes.Join([][]byte{
		[]byte("collimate/rotate-key/v1\x00" + m.chain + "\x00"), name[:], binary.BigEndian.AppendUint64(nil, b.Version),
	}, nil)
	const ed25519Prefix = 12 // of the SubjectPublicKeyInfo, before the key: the only kind that rotates here
	switch {
	case b.Version != s.version+1:
		return "wrong-version"
	case m.keyTaken(key):
		return "key-taken"
	case !ed25519.Verify(b.SPKI[ed25519Prefix:], message, b.Proof):
		return "bad-proof"
	case !m.takeSource(name, 1):
		return "no-allowance"
	}
	m.newVersion(s)
	s.key = key
	if b.Compromised {
		s.earlierKey = id{}
	}
	m.rotated[key] = name
	return ""
}

func (m *model) unjail(by id, b ledger.Unjail) string {
	name, refused := m.signer(by)
	if refused != "" {
		return refused
	}
	s := m.stakes[name]
	switch {
	case s.jailed == 0 || b.Jailing != s.jailings:
		return "not-jailed"
	case s.expelled:
		return "expelled"
	case m.now() < s.jailed:
		return "still-jailed"
	}
	s.jailed = 0
	return ""
}

func (m *model) anchorReceipts(by id, b ledger.AnchorReceipts) string {
	name, refused := m.signer(by)
	if refused != "" {
		return refused
	}
	s := m.sources[name]
	switch {
	case b.From < s.receipts || b.To > m.now():
		return "bad-period"
	case !m.takeSource(name, 1):
		return "no-allowance"
	}
	s.receipts = b.To
	key := string(name[:]) + string(binary.BigEndian.AppendUint64(nil, uint64(b.To)))
	m.receipts[key] = &receipts{b.From, b.Count, id(b.Root), m.height}
	return ""
}

// What sources say of studies.

func (m *model) defineStudy(by id, b ledger.DefineStudy) string {
	name, refused := m.signer(by)
	if refused != "" {
		return refused
	}
	if m.stakes[name].jailed != 0 {
		return "jailed"
	}
	for _, d := range b.Studies {
		if d.Kind == 6 && d.Study != groupID(d.Study[:8], name, d.Owner.ID) {
			return "bad-group"
		}
	}
	for _, d := range b.Studies {
		if m.studies[d.Study] != nil {
			return "study-exists"
		}
	}
	if !m.takeSource(name, uint64(len(b.Studies))) {
		return "no-allowance"
	}
	for _, d := range b.Studies {
		m.studies[d.Study] = &study{
			source: name, owner: d.Owner.ID, kind: uint64(d.Kind), defined: m.height, epochBegan: m.height, revBegan: m.height,
			grants: map[id]*grant{}, emergencies: map[id]*emergency{},
		}
	}
	m.sources[name].studies += uint64(len(b.Studies))
	return ""
}

func (m *model) published(by, name id, revision uint64) (of id, s *study, refused string) {
	of, refused = m.signer(by)
	s = m.studies[name]
	switch {
	case refused != "":
	case s == nil:
		refused = "unknown-study"
	case s.source != of:
		refused = "other-source"
	case s.revision != revision:
		refused = "wrong-revision"
	case s.status == 2:
		refused = "withdrawn"
	}
	return of, s, refused
}

func (m *model) revise(s *study) {
	s.revision++
	s.revBegan = m.height
}

func (m *model) amendStudy(by id, b ledger.AmendStudy) string {
	of, s, refused := m.published(by, b.Study, b.Revision)
	switch {
	case refused != "":
		return refused
	case !m.takeSource(of, 1):
		return "no-allowance"
	}
	m.revise(s)
	return ""
}

func (m *model) holdStudy(by id, b ledger.HoldStudy) string {
	of, s, refused := m.published(by, b.Study, b.Revision)
	switch {
	case refused != "":
		return refused
	case b.Held == (s.status == 1):
		return "no-change"
	case !b.Held && !m.takeSource(of, 1):
		return "no-allowance"
	}
	s.status = 0
	if b.Held {
		s.status = 1
	}
	m.revise(s)
	return ""
}

func (m *model) withdrawStudy(by id, b ledger.WithdrawStudy) string {
	of, s, refused := m.published(by, b.Study, b.Revision)
	if refused != "" {
		return refused
	}
	s.status = 2
	m.sources[of].studies--
	m.revise(s)
	return ""
}
