//go:build !linux

package registry

import "testing"

func startPostgres(t testing.TB) string {
	t.Skip("PostgreSQL is started on Linux only")
	return ""
}

func stopPostgres() {}
