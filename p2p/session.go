package p2p

import (
	"errors"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
)

// A link is what the Host knows about one listed peer. It lives as long as the Host.
type link struct {
	info peer.AddrInfo
	kick chan struct{} // something changed: look again

	mu     sync.Mutex
	now    *session
	redial time.Duration // present back-off
	next   time.Time     // no dial before
	warnAt time.Time     // no further warning about a foreign chain before
}

// A session is one acquaintance with a peer, from its first connection until the switch has forgotten it.
// Its channels close in order: verified after a good hello, admitted when our switch knows the peer.
type session struct {
	number   uint64
	born     time.Time // of the present connection
	verified chan struct{}
	admitted chan struct{}
	ended    chan struct{}

	// Under link.mu.
	remote  remote
	conn    string // id of the connection of the hello; the session ends with it
	greeted bool
	lost    bool
}

func (s *session) isVerified() <-chan struct{} { return s.verified }
func (s *session) isAdmitted() <-chan struct{} { return s.admitted }

// remote is the far end's idea of the session.
type remote struct {
	boot   [16]byte
	number uint64
	guest  bool
}

// errNewSession means that the peer has forgotten us: our own session must end as well.
var errNewSession = errors.New("peer has restarted or dropped us")

func newLink(info peer.AddrInfo) *link {
	l := &link{info: info, kick: make(chan struct{}, 1), redial: minRedial}
	l.now = newSession(1)
	return l
}

func newSession(n uint64) *session {
	return &session{number: n, born: time.Now(), verified: make(chan struct{}), admitted: make(chan struct{}), ended: make(chan struct{})}
}

// wake makes the link's watchdog look at once.
func (l *link) wake() {
	select {
	case l.kick <- struct{}{}:
	default:
	}
}

// pause returns how long the link must wait before the next dial.
func (l *link) pause() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return time.Until(l.next)
}

// backOff doubles the pause before the next dial, unless a longer one is set, and returns it.
func (l *link) backOff() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	if next := time.Now().Add(l.redial); next.After(l.next) {
		l.next = next
	}
	l.redial = min(2*l.redial, maxRedial)
	return time.Until(l.next)
}

// dialNow ends the back-off: the peer is well.
func (l *link) dialNow() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.redial, l.next = minRedial, time.Time{}
}

// shun puts off the next dial by foreignRedial and reports whether a warning is due.
func (l *link) shun() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	l.next = now.Add(foreignRedial)
	due := now.After(l.warnAt)
	if due {
		l.warnAt = l.next
	}
	return due
}

func (l *link) session() *session {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.now
}

// renew ends the present session. The next hello carries the next number, which tells the peer.
func (l *link) renew() {
	l.mu.Lock()
	defer l.mu.Unlock()
	close(l.now.ended)
	l.now = newSession(l.now.number + 1)
}

// verify records the far end of s after a good hello on a connection.
func (l *link) verify(s *session, r remote, conn string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if s != l.now || s.lost {
		return errNewSession
	}
	if isClosed(s.verified) {
		if s.remote != r {
			s.lost = true
			return errNewSession
		}
		return nil
	}
	s.remote, s.conn = r, conn
	s.born = time.Now()
	close(s.verified)
	return nil
}

// admit records that our switch knows the peer.
func (l *link) admit(s *session) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !isClosed(s.admitted) {
		close(s.admitted)
	}
}

// lose marks the session as over if it was made on this connection, or on any if none is left; the watchdog does
// the rest.
func (l *link) lose(conn string, none bool) {
	l.mu.Lock()
	if isClosed(l.now.verified) && (none || l.now.conn == conn) {
		l.now.lost = true
	}
	l.mu.Unlock()
	l.wake()
}

// shape is a consistent look at a session.
type shape struct {
	verified, admitted, greeted, lost bool
	guest                             bool // verified, and the far end is a guest
	age                               time.Duration
}

func (l *link) look(s *session) shape {
	l.mu.Lock()
	defer l.mu.Unlock()
	return shape{verified: isClosed(s.verified), admitted: isClosed(s.admitted), greeted: s.greeted, lost: s.lost,
		guest: s.remote.guest, age: time.Since(s.born)}
}

func (l *link) setGreeted(s *session) {
	l.mu.Lock()
	s.greeted = true
	l.mu.Unlock()
}

// touch restarts the session's age: a connection has just come up.
func (l *link) touch() {
	l.mu.Lock()
	if !isClosed(l.now.verified) {
		l.now.born = time.Now()
	}
	l.mu.Unlock()
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
