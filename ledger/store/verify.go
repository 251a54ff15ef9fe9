package store

import (
	"bytes"
	"context"
	"fmt"

	"collimate/ledger"
	"collimate/ledger/tree"
)

// Verify works out the whole tree again from the records and compares it with what is stored and with the app hash. An error
// wraps ErrDamaged and names the first record or node that differs. Progress, which may be nil, is
// called now and then with the number of records compared so far. It takes a few minutes for 10 million records.
func (s *Snapshot) Verify(ctx context.Context, progress func(records int)) error {
	if s.view == nil {
		return ErrClosed
	}
	c, done := s.view.sweep()
	defer done()
	head, _ := ledger.HeadEntry(ledger.Head{})
	records := 0
	err := s.Iterate(nil, func(key, value []byte) error {
		if bytes.Equal(key, head) {
			return nil
		}
		if records++; records%10_000 == 0 {
			if err := ctx.Err(); err != nil {
				return err
			}
			if progress != nil {
				progress(records)
			}
		}
		want := tree.NewLeaf(key, value)
		got, there, err := tree.Lookup(c, want.Path)
		switch {
		case err != nil:
			return err
		case !there:
			return fmt.Errorf("%w: the tree does not have the record %x", ErrDamaged, key)
		case got != want:
			return fmt.Errorf("%w: the record %x has a value with the hash %x, in the tree it is %x", ErrDamaged, key, want.Value, got.Value)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("verifying the state: %w", err)
	}
	all, err := tree.Check(s.view.from, c)
	switch {
	case err != nil:
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	case all.Leaves != uint64(records):
		return fmt.Errorf("%w: the tree has %d leaves for %d records", ErrDamaged, all.Leaves, records)
	case len(s.AppHash()) == 0 && records == 0:
		return nil // before the genesis
	case !bytes.Equal(all.Hash[:], s.AppHash()):
		return fmt.Errorf("%w: the records have the app hash %x, the head says %x", ErrDamaged, all.Hash, s.AppHash())
	}
	return nil
}
