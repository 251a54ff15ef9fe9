package soap

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestGate(t *testing.T) {
	const long = time.Minute
	g := newGate(10)
	ctx := t.Context()
	enter := func(n int64) chan int64 {
		before := waiting(g)
		c := make(chan int64, 1)
		go func() {
			got, err := g.enter(ctx, n, long)
			if err != nil {
				t.Error(err)
			}
			c <- got
		}()
		until(t, func() bool { return waiting(g) != before || len(c) > 0 }) // it has its place in the line
		return c
	}
	if got := <-enter(7); got != 7 {
		t.Errorf("got %d of 7", got)
	}
	big, small := enter(4), enter(1)
	if g.tryEnter(1) {
		t.Error("one that came later is let in first")
	}
	if len(big)+len(small) > 0 {
		t.Error("there is room for more than 10")
	}
	g.leave(7)
	<-big
	<-small
	if all := enter(99); len(all) > 0 { // takes what there is
		t.Error("all of the gate is given while something is taken")
	} else {
		g.leave(5)
		if got := <-all; got != 10 {
			t.Errorf("got %d of 10", got)
		}
	}
	if _, err := g.enter(ctx, 1, time.Millisecond); !errors.Is(err, errBusy) {
		t.Errorf("after the wait: %v", err)
	}
	gone, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := g.enter(gone, 1, long); !errors.Is(err, context.Canceled) {
		t.Errorf("when the peer is gone: %v", err)
	}
	g.leave(10)
	if g.taken != 0 || g.waiting.Len() != 0 {
		t.Errorf("%d are taken, %d wait when all have left", g.taken, g.waiting.Len())
	}
}

// When one gives up that needs much, those behind it that need little go in at once.
func TestGateGivenUp(t *testing.T) {
	g := newGate(10)
	if _, err := g.enter(t.Context(), 9, time.Minute); err != nil {
		t.Fatal(err)
	}
	ctx, giveUp := context.WithCancel(t.Context())
	big, small := make(chan error, 1), make(chan error, 1)
	line := func(ctx context.Context, n int64, result chan error, place int) {
		go func() {
			_, err := g.enter(ctx, n, time.Minute)
			result <- err
		}()
		until(t, func() bool { return waiting(g) >= place })
	}
	line(ctx, 5, big, 1)
	line(t.Context(), 1, small, 2)
	giveUp()
	if err := <-big; !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	select {
	case err := <-small:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(10 * time.Second):
		t.Error("there is room, and one waits that fits")
	}
}

// until polls for what another goroutine is about to do.
func until(t *testing.T, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it has not come to that in 30 seconds")
		}
	}
}

func waiting(g *gate) int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.waiting.Len()
}

// Whatever comes and goes, there is never more in it than fits, and nothing is left at the end.
func TestGateCrowd(t *testing.T) {
	g := newGate(100)
	var inside, most atomic.Int64
	var group sync.WaitGroup
	for i := range 50 {
		group.Go(func() {
			rnd := rand.New(rand.NewPCG(uint64(i), 1))
			for range 200 {
				n, err := g.enter(t.Context(), 1+rnd.Int64N(60), time.Duration(rnd.IntN(300))*time.Microsecond)
				if err != nil {
					continue
				}
				if now := inside.Add(n); now > most.Load() {
					most.Store(now)
				}
				inside.Add(-n)
				g.leave(n)
			}
		})
	}
	group.Wait()
	if g.taken != 0 || g.waiting.Len() != 0 || most.Load() > 100 || most.Load() == 0 {
		t.Errorf("%d are taken, %d wait, there were up to %d", g.taken, g.waiting.Len(), most.Load())
	}
}

// holding is a server whose operation waits.
func holding(l Limits) (s *Server, entered chan struct{}, release chan struct{}) {
	entered, release = make(chan struct{}, 10), make(chan struct{})
	s = &Server{Limits: l, Operations: []Operation{{
		ID: "TEST-4", Action: actionSimple, Handle: func(context.Context, *Request) (*Response, error) {
			entered <- struct{}{}
			<-release
			return &Response{Action: "urn:x", Payload: []byte(ask)}, nil
		},
	}}}
	return s, entered, release
}

