package ledger_test

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"sync"
	"testing"
	"time"

	"collimate/keys"
	"collimate/ledger"
)

// testChain is the chain of the tests.
const testChain = "collimate-test"

// testTime is the genesis time of the tests; scripts count seconds from it.
var testTime = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// named derives 32 bytes from words, so that every run has the same keys, salts and blinds.
func named(words ...string) [32]byte {
	h := sha256.New()
	for _, w := range words {
		h.Write([]byte(w))
		h.Write([]byte{0})
	}
	return [32]byte(h.Sum(nil))
}

// keyOf returns the key of a party, by its name.
func keyOf(name string) ed25519.PrivateKey {
	seed := named("key", name)
	return ed25519.NewKeyFromSeed(seed[:])
}

// ids remembers what idOf has worked out: the model asks a hundred thousand times.
var ids sync.Map

func idOf(name string) keys.ID {
	if id, ok := ids.Load(name); ok {
		return id.(keys.ID)
	}
	id, err := keys.IDOf(keyOf(name).Public())
	if err != nil {
		panic(err)
	}
	ids.Store(name, id)
	remember(id, name)
	return id
}

// spoken has the names of what scripts speak of, by their hashes in hexadecimal.
var spoken sync.Map

func remember(hash [32]byte, name string) { spoken.Store(hex.EncodeToString(hash[:]), name) }

// nameOf returns the name of a hash in hexadecimal, if a script has spoken of it.
func nameOf(hash string) (string, bool) {
	name, ok := spoken.Load(hash)
	text, _ := name.(string)
	return text, ok
}

func validatorOf(name string) ed25519.PrivateKey {
	seed := named("validator", name)
	return ed25519.NewKeyFromSeed(seed[:])
}

// validatorKeyOf returns the key of a validator, by its name; "off-curve" has one by which nothing is signed.
func validatorKeyOf(name string) [32]byte {
	if name == "off-curve" {
		return offCurve
	}
	key := [32]byte(validatorOf(name).Public().(ed25519.PublicKey))
	remember(key, "validator-of-"+name)
	return key
}

// studyOf returns the id of a study, by its name. NAME.SOURCE.OWNER is a group; key-of-NAME is the KeyID of a party, as a
// StudyID can be anything.
func studyOf(name string) ledger.StudyID {
	if party, ok := strings.CutPrefix(name, "key-of-"); ok {
		return ledger.StudyID(idOf(party))
	}
	if words := strings.Split(name, "."); len(words) == 3 {
		nonce := named("nonce", words[0])
		id := ledger.NewGroupID([8]byte(nonce[:8]), source(words[1]), owner(words[2]))
		remember(id, name)
		return id
	}
	id := ledger.NewStudyID(named("salt", name), name)
	remember(id, name)
	return id
}

// sourceBody returns the definition of a source whose node has the validator key of the same name.
func sourceBody(name string) ledger.DefineSource {
	d := ledger.DefineSource{Endpoints: endpointsOf(name), ValidatorKey: validatorKeyOf(name)}
	d.ValidatorProof = proofOf(name, name)
	return d
}

func endpointsOf(host string) ledger.Endpoints {
	return ledger.Endpoints{ITI43: "https://" + host + ".example/xds/repository", Openings: "https://" + host + ".example/v1/openings"}
}

// studiesBody returns the definition of imaging studies.
func studiesBody(of string, names ...string) ledger.DefineStudy {
	var d ledger.DefineStudy
	for _, name := range names {
		d.Studies = append(d.Studies, ledger.StudyDefinition{Study: studyOf(name), Owner: owner(of), Kind: ledger.RecordImaging})
	}
	return d
}

// proofOf is the proof of a validator for a source.
func proofOf(validator, source string) [64]byte {
	message := ledger.ValidatorProofMessage(testChain, keys.Source{ID: idOf(source)})
	return [64]byte(ed25519.Sign(validatorOf(validator), message))
}

