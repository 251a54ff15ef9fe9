package model

import (
	"bytes"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/binary"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"collimate/keys"
	"collimate/ledger"
)

const chainID = "collimate-model"

// genesisTime is that of every run.
var genesisTime = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// A run has few keys, studies and blinds, so that operations meet. Any key may play any part.
const (
	nKeys       = 14
	nValidators = 5
	nStudies    = 20
	nGroups     = 5 // of the studies
	nBlinds     = 6
)

// party is a key.
type party struct {
	key ed25519.PrivateKey
	id  id
}

var (
	parties    = makeParties(nKeys)
	spares     = makeParties(200)[nKeys:] // keys that sources turn to, one after the other
	validators = func() (all []ed25519.PrivateKey) {
		for i := range nValidators {
			seed := named("validator", i)
			all = append(all, ed25519.NewKeyFromSeed(seed[:]))
		}
		return all
	}()
)

func makeParties(n int) (all []party) {
	for i := range n {
		seed := named("key", i)
		p := party{key: ed25519.NewKeyFromSeed(seed[:])}
		p.id = hash(spki(p.key))
		all = append(all, p)
	}
	return all
}

func spki(key ed25519.PrivateKey) []byte {
	b, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		panic(err)
	}
	return b
}

func named(what string, i int) id {
	return hash([]byte(what), binary.BigEndian.AppendUint64(nil, uint64(i)))
}

// maker makes random operations that the model's state lets have a good chance, and some that it does not.
type maker struct {
	rng *rand.Rand
	m   *model
	// studies are what operations are about. The first nGroups are groups, or names that none has; and one is the KeyID
	// of a party, as a StudyID can be anything.
	studies []id
	spares  []party
	sent    [][]byte
	// proposal is what payers vote on at present.
	proposal ledger.SetParams
	crowded  bool // studies are filled to the limit
	steady   bool // no votes on params
	// burst is how many more grants of one study come one after the other, to fill it. Then everything is revoked.
	burst   int
	burstOf id
	serial  int
	// opens has the openings of the commitments that were used: blind, key, group.
	opens map[id][3]id
}

func (k *maker) chance(n int) bool { return k.rng.IntN(n) == 0 }

func pick[E any](k *maker, from []E) E { return from[k.rng.IntN(len(from))] }

func newMaker(seed uint64, steady bool) *maker {
	k := &maker{rng: rand.New(rand.NewPCG(seed, 0)), crowded: crowded(seed), steady: steady, spares: spares, opens: map[id][3]id{}}
	for i := range nStudies - 1 {
		k.studies = append(k.studies, named("study", i))
	}
	k.studies = append(k.studies, parties[3].id)
	return k
}

// genesis has params that make things happen within a few thousand operations.
func (k *maker) genesis() ledger.Genesis {
	p := k.params()
	g := ledger.Genesis{ChainID: chainID, Time: genesisTime, Params: &p}
	for _, v := range validators[:nValidators-1] {
		g.Validators = append(g.Validators, [32]byte(v.Public().(ed25519.PublicKey)))
	}
	for _, p := range parties[:3] {
		g.Payers = append(g.Payers, ledger.PayerUnits{Payer: keys.Payer{ID: p.id}, Units: 100 + k.units()/2})
	}
	return g
}

func (k *maker) units() uint64 {
	return pick(k, []uint64{0, 1, 7, 100, 1000, 1000, 5000, ledger.MaxUnits})
}

func (k *maker) params() ledger.Params {
	u := func(from ...uint64) uint64 { return pick(k, from) }
	p := ledger.Params{
		WritesPerUnit: u(1, 10, 1000, 1_000_000), SavedDays: u(1, 30, 366),
		WritesPerStudy: u(24, 1000, 1_000_000), SavedWrites: u(2, 3, 64, 10_000), WritesPerPayer: u(1, 100, 1_000_000),
		UnbondingTime: u(60, 5000, 100_000), EarlierTime: u(1, 600), RecoveryTime: u(1, 100), EmergencyTime: u(10, 300),
		ChangeBlocks: u(1, 3, 20), AbsenceTime: u(1, 10), AbsenceWindow: u(60, 5000), AbsencesTolerated: u(1, 2, 5),
		JailTime: u(1, 100), AbsenceForfeit: u(0, 10, 500, 1000), EmergenciesPerMember: u(1, 3, 8, 1_000_000),
	}
	if k.crowded {
		p.WritesPerStudy, p.SavedWrites = 1_000_000, 10_000
	}
	return p
}