// Beyond a limit a request waits for its turn, and is asked to come back if that does not come.
func TestBusy(t *testing.T) {
	request := envelopeWith(simpleAction, ask)
	size := int64(len(request))
	tests := []struct {
		name   string
		limits Limits
	}{
		{"exchanges", Limits{Exchanges: 1}},
		{"parsed bytes", Limits{ParsedBytes: 2*size - 1}},
		{"held bytes", Limits{HeldBytes: 2*size - 1}},
	}
	for _, test := range tests {
		test.limits.BusyTimeout = 20 * time.Millisecond
		s, entered, release := holding(test.limits)
		first := make(chan int)
		go func() { first <- raw(s, typeSimple, request).Code }()
		<-entered
		w := raw(s, typeSimple, request)
		if w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") != "2" || !strings.Contains(w.Body.String(), "EndpointUnavailable") {
			t.Errorf("%s: HTTP %d, Retry-After %q: %s", test.name, w.Code, w.Header().Get("Retry-After"), w.Body)
		}
		close(release)
		if code := <-first; code != http.StatusOK {
			t.Errorf("%s: the first has HTTP %d", test.name, code)
		}
		if w := raw(s, typeSimple, request); w.Code != http.StatusOK {
			t.Errorf("%s: afterwards HTTP %d %s", test.name, w.Code, w.Body)
		}
		if s.gates.exchanges.taken != 0 || s.gates.held.taken != 0 || s.gates.parsed.taken != 0 {
			t.Errorf("%s: %d exchanges, %d bytes held, %d parsed when all is over", test.name, s.gates.exchanges.taken, s.gates.held.taken, s.gates.parsed.taken)
		}
	}
	// At the limits there is no wait.
	for _, l := range []Limits{{Exchanges: 2}, {ParsedBytes: 2 * size}, {HeldBytes: 2 * size}} {
		s, entered, release := holding(l)
		codes := make(chan int, 2)
		for range 2 {
			go func() { codes <- raw(s, typeSimple, request).Code }()
		}
		<-entered
		<-entered
		close(release)
		if a, b := <-codes, <-codes; a != http.StatusOK || b != http.StatusOK {
			t.Errorf("%+v: HTTP %d and %d", l, a, b)
		}
	}
}

// One that waits is served when its turn comes.
func TestBusyWaits(t *testing.T) {
	s, entered, release := holding(Limits{Exchanges: 1, BusyTimeout: time.Minute})
	codes := make(chan int, 2)
	for range 2 {
		go func() { codes <- raw(s, typeSimple, envelopeWith(simpleAction, ask)).Code }()
	}
	<-entered
	until(t, func() bool { return waiting(s.gates.exchanges) > 0 }) // the second is in line
	close(release)
	if a, b := <-codes, <-codes; a != http.StatusOK || b != http.StatusOK {
		t.Errorf("HTTP %d and %d", a, b)
	}
}

// A peer that promises a large request and sends little of it keeps nobody out.
func TestPromiseHoldsNothing(t *testing.T) {
	s := &Server{Operations: operations(nil), Limits: Limits{HeldBytes: 4096, ParsedBytes: 4096, RequestBytes: 4096}}
	body, w := io.Pipe()
	defer w.Close()
	r := httptest.NewRequest(http.MethodPost, "/", body)
	r.ContentLength = 4096
	r.Header.Set("Content-Type", typeSimple)
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.ServeHTTP(httptest.NewRecorder(), r)
	}()
	io.WriteString(w, "<") // has been read when this returns
	if got := raw(s, typeSimple, envelopeWith(simpleAction, ask)); got.Code != http.StatusOK {
		t.Errorf("HTTP %d %s", got.Code, got.Body)
	}
	w.Close()
	<-done
}

