package consensus

import (
	"errors"
	"fmt"
	"time"

	cfg "github.com/cometbft/cometbft/config"

	"collimate/p2p"
)

// Peer is another node of the network.
type Peer = p2p.Peer

// Config describes an Engine.
type Config struct {
	Dir     string   // of the node; keys in Dir/config, data in Dir/data
	Moniker string   // name for people, at most 64 bytes
	Genesis *Genesis // of the network
	Listen  string   // host:port of the UDP socket for QUIC, IPv4
	Peers   []Peer   // the only nodes to talk to

	// Heartbeat is the interval between blocks when there are no transactions; 0 means DefaultHeartbeat. An idle
	// network's chain time is as old as this at most. It should be the same on all nodes.
	Heartbeat time.Duration

	// quiet keeps the engine from sending transactions to peers by itself: for the test of what happens when it
	// has done so in vain.
	quiet bool
}

// Validate reports every fault at once.
func (c Config) Validate() error {
	var errs []error
	if c.Dir == "" {
		errs = append(errs, errors.New("no directory"))
	}
	if len(c.Moniker) > maxName {
		errs = append(errs, fmt.Errorf("the moniker has %d bytes, at most %d", len(c.Moniker), maxName))
	}
	if c.Genesis == nil {
		errs = append(errs, errors.New("no genesis"))
	} else if err := c.Genesis.Validate(); err != nil {
		errs = append(errs, fmt.Errorf("genesis: %w", err))
	}
	if h := c.Heartbeat; h != 0 && (h < MinHeartbeat || h > MaxHeartbeat) {
		errs = append(errs, fmt.Errorf("heartbeat %v is not between %v and %v", h, MinHeartbeat, MaxHeartbeat))
	}
	for _, p := range c.Peers {
		errs = append(errs, p.Validate())
	}
	return errors.Join(errs...)
}

// engine is the configuration as the engine takes it.
func (c Config) engine() *cfg.Config {
	e := cfg.DefaultConfig().SetRoot(c.Dir)
	e.Moniker = c.Moniker

	e.Consensus.TimeoutPropose, e.Consensus.TimeoutProposeDelta = timeoutPropose, timeoutProposeDelta
	e.Consensus.TimeoutPrevote, e.Consensus.TimeoutPrevoteDelta = timeoutVote, timeoutVoteDelta
	e.Consensus.TimeoutPrecommit, e.Consensus.TimeoutPrecommitDelta = timeoutVote, timeoutVoteDelta
	e.Consensus.TimeoutCommit = timeoutCommit
	e.Consensus.PeerGossipSleepDuration = gossipSleep
	e.Consensus.CreateEmptyBlocks = false
	e.Consensus.CreateEmptyBlocksInterval = c.Heartbeat
	if c.Heartbeat == 0 {
		e.Consensus.CreateEmptyBlocksInterval = DefaultHeartbeat
	}

	// A transaction that another one has made impossible meets its refusal in a block, where everybody sees it,
	// rather than vanish from some pools and not from others. So no recheck.
	e.Mempool.Recheck = false
	e.Mempool.Size = maxPending
	e.Mempool.MaxTxsBytes = maxPendingBytes
	e.Mempool.MaxTxBytes = maxTx
	e.Mempool.CacheSize = maxSeen
	e.Mempool.Broadcast = !c.quiet

	e.BlockSync.AdaptiveSync = false // running catch-up beside consensus leads validators to vote twice
	e.TxIndex.Indexer = "null"
	e.Storage.DiscardABCIResponses = true
	e.Instrumentation.Prometheus = false // its registry is global; several nodes may share a process

	e.P2P.LibP2PConfig.Enabled = true
	e.P2P.ListenAddress = c.Listen
	return e
}
