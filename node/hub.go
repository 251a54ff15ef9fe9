package node

import (
	"net/netip"
	"sync"

	"collimate/ledger"
	"collimate/node/client"
)

// hub hands what happens to those who listen. It never waits for one of them: whoever has maxQueued blocks waiting
// is dropped.
type hub struct {
	mu     sync.Mutex
	height int64 // of the last block handed out
	all    map[*subscriber]bool
	by     map[ledger.StudyID]map[*subscriber]bool
	from   map[netip.Prefix]int
	shut   bool
}

// subscriber is one stream of events.
type subscriber struct {
	address netip.Prefix
	studies []ledger.StudyID
	frames  chan [][]byte // of one block each, shared by all subscribers; closed when the stream is to end
	slow    bool          // why; to be read once frames is closed
}

func newHub() *hub {
	return &hub{all: map[*subscriber]bool{}, by: map[ledger.StudyID]map[*subscriber]bool{}, from: map[netip.Prefix]int{}}
}

// join adds a subscriber. What happens after the block of the height that is returned reaches it.
func (h *hub) join(address netip.Prefix, studies []ledger.StudyID) (s *subscriber, height int64, ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.shut || len(h.all) >= maxSubscribers || h.from[address] >= maxSubscribersEach {
		return nil, 0, false
	}
	s = &subscriber{address: address, studies: studies, frames: make(chan [][]byte, maxQueued)}
	h.all[s] = true
	h.from[address]++
	for _, id := range studies {
		if h.by[id] == nil {
			h.by[id] = map[*subscriber]bool{}
		}
		h.by[id][s] = true
	}
	return s, h.height, true
}

// leave removes a subscriber and ends its stream. Doing it again does nothing.
func (h *hub) leave(s *subscriber) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.drop(s)
}

func (h *hub) drop(s *subscriber) {
	if !h.all[s] {
		return
	}
	delete(h.all, s)
	if h.from[s.address]--; h.from[s.address] == 0 {
		delete(h.from, s.address)
	}
	for _, id := range s.studies {
		if delete(h.by[id], s); len(h.by[id]) == 0 {
			delete(h.by, id)
		}
	}
	close(s.frames)
}

// block hands out a block that is final, and what it did to studies.
func (h *hub) block(b client.Block, events []client.Event) {
	frame := frameOf(eventBlock, b.Height, b)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.height = b.Height
	mine := map[*subscriber][][]byte{}
	for _, e := range events {
		var study []byte // made once for all who watch it
		for s := range h.by[e.Study] {
			if study == nil {
				study = frameOf(eventStudy, 0, e)
			}
			mine[s] = append(mine[s], study)
		}
	}
	for s := range h.all {
		h.send(s, append(mine[s], frame))
	}
}

// seen hands out a revocation that is not final yet.
func (h *hub) seen(e client.Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.by[e.Study]) == 0 {
		return
	}
	frame := frameOf(eventSeen, 0, e)
	for s := range h.by[e.Study] {
		h.send(s, [][]byte{frame})
	}
}

func (h *hub) send(s *subscriber, frames [][]byte) {
	select {
	case s.frames <- frames:
	default:
		s.slow = true
		h.drop(s)
	}
}

// close ends all streams.
func (h *hub) close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.shut = true
	for s := range h.all {
		h.drop(s)
	}
}