// step is how far chain time goes from one block to the next.
func (k *maker) step() time.Duration {
	switch k.rng.IntN(12) {
	case 0:
		return 0
	case 1:
		return time.Duration(k.rng.Int64N(int64(3 * time.Second)))
	case 2:
		return time.Duration(k.rng.IntN(400)) * time.Second
	case 3:
		return time.Duration(k.rng.IntN(5)) * time.Hour
	case 4:
		if k.chance(10) {
			return time.Duration(k.rng.IntN(400)) * 24 * time.Hour
		}
	}
	return time.Duration(1+k.rng.IntN(5)) * time.Second
}

// observed is what the engine reports of validators.
func (k *maker) observed() (equivocated, absent []id) {
	known := slices.SortedFunc(maps.Keys(k.m.validators), func(a, b id) int { return bytes.Compare(a[:], b[:]) })
	for _, v := range known {
		if k.chance(6) {
			absent = append(absent, v)
		}
		if k.chance(1500) {
			equivocated = append(equivocated, v)
		}
	}
	return equivocated, absent
}

// next makes one operation as it travels.
func (k *maker) next() ([]byte, error) {
	if len(k.sent) > 0 && k.chance(20) {
		return pick(k, k.sent), nil
	}
	by, body := k.operation()
	if k.chance(12) {
		by = pick(k, parties)
	}
	raw, err := ledger.Sign(nil, chainID, body, by.key)
	if len(k.sent) < 200 {
		k.sent = append(k.sent, raw)
	} else {
		k.sent[k.rng.IntN(200)] = raw
	}
	return raw, err
}

// off returns n, or now and then a number beside it.
func (k *maker) off(n uint64) uint64 {
	switch k.rng.IntN(30) {
	case 0:
		return n + 1
	case 1:
		return n - min(n, 1)
	}
	return n
}

func (k *maker) operation() (party, ledger.Body) {
	if k.burst > 0 {
		k.burst--
		return k.crowd(k.m.studies[k.burstOf])
	}
	weights := []struct {
		of   int
		make func() (party, ledger.Body)
	}{
		{4, k.bond}, {3, k.unbond}, {4, k.setParams}, {4, k.defineSource}, {4, k.updateSource}, {2, k.rotateKey}, {3, k.unjail},
		{2, k.anchor}, {6, k.defineStudy}, {2, k.amend}, {4, k.hold}, {1, k.withdraw}, {1, k.transfer}, {20, k.allow},
		{12, k.revoke}, {4, k.guardians}, {7, k.recover}, {5, k.cancel}, {12, k.emergency},
	}
	sum := 0
	for _, w := range weights {
		sum += w.of
	}
	n := k.rng.IntN(sum)
	for _, w := range weights {
		if n -= w.of; n < 0 {
			return w.make()
		}
	}
	panic("unreachable")
}

// partyOf returns the party of a key, somebody else for a key that nobody has.
func (k *maker) partyOf(key id) party {
	for _, p := range parties {
		if p.id == key {
			return p
		}
	}
	for _, p := range spares {
		if p.id == key {
			return p
		}
	}
	return pick(k, parties)
}

// source is one of those on the ledger, or none, with its name.
func (k *maker) source() (party, id, *source) {
	names := sorted(slices.Collect(maps.Keys(k.m.sources)))
	if len(names) == 0 {
		return pick(k, parties), id{}, &source{}
	}
	name := pick(k, names)
	return k.partyOf(k.m.sources[name].key), name, k.m.sources[name]
}

func (k *maker) payer() (keys.Payer, party, uint64) {
	p := pick(k, parties[:4])
	if known := k.m.payers[p.id]; known != nil {
		return keys.Payer{ID: p.id}, p, k.off(known.sequence + 1)
	}
	return keys.Payer{ID: p.id}, p, 1
}

func (k *maker) bond() (party, ledger.Body) {
	_, p, sequence := k.payer()
	units := uint64(1 + k.rng.IntN(200))
	if k.chance(10) {
		units = ledger.MaxUnits
	}
	return p, ledger.Bond{Source: keys.Source{ID: pick(k, parties[2:7]).id}, Units: units, Sequence: sequence}
}

