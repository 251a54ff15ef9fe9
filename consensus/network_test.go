package consensus

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	abci "github.com/cometbft/cometbft/abci/types"

	"collimate/keys"
	"collimate/ledger"
)

// TestNetwork is the life of a network of four: agreement, one lost, one back, all lost, all back.
func TestNetwork(t *testing.T) {
	w := newNetwork(t, 4)
	began := time.Now()
	w.start(0, 1, 2, 3)
	w.ready(3, 0, 1, 2, 3)
	t.Logf("first block after %v", time.Since(began).Round(time.Millisecond))

	w.define(0)
	id, raw := w.study(0, 1)
	first := w.must(0, raw)
	w.agree(first.Height, 0, 1, 2, 3)

	// The same bytes again, anywhere: the same receipt.
	for i := range 4 {
		if got := w.must(i, raw); got != first {
			t.Errorf("node %d gave receipt %+v, node 0 gave %+v", i, got, first)
		}
	}

	t.Run("one of four killed", func(t *testing.T) {
		w.stop(3)
		for n := 2; n < 5; n++ {
			_, raw := w.study(0, n)
			w.must(n%3, raw)
		}
		w.start(3)
		w.ready(3, 3)
		_, raw := w.study(0, 9)
		w.agree(w.must(3, raw).Height, 0, 1, 2, 3)
	})

	t.Run("all restarted", func(t *testing.T) {
		before := w.members[0].engine.Status().Height
		w.stop(0, 1, 2, 3)
		w.start(0, 1, 2, 3)
		w.ready(3, 0, 1, 2, 3)
		for i := range 4 {
			snap := w.members[i].store.Snapshot()
			if _, err := snap.Study(id); err != nil {
				t.Errorf("node %d lost the study: %v", i, err)
			}
			snap.Close()
			if got := w.must(i, raw); got != first {
				t.Errorf("node %d gave receipt %+v after the restart, want %+v", i, got, first)
			}
		}
		_, raw := w.study(0, 10)
		if r := w.must(2, raw); r.Height <= before {
			t.Errorf("height went back: %d after %d", r.Height, before)
		}
	})
	var refused *ledger.Error
	if _, err := w.submit(1, w.sign(ledger.RevokeAccess{Study: id, Epoch: 7, All: true}, w.members[0].key)); !errors.As(err, &refused) || refused.Code != ledger.CodeWrongEpoch {
		t.Errorf("a transaction for another epoch: got %v, want %s", err, ledger.CodeWrongEpoch)
	}
}

// TestTwoOfFour stops half of the network, more than it can lose, and starts it again, several times. The engine's
// own libp2p mode stands still for good here.
func TestTwoOfFour(t *testing.T) {
	w := newNetwork(t, 4)
	w.start(0, 1, 2, 3)
	w.ready(3, 0, 1, 2, 3)
	w.define(0)
	for round := range 4 {
		a, b := 1+round%3, 1+(round+1)%3
		w.stop(a, b)
		if s := w.members[0].engine.Status(); s.Peers > 1 {
			eventually(t, 10*time.Second, "node 0 has noticed", func() bool { return w.members[0].engine.Status().Peers == 1 })
		}
		began := time.Now()
		w.start(a, b)
		_, raw := w.study(0, round)
		r := w.must(0, raw)
		t.Logf("round %d: final %v after the restart of nodes %d and %d", round, time.Since(began).Round(time.Millisecond), a, b)
		w.agree(r.Height, 0, 1, 2, 3)
	}
}

// TestLostGossip: a transaction whose one message to the peers was lost becomes final all the same, long before the
// heartbeat.
func TestLostGossip(t *testing.T) {
	w := newNetwork(t, 4)
	for _, m := range w.members {
		m.config.quiet, m.config.Heartbeat = true, MaxHeartbeat
	}
	w.start(0, 1, 2, 3)
	w.ready(1, 0, 1, 2, 3)
	w.define(0) // whoever proposes next
	for n := range 4 {
		_, raw := w.study(0, n)
		w.must(0, raw)
	}
}

// TestForeignChain starts a fifth node that is on everybody's list and has a genesis of its own.
func TestForeignChain(t *testing.T) {
	w := newNetwork(t, 2)
	stranger := newNetwork(t, 1)
	for _, m := range w.members {
		m.config.Peers = append(m.config.Peers, stranger.members[0].config.Peers[0])
	}
	foreign := stranger.members[0]
	foreign.config.Peers = w.members[0].config.Peers
	foreign.config.Genesis = &Genesis{ChainID: w.genesis.ChainID, Time: w.genesis.Time.Add(time.Second), Validators: stranger.genesis.Validators, Payers: w.genesis.Payers}
	var log syncBuffer
	w.log = slog.New(slog.NewTextHandler(&log, nil))
	w.start(0, 1)
	stranger.start(0)
	w.ready(1, 0, 1)
	w.define(0)
	eventually(t, 10*time.Second, "the log says why", func() bool { return strings.Contains(log.String(), "peer is on another chain") })
	if got := foreign.engine.Status().Peers; got != 0 {
		t.Errorf("the foreign node has %d peers, want none", got)
	}
	for i := range w.members {
		if got := w.members[i].engine.Status().Peers; got != 1 {
			t.Errorf("node %d has %d peers, want 1", i, got)
		}
	}
}

