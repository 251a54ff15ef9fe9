package demo

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"collimate/cmd/collimate/internal/org"
)

func TestFindPorts(t *testing.T) {
	base, err := findPorts(t.Context(), 0, MaxNodes)
	if err != nil || base < lowestPort || base+MaxNodes*org.Ports > highestPort {
		t.Fatalf("got %d, %v; want one within %d and %d", base, err, lowestPort, highestPort)
	}
	if got, err := findPorts(t.Context(), base, MinNodes); err != nil || got != base {
		t.Errorf("ports that are free: got %d, %v; want %d", got, err, base)
	}
	u, err := net.ListenPacket("udp", net.JoinHostPort(host, "0"))
	if err != nil {
		t.Fatal(err)
	}
	defer u.Close()
	taken := u.LocalAddr().(*net.UDPAddr).Port
	if _, err := findPorts(t.Context(), taken-1, MinNodes); err == nil || !strings.Contains(err.Error(), "is in use") {
		t.Errorf("a port that is taken by UDP: got %v", err)
	}
}

func TestCheck(t *testing.T) {
	for _, test := range []struct {
		nodes, slices, base int
		want                string // how the error begins
	}{
		{MinNodes, phantomSeries, 0, "<nil>"}, {MaxNodes, MaxSlices, 1024, "<nil>"}, {MinNodes, 2, 65536 - MinNodes*org.Ports, "<nil>"},
		{MinNodes - 1, 2, 0, "--nodes 3: want 4 to 16"}, {MaxNodes + 1, 2, 0, "--nodes 17: "},
		{MinNodes, phantomSeries - 1, 0, "--slices 1: want 2 to 8192"}, {MinNodes, MaxSlices + 1, 0, "--slices 8193: "},
		{MinNodes, 2, 1023, "--base-port 1023: want one from 1024 to 65520, for the 16 ports"}, {MinNodes, 2, -1, "--base-port -1: "},
		{MinNodes, 2, 65536 - MinNodes*org.Ports + 1, "--base-port 65521: "},
	} {
		err := Options{Nodes: test.nodes, Slices: test.slices, BasePort: test.base}.Check()
		if !strings.HasPrefix(fmt.Sprint(err), test.want) {
			t.Errorf("%+v: got %v", test, err)
		}
	}
}

func TestDirectory(t *testing.T) {
	root := t.TempDir()
	if got, err := directory(filepath.Join(root, "a", "b")); err != nil || got != filepath.Join(root, "a", "b") {
		t.Errorf("a new one: got %q, %v", got, err)
	}
	if entries, _ := os.ReadDir(filepath.Join(root, "a", "b")); len(entries) > 0 {
		t.Errorf("it is not left empty: %v", entries)
	}
	if _, err := directory(root); err == nil || !strings.Contains(err.Error(), "is not empty") {
		t.Errorf("one that is not empty: got %v", err)
	}
	if os.Getuid() != 0 { // root may write anywhere
		closed := filepath.Join(root, "closed")
		if err := os.Mkdir(closed, 0o500); err != nil {
			t.Fatal(err)
		}
		if _, err := directory(closed); err == nil || !strings.Contains(err.Error(), "cannot be written to") {
			t.Errorf("one that cannot be written to: got %v", err)
		}
	}
}

func TestShell(t *testing.T) {
	for word, want := range map[string]string{
		"/tmp/demo-1": "/tmp/demo-1", "a b": "'a b'", "it's": `'it'\''s'`, "$x;y": "'$x;y'",
	} {
		if got := shell(word); got != want {
			t.Errorf("%q: got %s, want %s", word, got, want)
		}
	}
}

// A program reads what the demo has written, and not half of it.
func TestFile(t *testing.T) {
	dir := t.TempDir()
	f := &File{Directory: dir, ChainID: "x", Organisations: []Organisation{{Name: "north", PID: 7}}}
	if err := f.write(); err != nil {
		t.Fatal(err)
	}
	got, err := ReadFile(filepath.Join(dir, FileName))
	if err != nil {
		t.Fatal(err)
	}
	if o, ok := got.Organisation("north"); !ok || o.PID != 7 {
		t.Errorf("got %+v, %t", o, ok)
	}
	if _, ok := got.Organisation("nobody"); ok {
		t.Error("found an organisation that is not there")
	}
	if err := os.WriteFile(filepath.Join(dir, "empty"), []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadFile(filepath.Join(dir, "empty")); err == nil {
		t.Error("an empty description was taken for a demo")
	}
}
