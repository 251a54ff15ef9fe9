// Package second_test runs a second implementation of the ledger over the vectors. It was written in Python from the
// specification alone, and has followed its changes since. It agrees with package ledger as far as the vectors reach.
package second_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const vectors = "../testdata/vectors"

// verify runs ledger_verify.py over a directory of vectors and returns what it prints.
func verify(t *testing.T, directory string) (string, error) {
	t.Helper()
	// The cache of go test does not see what Python reads, but what the test looks at.
	if _, err := os.Stat("ledger_verify.py"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, python(t), "ledger_verify.py", directory).CombinedOutput()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return string(out), err
}

// python returns the interpreter that has the package `cryptography`: a system's packages may be those of another one
// than the first in the path.
func python(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"python3", "/usr/bin/python3"} {
		if exec.CommandContext(t.Context(), name, "-c", "import cryptography").Run() == nil {
			return name
		}
	}
	t.Skip("there is no python3 with the package cryptography: the second implementation is not run")
	return ""
}

func TestVectors(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(vectors, "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no vectors in %s: %v", vectors, err)
	}
	out, err := verify(t, vectors)
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
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

// TestVectorsThatAreWrong makes sure that a difference is noticed.
func TestVectorsThatAreWrong(t *testing.T) {
	b, err := os.ReadFile(filepath.Join(vectors, "commitments.json"))
	if err != nil {
		t.Fatal(err)
	}
	var all []map[string]any
	if err := json.Unmarshal(b, &all); err != nil {
		t.Fatal(err)
	}
	all[0]["commitment"] = strings.Repeat("00", 32)
	if b, err = json.Marshal(all); err != nil {
		t.Fatal(err)
	}
	directory := t.TempDir()
	if err := os.WriteFile(filepath.Join(directory, "commitments.json"), b, 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := verify(t, directory); err == nil || !strings.Contains(out, "1 differences") {
		t.Errorf("a wrong commitment is not noticed: %v\n%s", err, out)
	}
}
