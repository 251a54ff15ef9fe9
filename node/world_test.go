package node

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"collimate/consensus"
	"collimate/keys"
	"collimate/keys/keystore"
	"collimate/ledger"
	"collimate/node/client"
)

// world is a test network on 127.0.0.1, with the keys of a payer, of a source, whose is node 0, and of an owner.
type world struct {
	t       *testing.T
	genesis *consensus.Genesis
	configs []Config
	payer   crypto.Signer
	source  crypto.Signer
	owner   crypto.Signer

	writeTimeout time.Duration // of the API; 0 means the node's own
}

func newWorld(t *testing.T, n int) *world {
	t.Helper()
	w := &world{t: t, genesis: &consensus.Genesis{ChainID: "node-test", Time: time.Now().UTC().Add(-time.Second)}}
	w.payer, w.source, w.owner = newKey(t), newKey(t), newKey(t)
	w.genesis.Payers = []consensus.Payer{{Name: "payer", Key: idOf(t, w.payer), Units: 1000}}
	root := t.TempDir()
	udp, tcp := freeUDP(t, n), freeTCP(t, n)
	var peers []consensus.Peer
	for i := range n {
		dir := filepath.Join(root, fmt.Sprintf("n%d", i))
		k, err := consensus.InitKeys(dir)
		if err != nil {
			t.Fatal(err)
		}
		w.genesis.Validators = append(w.genesis.Validators, consensus.Validator{Key: k.ValidatorKey, Power: 10})
		peers = append(peers, consensus.Peer{ID: k.PeerID, Addr: udp[i]})
		w.configs = append(w.configs, Config{Dir: dir, API: tcp[i], Genesis: w.genesis, Listen: udp[i], Heartbeat: 2 * time.Second})
	}
	for i := range w.configs {
		w.configs[i].Peers = peers
	}
	return w
}

func newKey(t *testing.T) crypto.Signer {
	t.Helper()
	k, err := keystore.Generate(keystore.P256)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func idOf(t *testing.T, k crypto.Signer) keys.ID {
	t.Helper()
	id, err := keys.IDOf(k.Public())
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func freeUDP(t *testing.T, n int) (addrs []string) {
	t.Helper()
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

func freeTCP(t *testing.T, n int) (addrs []string) {
	t.Helper()
	for range n {
		l, err := net.Listen("tcp4", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		addrs = append(addrs, l.Addr().String())
	}
	return addrs
}

func testLog() *slog.Logger {
	level := slog.LevelError
	if os.Getenv("COLLIMATE_TEST_DEBUG") != "" {
		level = slog.LevelDebug
	}
	return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level}))
}

// start starts node i in this process, until the test ends or stop is called.
func (w *world) start(i int) (n *Node, stop func()) {
	w.t.Helper()
	n, err := New(w.t.Context(), w.configs[i], testLog())
	if err != nil {
		w.t.Fatal(err)
	}
	stop = func() {
		w.t.Helper()
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		if err := n.Stop(ctx); err != nil {
			w.t.Errorf("stopping node %d: %v", i, err)
		}
	}
	w.t.Cleanup(stop)
	n.server.Handler = conforming(w.t, n.server.Handler)
	if w.writeTimeout > 0 {
		n.server.WriteTimeout = w.writeTimeout
	}
	if err := n.Start(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	return n, stop
}

func (w *world) client(i int) *client.Client { return client.New("http://" + w.configs[i].API) }

// ready waits until a node answers, has caught up and sees n peers.
func (w *world) ready(c *client.Client, peers int) {
	w.t.Helper()
	eventually(w.t, c.URL()+" is ready", func() bool {
		s, err := c.Status(w.t.Context())
		return err == nil && !s.CatchingUp && s.Peers >= peers && s.Height > 0
	})
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	end := time.After(30 * time.Second)
	for !ok() {
		select {
		case <-tick.C:
		case <-end:
			t.Fatalf("not in time: %s", what)
		}
	}
}

func (w *world) sign(body ledger.Body, key crypto.Signer) []byte {
	w.t.Helper()
	raw, err := ledger.Sign(nil, w.genesis.ChainID, body, key)
	if err != nil {
		w.t.Fatal(err)
	}
	return raw
}

func (w *world) must(c *client.Client, raw []byte) client.Receipt {
	w.t.Helper()
	r, err := submit(w.t, c, raw)
	if err != nil {
		w.t.Fatalf("submitting to %s: %v", c.URL(), err)
	}
	return r
}

// submit waits on until the transaction is final or refused.
func submit(t *testing.T, c *client.Client, raw []byte) (client.Receipt, error) {
	for {
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		r, err := c.Submit(ctx, raw)
		cancel()
		var e *client.Error
		if errors.As(err, &e) && e.Code == client.CodeNotFinal {
			continue
		}
		return r, err
	}
}

// publish makes node 0 a source with one study of the owner's, and returns it.
func (w *world) publish(c *client.Client) ledger.StudyID {
	w.t.Helper()
	source := keys.Source{ID: idOf(w.t, w.source)}
	proof, err := consensus.SignValidatorProof(w.configs[0].Dir, ledger.ValidatorProofMessage(w.genesis.ChainID, source))
	if err != nil {
		w.t.Fatal(err)
	}
	w.must(c, w.sign(ledger.Bond{Source: source, Units: 100, Sequence: 1}, w.payer))
	w.must(c, w.sign(ledger.DefineSource{
		Endpoints: ledger.Endpoints{ITI43: "https://n.example/iti43", Openings: "https://n.example/openings"},
		OIDs:      []string{"1.2.3.4"}, ValidatorKey: w.genesis.Validators[0].Key, ValidatorProof: proof,
	}, w.source))
	return w.study(c, 1)
}

func (w *world) study(c *client.Client, n int) ledger.StudyID {
	w.t.Helper()
	id := ledger.NewStudyID([32]byte{1}, fmt.Sprintf("1.2.3.%d", n))
	w.must(c, w.sign(ledger.DefineStudy{Studies: []ledger.StudyDefinition{
		{Study: id, Owner: keys.Owner{ID: idOf(w.t, w.owner)}, Kind: ledger.RecordImaging},
	}}, w.source))
	return id
}

// grant lets somebody in, and returns the commitment.
func (w *world) grant(c *client.Client, study ledger.StudyID, blind byte) ledger.Commitment {
	w.t.Helper()
	com := ledger.NewCommitment([32]byte{blind}, keys.Grantee{ID: keys.ID{9}}, study)
	w.must(c, w.sign(ledger.AllowAccess{Study: study, Commitment: com, NotAfter: time.Now().Add(time.Hour).Unix(), Scope: ledger.ScopeAll}, w.owner))
	return com
}
