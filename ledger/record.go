package ledger

import (
	"time"

	"collimate/keys"
)

// SourceRecord is what the ledger holds of a source. ledger-spec 4.3
type SourceRecord struct {
	ID           keys.Source  `cbor:"-" json:"id"`
	Version      uint64       `cbor:"1,keyasint" json:"version"` // 1 when first defined
	Endpoints    Endpoints    `cbor:"2,keyasint" json:"endpoints"`
	OIDs         []string     `cbor:"3,keyasint" json:"oids"` // declared, besides the alias of ID; ascending
	ValidatorKey ValidatorKey `cbor:"4,keyasint" json:"validator_key"`
	DefinedAt    int64        `cbor:"5,keyasint" json:"defined_at"` // height
	UpdatedAt    int64        `cbor:"6,keyasint" json:"updated_at"` // height
}

// StudyRecord is what the ledger holds of a study. ledger-spec 4.4
type StudyRecord struct {
	ID     StudyID     `cbor:"-" json:"id"`
	Source keys.Source `cbor:"1,keyasint" json:"source"`
	Owner  keys.Owner  `cbor:"2,keyasint" json:"owner"`
	// Epoch counts the transfers of the study and the revocations of everything. What an owner signs names
	// the epoch that it is for, and a grant counts in its own epoch only.
	Epoch uint64 `cbor:"3,keyasint" json:"epoch"`
	// OwnerSince is the epoch in which Owner came; 0 until the first transfer.
	OwnerSince uint64 `cbor:"4,keyasint" json:"owner_since"`
	// Grants counts the grants and tombstones of Epoch, Earlier those of the epochs before it.
	Grants    uint64 `cbor:"5,keyasint" json:"grants"`
	Earlier   uint64 `cbor:"6,keyasint" json:"earlier_grants"`
	DefinedAt int64  `cbor:"7,keyasint" json:"defined_at"` // height
	ChangedAt int64  `cbor:"8,keyasint" json:"changed_at"` // height at which Epoch began
}

// GrantRecord is what the ledger holds of a grant, or of a revocation that came before its grant (a tombstone,
// with Granted 0). ledger-spec 4.5
type GrantRecord struct {
	Study      StudyID    `cbor:"-" json:"study"`
	Commitment Commitment `cbor:"-" json:"commitment"`
	Epoch      uint64     `cbor:"1,keyasint" json:"epoch"`
	NotAfter   time.Time  `cbor:"2,keyasint" json:"not_after"`  // whole seconds, UTC
	Granted    int64      `cbor:"3,keyasint" json:"granted_at"` // height
	RevokedAt  int64      `cbor:"4,keyasint" json:"revoked_at"` // height; 0 if not revoked
}

// Revoked reports whether this grant itself was revoked. It does not see a revocation of everything, nor a
// transfer: compare Epoch with the study's for those.
func (g GrantRecord) Revoked() bool { return g.RevokedAt != 0 }

func readSource(r Reader, id keys.Source) (*SourceRecord, error) {
	s := SourceRecord{ID: id}
	if ok, err := get(r, keySource(id.ID), &s); !ok || err != nil {
		return nil, err
	}
	return &s, nil
}

func readStudy(r Reader, id StudyID) (*StudyRecord, error) {
	s := StudyRecord{ID: id}
	if ok, err := get(r, keyStudy(id), &s); !ok || err != nil {
		return nil, err
	}
	return &s, nil
}

func readGrant(r Reader, study StudyID, c Commitment) (*GrantRecord, error) {
	g := GrantRecord{Study: study, Commitment: c}
	if ok, err := get(r, keyGrant(study, c), &g); !ok || err != nil {
		return nil, err
	}
	g.NotAfter = g.NotAfter.UTC()
	return &g, nil
}

// visitGrants calls visit for each grant and tombstone of a study, of every epoch, in the order of commitments.
func visitGrants(r Reader, study StudyID, visit func(GrantRecord) error) error {
	prefix := keyGrants(study)
	return r.Iterate(prefix, func(key, value []byte) error {
		g := GrantRecord{Study: study, Commitment: Commitment(key[len(prefix):])}
		if err := decodeRecord(value, &g); err != nil {
			return err
		}
		g.NotAfter = g.NotAfter.UTC()
		return visit(g)
	})
}
