package p2p

import (
	"log/slog"
	"sync/atomic"

	"github.com/libp2p/go-libp2p/core/connmgr"
	"github.com/libp2p/go-libp2p/core/control"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
)

// gate lets only listed peers in or out. An inbound key is known once TLS is done, before any stream exists.
type gate struct {
	links   map[peer.ID]*link
	log     *slog.Logger
	refused atomic.Uint64
}

var _ connmgr.ConnectionGater = (*gate)(nil)

func (g *gate) listed(id peer.ID) bool { return g.links[id] != nil }

func (g *gate) InterceptPeerDial(id peer.ID) bool                 { return g.listed(id) }
func (g *gate) InterceptAddrDial(id peer.ID, _ ma.Multiaddr) bool { return g.listed(id) }
func (g *gate) InterceptAccept(network.ConnMultiaddrs) bool       { return true }

func (g *gate) InterceptSecured(_ network.Direction, id peer.ID, a network.ConnMultiaddrs) bool {
	if g.listed(id) {
		return true
	}
	// Powers of two: a stranger that hammers the port must not fill the log.
	if n := g.refused.Add(1); n&(n-1) == 0 {
		g.log.Warn("refused a peer that is not listed", "peer", id.String(), "addr", a.RemoteMultiaddr().String(), "refused", n)
	}
	return false
}

func (g *gate) InterceptUpgraded(network.Conn) (bool, control.DisconnectReason) { return true, 0 }
