package consensus

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"

	cs "github.com/cometbft/cometbft/consensus"
	"github.com/cometbft/cometbft/lp2p"
	"github.com/cometbft/cometbft/proxy"
	"github.com/cometbft/cometbft/types"

	"collimate/ledger"
	"collimate/ledger/store"
	"collimate/p2p"
)

// Engine is one node's part in the agreement.
type Engine struct {
	genesis Genesis
	keys    NodeKeys
	address string
	app     *app
	store   *store.Store
	log     *slog.Logger

	host    *p2p.Host
	sw      *lp2p.Switch
	state   *cs.State
	reactor *cs.Reactor
	gossip  *gossip
	turns   *turns // of verifying and judging what is offered
	history history
	past    *past // history for the pool of evidence
	kept    *archives
	events  *types.EventBus
	conns   proxy.AppConns
	closers []io.Closer // databases, in the order of opening

	mu    sync.Mutex
	phase phase
	halt  error          // why the engine gave up
	ended chan struct{}  // closed with halt
	calm  atomic.Bool    // the log's
	calls sync.WaitGroup // Submits under way
}

type phase int

const (
	isNew phase = iota
	isRunning
	isStopped
)

// New assembles an engine over an open store, replays what the store is missing of the blocks on disk, and opens the
// UDP socket. It neither dials nor votes before Start. The caller closes the store, after Stop. An engine that is
// not started must be stopped too.
func New(ctx context.Context, c Config, s *store.Store, log *slog.Logger) (*Engine, error) {
	if err := c.Validate(); err != nil {
		return nil, fmt.Errorf("consensus: %w", err)
	}
	e := &Engine{genesis: *c.Genesis, store: s, log: log, ended: make(chan struct{}), turns: newTurns(max(1, runtime.GOMAXPROCS(0)/2))}
	if err := e.assemble(ctx, c); err != nil {
		return nil, errors.Join(fmt.Errorf("consensus: %w", err), e.release())
	}
	return e, nil
}

// Receipt returns the receipt of an accepted transaction, and whether there is one.
func (e *Engine) Receipt(id ledger.TxID) (Receipt, bool, error) {
	if err := e.running(); err != nil {
		return Receipt{}, false, err
	}
	defer e.calls.Done()
	return e.app.receipts.get(id)
}

// Start joins the network: it catches up if it must, then votes.
func (e *Engine) Start(context.Context) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.phase != isNew {
		return errors.New("consensus: an engine starts once")
	}
	if err := e.sw.Start(); err != nil {
		return fmt.Errorf("consensus: starting: %w", err)
	}
	e.host.Answer(archiveExchange, e.kept.answer)
	e.host.Start(peers{e.sw})
	e.phase = isRunning
	return nil
}

// running admits a call that Stop must wait for; if it returns nil, calls.Done must follow.
func (e *Engine) running() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.phase != isRunning {
		return ErrStopped
	}
	if e.halt != nil {
		return e.halt
	}
	e.calls.Add(1)
	return nil
}

// fail is called when the engine has given up: a disk or a rule has failed, and it would be wrong to go on.
func (e *Engine) fail(err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.halt != nil {
		return
	}
	e.halt = fmt.Errorf("%w: %w", ErrHalted, err)
	close(e.ended)
	e.app.waiters.close()
}

// Err returns why the engine has given up, nil while it has not.
func (e *Engine) Err() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.halt
}

// Halted is closed when the engine gives up; Err then says why.
func (e *Engine) Halted() <-chan struct{} { return e.ended }

// Stop leaves the network and releases files and socket. It waits for what is under way, which takes a second or two;
// if ctx ends before, Stop returns its error and goes on in the background.
func (e *Engine) Stop(ctx context.Context) error {
	e.mu.Lock()
	before := e.phase
	e.phase = isStopped
	e.mu.Unlock()
	if before == isStopped {
		return nil
	}
	done := make(chan error, 1)
	go func() { done <- e.stop(before == isRunning) }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return fmt.Errorf("consensus: stopping: %w", ctx.Err())
	}
}

func (e *Engine) stop(started bool) error {
	e.calm.Store(true)
	e.app.waiters.close()
	e.calls.Wait()
	var err error
	if started {
		e.host.Stop() // or its watchdog would repair what is being taken apart
		err = e.sw.Stop()
		e.gossip.wait()
	}
	return errors.Join(err, e.release())
}

// release stops what New started, in any stage of it.
func (e *Engine) release() error {
	var errs []error
	if e.kept != nil {
		e.kept.close()
	}
	if e.app != nil {
		e.app.stop()
	}
	if e.events != nil && e.events.IsRunning() {
		errs = append(errs, e.events.Stop())
	}
	if e.conns != nil && e.conns.IsRunning() {
		errs = append(errs, e.conns.Stop())
	}
	for _, c := range e.closers {
		errs = append(errs, c.Close())
	}
	e.closers = nil
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("consensus: stopping: %w", err)
	}
	return nil
}
