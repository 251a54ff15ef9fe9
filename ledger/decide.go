package ledger

import (
	"fmt"
	"slices"
	"time"

	"collimate/keys"
)

// Reason says why Decide decided as it did. It is for the audit trail and the operator; outside, all refusals
// look alike. ledger-spec 6.3
type Reason string

// The reasons. The first three allow.
const (
	ReasonAllowed        Reason = "allowed"          // by a grant
	ReasonOwner          Reason = "owner"            // the requester owns the study
	ReasonEmergency      Reason = "emergency"        // the requester broke the glass
	ReasonStale          Reason = "stale"            // chain time is too far from this node's clock
	ReasonNobody         Reason = "nobody"           // the requester is the zero key
	ReasonUnknownSource  Reason = "unknown-source"   // the source is not on the ledger
	ReasonUnknownStudy   Reason = "unknown-study"    // the study is not on the ledger
	ReasonOtherSource    Reason = "other-source"     // another source published the study
	ReasonWithdrawn      Reason = "withdrawn"        // the source has withdrawn the study
	ReasonHeld           Reason = "held"             // the source holds the study
	ReasonNoGrant        Reason = "no-grant"         // no opening, or none that opens a grant
	ReasonEarlierOwner   Reason = "earlier-owner"    // the grant was made by an earlier owner
	ReasonRevokedAll     Reason = "revoked-all"      // the owner revoked everything
	ReasonRevoked        Reason = "revoked"          // the owner revoked the grant
	ReasonRevokedAllSeen Reason = "revoked-all-seen" // so, in a transaction that is not final yet
	ReasonRevokedSeen    Reason = "revoked-seen"     // so, in a transaction that is not final yet
	ReasonExpired        Reason = "expired"          // chain time is past the end of the grant
	ReasonNotMember      Reason = "not-member"       // the requester is not, or no more, in the group of grant or emergency
	ReasonOutOfScope     Reason = "out-of-scope"     // the grant, or the membership, is not for what is asked for
	ReasonLowTier        Reason = "low-tier"         // the grant, or the membership, asks for better evidence
)

// furthest has the reasons that a grant or an emergency can give, by how many checks it passed. ledger-spec 6.2
var furthest = []Reason{
	ReasonNoGrant, ReasonEarlierOwner, ReasonRevokedAll, ReasonRevoked, ReasonRevokedAllSeen, ReasonRevokedSeen,
	ReasonExpired, ReasonNotMember, ReasonOutOfScope, ReasonLowTier, ReasonEmergency, ReasonAllowed,
}

// Opening opens a grant to its requester, or one to a group of which the requester is a member.
type Opening struct {
	Blind      [32]byte // of the grant
	Group      StudyID  // that the grant is to; zero: it is to the requester
	Membership [32]byte // blind of the grant of Group to the requester
}

// Direct reports whether the grant is to the requester and not to a group.
func (o Opening) Direct() bool { return o.Group == StudyID{} }

// Commitment returns that of the grant, which a requester opens. ledger-spec 2.4
func (o Opening) Commitment(requester keys.Grantee, study StudyID) Commitment {
	if o.Direct() {
		return NewCommitment(o.Blind, requester, study)
	}
	return NewGroupCommitment(o.Blind, o.Group, study)
}

// Access is a question to Decide: may this requester have this study of this source?
type Access struct {
	Source    keys.Source
	Study     StudyID
	Requester keys.Grantee
	// Openings are those that the source holds for requester and study, at most MaxGrantsPerStudy.
	Openings []Opening
	// Scope is what is asked for; not zero.
	Scope Scope
	// Tier is how good the evidence is that it is the requester who asks.
	Tier Tier
	// Revoked and RevokedAll report revocations that this node has seen in valid transactions, final or
	// not. nil stands for none.
	Revoked    func(StudyID, Commitment) bool
	RevokedAll func(study StudyID, epoch uint64) bool
	// Now is this node's clock. It serves to tell whether the chain has stopped, and for nothing else.
	Now time.Time
	// Staleness is how far chain time may be from Now.
	Staleness time.Duration
}

