package node

import (
	"crypto/sha256"
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
// A sighting is forgotten sightGrace after the last of its transactions has become final, when the ledger itself says
// the same, or has been refused in its block. What a block refuses is moot for good: the owner or the epoch has
// changed, the grant has ended, or there is no room or allowance for revoking what was never granted, as the owner is
// told. So sightings cost what transactions cost, and nobody can fill a node with them.
//
// One that is neither final nor refused after resumeAfter is offered to the network again, for the pools of all nodes
// may have lost it; so are at a start those that the ledger does not say by then.
type sightings struct {
	db  *pebble.DB
	log *slog.Logger

	mu    sync.RWMutex
	by    map[string]*sighting
	open  []timed // not settled, in order of time; some may be settled since
	ended []timed // settled, in order of time; some may have been seen again since
	err   error   // the first failure to write
}

// sighting is what is known of a revocation that counts.
type sighting struct {
	durable bool          // on disk
	txs     []ledger.TxID // that say it and are not settled, at most maxSighted
}

// timed is a sighting at a time.
type timed struct {
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
	s := &sightings{db: db, log: log, by: map[string]*sighting{}}
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
		s.by[key] = &sighting{durable: true, txs: []ledger.TxID{sha256.Sum256(raw)}}
		s.open = append(s.open, timed{key: key}) // long overdue
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
func (s *sightings) note(tx *ledger.Transaction, now time.Time) {
	key, ok := keyOf(tx)
	if !ok {
		return
	}
	s.mu.Lock()
	seen := s.by[key]
	if seen == nil {
		seen = &sighting{}
		s.by[key] = seen
	}
	if len(seen.txs) == 0 {
		s.open = append(s.open, timed{key, now})
	}
	if len(seen.txs) < maxSighted && !slices.Contains(seen.txs, tx.ID) {
		seen.txs = append(seen.txs, tx.ID)
	}
	durable := seen.durable
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
	seen.durable = true
	s.mu.Unlock()
}

// settle is told that a transaction is final or was refused.
func (s *sightings) settle(tx *ledger.Transaction, refused error, now time.Time) {
	if key, ok := keyOf(tx); ok {
		s.end(key, tx.ID, refused == nil, now)
	}
}

// expire forgets the sightings whose grace is over.
func (s *sightings) expire(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.ended) > 0 && now.Sub(s.ended[0].at) > sightGrace {
		key := s.ended[0].key
		s.ended = s.ended[1:]
		if seen := s.by[key]; seen != nil && len(seen.txs) == 0 {
			delete(s.by, key)
			// Under the lock, which no disk waits under: it must not delete what note writes afterwards.
			if err := s.db.Delete([]byte(key), pebble.NoSync); err != nil {
				s.log.Warn("forgetting a final revocation", "err", err) // harmless: the next start tries again
			}
		}
	}
}

// end takes one transaction off a sighting, or all if the ledger itself says now what it says.
func (s *sightings) end(key string, id ledger.TxID, final bool, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	seen := s.by[key]
	if seen == nil || len(seen.txs) == 0 {
		return
	}
	seen.txs = slices.DeleteFunc(seen.txs, func(other ledger.TxID) bool { return final || other == id })
	if len(seen.txs) == 0 {
		s.ended = append(s.ended, timed{key, now})
	}
}

// overdue returns a sighting and its transaction that should have become final or been refused by now, and nil if there
// is none. Later it returns the same one again, if it has not ended until then.
func (s *sightings) overdue(now time.Time) (key string, raw []byte, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.open) > 0 && now.Sub(s.open[0].at) > resumeAfter {
		key := s.open[0].key
		s.open = s.open[1:]
		if seen := s.by[key]; seen == nil || len(seen.txs) == 0 {
			continue
		}
		s.open = append(s.open, timed{key, now})
		raw, closer, err := s.db.Get([]byte(key))
		if err != nil {
			return "", nil, ignore(err, pebble.ErrNotFound) // the disk did not take it
		}
		return key, slices.Clone(raw), closer.Close()
	}
	return "", nil, nil
}

func (s *sightings) has(key string) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.by[key] != nil
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