// One address cannot hold what is there for all: beyond its share it is refused, and others are not.
func TestHostShare(t *testing.T) {
	s := &Server{Operations: operations(nil), Limits: Limits{HeldBytes: 16 << 10, RequestBytes: 4 << 10}}
	request := func(address string, body io.Reader) *httptest.ResponseRecorder {
		r := httptest.NewRequest(http.MethodPost, "/", body)
		r.RemoteAddr = address
		r.Header.Set("Content-Type", typeSimple)
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		return w
	}
	body, w := io.Pipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		request("[2001:db8::1]:1", body)
	}()
	io.WriteString(w, strings.Repeat(" ", 4<<10)) // has been read when this returns
	io.WriteString(w, "")                         // and is held when the next read has begun
	ordinary := envelopeWith(simpleAction, ask)
	if got := request("[2001:db8::2]:2", strings.NewReader(ordinary)); got.Code != http.StatusServiceUnavailable || got.Header().Get("Retry-After") == "" {
		t.Errorf("the same site: HTTP %d", got.Code)
	}
	if got := request("192.0.2.1:1", strings.NewReader(ordinary)); got.Code != http.StatusOK {
		t.Errorf("another address: HTTP %d %s", got.Code, got.Body)
	}
	w.Close()
	<-done
	if got := request("[2001:db8::2]:2", strings.NewReader(ordinary)); got.Code != http.StatusOK {
		t.Errorf("the same site afterwards: HTTP %d", got.Code)
	}
	if len(s.gates.hosts.of) != 0 || s.gates.held.taken != 0 {
		t.Errorf("%d hosts are counted, %d bytes held when all is over", len(s.gates.hosts.of), s.gates.held.taken)
	}
}

// Servers that share their gates are one.
func TestSharedGates(t *testing.T) {
	a, entered, release := holding(Limits{BusyTimeout: time.Millisecond})
	b := &Server{Operations: operations(nil), Limits: a.Limits, Gates: NewGates(Limits{Exchanges: 1})}
	a.Gates = b.Gates
	first := make(chan int)
	go func() { first <- raw(a, typeSimple, envelopeWith(simpleAction, ask)).Code }()
	<-entered
	if w := raw(b, typeSimple, envelopeWith(simpleAction, ask)); w.Code != http.StatusServiceUnavailable {
		t.Errorf("HTTP %d", w.Code)
	}
	close(release)
	if code := <-first; code != http.StatusOK {
		t.Errorf("the first has HTTP %d", code)
	}
	if w := raw(b, typeSimple, envelopeWith(simpleAction, ask)); w.Code != http.StatusOK {
		t.Errorf("afterwards HTTP %d", w.Code)
	}
}

// Large requests are for peers that are trusted by what they show in TLS.
func TestTrusted(t *testing.T) {
	known, other := &tls.ConnectionState{ServerName: "known"}, &tls.ConnectionState{}
	body := func(n int) string { return envelopeWith(simpleAction, ask+strings.Repeat(" ", n)) }
	s := &Server{
		Operations: operations(nil), Limits: Limits{RequestBytes: 2 << 10, TrustedBytes: 8 << 10},
		Trusted: func(state *tls.ConnectionState) bool { return state != nil && state.ServerName == "known" },
	}
	for _, test := range []struct {
		state *tls.ConnectionState
		n     int
		want  int
	}{
		{nil, 0, http.StatusOK}, {nil, 4 << 10, http.StatusRequestEntityTooLarge},
		{other, 0, http.StatusOK}, {other, 4 << 10, http.StatusRequestEntityTooLarge},
		{known, 0, http.StatusOK}, {known, 4 << 10, http.StatusOK}, {known, 8 << 10, http.StatusRequestEntityTooLarge},
		{other, 4 << 10, http.StatusRequestEntityTooLarge}, // afterwards
	} {
		r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body(test.n)))
		r.TLS = test.state
		r.Header.Set("Content-Type", typeSimple)
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		if w.Code != test.want {
			t.Errorf("%v, %d bytes more: HTTP %d, want %d", test.state, test.n, w.Code, test.want)
		}
	}
}