// TestRefusals are the answers to transactions that do not become final.
func TestRefusals(t *testing.T) {
	w := newNetwork(t, 1)
	var seen atomic.Pointer[context.CancelFunc]
	w.members[0].config.OnSeen = func(*ledger.Transaction) {
		if cancel := seen.Load(); cancel != nil {
			(*cancel)()
		}
	}
	w.start(0)
	w.ready(0, 0)
	w.define(0)
	key := w.members[0].key
	id, raw := w.study(0, 1)
	w.must(0, raw)
	flipped := slices.Clone(raw)
	flipped[len(flipped)-1] ^= 1
	elsewhere, err := ledger.Sign(nil, "another", ledger.RevokeAccess{Study: id, All: true}, key)
	if err != nil {
		t.Fatal(err)
	}
	twice := w.sign(ledger.DefineStudy{Studies: []ledger.StudyDefinition{{Study: id, Owner: keys.Owner{ID: keys.ID{1}}, Kind: ledger.RecordImaging}}}, key)
	for _, test := range []struct {
		name string
		raw  []byte
		want ledger.ErrorCode
	}{
		{"nothing", nil, ledger.CodeMalformed},
		{"garbage", []byte("hello, world"), ledger.CodeMalformed},
		{"too large", make([]byte, ledger.MaxTxBytes+1), ledger.CodeTooLarge},
		{"a bit flipped", flipped, ledger.CodeBadSignature},
		{"another chain", elsewhere, ledger.CodeBadSignature},
		{"study twice", twice, ledger.CodeStudyExists},
	} {
		if _, err := w.submit(0, test.raw); ledger.CodeOf(err) != test.want {
			t.Errorf("%s: got %v, want %s", test.name, err, test.want)
		}
		// A peer that gossips it gets no further.
		if err := w.members[0].engine.take(t.Context(), test.raw, "peer"); ledger.CodeOf(err) != test.want {
			t.Errorf("%s from a peer: got %v, want %s", test.name, err, test.want)
		}
		if n := w.members[0].engine.app.pool.Size(); n != 0 {
			t.Errorf("%s: %d transactions wait for a block, want none", test.name, n)
		}
	}

	ctx, cancel := context.WithCancel(t.Context())
	seen.Store(&cancel)
	_, raw = w.study(0, 2)
	if _, err := w.members[0].engine.Submit(ctx, raw); !errors.Is(err, ErrNotFinal) || !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled Submit: got %v, want ErrNotFinal and context.Canceled", err)
	}
	w.must(0, raw) // and submitting it again waits on

	engine := w.members[0].engine
	w.stop(0)
	if _, err := engine.Submit(t.Context(), raw); !errors.Is(err, ErrStopped) {
		t.Errorf("Submit after Stop: got %v, want ErrStopped", err)
	}
}

// TestProposals makes proposals and votes on them, good and bad.
func TestProposals(t *testing.T) {
	w := newNetwork(t, 1)
	w.start(0)
	w.ready(0, 0)
	w.define(0)
	app := w.members[0].engine.app
	_, good := w.study(0, 1)
	_, again := w.study(0, 1) // other bytes, the same study
	stranger := w.sign(ledger.UpdateSource{Version: 2, Endpoints: ledger.Endpoints{ITI43: "https://n.example/"}}, newKey(t))
	for _, test := range []struct {
		name string
		txs  [][]byte
		want abci.ResponseProcessProposal_ProposalStatus
	}{
		{"empty", nil, abci.ResponseProcessProposal_ACCEPT},
		{"good", [][]byte{good}, abci.ResponseProcessProposal_ACCEPT},
		{"refused by the state, which is for the block to find out", [][]byte{good, again, stranger}, abci.ResponseProcessProposal_ACCEPT},
		{"garbage", [][]byte{good, []byte("x")}, abci.ResponseProcessProposal_REJECT},
	} {
		got, err := app.ProcessProposal(t.Context(), &abci.RequestProcessProposal{Txs: test.txs})
		if err != nil || got.Status != test.want {
			t.Errorf("%s: got %v, %v, want %v", test.name, got, err, test.want)
		}
	}
	head := app.store.Snapshot()
	defer head.Close()
	_, more := w.study(0, 2)
	for _, test := range []struct {
		name   string
		height int64
		most   int64
		want   [][]byte
	}{
		{"room for all", head.Height() + 1, 1 << 20, [][]byte{good, more}},
		{"room for one", head.Height() + 1, txSize(good), [][]byte{good}},
		{"another height, whose state there is not", head.Height() + 2, 1 << 20, nil},
	} {
		got, err := app.PrepareProposal(t.Context(), &abci.RequestPrepareProposal{
			Txs: [][]byte{[]byte("x"), good, again, stranger, more}, MaxTxBytes: test.most, Height: test.height, Time: time.Now()})
		if err != nil || !slices.EqualFunc(got.GetTxs(), test.want, bytes.Equal) {
			t.Errorf("%s: got %d transactions, %v, want %d", test.name, len(got.GetTxs()), err, len(test.want))
		}
	}
}