// Decision is an answer of Decide.
type Decision struct {
	Allowed bool
	Reason  Reason
	Height  int64 // of the block by which it was decided
	// Commitment is that of the grant, or of the membership of the emergency, that allowed or came nearest to it; zero
	// if there was none. Group is the group by way of which it did, if any.
	Commitment Commitment
	Group      StudyID
	// Keys are those of the state that the decision rests on, whose proofs show it to anybody. ledger-spec 6.2
	Keys [][]byte
}

// Decide decides whether a requester may have a study. It reads one snapshot, costs a few point reads, and
// writes nothing. An error means that the state could not be read, or that it was no question, and that nothing may
// be released.
//
// A grant counts once it is final. A revocation counts once this node has seen it. Expiry goes by chain time. A
// node whose last block is too old refuses: what it does not know may be a revocation. ledger-spec 6
func Decide(s *Snapshot, a Access) (Decision, error) {
	q := question{Access: a, state: s, now: Seconds(s.Time().Unix())}
	d, err := q.decide()
	if err != nil {
		return Decision{Height: s.Height()}, fmt.Errorf("deciding: %w", err)
	}
	d.Height = s.Height()
	d.Allowed = d.Reason == ReasonAllowed || d.Reason == ReasonOwner || d.Reason == ReasonEmergency
	return d, nil
}

// question is an Access under decision.
type question struct {
	Access
	state *Snapshot
	now   Seconds // chain time
	study *StudyRecord
}

// finding is what speaks for or against one grant or emergency.
type finding struct {
	reason     Reason
	commitment Commitment
	group      StudyID
	keys       [][]byte
}

// decide takes the steps of ledger-spec 6.2. Those that nobody's grant gets past come first.
func (q *question) decide() (Decision, error) {
	if q.Scope == 0 || q.Scope > ScopeAll {
		return Decision{}, fmt.Errorf("the scope asked for is %d, want 1 to %d", q.Scope, ScopeAll)
	}
	if n := len(q.Openings); n > MaxGrantsPerStudy {
		return Decision{}, fmt.Errorf("%d openings for one requester and study, the ledger holds %d at the most", n, MaxGrantsPerStudy)
	}
	d, err := q.findStudy()
	if err != nil || d.Reason != "" {
		return d, err
	}
	best := finding{reason: ReasonNoGrant}
	better := func(f finding) {
		if slices.Index(furthest, f.reason) > slices.Index(furthest, best.reason) {
			best = f
		}
	}
	for _, o := range q.Openings {
		f, err := q.grant(o)
		if err != nil {
			return d, err
		}
		if better(f); best.reason == ReasonAllowed {
			break
		}
	}
	if best.reason != ReasonAllowed {
		f, err := q.emergency()
		if err != nil {
			return d, err
		}
		better(f)
	}
	d.Reason, d.Commitment, d.Group, d.Keys = best.reason, best.commitment, best.group, append(d.Keys, best.keys...)
	return d, nil
}

// findStudy gives a reason if everybody, or the owner, gets the same answer.
func (q *question) findStudy() (d Decision, err error) {
	if age := q.Now.Sub(q.state.Time()); age > q.Staleness || age < -q.Staleness {
		d.Reason = ReasonStale
		return d, nil
	}
	if q.Requester.IsZero() {
		d.Reason = ReasonNobody
		return d, nil
	}
	d.Keys = [][]byte{KeySource(q.Source)}
	source, err := q.state.Get(d.Keys[0])
	if err != nil {
		return d, err
	}
	if source == nil {
		d.Reason = ReasonUnknownSource
		return d, nil
	}
	d.Keys = append(d.Keys, KeyStudy(q.Study))
	if q.study, err = readStudy(q.state, q.Study); err != nil {
		return d, err
	}
	switch {
	case q.study == nil:
		d.Reason = ReasonUnknownStudy
	case q.study.Source != q.Source:
		d.Reason = ReasonOtherSource
	case q.study.Status == Withdrawn:
		d.Reason = ReasonWithdrawn
	case q.study.Status == Held:
		d.Reason = ReasonHeld
	case q.study.Owner.ID == q.Requester.ID:
		d.Reason = ReasonOwner
	}
	return d, nil
}

