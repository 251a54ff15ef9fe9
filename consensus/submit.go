package consensus

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/cometbft/cometbft/mempool"
	cmtp2p "github.com/cometbft/cometbft/p2p"
	protomem "github.com/cometbft/cometbft/proto/tendermint/mempool"

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
	tx, err := e.app.parse(raw)
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
	// A refusal comes through done. One that is in the cache is waiting already, or another Submit of it is being
	// checked at this moment; either way done will tell.
	err = e.pool.CheckTx(tx.Raw, nil, mempool.TxInfo{})
	switch {
	case err == nil, errors.Is(err, mempool.ErrTxInCache):
	case errors.As(err, new(mempool.ErrMempoolIsFull)):
		return Receipt{}, ErrBusy
	default:
		return Receipt{}, fmt.Errorf("offering the transaction: %w", err)
	}
	again := time.NewTicker(offerAgain)
	defer again.Stop()
	for {
		select {
		case o := <-done:
			return o.receipt, o.err
		case <-ctx.Done():
			return Receipt{}, fmt.Errorf("%w: %w", ErrNotFinal, ctx.Err())
		case <-again.C:
			// The engine sends a transaction to each peer once. If that was lost with a connection, a proposer
			// would not know of it, and with nothing else to do nobody would ask before the next heartbeat.
			e.sw.BroadcastAsync(cmtp2p.Envelope{ChannelID: mempool.MempoolChannel, Message: &protomem.Txs{Txs: [][]byte{tx.Raw}}})
		}
	}
}
