package ledger

import (
	"time"

	"collimate/keys"
)

// SourceRecord is what the ledger holds of a source. ledger-spec 4.5
type SourceRecord struct {
	ID              keys.Source  `cbor:"-" json:"id"`
	Version         uint64       `cbor:"1,keyasint" json:"version"` // 1 when defined
	Endpoints       Endpoints    `cbor:"2,keyasint" json:"endpoints"`
	OIDs            []string     `cbor:"3,keyasint" json:"oids"` // declared, besides the alias of ID; ascending
	ValidatorKey    ValidatorKey `cbor:"4,keyasint" json:"validator_key"`
	Peer            string       `cbor:"5,keyasint" json:"peer"`             // libp2p, ID@host:port; may be empty
	EmergencyGroups []StudyID    `cbor:"6,keyasint" json:"emergency_groups"` // ascending
	// Key is what proves to be the source at present; at first the key that ID names.
	Key keys.ID `cbor:"7,keyasint" json:"key"`
	// Endpoints and key before the last change, which are good until EarlierUntil.
	EarlierEndpoints Endpoints   `cbor:"8,keyasint" json:"earlier_endpoints"`
	EarlierKey       keys.ID     `cbor:"9,keyasint" json:"earlier_key"`
	EarlierUntil     Seconds     `cbor:"10,keyasint" json:"earlier_until"`
	DefinedAt        int64       `cbor:"11,keyasint" json:"defined_at"`     // height
	ChangedAt        int64       `cbor:"12,keyasint" json:"changed_at"`     // height at which Version began
	Studies          uint64      `cbor:"13,keyasint" json:"studies"`        // defined and not withdrawn
	PaidUntil        Nanoseconds `cbor:"14,keyasint" json:"paid_until"`     // its allowance, ledger-spec 5.0.2
	ReceiptsUntil    Seconds     `cbor:"15,keyasint" json:"receipts_until"` // up to which they are anchored
}

// TLSKeys returns the keys by which the source may prove itself in TLS now: the present one, and for some time after
// a rotation the earlier one, if that was not compromised.
func (s *SourceRecord) TLSKeys(now time.Time) []keys.ID {
	if s.EarlierKey.IsZero() || s.EarlierKey == s.Key || now.After(s.EarlierUntil.Time()) {
		return []keys.ID{s.Key}
	}
	return []keys.ID{s.Key, s.EarlierKey}
}

// RecordKind is what kind of medical record a study is. ledger-spec 5.9
type RecordKind uint64

// The kinds that have a name. Others up to 255 are treated like RecordDocument.
const (
	RecordImaging           RecordKind = 1 // imaging study
	RecordLaboratory        RecordKind = 2 // laboratory report
	RecordPathology         RecordKind = 3 // pathology slide
	RecordElectrocardiogram RecordKind = 4
	RecordDocument          RecordKind = 5
	RecordGroup             RecordKind = 6 // no bytes: its grants are memberships
)

// Status is whether a study can be had at all.
type Status uint64

// The states that a study can be in, by its source's word.
const (
	Live      Status = 0
	Held      Status = 1 // nobody gets it for now
	Withdrawn Status = 2 // nobody gets it any more
)

