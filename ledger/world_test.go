package ledger_test

import (
	"crypto/ed25519"
	"crypto/sha256"
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
	return id
}

func validatorOf(name string) ed25519.PrivateKey {
	seed := named("validator", name)
	return ed25519.NewKeyFromSeed(seed[:])
}

func validatorKeyOf(name string) [32]byte {
	return [32]byte(validatorOf(name).Public().(ed25519.PublicKey))
}

func studyOf(name string) ledger.StudyID {
	return ledger.NewStudyID(named("salt", name), name)
}

// sourceBody returns the definition of a source whose node has the validator key of the same name.
func sourceBody(name string, version uint64) ledger.DefineSource {
	d := ledger.DefineSource{
		Version:      version,
		Endpoints:    ledger.Endpoints{ITI43: "https://" + name + ".example/xds/repository", Openings: "https://" + name + ".example/v1/openings"},
		ValidatorKey: validatorKeyOf(name),
	}
	d.ValidatorProof = proofOf(name, name)
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

// newWorld begins a chain with the validators of some names.
func newWorld(t testing.TB, validators ...string) *world {
	t.Helper()
	g := ledger.Genesis{ChainID: testChain, Time: testTime}
	for _, v := range validators {
		g.Validators = append(g.Validators, validatorKeyOf(v))
	}
	w := &world{ledger.NewOverlay(nil), ledger.Context{Time: testTime}}
	if err := ledger.InitGenesis(w, g); err != nil {
		t.Fatalf("InitGenesis: %v", err)
	}
	w.writeHead(t)
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
	w.at.Height++
	w.writeHead(t)
	return ledger.Apply(w, tx, w.at)
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
