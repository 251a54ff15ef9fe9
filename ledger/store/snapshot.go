package store

import (
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"

	"collimate/ledger"
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
	s.last.refs.Add(1)
	return &Snapshot{Snapshot: s.last.ledger, view: s.last}
}

// Close releases the snapshot. Closing it again does nothing.
func (s *Snapshot) Close() error {
	if s.closed.Swap(true) || s.view == nil {
		return nil
	}
	return s.view.release()
}

// view is a Pebble snapshot that several readers share. The store holds one reference to the view of its last
// block, each Snapshot another; whoever gives back the last one closes it.
type view struct {
	pebble *pebble.Snapshot
	ledger *ledger.Snapshot
	refs   atomic.Int64
}

func (v *view) release() error {
	if v.refs.Add(-1) > 0 {
		return nil
	}
	return v.pebble.Close()
}

// reader reads flat state out of Pebble.
type reader struct{ from pebble.Reader }

// Get returns a copy: Pebble's own bytes are valid only until the closer is closed.
func (r reader) Get(key []byte) (value []byte, err error) {
	b, closer, err := r.from.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the ledger store: %w", err)
	}
	value = append(make([]byte, 0, len(b)), b...)
	return value, closer.Close()
}

// Iterate visits the keys under a prefix.
func (r reader) Iterate(prefix []byte, visit func(key, value []byte) error) (err error) {
	it, err := r.from.NewIter(&pebble.IterOptions{LowerBound: prefix, UpperBound: after(prefix)})
	if err != nil {
		return fmt.Errorf("reading the ledger store: %w", err)
	}
	defer func() { err = errors.Join(err, it.Close()) }()
	for ok := it.First(); ok; ok = it.Next() {
		value, err := it.ValueAndErr()
		if err != nil {
			return fmt.Errorf("reading the ledger store: %w", err)
		}
		if err := visit(it.Key(), value); err != nil {
			return err
		}
	}
	return nil // an error of the iterator itself comes with Close
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

// closedReader is the state of a store that has been closed.
type closedReader struct{}

func (closedReader) Get([]byte) ([]byte, error) { return nil, ErrClosed }

func (closedReader) Iterate([]byte, func(key, value []byte) error) error { return ErrClosed }