// StudyRecord is what the ledger holds of a study. ledger-spec 4.6
type StudyRecord struct {
	ID     StudyID     `cbor:"-" json:"id"`
	Source keys.Source `cbor:"1,keyasint" json:"source"`
	Owner  keys.Owner  `cbor:"2,keyasint" json:"owner"`
	Kind   RecordKind  `cbor:"3,keyasint" json:"kind"`
	Status Status      `cbor:"4,keyasint" json:"status"`
	// Revision counts what the source has done to the study since it defined it. What a source signs about a
	// study names the revision that it is for.
	Revision uint64 `cbor:"5,keyasint" json:"revision"`
	// Epoch counts the transfers of the study and the revocations of everything. What an owner signs names
	// the epoch that it is for, and a grant counts in its own epoch only.
	Epoch uint64 `cbor:"6,keyasint" json:"epoch"`
	// OwnerSince is the epoch in which Owner came; 0 until the first transfer.
	OwnerSince uint64 `cbor:"7,keyasint" json:"owner_since"`
	// Grants counts the grants and tombstones of Epoch, Earlier those of the epochs before it.
	Grants    uint64      `cbor:"8,keyasint" json:"grants"`
	Earlier   uint64      `cbor:"9,keyasint" json:"earlier_grants"`
	DefinedAt int64       `cbor:"10,keyasint" json:"defined_at"` // height
	ChangedAt int64       `cbor:"11,keyasint" json:"changed_at"` // height at which Epoch began
	RevisedAt int64       `cbor:"12,keyasint" json:"revised_at"` // height at which Revision began
	PaidUntil Nanoseconds `cbor:"13,keyasint" json:"paid_until"` // its owner's allowance, ledger-spec 5.0.2
}

// Scope is how far a grant reaches: a sum of bits. ledger-spec 5.14
type Scope uint64

// The bits of a Scope.
const (
	ScopeImages  Scope = 1
	ScopeReports Scope = 2
	ScopeFind    Scope = 4 // to be found by queries
	ScopeAll           = ScopeImages | ScopeReports | ScopeFind
)

// Tier is how good the evidence of who asks is, or has to be. ledger-spec 5.14
type Tier uint64

// The tiers, from the least.
const (
	TierAny     Tier = 0
	TierBearer  Tier = 1 // bearer assertion or TLS certificate
	TierHolder  Tier = 2 // holder-of-key assertion
	TierMessage Tier = 3 // signed message
)

// GrantRecord is what the ledger holds of a grant, or of a revocation that came before its grant (a tombstone,
// with Granted 0). ledger-spec 4.7
type GrantRecord struct {
	Study      StudyID    `cbor:"-" json:"study"`
	Commitment Commitment `cbor:"-" json:"commitment"`
	Epoch      uint64     `cbor:"1,keyasint" json:"epoch"`
	NotAfter   Seconds    `cbor:"2,keyasint" json:"not_after"`
	Granted    int64      `cbor:"3,keyasint" json:"granted_at"` // height
	RevokedAt  int64      `cbor:"4,keyasint" json:"revoked_at"` // height; 0 if not revoked
	Scope      Scope      `cbor:"5,keyasint" json:"scope"`
	Tier       Tier       `cbor:"6,keyasint" json:"tier"` // the least evidence of who asks
}

// Revoked reports whether this grant itself was revoked. It does not see a revocation of everything, nor a
// transfer: compare Epoch with the study's for those.
func (g GrantRecord) Revoked() bool { return g.RevokedAt != 0 }

// GuardiansRecord is who can give a study a new owner together. It counts while OwnerSince is that of the study.
// ledger-spec 4.8
type GuardiansRecord struct {
	Study      StudyID      `cbor:"-" json:"study"`
	OwnerSince uint64       `cbor:"1,keyasint" json:"owner_since"`
	Round      uint64       `cbor:"2,keyasint" json:"round"`     // raised by all that ends a recovery
	Threshold  uint64       `cbor:"3,keyasint" json:"threshold"` // how many must agree; 0 if there are none
	Guardians  []Commitment `cbor:"4,keyasint" json:"guardians"` // NewGuardian of each; ascending
	Delay      uint64       `cbor:"5,keyasint" json:"delay"`     // seconds in which the owner can object
}

// RecoveryRecord is what guardians have said so far. It counts while Round is that of the guardians.
// ledger-spec 4.8
type RecoveryRecord struct {
	Study    StudyID        `cbor:"-" json:"study"`
	Round    uint64         `cbor:"1,keyasint" json:"round"`
	Calls    []RecoveryCall `cbor:"2,keyasint" json:"calls"`     // ascending by guardian
	NewOwner keys.Owner     `cbor:"3,keyasint" json:"new_owner"` // zero while too few agree
	At       Seconds        `cbor:"4,keyasint" json:"at"`        // when NewOwner takes over; 0 while too few agree
}

