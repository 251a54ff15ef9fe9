package consensus

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"sync"

	cmtp2p "github.com/cometbft/cometbft/p2p"

	"collimate/ledger"
)

// Errors of Submit that say nothing about the transaction.
var (
	// ErrNotFinal: the context ended while the transaction was waiting for its block. It may still become final;
	// submit it again, as often as needed, to learn what became of it.
	ErrNotFinal = errors.New("the transaction is accepted but not final yet: submit the same bytes again to wait on")
	// ErrCatchingUp: the node's state is old, so it cannot judge.
	ErrCatchingUp = errors.New("this node is catching up with its peers: try again later, or another node")
	// ErrBusy: a bound of limits.go is reached.
	ErrBusy = errors.New("this node has too many transactions waiting: try again later")
	// ErrStopped: the engine has stopped or was never started.
	ErrStopped = errors.New("this node is stopping")
	// ErrHalted: a disk or a rule has failed beneath the engine, and it would be wrong to go on.
	ErrHalted = errors.New("this node has halted, see its log")
)

// outcome is what becomes of a transaction.
type outcome struct {
	receipt Receipt
	err     error
}

// waiters are the Submits that wait for a transaction to become final or be refused.
type waiters struct {
	mu   sync.Mutex
	n    int
	by   map[ledger.TxID]map[chan outcome]struct{}
	shut bool
}

func newWaiters() *waiters { return &waiters{by: map[ledger.TxID]map[chan outcome]struct{}{}} }

// wait returns a channel that gets one outcome, and how to give it up.
func (w *waiters) wait(id ledger.TxID) (<-chan outcome, func(), error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.shut:
		return nil, nil, ErrStopped
	case w.n >= maxWaiters:
		return nil, nil, ErrBusy
	}
	c := make(chan outcome, 1)
	if w.by[id] == nil {
		w.by[id] = map[chan outcome]struct{}{}
	}
	w.by[id][c] = struct{}{}
	w.n++
	return c, func() { w.leave(id, c) }, nil
}

func (w *waiters) leave(id ledger.TxID, c chan outcome) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if _, ok := w.by[id][c]; !ok {
		return
	}
	w.n--
	delete(w.by[id], c)
	if len(w.by[id]) == 0 {
		delete(w.by, id)
	}
}

// settle gives an outcome to all who wait for a transaction.
func (w *waiters) settle(id ledger.TxID, o outcome) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for c := range w.by[id] {
		c <- o
		w.n--
	}
	delete(w.by, id)
}

// close gives ErrStopped to everybody, now and later.
func (w *waiters) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.shut = true
	for _, cs := range w.by {
		for c := range cs {
			c <- outcome{err: ErrStopped}
		}
	}
	w.by, w.n = nil, 0
}

// Submit offers a transaction to the network and returns when it is final here. Submitting it again, even years
// later, returns the receipt of the first time. Errors are a *ledger.SyntaxError if raw is no transaction of this
// chain, a *ledger.Error if the state refuses it, and otherwise one of those above, wrapped.
func (e *Engine) Submit(ctx context.Context, raw []byte) (Receipt, error) {
	if err := e.running(); err != nil {
		return Receipt{}, err
	}
	defer e.calls.Done()
	lane := laneOf(raw)
	tx, err := e.verify(ctx, raw, lane)
	if err != nil {
		return Receipt{}, err
	}
	if r, ok, err := e.app.receipts.get(tx.ID); ok || err != nil {
		return r, err
	}
	if e.catchingUp() {
		return Receipt{}, ErrCatchingUp
	}
	done, leave, err := e.app.waiters.wait(tx.ID)
	if err != nil {
		return Receipt{}, err
	}
	defer leave()
	// It may have become final between the look above and the wait.
	if r, ok, err := e.app.receipts.get(tx.ID); ok || err != nil {
		return r, err
	}
	if err := e.offer(ctx, tx, lane, ""); err != nil {
		return e.unlessFinal(tx.ID, err)
	}
	select {
	case o := <-done:
		return o.receipt, o.err
	case <-ctx.Done():
	}
	select { // both may have come to pass
	case o := <-done:
		return o.receipt, o.err
	default:
		return Receipt{}, fmt.Errorf("%w: %w", ErrNotFinal, ctx.Err())
	}
}

// Offer is Submit without the wait: the transaction waits for a block here, or is final already.
func (e *Engine) Offer(ctx context.Context, raw []byte) (ledger.TxID, error) {
	if err := e.running(); err != nil {
		return ledger.TxID{}, err
	}
	defer e.calls.Done()
	lane := laneOf(raw)
	tx, err := e.verify(ctx, raw, lane)
	if err != nil {
		return ledger.TxID{}, err
	}
	if _, ok, err := e.app.receipts.get(tx.ID); ok || err != nil {
		return tx.ID, err
	}
	if e.catchingUp() {
		return ledger.TxID{}, ErrCatchingUp
	}
	if err := e.offer(ctx, tx, lane, ""); err != nil {
		_, err = e.unlessFinal(tx.ID, err)
		return tx.ID, err
	}
	return tx.ID, nil
}

// unlessFinal returns the receipt of a transaction that became final while it waited for its turn: the state then refuses
// it, as it is done already.
func (e *Engine) unlessFinal(id ledger.TxID, refused error) (Receipt, error) {
	if r, ok, err := e.app.receipts.get(id); ok || err != nil {
		return r, err
	}
	return Receipt{}, refused
}

// take takes a transaction from a peer.
func (e *Engine) take(ctx context.Context, raw []byte, from cmtp2p.ID) error {
	if e.app.pool.get(sha256.Sum256(raw)) != nil {
		return nil
	}
	tx, err := e.verify(ctx, raw, string(from))
	if err != nil {
		return err
	}
	return e.offer(ctx, tx, string(from), from)
}

// offer lets the state judge a transaction, when it is its turn, and puts it into the pool.
func (e *Engine) offer(ctx context.Context, tx *ledger.Transaction, lane string, from cmtp2p.ID) error {
	var x judged
	var refused error
	if err := e.turns.do(ctx, lane, func() { x, refused = e.app.pool.judge(tx) }); err != nil {
		return err
	}
	if refused != nil {
		return refused
	}
	return e.app.pool.offer(x, from) // which may wait for the disk
}

// verify parses what is offered. Unless it was verified before, it waits for its turn.
func (e *Engine) verify(ctx context.Context, raw []byte, lane string) (*ledger.Transaction, error) {
	if len(raw) > ledger.MaxTxBytes {
		return e.app.parse(raw)
	}
	if tx := e.app.recall(raw); tx != nil {
		return tx, nil
	}
	var tx *ledger.Transaction
	var refused error
	if err := e.turns.do(ctx, lane, func() { tx, refused = e.app.verified.parse(e.genesis.ChainID, raw) }); err != nil {
		return nil, err
	}
	return tx, refused
}
