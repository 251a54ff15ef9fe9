package p2p

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	rcmgr "github.com/libp2p/go-libp2p/p2p/host/resource-manager"
	quic "github.com/libp2p/go-libp2p/p2p/transport/quic"
)

// Config describes a Host.
type Config struct {
	Key     ed25519.PrivateKey // identity; the peer id is derived from it
	Listen  string             // host:port of the UDP socket, IPv4
	Peers   []Peer             // the only nodes that this one talks to; itself is skipped
	ChainID string             // 1 to 50 bytes
	Genesis [32]byte           // SHA-256 of the genesis: two networks may share a chain id by mistake

	// Guest makes a host that takes part in exchanges (see Ask) and in nothing else: it greets nobody, and no switch
	// takes it in. A node is one until it has a state.
	Guest bool

	// Greeting is sent once per session, when the hello is through. Its arrival must make the far Switch take
	// us in as a peer.
	Greeting Greeting
}

// A Greeting is the first message on a guarded protocol.
type Greeting struct {
	Protocol protocol.ID
	Message  []byte // exactly the bytes of the stream
}

// A Switch is what sits on a Host and keeps state per peer.
type Switch interface {
	Has(id peer.ID) bool
	Drop(id peer.ID, why error) // forgets the peer and closes its connections; nothing if it is not known
}

// Validate reports every fault of the configuration at once.
func (c Config) Validate() error {
	var errs []error
	if len(c.Key) != ed25519.PrivateKeySize {
		errs = append(errs, errors.New("p2p: no identity key"))
	}
	if n := len(c.ChainID); n == 0 || n > maxChainID {
		errs = append(errs, fmt.Errorf("p2p: chain id has %d bytes, want 1 to %d", n, maxChainID))
	}
	if _, err := multiaddr(c.Listen); err != nil {
		errs = append(errs, fmt.Errorf("p2p: listen address %w", err))
	}
	if len(c.Peers) > MaxPeers {
		errs = append(errs, fmt.Errorf("p2p: %d peers, at most %d", len(c.Peers), MaxPeers))
	}
	for _, p := range c.Peers {
		if err := p.Validate(); err != nil {
			errs = append(errs, fmt.Errorf("p2p: %w", err))
		}
	}
	return errors.Join(errs...)
}

// A Host is a gated libp2p host with a watchdog. See the package comment.
type Host struct {
	host.Host // Close, Connect, NewStream and SetStreamHandler are ours; the rest is libp2p's

	links map[peer.ID]*link
	hello hello // with session 0; see helloTo
	greet Greeting
	log   *slog.Logger

	sw     Switch
	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup
}

// New opens the UDP socket. Nobody is dialled, and no hello answered, before Start.
func New(c Config, log *slog.Logger) (*Host, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	key, err := crypto.UnmarshalEd25519PrivateKey(c.Key)
	if err != nil {
		return nil, fmt.Errorf("p2p: identity key: %w", err)
	}
	self, err := peer.IDFromPrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("p2p: identity key: %w", err)
	}
	listen, err := multiaddr(c.Listen)
	if err != nil {
		return nil, fmt.Errorf("p2p: listen address %w", err)
	}
	h := &Host{links: map[peer.ID]*link{}, greet: c.Greeting, log: log, hello: hello{genesis: c.Genesis, guest: c.Guest, chain: c.ChainID}}
	for _, p := range c.Peers {
		info, err := p.info()
		if err != nil {
			return nil, fmt.Errorf("p2p: %w", err)
		}
		if info.ID != self {
			h.links[info.ID] = newLink(info)
		}
	}
	rand.Read(h.hello.boot[:])
	limits, err := resources()
	if err != nil {
		return nil, fmt.Errorf("p2p: resource limits: %w", err)
	}
	h.Host, err = libp2p.New(
		libp2p.Identity(key),
		libp2p.ListenAddrs(listen),
		libp2p.Transport(quic.NewTransport),
		libp2p.ConnectionGater(&gate{links: h.links, log: log}),
		libp2p.ResourceManager(limits),
		libp2p.UserAgent("collimate"),
		libp2p.Ping(false),
		libp2p.DisableRelay(),
		libp2p.DisableMetrics(), // several nodes in one process would share the default registry
	)
	if err != nil {
		limits.Close()
		return nil, fmt.Errorf("p2p: listening on %s: %w", c.Listen, err)
	}
	h.ctx, h.cancel = context.WithCancel(context.Background())
	return h, nil
}