// RecoveryCall is the last word of one guardian.
type RecoveryCall struct {
	_        struct{}   `cbor:",toarray"`
	Guardian Commitment `json:"guardian"`
	Attempt  uint64     `json:"attempt"` // 1 at first
	NewOwner keys.Owner `json:"new_owner"`
}

// EmergencyRecord says that somebody took a study without a grant. ledger-spec 4.9
type EmergencyRecord struct {
	Study      StudyID      `cbor:"-" json:"study"`
	Requester  keys.Grantee `cbor:"-" json:"requester"`
	Group      StudyID      `cbor:"1,keyasint" json:"group"`
	Membership Commitment   `cbor:"2,keyasint" json:"membership"` // that of the grant of Group
	Reason     Commitment   `cbor:"3,keyasint" json:"reason"`     // to a text that is kept elsewhere
	Height     int64        `cbor:"4,keyasint" json:"height"`
	NotAfter   Seconds      `cbor:"5,keyasint" json:"not_after"`
}

// MemberRecord is what the ledger holds of a member of a group who broke the glass. ledger-spec 4.9
type MemberRecord struct {
	PaidUntil Nanoseconds `cbor:"1,keyasint" json:"paid_until"` // its allowance, ledger-spec 5.0.2
}

// ReceiptsRecord commits to the receipts that a source has collected in a period. ledger-spec 4.10
type ReceiptsRecord struct {
	Source keys.Source `cbor:"-" json:"source"`
	To     Seconds     `cbor:"-" json:"to"`
	From   Seconds     `cbor:"1,keyasint" json:"from"`
	Count  uint64      `cbor:"2,keyasint" json:"count"`
	Root   MerkleRoot  `cbor:"3,keyasint" json:"root"` // RFC 9162 section 2.1
	Height int64       `cbor:"4,keyasint" json:"height"`
}

func readSource(r Reader, id keys.Source) (*SourceRecord, error) {
	return read(r, KeySource(id), SourceRecord{ID: id})
}

// sourceOfKey returns the source whose present key is k, nil if there is none. ledger-spec 4.1
func sourceOfKey(r Reader, k keys.ID) (*SourceRecord, error) {
	s, err := readSource(r, keys.Source{ID: k})
	if err == nil && s == nil {
		var id *keys.Source
		if id, err = read(r, KeyRotated(k), keys.Source{}); id != nil {
			s, err = readSource(r, *id)
		}
	}
	if s != nil && s.Key != k {
		s = nil
	}
	return s, err
}

func readStudy(r Reader, id StudyID) (*StudyRecord, error) {
	return read(r, KeyStudy(id), StudyRecord{ID: id})
}

func readGrant(r Reader, study StudyID, c Commitment) (*GrantRecord, error) {
	return read(r, KeyGrant(study, c), GrantRecord{Study: study, Commitment: c})
}

// visitGrants calls visit for each grant and tombstone of a study, of every epoch, in the order of commitments.
func visitGrants(r Reader, study StudyID, visit func(GrantRecord) error) error {
	return visitRecords(r, key(prefixGrant, study[:]), func(rest []byte, g GrantRecord) error {
		g.Study, g.Commitment = study, Commitment(rest)
		return visit(g)
	})
}

// readMember returns the record of a member of a group, one of nothing if it has not broken the glass yet.
func readMember(r Reader, group StudyID, member keys.Grantee) (*MemberRecord, error) {
	var m MemberRecord
	_, err := get(r, KeyMember(group, member), &m)
	return &m, err
}

func readEmergency(r Reader, study StudyID, requester keys.Grantee) (*EmergencyRecord, error) {
	return read(r, KeyEmergency(study, requester), EmergencyRecord{Study: study, Requester: requester})
}
