package consensus

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"collimate/keys"
	"collimate/keys/keystore"
	"collimate/ledger"
	"collimate/ledger/store"
)

// member is a node of a test network; engine is nil while it is down.
type member struct {
	dir    string
	keys   NodeKeys
	config Config
	store  *store.Store
	engine *Engine
	key    crypto.Signer // of the source that runs it
}

// network is a test network on 127.0.0.1, all in this process.
type network struct {
	t       testing.TB
	genesis *Genesis
	members []*member
	payer   crypto.Signer
	bonds   uint64       // so far
	filler  int          // studies so far that are there to make blocks
	log     *slog.Logger // nil for testLog
}

const testHeartbeat = 2 * time.Second

func newNetwork(t testing.TB, n int) *network {
	t.Helper()
	root := t.TempDir()
	w := &network{t: t, genesis: &Genesis{ChainID: "test-" + fmt.Sprint(n), Time: time.Now().UTC().Add(-time.Second)}, payer: newKey(t)}
	w.genesis.Payers = []Payer{{Name: "fund", Key: idOf(t, w.payer), Units: 1_000_000}}
	addrs := freeAddrs(t, n)
	var peers []Peer
	for i := range n {
		m := &member{dir: filepath.Join(root, fmt.Sprintf("n%d", i))}
		var err error
		if m.keys, err = InitKeys(m.dir); err != nil {
			t.Fatal(err)
		}
		m.key = newKey(t)
		w.genesis.Validators = append(w.genesis.Validators, Validator{Name: fmt.Sprintf("n%d", i), Key: m.keys.ValidatorKey, Power: 10})
		peers = append(peers, Peer{ID: m.keys.PeerID, Addr: addrs[i]})
		w.members = append(w.members, m)
	}
	for i, m := range w.members {
		m.config = Config{Dir: m.dir, Moniker: fmt.Sprintf("n%d", i), Genesis: w.genesis, Listen: addrs[i], Peers: peers, Heartbeat: testHeartbeat}
	}
	t.Cleanup(func() {
		var all []int
		for i := range w.members {
			all = append(all, i)
		}
		w.stop(all...)
	})
	return w
}

// freeAddrs returns n different UDP addresses on 127.0.0.1 that were free a moment ago.
func freeAddrs(t testing.TB, n int) []string {
	t.Helper()
	var addrs []string
	for range n {
		c, err := net.ListenPacket("udp4", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close() // all are held until the last is chosen
		addrs = append(addrs, c.LocalAddr().String())
	}
	return addrs
}

func testLog(i int) *slog.Logger {
	level := slog.LevelError
	if testing.Verbose() {
		level = slog.LevelWarn
	}
	if os.Getenv("COLLIMATE_TEST_DEBUG") != "" {
		level = slog.LevelDebug
	}
	return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level})).With("node", i)
}

func (w *network) start(is ...int) {
	w.t.Helper()
	errs := make([]error, len(is))
	var all sync.WaitGroup
	for at, i := range is {
		all.Go(func() { errs[at] = w.tryStart(i) })
	}
	all.Wait()
	if err := errors.Join(errs...); err != nil {
		w.t.Fatalf("starting nodes %v: %v", is, err)
	}
}

func (w *network) tryStart(i int) error {
	m := w.members[i]
	log := w.log
	if log == nil {
		log = testLog(i)
	}
	var err error
	if err = Join(w.t.Context(), m.config, log); err != nil {
		return err
	}
	if m.store, err = store.Open(LedgerDir(m.dir), store.Options{Logger: log}); err != nil {
		return err
	}
	if m.engine, err = New(w.t.Context(), m.config, m.store, log); err != nil {
		m.store.Close()
		m.store = nil
		return err
	}
	return m.engine.Start(w.t.Context())
}

func (w *network) stop(is ...int) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	var all sync.WaitGroup
	for _, i := range is {
		m := w.members[i]
		if m.engine == nil {
			continue
		}
		all.Go(func() {
			if err := m.engine.Stop(ctx); err != nil {
				w.t.Errorf("stopping node %d: %v", i, err)
			}
			if err := m.store.Close(); err != nil {
				w.t.Errorf("closing the store of node %d: %v", i, err)
			}
			m.engine, m.store = nil, nil
		})
	}
	all.Wait()
}

