package ledger

import (
	"fmt"
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

// Source returns a source by its key, or ErrNotFound.
func (s *Snapshot) Source(id keys.Source) (*SourceRecord, error) {
	return found(readSource(s, id))
}

// SourceByOID returns the source whose alias or declared OID is oid, or ErrNotFound.
func (s *Snapshot) SourceByOID(oid string) (*SourceRecord, error) {
	if len(oid) > MaxOIDBytes {
		return nil, ErrNotFound
	}
	var id keys.Source
	ok, err := get(s, keyOID(oid), &id)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, ErrNotFound
	}
	return s.Source(id)
}

// Sources returns every source, in the order of keys.
func (s *Snapshot) Sources() ([]SourceRecord, error) {
	sources := []SourceRecord{}
	err := s.Iterate([]byte{prefixSource}, func(key, value []byte) error {
		if len(key) != 1+32 {
			return fmt.Errorf("the state is damaged: a source's key has %d bytes", len(key))
		}
		record := SourceRecord{ID: keys.Source{ID: keys.ID(key[1:])}}
		err := decodeRecord(value, &record)
		sources = append(sources, record)
		return err
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

// IsValidator reports whether a key is one of the chain's validators.
func (s *Snapshot) IsValidator(key [32]byte) (bool, error) {
	return get(s, keyValidator(key), &validatorRecord{})
}

// found turns the nil of a reader into ErrNotFound.
func found[R any](record *R, err error) (*R, error) {
	if err == nil && record == nil {
		err = ErrNotFound
	}
	return record, err
}
