package demo

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"

	"collimate/cmd/collimate/internal/org"
)

// host is where everything listens.
const host = "127.0.0.1"

// The ports that are tried when none are given: below those that systems hand out to outgoing connections
// (32768 on Linux), one of which could come between the test of a port and its use.
const (
	lowestPort  = 20000
	highestPort = 32000
)

// portAttempts bounds the search for free ports.
const portAttempts = 50

// findPorts returns the first of the ports for n organisations: base itself if it is not 0.
func findPorts(ctx context.Context, base, n int) (int, error) {
	count := n * org.Ports
	if base != 0 {
		if err := free(ctx, base, count); err != nil {
			return 0, fmt.Errorf("%w: choose another --base-port, or leave it out to have free ports found", err)
		}
		return base, nil
	}
	var err error
	for range portAttempts {
		base = lowestPort + rand.IntN(highestPort-lowestPort-count)
		if err = free(ctx, base, count); err == nil {
			return base, nil
		}
	}
	return 0, fmt.Errorf("finding free ports: %w", err)
}

// free tries to listen on each port, TCP and UDP.
func free(ctx context.Context, base, count int) (err error) {
	var listen net.ListenConfig
	for p := base; p < base+count; p++ {
		address := net.JoinHostPort(host, strconv.Itoa(p))
		l, tcpErr := listen.Listen(ctx, "tcp", address)
		u, udpErr := listen.ListenPacket(ctx, "udp", address)
		if l != nil {
			err = errors.Join(err, l.Close())
		}
		if u != nil {
			err = errors.Join(err, u.Close())
		}
		if tcpErr != nil || udpErr != nil {
			return fmt.Errorf("port %d is in use", p)
		}
	}
	return err
}
