//go:build !linux

package consensus

// politely runs f; where threads have no priority of their own, like everything else.
func politely(f func()) { f() }
