package consensus

import (
	"encoding/hex"
	"time"

	cs "github.com/cometbft/cometbft/consensus"
	cmtp2p "github.com/cometbft/cometbft/p2p"
	"github.com/cometbft/cometbft/types"
)

// Status is a node's view of the network and of itself.
type Status struct {
	ChainID          string
	Height           int64
	BlockTime        time.Time // chain time
	AppHash          string    // lower-case hexadecimal
	Peers            int       // connected, of the same chain, and known to the engine
	CatchingUp       bool      // replaying old blocks, or a peer is ahead
	NodeID           string    // libp2p peer id
	ValidatorAddress string    // the engine's short name of the validator key, upper-case hexadecimal
}

// Status may be called at any time.
func (e *Engine) Status() Status {
	snap := e.store.Snapshot()
	defer snap.Close()
	return Status{
		ChainID: e.genesis.ChainID, Height: snap.Height(), BlockTime: snap.Time(), AppHash: hex.EncodeToString(snap.AppHash()),
		Peers: e.host.Peers(), CatchingUp: e.catchingUp(), NodeID: e.keys.PeerID, ValidatorAddress: e.address,
	}
}

// catchingUp reports whether the node's state is known to be old: until the catch-up reactor has heard from a peer,
// and while a peer works on a height that we are not near.
func (e *Engine) catchingUp() bool {
	if e.reactor.WaitSync() {
		return true
	}
	own, _, err := e.store.Last()
	if err != nil {
		return true
	}
	behind := false
	e.sw.Peers().ForEach(func(p cmtp2p.Peer) {
		if s, ok := p.Get(types.PeerStateKey).(*cs.PeerState); ok && s.GetHeight() > own+1+blocksBehind {
			behind = true
		}
	})
	return behind
}
