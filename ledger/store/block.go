package store

import (
	"errors"
	"fmt"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"collimate/ledger"
	"collimate/ledger/tree"
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

	// What the writes so far come to; nil until it is asked for, and after each further write.
	sealed *sealed
}

// sealed is the state after a block's writes, ready to be committed.
type sealed struct {
	tree  *tree.Tree
	batch *pebble.Batch // the writes, the tree's among them, and the head
	err   error         // why there is none of these
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
	b.unseal()
	return ledger.InitGenesis(b.state, g)
}

// Begin does what comes before the transactions of a block. See ledger.BeginBlock.
func (b *Block) Begin(seen ledger.Observed) error {
	if b.ended {
		return ErrClosed
	}
	b.unseal()
	return ledger.BeginBlock(b.state, b.at, seen)
}

// Apply applies a transaction, or refuses it and changes nothing. See ledger.Apply.
func (b *Block) Apply(tx *ledger.Transaction) error {
	if b.ended {
		return ErrClosed
	}
	b.unseal()
	return ledger.Apply(b.state, tx, b.at)
}

// AppHash returns the app hash after the writes so far. It is nil if the state could not be read, and of a block that has
// ended; then Commit returns the error.
func (b *Block) AppHash() []byte {
	if b.ended {
		return nil
	}
	s := b.seal()
	if s.err != nil {
		return nil
	}
	root := s.tree.Root()
	return root[:]
}

// Commit writes the block to the disk and makes it the last one. When it returns nil the block survives a crash.
// The block has ended either way.
func (b *Block) Commit() error {
	if b.ended {
		return ErrClosed
	}
	defer b.Discard()
	s := b.seal()
	err := s.err
	if err == nil {
		err = b.store.write(b.base.view, s)
	}
	if err != nil {
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
	b.unseal()
	b.base.Close()
}

// seal works out what the writes so far come to.
func (b *Block) seal() *sealed {
	if b.sealed == nil {
		b.sealed = b.work()
	}
	return b.sealed
}

// unseal forgets it.
func (b *Block) unseal() {
	if b.sealed != nil && b.sealed.batch != nil {
		b.sealed.batch.Close()
	}
	b.sealed = nil
}

// work gathers all that a commit writes into one batch, beside the disk.
func (b *Block) work() *sealed {
	batch := b.store.db.NewBatch()
	t, err := b.fill(batch)
	if err != nil {
		batch.Close()
		return &sealed{err: err}
	}
	return &sealed{tree: t, batch: batch}
}

// fill puts the writes, the tree's entries and the head into a batch.
func (b *Block) fill(batch *pebble.Batch) (*tree.Tree, error) {
	set := func(key, value []byte) error {
		if value == nil {
			return batch.Delete(key, nil)
		}
		return batch.Set(key, value, nil)
	}
	for key, value := range b.state.Writes() {
		if !isState(key) {
			return nil, fmt.Errorf("a state key begins with %.1x, want a byte below %#x", key, firstOwn)
		}
		if err := set(key, value); err != nil {
			return nil, err
		}
	}
	c := newCursor(b.base.view.pebble)
	t, err := b.base.view.tree.On(c).Update(b.state.Writes(), set)
	if err := errors.Join(err, c.Close()); err != nil {
		return nil, err
	}
	root := t.Root()
	key, value := ledger.HeadEntry(ledger.Head{Height: b.at.Height, Time: b.at.Time, AppHash: root[:]})
	return t, set(key, value)
}

// write commits what a block that was begun on base came to. A crash before it returns leaves all of it or nothing.
func (s *Store) write(base *view, after *sealed) error {
	s.commit.Lock()
	defer s.commit.Unlock()
	s.mu.Lock()
	last := s.last
	s.mu.Unlock()
	switch {
	case last == nil:
		return ErrClosed
	case last != base:
		return ErrOvertaken
	}
	if s.wrote == nil { // there may be one of an earlier Close
		if err := after.batch.Delete(keyBefore, nil); err != nil {
			return err
		}
	}
	if err := after.batch.Commit(pebble.Sync); err != nil {
		return err
	}
	s.wrote = append(s.wrote[:0], after.batch.Repr()...)
	// A crash from here on leaves the new block on disk; Open finds it. If what was written cannot be read, the
	// store is as good as closed: nobody may build on a block that is not the last.
	snap := s.db.NewSnapshot()
	next, err := see(snap, entries{snap}, after.tree)
	s.mu.Lock()
	before := s.before
	s.last, s.before = next, last
	if err != nil {
		s.before, err = nil, errors.Join(err, last.release())
	}
	s.mu.Unlock()
	if before != nil {
		err = errors.Join(err, before.release())
	}
	return err
}
