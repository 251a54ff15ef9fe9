// Package pebbledb keeps the consensus engine's databases (blocks, state, evidence) in Pebble v2, behind the
// interface of cometbft-db, whose own Pebble backend is of version 1 and needs a build tag.
//
// The contract is cometbft-db's: keys are not empty, values are not nil, Get returns nil for an absent key, what
// is returned is a copy. Set is not synced, SetSync is. All methods may be called concurrently with each other and
// with Close.
//
// Close is where this package differs. The engine's gossip goroutines are stopped by flag, not waited for: one that
// is asleep when the engine stops wakes up to two seconds later and reads a block before it looks at its flag.
// Pebble panics on such a read, and the engine panics on an error from one. So a goroutine that uses a closed
// database ends there and then, as runtime.Goexit does it: its deferred calls run, and nothing else of it.
package pebbledb

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"sync"

	"github.com/cockroachdb/pebble/v2"
	dbm "github.com/cometbft/cometbft-db"
)

// memTableBytes is the size of a write buffer. Up to two live at once in each of the engine's databases; blocks
// are at most 1 MiB.
const memTableBytes = 4 << 20

var (
	errKeyEmpty    = errors.New("key cannot be empty")
	errValueNil    = errors.New("value cannot be nil")
	errBatchClosed = errors.New("batch has been written or closed")
)

// DB is a database of the engine.
type DB struct {
	pebble *pebble.DB
	mu     sync.Mutex // guards closed
	closed bool
	uses   sync.WaitGroup // not a lock held through a use: one use may be nested in another
}

var _ dbm.DB = (*DB)(nil)

// Open opens or makes the database in dir. cache may be shared between databases.
func Open(dir string, cache *pebble.Cache, log *slog.Logger) (*DB, error) {
	p, err := pebble.Open(dir, &pebble.Options{
		Cache:              cache,
		FormatMajorVersion: pebble.FormatTableFormatV6, // pinned: a newer Pebble must still open what we wrote
		MemTableSize:       memTableBytes,
		Logger:             Logger(log),
	})
	if err != nil {
		return nil, fmt.Errorf("opening %s: %w", dir, err)
	}
	return &DB{pebble: p}, nil
}

// OpenReadOnly opens the database in dir, which must be there, and changes nothing: whatever writes to it fails.
func OpenReadOnly(dir string, log *slog.Logger) (*DB, error) {
	p, err := pebble.Open(dir, &pebble.Options{ReadOnly: true, ErrorIfNotExists: true, Logger: Logger(log)})
	if err != nil {
		return nil, fmt.Errorf("opening %s: %w", dir, err)
	}
	return &DB{pebble: p}, nil
}

// use returns the open database and how to give it back. On a closed one it does not return.
func (d *DB) use() (*pebble.DB, func()) {
	d.mu.Lock()
	if d.closed {
		d.mu.Unlock()
		runtime.Goexit()
	}
	d.uses.Add(1)
	d.mu.Unlock()
	return d.pebble, d.uses.Done
}

// Close waits for uses that are under way and closes the database. Closing it again does nothing.
func (d *DB) Close() error {
	d.mu.Lock()
	before := d.closed
	d.closed = true
	d.mu.Unlock()
	if before {
		return nil
	}
	d.uses.Wait()
	return d.pebble.Close()
}

// Get returns a copy of the value at k, nil if there is none.
func (d *DB) Get(k []byte) ([]byte, error) {
	if len(k) == 0 {
		return nil, errKeyEmpty
	}
	p, done := d.use()
	defer done()
	v, closer, err := p.Get(k)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	out := append(make([]byte, 0, len(v)), v...) // not nil for an empty value
	return out, closer.Close()
}

// Has reports whether there is a value at k.
func (d *DB) Has(k []byte) (bool, error) {
	v, err := d.Get(k)
	return v != nil, err
}

// Set writes a value without waiting for the disk.
func (d *DB) Set(k, v []byte) error { return d.set(k, v, pebble.NoSync) }

// SetSync writes a value and waits for the disk.
func (d *DB) SetSync(k, v []byte) error { return d.set(k, v, pebble.Sync) }

func (d *DB) set(k, v []byte, o *pebble.WriteOptions) error {
	if err := check(k, v); err != nil {
		return err
	}
	p, done := d.use()
	defer done()
	return p.Set(k, v, o)
}

// Delete removes a value without waiting for the disk.
func (d *DB) Delete(k []byte) error { return d.delete(k, pebble.NoSync) }

// DeleteSync removes a value and waits for the disk.
func (d *DB) DeleteSync(k []byte) error { return d.delete(k, pebble.Sync) }

func (d *DB) delete(k []byte, o *pebble.WriteOptions) error {
	if len(k) == 0 {
		return errKeyEmpty
	}
	p, done := d.use()
	defer done()
	return p.Delete(k, o)
}

// Print does nothing.
func (d *DB) Print() error { return nil }

// Stats returns Pebble's own report.
func (d *DB) Stats() map[string]string {
	p, done := d.use()
	defer done()
	return map[string]string{"pebble": p.Metrics().String()}
}

// Compact compacts the keys from start up to end; nil means the first or beyond the last.
func (d *DB) Compact(start, end []byte) error {
	p, done := d.use()
	defer done()
	if start == nil || end == nil {
		it, err := p.NewIter(nil)
		if err != nil {
			return err
		}
		if start == nil && it.First() {
			start = slices.Clone(it.Key())
		}
		if end == nil && it.Last() {
			end = append(slices.Clone(it.Key()), 0)
		}
		if err := it.Close(); err != nil {
			return err
		}
	}
	if slices.Compare(start, end) >= 0 {
		return nil
	}
	return p.Compact(context.Background(), start, end, true)
}

func check(k, v []byte) error {
	switch {
	case len(k) == 0:
		return errKeyEmpty
	case v == nil:
		return errValueNil
	}
	return nil
}
