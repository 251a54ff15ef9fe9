//go:build unix

package main

import (
	"net"
	"testing"
)

// occupied returns a port of loopback that is taken during the test, and not the first of all.
func occupied(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l.Addr().(*net.TCPAddr).Port
}
