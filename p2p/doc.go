// Package p2p connects the nodes of one ledger network over libp2p on QUIC.
//
// A Host is a libp2p host that talks to the peers of its configuration and to nobody else. It keeps one
// session with each of them, and a session begins with a hello, so that a node of another chain is turned
// away before a single consensus message:
//
//	dial or accept   TLS 1.3 in QUIC; the gate refuses keys that are not listed
//	hello            chain id, genesis hash, boot nonce, session number; both sides
//	greeting         first message on a guarded protocol: the far switch takes us in as a peer
//	traffic          all other guarded protocols, held back until the greeting is through
//
// The consensus engine's own libp2p mode never listens to disconnects: a peer that dies and comes back is
// still known under its old state, messages go into a dead connection, and the chain can stand still for
// good. So the Host also is the watchdog. One goroutine per peer compares what is (connected, greeted, known
// to the switch) with what should be, and repairs the difference: it drops a peer whose connection is gone or
// whose hello names another boot or session than before, and it redials with a short, bounded back-off.
//
// A guest is a host that only asks: it says so in its hello, greets nobody and is known to no switch. Requests and
// answers (Exchange) pass between any two that have said hello, bounded in size, number and rate.
//
// Streams enter through SetStreamHandler and leave through NewStream, as with any libp2p host; every handler
// that is set on a Host is guarded. All methods may be called concurrently. Addresses are IPv4 or DNS names:
// the engine's switch cannot express IPv6.
package p2p
