//go:build unix

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"collimate/cmd/collimate/internal/demo"
	"collimate/dicom/phantom"
	"collimate/gateway"
	"collimate/ledger"
)

const (
	// bigStudyBytes is the least size of the study that is streamed.
	bigStudyBytes = 1 << 30
	// maxPeakBytes bounds the peak of resident memory of a server that has streamed it: under half of the
	// study. A server that has streamed nothing has some 100 MB.
	maxPeakBytes = 400 << 20
)

// A study of 1 GiB goes through both gateways, and neither holds it.
func (n *network) testMemory(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("reads the peak of resident memory from /proc")
	}
	folder := filepath.Join(t.TempDir(), "big")
	info, err := phantom.Generate(folder, phantom.Options{Series: 2, Slices: 258, Rows: 1024, Columns: 1024, Seed: 7})
	if err != nil {
		t.Fatal(err)
	}
	if info.Bytes < bigStudyBytes {
		t.Fatalf("the study has %d bytes, want %d or more", info.Bytes, bigStudyBytes)
	}
	north := n.organisation(t, "north")
	tickets := t.TempDir()
	n.collimate(t, "study", "publish", folder, "--config", north.Config, "--tickets", tickets)
	if err := os.RemoveAll(folder); err != nil { // the archive has its own copy
		t.Fatal(err)
	}
	s := n.bigStudy(t, tickets, info)
	n.collimate(t, "study", "claim", "--ticket", s.Ticket, "--key", s.OwnerKey, "--node", north.LedgerURL, "--config", north.Config)
	n.allow(t, s)

	start := time.Now()
	n.mustRetrieve(t, s)
	took := time.Since(start)
	t.Logf("%d bytes through both gateways in %s, %.0f MB/s", info.Bytes, took.Round(time.Millisecond), float64(info.Bytes)/1e6/took.Seconds())
	for _, name := range []string{"north", "south"} {
		peak := peakBytes(t, n.pid(t, name))
		t.Logf("peak of resident memory of %s: %d MiB", name, peak>>20)
		if peak > maxPeakBytes {
			t.Errorf("%s: peak of %d MiB, want %d at the most", name, peak>>20, maxPeakBytes>>20)
		}
	}
}

// bigStudy describes the study of the one ticket in a folder as demo.json would.
func (n *network) bigStudy(t *testing.T, tickets string, info phantom.Info) *demo.Study {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(tickets, "*.json"))
	if err != nil || len(files) != 1 {
		t.Fatalf("got tickets %v, %v; want one", files, err)
	}
	raw, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	ticket, err := gateway.ParseTicket(raw)
	if err != nil {
		t.Fatal(err)
	}
	s := n.Studies[0]
	s.Ticket, s.Bytes, s.StudyID = files[0], info.Bytes, ticket.StudyID
	s.Documents = map[ledger.DocumentKind]string{ledger.DocumentStudy: ticket.Documents[ledger.DocumentStudy]}
	return &s
}

// peakBytes is VmHWM of a process. proc(5)
func peakBytes(t *testing.T, pid int) int64 {
	t.Helper()
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(raw), "VmHWM:")
	var kilobytes int64
	if _, err := fmt.Sscanf(rest, "%d kB", &kilobytes); !ok || err != nil {
		t.Fatalf("reading VmHWM: %v", err)
	}
	return kilobytes << 10
}
