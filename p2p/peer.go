package p2p

import (
	"crypto/ed25519"
	"fmt"
	"net"
	"strconv"
	"strings"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
)

// A Peer is another node of the network.
type Peer struct {
	ID   string // libp2p peer id in base58, as IDOf returns it
	Addr string // host:port of its UDP socket; the host is an IPv4 address or a DNS name
}

// ParsePeer reads "id@host:port".
func ParsePeer(s string) (Peer, error) {
	id, addr, ok := strings.Cut(s, "@")
	if !ok {
		return Peer{}, fmt.Errorf("peer %q: want id@host:port", s)
	}
	p := Peer{ID: id, Addr: addr}
	return p, p.Validate()
}

// String returns "id@host:port".
func (p Peer) String() string { return p.ID + "@" + p.Addr }

// Validate reports what is wrong with the id or the address.
func (p Peer) Validate() error {
	_, err := p.info()
	return err
}

func (p Peer) info() (peer.AddrInfo, error) {
	id, err := peer.Decode(p.ID)
	if err != nil {
		return peer.AddrInfo{}, fmt.Errorf("peer id %q: %w", p.ID, err)
	}
	addr, err := multiaddr(p.Addr)
	if err != nil {
		return peer.AddrInfo{}, fmt.Errorf("address of peer %s: %w", p.ID, err)
	}
	return peer.AddrInfo{ID: id, Addrs: []ma.Multiaddr{addr}}, nil
}

// IDOf returns the peer id of an identity key.
func IDOf(pub ed25519.PublicKey) (string, error) {
	k, err := crypto.UnmarshalEd25519PublicKey(pub)
	if err != nil {
		return "", fmt.Errorf("identity key: %w", err)
	}
	id, err := peer.IDFromPublicKey(k)
	if err != nil {
		return "", fmt.Errorf("identity key: %w", err)
	}
	return id.String(), nil
}

// multiaddr turns host:port into /ip4/HOST/udp/PORT/quic-v1, or /dns/... for a name.
func multiaddr(addr string) (ma.Multiaddr, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, fmt.Errorf("%q is not host:port: %w", addr, err)
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || strconv.FormatUint(n, 10) != port {
		return nil, fmt.Errorf("%q: the port must be a number from 0 to 65535", addr)
	}
	kind := "dns"
	if ip := net.ParseIP(host); ip != nil {
		if ip.To4() == nil || strings.Contains(host, ":") {
			return nil, fmt.Errorf("%q: IPv6 is not supported, use an IPv4 address or a DNS name", addr)
		}
		kind = "ip4"
	} else if host == "" || strings.ContainsAny(host, "/ ") {
		return nil, fmt.Errorf("%q has no host: use 0.0.0.0 to listen on all interfaces", addr)
	}
	return ma.NewMultiaddr("/" + kind + "/" + host + "/udp/" + port + "/quic-v1")
}
