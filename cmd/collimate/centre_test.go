//go:build unix

package main

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"collimate/dicom/phantom"
	"collimate/ticket"
)

// freePorts returns the first of a number of free ports.
func freePorts(t *testing.T, n int) int {
	t.Helper()
	for range 100 {
		base, free := occupied(t)+1, true
		for port := base; port < base+n; port++ {
			l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
			if free = err == nil; !free {
				break
			}
			l.Close()
		}
		if free {
			return base
		}
	}
	t.Fatalf("no %d free ports in a row", n)
	return 0
}

// What a centre does day by day, on a network of one: it publishes, prints tickets, keeps watch and takes calls.
func TestCentre(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a server")
	}
	dir := t.TempDir()
	config := filepath.Join(dir, "north", "collimate.yaml")
	try := func(args ...string) (string, error) {
		cmd := exec.CommandContext(t.Context(), "collimate", args...)
		cmd.Dir, cmd.Env = dir, append(os.Environ(), "COLLIMATE_CONFIG="+config)
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	run := func(args ...string) string {
		t.Helper()
		out, err := try(args...)
		if err != nil {
			t.Fatalf("collimate %s: %v\n%s", strings.Join(args, " "), err, out)
		}
		return out
	}
	refused := func(want string, args ...string) {
		t.Helper()
		if out, err := try(args...); err == nil || !strings.Contains(out, want) {
			t.Errorf("collimate %s: got %v\n%s\nwant %q", strings.Join(args, " "), err, out, want)
		}
	}
	base := freePorts(t, 5)
	run("init", "north", "--base-port", fmt.Sprint(base), "--set", "source.institution=Северный госпиталь",
		"--set", fmt.Sprintf("receiver.listen=127.0.0.1:%d", base+4), "--set", "receiver.peers=CT1=127.0.0.1",
		"--set", "publishing.watch=yes", "--set", "publishing.from=all", "--set", "publishing.stable=1h")
	run("genesis", "create", "--chain-id", "centre", "north")
	var log buffer
	server := launch(t, &log, "collimate", "serve", "--config", config)
	wait(t, "the server", func() error {
		select {
		case <-server.ended:
			t.Fatalf("the server ended:\n%s", log.String())
		default:
		}
		_, err := try("study", "status")
		return err
	})
	run("source", "define")
	if out := run("study", "backfill", "--dry-run"); !strings.HasPrefix(out, "0 studies of these dates") {
		t.Errorf("backfill of nothing: %s", out)
	}

	study, err := phantom.Generate(filepath.Join(dir, "images"), phantom.Options{Series: 1, Slices: 2, Seed: 5})
	if err != nil {
		t.Fatal(err)
	}
	refused("has not published such a study", "study", "ticket", "--uid", study.StudyInstanceUID, "--pdf", "none.pdf")
	run("study", "publish", "images", "--tickets", "tickets")
	run("study", "publish", "--uid", study.StudyInstanceUID, "--tickets", "tickets") // changes nothing
	refused("", "study", "publish", "--uid", "1.2.3")

	files, err := filepath.Glob(filepath.Join(dir, "tickets", "*.json"))
	if err != nil || len(files) != 1 {
		t.Fatalf("tickets: %v, %v", files, err)
	}
	claim, err := readTicket(files[0])
	if err != nil {
		t.Fatal(err)
	}
	number := ticket.Number(claim.StudyID)
	if out := run("study", "list"); !strings.Contains(out, "  "+number+"  -  "+study.StudyInstanceUID+"\n") {
		t.Errorf("list: %s", out)
	}
	run("study", "ticket", "--number", strings.ToLower(number), "--pdf", "a5.pdf", "--png", "a5.png", "--paper", "a5", "--accession", "--date")
	for file, begin := range map[string]string{"a5.pdf": "%PDF-1", "a5.png": "\x89PNG"} {
		raw, err := os.ReadFile(filepath.Join(dir, file))
		info, statErr := os.Stat(filepath.Join(dir, file))
		if err := errors.Join(err, statErr); err != nil || !bytes.HasPrefix(raw, []byte(begin)) || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %.10q", file, err, raw)
		}
	}
	refused("file exists", "study", "ticket", "--number", number, "--pdf", "a5.pdf")
	refused(`there is no paper "a3"`, "study", "ticket", "--number", number, "--pdf", "a3.pdf", "--paper", "a3")
	refused("has not published such a study", "study", "hold", "--number", "0000 0000 0000 0000")

	run("study", "hold", "--number", number)
	run("study", "release", "--uid", study.StudyInstanceUID)
	text, err := ticket.Encode(claim)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "qr.txt"), []byte(text[:99]+"\n"+text[99:]+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	run("keys", "new", "patient.key")
	run("study", "claim", "--ticket", "qr.txt", "--key", "patient.key")
	refused("has been claimed", "study", "ticket", "--number", number, "--pdf", "late.pdf")
	if out := run("study", "list"); !strings.Contains(out, "  claimed  ") {
		t.Errorf("list after the claim: %s", out)
	}
	if out := run("study", "backfill", "--rate", "60"); !strings.HasPrefix(out, "1 studies of these dates") || !strings.HasSuffix(out, "published 0\n") {
		t.Errorf("backfill: %s", out)
	}
	if out := run("archive", "check", "--uid", study.StudyInstanceUID); !strings.Contains(out, "2 instances") {
		t.Errorf("archive check: %s", out)
	}
	if out := run("study", "status"); !strings.Contains(out, "waiting    0\n") {
		t.Errorf("status: %s", out)
	}
	run("study", "erase", "--number", number)
	refused("has not published such a study", "study", "ticket", "--number", number, "--pdf", "late.pdf")
	if strings.Contains(log.String(), study.StudyInstanceUID) {
		t.Error("the log holds the Study Instance UID")
	}
}
