package consensus

import (
	"context"
	"crypto/sha256"
	"fmt"
	"sync"
	"time"
)

// turns lets few transactions be verified or judged at a time, and gives the turns to lanes in rotation: whoever sends
// too much waits for its own. A turn is followed by a rest of restAfterTurn times its length, so that a flood leaves the
// processors to the work on blocks, and the more of them the busier they are.
type turns struct {
	mu      sync.Mutex
	free    int
	waiting int
	lanes   map[string][]chan struct{} // those who wait
	next    []string                   // the lanes in which somebody waits, in rotation
}

func newTurns(n int) *turns { return &turns{free: n, lanes: map[string][]chan struct{}{}} }

// do works when it is a lane's turn. It returns ErrBusy, and has not worked, if too many wait or ctx ends before.
func (t *turns) do(ctx context.Context, lane string, work func()) error {
	if err := t.take(ctx, lane); err != nil {
		return err
	}
	began := time.Now()
	work()
	time.AfterFunc(min(restAfterTurn*time.Since(began), maxRest), t.give)
	return nil
}

// take waits for a turn in a lane; give must follow if it returns nil.
func (t *turns) take(ctx context.Context, lane string) error {
	t.mu.Lock()
	if t.free > 0 {
		t.free--
		t.mu.Unlock()
		return nil
	}
	if t.waiting >= maxTurns || len(t.lanes[lane]) >= maxTurnsOfLane {
		t.mu.Unlock()
		return ErrBusy
	}
	mine := make(chan struct{}, 1)
	if len(t.lanes[lane]) == 0 {
		t.next = append(t.next, lane)
	}
	t.lanes[lane] = append(t.lanes[lane], mine)
	t.waiting++
	t.mu.Unlock()
	select {
	case <-mine:
		return nil
	case <-ctx.Done():
		go func() { // the turn comes all the same
			<-mine
			t.give()
		}()
		return fmt.Errorf("%w: %w", ErrBusy, ctx.Err())
	}
}

// give ends a turn.
func (t *turns) give() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.next) == 0 {
		t.free++
		return
	}
	lane := t.next[0]
	t.next = t.next[1:]
	first := t.lanes[lane][0]
	if rest := t.lanes[lane][1:]; len(rest) > 0 {
		t.lanes[lane] = rest
		t.next = append(t.next, lane)
	} else {
		delete(t.lanes, lane)
	}
	t.waiting--
	first <- struct{}{}
}

// laneOf returns the lane of a transaction before anything in it is believed: its protected header, which holds the key
// that it claims and nothing else. Whatever is no transaction shares a lane.
func laneOf(raw []byte) string {
	// d2 84: COSE_Sign1_Tagged of four elements; then a byte string of less than 64 KiB.
	if len(raw) < 5 || raw[0] != 0xd2 || raw[1] != 0x84 {
		return ""
	}
	head, size := 3, int(raw[2]&0x1f)
	switch raw[2] {
	case 0x58:
		head, size = 4, int(raw[3])
	case 0x59:
		head, size = 5, int(raw[3])<<8|int(raw[4])
	default:
		if raw[2] < 0x40 || raw[2] > 0x57 {
			return ""
		}
	}
	if len(raw) < head+size {
		return ""
	}
	sum := sha256.Sum256(raw[head : head+size])
	return string(sum[:])
}
