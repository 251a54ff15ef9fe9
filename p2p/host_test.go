package p2p

import (
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
)

const (
	greetProtocol protocol.ID = "/test/greet"
	talkProtocol  protocol.ID = "/test/talk"
)

// testSwitch knows a peer from its greeting until it is dropped, as the engine's does.
type testSwitch struct {
	host *Host
	log  syncBuffer

	mu    sync.Mutex
	known map[peer.ID]bool
	heard map[string]int
	drops int
}

func (s *testSwitch) Has(id peer.ID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.known[id]
}

func (s *testSwitch) Drop(id peer.ID, _ error) {
	s.mu.Lock()
	known := s.known[id]
	delete(s.known, id)
	if known {
		s.drops++
	}
	s.mu.Unlock()
	if known {
		_ = s.host.Network().ClosePeer(id)
	}
}

func (s *testSwitch) said(what string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.heard[what]
}

// handle is the switch's stream handler: it takes in whoever sends it something.
func (s *testSwitch) handle(st network.Stream) {
	b, err := io.ReadAll(st)
	if err != nil {
		_ = st.Reset()
		return
	}
	_ = st.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.known[st.Conn().RemotePeer()] = true
	s.heard[string(b)]++
}

// syncBuffer is a strings.Builder for concurrent use.
type syncBuffer struct {
	mu sync.Mutex
	b  strings.Builder
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// freeAddrs returns n different UDP addresses on 127.0.0.1 that were free a moment ago.
func freeAddrs(t *testing.T, n int) []string {
	t.Helper()
	var addrs []string
	for range n {
		c, err := net.ListenPacket("udp4", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close() // all are held until the last is chosen
		addrs = append(addrs, c.LocalAddr().String())
	}
	return addrs
}

func start(t *testing.T, c Config) *testSwitch {
	t.Helper()
	c.Greeting = Greeting{Protocol: greetProtocol, Message: []byte("greeting")}
	s := &testSwitch{known: map[peer.ID]bool{}, heard: map[string]int{}}
	out := io.Writer(&s.log)
	if os.Getenv("COLLIMATE_TEST_DEBUG") != "" {
		out = io.MultiWriter(out, os.Stderr)
	}
	var err error
	if s.host, err = New(c, slog.New(slog.NewTextHandler(out, &slog.HandlerOptions{Level: slog.LevelDebug}))); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.host.Close() })
	s.host.SetStreamHandler(greetProtocol, s.handle)
	s.host.SetStreamHandler(talkProtocol, s.handle)
	s.host.Start(s)
	return s
}

// pair returns the configurations of two nodes that list each other.
func pair(t *testing.T) (a, b Config) {
	addrs := freeAddrs(t, 2)
	peers := []Peer{{testID(t, 1), addrs[0]}, {testID(t, 2), addrs[1]}}
	a = Config{Key: testKey(1), Listen: addrs[0], Peers: peers, ChainID: "c"}
	b = Config{Key: testKey(2), Listen: addrs[1], Peers: peers, ChainID: "c"}
	return a, b
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	end := time.After(15 * time.Second)
	for !ok() {
		select {
		case <-tick.C:
		case <-end:
			t.Fatalf("not in time: %s", what)
		}
	}
}

func met(a, b *testSwitch) func() bool {
	return func() bool {
		return a.Has(b.host.ID()) && b.Has(a.host.ID()) && a.host.Peers() == 1 && b.host.Peers() == 1
	}
}

func say(t *testing.T, from, to *testSwitch, what string) error {
	t.Helper()
	st, err := from.host.NewStream(t.Context(), to.host.ID(), talkProtocol)
	if err != nil {
		return err
	}
	if _, err := st.Write([]byte(what)); err != nil {
		return err
	}
	return st.CloseWrite()
}

func TestMeet(t *testing.T) {
	ca, cb := pair(t)
	a, b := start(t, ca), start(t, cb)
	eventually(t, "both know each other", met(a, b))
	if err := say(t, a, b, "hi"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "b hears a", func() bool { return b.said("hi") == 1 })
	if n := a.said("greeting") + b.said("greeting"); n != 2 {
		t.Errorf("%d greetings, want one each way", n)
	}
}

