package p2p

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"
)

func (h *Host) connected(_ network.Network, c network.Conn) {
	if l := h.links[c.RemotePeer()]; l != nil {
		l.touch()
		l.wake()
	}
}

func (h *Host) disconnected(n network.Network, c network.Conn) {
	if l := h.links[c.RemotePeer()]; l != nil {
		l.lose(c.ID(), n.Connectedness(c.RemotePeer()) != network.Connected)
	}
}

// watch is the life of one link: it brings what is nearer to what should be, and sleeps until something
// happens. All dialling, greeting and dropping of a peer is done here, in one goroutine, one after the other.
func (h *Host) watch(l *link) {
	t := time.NewTimer(0)
	defer t.Stop()
	for {
		select {
		case <-h.ctx.Done():
			return
		case <-l.kick:
		case <-t.C:
		}
		t.Reset(h.tend(l))
	}
}

// tend looks at one link once, repairs what it can and returns when to look again at the latest.
func (h *Host) tend(l *link) time.Duration {
	id := l.info.ID
	s := l.session()
	is := l.look(s)
	up := h.Network().Connectedness(id) == network.Connected
	known := h.sw.Has(id)
	settled := is.admitted || is.verified && h.alone(is)
	if is.lost || is.admitted && !known || !up && (is.verified || known) || up && !settled && is.age > sessionTimeout {
		h.log.Info("peer lost", "peer", id.String())
		h.sw.Drop(id, errNewSession)
		_ = h.Network().ClosePeer(id)
		l.renew()
		return minRedial
	}
	switch {
	case !up:
		if wait := l.pause(); wait > 0 {
			return wait
		}
		if err := h.dial(l, s); err != nil && !isClosed(s.verified) {
			h.log.Debug("dialling a peer", "peer", id.String(), "addr", l.info.Addrs[0].String(), "err", err)
			return l.backOff()
		}
		is = l.look(s)
		fallthrough
	case !is.verified:
		// The smaller id speaks first, whoever dialled. It keeps silent only if it has missed that we are new
		// (it holds a dead connection of our last life), and then the other one speaks.
		if h.ID() > id && is.age < helloPatience && !isClosed(s.verified) {
			return helloPatience
		}
		if err := h.introduce(l, s); err != nil && !isClosed(s.verified) {
			if errors.Is(err, ErrForeignChain) {
				h.foreign(l, err)
			}
			h.log.Debug("hello", "peer", id.String(), "err", err)
			wait := l.backOff()
			_ = h.Network().ClosePeer(id)
			return wait
		}
		fallthrough
	case !is.greeted:
		if h.alone(l.look(s)) {
			l.dialNow()
			return watchInterval
		}
		if err := h.sendGreeting(l); err != nil {
			h.log.Debug("greeting", "peer", id.String(), "err", err)
			_ = h.Network().ClosePeer(id)
			return minRedial
		}
		l.setGreeted(s)
		l.dialNow()
		h.log.Info("peer connected", "peer", id.String())
	}
	return watchInterval
}

// alone reports whether a session is without greeting and switch, because one end of it is a guest.
func (h *Host) alone(is shape) bool { return h.hello.guest || is.guest }

// dial connects to the peer. It gives up early when the peer has reached us meanwhile.
func (h *Host) dial(l *link, s *session) error {
	ctx, cancel := context.WithTimeout(h.ctx, dialTimeout)
	defer cancel()
	go func() {
		select {
		case <-s.verified:
			cancel()
		case <-ctx.Done():
		}
	}()
	if sw, ok := h.Network().(*swarm.Swarm); ok {
		sw.Backoff().Clear(l.info.ID) // the back-off is ours: libp2p's would hide a restarted peer for minutes
	}
	return h.Host.Connect(ctx, l.info)
}

// helloTo is our hello within session s.
func (h *Host) helloTo(s *session) hello {
	m := h.hello
	m.session = s.number
	return m
}

// introduce speaks first: our hello, then the peer's.
func (h *Host) introduce(l *link, s *session) error {
	ctx, cancel := context.WithTimeout(h.ctx, helloTimeout)
	defer cancel()
	st, err := h.Host.NewStream(network.WithNoDial(ctx, "hello"), l.info.ID, helloProtocol)
	if err != nil {
		return fmt.Errorf("opening the hello stream: %w", err)
	}
	defer st.Reset() //nolint:errcheck // nothing of ours is on its way any more
	_ = st.SetDeadline(time.Now().Add(helloTimeout))
	ours := h.helloTo(s)
	if _, err := st.Write(ours.append(nil)); err != nil {
		return fmt.Errorf("sending hello: %w", err)
	}
	if err := st.CloseWrite(); err != nil {
		return fmt.Errorf("sending hello: %w", err)
	}
	theirs, err := readHello(st)
	if err != nil {
		return err
	}
	if err := ours.check(theirs); err != nil {
		return err
	}
	return l.verify(s, remote{theirs.boot, theirs.session, theirs.guest}, st.Conn().ID())
}

// answer is the other side of introduce. A stream that ends well is closed, never reset: a reset overtakes what was
// written before it.
func (h *Host) answer(st network.Stream) {
	if err := h.respond(st); err != nil {
		_ = st.Reset()
		h.log.Debug("answering a hello", "peer", st.Conn().RemotePeer().String(), "err", err)
	}
}

func (h *Host) respond(st network.Stream) error {
	id := st.Conn().RemotePeer()
	l := h.links[id]
	if l == nil {
		return ErrNoSession
	}
	_ = st.SetDeadline(time.Now().Add(helloTimeout))
	theirs, err := readHello(st)
	if err != nil {
		return err
	}
	s := l.session()
	ours := h.helloTo(s)
	foreign := ours.check(theirs)
	if foreign == nil {
		if err := l.verify(s, remote{theirs.boot, theirs.session, theirs.guest}, st.Conn().ID()); err != nil {
			l.wake() // the watchdog drops the old session, the peer tries again
			return err
		}
	}
	if _, err := st.Write(ours.append(nil)); err != nil {
		return fmt.Errorf("sending hello: %w", err)
	}
	if err := st.CloseWrite(); err != nil {
		return fmt.Errorf("sending hello: %w", err)
	}
	if foreign != nil {
		// The peer learns why from our hello and goes. If it stays, the watchdog closes the connection, which is
		// of no use until then: every other stream waits for a session.
		h.foreign(l, foreign)
		return nil
	}
	l.wake()
	return nil
}

// foreign tells the operator, and keeps us from dialling the peer again soon.
func (h *Host) foreign(l *link, err error) {
	if l.shun() {
		h.log.Warn("refused a peer: check the genesis file of both nodes", "peer", l.info.ID.String(), "err", err)
	}
}

func (h *Host) sendGreeting(l *link) error {
	ctx, cancel := context.WithTimeout(h.ctx, helloTimeout)
	defer cancel()
	st, err := h.NewStream(ctx, l.info.ID, h.greet.Protocol)
	if err != nil {
		return err
	}
	_ = st.SetDeadline(time.Now().Add(helloTimeout))
	if _, err := st.Write(h.greet.Message); err != nil {
		_ = st.Reset()
		return err
	}
	_ = st.Close() // fails if the far side has read all and closed first; if not, the session times out
	return nil
}
