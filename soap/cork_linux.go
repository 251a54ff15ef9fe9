package soap

import "syscall"

// cork has the kernel send full segments only, until it is called with false, which sends the rest. Whatever happens,
// the kernel keeps nothing back for more than 200 ms. tcp(7), TCP_CORK
func (c *limitedTCP) cork(on bool) {
	value := 0
	if on {
		value = 1
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return // closed
	}
	// It fails on a connection that is no more, which whatever is sent next will tell.
	_ = raw.Control(func(fd uintptr) { _ = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, syscall.TCP_CORK, value) })
}
