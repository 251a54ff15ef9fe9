//go:build unix

package main

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// A server that cannot have its port says which and for what, and leaves nothing behind that says it runs.
func TestServeOccupiedPort(t *testing.T) {
	dir := t.TempDir()
	port := occupied(t)
	for _, args := range [][]string{
		{"init", "north", "--base-port", fmt.Sprint(port)},
		{"genesis", "create", "--chain-id", "x", "north"},
	} {
		cmd := exec.Command("collimate", args...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %v\n%s", args, err, out)
		}
	}
	out, err := exec.Command("collimate", "serve", "--config", filepath.Join(dir, "north", "collimate.yaml")).CombinedOutput()
	want := fmt.Sprintf("source.listen: 127.0.0.1:%d is in use by another program", port)
	if err == nil || !strings.Contains(string(out), want) {
		t.Errorf("got %v\n%s\nwant %q", err, out, want)
	}
	out, err = exec.Command("collimate", "source", "define", "--config", filepath.Join(dir, "north", "collimate.yaml")).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "is not running") {
		t.Errorf("a command afterwards: got %v\n%s", err, out)
	}
}
