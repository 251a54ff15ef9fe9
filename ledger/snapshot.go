package ledger

import (
	"encoding/binary"
	"time"

	"collimate/keys"
)

// Snapshot reads the state as it is after one block. It is a Reader itself, and as immutable and as safe for
// concurrent use as the Reader beneath it.
type Snapshot struct {
	Reader
	head    Head
	chainID string
}

// NewSnapshot returns a Snapshot of what r holds. Before the genesis it is empty, at height 0.
func NewSnapshot(r Reader) (*Snapshot, error) {
	head, err := ReadHead(r)
	if err != nil {
		return nil, err
	}
	var g genesisRecord
	if _, err := get(r, keyMeta(metaGenesis), &g); err != nil {
		return nil, err
	}
	return &Snapshot{Reader: r, head: head, chainID: g.ChainID}, nil
}

// On returns a snapshot of the same head that reads through r: for stores, which check the head once and then
// hand out views of it.
func (s *Snapshot) On(r Reader) *Snapshot {
	return &Snapshot{Reader: r, head: s.head, chainID: s.chainID}
}

// Height returns the height of the last block, 0 before the first.
func (s *Snapshot) Height() int64 { return s.head.Height }

// Time returns chain time: the time of the last block.
func (s *Snapshot) Time() time.Time { return s.head.Time }

// AppHash returns the app hash after the last block, empty before the genesis. Do not change it.
func (s *Snapshot) AppHash() []byte { return s.head.AppHash }

// ChainID returns the chain id, empty before the genesis.
func (s *Snapshot) ChainID() string { return s.chainID }

// Next returns the Context for a Check against this snapshot: the next block, with the chain time of the last, as
// nobody knows the next one's yet.
func (s *Snapshot) Next() Context { return Context{Height: s.head.Height + 1, Time: s.head.Time} }

// Source returns a source by the key that names it, or ErrNotFound.
func (s *Snapshot) Source(id keys.Source) (*SourceRecord, error) {
	return found(readSource(s, id))
}

// SourceOfKey returns the source whose present key is k, or ErrNotFound.
func (s *Snapshot) SourceOfKey(k keys.ID) (*SourceRecord, error) {
	return found(sourceOfKey(s, k))
}

// SourceByOID returns the source whose alias or declared OID is oid, or ErrNotFound.
func (s *Snapshot) SourceByOID(oid string) (*SourceRecord, error) {
	if len(oid) > MaxOIDBytes {
		return nil, ErrNotFound
	}
	id, err := found(read(s, KeyOID(oid), keys.Source{}))
	if err != nil {
		return nil, err
	}
	return s.Source(*id)
}

// Sources returns every source, in the order of keys.
func (s *Snapshot) Sources() ([]SourceRecord, error) {
	sources := []SourceRecord{}
	err := visitRecords(s, []byte{prefixSource}, func(rest []byte, r SourceRecord) error {
		r.ID = keys.Source{ID: keys.ID(rest)}
		sources = append(sources, r)
		return nil
	})
	return sources, err
}

// Study returns a study, or ErrNotFound.
func (s *Snapshot) Study(id StudyID) (*StudyRecord, error) {
	return found(readStudy(s, id))
}

// Grant returns a grant or a tombstone, or ErrNotFound.
func (s *Snapshot) Grant(study StudyID, c Commitment) (*GrantRecord, error) {
	return found(readGrant(s, study, c))
}

// Grants returns the grants and tombstones of a study, in the order of commitments, at most twice
// MaxGrantsPerStudy. Those of earlier epochs are among them as long as the state keeps them; they count for nothing.
func (s *Snapshot) Grants(study StudyID) ([]GrantRecord, error) {
	grants := []GrantRecord{}
	err := visitGrants(s, study, func(g GrantRecord) error {
		grants = append(grants, g)
		return nil
	})
	return grants, err
}

