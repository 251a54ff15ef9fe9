package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"collimate/consensus"
	"collimate/gateway"
	"collimate/keys"
	"collimate/keys/keystore"
	"collimate/ledger"
	"collimate/node"
	"collimate/node/client"
)

// ledgerWorld is a network of one node, and a directory with the keys of everybody.
type ledgerWorld struct {
	t       *testing.T
	dir     string
	node    *client.Client
	genesis *consensus.Genesis
	keys    map[string]keys.ID
}

func newLedgerWorld(t *testing.T, names ...string) *ledgerWorld {
	t.Helper()
	w := &ledgerWorld{t: t, dir: t.TempDir(), keys: map[string]keys.ID{}}
	for _, name := range names {
		key, err := keystore.Generate(keystore.P256)
		if err != nil {
			t.Fatal(err)
		}
		if err := keystore.Save(w.file(name+".key"), key); err != nil {
			t.Fatal(err)
		}
		if w.keys[name], err = keys.IDOf(key.Public()); err != nil {
			t.Fatal(err)
		}
	}
	k, err := consensus.InitKeys(w.file("node"))
	if err != nil {
		t.Fatal(err)
	}
	udp, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	listen := udp.LocalAddr().String()
	udp.Close()
	params := ledger.DefaultParams()
	params.ChangeBlocks, params.RecoveryTime = 1, 1
	w.genesis = &consensus.Genesis{
		ChainID: "cmd-test", Time: time.Now().UTC().Add(-time.Second),
		Validators: []consensus.Validator{{Name: "north", Key: k.ValidatorKey, Power: 10}},
		Payers:     []consensus.Payer{{Name: "payer", Key: w.keys["payer"], Units: 1000}},
		Params:     &params,
	}
	if err := w.genesis.Save(w.file("genesis.json")); err != nil {
		t.Fatal(err)
	}
	n, err := node.New(t.Context(), node.Config{Dir: w.file("node"), API: "127.0.0.1:0", Genesis: w.genesis, Listen: listen, Heartbeat: time.Second},
		slog.New(slog.NewTextHandler(io.Discard, nil)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		if err := n.Stop(ctx); err != nil {
			t.Error(err)
		}
	})
	if err := n.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.node = client.New("http://" + n.Addr().String())
	return w
}

func (w *ledgerWorld) file(name string) string { return filepath.Join(w.dir, name) }

// submit signs and submits what has no command here.
func (w *ledgerWorld) submit(body ledger.Body, by string) {
	w.t.Helper()
	key, err := keystore.Load(w.file(by + ".key"))
	if err != nil {
		w.t.Fatal(err)
	}
	raw, err := ledger.Sign(nil, w.genesis.ChainID, body, key)
	if err != nil {
		w.t.Fatal(err)
	}
	if _, err := w.node.Submit(w.t.Context(), raw); err != nil {
		w.t.Fatal(err)
	}
}

// define makes the network's only validator that of a source.
func (w *ledgerWorld) define(source string) {
	w.t.Helper()
	proof, err := consensus.SignValidatorProof(w.file("node"), ledger.ValidatorProofMessage(w.genesis.ChainID, keys.Source{ID: w.keys[source]}))
	if err != nil {
		w.t.Fatal(err)
	}
	w.submit(ledger.DefineSource{
		Endpoints:    ledger.Endpoints{ITI43: "https://n.example/iti43"},
		ValidatorKey: w.genesis.Validators[0].Key, ValidatorProof: proof,
	}, source)
}

// try runs a command line in the world's directory. $NAME stands for a key id, and FILE: for the directory.
func (w *ledgerWorld) try(line string) (stdout string, err error) {
	w.t.Helper()
	var out, errs bytes.Buffer
	a := &app{stdout: &out, stderr: &errs}
	root := a.root()
	line = regexp.MustCompile(`\$(\w+)`).ReplaceAllStringFunc(line, func(name string) string { return w.keys[name[1:]].String() })
	args := strings.Fields(strings.ReplaceAll(line, "FILE:", w.dir+"/"))
	if !strings.HasPrefix(line, "ledger check") {
		args = append(args, "--node", w.node.URL())
	}
	if !strings.HasPrefix(line, "ledger") { // those that sign
		args = append(args, "--genesis", w.file("genesis.json"))
	}
	root.SetArgs(args)
	err = root.ExecuteContext(w.t.Context())
	return out.String(), err
}

