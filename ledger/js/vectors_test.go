// Package js_test runs the stand-alone verifier in JavaScript over the vectors of the specification, and compares it
// with package ledger and package light over random damage to them.
package js_test

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"collimate/keys"
	"collimate/ledger"
	"collimate/ledger/light"
)

// node runs vectors.mjs over a directory of vectors and returns what it prints.
func node(t *testing.T, directory string) string {
	t.Helper()
	path, err := exec.LookPath("node")
	if err != nil {
		t.Skip("node is not installed: the JavaScript verifier is not run")
	}
	// The cache of go test does not see what node reads, but what the test looks at.
	for _, file := range []string{"collimate-verify.mjs", "vectors.mjs"} {
		if _, err := os.Stat(file); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, path, "vectors.mjs", directory).CombinedOutput()
	if err != nil {
		t.Fatalf("node vectors.mjs: %v\n%s", err, out)
	}
	return string(out)
}

func TestVectors(t *testing.T) {
	directory := filepath.Join("..", "testdata", "vectors")
	files, err := filepath.Glob(filepath.Join(directory, "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no vectors in %s: %v", directory, err)
	}
	out := node(t, directory)
	for _, file := range files {
		if _, err := os.Stat(file); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(out, filepath.Base(file)+": ") {
			t.Errorf("%s was not run:\n%s", file, out)
		}
	}
	t.Log(out)
}

// TestVectorsThatAreWrong makes sure that the runner notices a difference.
func TestVectorsThatAreWrong(t *testing.T) {
	path, err := exec.LookPath("node")
	if err != nil {
		t.Skip("node is not installed: the JavaScript verifier is not run")
	}
	for name, change := range map[string]func(map[string]any){
		"commitments.json": func(v map[string]any) { v["commitment"] = strings.Repeat("00", 32) },
		"invalid.json":     func(v map[string]any) { v["code"] = "out-of-tune" },
		"light.json":       func(v map[string]any) { v["code"] = "expired" },
	} {
		all := read(t, name)
		change(all[len(all)/2])
		directory := t.TempDir()
		write(t, directory, name, all)
		out, err := exec.CommandContext(t.Context(), path, "vectors.mjs", directory).CombinedOutput()
		if err == nil || !strings.Contains(string(out), "want") {
			t.Errorf("%s with a wrong vector: %v\n%s", name, err, out)
		}
	}
}

// TestNames compares the names and the keys of the state that no vector has.
func TestNames(t *testing.T) {
	a, b, c := [32]byte{0: 1, 31: 2}, [32]byte{5: 3}, [32]byte{9: 4}
	var all []map[string]any
	add := func(name string, stateKey bool, want []byte, arguments [][32]byte, texts ...string) {
		hexes := []string{}
		for _, argument := range arguments {
			hexes = append(hexes, hex.EncodeToString(argument[:]))
		}
		all = append(all, map[string]any{
			"name": name, "state_key": stateKey, "arguments": hexes, "texts": append([]string{}, texts...), "want": hex.EncodeToString(want),
		})
	}
	group, guardian := ledger.NewGroupCommitment(a, b, c), ledger.NewGuardian(a, keys.Guardian{ID: b}, c)
	reason := ledger.NewReason(a, "Notfall, Brücke")
	add("groupCommitment", false, group[:], [][32]byte{a, b, c})
	add("guardian", false, guardian[:], [][32]byte{a, b, c})
	add("reason", false, reason[:], [][32]byte{a}, "Notfall, Brücke")
	add("params", true, ledger.KeyParams(), nil)
	add("validator", true, ledger.KeyValidator(a), [][32]byte{a})
	add("source", true, ledger.KeySource(keys.Source{ID: a}), [][32]byte{a})
	add("oid", true, ledger.KeyOID("1.2.3"), nil, "1.2.3")
	add("study", true, ledger.KeyStudy(a), [][32]byte{a})
	add("grant", true, ledger.KeyGrant(a, b), [][32]byte{a, b})
	add("rotated", true, ledger.KeyRotated(a), [][32]byte{a})
	add("guardians", true, ledger.KeyGuardians(a), [][32]byte{a})
	add("recovery", true, ledger.KeyRecovery(a), [][32]byte{a})
	add("emergency", true, ledger.KeyEmergency(a, keys.Grantee{ID: b}), [][32]byte{a, b})
	directory := t.TempDir()
	write(t, directory, "names.json", all)
	t.Log(node(t, directory))
}

