// Package vectortest reads the vectors of the specification for tests, and writes them. ledger-spec 11
//
// The vectors are frozen: other programs and other languages hold the same files. A vector that fails means that the code
// must change, not the vector. A new one is added where it is made, and written by running the test with -update once.
package vectortest

import (
	"encoding/hex"
	"encoding/json"
	"os"
	"testing"
)

// Hex is a byte string, in JSON in hexadecimal.
type Hex []byte

// MarshalText returns lower-case hexadecimal digits.
func (h Hex) MarshalText() ([]byte, error) { return []byte(hex.EncodeToString(h)), nil }

// UnmarshalText takes hexadecimal digits.
func (h *Hex) UnmarshalText(b []byte) (err error) {
	*h, err = hex.DecodeString(string(b))
	return err
}

// Read returns the vectors of a file; if update is set, it writes those of make there first. A file without vectors shows
// nothing, and fails the test.
func Read[V any](t testing.TB, path string, update bool, make func() []V) []V {
	t.Helper()
	if update {
		b, err := json.MarshalIndent(make(), "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, append(b, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var all []V
	if err := json.Unmarshal(b, &all); err != nil {
		t.Fatal(err)
	}
	if len(all) == 0 {
		t.Fatalf("%s has no vectors", path)
	}
	return all
}
