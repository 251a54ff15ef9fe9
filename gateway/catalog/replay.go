package catalog

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/cockroachdb/pebble/v2"
)

// MaxMessages bounds the messages remembered at once: at five minutes each, 3,300 signed requests a second.
// Past it requests are refused until older ones expire, since forgetting one would let it be replayed.
const MaxMessages = 1_000_000

// sweepMessages is how many expired messages one Remember forgets at the most: more than the one it adds, so
// that the store shrinks, and few enough that no request pays for a quiet night.
const sweepMessages = 8

// ErrFull is returned when MaxMessages are remembered and none has expired.
var ErrFull = errors.New("too many signed requests within the replay window")

// Replay remembers signed messages across restarts; it fills wss.ReplayStore.
type Replay struct {
	c   *Catalog
	now func() time.Time
}

// Replay returns the memory of signed messages. Expiry is measured by now.
func (c *Catalog) Replay(now func() time.Time) *Replay { return &Replay{c, now} }

// Remember stores a message until it expires and reports whether it was fresh, that is, not yet remembered.
// When it returns, the message is on disk: a restart does not open the window again.
func (r *Replay) Remember(message [32]byte, expires time.Time) (fresh bool, err error) {
	if !r.c.claim(message) {
		return false, nil // a twin is being answered this very moment
	}
	defer r.c.release(message)

	_, closer, err := r.c.db.Get(key(prefixMessage, message[:]))
	if err == nil {
		return false, closer.Close()
	}
	if !errors.Is(err, pebble.ErrNotFound) {
		return false, fmt.Errorf("reading the catalog: %w", err)
	}
	if err := r.sweep(); err != nil {
		return false, err
	}
	if r.c.messages.Load() >= MaxMessages {
		return false, ErrFull
	}
	at := binary.BigEndian.AppendUint64(nil, uint64(expires.Unix()))
	b := r.c.db.NewBatch()
	defer b.Close()
	if err := b.Set(key(prefixMessage, message[:]), at, nil); err != nil {
		return false, err
	}
	if err := b.Set(key(prefixExpiry, at, message[:]), nil, nil); err != nil {
		return false, err
	}
	if err := b.Commit(pebble.Sync); err != nil {
		return false, fmt.Errorf("writing the catalog: %w", err)
	}
	r.c.messages.Add(1)
	return true, nil
}

// claim reserves a message for one Remember: of two at the same time only one can find it fresh. Writes of
// different messages still share a sync of the disk.
func (c *Catalog) claim(message [32]byte) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, taken := c.claimed[message]; taken {
		return false
	}
	c.claimed[message] = struct{}{}
	return true
}

func (c *Catalog) release(message [32]byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.claimed, message)
}

// sweep forgets a few expired messages. It need not reach the disk at once: one that comes back after a
// crash is expired still.
func (r *Replay) sweep() error {
	if !r.c.sweeping.TryLock() {
		return nil // one sweeper is enough, and two would count the same message twice
	}
	defer r.c.sweeping.Unlock()
	before := binary.BigEndian.AppendUint64(key(prefixExpiry), uint64(r.now().Unix()))
	it, err := r.c.db.NewIter(&pebble.IterOptions{LowerBound: key(prefixExpiry), UpperBound: before})
	if err != nil {
		return fmt.Errorf("reading the catalog: %w", err)
	}
	defer it.Close()
	b := r.c.db.NewBatch()
	defer b.Close()
	n := int64(0)
	for it.First(); it.Valid() && n < sweepMessages; it.Next() {
		k := it.Key()
		if err := errors.Join(b.Delete(k, nil), b.Delete(key(prefixMessage, k[9:]), nil)); err != nil {
			return err
		}
		n++
	}
	if err := it.Error(); err != nil || n == 0 {
		return err
	}
	if err := b.Commit(pebble.NoSync); err != nil {
		return fmt.Errorf("writing the catalog: %w", err)
	}
	r.c.messages.Add(-n)
	return nil
}
