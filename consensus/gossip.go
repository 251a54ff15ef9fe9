package consensus

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cometbft/cometbft/mempool"
	cmtp2p "github.com/cometbft/cometbft/p2p"
	protomem "github.com/cometbft/cometbft/proto/tendermint/mempool"

	"collimate/ledger"
)

// gossip spreads the transactions of the pool, in the engine's place for its reactor: several in a message, as each
// message is a stream of its own. To and from each peer there is one bounded queue and one goroutine, so that a peer that
// is slow, or sends nonsense, is in nobody's way. What a full queue loses is sent again after offerAgain.
type gossip struct {
	cmtp2p.BaseReactor
	take  func(ctx context.Context, raw []byte, from cmtp2p.ID) error
	late  func() []*ledger.Transaction // those that have waited for offerAgain
	quiet bool                         // only those are sent: for a test
	log   *slog.Logger

	awake atomic.Bool // the node has caught up
	ctx   context.Context
	end   context.CancelFunc
	work  sync.WaitGroup

	mu    sync.Mutex
	peers map[cmtp2p.ID]*correspondent
}

// correspondent is a peer.
type correspondent struct {
	peer    cmtp2p.Peer
	out     chan *ledger.Transaction
	in      chan [][]byte
	quit    context.Context
	dismiss context.CancelFunc
}

func newGossip(take func(context.Context, []byte, cmtp2p.ID) error, late func() []*ledger.Transaction, awake, quiet bool, log *slog.Logger) *gossip {
	g := &gossip{take: take, late: late, quiet: quiet, log: log, peers: map[cmtp2p.ID]*correspondent{}}
	g.ctx, g.end = context.WithCancel(context.Background())
	g.awake.Store(awake)
	g.BaseReactor = *cmtp2p.NewBaseReactor("Gossip", g)
	return g
}

// GetChannels returns the engine's channel for transactions.
func (g *gossip) GetChannels() []*cmtp2p.ChannelDescriptor {
	return []*cmtp2p.ChannelDescriptor{{
		ID: mempool.MempoolChannel, Priority: 5, MessageType: &protomem.Message{},
		RecvMessageCapacity: maxGossipBytes + maxGossipCount*8 + 64,
	}}
}

// OnStart begins to send again what is late.
func (g *gossip) OnStart() error {
	g.work.Go(func() {
		tick := time.NewTicker(offerAgain)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				for _, tx := range g.late() {
					g.toAll(tx, "")
				}
			case <-g.ctx.Done():
				return
			}
		}
	})
	return nil
}

// OnStop ends it; wait waits for that.
func (g *gossip) OnStop() { g.end() }

func (g *gossip) wait() {
	g.end()
	g.work.Wait()
}

// AddPeer begins to talk with a peer.
func (g *gossip) AddPeer(peer cmtp2p.Peer) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.ctx.Err() != nil || g.peers[peer.ID()] != nil {
		return
	}
	c := &correspondent{peer: peer, out: make(chan *ledger.Transaction, maxGossipQueue), in: make(chan [][]byte, maxGossipMessages)}
	c.quit, c.dismiss = context.WithCancel(g.ctx)
	g.peers[peer.ID()] = c
	g.work.Go(func() { g.write(c) })
	g.work.Go(func() { g.read(c) })
}

// RemovePeer ends it.
func (g *gossip) RemovePeer(peer cmtp2p.Peer, _ any) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if c := g.peers[peer.ID()]; c != nil {
		c.dismiss()
		delete(g.peers, peer.ID())
	}
}

// EnableInOutTxs is called when the node has caught up.
func (g *gossip) EnableInOutTxs() { g.awake.Store(true) }

// Receive takes a message from a peer.
func (g *gossip) Receive(e cmtp2p.Envelope) {
	m, ok := e.Message.(*protomem.Txs)
	if !ok || len(m.Txs) > maxGossipCount {
		g.Switch.StopPeerForError(e.Src, errors.New("no message of transactions, or one of too many"))
		return
	}
	g.mu.Lock()
	c := g.peers[e.Src.ID()]
	g.mu.Unlock()
	if c == nil || !g.awake.Load() {
		return
	}
	select {
	case c.in <- m.Txs:
	default:
	}
}

// spread sends a transaction to all peers but the one that it is from.
func (g *gossip) spread(tx *ledger.Transaction, from cmtp2p.ID) {
	if !g.quiet {
		g.toAll(tx, from)
	}
}

func (g *gossip) toAll(tx *ledger.Transaction, from cmtp2p.ID) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for id, c := range g.peers {
		if id == from {
			continue
		}
		select {
		case c.out <- tx:
		default:
		}
	}
}

// write sends what waits for a peer, in as few messages as possible: the first at once, and what has gathered during
// a rest after that.
func (g *gossip) write(c *correspondent) {
	rest := time.NewTimer(0)
	defer rest.Stop()
	for {
		select {
		case tx := <-c.out:
			c.peer.Send(cmtp2p.Envelope{ChannelID: mempool.MempoolChannel, Message: &protomem.Txs{Txs: gather(tx, c.out)}})
		case <-c.quit.Done():
			return
		}
		rest.Reset(gossipRest)
		select {
		case <-rest.C:
		case <-c.quit.Done():
			return
		}
	}
}

// gather returns the bytes of a transaction, and of more of them while they fit into a message.
func gather(tx *ledger.Transaction, more <-chan *ledger.Transaction) [][]byte {
	txs, size := [][]byte{tx.Raw}, len(tx.Raw)
	for size+ledger.MaxTxBytes <= maxGossipBytes && len(txs) < maxGossipCount {
		select {
		case tx := <-more:
			txs, size = append(txs, tx.Raw), size+len(tx.Raw)
		default:
			return txs
		}
	}
	return txs
}

// read takes what a peer has sent, one by one. No honest node sends what is no transaction, as each verifies before it
// sends; one that does is not listened to for a while. Its votes and blocks still count.
func (g *gossip) read(c *correspondent) {
	var deafUntil time.Time
	for {
		select {
		case txs := <-c.in:
			if time.Now().Before(deafUntil) {
				continue
			}
			for _, raw := range txs {
				var malformed *ledger.SyntaxError
				if err := g.take(c.quit, raw, c.peer.ID()); errors.As(err, &malformed) {
					g.log.Warn("a peer sends what is no transaction: it is not listened to for a while",
						"peer", string(c.peer.ID()), "code", string(malformed.Code), "pause", deafness)
					deafUntil = time.Now().Add(deafness)
					break
				}
			}
		case <-c.quit.Done():
			return
		}
	}
}
