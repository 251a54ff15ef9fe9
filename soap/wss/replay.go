package wss

import (
	"container/heap"
	"errors"
	"sync"
	"time"
)

// ReplayStore remembers messages, so that each is accepted once.
//
// Remember reports whether key is new, and keeps it until expires at least. Two concurrent calls with one key
// must not both be told that it is fresh. An error means that the message must be refused.
type ReplayStore interface {
	Remember(key [32]byte, expires time.Time) (fresh bool, err error)
}

// ErrReplayFull is returned by MemoryReplay when it can remember no more. Forgetting a message that is still in
// time would let it be sent twice.
var ErrReplayFull = errors.New("replay store is full")

// MemoryReplay is a ReplayStore that forgets when the process ends. Behind a restart it lets replays through
// for as long as a message lives, so a gateway keeps a store on disk instead.
type MemoryReplay struct {
	now func() time.Time
	max int

	mu     sync.Mutex
	known  map[[32]byte]struct{}
	expiry expiryHeap // the same keys, soonest to expire first
}

// NewMemoryReplay returns a store of at most max messages, 0 meaning DefaultReplayEntries. now is the clock, nil
// meaning time.Now.
func NewMemoryReplay(max int, now func() time.Time) *MemoryReplay {
	if max <= 0 {
		max = DefaultReplayEntries
	}
	if now == nil {
		now = time.Now
	}
	return &MemoryReplay{now: now, max: max, known: make(map[[32]byte]struct{})}
}

// Remember implements ReplayStore. It returns ErrReplayFull when max messages are still in time.
func (m *MemoryReplay) Remember(key [32]byte, expires time.Time) (fresh bool, err error) {
	now := m.now()
	m.mu.Lock()
	defer m.mu.Unlock()
	for len(m.expiry) > 0 && m.expiry[0].expires.Before(now) {
		delete(m.known, heap.Pop(&m.expiry).(expiring).key)
	}
	if _, ok := m.known[key]; ok {
		return false, nil
	}
	if len(m.known) >= m.max {
		return false, ErrReplayFull
	}
	m.known[key] = struct{}{}
	heap.Push(&m.expiry, expiring{key, expires})
	return true, nil
}

type expiring struct {
	key     [32]byte
	expires time.Time
}

type expiryHeap []expiring

func (h expiryHeap) Len() int           { return len(h) }
func (h expiryHeap) Less(i, j int) bool { return h[i].expires.Before(h[j].expires) }
func (h expiryHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *expiryHeap) Push(x any)        { *h = append(*h, x.(expiring)) }
func (h *expiryHeap) Pop() any {
	old := *h
	last := old[len(old)-1]
	*h = old[:len(old)-1]
	return last
}