// TestDamagedTransactions compares the two parsers over transactions in which some bytes are changed, left out or
// repeated: both accept, or both refuse for the same reason.
func TestDamagedTransactions(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	var damaged []map[string]any
	for _, v := range read(t, "transactions.json") {
		raw := unhex(t, v["raw"])
		for range 40 {
			b := damage(r, raw)
			_, err := ledger.Parse(v["chain_id"].(string), b)
			damaged = append(damaged, damagedVector(v, "raw", b, string(ledger.CodeOf(err)), err))
		}
	}
	directory := t.TempDir()
	write(t, directory, "damaged-transactions.json", damaged)
	t.Log(node(t, directory))
}

// TestDamagedBundles does so with bundles.
func TestDamagedBundles(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	policy := light.Policy{TrustingPeriod: 14 * 24 * time.Hour, ClockDrift: 10 * time.Second}
	var damaged []map[string]any
	for _, v := range read(t, "light.json") {
		if v["bundle"] == nil || v["code"] != nil {
			continue
		}
		genesis := v["genesis"].(map[string]any)
		var validators []light.Validator
		for _, of := range genesis["validators"].([]any) {
			o := of.(map[string]any)
			key := ledger.ValidatorKey(unhex(t, o["key"]))
			validators = append(validators, light.Validator{Key: key, Power: int64(o["power"].(float64))})
		}
		trusted, err := light.TrustGenesis(genesis["chain_id"].(string), timeOf(t, genesis["time"]), validators)
		if err != nil {
			t.Fatal(err)
		}
		raw := unhex(t, v["bundle"])
		for i := range 100 {
			b := raw
			if i > 0 {
				b = damage(r, raw)
			}
			bundle, err := light.DecodeBundle(b)
			if err == nil {
				_, err = bundle.Verify(trusted, policy, timeOf(t, v["now"]))
			}
			if i == 0 && err != nil {
				t.Fatalf("%s, not damaged: %v", v["name"], err)
			}
			damaged = append(damaged, damagedVector(v, "bundle", b, string(light.CodeOf(err)), err))
		}
	}
	directory := t.TempDir()
	write(t, directory, "damaged-bundles.json", damaged)
	t.Log(node(t, directory))
}

// damagedVector is a vector with other bytes and the code that Go gives them.
func damagedVector(v map[string]any, field string, b []byte, code string, err error) map[string]any {
	v = maps.Clone(v)
	v["name"], v[field] = fmt.Sprintf("%s, damaged to %x: %v", v["name"], b, err), hex.EncodeToString(b)
	delete(v, "code")
	if code != "" {
		v["code"] = code
	}
	return v
}

func timeOf(t *testing.T, v any) time.Time {
	t.Helper()
	nanos, err := strconv.ParseInt(v.(string), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return time.Unix(0, nanos)
}

func unhex(t *testing.T, v any) []byte {
	t.Helper()
	b, err := hex.DecodeString(v.(string))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// damage changes up to three bytes, near the beginning more often than not: there is the structure.
func damage(r *rand.Rand, raw []byte) []byte {
	b := append([]byte{}, raw...)
	for range r.IntN(3) + 1 {
		i := r.IntN(len(b))
		if r.IntN(2) == 0 {
			i = r.IntN(min(len(b), 160))
		}
		switch r.IntN(6) {
		case 0:
			b = append(b[:i], b[i+1:]...)
		case 1:
			b = append(b[:i+1], b[i:]...)
		case 2:
			b[i] = byte(r.Uint32())
		default:
			b[i] ^= 1 << r.IntN(8)
		}
	}
	return b
}

func read(t *testing.T, name string) (all []map[string]any) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", "testdata", "vectors", name))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &all); err != nil {
		t.Fatal(err)
	}
	return all
}

func write(t *testing.T, directory, name string, all []map[string]any) {
	t.Helper()
	b, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(directory, name), b, 0o600); err != nil {
		t.Fatal(err)
	}
}
