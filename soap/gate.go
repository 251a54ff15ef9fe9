package soap

import (
	"container/list"
	"context"
	"errors"
	"io"
	"sync"
	"time"
)

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

// heldReader counts what is read against a gate. It takes little by little, as the bytes come, so that a peer
// that promises much and sends nothing keeps nobody out.
type heldReader struct {
	io.Reader
	gate *gate
	held int64
}

// Read implements io.Reader.
func (h *heldReader) Read(b []byte) (int, error) {
	n, err := h.Reader.Read(b)
	if n > 0 {
		if !h.gate.tryEnter(int64(n)) {
			return 0, errBusy
		}
		h.held += int64(n)
	}
	return n, err
}