func (w *ledgerWorld) run(line string) string {
	w.t.Helper()
	out, err := w.try(line)
	if err != nil {
		w.t.Fatalf("%s: %v", line, err)
	}
	return out
}

// refused runs a command line that the ledger refuses.
func (w *ledgerWorld) refused(line string, code ledger.ErrorCode) {
	w.t.Helper()
	if out, err := w.try(line); ledger.CodeOf(err) != code {
		w.t.Errorf("%s: got %q, %v, want %s", line, out, err, code)
	}
}

// TestLedgerCommands plays a payer, a source, an owner with guardians, and a doctor in an emergency.
func TestLedgerCommands(t *testing.T) {
	w := newLedgerWorld(t, "payer", "north", "north2", "north3", "patient", "new", "anna", "ben", "doctor")
	ctx := t.Context()
	w.run("payer bond 100 --source $north --key FILE:payer.key")
	w.run("payer unbond 40 --source FILE:north.key --key FILE:payer.key")
	w.refused("payer bond 2000 --source $north --key FILE:payer.key", ledger.CodeOverLimit)
	if _, err := w.try("payer bond 1 --source $north --key FILE:north.key"); err == nil {
		t.Error("who is no payer put up a bond")
	}
	if s, err := w.node.Stake(ctx, keys.Source{ID: w.keys["north"]}); err != nil || s.Units != 60 {
		t.Errorf("stake: got %+v, %v, want 60 units", s, err)
	}

	source := keys.Source{ID: w.keys["north"]}
	patient := keys.Owner{ID: w.keys["patient"]}
	group, study := ledger.NewGroupID([8]byte{1}, source, patient), ledger.StudyID{2}
	w.define("north")
	w.submit(ledger.DefineStudy{Studies: []ledger.StudyDefinition{{Study: group, Owner: patient, Kind: ledger.RecordGroup}, {Study: study, Owner: patient, Kind: ledger.RecordImaging}}}, "north")
	w.submit(ledger.UpdateSource{Version: 2, Endpoints: ledger.Endpoints{ITI43: "https://n.example/iti43"}, EmergencyGroups: []ledger.StudyID{group}}, "north")

	// The doctor is a member of the group.
	member := gateway.Opening{Study: group, Grantee: keys.Grantee{ID: w.keys["doctor"]}, Blind: gateway.Secret{7}}
	raw, err := json.Marshal(member)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(w.file("member.json"), raw, 0o600); err != nil {
		t.Fatal(err)
	}
	w.submit(ledger.AllowAccess{Study: group, Commitment: ledger.NewCommitment(member.Blind, member.Grantee, group), NotAfter: time.Now().Add(time.Hour).Unix(), Scope: ledger.ScopeAll}, "patient")
	w.run("emergency --study " + study.String() + " --membership FILE:member.json --reason accident --key FILE:doctor.key --out FILE:reason.json")
	w.refused("emergency --study "+study.String()+" --membership FILE:member.json --reason accident --key FILE:anna.key --out FILE:reason2.json", ledger.CodeNotAdmitted)
	if all, err := w.node.Emergencies(ctx, study); err != nil || len(all) != 1 || all[0].Requester.ID != w.keys["doctor"] {
		t.Errorf("emergencies: got %+v, %v", all, err)
	}

	// The patient loses the key.
	w.run("owner guardians --study " + study.String() + " --guardian $anna --guardian $ben --threshold 2 --delay 1h --key FILE:patient.key --out " + w.dir)
	cards, err := filepath.Glob(w.file("guardian-*.json"))
	if err != nil || len(cards) != 2 {
		t.Fatalf("got %v, %v, want two guardians' files", cards, err)
	}
	if out := w.run("owner recover --guardianship " + cards[0] + " --to $new --key FILE:anna.key"); strings.Contains(out, "enough agree") {
		t.Errorf("got %q after one of two", out)
	}
	w.refused("owner recover --guardianship "+cards[0]+" --to $new --key FILE:ben.key", ledger.CodeNotGuardian)
	w.run("owner recover --guardianship " + cards[0] + " --to $anna --key FILE:anna.key") // thought better of it
	w.run("owner recover --guardianship " + cards[0] + " --to $new --key FILE:anna.key")
	if out := w.run("owner recover --guardianship " + cards[1] + " --to $new --key FILE:ben.key"); !strings.Contains(out, "enough agree") {
		t.Errorf("got %q after two of two", out)
	}
	w.run("owner cancel-recovery --study " + study.String() + " --key FILE:patient.key")
	w.refused("owner cancel-recovery --study "+study.String()+" --key FILE:patient.key", ledger.CodeNoRecovery)
	w.run("owner guardians --study " + study.String() + " --key FILE:patient.key")
	if g, err := w.node.Guardians(ctx, study); err != nil || g.Threshold != 0 || len(g.Guardians) != 0 {
		t.Errorf("guardians: got %+v, %v, want none", g, err)
	}
	var events []client.Event
	if err := json.Unmarshal([]byte(w.run("ledger history --study "+study.String()+" --key FILE:patient.key")), &events); err != nil || len(events) != 8 {
		t.Errorf("got %d events, %v, want 8: %+v", len(events), err, events)
	}

	w.run("source rotate --key FILE:north.key --new FILE:north2.key")
	if _, err := w.try("source rotate --key FILE:north.key --new FILE:doctor.key"); err == nil {
		t.Error("the earlier key still speaks for the source")
	}
	w.refused("source unjail --key FILE:north2.key", ledger.CodeNotJailed)
	if s, err := w.node.Source(ctx, source); err != nil || s.Key != w.keys["north2"] || len(s.TLSKeys(time.Now())) != 2 {
		t.Errorf("source: got %+v, %v", s, err)
	}
	w.run("source rotate --compromised --key FILE:north2.key --new FILE:north3.key")
	if s, err := w.node.Source(ctx, source); err != nil || s.Key != w.keys["north3"] || len(s.TLSKeys(time.Now())) != 1 {
		t.Errorf("source after a theft: got %+v, %v", s, err)
	}

	if err := os.WriteFile(w.file("params.json"), []byte(`{"writes_per_study": 48}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if out := w.run("payer set-params --params FILE:params.json --payer $ben=7 --key FILE:payer.key"); !strings.Contains(out, "it is decided") {
		t.Errorf("got %q", out)
	}
	if next, err := w.node.NextParams(ctx); err != nil || next.Params.WritesPerStudy != 48 || next.Params.SavedWrites != 64 || len(next.Payers) != 1 {
		t.Errorf("next params: got %+v, %v", next, err)
	}

	// Whoever trusts no node, reads the same.
	last, err := w.node.Status(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for s := last; s.Height <= last.Height; time.Sleep(50 * time.Millisecond) { // a proof needs the block after
		if s, err = w.node.Status(ctx); err != nil {
			t.Fatal(err)
		}
	}
	for _, line := range []string{"ledger source $north", "ledger source " + source.Alias(), "ledger study --study " + study.String(), "ledger grants --study " + group.String()} {
		if trusting, proven := w.run(line), w.run(line+" --genesis FILE:genesis.json"); trusting != proven || len(proven) < 200 {
			t.Errorf("%s: got %s, and through proofs %s", line, trusting, proven)
		}
	}
	w.run(fmt.Sprintf("ledger proof %x %x --out FILE:proof", ledger.KeyStudy(study), ledger.KeyStudy(ledger.StudyID{9})))
	if out := w.run("ledger check FILE:proof --genesis FILE:genesis.json"); strings.Count(out, "absent") != 1 || strings.Count(out, "\n") != 3 {
		t.Errorf("got %s", out)
	}
	raw, err = os.ReadFile(w.file("proof"))
	if err != nil {
		t.Fatal(err)
	}
	raw[len(raw)-40] ^= 1
	if err := os.WriteFile(w.file("bad"), raw, 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := w.try("ledger check FILE:bad --genesis FILE:genesis.json"); err == nil {
		t.Errorf("changed proofs are accepted: %s", out)
	}
}
