// Package node runs one ledger node: the consensus engine, the ledger store, the revocations seen so far, and an
// HTTP API over them.
//
// A node answers reads from an immutable snapshot of the last final block. What it is given by Submit is checked,
// spread, and acknowledged when it is final. A revocation counts earlier: it is on this node's disk, and Revoked and
// RevokedAll report it, before anyone is told that the transaction was so much as accepted, and it stays so across
// restarts until the ledger says the same.
//
//	Dir/config              node_key.pem, priv_validator_key.json
//	Dir/data/ledger.db      state of the ledger            Dir/data/seen.db      revocations seen
//	Dir/data/history.db     what happened to each study
//	Dir/data/*.db, cs.wal   blocks and votes of the engine, index of receipts
//
// All methods may be called concurrently. Several nodes can live in one process.
package node

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"path/filepath"
	"sync"
	"time"

	"collimate/consensus"
	"collimate/ledger"
	"collimate/ledger/store"
	"collimate/node/client"
)

// ErrNotPersisted is wrapped when a transaction was offered to the network, but this node's disk did not take what it
// must remember of it.
var ErrNotPersisted = errors.New("the revocation counts here until this node restarts, but its disk refused it: free space or replace the disk, then submit again")

// Config describes a Node.
type Config struct {
	Dir       string             // of the node; consensus.InitKeys has been there
	API       string             // host:port of the HTTP API, TCP; empty for none. Plain HTTP: see Proxies
	Origins   []string           // whose pages may use the API, such as https://wallet.example; * is everybody, for reading
	Proxies   []netip.Prefix     // reverse proxies before the API, whose X-Forwarded-For is believed
	Rate      int                // requests a second of one address; 0 means 100
	Moniker   string             // name for people
	Genesis   *consensus.Genesis // of the network; see consensus.LoadGenesis
	Listen    string             // host:port of the UDP socket for the other nodes, IPv4
	Peers     []consensus.Peer   // the other nodes
	Heartbeat time.Duration      // interval of empty blocks; 0 means consensus.DefaultHeartbeat

	// How a new node comes by the state, and what it keeps for others: see consensus.Config.
	Sync          consensus.Sync
	Trust         *consensus.TrustedHeader
	SnapshotEvery int64
	RetainBlocks  int64
}

// Node is a running ledger node.
type Node struct {
	config Config
	log    *slog.Logger
	store  *store.Store
	seen   *sightings
	index  *index
	engine *consensus.Engine

	listener net.Listener // nil without an API
	server   *http.Server
	gate     *gate
	hub      *hub
	pending  []client.Event // of the block between decided and committed
	life     context.Context
	end      context.CancelFunc // of life: requests that wait are told that the node stops
	serving  sync.WaitGroup

	stop    sync.Once
	stopErr error
}

// New opens a node's files and sockets; one that is new first fetches the state of the network. It answers nobody before Start. A node that is not started must be stopped
// too.
func New(ctx context.Context, c Config, log *slog.Logger) (*Node, error) {
	n := &Node{config: c, log: log, gate: newGate(c.Rate, c.Proxies), hub: newHub()}
	n.life, n.end = context.WithCancel(context.Background())
	if err := n.open(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("node: %w", err), n.release(ctx))
	}
	return n, nil
}

func (n *Node) open(ctx context.Context) error {
	c := n.config
	engine := consensus.Config{
		Dir: c.Dir, Moniker: c.Moniker, Genesis: c.Genesis, Listen: c.Listen, Peers: c.Peers, Heartbeat: c.Heartbeat,
		Sync: c.Sync, Trust: c.Trust, SnapshotEvery: c.SnapshotEvery, RetainBlocks: c.RetainBlocks,
		OnSeen: n.sight, OnBlock: n.decided, OnCommit: n.committed,
	}
	if err := errors.Join(engine.Validate(), origins(c.Origins).validate()); err != nil {
		return err
	}
	var err error
	if c.API != "" {
		if n.listener, err = net.Listen("tcp", c.API); err != nil {
			return fmt.Errorf("opening the API: %w", err)
		}
	}
	if err := consensus.Join(ctx, engine, n.log); err != nil {
		return err
	}
	if n.store, err = store.Open(consensus.LedgerDir(c.Dir), store.Options{Logger: n.log}); err != nil {
		return err
	}
	snap := n.store.Snapshot()
	n.seen, err = openSightings(filepath.Join(c.Dir, "data", "seen.db"), snap.Snapshot, n.log)
	if err := errors.Join(err, snap.Close()); err != nil {
		return err
	}
	if n.index, err = openIndex(filepath.Join(c.Dir, "data", "history.db"), n.log); err != nil {
		return err
	}
	if n.engine, err = consensus.New(ctx, engine, n.store, n.log); err != nil {
		return err
	}
	n.server = n.newServer()
	return nil
}

// Start joins the network and opens the API.
func (n *Node) Start(ctx context.Context) error {
	if err := n.engine.Start(ctx); err != nil {
		return fmt.Errorf("node: %w", err)
	}
	n.serving.Go(n.resume)
	if n.listener != nil {
		n.serving.Go(func() {
			if err := n.server.Serve(n.listener); !errors.Is(err, http.ErrServerClosed) {
				n.log.Error("the API has ended", "err", err)
			}
		})
	}
	return nil
}

