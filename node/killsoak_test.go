package node

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"collimate/consensus"
	"collimate/keys"
	"collimate/ledger"
	"collimate/node/client"
)

// envSoak is the number of rounds of TestKillSoak; `make soak` sets it.
const envSoak = "COLLIMATE_SOAK_ROUNDS"

// soak is a network of processes under load.
type soak struct {
	*world
	rng     *rand.Rand
	ps      []*process
	clients []*client.Client
	next    atomic.Int64 // number of the next study

	mu   sync.Mutex
	kept []ledger.StudyID // acknowledged
}

// TestKillSoak kills nodes at random moments, one or several or all, while all are under load: with SIGKILL, without a
// word. At the end nothing that was acknowledged is lost on any node, all have one app hash, and the chain of each
// verifies from genesis to the last byte of its state.
func TestKillSoak(t *testing.T) {
	rounds := 4
	if n, err := strconv.Atoi(os.Getenv(envSoak)); err == nil {
		rounds = n
	} else if testing.Short() {
		t.Skip("processes, for half a minute")
	}
	seed := rand.Uint64()
	t.Logf("seed %d, %d rounds", seed, rounds)
	s := &soak{world: newWorld(t, 4), rng: rand.New(rand.NewPCG(seed, 0)), ps: make([]*process, 4)}
	for i := range s.ps {
		s.ps[i] = s.spawn(i)
		s.clients = append(s.clients, s.client(i))
	}
	for _, c := range s.clients {
		s.ready(c, 3)
	}
	s.publish(s.clients[0])

	ctx, end := context.WithCancel(t.Context())
	var load sync.WaitGroup
	for n := range 4 * len(s.clients) {
		load.Go(func() { s.load(ctx, s.clients[n%len(s.clients)]) })
	}
	began := time.Now()
	for round := range rounds {
		s.round()
		if (round+1)%25 == 0 {
			s.mu.Lock()
			t.Logf("round %d after %v: %d transactions acknowledged", round+1, time.Since(began).Round(time.Second), len(s.kept))
			s.mu.Unlock()
		}
	}
	end()
	load.Wait()
	took := time.Since(began)
	for _, c := range s.clients {
		s.ready(c, 3)
	}
	for i, c := range s.clients {
		for _, id := range s.kept {
			eventually(t, fmt.Sprintf("node %d has every study that was acknowledged", i), func() bool {
				_, err := c.Study(t.Context(), id)
				if err != nil {
					time.Sleep(100 * time.Millisecond) // it may be the node's limit on requests
				}
				return err == nil
			})
		}
	}
	hash := s.agree()
	for i, p := range s.ps {
		if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		if err := p.cmd.Wait(); err != nil {
			t.Errorf("node %d, asked to stop, ended with %v", i, err)
		}
	}
	for i := range s.ps {
		v, err := consensus.VerifyChain(t.Context(), s.configs[i].Dir, s.genesis, nil, testLog())
		if err != nil {
			t.Errorf("node %d: %v", i, err)
			continue
		}
		t.Logf("node %d: blocks 1 to %d and %d records verify, app hash %x", i, v.To, v.Records, v.AppHash[:4])
	}
	t.Logf("%d rounds in %v: %d transactions acknowledged and none lost, app hash %s", rounds, took.Round(time.Second), len(s.kept), hash)
}

// round kills some nodes after a while, starts them after another, and waits until the network goes on.
func (s *soak) round() {
	s.t.Helper()
	time.Sleep(time.Duration(s.rng.IntN(400)) * time.Millisecond) // the moment is what is tested
	down := s.rng.Perm(len(s.ps))[:1+s.rng.IntN(len(s.ps))]
	for _, i := range down {
		s.ps[i].kill()
	}
	time.Sleep(time.Duration(s.rng.IntN(400)) * time.Millisecond)
	for _, i := range down {
		s.ps[i] = s.spawn(i)
	}
	s.mu.Lock()
	before := len(s.kept)
	s.mu.Unlock()
	eventually(s.t, "the network goes on", func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return len(s.kept) > before
	})
}

// load submits one study after the other to a node, each until it is final, and keeps those that were acknowledged.
func (s *soak) load(ctx context.Context, c *client.Client) {
	for ctx.Err() == nil {
		id := ledger.NewStudyID([32]byte{2}, fmt.Sprintf("1.2.%d", s.next.Add(1)))
		raw, err := ledger.Sign(nil, s.genesis.ChainID, ledger.DefineStudy{Studies: []ledger.StudyDefinition{
			{Study: id, Owner: keys.Owner{ID: idOf(s.t, s.owner)}, Kind: ledger.RecordImaging},
		}}, s.source)
		if err != nil {
			s.t.Error(err)
			return
		}
		for ctx.Err() == nil {
			try, cancel := context.WithTimeout(ctx, 5*time.Second)
			_, err := c.Submit(try, raw)
			cancel()
			if err == nil {
				s.mu.Lock()
				s.kept = append(s.kept, id)
				s.mu.Unlock()
				break
			}
			time.Sleep(50 * time.Millisecond)
		}
	}
}

// agree waits until all nodes are at one height, and returns their app hash.
func (s *soak) agree() (hash string) {
	s.t.Helper()
	eventually(s.t, "all are at one height", func() bool {
		first, err := s.clients[0].Status(s.t.Context())
		if err != nil {
			return false
		}
		for i, c := range s.clients {
			st, err := c.Status(s.t.Context())
			if err != nil || st.Height != first.Height {
				return false
			}
			if st.AppHash != first.AppHash {
				s.t.Fatalf("at height %d node %d has app hash %s, node 0 has %s", st.Height, i, st.AppHash, first.AppHash)
			}
		}
		hash = first.AppHash
		return true
	})
	return hash
}
