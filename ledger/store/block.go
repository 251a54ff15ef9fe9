package store

import (
	"errors"
	"fmt"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"collimate/ledger"
)

// ErrOvertaken is returned by Commit when another block has been committed since Begin.
var ErrOvertaken = errors.New("another block was committed meanwhile")

// Block is the next block in the making. Its reads see its own writes; nobody else sees them before Commit.
type Block struct {
	store *Store
	base  *Snapshot
	at    ledger.Context
	state *ledger.Overlay
	ended bool
}

// Begin begins the block at a height, at chain time t. The height is one more than the last; a state that has not
// begun takes 0 or 1, and one at height 0 takes 0 again, to repeat its genesis. Commit or Discard must follow.
func (s *Store) Begin(height int64, t time.Time) (*Block, error) {
	base := s.Snapshot()
	if err := follows(base, height, t); err != nil {
		return nil, errors.Join(fmt.Errorf("beginning block %d: %w", height, err), base.Close())
	}
	return &Block{
		store: s,
		base:  base,
		at:    ledger.Context{Height: height, Time: t},
		state: ledger.NewOverlay(base),
	}, nil
}

// follows checks that a block may come after base.
func follows(base *Snapshot, height int64, t time.Time) error {
	switch {
	case base.view == nil:
		return ErrClosed
	case height != base.Height()+1 && (height != 0 || base.Height() != 0):
		return fmt.Errorf("the last block is %d", base.Height())
	case base.ChainID() != "" && t.Before(base.Time()):
		return errors.New("its time is before that of the last block")
	}
	return nil
}

// Init writes the genesis. See ledger.InitGenesis.
func (b *Block) Init(g ledger.Genesis) error {
	if b.ended {
		return ErrClosed
	}
	return ledger.InitGenesis(b.state, g)
}

// Apply applies a transaction, or refuses it and changes nothing. See ledger.Apply.
func (b *Block) Apply(tx *ledger.Transaction) error {
	if b.ended {
		return ErrClosed
	}
	return ledger.Apply(b.state, tx, b.at)
}

// AppHash returns the app hash after the writes so far.
func (b *Block) AppHash() []byte { return b.state.AppHash(b.base.AppHash()) }

// Commit writes the block to the disk and makes it the last one. When it returns nil the block survives a crash.
// The block has ended either way.
func (b *Block) Commit() error {
	if b.ended {
		return ErrClosed
	}
	b.ended = true
	defer b.base.Close()
	if err := b.store.write(b); err != nil {
		return fmt.Errorf("committing block %d: %w", b.at.Height, err)
	}
	return nil
}

// Discard drops the block. After Commit it does nothing.
func (b *Block) Discard() {
	if b.ended {
		return
	}
	b.ended = true
	b.base.Close()
}

// write commits a block.
func (s *Store) write(b *Block) error {
	s.commit.Lock()
	defer s.commit.Unlock()
	s.mu.Lock()
	last := s.last
	s.mu.Unlock()
	switch {
	case last == nil:
		return ErrClosed
	case last != b.base.view:
		return ErrOvertaken
	}
	if err := b.persist(s.db); err != nil {
		return err
	}
	// A crash from here on leaves the new block on disk; Open finds it. If what was written cannot be read, the
	// store is as good as closed: nobody may build on a block that is not the last.
	next, err := s.look()
	s.mu.Lock()
	s.last = next
	s.mu.Unlock()
	return errors.Join(err, last.release())
}

// persist puts the writes and the head on disk in one synced batch. A crash before it returns leaves either
// all of them or none.
func (b *Block) persist(db *pebble.DB) error {
	batch := db.NewBatch()
	defer batch.Close()
	for key, value := range b.state.Writes() {
		var err error
		if value == nil {
			err = batch.Delete(key, nil)
		} else {
			err = batch.Set(key, value, nil)
		}
		if err != nil {
			return err
		}
	}
	key, value := ledger.HeadEntry(ledger.Head{Height: b.at.Height, Time: b.at.Time, AppHash: b.AppHash()})
	if err := batch.Set(key, value, nil); err != nil {
		return err
	}
	return batch.Commit(pebble.Sync)
}
