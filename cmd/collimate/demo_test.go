//go:build unix

package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"collimate/cmd/collimate/internal/demo"
	"collimate/conformance"
	"collimate/internal/sharedfiles"
)

// The whole demo from beginning to end, as a newcomer runs it.
func TestDemoOnce(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a network of four")
	}
	for _, test := range []struct{ name, dicom string }{
		{"phantom", ""},
		{"real MR study", "dicom/mr-series-16"},
		{"real CT study with a segmentation", "dicom/ct-seg-study"},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "demo")
			args := []string{"demo", "--once", "--dir", dir}
			if test.dicom != "" {
				args = append(args, "--dicom", sharedfiles.Path(t, test.dicom))
			}
			start := time.Now()
			out, err := exec.Command("collimate", args...).CombinedOutput()
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			t.Logf("took %s", time.Since(start).Round(time.Millisecond))
			for _, want := range []string{"every byte is the same", "XDSDocumentUniqueIdError", "Everything was as it must be"} {
				if !bytes.Contains(out, []byte(want)) {
					t.Errorf("the output lacks %q:\n%s", want, out)
				}
			}
			f, err := demo.ReadFile(filepath.Join(dir, demo.FileName))
			if err != nil {
				t.Fatal(err)
			}
			if len(f.Studies) != 1 || f.Studies[0].Granted {
				t.Errorf("got %d studies, the first granted %t; want one, revoked", len(f.Studies), f.Studies[0].Granted)
			}
			for _, o := range f.Organisations {
				if err := gone(o.PID); err != nil {
					t.Errorf("%s: %v after the end", o.Name, err)
				}
			}
			checkPrivate(t, dir, f)
		})
	}
}

// checkPrivate looks for the study's identifiers where they must not be.
func checkPrivate(t *testing.T, dir string, f *demo.File) {
	t.Helper()
	for i := range f.Organisations {
		checkLog(t, &f.Organisations[i], &f.Studies[0])
	}
}

func checkLog(t *testing.T, o *demo.Organisation, s *demo.Study) {
	t.Helper()
	raw, err := os.ReadFile(o.Log)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(raw, []byte(s.StudyInstanceUID)) {
		t.Errorf("the log of %s holds the Study Instance UID", o.Name)
	}
}

// An occupied port is named, and nothing is started.
func TestDemoOccupiedPort(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "demo")
	port := occupied(t)
	out, err := exec.Command("collimate", "demo", "--once", "--dir", dir, "--base-port", fmt.Sprint(port-1)).CombinedOutput()
	if want := fmt.Sprintf("port %d is in use", port); err == nil || !strings.Contains(string(out), want) {
		t.Errorf("got %v %s, want %q", err, out, want)
	}
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("the data folder was made: %v", err)
	}
}

// The servers end with the demo, also if it has no time to tell them.
func TestDemoKilled(t *testing.T) {
	n := startDemo(t)
	if err := n.demo.cmd.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	for _, o := range n.Organisations {
		wait(t, o.Name+" to end", func() error { return gone(o.PID) })
	}
}

// One running demo, and everything that can be done to it.
func TestNetwork(t *testing.T) {
	n := startDemo(t)
	t.Run("conformance", n.testConformance)
	t.Run("by hand", n.testByHand)
	t.Run("flat memory", n.testMemory)
	t.Run("polite end", n.testPoliteEnd)
	t.Run("torn stream", n.testTorn)
	t.Run("one of four killed", n.testOneKilled)
	t.Run("all four killed", n.testAllKilled)
	t.Run("answers elsewhere", n.testAnswersElsewhere)
}

// The conformance checks judge both sides of the gateway.
func (n *network) testConformance(t *testing.T) {
	args := []string{"conformance", "--demo", filepath.Join(n.Directory, demo.FileName), "--failed"}
	if schemas := sharedfiles.Find("ihe/schemas/toolkit2/v3"); schemas != "" {
		args = append(args, "--schemas", schemas) // and answers are validated, if xmllint is there
	}
	t.Log(lastOf(n.collimate(t, args...)))
}

func lastOf(out string) string {
	lines := strings.Split(strings.TrimSpace(out), "\n")
	return lines[len(lines)-1]
}

// The lines 'by hand' work when they are pasted, in their order.
func (n *network) testByHand(t *testing.T) {
	for _, tool := range []string{"bash", "curl"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("needs %s", tool)
		}
	}
	text := n.output.String()
	_, function, ok := strings.Cut(text, "\n  cd ")
	if !ok {
		t.Fatal("the demo does not say where its lines work")
	}
	function, _, _ = strings.Cut(function, "\n")
	lines := byHand(text)
	if len(lines) < 12 {
		t.Fatalf("found %d lines by hand, want 12 or more:\n%s", len(lines), strings.Join(lines, "\n"))
	}
	for _, line := range lines {
		out, err := exec.Command("bash", "-c", "set -e -o pipefail; cd "+function+"\n"+line).CombinedOutput()
		if err != nil {
			t.Errorf("%s\n%v\n%s", line, err, out)
		}
	}
	// The last lines have revoked everything: let south in again, for the tests to come.
	n.allow(t, &n.Studies[0])
}

