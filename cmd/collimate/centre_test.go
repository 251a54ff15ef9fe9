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
	"collimate/gateway"
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

// centre is an organisation on a network of one, run by the command line.
type centre struct {
	t      *testing.T
	dir    string // with the organisation north in it
	config string
	base   int // the first of its ports; the fifth and the sixth are free
	log    buffer
	server *process
}

// newCentre makes one; settings are as for --set.
func newCentre(t *testing.T, settings func(base int) []string) *centre {
	t.Helper()
	if testing.Short() {
		t.Skip("starts a server")
	}
	dir := t.TempDir()
	c := &centre{t: t, dir: dir, config: filepath.Join(dir, "north", "collimate.yaml"), base: freePorts(t, 6)}
	args := []string{"init", "north", "--base-port", fmt.Sprint(c.base)}
	for _, s := range settings(c.base) {
		args = append(args, "--set", s)
	}
	c.run(args...)
	c.run("genesis", "create", "--chain-id", "centre", "north")
	return c
}

// try runs a command in its folder.
func (c *centre) try(args ...string) (string, error) {
	cmd := exec.CommandContext(c.t.Context(), "collimate", args...)
	cmd.Dir, cmd.Env = c.dir, append(os.Environ(), "COLLIMATE_CONFIG="+c.config)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// run runs a command that has to succeed.
func (c *centre) run(args ...string) string {
	c.t.Helper()
	out, err := c.try(args...)
	if err != nil {
		c.t.Fatalf("collimate %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

// refused runs a command that has to fail, and to say so.
func (c *centre) refused(want string, args ...string) string {
	c.t.Helper()
	out, err := c.try(args...)
	if err == nil || !strings.Contains(out, want) {
		c.t.Errorf("collimate %s: got %v\n%s\nwant %q", strings.Join(args, " "), err, out, want)
	}
	return out
}

// serve starts the server, and waits until it answers.
func (c *centre) serve() {
	c.t.Helper()
	c.server = launch(c.t, &c.log, "collimate", "serve", "--config", c.config)
	wait(c.t, "the server", func() error {
		select {
		case <-c.server.ended:
			c.t.Fatalf("the server ended:\n%s", c.log.String())
		default:
		}
		_, err := c.try("study", "status")
		return err
	})
}

// claimTicket returns the one claim ticket in a folder, and its file.
func (c *centre) claimTicket(folder string) (*gateway.Ticket, string) {
	c.t.Helper()
	files, err := filepath.Glob(filepath.Join(c.dir, folder, "*.json"))
	if err != nil || len(files) != 1 {
		c.t.Fatalf("tickets: %v, %v", files, err)
	}
	claim, err := readTicket(files[0])
	if err != nil {
		c.t.Fatal(err)
	}
	return claim, files[0]
}

// What a centre does day by day, on a network of one: it publishes, prints tickets, keeps watch and takes calls.
func TestCentre(t *testing.T) {
	c := newCentre(t, func(base int) []string {
		return []string{
			"source.institution=Северный госпиталь", fmt.Sprintf("receiver.listen=127.0.0.1:%d", base+4), "receiver.peers=CT1=127.0.0.1",
			"publishing.watch=yes", "publishing.from=all", "publishing.stable=1h",
		}
	})
	dir, run, refused := c.dir, c.run, c.refused
	c.serve()
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

	claim, _ := c.claimTicket("tickets")
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
	refused(`"a3" is not one of a4, a5, letter`, "study", "ticket", "--number", number, "--pdf", "a3.pdf", "--paper", "a3")
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
	if out := run("study", "status"); !strings.Contains(out, "waiting    0\n") || !strings.Contains(out, "rejected   0\n") {
		t.Errorf("status: %s", out)
	}
	run("study", "erase", "--number", number)
	refused("has not published such a study", "study", "ticket", "--number", number, "--pdf", "late.pdf")
	if strings.Contains(c.log.String(), study.StudyInstanceUID) {
		t.Error("the log holds the Study Instance UID")
	}
}