// TestRestart closes one side and opens it again: the survivor must drop what it knew and meet it anew.
func TestRestart(t *testing.T) {
	ca, cb := pair(t)
	a, b := start(t, ca), start(t, cb)
	eventually(t, "both know each other", met(a, b))
	for range 3 {
		if err := b.host.Close(); err != nil {
			t.Fatal(err)
		}
		eventually(t, "a drops b", func() bool { return !a.Has(b.host.ID()) && a.host.Peers() == 0 })
		if err := say(t, a, b, "lost"); !errors.Is(err, ErrNoSession) {
			t.Errorf("sending to a peer that has gone: got %v, want ErrNoSession", err)
		}
		b = start(t, cb)
		eventually(t, "both know each other again", met(a, b))
		if err := say(t, a, b, "again"); err != nil {
			t.Fatal(err)
		}
		eventually(t, "b hears a", func() bool { return b.said("again") == 1 })
	}
}

// TestDropped has one switch drop the other, as it does for a bad message: both must begin again, not only one.
func TestDropped(t *testing.T) {
	ca, cb := pair(t)
	a, b := start(t, ca), start(t, cb)
	eventually(t, "both know each other", met(a, b))
	a.Drop(b.host.ID(), errors.New("test"))
	eventually(t, "b has dropped a", func() bool { b.mu.Lock(); defer b.mu.Unlock(); return b.drops == 1 })
	eventually(t, "both know each other again", met(a, b))
}

// TestForgotten has one side forget the other without closing the connection, as after a restart whose old connection
// is still thought alive: the next hello gives it away.
func TestForgotten(t *testing.T) {
	ca, cb := pair(t)
	a, b := start(t, ca), start(t, cb)
	eventually(t, "both know each other", met(a, b))
	l := a.host.links[b.host.ID()]
	l.renew()
	l.wake()
	eventually(t, "b has dropped a", func() bool { b.mu.Lock(); defer b.mu.Unlock(); return b.drops == 1 })
	eventually(t, "both know each other again", met(a, b))
}

func TestForeignChain(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*Config)
	}{
		{"chain id", func(c *Config) { c.ChainID = "d" }},
		{"genesis", func(c *Config) { c.Genesis[0]++ }},
	} {
		t.Run(test.name, func(t *testing.T) {
			ca, cb := pair(t)
			test.change(&cb)
			a, b := start(t, ca), start(t, cb)
			for _, s := range []*testSwitch{a, b} {
				eventually(t, "the log says why", func() bool { return strings.Contains(s.log.String(), ErrForeignChain.Error()) })
			}
			if a.Has(b.host.ID()) || b.Has(a.host.ID()) || a.said("greeting")+b.said("greeting") > 0 {
				t.Error("a foreign peer got to the switch")
			}
			if n := strings.Count(a.log.String(), "level=WARN"); n != 1 {
				t.Errorf("%d warnings, want one:\n%s", n, a.log.String())
			}
		})
	}
}

// TestUnlisted dials a node that does not list us.
func TestUnlisted(t *testing.T) {
	ca, cb := pair(t)
	ca.Peers = nil
	a, b := start(t, ca), start(t, cb)
	eventually(t, "the log says so", func() bool { return strings.Contains(a.log.String(), "not listed") })
	if a.Has(b.host.ID()) || len(a.host.Network().Conns()) > 0 {
		t.Error("an unlisted peer is connected")
	}
}

// TestGuard sends on a guarded protocol before the hello: it must not reach the switch.
func TestGuard(t *testing.T) {
	ca, cb := pair(t)
	a := start(t, ca)
	cb.Greeting = Greeting{Protocol: greetProtocol}
	b, err := New(cb, slog.New(slog.DiscardHandler)) // never started: no hello from it
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if err := b.Host.Connect(t.Context(), peer.AddrInfo{ID: a.host.ID(), Addrs: a.host.Addrs()}); err != nil {
		t.Fatal(err)
	}
	st, err := b.Host.NewStream(t.Context(), a.host.ID(), talkProtocol)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = st.Write([]byte("early"))
	_ = st.CloseWrite()
	if _, err := io.ReadAll(st); err == nil {
		t.Error("the stream ended well, want a reset")
	}
	if a.said("early") != 0 || a.Has(b.ID()) {
		t.Error("a peer without a hello got to the switch")
	}
	if _, err := b.NewStream(t.Context(), a.host.ID(), talkProtocol); !errors.Is(err, ErrNoSession) {
		t.Errorf("NewStream without a session: got %v, want ErrNoSession", err)
	}
}