func (k *maker) unbond() (party, ledger.Body) {
	_, p, sequence := k.payer()
	return p, ledger.Unbond{Source: keys.Source{ID: pick(k, parties[2:7]).id}, Units: uint64(1 + k.rng.IntN(60)), Sequence: sequence}
}

func (k *maker) setParams() (party, ledger.Body) {
	if k.steady {
		return k.bond()
	}
	_, p, sequence := k.payer()
	if k.proposal.Version != k.m.version+1 || k.proposal.Height < uint64(k.m.height)+k.m.params[10] || k.chance(10) {
		k.proposal = ledger.SetParams{
			Version: k.off(k.m.version + 1), Params: k.params(), Height: uint64(k.m.height) + k.m.params[10] + uint64(k.rng.IntN(30)),
		}
		for _, p := range parties[2:4] {
			if k.chance(2) {
				k.proposal.Payers = append(k.proposal.Payers, ledger.PayerUnits{Payer: keys.Payer{ID: p.id}, Units: k.units()})
			}
		}
		if k.chance(8) {
			for i := range 60 + k.rng.IntN(3) {
				k.proposal.Payers = append(k.proposal.Payers, ledger.PayerUnits{Payer: keys.Payer{ID: named("rich", i)}})
			}
		}
	}
	body := k.proposal
	body.Sequence = sequence
	if k.chance(20) {
		body.Height += 1_000_001
	}
	return p, body
}

func (k *maker) endpoints() ledger.Endpoints {
	e := ledger.Endpoints{ITI43: fmt.Sprintf("https://s%d.example/xds", k.rng.IntN(9))}
	if k.chance(2) {
		e.Openings = "https://o.example/openings"
	}
	if k.chance(2) {
		e.RAD69 = "https://r.example:8443/rad69?x=1"
	}
	return e
}

func (k *maker) groups() (groups []ledger.StudyID) {
	for _, s := range k.studies {
		if study := k.m.studies[s]; study != nil && study.kind == 6 && !k.chance(4) || k.chance(20) {
			groups = append(groups, s)
		}
	}
	return groups
}

func (k *maker) peer() string { return pick(k, []string{"", "12D3KooW@peer.example:26656"}) }

func (k *maker) defineSource() (party, ledger.Body) {
	p := pick(k, parties[2:7])
	for range 4 { // rather one that somebody has bonded for
		if k.m.stakes[p.id] == nil {
			p = pick(k, parties[2:7])
		}
	}
	v := pick(k, validators)
	proofOf, by := p.id, v
	if k.chance(15) {
		proofOf = pick(k, parties).id
	}
	body := ledger.DefineSource{
		Endpoints: k.endpoints(), ValidatorKey: [32]byte(v.Public().(ed25519.PublicKey)), Peer: k.peer(), EmergencyGroups: k.groups(),
		ValidatorProof: [64]byte(ed25519.Sign(by, ledger.ValidatorProofMessage(chainID, keys.Source{ID: proofOf}))),
	}
	for i := range 3 {
		if k.chance(4) {
			body.OIDs = append(body.OIDs, fmt.Sprintf("1.2.%d", i))
		}
	}
	return p, body
}

func (k *maker) updateSource() (party, ledger.Body) {
	p, _, s := k.source()
	return p, ledger.UpdateSource{
		Version: k.off(s.version + 1), Endpoints: k.endpoints(), Peer: k.peer(), EmergencyGroups: k.groups(),
	}
}

func (k *maker) rotateKey() (party, ledger.Body) {
	p, name, s := k.source()
	to := pick(k, parties)
	if len(k.spares) > 0 && !k.chance(3) {
		to, k.spares = k.spares[0], k.spares[1:]
	}
	version := k.off(s.version + 1)
	signed := version
	if k.chance(15) {
		signed++
	}
	body, err := ledger.NewRotateKey(nil, chainID, keys.Source{ID: name}, signed, to.key)
	if err != nil {
		panic(err)
	}
	body.Version, body.Compromised = version, k.chance(2)
	return p, body
}

func (k *maker) unjail() (party, ledger.Body) {
	p, name, _ := k.source()
	body := ledger.Unjail{Jailing: 1}
	for _, n := range sorted(slices.Collect(maps.Keys(k.m.sources))) { // rather one that is in jail
		if k.m.stakes[n].jailed != 0 {
			name, p = n, k.partyOf(k.m.sources[n].key)
		}
	}
	if s := k.m.stakes[name]; s != nil {
		body.Jailing = k.off(s.jailings)
	}
	return p, body
}

