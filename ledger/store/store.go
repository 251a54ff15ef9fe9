package store

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/vfs"

	"collimate/ledger"
	"collimate/ledger/tree"
)

// Errors that a caller may want to tell apart.
var (
	// ErrClosed is returned for use of a store, or of a snapshot, that has been closed.
	ErrClosed = errors.New("the ledger store is closed")
	// ErrNotKept is returned for a snapshot of a block that the store does not keep.
	ErrNotKept = errors.New("the ledger store does not keep the state after this block")
	// ErrFormat is returned for a directory that another version has written.
	ErrFormat = errors.New("the ledger store was written by another version: move its directory away, and let the node join its network anew")
	// ErrDamaged is returned when what is on disk contradicts itself.
	ErrDamaged = errors.New("the ledger store is damaged: move its directory away, and let the node join its network anew")
)

// Options say how to open a store. The zero value is good.
type Options struct {
	// FS is the file system; the disk when nil.
	FS vfs.FS
	// Logger takes what Pebble reports as errors; slog.Default when nil.
	Logger *slog.Logger
	// ReadOnly opens a store that is there, and changes nothing on disk. A commit fails.
	ReadOnly bool
}

// Store is the state of one ledger.
type Store struct {
	db *pebble.DB

	commit sync.Mutex // held through a commit, so that commits follow each other

	mu     sync.Mutex
	last   *view // of the last committed block; nil when closed; guarded by mu
	before *view // of the block before it, nil if that is not known; guarded by mu

	wrote []byte // the batch that came between the two, if it was committed since Open; guarded by commit
}

// Open opens the store in dir, and makes one if there is none. One process at a time can have it open.
func Open(dir string, o Options) (*Store, error) {
	db, err := openPebble(dir, o)
	if err != nil {
		return nil, fmt.Errorf("opening the ledger store: %w", err)
	}
	s := &Store{db: db}
	if err := s.open(); err != nil {
		return nil, errors.Join(fmt.Errorf("opening the ledger store: %w", err), db.Close())
	}
	return s, nil
}

// open takes the views to begin with.
func (s *Store) open() error {
	if err := checkFormat(s.db); err != nil {
		return err
	}
	snap := s.db.NewSnapshot()
	var err error
	if s.last, err = look(snap, entries{snap}); err != nil {
		return err
	}
	if s.before, err = s.recallBefore(); err != nil {
		return errors.Join(err, s.last.release())
	}
	return nil
}

// openPebble opens the database beneath a store.
func openPebble(dir string, o Options) (*pebble.DB, error) {
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	cache := pebble.NewCache(cacheBytes)
	defer cache.Unref() // the DB holds its own reference
	p := &pebble.Options{
		Cache:              cache,
		Comparer:           Comparer,
		FS:                 o.FS,
		ReadOnly:           o.ReadOnly,
		ErrorIfNotExists:   o.ReadOnly,
		FormatMajorVersion: pebble.FormatTableFormatV6, // pinned: a newer Pebble must still open what we wrote
		Logger:             logger{o.Logger},
		MemTableSize:       memTableBytes,
		LBaseMaxBytes:      baseBytes,

		L0CompactionThreshold: mergeTables,
		L0StopWritesThreshold: 2 * mergeTables,
	}
	p.Experimental.SpanPolicyFunc = func([]byte) (policy pebble.SpanPolicy, end []byte, err error) {
		// What shares a prefix are no versions of each other, of which only the last would be read.
		return pebble.SpanPolicy{DisableValueSeparationBySuffix: true}, nil, nil
	}
	for i := range p.Levels {
		p.Levels[i].FilterPolicy = bloom.FilterPolicy(bloomBits)
		p.Levels[i].IndexBlockSize = indexBlockBytes
	}
	db, err := pebble.Open(dir, p)
	if err != nil && strings.Contains(err.Error(), "comparer name") {
		err = fmt.Errorf("%w: %w", ErrFormat, err)
	}
	if err != nil {
		return nil, err
	}
	return db, nil
}

// Close closes the store. Every snapshot and block must be closed before; one that is not is reported.
func (s *Store) Close() error {
	s.commit.Lock()
	defer s.commit.Unlock()
	s.mu.Lock()
	last, before := s.last, s.before
	s.last, s.before = nil, nil
	s.mu.Unlock()
	if last == nil {
		return ErrClosed
	}
	var err error
	if before != nil {
		if s.wrote != nil {
			err = s.keepBefore(before)
		}
		err = errors.Join(err, before.release())
	}
	err = errors.Join(err, last.release())
	if err := errors.Join(err, s.db.Close()); err != nil {
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

// look takes a view of what is on disk, at the beginning. It closes the snapshot on error.
func look(snap *pebble.Snapshot, from records) (*view, error) {
	t, err := tree.Load(from)
	if errors.Is(err, tree.ErrDamaged) {
		err = fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	if err != nil {
		return nil, errors.Join(err, snap.Close())
	}
	v, err := see(snap, from, t)
	if err != nil {
		return nil, err
	}
	if root, want := t.Root(), v.ledger.AppHash(); !bytes.Equal(root[:], want) && (len(want) > 0 || t.Leaves() > 0) {
		err := fmt.Errorf("%w: the tree has the app hash %x, the head %x", ErrDamaged, root, want)
		return nil, errors.Join(err, v.release())
	}
	return v, nil
}

// see makes a view of a Pebble snapshot, as it is read, and the tree in it. It closes the snapshot on error.
func see(snap *pebble.Snapshot, from records, t *tree.Tree) (*view, error) {
	ls, err := ledger.NewSnapshot(reader{from})
	if err != nil {
		return nil, errors.Join(err, snap.Close())
	}
	v := &view{pebble: snap, from: from, ledger: ls, tree: t.On(from)}
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
