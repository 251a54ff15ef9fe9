package p2p

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
)

var testExchange = Exchange{Protocol: "/test/exchange", MaxRequest: 16, MaxAnswer: 1 << 20, Rate: 1 << 20}

// guest starts a guest beside a node, and waits until they have said hello.
func guest(t *testing.T, a *testSwitch, c Config) *Host {
	t.Helper()
	c.Guest, c.Greeting = true, Greeting{Protocol: greetProtocol}
	b, err := New(c, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	b.Start(nil)
	eventually(t, "both have said hello", func() bool { return len(b.Sessions()) == 1 && len(a.host.Sessions()) == 1 })
	return b
}

// TestExchange has a guest ask a node for longer than a session may last that nobody greets.
func TestExchange(t *testing.T) {
	ca, cb := pair(t)
	a := start(t, ca)
	large := bytes.Repeat([]byte("x"), testExchange.MaxAnswer)
	a.host.Answer(testExchange, func(from peer.ID, request []byte) ([]byte, error) {
		switch string(request) {
		case "large":
			return large, nil
		case "larger":
			return append(large, 'x'), nil
		case "absent":
			return nil, ErrNotThere
		case "broken":
			return nil, errors.New("broken")
		}
		return append([]byte(from.String()+" said "), request...), nil
	})
	b := guest(t, a, cb)
	session := b.links[a.host.ID()].session()
	for _, test := range []struct {
		request string
		want    []byte
		err     error // nil: any, if want is nil
	}{
		{"hi", []byte(b.ID().String() + " said hi"), nil},
		{"", []byte(b.ID().String() + " said "), nil},
		{"large", large, nil},
		{"larger", nil, nil},
		{"absent", nil, ErrNotThere},
		{"broken", nil, nil},
		{"longest possible", []byte(b.ID().String() + " said longest possible"), nil},
		{"longer than possible", nil, nil},
	} {
		got, err := b.Ask(t.Context(), a.host.ID(), testExchange, []byte(test.request))
		if !bytes.Equal(got, test.want) || (err == nil) != (test.want != nil) || test.err != nil && !errors.Is(err, test.err) {
			t.Errorf("%q: got %d bytes, %v, want %d, %v", test.request, len(got), err, len(test.want), test.err)
		}
	}
	if a.Has(b.ID()) || a.said("greeting") > 0 || a.host.Peers() > 0 {
		t.Error("the guest got to the switch")
	}
	time.Sleep(sessionTimeout + 2*watchInterval) // the watchdogs' time, not ours
	if b.links[a.host.ID()].session() != session {
		t.Error("the session with the guest was given up")
	}
	if _, err := b.Ask(t.Context(), a.host.ID(), testExchange, []byte("hi")); err != nil {
		t.Error(err)
	}
	a.host.Close()
	if _, err := b.Ask(t.Context(), a.host.ID(), testExchange, []byte("hi")); err == nil {
		t.Error("a node that has gone has answered")
	}
}

// TestGuestJoins turns a guest into a member, as a node does that has got its state.
func TestGuestJoins(t *testing.T) {
	ca, cb := pair(t)
	a := start(t, ca)
	if err := guest(t, a, cb).Close(); err != nil {
		t.Fatal(err)
	}
	b := start(t, cb)
	eventually(t, "both know each other", met(a, b))
}

// TestHostileAnswers asks a peer that answers too much, nothing, or what is no answer.
func TestHostileAnswers(t *testing.T) {
	ca, cb := pair(t)
	a := start(t, ca)
	e := Exchange{MaxAnswer: 1000, Rate: 1}
	for name, answer := range map[protocol.ID][]byte{
		"/test/large":   make([]byte, 1<<20),
		"/test/one":     make([]byte, e.MaxAnswer+2),
		"/test/nothing": nil,
		"/test/unknown": {9},
	} {
		a.host.guard(name, (*session).isVerified, func(st network.Stream, _ *link, _ *session) {
			_, _ = st.Write(answer)
			_ = st.CloseWrite()
		})
	}
	b := guest(t, a, cb)
	for _, name := range []protocol.ID{"/test/large", "/test/one", "/test/nothing", "/test/unknown"} {
		e.Protocol = name
		if got, err := b.Ask(t.Context(), a.host.ID(), e, nil); err == nil {
			t.Errorf("%s: got %d bytes, want an error", name, len(got))
		}
	}
	// One that is cut off is not taken for a short one.
	a.host.guard("/test/cut", (*session).isVerified, func(st network.Stream, _ *link, _ *session) {
		_, _ = st.Write([]byte{answerGood, 1, 2, 3})
		_, _ = io.ReadAll(st)
		_ = st.Reset()
	})
	e.Protocol = "/test/cut"
	if got, err := b.Ask(t.Context(), a.host.ID(), e, nil); err == nil {
		t.Errorf("an answer that was cut off: got %d bytes, want an error", len(got))
	}
}

func TestDoorman(t *testing.T) {
	d := &doorman{rate: 1000, peers: map[peer.ID]*visits{}}
	now := time.Unix(0, 0)
	enter := func(id peer.ID, want bool) func() {
		t.Helper()
		leave, ok := d.enter(id, now)
		if ok != want {
			t.Fatalf("peer %s at %v: admitted %t, want %t", string(id), now.Unix(), ok, want)
		}
		return leave
	}
	var out []func()
	for i := range maxExchanges {
		out = append(out, enter(peer.ID(rune('a'+i/maxExchangesPerPeer)), true))
		if i%maxExchangesPerPeer == maxExchangesPerPeer-1 {
			enter(peer.ID(rune('a'+i/maxExchangesPerPeer)), false)()
		}
	}
	enter("z", false)() // all are out
	for _, leave := range out {
		leave()
	}
	leave := enter("z", true)
	d.charge("z", 12_000)
	leave()
	enter("z", false)()
	now = now.Add(2 * time.Second) // 256 bytes are for the request
	enter("z", false)()
	now = now.Add(time.Second)
	enter("z", true)()
	enter("a", true)() // another peer is not the poorer for it
}