// grant looks up what an opening opens.
func (q *question) grant(o Opening) (f finding, err error) {
	f = finding{reason: ReasonNoGrant, commitment: o.Commitment(q.Requester, q.Study), group: o.Group}
	grant, err := readGrant(q.state, q.Study, f.commitment)
	if grant == nil || err != nil {
		return f, err
	}
	f.keys = [][]byte{KeyGrant(q.Study, f.commitment)}
	if f.reason = q.ended(q.study, grant, q.now); f.reason != "" {
		return f, nil
	}
	if o.Direct() {
		f.reason = q.within(ReasonAllowed, grant)
		return f, nil
	}
	membership, err := q.membership(&f, o.Group, NewCommitment(o.Membership, q.Requester, o.Group))
	if membership != nil {
		f.reason = q.within(ReasonAllowed, grant, membership)
	}
	return f, err
}

// emergency looks up whether the requester broke the glass.
func (q *question) emergency() (f finding, err error) {
	f.reason = ReasonNoGrant
	emergency, err := readEmergency(q.state, q.Study, q.Requester)
	if emergency == nil || emergency.NotAfter < q.now || err != nil {
		return f, err
	}
	f = finding{
		reason: ReasonNotMember, commitment: emergency.Membership, group: emergency.Group,
		keys: [][]byte{KeyEmergency(q.Study, q.Requester)},
	}
	source, err := readSource(q.state, q.Source)
	if source == nil || !source.admits(emergency.Group) || err != nil {
		return f, err
	}
	membership, err := q.membership(&f, emergency.Group, emergency.Membership)
	if membership != nil {
		f.reason = q.within(ReasonEmergency, membership)
	}
	return f, err
}

// membership returns the grant by which a group lets the requester in. If none stands it returns nil, and f has the
// reason.
func (q *question) membership(f *finding, id StudyID, c Commitment) (*GrantRecord, error) {
	f.reason = ReasonNotMember
	f.keys = append(f.keys, KeyStudy(id))
	group, err := readStudy(q.state, id)
	if !group.isLiveGroup() || err != nil {
		return nil, err
	}
	f.keys = append(f.keys, KeyGrant(id, c))
	membership, err := readGrant(q.state, id, c)
	if membership == nil || err != nil || q.ended(group, membership, q.now) != "" {
		return nil, err
	}
	return membership, nil
}

// within holds what is asked for against grants that stand.
func (q *question) within(yes Reason, grants ...*GrantRecord) Reason {
	for _, g := range grants {
		if q.Scope&^g.Scope != 0 {
			return ReasonOutOfScope
		}
	}
	for _, g := range grants {
		if q.Tier < g.Tier {
			return ReasonLowTier
		}
	}
	return yes
}

// ended says what ended a grant of a study; nothing if it stands.
func (a *Access) ended(study *StudyRecord, grant *GrantRecord, now Seconds) Reason {
	switch {
	case grant.Epoch < study.OwnerSince:
		return ReasonEarlierOwner
	case grant.Epoch != study.Epoch:
		return ReasonRevokedAll
	case grant.Revoked():
		return ReasonRevoked
	case a.RevokedAll != nil && a.RevokedAll(study.ID, grant.Epoch):
		return ReasonRevokedAllSeen
	case a.Revoked != nil && a.Revoked(study.ID, grant.Commitment):
		return ReasonRevokedSeen
	case now > grant.NotAfter:
		return ReasonExpired
	}
	return ""
}

// isLiveGroup reports whether a record, which may be nil, is a group that has members.
func (s *StudyRecord) isLiveGroup() bool {
	return s != nil && s.Kind == RecordGroup && s.Status == Live
}