// signed signs a body with the key of a name, and parses the result.
func signed(t testing.TB, by string, body ledger.Body) *ledger.Transaction {
	t.Helper()
	raw, err := ledger.Sign(nil, testChain, body, keyOf(by))
	if err != nil {
		t.Fatalf("Sign: %v", err)
	}
	tx, err := ledger.Parse(testChain, raw)
	if err != nil {
		t.Fatalf("Parse: %v", err)
	}
	return tx
}

// unsigned returns a transaction whose signature has not been made. See ledger.Unsigned.
func unsigned(t testing.TB, by string, body ledger.Body) *ledger.Transaction {
	t.Helper()
	tx, err := ledger.Unsigned(testChain, idOf(by), body)
	if err != nil {
		t.Fatal(err)
	}
	return tx
}

// world is a state in memory that makes a block of each transaction.
type world struct {
	*ledger.Overlay
	at ledger.Context
}

// genesisOf is that of a chain with the validators of some names and one payer, bank.
func genesisOf(validators ...string) ledger.Genesis {
	g := ledger.Genesis{ChainID: testChain, Time: testTime, Payers: []ledger.PayerUnits{{Payer: payer("bank"), Units: 1_000_000}}}
	for _, v := range validators {
		g.Validators = append(g.Validators, validatorKeyOf(v))
	}
	return g
}

// newWorld begins a chain with the validators of some names, for whose sources bank has bonded 1000 units each. There
// is all the allowance that params can give: tests of other rules do not wait.
func newWorld(t testing.TB, validators ...string) *world {
	t.Helper()
	g := genesisOf(validators...)
	params := ledger.DefaultParams()
	params.WritesPerUnit, params.WritesPerStudy, params.SavedWrites = 1_000_000, 1_000_000, 10_000
	g.Params = &params
	w := &world{ledger.NewOverlay(nil), ledger.Context{Time: testTime}}
	if err := ledger.InitGenesis(w, g); err != nil {
		t.Fatalf("InitGenesis: %v", err)
	}
	for i, v := range validators {
		w.must(t, "bank", ledger.Bond{Source: source(v), Units: 1000, Sequence: uint64(i + 1)})
	}
	return w
}

func (w *world) writeHead(t testing.TB) {
	t.Helper()
	if err := w.Set(ledger.HeadEntry(ledger.Head{Height: w.at.Height, Time: w.at.Time})); err != nil {
		t.Fatal(err)
	}
}

// apply makes the next block.
func (w *world) apply(t testing.TB, tx *ledger.Transaction) error {
	t.Helper()
	return w.block(t, ledger.Observed{}, tx)
}

// block makes the next block, and returns the refusal of the last transaction.
func (w *world) block(t testing.TB, seen ledger.Observed, txs ...*ledger.Transaction) (refused error) {
	t.Helper()
	w.at.Height++
	if err := ledger.BeginBlock(w, w.at, seen); err != nil {
		t.Fatalf("BeginBlock: %v", err)
	}
	for _, tx := range txs {
		refused = ledger.Apply(w, tx, w.at)
	}
	w.writeHead(t)
	return refused
}

// must applies a transaction that is to stand.
func (w *world) must(t testing.TB, by string, body ledger.Body) {
	t.Helper()
	if err := w.apply(t, unsigned(t, by, body)); err != nil {
		t.Fatalf("%s by %s: %v", body.Kind(), by, err)
	}
}

func (w *world) snapshot(t testing.TB) *ledger.Snapshot {
	t.Helper()
	s, err := ledger.NewSnapshot(w)
	if err != nil {
		t.Fatalf("NewSnapshot: %v", err)
	}
	return s
}

func source(name string) keys.Source { return keys.Source{ID: idOf(name)} }

func payer(name string) keys.Payer { return keys.Payer{ID: idOf(name)} }

func owner(name string) keys.Owner {
	if name == "nobody" {
		return keys.Owner{}
	}
	return keys.Owner{ID: idOf(name)}
}