// TestTwins submits two transactions of which only one can be true: one becomes final, the other is refused without ever
// standing in a block, where it would cost everybody and its signer nothing.
func TestTwins(t *testing.T) {
	w := newNetwork(t, 4)
	var mu sync.Mutex
	var blocks []Block
	w.members[0].config.OnCommit = func(b Block) { mu.Lock(); defer mu.Unlock(); blocks = append(blocks, b) }
	w.start(0, 1, 2, 3)
	w.ready(3, 0, 1, 2, 3)
	w.define(0)
	w.agree(w.members[0].engine.Status().Height, 0, 1, 2, 3)
	for n := range 8 {
		errs := make(chan error, 2)
		for twin := range 2 {
			_, raw := w.study(0, n)
			go func() { _, err := w.submit((n+twin)%4, raw); errs <- err }()
		}
		if a, b := <-errs, <-errs; (a == nil) == (b == nil) || ledger.CodeOf(errors.Join(a, b)) != ledger.CodeStudyExists {
			t.Errorf("got %v and %v, want one final and one %s", a, b, ledger.CodeStudyExists)
		}
	}
	for i, m := range w.members {
		eventually(t, 10*time.Second, fmt.Sprintf("the pool of node %d is empty", i), func() bool { return m.engine.app.pool.Size() == 0 })
	}
	mu.Lock()
	defer mu.Unlock()
	for i, b := range blocks {
		if i > 0 && b.Height != blocks[i-1].Height+1 {
			t.Errorf("block %d was reported after block %d", b.Height, blocks[i-1].Height)
		}
		for _, r := range b.Results {
			if r.Err != nil {
				t.Errorf("block %d has a transaction that was refused: %v", b.Height, r.Err)
			}
		}
	}
}

// TestStopLeavesNothing starts and stops a network and counts what is left.
func TestStopLeavesNothing(t *testing.T) {
	w := newNetwork(t, 2)
	before := len(goroutines())
	for range 2 {
		w.start(0, 1)
		w.ready(1, 0, 1)
		began := time.Now()
		w.stop(0, 1)
		if d := time.Since(began); d > 10*time.Second {
			t.Errorf("stopping two nodes took %v", d)
		}
	}
	defer func() {
		if t.Failed() {
			t.Log(strings.Join(goroutines(), "\n\n"))
		}
	}()
	eventually(t, 15*time.Second, "every goroutine has ended", func() bool { return len(goroutines()) <= before })
}

// goroutines returns the stacks of all goroutines but those that the engine's write-ahead log forgets at each stop, two
// for each start: its Group.Close closes the file and not what watches over it. The one of os/signal is for ever.
func goroutines() []string {
	buf := make([]byte, 4<<20)
	all := strings.Split(string(buf[:runtime.Stack(buf, true)]), "\n\n")
	return slices.DeleteFunc(all, func(s string) bool {
		return strings.Contains(s, "libs/autofile.OpenAutoFile") || strings.Contains(s, "os/signal.")
	})
}

// syncBuffer is a bytes.Buffer for concurrent use.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// TestSubmitTwice submits a transaction again that becomes final while the second one waits for its turn.
func TestSubmitTwice(t *testing.T) {
	w := newNetwork(t, 4)
	w.start(0, 1, 2, 3)
	w.ready(3, 0, 1, 2, 3)
	w.define(0)
	w.agree(w.members[0].engine.Status().Height, 0, 1, 2, 3)
	e := w.members[0].engine
	_, raw := w.study(0, 1)
	if _, err := e.app.parse(raw); err != nil { // so that verifying it takes no turn
		t.Fatal(err)
	}
	n := 0
	for ; n < max(1, runtime.GOMAXPROCS(0)/2); n++ {
		must(t, e.turns.take(t.Context(), "the test"))
	}
	type answer struct {
		Receipt
		err error
	}
	answers := make(chan answer, 2)
	go func() { r, err := e.Submit(t.Context(), raw); answers <- answer{r, err} }()
	go func() {
		_, err := e.Offer(t.Context(), raw)
		answers <- answer{err: err}
	}()
	eventually(t, 5*time.Second, "both wait", func() bool {
		e.turns.mu.Lock()
		defer e.turns.mu.Unlock()
		return len(e.turns.lanes[laneOf(raw)]) == 2
	})
	want := w.must(1, raw)
	eventually(t, 5*time.Second, "it is final", func() bool { return e.Status().Height >= want.Height })
	for range n {
		e.turns.give()
	}
	for range 2 {
		if a := <-answers; a.err != nil || a.Receipt != (Receipt{}) && a.Receipt != want {
			t.Errorf("got %+v, %v, want %+v", a.Receipt, a.err, want)
		}
	}
}
