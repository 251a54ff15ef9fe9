package consensus

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"collimate/keys"
	"collimate/ledger"
)

func testGenesis(n int) Genesis {
	g := Genesis{ChainID: "test", Time: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	for i := range n {
		seed := make([]byte, ed25519.SeedSize)
		binary.BigEndian.PutUint32(seed, uint32(i))
		key := ledger.ValidatorKey(ed25519.NewKeyFromSeed(seed).Public().(ed25519.PublicKey))
		g.Validators = append(g.Validators, Validator{Name: "v", Key: key, Power: 10})
	}
	g.Payers = payers(2)
	return g
}

func payers(n int) (all []Payer) {
	for i := range n {
		all = append(all, Payer{Name: "p", Key: keys.ID{2, byte(i)}, Units: 1000})
	}
	return all
}

func TestGenesisValidate(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*Genesis)
		ok     bool
	}{
		{"good", func(*Genesis) {}, true},
		{"longest chain id", func(g *Genesis) { g.ChainID = strings.Repeat("c", ledger.MaxChainIDBytes) }, true},
		{"longer chain id", func(g *Genesis) { g.ChainID = strings.Repeat("c", ledger.MaxChainIDBytes+1) }, false},
		{"no chain id", func(g *Genesis) { g.ChainID = "" }, false},
		{"no time", func(g *Genesis) { g.Time = time.Time{} }, false},
		{"no validators", func(g *Genesis) { g.Validators = nil }, false},
		{"most validators", func(g *Genesis) { *g = testGenesis(ledger.MaxValidators) }, true},
		{"one validator more", func(g *Genesis) { *g = testGenesis(ledger.MaxValidators + 1) }, false},
		{"same key", func(g *Genesis) { g.Validators[1].Key = g.Validators[0].Key }, false},
		{"unsound key", func(g *Genesis) { g.Validators[1].Key = ledger.ValidatorKey{1} }, false},
		{"no key", func(g *Genesis) { g.Validators[1].Key = ledger.ValidatorKey{} }, false},
		{"no power", func(g *Genesis) { g.Validators[0].Power = 0 }, false},
		{"most power", func(g *Genesis) { g.Validators[0].Power = maxPower }, true},
		{"more power", func(g *Genesis) { g.Validators[0].Power = maxPower + 1 }, false},
		{"longest name", func(g *Genesis) { g.Validators[0].Name = strings.Repeat("n", maxName) }, true},
		{"longer name", func(g *Genesis) { g.Validators[0].Name = strings.Repeat("n", maxName+1) }, false},
		{"no payers", func(g *Genesis) { g.Payers = nil }, false},
		{"most payers", func(g *Genesis) { g.Payers = payers(ledger.MaxPayers) }, true},
		{"one payer more", func(g *Genesis) { g.Payers = payers(ledger.MaxPayers + 1) }, false},
		{"same payer", func(g *Genesis) { g.Payers[1].Key = g.Payers[0].Key }, false},
		{"payer without a key", func(g *Genesis) { g.Payers[1].Key = keys.ID{} }, false},
		{"payer without units", func(g *Genesis) { g.Payers[0].Units = 0 }, false},
		{"most units", func(g *Genesis) { g.Payers[0].Units = ledger.MaxUnits }, true},
		{"one unit more", func(g *Genesis) { g.Payers[0].Units = ledger.MaxUnits + 1 }, false},
		{"payer with a longer name", func(g *Genesis) { g.Payers[0].Name = strings.Repeat("n", maxName+1) }, false},
		{"params", func(g *Genesis) { p := ledger.DefaultParams(); g.Params = &p }, true},
		{"params out of bounds", func(g *Genesis) { p := ledger.DefaultParams(); p.SavedDays = 0; g.Params = &p }, false},
	} {
		g := testGenesis(4)
		test.change(&g)
		if err := g.Validate(); (err == nil) != test.ok {
			t.Errorf("%s: got %v, want ok %t", test.name, err, test.ok)
		}
	}
}

func TestGenesisFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "genesis.json")
	g := testGenesis(2)
	if err := g.Save(path); err != nil {
		t.Fatal(err)
	}
	if err := g.Save(path); !errors.Is(err, fs.ErrExist) {
		t.Errorf("saving over a file: got %v, want fs.ErrExist", err)
	}
	got, err := LoadGenesis(path)
	if err != nil {
		t.Fatal(err)
	}
	a, err := g.Hash()
	if err != nil {
		t.Fatal(err)
	}
	b, err := got.Hash()
	if err != nil || a != b {
		t.Errorf("hash of what was loaded: got %x, %v, want %x", b, err, a)
	}
	// Frozen: nodes that differ here do not talk to each other.
	if want := "5b03aec214bb6a1d43d6404b666772fea0612569c26db9d2b20d467b699fae83"; fmt.Sprintf("%x", a) != want {
		t.Errorf("hash: got %x, want %s", a, want)
	}
	for _, bad := range []string{"", "{}", `{"chain_id":"c","extra":1}`, "[]"} {
		if _, err := ParseGenesis([]byte(bad)); err == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
	doc, err := json.Marshal(g)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ParseGenesis(append(doc, "{}"...)); err == nil {
		t.Error("something after the object was accepted")
	}

	// Every part of it counts.
	hashes := map[[32]byte]string{a: "itself"}
	for name, change := range map[string]func(*Genesis){
		"time":      func(g *Genesis) { g.Time = g.Time.Add(1) },
		"power":     func(g *Genesis) { g.Validators[0].Power++ },
		"units":     func(g *Genesis) { g.Payers[0].Units++ },
		"payer":     func(g *Genesis) { g.Payers[0].Key[0]++ },
		"name":      func(g *Genesis) { g.Payers[0].Name = "q" },
		"one param": func(g *Genesis) { p := ledger.DefaultParams(); p.JailTime++; g.Params = &p },
	} {
		other := testGenesis(2)
		change(&other)
		h, err := other.Hash()
		if was := hashes[h]; was != "" || err != nil {
			t.Errorf("another %s: the hash is that of %s, %v", name, was, err)
		}
		hashes[h] = name
	}
	defaults := ledger.DefaultParams()
	g.Params = &defaults
	if b, err := g.Hash(); a != b || err != nil {
		t.Errorf("with the default params: hash %x, %v, want %x", b, err, a)
	}
}

// TestGenesisParams leaves out a param, and adds one.
func TestGenesisParams(t *testing.T) {
	g := testGenesis(1)
	p := ledger.DefaultParams()
	p.AbsenceForfeit = 0
	g.Params = &p
	doc, err := json.Marshal(g)
	if err != nil {
		t.Fatal(err)
	}
	got, err := ParseGenesis(doc)
	if err != nil || *got.Params != p {
		t.Errorf("got %+v, %v, want %+v", got, err, p)
	}
	for _, bad := range []struct{ old, new string }{
		{`,"absence_forfeit":0`, ``},
		{`"jail_time":3600,`, ``},
		{`"jail_time":3600,`, `"jail_time":3600,"extra":1,`},
		{`"jail_time":3600,`, `"jail_time":0,`},
	} {
		changed := strings.Replace(string(doc), bad.old, bad.new, 1)
		if changed == string(doc) {
			t.Fatalf("%s is not in the genesis: %s", bad.old, doc)
		}
		if _, err := ParseGenesis([]byte(changed)); err == nil {
			t.Errorf("%q for %q was accepted", bad.new, bad.old)
		}
	}
}

func FuzzGenesis(f *testing.F) {
	g := testGenesis(1)
	b, err := json.Marshal(g)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		g, err := ParseGenesis(b)
		if err != nil {
			return
		}
		if _, err := g.Hash(); err != nil {
			t.Errorf("a valid genesis has no hash: %v", err)
		}
	})
}

func TestKeys(t *testing.T) {
	dir := t.TempDir()
	made, err := InitKeys(dir)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := LoadKeys(dir); got != made || err != nil {
		t.Errorf("got %+v, %v, want %+v", got, err, made)
	}
	if _, err := InitKeys(dir); !errors.Is(err, fs.ErrExist) {
		t.Errorf("making keys twice: got %v, want fs.ErrExist", err)
	}
	for _, name := range []string{fileIdentity, fileValidator} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: got %v, %v, want mode 0600", name, info.Mode(), err)
		}
	}
	if err := os.Chmod(filepath.Join(dir, fileValidator), 0o640); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadKeys(dir); err == nil || !strings.Contains(err.Error(), "chmod") {
		t.Errorf("a key that the group may read: got %v", err)
	}
	if err := os.Chmod(filepath.Join(dir, fileValidator), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, fileSigned)); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadKeys(dir); err == nil || !strings.Contains(err.Error(), "vote twice") {
		t.Errorf("without what was signed last: got %v", err)
	}
	for _, name := range []string{fileSigned, fileValidator} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("{"), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := LoadKeys(dir); err == nil {
			t.Errorf("a damaged %s was accepted", name)
		}
	}
}

