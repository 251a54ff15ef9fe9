package soap

import (
	"container/list"
	"context"
	"errors"
	"io"
	"net/http"
	"net/netip"
	"sync"
	"time"
)

// Gates bounds what the requests to several Servers take together: Exchanges, HeldBytes and ParsedBytes of the Limits
// that it was made of.
type Gates struct {
	exchanges, held, parsed *gate
	hosts                   shares // of held
}

// NewGates returns gates for Servers to share. Zero fields of the limits have the values of DefaultLimits.
func NewGates(l Limits) *Gates {
	l = l.withDefaults()
	return &Gates{
		exchanges: newGate(int64(l.Exchanges)), held: newGate(l.HeldBytes), parsed: newGate(l.ParsedBytes),
		hosts: shares{of: map[netip.Addr]int64{}},
	}
}

// errBusy tells that there is too much to do, and that the wait for a turn was too long.
var errBusy = errors.New("too much to do at the same time")

// gate lets so much pass at the same time, first come, first served. One that needs much is not overtaken by
// those that need little, so it gets its turn.
type gate struct {
	size int64

	mu      sync.Mutex
	taken   int64
	waiting list.List // of *turn
}

type turn struct {
	n     int64
	ready chan struct{}
}

func newGate(size int64) *gate { return &gate{size: size} }

// enter waits for n to be free, at most so long. What is larger than the gate takes all of it. It returns what
// has to be given to leave.
func (g *gate) enter(ctx context.Context, n int64, wait time.Duration) (int64, error) {
	n = min(n, g.size)
	g.mu.Lock()
	if g.waiting.Len() == 0 && g.taken+n <= g.size {
		g.taken += n
		g.mu.Unlock()
		return n, nil
	}
	t := &turn{n, make(chan struct{})}
	place := g.waiting.PushBack(t)
	g.mu.Unlock()

	timer := time.NewTimer(wait)
	defer timer.Stop()
	err := errBusy
	select {
	case <-t.ready:
		return n, nil
	case <-ctx.Done():
		err = ctx.Err()
	case <-timer.C:
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	select {
	case <-t.ready: // at the last moment
		return n, nil
	default:
	}
	g.waiting.Remove(place)
	g.wake() // those behind may need less
	return 0, err
}

// tryEnter takes n if it is free now.
func (g *gate) tryEnter(n int64) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.waiting.Len() > 0 || g.taken+n > g.size {
		return false
	}
	g.taken += n
	return true
}

func (g *gate) leave(n int64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.taken -= n
	g.wake()
}

func (g *gate) wake() {
	for place := g.waiting.Front(); place != nil; place = g.waiting.Front() {
		t := place.Value.(*turn)
		if g.taken+t.n > g.size {
			return
		}
		g.taken += t.n
		g.waiting.Remove(place)
		close(t.ready)
	}
}

// shares counts what each host has of a gate.
type shares struct {
	mu sync.Mutex
	of map[netip.Addr]int64
}

// take reports whether a host may have n more, at most so much in all.
func (s *shares) take(host netip.Addr, n, most int64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.of[host]+n > most {
		return false
	}
	s.of[host] += n
	return true
}

func (s *shares) give(host netip.Addr, n int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.of[host] -= n; s.of[host] == 0 {
		delete(s.of, host)
	}
}

// heldReader counts what is read against the gate for bytes that are held, its host's share of that, and a limit. It
// takes little by little, as the bytes come, so that a peer that promises much and sends nothing keeps nobody out.
type heldReader struct {
	io.Reader
	gates       *Gates
	host        netip.Addr
	held, limit int64
	// pace is set when bytes are no longer held.
	pace *pace
}

// Read implements io.Reader.
func (h *heldReader) Read(b []byte) (int, error) {
	if h.pace != nil {
		return h.pace.read(h.Reader, b)
	}
	n, err := h.Reader.Read(b)
	if n > 0 {
		if h.held+int64(n) > h.limit {
			return 0, &http.MaxBytesError{Limit: h.limit}
		}
		if !h.hold(int64(n)) {
			return 0, errBusy
		}
	}
	return n, err
}

// hold takes n. A host always has room for one request.
func (h *heldReader) hold(n int64) bool {
	if !h.gates.hosts.take(h.host, n, max(h.gates.held.size/hostPart, h.limit)) {
		return false
	}
	if !h.gates.held.tryEnter(n) {
		h.gates.hosts.give(h.host, n)
		return false
	}
	h.held += n
	return true
}

// release gives all that is held.
func (h *heldReader) release() {
	h.gates.hosts.give(h.host, h.held)
	h.gates.held.leave(h.held)
}

// pace bounds how long a peer may take for each piece of a stream. The time that the reader takes between reads does
// not count.
type pace struct {
	timeout  time.Duration
	deadline func(time.Time) error
	left     time.Duration // for what is missing of the piece
	missing  int
}

func newPace(timeout time.Duration, deadline func(time.Time) error) *pace {
	return &pace{timeout, deadline, timeout, readPiece}
}

func (p *pace) read(r io.Reader, b []byte) (int, error) {
	start := time.Now()
	_ = p.deadline(start.Add(p.left))
	n, err := r.Read(b)
	p.left -= time.Since(start)
	if p.missing -= n; p.missing <= 0 {
		p.left, p.missing = p.timeout, readPiece
	}
	return n, err
}
