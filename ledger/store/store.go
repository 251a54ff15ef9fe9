package store

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/vfs"

	"collimate/ledger"
)

// ErrClosed is returned for use of a store, or of a snapshot, that has been closed.
var ErrClosed = errors.New("the ledger store is closed")

// Options say how to open a store. The zero value is good.
type Options struct {
	// FS is the file system; the disk when nil.
	FS vfs.FS
	// Logger takes what Pebble reports as errors; slog.Default when nil.
	Logger *slog.Logger
}

// Store is the state of one ledger.
type Store struct {
	db *pebble.DB

	commit sync.Mutex // held through a commit, so that commits follow each other

	mu   sync.Mutex
	last *view // of the last committed block; nil when closed; guarded by mu
}

// Open opens the store in dir, and makes one if there is none. One process at a time can have it open.
func Open(dir string, o Options) (*Store, error) {
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	cache := pebble.NewCache(cacheBytes)
	defer cache.Unref() // the DB holds its own reference
	p := &pebble.Options{
		Cache:              cache,
		FS:                 o.FS,
		FormatMajorVersion: pebble.FormatTableFormatV6, // pinned: a newer Pebble must still open what we wrote
		Logger:             logger{o.Logger},
		MemTableSize:       memTableBytes,
	}
	for i := range p.Levels {
		p.Levels[i].FilterPolicy = bloom.FilterPolicy(bloomBits)
	}
	db, err := pebble.Open(dir, p)
	if err != nil {
		return nil, fmt.Errorf("opening the ledger store: %w", err)
	}
	s := &Store{db: db}
	if s.last, err = s.look(); err != nil {
		return nil, errors.Join(fmt.Errorf("opening the ledger store: %w", err), db.Close())
	}
	return s, nil
}

// Close closes the store. Every snapshot and block must be closed before; one that is not is reported.
func (s *Store) Close() error {
	s.commit.Lock()
	defer s.commit.Unlock()
	s.mu.Lock()
	last := s.last
	s.last = nil
	s.mu.Unlock()
	if last == nil {
		return ErrClosed
	}
	if err := errors.Join(last.release(), s.db.Close()); err != nil {
		return fmt.Errorf("closing the ledger store: %w", err)
	}
	return nil
}

// Last returns height and app hash of the last committed block; 0 and nothing when there is none.
func (s *Store) Last() (height int64, appHash []byte, err error) {
	snap := s.Snapshot()
	defer snap.Close()
	if snap.view == nil {
		return 0, nil, ErrClosed
	}
	return snap.Height(), snap.AppHash(), nil
}

// look takes a view of what is on disk now.
func (s *Store) look() (*view, error) {
	snap := s.db.NewSnapshot()
	ls, err := ledger.NewSnapshot(reader{snap})
	if err != nil {
		return nil, errors.Join(err, snap.Close())
	}
	v := &view{pebble: snap, ledger: ls}
	v.refs.Store(1)
	return v, nil
}

// logger hands Pebble's errors to slog and drops its chatter.
type logger struct{ to *slog.Logger }

func (l logger) Infof(string, ...any) {}

func (l logger) Errorf(format string, args ...any) {
	l.to.Error("ledger store", "error", fmt.Sprintf(format, args...))
}

// Fatalf is called when the disk fails beneath a commit. Pebble's contract is that it does not return: nothing
// that was promised could be kept after it.
func (l logger) Fatalf(format string, args ...any) {
	panic("ledger store: " + fmt.Sprintf(format, args...))
}