func TestSignValidatorProof(t *testing.T) {
	dir := t.TempDir()
	if _, err := InitKeys(dir); err != nil {
		t.Fatal(err)
	}
	if _, err := SignValidatorProof(dir, ledger.ValidatorProofMessage("test", keys.Source{ID: keys.ID{1}})); err != nil {
		t.Error(err)
	}
	for _, msg := range []string{"", "collimate/validator-proof/v1", "a vote"} {
		if _, err := SignValidatorProof(dir, []byte(msg)); err == nil {
			t.Errorf("%q was signed", msg)
		}
	}
}

func TestConfigValidate(t *testing.T) {
	g := testGenesis(1)
	for _, test := range []struct {
		name   string
		change func(*Config)
		ok     bool
	}{
		{"good", func(*Config) {}, true},
		{"shortest heartbeat", func(c *Config) { c.Heartbeat = MinHeartbeat }, true},
		{"shorter heartbeat", func(c *Config) { c.Heartbeat = MinHeartbeat - 1 }, false},
		{"longest heartbeat", func(c *Config) { c.Heartbeat = MaxHeartbeat }, true},
		{"longer heartbeat", func(c *Config) { c.Heartbeat = MaxHeartbeat + 1 }, false},
		{"no directory", func(c *Config) { c.Dir = "" }, false},
		{"no genesis", func(c *Config) { c.Genesis = nil }, false},
		{"bad peer", func(c *Config) { c.Peers = []Peer{{}} }, false},
		{"replay", func(c *Config) { c.Sync = SyncReplay }, true},
		{"another way to join", func(c *Config) { c.Sync = "fast" }, false},
		{"first header trusted", func(c *Config) { c.Trust = &TrustedHeader{Height: 1} }, true},
		{"no header trusted", func(c *Config) { c.Trust = &TrustedHeader{} }, false},
		{"fewest blocks", func(c *Config) { c.RetainBlocks = MinRetainBlocks }, true},
		{"fewer blocks", func(c *Config) { c.RetainBlocks = MinRetainBlocks - 1 }, false},
		{"fewer than none", func(c *Config) { c.RetainBlocks = -1 }, false},
		{"long moniker", func(c *Config) { c.Moniker = strings.Repeat("m", maxName+1) }, false},
	} {
		c := Config{Dir: "d", Genesis: &g}
		test.change(&c)
		if err := c.Validate(); (err == nil) != test.ok {
			t.Errorf("%s: got %v, want ok %t", test.name, err, test.ok)
		}
		if test.ok {
			if err := c.engine().ValidateBasic(); err != nil {
				t.Errorf("%s: the engine refuses it: %v", test.name, err)
			}
		}
	}
}

