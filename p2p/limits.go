package p2p

import "time"

// Bounds of the network layer.
const (
	// MaxPeers is the number of peers in a configuration. Consensus gossip is all to all, so 64 nodes already
	// mean 2016 connections; a network that outgrows it needs sentries, not a larger number.
	MaxPeers = 64

	// maxConnsPerPeer allows both sides to dial at once while an old connection dies.
	maxConnsPerPeer = 8

	// maxStreamsPerPeer bounds the messages in flight from one peer. The engine opens one QUIC stream per
	// message; QUIC itself holds a connection to 256 incoming streams.
	maxStreamsPerPeer = 1024

	// dialTimeout is several round trips around the world. A dead peer costs one goroutine for this long.
	dialTimeout = 3 * time.Second

	// helloTimeout bounds a hello and the wait of an early stream for the session to be ready. The engine
	// gives a stream 10 seconds.
	helloTimeout = 5 * time.Second

	// helloPatience is how long the side with the larger id leaves the first word to the other.
	helloPatience = 500 * time.Millisecond

	// sessionTimeout is how long a connection may exist without the peer being known to the switch.
	sessionTimeout = 5 * time.Second

	// minRedial and maxRedial bound the back-off between dials: short, because a validator that is back must
	// be found within seconds, and a dial costs a few packets.
	minRedial = 100 * time.Millisecond
	maxRedial = 5 * time.Second

	// foreignRedial is the pause after a peer has proved to be on another chain: an operator must act first.
	foreignRedial = 30 * time.Second

	// watchInterval is how often a healthy session is looked at, besides on every connection event.
	watchInterval = time.Second

	// exchangeTimeout bounds an exchange: the largest answer over a slow link, a megabyte at 1 Mbit/s.
	exchangeTimeout = 10 * time.Second

	// maxExchanges bounds the exchanges that one protocol of a host answers at a time, and maxExchangesPerPeer those with
	// one peer.
	maxExchanges        = 8
	maxExchangesPerPeer = 2

	// maxChainID is the engine's own bound on a chain id, in bytes.
	maxChainID = 50

	// maxHello is the length in bytes of the longest hello.
	maxHello = helloFixed + maxChainID
)