// resources bounds what strangers and peers can make libp2p allocate. Several nodes may share an IPv4 address
// (one machine, one NAT), so the per-address limit is that of all peers together; loopback has none.
func resources() (network.ResourceManager, error) {
	defaults := rcmgr.DefaultLimits
	libp2p.SetDefaultServiceLimits(&defaults)
	limits := rcmgr.PartialLimitConfig{
		System: rcmgr.ResourceLimits{
			Conns: 2 * MaxPeers * maxConnsPerPeer, ConnsInbound: MaxPeers * maxConnsPerPeer, ConnsOutbound: MaxPeers * maxConnsPerPeer,
			Streams: 2 * MaxPeers * maxStreamsPerPeer, StreamsInbound: MaxPeers * maxStreamsPerPeer, StreamsOutbound: MaxPeers * maxStreamsPerPeer,
		},
		PeerDefault: rcmgr.ResourceLimits{
			Conns: maxConnsPerPeer, ConnsInbound: maxConnsPerPeer, ConnsOutbound: maxConnsPerPeer,
			Streams: 2 * maxStreamsPerPeer, StreamsInbound: maxStreamsPerPeer, StreamsOutbound: maxStreamsPerPeer,
		},
		ProtocolPeerDefault: rcmgr.ResourceLimits{
			Streams: 2 * maxStreamsPerPeer, StreamsInbound: maxStreamsPerPeer, StreamsOutbound: maxStreamsPerPeer,
		},
		ProtocolDefault: rcmgr.ResourceLimits{
			Streams: 2 * MaxPeers * maxStreamsPerPeer, StreamsInbound: MaxPeers * maxStreamsPerPeer, StreamsOutbound: MaxPeers * maxStreamsPerPeer,
		},
	}
	return rcmgr.NewResourceManager(rcmgr.NewFixedLimiter(limits.Build(defaults.AutoScale())),
		rcmgr.WithMetricsDisabled(),
		rcmgr.WithLimitPerSubnet([]rcmgr.ConnLimitPerSubnet{{PrefixLength: 32, ConnCount: MaxPeers * maxConnsPerPeer}}, nil))
}

// Start answers hellos, dials the peers and keeps watch on behalf of sw, which must be ready for streams. A guest has
// none: nil.
func (h *Host) Start(sw Switch) {
	if sw == nil {
		sw = nobody{}
	}
	h.sw = sw
	h.Host.SetStreamHandler(helloProtocol, h.answer)
	h.Network().Notify(&network.NotifyBundle{ConnectedF: h.connected, DisconnectedF: h.disconnected})
	for _, l := range h.links {
		h.wg.Go(func() { h.watch(l) })
	}
}

// nobody is the switch of a guest.
type nobody struct{}

func (nobody) Has(peer.ID) bool    { return false }
func (nobody) Drop(peer.ID, error) {}

// Stop ends the watch: nobody is dialled or dropped any more. Streams still flow until Close.
func (h *Host) Stop() {
	h.cancel()
	h.wg.Wait()
}

// Close stops the watch and closes every connection and the UDP socket.
func (h *Host) Close() error {
	h.Stop()
	return h.Host.Close()
}

// Peers returns the number of peers that have passed the hello and are known to the switch.
func (h *Host) Peers() int {
	n := 0
	for _, l := range h.links {
		if s := l.session(); isClosed(s.admitted) && !isClosed(s.ended) {
			n++
		}
	}
	return n
}

// ErrNoSession is returned by NewStream for a peer that is not listed, not connected or not yet verified.
var ErrNoSession = errors.New("no session with this peer")

// NewStream opens a stream to a peer with which there is a verified session. It never dials: that is the
// watchdog's work, and a send to a dead peer must fail at once.
func (h *Host) NewStream(ctx context.Context, id peer.ID, protocols ...protocol.ID) (network.Stream, error) {
	l := h.links[id]
	if l == nil || !isClosed(l.session().verified) {
		return nil, ErrNoSession
	}
	return h.Host.NewStream(network.WithNoDial(ctx, "the watchdog dials"), id, protocols...)
}

// Connect makes no connection of its own; it reports whether there is a session.
func (h *Host) Connect(_ context.Context, info peer.AddrInfo) error {
	if l := h.links[info.ID]; l == nil || !isClosed(l.session().verified) {
		return ErrNoSession
	}
	return nil
}

// SetStreamHandler sets the handler of a guarded protocol. Streams wait, for at most helloTimeout, until the
// session with the peer is far enough: for the greeting verified, for all others admitted.
func (h *Host) SetStreamHandler(pid protocol.ID, handle network.StreamHandler) {
	if pid != h.greet.Protocol {
		h.guard(pid, (*session).isAdmitted, func(st network.Stream, _ *link, _ *session) { handle(st) })
		return
	}
	h.guard(pid, (*session).isVerified, func(st network.Stream, l *link, s *session) {
		handle(st)
		if h.sw.Has(l.info.ID) {
			l.admit(s)
			l.wake()
		}
	})
}

// guard sets a handler for streams of listed peers, once the session is as far as ready says.
func (h *Host) guard(pid protocol.ID, ready func(*session) <-chan struct{}, handle func(network.Stream, *link, *session)) {
	h.Host.SetStreamHandler(pid, func(st network.Stream) {
		l := h.links[st.Conn().RemotePeer()]
		if l == nil {
			_ = st.Reset()
			return
		}
		s := l.session()
		if !h.wait(ready(s), s.ended) {
			_ = st.Reset()
			return
		}
		handle(st, l, s)
	})
}

func (h *Host) wait(ready, ended <-chan struct{}) bool {
	if isClosed(ready) { // by far the most frequent case: no timer for each message
		return !isClosed(ended)
	}
	t := time.NewTimer(helloTimeout)
	defer t.Stop()
	select {
	case <-ready:
		return true
	case <-ended:
	case <-h.ctx.Done():
	case <-t.C:
	}
	return false
}