func TestWaiters(t *testing.T) {
	w := newWaiters()
	a, b := ledger.TxID{1}, ledger.TxID{2}
	first, leave, err := w.wait(a)
	if err != nil {
		t.Fatal(err)
	}
	second, _, err := w.wait(a)
	if err != nil {
		t.Fatal(err)
	}
	other, leaveOther, err := w.wait(b)
	if err != nil {
		t.Fatal(err)
	}
	w.settle(a, outcome{receipt: Receipt{Height: 7}})
	for _, c := range []<-chan outcome{first, second} {
		if o := <-c; o.receipt.Height != 7 {
			t.Errorf("got %+v, want height 7", o)
		}
	}
	leave() // after the outcome: nothing
	leaveOther()
	leaveOther()
	if w.n != 0 || len(w.by) != 0 {
		t.Errorf("%d waiters for %d transactions are left", w.n, len(w.by))
	}
	if len(other) != 0 {
		t.Error("another transaction got an outcome")
	}

	for range maxWaiters {
		if _, _, err := w.wait(b); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, err := w.wait(a); !errors.Is(err, ErrBusy) {
		t.Errorf("one waiter too many: got %v, want ErrBusy", err)
	}
	w.settle(b, outcome{})
	last, _, err := w.wait(a)
	if err != nil {
		t.Fatal(err)
	}
	w.close()
	if o := <-last; !errors.Is(o.err, ErrStopped) {
		t.Errorf("after close: got %v, want ErrStopped", o.err)
	}
	if _, _, err := w.wait(a); !errors.Is(err, ErrStopped) {
		t.Errorf("waiting after close: got %v, want ErrStopped", err)
	}
}

func TestVerified(t *testing.T) {
	key := newKey(t)
	sign := func(epoch uint64) []byte {
		t.Helper()
		raw, err := ledger.Sign(nil, "test", ledger.RevokeAccess{All: true, Epoch: epoch}, key)
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	raw := sign(0)
	v := newVerified()
	first, err := v.parse("test", raw)
	if err != nil {
		t.Fatal(err)
	}
	raw[len(raw)-1] ^= 1 // the memory keeps its own bytes
	if got := v.get(first.ID); got != first || sha256.Sum256(got.Raw) != first.ID {
		t.Error("what was verified is not remembered")
	}
	if _, err := v.parse("test", raw); ledger.CodeOf(err) != ledger.CodeBadSignature {
		t.Errorf("got %v, want %s", err, ledger.CodeBadSignature)
	}
	if len(v.young) != 1 {
		t.Errorf("%d transactions are remembered, want 1: a bad one must not be", len(v.young))
	}
	for i := range maxVerified {
		v.young[ledger.TxID{1, byte(i), byte(i >> 8)}] = first
	}
	if _, err := v.parse("test", sign(1)); err != nil {
		t.Fatal(err)
	}
	if len(v.young) != 1 || len(v.old) < maxVerified || v.get(first.ID) != first {
		t.Errorf("%d young and %d old, want 1 and at least %d", len(v.young), len(v.old), maxVerified)
	}
}

func TestReceipts(t *testing.T) {
	dir := t.TempDir()
	r, err := openReceipts(dir, nil, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 1, 2, 3, 4, 5, 678_901_234, time.UTC)
	good, refused := ledger.TxID{1}, ledger.TxID{2}
	want := Receipt{TxID: good, Height: 9, Time: at}
	err = r.add(Block{Height: 9, Time: at, Results: []Result{
		{Tx: &ledger.Transaction{ID: good}},
		{Tx: &ledger.Transaction{ID: refused}, Err: &ledger.Error{}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.db.Close(); err != nil {
		t.Fatal(err)
	}
	if r, err = openReceipts(dir, nil, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	defer r.db.Close()
	if got, ok, err := r.get(good); got != want || !ok || err != nil {
		t.Errorf("got %+v, %t, %v, want %+v", got, ok, err, want)
	}
	if _, ok, err := r.get(refused); ok || err != nil {
		t.Errorf("a refused transaction has a receipt: %t, %v", ok, err)
	}
}

func TestEngineLog(t *testing.T) {
	var out bytes.Buffer
	var halt error
	var calm atomic.Bool
	l := engineLog{to: slog.New(slog.NewTextHandler(&out, nil)), halt: func(err error) { halt = err }, calm: &calm}
	l.Info("chatter")
	peerLog{l}.With("peer", 1).Error("a send failed")
	if out.Len() > 0 || halt != nil {
		t.Errorf("got %s, %v, want silence", out.String(), halt)
	}
	l.With("height", 3).Error("trouble", "err", errors.New("no disk"))
	if got := out.String(); !strings.Contains(got, "level=WARN msg=trouble height=3 err=\"no disk\"") {
		t.Errorf("got %s", got)
	}
	calm.Store(true)
	out.Reset()
	l.Error("already stopped")
	if out.Len() > 0 {
		t.Errorf("got %s while stopping, want silence", out.String())
	}
	l.With("a", 1).Error(halted, "err", "boom")
	if halt == nil || !strings.Contains(out.String(), "level=ERROR") {
		t.Errorf("the end was not noticed: %v, %s", halt, out.String())
	}
}
