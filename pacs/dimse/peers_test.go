package dimse

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"collimate/pacs"
	"collimate/pacs/fs"
	"collimate/pacs/pacstest"
	"collimate/pacs/pacstest/peer"
	"collimate/pacs/remote"
)

// listen runs a Server on a loopback port until the test ends.
func listen(t testing.TB, c ServerConfig) (*Server, int) {
	t.Helper()
	c.AETitle, c.Log = peer.OurAE, slog.New(slog.DiscardHandler)
	for _, ae := range []string{peer.AE, "SENDER", "ECHOSCU"} {
		c.Peers = append(c.Peers, Peer{ae, []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
	}
	s, err := NewServer(c)
	if err != nil {
		t.Fatal(err)
	}
	at, _ := peer.Serve(t, s.Serve)
	return s, at.Port
}

// to makes a client of a PACS.
func to(t testing.TB, p *peer.PACS, receiver *Server) *Client {
	t.Helper()
	c, err := NewClient(Config{Address: p.Dicom, AETitle: peer.AE, OurAE: peer.OurAE, Receiver: receiver, Idle: 20 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func archive(t testing.TB, c *Client) *remote.Archive {
	t.Helper()
	a, err := remote.Open(c, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	return a
}

// peers are the PACS that there are.
var peers = []struct {
	name  string
	start func(testing.TB, peer.Options) *peer.PACS
}{
	{"Orthanc", peer.Orthanc},
	{"dcmqrscp", peer.Dcmqrscp},
}

// TestSuite: what arrives is the phantoms' bytes but for the file meta information, which is ours.
func TestSuite(t *testing.T) {
	for _, p := range peers {
		t.Run(p.name, func(t *testing.T) {
			server, port := listen(t, ServerConfig{})
			for _, way := range []struct {
				name     string
				receiver *Server
			}{{"C-GET", nil}, {"C-MOVE", server}} {
				t.Run(way.name, func(t *testing.T) {
					pacstest.Run(t, func(t *testing.T, f pacstest.Fixtures) pacs.Archive {
						f.Remeta(t)
						running := p.start(t, peer.Options{Receiver: port})
						running.Push(t, f.Dir)
						c := to(t, running, way.receiver)
						if err := c.Echo(t.Context()); err != nil {
							t.Fatal(err)
						}
						return archive(t, c)
					})
				})
			}
		})
	}
}

// TestWayIn: DCMTK's clients ask us and store with us.
func TestWayIn(t *testing.T) {
	echo, send := peer.Tool(t, "echoscu", "dcmtk"), peer.Tool(t, "dcmsend", "dcmtk")
	pacstest.Run(t, func(t *testing.T, f pacstest.Fixtures) pacs.Archive {
		f.Remeta(t)
		a, err := fs.Open(filepath.Join(t.TempDir(), "archive"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { a.Close() })
		_, port := listen(t, ServerConfig{Sink: a})
		run := func(want bool, name string, args ...string) {
			t.Helper()
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			out, err := exec.CommandContext(ctx, name, args...).CombinedOutput()
			if (err == nil) != want {
				t.Errorf("%s: %v: %s", filepath.Base(name), err, out)
			}
		}
		at := []string{"127.0.0.1", fmt.Sprint(port)}
		run(true, echo, append([]string{"-aec", peer.OurAE}, at...)...)
		run(false, echo, append([]string{"-aec", "OTHER"}, at...)...)
		run(false, echo, append([]string{"-aec", peer.OurAE, "-aet", "STRANGER"}, at...)...)
		args := append([]string{"-q", "-aet", "SENDER", "-aec", peer.OurAE, "--no-halt", "+sd", "+r"}, at...)
		for range 2 { // again changes nothing
			run(true, send, append(args, f.Dir)...)
		}
		return a
	})
}

// TestRefused: what the PACS does not grant is said, and not tried again and again.
func TestRefused(t *testing.T) {
	p := peer.Dcmqrscp(t, peer.Options{})
	f := pacstest.Make(t)
	p.Push(t, f.Dir)
	c, err := NewClient(Config{Address: p.Dicom, AETitle: "OTHER", OurAE: peer.OurAE})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := archive(t, c).Study(t.Context(), f.Studies[0]); err == nil {
		t.Error("another AE title: no error")
	} else {
		t.Log(err)
	}
}