func (k *maker) anchor() (party, ledger.Body) {
	p, _, s := k.source()
	from := max(1, s.receipts+int64(k.rng.IntN(10))-1)
	to := max(from+1, k.m.now()+int64(k.rng.IntN(10))-8)
	return p, ledger.AnchorReceipts{From: from, To: to, Count: k.rng.Uint64N(100), Root: named("root", 1)}
}

func (k *maker) defineStudy() (party, ledger.Body) {
	p, source, _ := k.source()
	var body ledger.DefineStudy
	if k.chance(4) {
		body.Studies = append(body.Studies, k.newGroup(source))
	}
	for i := range 1 + k.rng.IntN(3) {
		s := pick(k, k.studies[nGroups:])
		for range 6 { // rather a new one
			if k.m.studies[s] != nil {
				s = pick(k, k.studies[nGroups:])
			}
		}
		if i > 0 && slices.ContainsFunc(body.Studies, func(d ledger.StudyDefinition) bool { return d.Study == s }) {
			continue
		}
		kind := 1 + k.rng.Uint64N(5)
		if k.chance(40) { // which has not the name of one
			kind = uint64(ledger.RecordGroup)
		}
		of := keys.Owner{ID: pick(k, parties).id}
		body.Studies = append(body.Studies, ledger.StudyDefinition{Study: s, Owner: of, Kind: ledger.RecordKind(kind)})
	}
	if k.chance(40) {
		for i := range 200 {
			more := ledger.StudyDefinition{Study: named("more", k.serial+i), Owner: keys.Owner{ID: parties[0].id}, Kind: 255}
			body.Studies = append(body.Studies, more)
		}
		k.serial += 200
	}
	return p, body
}

// newGroup is a group in the place of one that is not on the ledger or withdrawn, most of the time.
func (k *maker) newGroup(source id) ledger.StudyDefinition {
	i, nonce, of := k.rng.IntN(nGroups), k.rng.Uint64(), pick(k, parties).id
	name := groupID(binary.BigEndian.AppendUint64(nil, nonce), source, of)
	if s := k.m.studies[k.studies[i]]; s == nil || s.status == 2 {
		k.studies[i] = name
	} else if k.chance(2) {
		name = k.studies[i]
	}
	if k.chance(10) {
		of = pick(k, parties).id
	}
	return ledger.StudyDefinition{Study: name, Owner: keys.Owner{ID: of}, Kind: ledger.RecordGroup}
}

// study is one of those on the ledger, most of the time, and who owns it.
func (k *maker) study() (id, *study, party) {
	name := pick(k, k.studies)
	for range 8 { // rather one that is live
		if s := k.m.studies[name]; s == nil || s.status != 0 && k.chance(4) {
			name = pick(k, k.studies)
		}
	}
	if s := k.m.studies[name]; s != nil {
		return name, s, k.partyOf(s.owner)
	}
	return name, &study{}, pick(k, parties)
}

// publisher is who published a study.
func (k *maker) publisher(s *study) party {
	if of := k.m.sources[s.source]; of != nil && !k.chance(15) {
		return k.partyOf(of.key)
	}
	p, _, _ := k.source()
	return p
}

func (k *maker) amend() (party, ledger.Body) {
	name, s, _ := k.study()
	return k.publisher(s), ledger.AmendStudy{Study: name, Revision: k.off(s.revision)}
}

func (k *maker) hold() (party, ledger.Body) {
	name, s, _ := k.study()
	for _, held := range k.studies { // rather release one
		if h := k.m.studies[held]; h != nil && h.status == 1 && k.chance(2) {
			name, s = held, h
		}
	}
	held := s.status == 0
	if k.chance(10) {
		held = !held
	}
	return k.publisher(s), ledger.HoldStudy{Study: name, Revision: k.off(s.revision), Held: held}
}

func (k *maker) withdraw() (party, ledger.Body) {
	if !k.chance(4) {
		return k.amend()
	}
	name, s, _ := k.study()
	return k.publisher(s), ledger.WithdrawStudy{Study: name, Revision: k.off(s.revision)}
}

func (k *maker) transfer() (party, ledger.Body) {
	name, s, p := k.study()
	return p, ledger.TransferStudy{Study: name, Epoch: k.off(s.epoch), NewOwner: keys.Owner{ID: pick(k, parties).id}}
}
