package consensus

import (
	"bytes"
	"context"
	"fmt"
	"path/filepath"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cometbft/cometbft/blocksync"
	cs "github.com/cometbft/cometbft/consensus"
	"github.com/cometbft/cometbft/evidence"
	cmtjson "github.com/cometbft/cometbft/libs/json"
	"github.com/cometbft/cometbft/lp2p"
	cmtnode "github.com/cometbft/cometbft/node"
	cmtp2p "github.com/cometbft/cometbft/p2p"
	"github.com/cometbft/cometbft/privval"
	"github.com/cometbft/cometbft/proxy"
	sm "github.com/cometbft/cometbft/state"
	cmtstore "github.com/cometbft/cometbft/store"
	"github.com/cometbft/cometbft/types"
	"github.com/cometbft/cometbft/version"

	"collimate/consensus/pebbledb"
	"collimate/ledger"
	"collimate/ledger/light"
	"collimate/p2p"
)

// assemble opens what an engine needs, in an order in which release can undo it.
func (e *Engine) assemble(ctx context.Context, c Config) error {
	var err error
	if e.keys, err = LoadKeys(c.Dir); err != nil {
		return err
	}
	voter, err := loadValidator(c.Dir)
	if err != nil {
		return err
	}
	identity, err := loadIdentity(c.Dir)
	if err != nil {
		return err
	}
	e.address = voter.GetAddress().String()
	hash, err := e.genesis.Hash()
	if err != nil {
		return err
	}
	hello, err := greeting()
	if err != nil {
		return err
	}
	// The socket first: a port in use is the commonest fault, and the cheapest to find.
	e.host, err = p2p.New(p2p.Config{Key: identity, Listen: c.Listen, Peers: c.Peers,
		ChainID: e.genesis.ChainID, Genesis: hash, Greeting: hello}, e.log)
	if err != nil {
		return err
	}
	e.closers = append(e.closers, e.host)

	conf := c.engine()
	cache := pebble.NewCache(cacheBytes)
	defer cache.Unref() // each database holds its own reference
	dbs := map[string]*pebbledb.DB{}
	for _, name := range []string{"blockstore", "state", "evidence"} {
		db, err := pebbledb.Open(filepath.Join(conf.DBDir(), name+".db"), cache, e.log)
		if err != nil {
			return err
		}
		dbs[name] = db
		e.closers = append(e.closers, db)
	}
	index, err := openReceipts(filepath.Join(conf.DBDir(), "receipts.db"), cache, e.log)
	if err != nil {
		return err
	}
	e.closers = append(e.closers, index.db)
	height, _, err := e.store.Last()
	if err != nil {
		return err
	}
	e.app = newApp(e.genesis, e.store, index, height, e.log)
	e.app.onBlock, e.app.onCommit = c.OnBlock, c.OnCommit
	if c.OnSeen != nil {
		e.app.pool.seen = c.OnSeen
	}
	return e.wire(ctx, c, voter, dbs)
}

