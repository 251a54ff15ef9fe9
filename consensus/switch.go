package consensus

import (
	"encoding/binary"
	"fmt"
	"log/slog"

	"github.com/cometbft/cometbft/blocksync"
	cfg "github.com/cometbft/cometbft/config"
	"github.com/cometbft/cometbft/crypto/ed25519"
	"github.com/cometbft/cometbft/lp2p"
	cmtp2p "github.com/cometbft/cometbft/p2p"
	protop2p "github.com/cometbft/cometbft/proto/tendermint/p2p"
	"github.com/libp2p/go-libp2p/core/peer"

	"collimate/p2p"
)

// adopt makes the engine's host type out of ours. lp2p.Host has private fields that only lp2p.NewHost fills, and
// NewHost opens a socket of its own, ungated, without our limits. So a throw-away host is made on a free loopback
// port with a throw-away key, closed at once, and ours put in its place; the embedded field is exported.
func adopt(h *p2p.Host, c *cfg.P2PConfig, log *slog.Logger) (*lp2p.Host, error) {
	throwaway := *c
	throwaway.ListenAddress = "127.0.0.1:0"
	out, err := lp2p.NewHost(&throwaway, ed25519.GenPrivKey(), peerLog{engineLog{to: log}})
	if err != nil {
		return nil, fmt.Errorf("preparing the engine's host: %w", err)
	}
	if err := out.Host.Close(); err != nil {
		return nil, fmt.Errorf("preparing the engine's host: %w", err)
	}
	out.Host = h
	return out, nil
}

// greeterChannel is the engine channel of the greeting. The engine uses 0x20 to 0x61.
const greeterChannel = 0x70

// greeter is the reactor whose only message makes the switch take a peer in: the switch does so on the first stream
// that it gets from a peer, whatever it says, and this one comes before all others.
type greeter struct{ cmtp2p.BaseReactor }

func newGreeter() *greeter {
	g := &greeter{}
	g.BaseReactor = *cmtp2p.NewBaseReactor("Greeter", g)
	return g
}

// GetChannels returns the one channel.
func (g *greeter) GetChannels() []*cmtp2p.ChannelDescriptor {
	return []*cmtp2p.ChannelDescriptor{{ID: greeterChannel, Priority: 1, RecvMessageCapacity: 64, MessageType: &protop2p.ProtocolVersion{}}}
}

// Receive has nothing left to do.
func (g *greeter) Receive(cmtp2p.Envelope) {}

// greeting is the message as package p2p sends it: as the engine frames it, a varint of the length and the message.
func greeting() (p2p.Greeting, error) {
	m, err := (&protop2p.ProtocolVersion{App: appVersion}).Marshal()
	if err != nil {
		return p2p.Greeting{}, fmt.Errorf("encoding the greeting: %w", err)
	}
	return p2p.Greeting{Protocol: lp2p.ProtocolID(greeterChannel), Message: append(binary.AppendUvarint(nil, uint64(len(m))), m...)}, nil
}

// boundedSync is the catch-up reactor with a bound on its messages that suits our blocks.
type boundedSync struct{ *blocksync.Reactor }

// GetChannels returns the reactor's channels with the smaller bound.
func (b boundedSync) GetChannels() []*cmtp2p.ChannelDescriptor {
	all := b.Reactor.GetChannels()
	for _, c := range all {
		c.RecvMessageCapacity = min(c.RecvMessageCapacity, maxSyncMessage)
	}
	return all
}

// peers is the switch as package p2p sees it.
type peers struct{ sw *lp2p.Switch }

func (p peers) Has(id peer.ID) bool { return p.sw.Peers().Has(cmtp2p.ID(id.String())) }

func (p peers) Drop(id peer.ID, why error) {
	if known := p.sw.Peers().Get(cmtp2p.ID(id.String())); known != nil {
		p.sw.StopPeerForError(known, why)
	}
}
