package p2p

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
)

// An Exchange is a guarded protocol of one request and one answer. The asker writes the request and closes its side; the
// answer is one byte that says what it is, and the bytes up to the end of the stream. It needs a hello and no
// greeting, so that a guest can take part.
type Exchange struct {
	Protocol   protocol.ID
	MaxRequest int // bytes
	MaxAnswer  int // bytes

	// Rate is how many bytes of answers one peer gets a second. It may save up those of ten seconds.
	Rate int
}

// Errors of Ask that are the peer's answer.
var (
	// ErrNotThere is an answer, and what a handler returns if it has not got what is asked for.
	ErrNotThere = errors.New("the peer has not got it")
	// ErrBusy is an answer: ask again in a second, or another peer.
	ErrBusy = errors.New("the peer is busy")
)

const (
	answerGood     = 0
	answerNotThere = 1
	answerBusy     = 2
)

// Answer sets the handler of an exchange. It may be called concurrently, for a bounded number of requests. Any error but
// ErrNotThere ends the stream without an answer.
func (h *Host) Answer(e Exchange, handle func(from peer.ID, request []byte) ([]byte, error)) {
	d := &doorman{rate: float64(e.Rate), peers: map[peer.ID]*visits{}}
	h.guard(e.Protocol, (*session).isVerified, func(st network.Stream, _ *link, _ *session) {
		_ = st.SetDeadline(time.Now().Add(exchangeTimeout))
		if err := d.answer(st, e, handle); err != nil {
			_ = st.Reset()
			h.log.Debug("answering a peer", "peer", st.Conn().RemotePeer().String(), "protocol", string(e.Protocol), "err", err)
		}
	})
}

func (d *doorman) answer(st network.Stream, e Exchange, handle func(peer.ID, []byte) ([]byte, error)) error {
	from := st.Conn().RemotePeer()
	leave, ok := d.enter(from, time.Now())
	defer leave()
	if !ok {
		return finish(st, answerBusy, nil)
	}
	request, err := io.ReadAll(io.LimitReader(st, int64(e.MaxRequest)+1))
	if err != nil {
		return err
	}
	if len(request) > e.MaxRequest {
		return fmt.Errorf("a request of more than %d bytes", e.MaxRequest)
	}
	answer, err := handle(from, request)
	if errors.Is(err, ErrNotThere) {
		return finish(st, answerNotThere, nil)
	}
	if err != nil {
		return err
	}
	if len(answer) > e.MaxAnswer {
		return fmt.Errorf("an answer of %d bytes, at most %d", len(answer), e.MaxAnswer)
	}
	d.charge(from, len(answer))
	return finish(st, answerGood, answer)
}

// finish sends an answer. A stream that ends well is closed, never reset: a reset overtakes what was written before it.
func finish(st network.Stream, kind byte, answer []byte) error {
	if _, err := st.Write(append([]byte{kind}, answer...)); err != nil {
		return err
	}
	return st.CloseWrite()
}

// Ask sends a request to a peer with which there is a verified session, and returns its answer.
func (h *Host) Ask(ctx context.Context, to peer.ID, e Exchange, request []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, exchangeTimeout)
	defer cancel()
	st, err := h.NewStream(ctx, to, e.Protocol)
	if err != nil {
		return nil, fmt.Errorf("asking a peer: %w", err)
	}
	defer st.Reset() //nolint:errcheck // all has been read, or is not wanted
	defer context.AfterFunc(ctx, func() { _ = st.Reset() })()
	if _, err := st.Write(request); err != nil {
		return nil, fmt.Errorf("asking a peer: %w", err)
	}
	if err := st.CloseWrite(); err != nil {
		return nil, fmt.Errorf("asking a peer: %w", err)
	}
	answer, err := io.ReadAll(io.LimitReader(st, int64(e.MaxAnswer)+2))
	switch {
	case err != nil:
		return nil, fmt.Errorf("reading a peer's answer: %w", err)
	case len(answer) == 0:
		return nil, errors.New("reading a peer's answer: it is empty")
	case len(answer)-1 > e.MaxAnswer:
		return nil, fmt.Errorf("reading a peer's answer: it has more than %d bytes", e.MaxAnswer)
	}
	switch answer[0] {
	case answerGood:
		return answer[1:], nil
	case answerNotThere:
		return nil, ErrNotThere
	case answerBusy:
		return nil, ErrBusy
	}
	return nil, fmt.Errorf("reading a peer's answer: it is of the unknown kind %d", answer[0])
}

// Sessions returns the peers that can be asked, in order of their ids.
func (h *Host) Sessions() []peer.ID {
	var ids []peer.ID
	for id, l := range h.links {
		if s := l.session(); isClosed(s.verified) && !isClosed(s.ended) {
			ids = append(ids, id)
		}
	}
	slices.SortFunc(ids, func(a, b peer.ID) int { return strings.Compare(string(a), string(b)) })
	return ids
}

// doorman keeps the exchanges of one protocol within bounds.
type doorman struct {
	rate float64 // bytes a second

	mu    sync.Mutex
	now   int
	peers map[peer.ID]*visits // listed peers only
}

// visits are one peer's exchanges.
type visits struct {
	now  int
	left float64 // bytes that it may get now; below zero after a large answer
	at   time.Time
}

const savedSeconds = 10

// enter admits a request or not; leave must be called either way.
func (d *doorman) enter(id peer.ID, at time.Time) (leave func(), ok bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	v := d.peers[id]
	if v == nil {
		v = &visits{left: savedSeconds * d.rate, at: at}
		d.peers[id] = v
	}
	v.left = min(v.left+d.rate*at.Sub(v.at).Seconds(), savedSeconds*d.rate)
	v.at = at
	if d.now >= maxExchanges || v.now >= maxExchangesPerPeer || v.left <= 0 {
		return func() {}, false
	}
	d.now++
	v.now++
	return func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.now--
		v.now--
	}, true
}

// charge counts what a peer gets: what it sends costs as much as a small answer.
func (d *doorman) charge(id peer.ID, bytes int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.peers[id].left -= float64(bytes) + 256
}