// wire is what the engine's node.NewNode does, without RPC, indexer, state sync and its own host.
func (e *Engine) wire(ctx context.Context, c Config, voter *privval.FilePV, dbs map[string]*pebbledb.DB) error {
	conf := c.engine()
	log := engineLog{to: e.log, halt: e.fail, calm: &e.calm}
	blocks := cmtstore.NewBlockStore(dbs["blockstore"])
	states := sm.NewStore(dbs["state"], sm.StoreOptions{DiscardABCIResponses: conf.Storage.DiscardABCIResponses})
	state, doc, err := cmtnode.LoadStateFromDBOrGenesisDocProvider(dbs["state"], e.genesis.doc)
	if err != nil {
		return fmt.Errorf("loading the engine's state: %w", err)
	}
	wanted, err := e.genesis.doc()
	if err != nil {
		return err
	}
	if err := same(doc, wanted); err != nil {
		return err
	}
	e.history = history{blocks: blocks, states: states}
	if e.history.validators, err = e.genesis.validatorSet(); err != nil {
		return err
	}
	e.kept = newArchives(conf.DBDir(), c.snapshotEvery(), e.history.lightBlock, e.log)
	e.app.after = func(height int64) (int64, error) { return e.after(height, c.RetainBlocks) }

	e.conns = proxy.NewAppConns(proxy.NewConnSyncLocalClientCreator(e.app), proxy.NopMetrics())
	e.conns.SetLogger(log)
	if err := e.conns.Start(); err != nil {
		return err
	}
	e.events = types.NewEventBus()
	e.events.SetLogger(log)
	if err := e.events.Start(); err != nil {
		return err
	}
	shake := cs.NewHandshaker(states, state, blocks, doc)
	shake.SetLogger(log)
	shake.SetEventBus(e.events)
	if err := shake.HandshakeWithContext(ctx, e.conns); err != nil {
		return fmt.Errorf("replaying blocks into the ledger: %w", err)
	}
	if state, err = states.Load(); err != nil {
		return fmt.Errorf("loading the engine's state: %w", err)
	}
	self, err := voter.GetPubKey()
	if err != nil {
		return err
	}
	alone := state.Validators.Size() == 1 && state.Validators.HasAddress(self.Address())

	e.app.pool.height = state.LastBlockHeight
	e.gossip = newGossip(e.take, func() []*ledger.Transaction { return e.app.pool.overdue(offerAgain, maxGossipCount) }, alone, c.quiet, e.log)
	e.gossip.SetLogger(log)
	e.app.pool.send = e.gossip.spread
	trusted, err := e.genesis.trusted()
	if err != nil {
		return err
	}
	e.past = &past{Store: states, history: e.history, trusted: trusted, host: e.host, known: map[int64]*light.Block{}}
	proofs, err := evidence.NewPool(dbs["evidence"], e.past, e.past)
	if err != nil {
		return fmt.Errorf("opening the pool of evidence: %w", err)
	}
	proof := evidence.NewReactor(proofs)
	proof.SetLogger(log)
	exec := sm.NewBlockExecutor(states, log, e.conns.Consensus(), e.app.pool, proofs, blocks,
		sm.BlockExecutorWithBlockTimeTolerance(conf.Consensus.BlockTimeTolerance))
	var joined int64 // the height of the snapshot by which the node joined, if it has no block yet
	if blocks.Height() == 0 && state.LastBlockHeight > 0 {
		if joined, err = states.GetOfflineStateSyncHeight(); err != nil {
			return fmt.Errorf("reading at which height this node has joined: %w", err)
		}
	}
	catchUp := blocksync.NewReactor(!alone, conf.BlockSync.AdaptiveSync, state.Copy(), exec, blocks, self.Address(), joined, blocksync.NopMetrics())
	catchUp.SetLogger(log)
	e.state = cs.NewState(conf.Consensus, state.Copy(), exec, blocks, e.app.pool, proofs)
	e.state.SetLogger(log)
	e.state.SetPrivValidator(voter)
	if c.voter != nil {
		e.state.SetPrivValidator(c.voter(e, voter))
	}
	e.reactor = cs.NewReactor(e.state, !alone)
	e.reactor.SetLogger(log)
	e.reactor.SetEventBus(e.events)

	host, err := adopt(e.host, conf.P2P, e.log)
	if err != nil {
		return err
	}
	info := cmtp2p.DefaultNodeInfo{
		ProtocolVersion: cmtp2p.NewProtocolVersion(version.P2PProtocol, state.Version.Consensus.Block, state.Version.Consensus.App),
		DefaultNodeID:   cmtp2p.ID(e.keys.PeerID), Network: doc.ChainID, Version: version.TMCoreSemVer,
		Moniker: conf.Moniker, ListenAddr: conf.P2P.ListenAddress,
	}
	// The names are the engine's: reactors look each other up by them.
	e.sw, err = lp2p.NewSwitch(info, host, []lp2p.SwitchReactor{
		{Name: "MEMPOOL", Reactor: e.gossip},
		{Name: "BLOCKSYNC", Reactor: boundedSync{catchUp}},
		{Name: "CONSENSUS", Reactor: e.reactor},
		{Name: "EVIDENCE", Reactor: proof},
		{Name: "GREETER", Reactor: newGreeter()},
	}, cmtp2p.NopMetrics(), peerLog{log})
	return err
}

// after takes a snapshot if one is due, and returns the height below which blocks may be deleted, a few at a time; 0 is
// for none.
func (e *Engine) after(height, keep int64) (int64, error) {
	e.kept.offer(e.store, height)
	base := e.history.blocks.Base()
	retain, err := e.kept.retain(height, keep)
	if err != nil || retain <= base {
		return 0, err
	}
	return min(retain, base+maxPrune), nil
}

// same checks that the network of the data on disk is that of the genesis file.
func same(onDisk, wanted *types.GenesisDoc) error {
	a, err := cmtjson.Marshal(onDisk)
	if err != nil {
		return err
	}
	b, err := cmtjson.Marshal(wanted)
	if err != nil {
		return err
	}
	if !bytes.Equal(a, b) {
		return fmt.Errorf("the data in the node's directory is of another network (chain id %q, begun %v) than the genesis "+
			"file (chain id %q, begun %v): use another directory", onDisk.ChainID, onDisk.GenesisTime, wanted.ChainID, wanted.GenesisTime)
	}
	return nil
}