// eventually waits until ok holds.
func eventually(t testing.TB, within time.Duration, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	end := time.After(within)
	for !ok() {
		select {
		case <-tick.C:
		case <-end:
			t.Fatalf("not within %v: %s", within, what)
		}
	}
}

// ready waits until nodes have caught up with n peers.
func (w *network) ready(n int, is ...int) {
	w.t.Helper()
	for _, i := range is {
		eventually(w.t, 20*time.Second, fmt.Sprintf("node %d is ready", i), func() bool {
			s := w.members[i].engine.Status()
			return !s.CatchingUp && s.Peers >= n && s.Height > 0
		})
	}
}

func (w *network) sign(body ledger.Body, key crypto.Signer) []byte {
	w.t.Helper()
	raw, err := ledger.Sign(nil, w.genesis.ChainID, body, key)
	if err != nil {
		w.t.Fatal(err)
	}
	return raw
}

func (w *network) submit(i int, raw []byte) (Receipt, error) {
	ctx, cancel := context.WithTimeout(w.t.Context(), 15*time.Second)
	defer cancel()
	return w.members[i].engine.Submit(ctx, raw)
}

func (w *network) must(i int, raw []byte) Receipt {
	w.t.Helper()
	r, err := w.submit(i, raw)
	if err != nil {
		w.t.Fatalf("submitting to node %d: %v", i, err)
	}
	return r
}

// bond puts up units for a source.
func (w *network) bond(i int, source crypto.Signer, units uint64) {
	w.t.Helper()
	w.bonds++
	w.must(i, w.sign(ledger.Bond{Source: keys.Source{ID: idOf(w.t, source)}, Units: units, Sequence: w.bonds}, w.payer))
}

// define makes node i a source, with a bond for 300,000 studies.
func (w *network) define(i int) { w.t.Helper(); w.defineWith(i, 1000) }

func (w *network) defineWith(i int, units uint64) {
	w.t.Helper()
	m := w.members[i]
	w.bond(i, m.key, units)
	proof, err := SignValidatorProof(m.dir, ledger.ValidatorProofMessage(w.genesis.ChainID, keys.Source{ID: idOf(w.t, m.key)}))
	if err != nil {
		w.t.Fatal(err)
	}
	w.must(i, w.sign(ledger.DefineSource{
		Endpoints:    ledger.Endpoints{ITI43: "https://n.example/iti43", Openings: "https://n.example/openings"},
		ValidatorKey: m.keys.ValidatorKey, ValidatorProof: proof,
	}, m.key))
}

func newKey(t testing.TB) crypto.Signer {
	t.Helper()
	k, err := keystore.Generate(keystore.P256)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func idOf(t testing.TB, k crypto.Signer) keys.ID {
	t.Helper()
	id, err := keys.IDOf(k.Public())
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// study returns the transaction by which node i defines study n for its own key as owner.
func (w *network) study(i, n int) (ledger.StudyID, []byte) {
	w.t.Helper()
	m := w.members[i]
	id := ledger.NewStudyID([32]byte{byte(i)}, fmt.Sprintf("1.2.3.%d", n))
	return id, w.sign(ledger.DefineStudy{Studies: []ledger.StudyDefinition{{Study: id, Owner: keys.Owner{ID: idOf(w.t, m.key)}, Kind: ledger.RecordImaging}}}, m.key)
}

// agree waits until nodes have the same height, and fails if they then differ in the app hash.
func (w *network) agree(height int64, is ...int) {
	w.t.Helper()
	eventually(w.t, 20*time.Second, fmt.Sprintf("nodes %v agree on a height from %d", is, height), func() bool {
		first := w.members[is[0]].engine.Status()
		for _, i := range is {
			s := w.members[i].engine.Status()
			if s.Height < height || s.Height != first.Height {
				return false
			}
			if s.AppHash != first.AppHash {
				w.t.Fatalf("at height %d node %d has app hash %s, node %d has %s", s.Height, i, s.AppHash, is[0], first.AppHash)
			}
		}
		return true
	})
}
