package dimse

import (
	"net"
	"syscall"
)

// quickAck has the next segments acknowledged at once. The system forgets it after a while, so it is set after each
// read. tcp(7)
func quickAck(c *net.TCPConn) {
	raw, err := c.SyscallConn()
	if err != nil {
		return
	}
	raw.Control(func(fd uintptr) { syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, syscall.TCP_QUICKACK, 1) })
}
