package dimse

import (
	"context"
	"crypto/tls"
	"net"
	"sync/atomic"
	"time"
)

// conn is a connection whose reads and writes end when the peer does nothing for a while. The time between them, in
// which whoever reads an instance may be slow, does not count.
type conn struct {
	net.Conn
	tcp    *net.TCPConn  // nil if it is none
	idle   time.Duration // 0 for no limit
	closed atomic.Bool   // by ctx
}

func newConn(c net.Conn, idle time.Duration) *conn {
	out := &conn{Conn: c, idle: idle}
	inner := c
	if secure, ok := c.(*tls.Conn); ok {
		inner = secure.NetConn()
	}
	out.tcp, _ = inner.(*net.TCPConn) // its default is TCP_NODELAY
	return out
}

func (c *conn) Read(b []byte) (int, error) {
	c.Conn.SetReadDeadline(c.deadline())
	n, err := c.Conn.Read(b)
	if c.tcp != nil {
		quickAck(c.tcp)
	}
	return n, c.cause(err)
}

func (c *conn) Write(b []byte) (int, error) {
	c.Conn.SetWriteDeadline(c.deadline())
	n, err := c.Conn.Write(b)
	return n, c.cause(err)
}

func (c *conn) deadline() time.Time {
	if c.idle == 0 {
		return time.Time{}
	}
	return time.Now().Add(c.idle)
}

// cause makes the error of a connection that a context has closed the context's.
func (c *conn) cause(err error) error {
	if err != nil && c.closed.Load() {
		return context.Canceled
	}
	return err
}

// until closes the connection when ctx ends, unless stop is called before.
func (c *conn) until(ctx context.Context) (stop func() bool) {
	return context.AfterFunc(ctx, func() {
		c.closed.Store(true)
		c.Conn.Close()
	})
}