// resume offers revocations again that are neither final nor refused: those that were under way when the node stopped
// and, later, those that the pools have lost.
func (n *Node) resume() {
	tick := time.NewTicker(resumeInterval)
	defer tick.Stop()
	for n.life.Err() == nil {
		key, raw, err := n.seen.overdue(time.Now())
		if err != nil {
			n.log.Error("reading a revocation that was seen", "err", err)
		}
		for raw != nil && !n.offer(key, raw) {
			select {
			case <-tick.C:
			case <-n.life.Done():
				return
			}
		}
		if raw != nil {
			continue
		}
		select {
		case <-tick.C:
		case <-n.life.Done():
		}
	}
}

// offer offers a revocation, and reports whether it is final, refused, or waits for its block.
func (n *Node) offer(key string, raw []byte) bool {
	ctx, cancel := context.WithTimeout(n.life, resumeWait)
	defer cancel()
	_, err := n.engine.Submit(ctx, raw)
	switch {
	case err == nil:
		n.log.Info("a revocation that was under way is final")
	case ledger.CodeOf(err) != "":
		n.log.Info("a revocation that was under way has been overtaken", "err", err)
	default:
		return errors.Is(err, consensus.ErrNotFinal)
	}
	n.seen.end(key, sha256.Sum256(raw), err == nil, time.Now())
	return true
}

// Stop closes the API, leaves the network and closes the files. If ctx ends before, it returns with an error and the
// files stay open: end the process.
func (n *Node) Stop(ctx context.Context) error {
	n.stop.Do(func() { n.stopErr = n.release(ctx) })
	return n.stopErr
}

// release undoes New and Start, in any stage of them.
func (n *Node) release(ctx context.Context) error {
	n.end()
	n.hub.close()
	var errs []error
	if n.server != nil {
		drain, cancel := context.WithTimeout(ctx, drainTimeout)
		if err := n.server.Shutdown(drain); err != nil {
			errs = append(errs, ignore(n.server.Close(), net.ErrClosed))
		}
		cancel()
	}
	if n.listener != nil {
		errs = append(errs, ignore(n.listener.Close(), net.ErrClosed))
	}
	n.serving.Wait()
	if n.engine != nil {
		if err := n.engine.Stop(ctx); err != nil {
			return fmt.Errorf("node: %w", errors.Join(append(errs, err)...)) // what it still uses must stay open
		}
	}
	if n.index != nil {
		errs = append(errs, n.index.close())
	}
	if n.seen != nil {
		errs = append(errs, n.seen.close())
	}
	if n.store != nil {
		errs = append(errs, n.store.Close())
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("node: stopping: %w", err)
	}
	return nil
}

// Run starts the node and stops it when ctx ends or the engine gives up.
func (n *Node) Run(ctx context.Context) error {
	err := n.Start(ctx)
	if err == nil {
		select {
		case <-ctx.Done():
		case <-n.engine.Halted():
			err = n.engine.Err()
		}
	}
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
	defer cancel()
	return errors.Join(err, n.Stop(stop))
}

// Addr returns the address of the API, nil if there is none.
func (n *Node) Addr() net.Addr {
	if n.listener == nil {
		return nil
	}
	return n.listener.Addr()
}

// Snapshot returns the state after the last final block. It must be closed.
func (n *Node) Snapshot() *store.Snapshot { return n.store.Snapshot() }

// Submit offers a transaction to the network and returns when it is final here. See consensus.Engine.Submit.
func (n *Node) Submit(ctx context.Context, raw []byte) (consensus.Receipt, error) {
	r, err := n.engine.Submit(ctx, raw)
	if err == nil {
		err = n.seen.failure()
	}
	return r, err
}

// Status returns the node's view of the network and of itself.
func (n *Node) Status() consensus.Status { return n.engine.Status() }

// Revoked reports whether a revocation of this one grant has been seen and is not yet old news on the ledger.
func (n *Node) Revoked(study ledger.StudyID, c ledger.Commitment) bool {
	return n.seen.has(keyOne(study, c))
}

// RevokedAll reports the same of a revocation of all grants of an epoch.
func (n *Node) RevokedAll(study ledger.StudyID, epoch uint64) bool {
	return n.seen.has(keyAll(study, epoch))
}

// Healthy returns nil if the node takes part: it has not halted, keeps what it is told, is not behind, and its last
// block is no older than a few heartbeats.
func (n *Node) Healthy() error {
	if err := errors.Join(n.engine.Err(), n.seen.failure()); err != nil {
		return err
	}
	s := n.Status()
	heartbeat := n.config.Heartbeat
	if heartbeat == 0 {
		heartbeat = consensus.DefaultHeartbeat
	}
	age := time.Since(s.BlockTime)
	switch {
	case s.CatchingUp:
		return consensus.ErrCatchingUp
	case age > healthyAge*heartbeat:
		return fmt.Errorf("the last block is %v old, with %d peers connected: are more than two thirds of the voting power running?", age.Round(time.Second), s.Peers)
	}
	return nil
}
