package pacs

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"collimate/dicom/phantom"
	"collimate/internal/sharedfiles"
	"collimate/pacs/pacstest/peer"
)

// patience is how long a step may take that takes seconds on an idle machine.
const patience = 90 * time.Second

// centre is an imaging centre as docs/operators/imaging-centre.md makes one, by the command line alone.
type centre struct {
	t   *testing.T
	bin string
	dir string
}

// try runs a command in the centre's folder.
func (c *centre) try(args ...string) (string, error) {
	cmd := exec.CommandContext(c.t.Context(), c.bin, args...)
	cmd.Dir = c.dir
	cmd.Env = environment()
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// environment is ours without what is meant for the tests, which would be a misspelt key.
func environment() []string {
	ours := func(entry string) bool { return strings.HasPrefix(entry, "COLLIMATE_") }
	return append(slices.DeleteFunc(os.Environ(), ours), "COLLIMATE_CONFIG="+filepath.Join("north", "collimate.yaml"))
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

// wait runs a command until its output passes.
func (c *centre) wait(ok func(string) bool, args ...string) string {
	c.t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(100 * time.Millisecond) {
		out, err := c.try(args...)
		if err == nil && ok(out) {
			return out
		}
		if time.Now().After(deadline) {
			c.t.Fatalf("collimate %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
}

// serve runs the server until the test ends.
func (c *centre) serve() {
	var log bytes.Buffer
	cmd := exec.Command(c.bin, "serve")
	cmd.Dir, cmd.Stdout, cmd.Stderr = c.dir, &log, &log
	cmd.Env = environment()
	if err := cmd.Start(); err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		if err := cmd.Wait(); err != nil {
			c.t.Errorf("serve: %v", err)
		}
		if c.t.Failed() {
			c.t.Logf("serve:\n%s", &log)
		}
	})
	c.wait(func(string) bool { return true }, "study", "status")
}

// basePort returns the first of four ports that are free.
func basePort(t *testing.T) int {
	t.Helper()
	for range 100 {
		base, free := peer.Free(t), true
		for port := base; port < base+4; port++ {
			l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
			if free = err == nil; !free {
				break
			}
			l.Close()
		}
		if free && base+4 < 65536 {
			return base
		}
	}
	t.Fatal("no four free ports in a row")
	return 0
}

// series returns a folder with one study.
func series(t *testing.T) string {
	t.Helper()
	if dir := sharedfiles.Find("dicom", "mr-series-16"); dir != "" {
		return dir
	}
	dir := t.TempDir()
	if _, err := phantom.Generate(dir, phantom.Options{Series: 1, Slices: 16, Seed: 16}); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestCentre goes from nothing to the first study that a patient has released, beside a PACS and without one.
func TestCentre(t *testing.T) {
	if os.Getenv("COLLIMATE_INTEROP") == "" {
		t.Skip("for make interop-pacs")
	}
	storescu := peer.Tool(t, "storescu", "dcmtk")
	bin := filepath.Join(t.TempDir(), "collimate")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", bin, "collimate/cmd/collimate")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	images := series(t)
	for _, kind := range []string{"dicomweb", "dimse get", "dimse move", "fs"} {
		t.Run(kind, func(t *testing.T) {
			c := &centre{t, bin, t.TempDir()}
			set := map[string]string{"archive.kind": strings.Fields(kind)[0], "source.institution": "Northern Imaging", "publishing.watch": "yes",
				"publishing.from": "all", "publishing.stable": "3s", "publishing.interval": "1s", "publishing.full": "1s"}
			receiver := peer.Free(t)
			to, aec := receiver, "COLLIMATE" // where modalities send
			password := filepath.Join(c.dir, "pacs.password")
			switch kind {
			case "fs":
				set["receiver.listen"], set["receiver.peers"] = fmt.Sprintf("127.0.0.1:%d", receiver), "STORESCU=127.0.0.1"
			default:
				pacs := peer.Orthanc(t, peer.Options{User: "collimate", Password: "a long password", Receiver: receiver})
				to, aec = pacs.DicomPort, peer.AE
				set["archive.url"], set["archive.user"], set["archive.password_file"] = pacs.URL, "collimate", password
				set["archive.address"], set["archive.ae_title"], set["archive.our_ae_title"] = pacs.Dicom, peer.AE, peer.OurAE
				if err := os.WriteFile(password, []byte("a long password\n"), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if kind == "dimse move" {
				set["archive.retrieve"] = "move"
				set["receiver.listen"], set["receiver.peers"] = fmt.Sprintf("127.0.0.1:%d", receiver), peer.AE+"=127.0.0.1"
			}
			base := basePort(t)
			args := []string{"init", "north", "--base-port", strconv.Itoa(base)}
			for key, value := range set {
				args = append(args, "--set", key+"="+value)
			}
			c.run(args...)
			c.run("genesis", "create", "--chain-id", "trial", "north")
			c.run("config", "check")
			c.run("archive", "check")
			c.serve()
			c.run("source", "define")

			files, err := filepath.Glob(filepath.Join(images, "*.dcm"))
			if more, _ := filepath.Glob(filepath.Join(images, "*", "*", "*.dcm")); err == nil {
				files = append(files, more...)
			}
			if err != nil || len(files) != 16 {
				t.Fatalf("%d files, %v", len(files), err)
			}
			if out, err := exec.CommandContext(t.Context(), storescu, append([]string{"-aec", aec, "127.0.0.1", strconv.Itoa(to)}, files...)...).CombinedOutput(); err != nil {
				t.Fatalf("storescu: %v\n%s", err, out)
			}
			line := c.wait(func(out string) bool { return out != "" }, "study", "list")
			fields := strings.Fields(line) // date, time, four groups of the number, claimed or not, UID
			if len(fields) != 8 || fields[6] != "-" {
				t.Fatalf("study list: %q", line)
			}
			uid, number := fields[7], strings.Join(fields[2:6], " ")
			c.wait(func(out string) bool { // it is listed a moment before it is final on the ledger
				return strings.HasPrefix(out, "1 studies of these dates: 1 are published")
			}, "study", "backfill", "--dry-run")
			if kind == "dimse move" { // the receiver is the server's
				if out, err := c.try("archive", "check", "--uid", uid); err == nil || !strings.Contains(out, "stop the organisation's server for this") {
					t.Errorf("archive check: %v, %s", err, out)
				}
			} else if out := c.run("archive", "check", "--uid", uid); !strings.Contains(out, "read a study: 16 instances") {
				t.Errorf("archive check: %s", out)
			}

			c.run("study", "ticket", "--uid", uid, "--pdf", "ticket.pdf", "--png", "ticket.png", "--json", "tickets")
			ticket := c.scanned()
			c.run("keys", "new", "patient.key")
			c.run("study", "claim", "--ticket", ticket, "--key", "patient.key")
			c.run("keys", "new", "doctor.key")
			if out, err := c.try("retrieve", "--ticket", ticket, "--key", "doctor.key", "--out", "too-early"); err == nil {
				t.Errorf("before the grant: %s", out)
			}
			c.run("grant", "allow", "--ticket", ticket, "--key", "patient.key", "--to", "doctor.crt", "--days", "30")
			c.run("retrieve", "--ticket", ticket, "--key", "doctor.key", "--out", "received")
			zips, err := filepath.Glob(filepath.Join(c.dir, "received", "*.zip"))
			if err != nil || len(zips) != 1 {
				t.Fatalf("received %v, %v", zips, err)
			}
			c.sameImages(base, zips[0])
			if kind != "dimse move" {
				if out := c.run("study", "verify", zips[0], "--ticket", ticket); !strings.HasPrefix(out, "16 instances") {
					t.Errorf("verify: %s", out)
				}
			}
			c.run("study", "hold", "--number", number)
			if out, err := c.try("retrieve", "--ticket", ticket, "--key", "doctor.key", "--out", "held"); err == nil {
				t.Errorf("held: %s", out)
			}
			if out, err := c.try("study", "ticket", "--uid", uid, "--pdf", "again.pdf"); err == nil || !strings.Contains(out, "has been claimed") {
				t.Errorf("a ticket after the claim: %v, %s", err, out)
			}
		})
	}
}

// scanned returns a file with the text of the QR code on the page; the ticket's own file where nothing scans.
func (c *centre) scanned() string {
	c.t.Helper()
	zbar, err := exec.LookPath("zbarimg")
	if err != nil {
		c.t.Log("zbarimg is not installed (Debian: zbar-tools): the ticket is read from its file")
		found, err := filepath.Glob(filepath.Join(c.dir, "tickets", "*.json"))
		if err != nil || len(found) != 1 {
			c.t.Fatalf("tickets: %v, %v", found, err)
		}
		return found[0]
	}
	text, err := exec.CommandContext(c.t.Context(), zbar, "--raw", "--quiet", "--nodbus", filepath.Join(c.dir, "ticket.png")).Output()
	if err != nil {
		c.t.Fatal(err)
	}
	file := filepath.Join(c.dir, "qr.txt")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		c.t.Fatal(err)
	}
	return file
}
