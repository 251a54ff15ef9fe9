package node

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"

	"collimate/ledger"
	"collimate/node/client"
)

// envNode holds the Config, as JSON, of the node that this binary is to run instead of tests.
const envNode = "COLLIMATE_TEST_NODE"

func TestMain(m *testing.M) {
	config := os.Getenv(envNode)
	if config == "" {
		os.Exit(m.Run())
	}
	if err := runNode([]byte(config)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func runNode(config []byte) error {
	var c Config
	if err := json.Unmarshal(config, &c); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	n, err := New(ctx, c, testLog())
	if err != nil {
		return err
	}
	return n.Run(ctx)
}

// process is a node in a process of its own.
type process struct {
	t   *testing.T
	cmd *exec.Cmd
	out bytes.Buffer
}

func (w *world) spawn(i int) *process {
	w.t.Helper()
	config, err := json.Marshal(w.configs[i])
	if err != nil {
		w.t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		w.t.Fatal(err)
	}
	p := &process{t: w.t, cmd: exec.Command(self)}
	p.cmd.Env = append(os.Environ(), envNode+"="+string(config))
	p.cmd.Stderr = &p.out
	if err := p.cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() {
		p.kill()
		if w.t.Failed() {
			w.t.Logf("node %d:\n%s", i, p.out.String())
		}
	})
	return p
}

// kill is SIGKILL.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait()
}

// TestKill kills nodes in the middle of their work: one of four, and all of them, twice. Nothing that was acknowledged
// may be lost, and nobody may disagree.
func TestKill(t *testing.T) {
	w := newWorld(t, 4)
	began := time.Now()
	ps := make([]*process, 4)
	clients := make([]*client.Client, 4)
	for i := range ps {
		ps[i], clients[i] = w.spawn(i), w.client(i)
	}
	for _, c := range clients {
		w.ready(c, 3)
	}
	t.Logf("four processes ready after %v", time.Since(began).Round(time.Millisecond))
	studies := []ledger.StudyID{w.publish(clients[0])}
	next := func(c *client.Client) {
		t.Helper()
		studies = append(studies, w.study(c, len(studies)+1))
	}
	com := w.grant(clients[0], studies[0], 1) // final at node 0; the others are a moment behind

	ps[3].kill()
	began = time.Now()
	for i := range 4 {
		next(clients[i%3])
	}
	t.Logf("4 transactions with one of four killed took %v", time.Since(began).Round(time.Millisecond))
	ps[3] = w.spawn(3)
	w.ready(clients[3], 3)
	next(clients[3])
	t.Logf("memory of a node: %s", rss(ps[0].cmd.Process.Pid))

	for range 2 {
		for _, p := range ps {
			p.kill()
		}
		for i := range ps {
			ps[i] = w.spawn(i)
		}
		for _, c := range clients {
			w.ready(c, 3)
		}
		next(clients[1])
	}

	ctx := t.Context()
	for i, c := range clients {
		for _, id := range studies {
			eventually(t, fmt.Sprintf("node %d has every study", i), func() bool {
				_, err := c.Study(ctx, id)
				return err == nil
			})
		}
		if g, err := c.Grants(ctx, studies[0]); err != nil || len(g) != 1 || g[0].Commitment != com {
			t.Errorf("node %d has grants %+v, %v", i, g, err)
		}
	}
	eventually(t, "all agree on an app hash at one height", func() bool {
		first, err := clients[0].Status(ctx)
		for i, c := range clients {
			s, err2 := c.Status(ctx)
			if err != nil || err2 != nil || s.Height != first.Height {
				return false
			}
			if s.AppHash != first.AppHash {
				t.Fatalf("at height %d node %d has app hash %s, node 0 has %s", s.Height, i, s.AppHash, first.AppHash)
			}
		}
		return true
	})

	began = time.Now()
	if err := ps[0].cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := ps[0].cmd.Wait(); err != nil {
		t.Errorf("a node that was asked to stop ended with %v", err)
	}
	t.Logf("a clean stop took %v", time.Since(began).Round(time.Millisecond))
}

// rss returns the resident memory of a process, as Linux tells it.
func rss(pid int) string {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return "unknown"
	}
	for line := range strings.Lines(string(b)) {
		if v, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			return strings.TrimSpace(v)
		}
	}
	return "unknown"
}