// Guardians returns the guardians of a study, or ErrNotFound. A record whose OwnerSince is not the study's counts for
// nothing.
func (s *Snapshot) Guardians(study StudyID) (*GuardiansRecord, error) {
	return found(read(s, KeyGuardians(study), GuardiansRecord{Study: study}))
}

// Recovery returns the recovery of a study, or ErrNotFound. A record whose Round is not that of the guardians counts
// for nothing.
func (s *Snapshot) Recovery(study StudyID) (*RecoveryRecord, error) {
	return found(read(s, KeyRecovery(study), RecoveryRecord{Study: study}))
}

// Emergency returns the last emergency of a requester and a study, or ErrNotFound.
func (s *Snapshot) Emergency(study StudyID, requester keys.Grantee) (*EmergencyRecord, error) {
	return found(readEmergency(s, study, requester))
}

// Emergencies returns the last emergency of each requester of a study, in the order of requesters' keys.
func (s *Snapshot) Emergencies(study StudyID) ([]EmergencyRecord, error) {
	emergencies := []EmergencyRecord{}
	err := visitRecords(s, key(prefixEmergency, study[:]), func(rest []byte, r EmergencyRecord) error {
		r.Study, r.Requester = study, keys.Grantee{ID: keys.ID(rest)}
		emergencies = append(emergencies, r)
		return nil
	})
	return emergencies, err
}

// Payer returns a payer, or ErrNotFound.
func (s *Snapshot) Payer(id keys.Payer) (*PayerRecord, error) {
	return found(readPayer(s, id))
}

// Payers returns every payer, in the order of keys.
func (s *Snapshot) Payers() ([]PayerRecord, error) {
	payers := []PayerRecord{}
	err := visitPayers(s, func(p PayerRecord) error {
		payers = append(payers, p)
		return nil
	})
	return payers, err
}

// Bond returns what a payer has put up for a source, or ErrNotFound.
func (s *Snapshot) Bond(source keys.Source, payer keys.Payer) (*BondRecord, error) {
	return found(read(s, KeyBond(source, payer), BondRecord{Source: source, Payer: payer}))
}

// Bonds returns what has been put up for a source, in the order of payers' keys.
func (s *Snapshot) Bonds(source keys.Source) ([]BondRecord, error) {
	bonds := []BondRecord{}
	err := visitBonds(s, source, func(b BondRecord) error {
		bonds = append(bonds, b)
		return nil
	})
	return bonds, err
}

// Stake returns the stake of a source, or ErrNotFound if nobody has ever bonded for it.
func (s *Snapshot) Stake(source keys.Source) (*StakeRecord, error) {
	return found(read(s, KeyStake(source), StakeRecord{Source: source}))
}

// Receipts returns the receipts that a source has anchored, in the order of time.
func (s *Snapshot) Receipts(source keys.Source) ([]ReceiptsRecord, error) {
	receipts := []ReceiptsRecord{}
	err := visitRecords(s, key(prefixReceipts, source.ID[:]), func(rest []byte, r ReceiptsRecord) error {
		r.Source, r.To = source, Seconds(binary.BigEndian.Uint64(rest))
		receipts = append(receipts, r)
		return nil
	})
	return receipts, err
}

// Params returns the params in force. Before the genesis there are none, which is an *Error with CodeNoGenesis.
func (s *Snapshot) Params() (*ParamsRecord, error) { return readParams(s) }

// NextParams returns the change of params that has been decided, or ErrNotFound.
func (s *Snapshot) NextParams() (*NextRecord, error) { return found(readNext(s)) }

// Validator returns a validator, or ErrNotFound. There is a record of each key of the genesis, and of each that a
// source has declared.
func (s *Snapshot) Validator(key ValidatorKey) (*ValidatorRecord, error) {
	return found(readValidator(s, key))
}

// found turns the nil of a reader into ErrNotFound.
func found[R any](record *R, err error) (*R, error) {
	if err == nil && record == nil {
		err = ErrNotFound
	}
	return record, err
}
