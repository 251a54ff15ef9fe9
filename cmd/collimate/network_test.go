//go:build unix

package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"collimate/cmd/collimate/internal/demo"
	"collimate/conformance"
	"collimate/ledger"
	"collimate/node/client"
)

// patience is how long a test waits for something that takes seconds on an idle machine.
const patience = 90 * time.Second

// network is a running demo, seen from outside through its demo.json.
type network struct {
	*demo.File
	output *buffer
	demo   *process
	again  map[string]*process // servers that the test has started again
	t      *testing.T          // of the whole network, not of a subtest
}

// process is a program that a test has started.
type process struct {
	cmd   *exec.Cmd
	ended chan struct{}
}

// buffer is a bytes.Buffer for two goroutines.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// launch starts a program that ends with the test at the latest.
func launch(t *testing.T, output io.Writer, name string, args ...string) *process {
	t.Helper()
	p := &process{cmd: exec.Command(name, args...), ended: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = output, output
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = p.cmd.Wait()
		close(p.ended)
	}()
	t.Cleanup(func() {
		_ = p.cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-p.ended:
		case <-time.After(patience):
			t.Errorf("%s did not end after SIGTERM", name)
			_ = p.cmd.Process.Kill()
			<-p.ended
		}
	})
	return p
}

// startDemo runs a demo until it serves.
func startDemo(t *testing.T, args ...string) *network {
	t.Helper()
	if testing.Short() {
		t.Skip("starts a network of four")
	}
	dir := filepath.Join(t.TempDir(), "demo")
	n := &network{output: &buffer{}, again: map[string]*process{}, t: t}
	n.demo = launch(t, n.output, "collimate", append([]string{"demo", "--dir", dir}, args...)...)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the demo printed:\n%s", n.output)
			n.logTails(t)
		}
	})
	wait(t, "the demo to serve", func() error {
		select {
		case <-n.demo.ended:
			t.Fatalf("the demo ended:\n%s", n.output)
		default:
		}
		f, err := demo.ReadFile(filepath.Join(dir, demo.FileName))
		n.File = f
		return err
	})
	return n
}

// logTails prints the end of each server's log.
func (n *network) logTails(t *testing.T) {
	if n.File == nil {
		return
	}
	for _, o := range n.Organisations {
		raw, _ := os.ReadFile(o.Log)
		t.Logf("the log of %s ends:\n%s", o.Name, raw[max(0, len(raw)-2000):])
	}
}

// wait calls check until it returns nil. It polls, since what it waits for is in other processes.
func wait(t *testing.T, what string, check func() error) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for {
		err := check()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("waiting for %s: %v", what, err)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// organisation returns an organisation by name.
func (n *network) organisation(t *testing.T, name string) *demo.Organisation {
	t.Helper()
	o, ok := n.Organisation(name)
	if !ok {
		t.Fatalf("demo.json does not describe %s", name)
	}
	return o
}

// kill kills an organisation's server with SIGKILL and waits until it is gone.
func (n *network) kill(t *testing.T, name string) {
	t.Helper()
	pid := n.pid(t, name)
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	wait(t, name+" to be gone", func() error { return gone(pid) })
}

// pid is the process that is now the organisation's server.
func (n *network) pid(t *testing.T, name string) int {
	t.Helper()
	if p, ok := n.again[name]; ok {
		return p.cmd.Process.Pid
	}
	return n.organisation(t, name).PID
}

func gone(pid int) error {
	if err := syscall.Kill(pid, 0); errors.Is(err, syscall.ESRCH) {
		return nil
	}
	return fmt.Errorf("process %d lives", pid)
}

// restart starts a killed server by the command in demo.json.
func (n *network) restart(t *testing.T, name string) {
	t.Helper()
	o := n.organisation(t, name)
	log, err := os.OpenFile(o.Log, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	n.t.Cleanup(func() { log.Close() })
	n.again[name] = launch(n.t, log, o.Command[0], o.Command[1:]...)
}

// status asks a node.
func (n *network) status(name string) (*client.Status, error) {
	o, ok := n.Organisation(name)
	if !ok {
		return nil, fs.ErrNotExist
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	s, err := client.New(o.LedgerURL).Status(ctx)
	return &s, err
}

// agree waits until all nodes are at the same height, which is above min, and have the same app hash there.
func (n *network) agree(t *testing.T, min int64) int64 {
	t.Helper()
	var height int64
	wait(t, "all nodes to agree", func() error {
		hashes := map[string]bool{}
		heights := map[int64]bool{}
		for _, o := range n.Organisations {
			s, err := n.status(o.Name)
			if err != nil {
				return err
			}
			if s.CatchingUp {
				return fmt.Errorf("%s is catching up", o.Name)
			}
			height = s.Height
			heights[s.Height] = true
			hashes[s.AppHash] = true
		}
		if height <= min || len(heights) > 1 {
			return fmt.Errorf("heights %v, want one above %d", heights, min)
		}
		if len(hashes) > 1 {
			t.Fatalf("at height %d there are %d app hashes, want 1", height, len(hashes))
		}
		return nil
	})
	return height
}

// retrieve sends plain ITI-43 to the consumer side of a study's grantee, documents to body or nowhere.
func (n *network) retrieve(t *testing.T, s *demo.Study, body func(conformance.Document) io.Writer) (*conformance.Answer, error) {
	t.Helper()
	o := n.organisation(t, s.Grantee.Organisation)
	own, err := tls.LoadX509KeyPair(o.XDSConsumer.Certificate, o.XDSConsumer.Key)
	if err != nil {
		t.Fatal(err)
	}
	roots, err := authorities(o.CA)
	if err != nil {
		t.Fatal(err)
	}
	c := &conformance.Consumer{
		HTTP: conformance.NewHTTPClient(&tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots, Certificates: []tls.Certificate{own}}),
		Body: body,
	}
	defer c.HTTP.CloseIdleConnections()
	return c.Retrieve(t.Context(), s.Grantee.ConsumerURL, conformance.DocumentRef{
		RepositoryUniqueID: s.RepositoryUniqueID, DocumentUniqueID: s.Documents[ledger.DocumentStudy],
	})
}

// mustRetrieve retrieves a study and checks that it came whole.
func (n *network) mustRetrieve(t *testing.T, s *demo.Study) {
	t.Helper()
	answer, err := n.retrieve(t, s, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := answer.Success(); err != nil {
		t.Fatal(err)
	}
	if got := answer.Documents[0].Size; got < s.Bytes {
		t.Fatalf("the document has %d bytes, want more than the study's %d", got, s.Bytes)
	}
}

// collimate runs a subcommand that must succeed, in the demo's directory, and returns what it printed.
func (n *network) collimate(t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.Command("collimate", args...)
	cmd.Dir = n.Directory
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("collimate %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// grants lists the grants of a study as one node has them, as JSON.
func (n *network) grants(t *testing.T, name string, s *demo.Study) string {
	t.Helper()
	g, err := client.New(n.organisation(t, name).LedgerURL).Grants(t.Context(), s.StudyID)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(g)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}
