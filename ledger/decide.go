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

// The reasons, in the order in which Decide looks for them. The first two allow.
const (
	ReasonAllowed        Reason = "allowed"          // by a grant
	ReasonOwner          Reason = "owner"            // the requester owns the study
	ReasonNobody         Reason = "nobody"           // the requester is the zero key
	ReasonStale          Reason = "stale"            // chain time is too far from this node's clock
	ReasonUnknownSource  Reason = "unknown-source"   // the source is not on the ledger
	ReasonUnknownStudy   Reason = "unknown-study"    // the study is not on the ledger
	ReasonOtherSource    Reason = "other-source"     // another source published the study
	ReasonNoGrant        Reason = "no-grant"         // no opening, or none that opens a grant
	ReasonEarlierOwner   Reason = "earlier-owner"    // the grant was made by an earlier owner
	ReasonRevokedAll     Reason = "revoked-all"      // the owner revoked everything
	ReasonRevoked        Reason = "revoked"          // the owner revoked the grant
	ReasonRevokedAllSeen Reason = "revoked-all-seen" // so, in a transaction that is not final yet
	ReasonRevokedSeen    Reason = "revoked-seen"     // so, in a transaction that is not final yet
	ReasonExpired        Reason = "expired"          // chain time is past the end of the grant
)

// Access is a question to Decide: may this requester have this study of this source?
type Access struct {
	Source    keys.Source
	Study     StudyID
	Requester keys.Grantee
	// Blinds are those of the openings that the source holds for requester and study, at most
	// MaxGrantsPerStudy.
	Blinds [][32]byte
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
	// Commitment is that of the grant that allowed, or that came nearest to it; zero if there was none.
	Commitment Commitment
}

// Decide decides whether a requester may have a study. It reads one snapshot, costs a few point reads, and
// writes nothing. An error means that the state could not be read, and that nothing may be released.
//
// A grant counts once it is final. A revocation counts once this node has seen it. Expiry goes by chain time. A
// node whose last block is too old refuses: what it does not know may be a revocation. ledger-spec 6
func Decide(s *Snapshot, a Access) (Decision, error) {
	d := Decision{Height: s.Height()}
	study, refusal, err := findStudy(s, a)
	switch {
	case err != nil:
		return d, fmt.Errorf("deciding: %w", err)
	case refusal != "":
		d.Reason = refusal
		return d, nil
	case study.Owner.ID == a.Requester.ID:
		d.Allowed, d.Reason = true, ReasonOwner
		return d, nil
	}
	d.Reason, d.Commitment, err = findGrant(s, a, study)
	if err != nil {
		return Decision{Height: s.Height()}, fmt.Errorf("deciding: %w", err)
	}
	d.Allowed = d.Reason == ReasonAllowed
	return d, nil
}

// findStudy returns the study asked for, or why nobody at all may have it from this source.
func findStudy(s *Snapshot, a Access) (*StudyRecord, Reason, error) {
	if age := a.Now.Sub(s.Time()); age > a.Staleness || age < -a.Staleness {
		return nil, ReasonStale, nil
	}
	if a.Requester.IsZero() {
		return nil, ReasonNobody, nil
	}
	source, err := s.Get(keySource(a.Source.ID))
	switch {
	case err != nil:
		return nil, "", err
	case source == nil:
		return nil, ReasonUnknownSource, nil
	}
	study, err := readStudy(s, a.Study)
	switch {
	case err != nil:
		return nil, "", err
	case study == nil:
		return nil, ReasonUnknownStudy, nil
	case study.Source != a.Source:
		return nil, ReasonOtherSource, nil
	}
	return study, "", nil
}

// findGrant tries each opening. The first grant that allows decides; otherwise the one that passed most checks
// gives the reason.
func findGrant(s *Snapshot, a Access, study *StudyRecord) (best Reason, by Commitment, err error) {
	if n := len(a.Blinds); n > MaxGrantsPerStudy {
		return "", by, fmt.Errorf("%d openings for one requester and study, where the ledger holds %d at the most", n, MaxGrantsPerStudy)
	}
	best = ReasonNoGrant
	for _, blind := range a.Blinds {
		c := NewCommitment(blind, a.Requester, a.Study)
		grant, err := readGrant(s, a.Study, c)
		if err != nil {
			return "", by, err
		}
		if grant == nil {
			continue
		}
		if reason := judge(s, a, study, grant); rank(reason) > rank(best) {
			best, by = reason, c
		}
		if best == ReasonAllowed {
			break
		}
	}
	return best, by, nil
}

// judge says what speaks for or against one grant.
func judge(s *Snapshot, a Access, study *StudyRecord, grant *GrantRecord) Reason {
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
	case s.Time().After(grant.NotAfter):
		return ReasonExpired
	}
	return ReasonAllowed
}

// rank orders the reasons that judge gives by how many checks the grant passed.
func rank(r Reason) int {
	return slices.Index([]Reason{
		ReasonNoGrant, ReasonEarlierOwner, ReasonRevokedAll, ReasonRevoked, ReasonRevokedAllSeen,
		ReasonRevokedSeen, ReasonExpired, ReasonAllowed,
	}, r)
}