// byHand returns the command lines in a demo's output.
func byHand(text string) (lines []string) {
	inside := false
	for line := range strings.SplitSeq(text, "\n") {
		command, indented := strings.CutPrefix(line, "     ")
		switch {
		case strings.TrimSpace(line) == "by hand:":
			inside = true
		case inside && indented:
			lines = append(lines, command)
		default:
			inside = false
		}
	}
	return lines
}

// allow lets the grantee in to a study, at the node of another organisation than source and grantee.
func (n *network) allow(t *testing.T, s *demo.Study) {
	t.Helper()
	n.collimate(t, "grant", "allow", "--ticket", s.Ticket, "--key", s.OwnerKey, "--to", s.Grantee.Certificate,
		"--node", n.organisation(t, "east").LedgerURL, "--config", n.organisation(t, "east").Config, "--out", filepath.Join(t.TempDir(), "opening.json"))
}

// Streams that have begun are finished when the server is told to stop.
func (n *network) testPoliteEnd(t *testing.T) {
	s := &n.Studies[0]
	stopped := false
	var received int64
	answer, err := n.retrieve(t, s, func(conformance.Document) io.Writer {
		return writer(func(p []byte) {
			received += int64(len(p))
			if !stopped && received > s.Bytes/8 {
				stopped = true
				for _, name := range []string{"north", "south"} {
					if err := syscall.Kill(n.pid(t, name), syscall.SIGTERM); err != nil {
						t.Error(err)
					}
				}
				for _, name := range []string{"north", "south"} { // read on only when they have begun to stop
					wait(t, name+" to take no more connections", func() error { return refuses(n.organisation(t, name).SourceURL) })
				}
			}
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := answer.Success(); err != nil {
		t.Fatal(err)
	}
	if !stopped || received < s.Bytes {
		t.Fatalf("received %d bytes, told to stop %t; want at least %d", received, stopped, s.Bytes)
	}
	for _, name := range []string{"north", "south"} {
		pid := n.pid(t, name)
		wait(t, name+" to end", func() error { return gone(pid) })
		n.restart(t, name)
	}
	n.agree(t, 0)
	n.mustRetrieve(t, s)
}

// refuses returns nil when nobody listens at a URL.
func refuses(address string) error {
	u, err := url.Parse(address)
	if err != nil {
		return err
	}
	c, err := net.DialTimeout("tcp", u.Host, time.Second)
	if errors.Is(err, syscall.ECONNREFUSED) {
		return nil
	}
	if err == nil {
		c.Close()
	}
	return fmt.Errorf("%s takes connections: %v", u.Host, err)
}

// A source that is killed in the middle of a stream: the consumer is told, and never takes the beginning for all.
func (n *network) testTorn(t *testing.T) {
	s := &n.Studies[0]
	var received int64
	killed := false
	_, err := n.retrieve(t, s, func(conformance.Document) io.Writer {
		return writer(func(p []byte) {
			if received += int64(len(p)); !killed && received > s.Bytes/8 {
				killed = true
				n.kill(t, "north")
			}
		})
	})
	if !errors.Is(err, io.ErrUnexpectedEOF) || !killed {
		t.Errorf("got %v after %d of %d bytes, want io.ErrUnexpectedEOF", err, received, s.Bytes)
	}
	n.restart(t, "north")
	n.agree(t, 0)
	n.mustRetrieve(t, s)
}

// writer is an io.Writer from a function.
type writer func([]byte)

func (w writer) Write(p []byte) (int, error) {
	w(p)
	return len(p), nil
}

// One of four validators is killed: the others go on; restarted, it catches up and agrees.
func (n *network) testOneKilled(t *testing.T) {
	s := &n.Studies[0]
	n.kill(t, "west")
	if out := n.output.String(); !strings.Contains(out, "west stopped: signal: killed") || !strings.Contains(out, "start it again: ") {
		t.Errorf("the demo does not tell that west was killed:\n%s", out)
	}
	n.allow(t, s)
	n.mustRetrieve(t, s)
	before, err := n.status("north")
	if err != nil {
		t.Fatal(err)
	}
	n.restart(t, "west")
	height := n.agree(t, before.Height-1)
	if got, want := n.grants(t, "west", s), n.grants(t, "north", s); got != want {
		t.Errorf("west has other grants than north: got %s, want %s", got, want)
	}
	t.Logf("agreed at height %d", height)
}

// All four are killed at the same time and restarted: nothing that was acknowledged is lost.
func (n *network) testAllKilled(t *testing.T) {
	s := &n.Studies[0]
	n.allow(t, s)
	want := n.grants(t, "east", s)
	before, err := n.status("east")
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range n.Organisations {
		n.kill(t, o.Name)
	}
	start := time.Now()
	for _, o := range n.Organisations {
		n.restart(t, o.Name)
	}
	n.agree(t, before.Height-1)
	for _, o := range n.Organisations {
		if got := n.grants(t, o.Name, s); got != want {
			t.Errorf("%s has other grants than before: got %s, want %s", o.Name, got, want)
		}
	}
	n.mustRetrieve(t, s)
	n.allow(t, s) // blocks are made again
	t.Logf("granting again %s after the restart", time.Since(start).Round(time.Millisecond))
}
