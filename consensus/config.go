package consensus

import (
	"errors"
	"fmt"
	"time"

	cfg "github.com/cometbft/cometbft/config"
	"github.com/cometbft/cometbft/privval"
	"github.com/cometbft/cometbft/types"

	"collimate/ledger"
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

	// Sync, Trust: see Join.
	Sync  Sync
	Trust *TrustedHeader // nil: the validators of the genesis are trusted
	// SnapshotEvery is the number of blocks between two snapshots by which others can join; 0 means
	// DefaultSnapshotEvery, and less than 0 none.
	SnapshotEvery int64
	// RetainBlocks is how many blocks are kept; 0 means all. More are kept if others may need them to join, or to judge a
	// validator; none is deleted while there is no snapshot.
	RetainBlocks int64

	// OnSeen is called for each transaction, own or gossiped, that is about to wait for a block here: before it can
	// become final and before it is acknowledged to anyone. It may be called concurrently.
	OnSeen func(*ledger.Transaction)
	// OnBlock is called for each block, empty and replayed ones too, before it is on disk: again after a crash, if the
	// block was lost in it. An error halts the node.
	OnBlock func(Block) error
	// OnCommit is called for each block once it is on disk. The next one waits for the call.
	OnCommit func(Block)

	// quiet keeps the engine from sending transactions to peers by itself: for the test of what happens when it
	// has done so in vain.
	quiet bool
	// voter, if not nil, puts another validator in place of the node's own: for the test of one that cheats.
	voter func(*Engine, *privval.FilePV) types.PrivValidator
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
	if c.Sync != SyncAuto && c.Sync != SyncReplay && c.Sync != SyncSnapshot {
		errs = append(errs, fmt.Errorf("sync %q is not %q, %q or empty", c.Sync, SyncReplay, SyncSnapshot))
	}
	if c.Trust != nil && c.Trust.Height < 1 {
		errs = append(errs, fmt.Errorf("the trusted header has height %d, want 1 or more", c.Trust.Height))
	}
	if n := c.RetainBlocks; n != 0 && n < MinRetainBlocks {
		errs = append(errs, fmt.Errorf("%d blocks are to be retained, want 0 for all, or at least %d", n, MinRetainBlocks))
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

	e.BlockSync.AdaptiveSync = false // running catch-up beside consensus leads validators to vote twice
	e.TxIndex.Indexer = "null"
	e.Storage.DiscardABCIResponses = true
	e.Instrumentation.Prometheus = false // its registry is global; several nodes may share a process

	e.P2P.LibP2PConfig.Enabled = true
	e.P2P.ListenAddress = c.Listen
	return e
}

func (c Config) snapshotEvery() int64 {
	if c.SnapshotEvery == 0 {
		return DefaultSnapshotEvery
	}
	return c.SnapshotEvery
}
