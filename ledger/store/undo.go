package store

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sort"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/batchrepr"

	"collimate/ledger/tree"
)

// keyBefore holds what the last block has overwritten, from when the store is closed until the next block: a Pebble batch
// that would take the last block back. With it the state before can be shown at once when the store is opened again. The
// last state cannot, as the header that commits to it comes with the next block.
var keyBefore = []byte{firstOwn, 'b'}

// undoOf returns the batch that takes back what a batch wrote over the records before it.
func (s *Store) undoOf(wrote []byte, before records) ([]byte, error) {
	undo := s.db.NewBatch()
	defer undo.Close()
	r := batchrepr.Read(wrote)
	for {
		_, key, _, more, err := r.Next()
		if err != nil || !more {
			return bytes.Clone(undo.Repr()), err
		}
		if key[0] == firstOwn {
			continue
		}
		value, err := before.Get(key)
		if err == nil && value == nil {
			err = undo.Delete(key, nil)
		} else if err == nil {
			err = undo.Set(key, value, nil)
		}
		if err != nil {
			return nil, err
		}
	}
}

// keepBefore writes down what the last block has overwritten.
func (s *Store) keepBefore(before *view) error {
	undo, err := s.undoOf(s.wrote, before.from)
	if err != nil {
		return err
	}
	return s.db.Set(keyBefore, undo, pebble.Sync)
}

// recallBefore returns the state before the last block as an earlier Close has kept it, nil if none has.
func (s *Store) recallBefore() (*view, error) {
	undo, err := mark(s.db, keyBefore)
	if undo == nil || err != nil {
		return nil, err
	}
	snap := s.db.NewSnapshot()
	from, err := undoneBy(undo, entries{snap})
	if err != nil {
		return nil, errors.Join(err, snap.Close())
	}
	return look(snap, from)
}

// sweep returns what reads the entries of the tree fast, by one goroutine, and what must be called after it.
func (v *view) sweep() (_ tree.Reader, done func() error) {
	if _, ok := v.from.(undone); ok {
		return v.from, func() error { return nil }
	}
	c := newCursor(v.pebble)
	return c, c.Close
}

// undone are records of which some are as they were before.
type undone struct {
	entries
	old  map[string][]byte // nil: there was none
	keys []string          // of old, in order
}

// undoneBy takes a batch of undoOf back.
func undoneBy(undo []byte, now entries) (undone, error) {
	u := undone{entries: now, old: map[string][]byte{}}
	r := batchrepr.Read(undo)
	for {
		kind, key, value, more, err := r.Next()
		switch {
		case err != nil:
			return u, fmt.Errorf("%w: what the last block has overwritten: %w", ErrDamaged, err)
		case !more:
			u.keys = slices.Sorted(maps.Keys(u.old))
			return u, nil
		case kind == pebble.InternalKeyKindSet:
			u.old[string(key)] = append([]byte{}, value...)
		default:
			u.old[string(key)] = nil
		}
	}
}

func (u undone) Get(key []byte) ([]byte, error) {
	if value, ok := u.old[string(key)]; ok {
		return bytes.Clone(value), nil
	}
	return u.entries.Get(key)
}

// Scan merges the two.
func (u undone) Scan(from, to []byte, visit func(key, value []byte) error) error {
	next := sort.SearchStrings(u.keys, string(from))
	until := func(key []byte) error { // visits the old ones before a key
		for ; next < len(u.keys) && u.keys[next] < string(key); next++ {
			if value := u.old[u.keys[next]]; value != nil {
				if err := visit([]byte(u.keys[next]), value); err != nil {
					return err
				}
			}
		}
		return nil
	}
	err := u.entries.Scan(from, to, func(key, value []byte) error {
		if err := until(key); err != nil {
			return err
		}
		if _, ok := u.old[string(key)]; ok {
			return nil // until the next key comes
		}
		return visit(key, value)
	})
	if err != nil {
		return err
	}
	return until(to)
}
