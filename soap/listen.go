package soap

import (
	"io"
	"net"
	"net/netip"
	"sync"

	"collimate/soap/mtom"
)

// LimitListener returns a listener that has at most total connections open, of which at most perHost are from
// one address. Beyond the total it accepts no more until one is closed, so that the kernel lets peers wait;
// beyond its share a host's connections are closed at once. Zero is no limit.
//
// A connection keeps what *net.TCPConn can do, sendfile above all.
func LimitListener(l net.Listener, total, perHost int) net.Listener {
	limited := &limitListener{Listener: l, perHost: perHost, hosts: map[netip.Addr]int{}, closed: make(chan struct{})}
	if total > 0 {
		limited.slots = make(chan struct{}, total)
	}
	return limited
}

type limitListener struct {
	net.Listener
	slots   chan struct{} // nil: no limit
	perHost int

	once   sync.Once
	closed chan struct{}

	mu    sync.Mutex
	hosts map[netip.Addr]int
}

// Accept implements net.Listener.
func (l *limitListener) Accept() (net.Conn, error) {
	for {
		if l.slots != nil {
			select {
			case l.slots <- struct{}{}:
			case <-l.closed:
				return nil, net.ErrClosed
			}
		}
		c, err := l.Listener.Accept()
		if err != nil {
			l.free()
			return nil, err
		}
		host := hostOf(c.RemoteAddr().String())
		if !l.enter(host) {
			c.Close()
			l.free()
			continue
		}
		leave := sync.OnceFunc(func() {
			l.leave(host)
			l.free()
		})
		if tcp, ok := c.(*net.TCPConn); ok {
			return &limitedTCP{tcp, leave}, nil
		}
		return &limitedConn{c, leave}, nil
	}
}

// Close implements net.Listener.
func (l *limitListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return l.Listener.Close()
}

func (l *limitListener) free() {
	if l.slots != nil {
		<-l.slots
	}
}

func (l *limitListener) enter(host netip.Addr) bool {
	if l.perHost <= 0 || !host.IsValid() {
		return true
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.hosts[host] >= l.perHost {
		return false
	}
	l.hosts[host]++
	return true
}

func (l *limitListener) leave(host netip.Addr) {
	if l.perHost <= 0 || !host.IsValid() {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.hosts[host]--; l.hosts[host] <= 0 {
		delete(l.hosts, host)
	}
}

// hostOf returns what counts as one host of host:port: an IPv4 address, or the /64 that one IPv6 site has. It is zero
// if there is none.
func hostOf(address string) netip.Addr {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return netip.Addr{}
	}
	host := at.Addr().Unmap().WithZone("")
	if host.Is6() {
		prefix, err := host.Prefix(64)
		if err != nil {
			return netip.Addr{}
		}
		return prefix.Addr()
	}
	return host
}

type limitedTCP struct {
	*net.TCPConn
	leave func()
}

// ReadFrom implements io.ReaderFrom. A file goes out in full segments: sendfile takes it page by page, and each
// acknowledgement that arrives between two would otherwise send what there is, twice as many segments in all.
func (c *limitedTCP) ReadFrom(r io.Reader) (int64, error) {
	if mtom.IsFile(r) {
		c.cork(true)
		defer c.cork(false)
	}
	return c.TCPConn.ReadFrom(r)
}

// Close implements net.Conn.
func (c *limitedTCP) Close() error {
	defer c.leave()
	return c.TCPConn.Close()
}

type limitedConn struct {
	net.Conn
	leave func()
}

// Close implements net.Conn.
func (c *limitedConn) Close() error {
	defer c.leave()
	return c.Conn.Close()
}
