package registry

import (
	"cmp"
	"context"
	"errors"
	"time"

	"collimate/xds/metadata"
)

// change is what one caller writes, and has a part of a transaction to itself.
type change struct {
	ctx     context.Context
	f       func(writer) error
	refused error      // why it is not made
	done    chan error // has the result, once it is on disk
}

// write runs f in the transaction that writes, and returns nil once its changes are on disk. A disk is synced some hundred
// times in a second: whoever has the turn to write takes along all that wait for it by then.
func (s *Store) write(ctx context.Context, f func(writer) error) error {
	c := &change{ctx: ctx, f: f, done: make(chan error, 1)}
	select {
	case s.waiting <- c:
	default:
		return metadata.Errors{{Code: metadata.RegistryBusy, Context: "too many submissions are waiting, try again later"}}
	}
	for {
		select {
		case err := <-c.done:
			return err
		case s.turn <- struct{}{}:
			s.group()
		}
	}
}

// group writes what waits, in one transaction, and gives up the turn. It is stopped by no caller's going away.
func (s *Store) group() {
	defer func() { <-s.turn }()
	var group []*change
	err := errors.New("the registry failed while writing") // if it does not come to what follows
	defer func() {
		for _, c := range group {
			c.done <- cmp.Or(err, c.refused)
		}
	}()
	ctx, cancel := context.WithTimeout(context.Background(), maxWriting)
	defer cancel()
	next := func() *change {
		select {
		case c := <-s.waiting:
			group = append(group, c)
			return c
		default:
			return nil
		}
	}
	first := next()
	if first == nil {
		return
	}
	err = s.transaction(ctx, func(w writer) error {
		start := time.Now()
		for c := first; c != nil; c = next() {
			if err := w.part(c); err != nil {
				return err
			}
			if time.Since(start) > maxGrouping {
				break
			}
		}
		return nil
	})
}

// transaction runs f in a transaction that writes.
func (s *Store) transaction(ctx context.Context, f func(writer) error) error {
	tx, err := s.writes.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	w := writer{reader{ctx: ctx, tx: tx, engine: s.engine}}
	if err := w.exec(s.engine.lock); err != nil {
		return err
	}
	if err := f(w); err != nil {
		return err
	}
	return tx.Commit()
}

// part makes a change, all of it or nothing. Its error is one that ends the transaction.
func (w writer) part(c *change) error {
	if c.refused = c.ctx.Err(); c.refused != nil {
		return nil
	}
	if err := w.exec("SAVEPOINT part"); err != nil {
		return err
	}
	if c.refused = c.f(w); c.refused == nil {
		c.refused = c.ctx.Err()
	}
	if c.refused != nil {
		return w.exec("ROLLBACK TO SAVEPOINT part")
	}
	return w.exec("RELEASE SAVEPOINT part")
}
