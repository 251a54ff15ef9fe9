package archive

import (
	"encoding/pem"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"collimate/cmd/collimate/internal/config"
	"collimate/dicom/phantom"
	"collimate/pacs/dimse"
	"collimate/pacs/pacstest/peer"
)

// load reads a configuration with the role source and more.
func load(t *testing.T, more string) *config.Config {
	t.Helper()
	file := filepath.Join(t.TempDir(), "collimate.yaml")
	content := "organisation:\n  name: north\n  roles: [source]\nsource:\n  listen: 127.0.0.1:1\n  url: https://127.0.0.1:1\n" + more
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := config.Load(file, nil)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// last runs Check and returns the last step that it told, and what it returned.
func last(t *testing.T, c *config.Config, uid string) (step Step, err error) {
	t.Helper()
	err = Check(t.Context(), c, uid, func(s Step) { step = s })
	return step, err
}

// What ails a PACS is told with what to do about it.
func TestCheckDICOMweb(t *testing.T) {
	answer := func(status int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }
	}
	secure := httptest.NewUnstartedServer(answer(http.StatusNoContent))
	secure.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelInfo)
	secure.StartTLS()
	t.Cleanup(secure.Close)
	ca := filepath.Join(t.TempDir(), "ca.crt")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: secure.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	closed := httptest.NewServer(nil)
	closed.Close()
	open := func(status int) string {
		s := httptest.NewServer(answer(status))
		t.Cleanup(s.Close)
		return s.URL
	}
	for _, test := range []struct{ name, url, more, found, advice string }{
		{"empty", open(http.StatusNoContent), "", "0 studies of the last 4 days", ""},
		{"over TLS", secure.URL, "  ca: " + ca + "\n", "0 studies", ""},
		{"closed", closed.URL, "", "", "nothing listens there: is the PACS running, and is the port in archive.url the right one?"},
		{"wrong password", open(http.StatusUnauthorized), "", "", "the PACS does not let us in: check archive.user"},
		{"wrong path", open(http.StatusNotFound), "", "", "is archive.url the root of its DICOMweb services?"},
		{"unknown authority", secure.URL, "", "", "name that in archive.ca"},
		{"another name", strings.Replace(secure.URL, "127.0.0.1", "localhost", 1), "  ca: " + ca + "\n", "", "is for another name"},
		{"no TLS", strings.Replace(open(http.StatusNoContent), "http:", "https:", 1), "", "", "write http:// in archive.url"},
		{"a failing PACS", open(http.StatusInternalServerError), "", "", "look at the log of the PACS"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			c := load(t, "archive:\n  kind: dicomweb\n  timeout: 5s\n  url: "+test.url+"/dicom-web\n"+test.more)
			step, err := last(t, c, "")
			if (err != nil) != (test.advice != "") || !strings.Contains(step.Advice, test.advice) || !strings.Contains(step.Found, test.found) {
				t.Errorf("got %+v, %v", step, err)
			}
			if err != nil && step.Err == nil {
				t.Error("no reason is given")
			}
		})
	}
}

// The password comes from its file, and the token from its file as it is at each request.
func TestCredentials(t *testing.T) {
	var got string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r.Header.Get("Authorization")
		w.WriteHeader(http.StatusNoContent)
	}))
	t.Cleanup(server.Close)
	secret := filepath.Join(t.TempDir(), "secret")
	write := func(s string) {
		if err := os.WriteFile(secret, []byte(s), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("pass:word\n")
	root := "archive:\n  kind: dicomweb\n  url: " + server.URL + "\n"
	if _, err := last(t, load(t, root+"  user: u\n  password_file: "+secret+"\n"), ""); err != nil || got != "Basic dTpwYXNzOndvcmQ=" {
		t.Errorf("got %q, %v", got, err)
	}
	a, err := Open(load(t, root+"  token_file: "+secret+"\n"), t.TempDir(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	for _, token := range []string{"first", "second"} {
		write(token)
		if _, err := a.tryList(t.Context()); err != nil || got != "Bearer "+token {
			t.Errorf("got %q, %v", got, err)
		}
	}
}

func TestCheckDIMSE(t *testing.T) {
	server, err := dimse.NewServer(dimse.ServerConfig{AETitle: "PACS", Log: slog.New(slog.DiscardHandler),
		Peers: []dimse.Peer{{AETitle: "KNOWN", Networks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}}})
	if err != nil {
		t.Fatal(err)
	}
	at, stop := peer.Serve(t, server.Serve)
	base := "archive:\n  kind: dimse\n  ae_title: PACS\n  timeout: 5s\n  address: "
	step, err := last(t, load(t, base+at.String()+"\n  our_ae_title: STRANGER\n"), "")
	if err == nil || step.What != "connect (C-ECHO)" || !strings.Contains(step.Advice, "enter the AE title STRANGER there") || !strings.Contains(step.Advice, "allow it to find and to GET") {
		t.Errorf("a stranger: got %+v, %v", step, err)
	}
	var first Step
	err = Check(t.Context(), load(t, base+at.String()+"\n  our_ae_title: KNOWN\n"), "", func(s Step) {
		if first.What == "" {
			first = s
		}
	})
	if err == nil || first.Err != nil || first.Found != "the PACS answers, and knows us" { // it has no C-FIND
		t.Errorf("known: got %+v, %v", first, err)
	}
	stop()
	if step, err := last(t, load(t, base+at.String()+"\n"), ""); err == nil || !strings.Contains(step.Advice, "the port in archive.address") {
		t.Errorf("closed: got %+v, %v", step, err)
	}
}

// An archive of files takes what a receiver is sent, from who may send; and a study of it is read whole.
func TestFiles(t *testing.T) {
	c := load(t, "archive:\n  kind: fs\nreceiver:\n  listen: 127.0.0.1:2\n  peers: [CT=10.0.0.0/8, CT=127.0.0.1, MR=::1]\n")
	images := t.TempDir()
	study, err := phantom.Generate(images, phantom.Options{Series: 1, Slices: 2, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	a, err := Open(c, t.TempDir(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if a.Receiver == nil || a.Files == nil {
		t.Errorf("got %+v", a)
	}
	if _, err := a.Files.Import(t.Context(), images, nil); err != nil {
		t.Fatal(err)
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	uid := study.StudyInstanceUID
	if step, err := last(t, c, uid); err != nil || !strings.HasPrefix(step.Found, "2 instances, ") {
		t.Errorf("got %+v, %v", step, err)
	}
	if step, err := last(t, c, "1.2.3"); err == nil || !strings.HasSuffix(err.Error(), "no such study") || !strings.HasPrefix(step.Advice, "check the Study Instance UID") {
		t.Errorf("absent: got %+v, %v", step, err)
	}
}

// What a reader of the archive meets on the way is not lost.
func TestReadFails(t *testing.T) {
	failing := errors.New("failing")
	if s := advice(failing, load(t, "")); s != "look at the log of the PACS" {
		t.Errorf("got %q", s)
	}
	if s := advice(io.ErrUnexpectedEOF, load(t, "")); s == "" {
		t.Error("no advice")
	}
}
