package store

import (
	"bytes"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"

	"collimate/ledger"
	"collimate/ledger/tree"
)

// Snapshot is the state after a committed block. It does not change; it must be closed. It may be used
// concurrently, but not after Close.
type Snapshot struct {
	*ledger.Snapshot
	view   *view // nil if the store was closed already
	closed atomic.Bool
}

// Snapshot returns the state after the last committed block. It costs no I/O. Of a closed store it returns a
// snapshot at height 0 and time 0, each read of which fails with ErrClosed.
func (s *Store) Snapshot() *Snapshot {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.last == nil {
		return &Snapshot{Snapshot: new(ledger.Snapshot).On(closedReader{})}
	}
	return s.last.share()
}

// SnapshotAt returns the state after the block at a height: the last committed one, or the one before it, whose app hash is
// in the header of the last. Of others it returns ErrNotKept. The one before it is not kept through a crash.
func (s *Store) SnapshotAt(height int64) (*Snapshot, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.last == nil {
		return nil, ErrClosed
	}
	for _, v := range []*view{s.last, s.before} {
		if v != nil && v.ledger.Height() == height {
			return v.share(), nil
		}
	}
	return nil, fmt.Errorf("%w: height %d, the last is %d", ErrNotKept, height, s.last.ledger.Height())
}

// Prove returns the proofs of keys, present or absent, in their order: each holds against the snapshot's app hash. A value
// is proved as Get returns it. Keys that no state has, from the byte 0xf0 on, are absent.
func (s *Snapshot) Prove(keys ...[]byte) ([]*tree.Proof, error) {
	if s.view == nil {
		return nil, ErrClosed
	}
	proofs := make([]*tree.Proof, len(keys))
	for i, key := range keys {
		var err error
		if proofs[i], err = s.view.tree.Prove(key); err != nil {
			return nil, err
		}
	}
	return proofs, nil
}

// Close releases the snapshot. Closing it again does nothing.
func (s *Snapshot) Close() error {
	if s.closed.Swap(true) || s.view == nil {
		return nil
	}
	return s.view.release()
}

// view is a Pebble snapshot that several readers share, and the tree over it. The store holds one reference to each view
// that it keeps, each Snapshot another; whoever gives back the last one closes it.
type view struct {
	pebble *pebble.Snapshot
	from   records // entries of the Pebble snapshot, or undone
	ledger *ledger.Snapshot
	tree   *tree.Tree
	refs   atomic.Int64
}

// share returns a Snapshot of the view, to which the caller holds a reference.
func (v *view) share() *Snapshot {
	v.refs.Add(1)
	return &Snapshot{Snapshot: v.ledger, view: v}
}

func (v *view) release() error {
	if v.refs.Add(-1) > 0 {
		return nil
	}
	return v.pebble.Close()
}

// records are all that stands beside each other: state, the store's own marks and the tree.
type records interface {
	// Get returns a copy of a value, nil if there is none.
	Get(key []byte) ([]byte, error)
	// Scan visits the keys with from <= key < to.
	Scan(from, to []byte, visit func(key, value []byte) error) error
}

// reader reads the flat state.
type reader struct{ from records }

// Get returns a copy.
func (r reader) Get(key []byte) ([]byte, error) {
	if !isState(key) {
		return nil, nil
	}
	return r.from.Get(key)
}

// Iterate visits the keys under a prefix.
func (r reader) Iterate(prefix []byte, visit func(key, value []byte) error) error {
	return r.iterateFrom(prefix, prefix, visit)
}

func (r reader) iterateFrom(prefix, from []byte, visit func(key, value []byte) error) error {
	to := after(prefix)
	if to == nil || !isState(to) {
		to = []byte{firstOwn}
	}
	if bytes.Compare(from, prefix) < 0 {
		from = prefix
	}
	if bytes.Compare(from, to) >= 0 {
		return nil
	}
	return r.from.Scan(from, to, visit)
}

// IterateFrom visits the keys under a prefix that are not before from, at no cost for those that are.
func (s *Snapshot) IterateFrom(prefix, from []byte, visit func(key, value []byte) error) error {
	if s.view == nil {
		return ErrClosed
	}
	return reader{s.view.from}.iterateFrom(prefix, from, visit)
}

// after returns the first key that comes after every key with this prefix; nil, no bound, if there is none.
func after(prefix []byte) []byte {
	for i := len(prefix) - 1; i >= 0; i-- {
		if prefix[i] < 0xff {
			end := append([]byte{}, prefix[:i+1]...)
			end[i]++
			return end
		}
	}
	return nil
}

// entries are the records in Pebble.
type entries struct{ from pebble.Reader }

// Get returns a copy: Pebble's own bytes are valid only until the closer is closed.
func (e entries) Get(key []byte) (value []byte, err error) {
	b, closer, err := e.from.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the ledger store: %w", err)
	}
	value = append(make([]byte, 0, len(b)), b...)
	return value, closer.Close()
}

// Scan visits the keys with from <= key < to.
func (e entries) Scan(from, to []byte, visit func(key, value []byte) error) (err error) {
	it, err := e.from.NewIter(&pebble.IterOptions{LowerBound: from, UpperBound: to})
	if err != nil {
		return fmt.Errorf("reading the ledger store: %w", err)
	}
	defer func() { err = errors.Join(err, it.Close()) }()
	return scan(it, from, to, visit)
}

// cursor is entries for many scans by one goroutine. It keeps an iterator for each first byte of keys: the tree goes through its tables
// in order but by turns, and Pebble seeks faster onwards than back.
type cursor struct {
	from   pebble.Reader
	tables map[byte]*pebble.Iterator
}

func newCursor(from pebble.Reader) *cursor { return &cursor{from, map[byte]*pebble.Iterator{}} }

// Scan visits the keys with from <= key < to, which begin with the same byte.
func (c *cursor) Scan(from, to []byte, visit func(key, value []byte) error) error {
	table := from[0]
	it := c.tables[table]
	if it == nil {
		var err error
		if it, err = c.from.NewIter(&pebble.IterOptions{LowerBound: []byte{table}, UpperBound: []byte{table + 1}}); err != nil {
			return fmt.Errorf("reading the ledger store: %w", err)
		}
		c.tables[table] = it
	}
	return scan(it, from, to, visit)
}

// Close closes the iterators.
func (c *cursor) Close() (err error) {
	for _, it := range c.tables {
		err = errors.Join(err, it.Close())
	}
	return err
}

func scan(it *pebble.Iterator, from, to []byte, visit func(key, value []byte) error) error {
	seek := it.SeekGE
	if n := tree.Split(from); n < len(from) && bytes.HasPrefix(to, from[:n]) {
		seek = it.SeekPrefixGE
	}
	for ok := seek(from); ok && bytes.Compare(it.Key(), to) < 0; ok = it.Next() {
		value, err := it.ValueAndErr()
		if err != nil {
			return fmt.Errorf("reading the ledger store: %w", err)
		}
		if err := visit(it.Key(), value); err != nil {
			return err
		}
	}
	if err := it.Error(); err != nil {
		return fmt.Errorf("reading the ledger store: %w", err)
	}
	return nil
}

// closedReader is the state of a store that has been closed.
type closedReader struct{}

func (closedReader) Get([]byte) ([]byte, error) { return nil, ErrClosed }

func (closedReader) Iterate([]byte, func(key, value []byte) error) error { return ErrClosed }
