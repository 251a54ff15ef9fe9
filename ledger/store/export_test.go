package store

import (
	"github.com/cockroachdb/pebble/v2"

	"collimate/ledger"
)

// Set writes to the state of the block, past the rules.
func (b *Block) Set(key, value []byte) error {
	b.unseal()
	if value == nil {
		return b.state.Delete(key)
	}
	return b.state.Set(key, value)
}

// CutRecord takes a record off the beginning of a chunk.
func CutRecord(chunk []byte) (key, value, rest []byte, err error) { return cutRecord(chunk) }

// Flat is a store without the tree, to compare with.
type Flat struct{ DB *pebble.DB }

// OpenFlat opens a Flat with the options of a Store.
func OpenFlat(dir string) (*Flat, error) {
	db, err := openPebble(dir, Options{})
	return &Flat{db}, err
}

// Commit writes a block and its head.
func (f *Flat) Commit(writes *ledger.Overlay, head ledger.Head) error {
	batch := f.DB.NewBatch()
	defer batch.Close()
	for key, value := range writes.Writes() {
		if err := batch.Set(key, value, nil); err != nil {
			return err
		}
	}
	key, value := ledger.HeadEntry(head)
	if err := batch.Set(key, value, nil); err != nil {
		return err
	}
	return batch.Commit(pebble.Sync)
}

// DB returns the database beneath a store.
func (s *Store) DB() *pebble.DB { return s.db }

// Look takes a snapshot of what is on disk, past what the store has in memory.
func (s *Store) Look() (*Snapshot, error) {
	snap := s.db.NewSnapshot()
	v, err := look(snap, entries{snap})
	if err != nil {
		return nil, err
	}
	return &Snapshot{Snapshot: v.ledger, view: v}, nil
}

// Undone returns the scan and the get of records after some writes, as they were before these.
func (s *Store) Undone(write func(*pebble.Batch) error) (scan func(from, to []byte, visit func(key, value []byte) error) error,
	get func(key []byte) ([]byte, error), err error) {
	before := s.db.NewSnapshot()
	defer before.Close()
	batch := s.db.NewBatch()
	defer batch.Close()
	if err := write(batch); err != nil {
		return nil, nil, err
	}
	undo, err := s.undoOf(batch.Repr(), entries{before})
	if err != nil {
		return nil, nil, err
	}
	if err := batch.Commit(pebble.NoSync); err != nil {
		return nil, nil, err
	}
	u, err := undoneBy(undo, entries{s.db})
	return u.Scan, u.Get, err
}
