package node

import (
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"collimate/ledger"
)

// sightings are the revocations that this node has seen in a valid, signed transaction and that count from then on,
// final or not. They are on disk before the transaction is acknowledged to anybody:
//
//	key    0x01 StudyID Commitment       one grant            65 bytes
//	       0x02 StudyID epoch            all of an epoch      41 bytes, epoch big endian
//	value  the transaction
//
// A sighting is forgotten when the ledger itself says the same: sightGrace after finality, or at the next start. What
// the ledger does not say at a start is offered to the network again, for the pools of all nodes may have lost it.
type sightings struct {
	db  *pebble.DB
	log *slog.Logger

	mu      sync.RWMutex
	keys    map[string]bool // true once on disk
	done    []settled       // final, in order of time
	err     error           // the first failure to write
	pending [][]byte        // transactions that were not final at the start
}

type settled struct {
	key string
	at  time.Time
}

const (
	sightOne byte = 1
	sightAll byte = 2
)

func keyOne(study ledger.StudyID, c ledger.Commitment) string {
	b := make([]byte, 0, 65)
	b = append(b, sightOne)
	b = append(b, study[:]...)
	return string(append(b, c[:]...))
}

func keyAll(study ledger.StudyID, epoch uint64) string {
	b := make([]byte, 0, 41)
	b = append(b, sightAll)
	b = append(b, study[:]...)
	return string(binary.BigEndian.AppendUint64(b, epoch))
}

// keyOf returns the sighting that a transaction is, and whether it is one.
func keyOf(tx *ledger.Transaction) (string, bool) {
	r, ok := tx.Body.(ledger.RevokeAccess)
	switch {
	case !ok:
		return "", false
	case r.All:
		return keyAll(r.Study, r.Epoch), true
	}
	return keyOne(r.Study, r.Commitment), true
}

// openSightings loads what is on disk and forgets what the ledger says by now.
func openSightings(dir string, state *ledger.Snapshot, log *slog.Logger) (*sightings, error) {
	db, err := pebble.Open(dir, &pebble.Options{
		FormatMajorVersion: pebble.FormatTableFormatV6, // pinned: a newer Pebble must still open what we wrote
		MemTableSize:       1 << 20,
		Logger:             quiet{log},
	})
	if err != nil {
		return nil, fmt.Errorf("opening the revocations seen: %w", err)
	}
	s := &sightings{db: db, log: log, keys: map[string]bool{}}
	if err := s.load(state); err != nil {
		return nil, errors.Join(fmt.Errorf("reading the revocations seen: %w", err), db.Close())
	}
	return s, nil
}

func (s *sightings) load(state *ledger.Snapshot) (err error) {
	it, err := s.db.NewIter(nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, it.Close()) }()
	for ok := it.First(); ok; ok = it.Next() {
		key := string(it.Key())
		known, err := onLedger(state, key)
		if err != nil {
			return err
		}
		if known {
			if err := s.db.Delete([]byte(key), pebble.NoSync); err != nil {
				return err
			}
			continue
		}
		raw, err := it.ValueAndErr()
		if err != nil {
			return err
		}
		s.keys[key] = true
		s.pending = append(s.pending, slices.Clone(raw))
	}
	return nil
}

// onLedger reports whether the ledger itself says what a sighting says.
func onLedger(state *ledger.Snapshot, key string) (bool, error) {
	var id ledger.StudyID
	if len(key) < 1+len(id) {
		return false, errors.New("a key is too short")
	}
	rest := key[1+copy(id[:], key[1:]):]
	study, err := state.Study(id)
	if err != nil {
		return false, ignore(err, ledger.ErrNotFound)
	}
	switch {
	case key[0] == sightAll && len(rest) == 8:
		return study.Epoch > binary.BigEndian.Uint64([]byte(rest)), nil
	case key[0] == sightOne && len(rest) == 32:
		grant, err := state.Grant(id, ledger.Commitment([]byte(rest)))
		if err != nil {
			return false, ignore(err, ledger.ErrNotFound)
		}
		return grant.Revoked() || grant.Epoch < study.Epoch, nil
	}
	return false, errors.New("a key has an unknown form")
}

func ignore(err, target error) error {
	if errors.Is(err, target) {
		return nil
	}
	return err
}

// note records a revocation, on disk when it returns. A failure to write is kept for failure: the revocation counts
// in memory, and nobody is told that it will survive.
func (s *sightings) note(tx *ledger.Transaction) {
	key, ok := keyOf(tx)
	if !ok {
		return
	}
	s.mu.Lock()
	durable := s.keys[key]
	s.keys[key] = durable
	s.mu.Unlock()
	if durable {
		return
	}
	// Two transactions that say the same may be here at once: both write, so that neither goes on too early.
	if err := s.db.Set([]byte(key), tx.Raw, pebble.Sync); err != nil {
		s.fail(err)
		return
	}
	s.mu.Lock()
	s.keys[key] = true
	s.mu.Unlock()
}

// settle begins to forget a revocation that has become final, and forgets those whose grace is over.
func (s *sightings) settle(tx *ledger.Transaction, refused error, now time.Time) {
	key, ok := keyOf(tx)
	if !ok || refused != nil { // refused in its block: the owner's will all the same, so it stays
		return
	}
	s.mu.Lock()
	if _, known := s.keys[key]; known {
		s.done = append(s.done, settled{key, now})
	}
	var old []string
	for len(s.done) > 0 && now.Sub(s.done[0].at) > sightGrace {
		old = append(old, s.done[0].key)
		delete(s.keys, s.done[0].key)
		s.done = s.done[1:]
	}
	s.mu.Unlock()
	for _, key := range old {
		if err := s.db.Delete([]byte(key), pebble.NoSync); err != nil {
			s.log.Warn("forgetting a final revocation", "err", err) // harmless: the next start tries again
		}
	}
}

func (s *sightings) has(key string) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	_, ok := s.keys[key]
	return ok
}

func (s *sightings) fail(err error) {
	s.log.Error("a revocation could not be written to disk", "err", err)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil {
		s.err = fmt.Errorf("%w: %w", ErrNotPersisted, err)
	}
}

// failure returns the first failure to write.
func (s *sightings) failure() error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.err
}

func (s *sightings) close() error { return s.db.Close() }

// quiet hands Pebble's errors to slog and drops its chatter.
type quiet struct{ to *slog.Logger }

func (q quiet) Infof(string, ...any) {}
func (q quiet) Errorf(format string, args ...any) {
	q.to.Error("database", "err", fmt.Sprintf(format, args...))
}

// Fatalf is called when the disk fails beneath a commit. Pebble's contract is that it does not return.
func (q quiet) Fatalf(format string, args ...any) { panic("database: " + fmt.Sprintf(format, args...)) }
