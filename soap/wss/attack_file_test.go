package wss

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"testing"
	"time"

	"collimate/soap"
	"collimate/xmlsec"
	"collimate/xua"
)

var update = flag.Bool("update", false, "make the files in testdata/attacks anew")

// attackFile is one file of testdata/attacks: a header of fields, an empty line, and the message as it is sent.
//
//	attack:    what is tried
//	family:    what kind of attack it is
//	signature: "intact" if the signature of the message verifies and covers what it says, so that only a rule
//	           stands in the way; "broken" if not; "none"
//	client:    whose TLS client certificate is shown: "south", "west" or "none"
//	type:      the Content-Type of the HTTP request
//	send:      how often it is sent; the last time is refused. "2 restart" puts a new process in between
//	repeat:    N TEXT: {{REPEAT}} in the message stands for TEXT, N times, %d in it being the number
//	refused:   the fault and its cause, as the Verifier alone gives it to the log; "server" if it never gets there,
//	           "accepted" if the message is authentic and it is for others to refuse what it asks
//	answer:    the code and subcode of the fault with which the whole server answers
type attackFile struct {
	path    string
	fields  map[string]string
	message []byte
}

var attackFields = []string{"attack", "family", "signature", "client", "type", "send", "repeat", "refused", "answer"}

const repeatMark = "{{REPEAT}}"

func (a *attackFile) bytes() []byte {
	var b bytes.Buffer
	for _, field := range attackFields {
		if value := a.fields[field]; value != "" {
			fmt.Fprintf(&b, "%s: %s\n", field, value)
		}
	}
	b.WriteByte('\n')
	b.Write(a.message)
	return b.Bytes()
}

func readAttack(path string) (*attackFile, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	head, message, ok := bytes.Cut(b, []byte("\n\n"))
	if !ok {
		return nil, errors.New("no message after the header")
	}
	a := &attackFile{path: path, fields: map[string]string{}, message: message}
	for line := range strings.SplitSeq(string(head), "\n") {
		field, value, ok := strings.Cut(line, ": ")
		if !ok {
			return nil, fmt.Errorf("header line %q", line)
		}
		a.fields[field] = value
	}
	return a, nil
}

// expanded is the message as it is sent.
func (a *attackFile) expanded(t testing.TB) []byte {
	t.Helper()
	count, unit, ok := strings.Cut(a.fields["repeat"], " ")
	if !ok {
		return a.message
	}
	n, err := strconv.Atoi(count)
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Replace(a.message, []byte(repeatMark), []byte(repeated(unit, n)), 1)
}

func repeated(unit string, n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(strings.ReplaceAll(unit, "%d", strconv.Itoa(i)))
	}
	return b.String()
}

// cast are the parties of the attacks, whose keys are in testdata/keys: the files are signed with them.
type cast struct{ south, west, issuer identity }

func loadCast(t testing.TB) cast {
	return cast{loadIdentity(t, "south"), loadIdentity(t, "west"), loadIdentity(t, "issuer")}
}

func loadIdentity(t testing.TB, name string) identity {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", "keys", name+".pem"))
	if err != nil {
		t.Fatal(err)
	}
	pair, err := tls.X509KeyPair(b, b)
	if err != nil {
		t.Fatal(err)
	}
	key, _ := pem.Decode(b)
	parsed, err := x509.ParsePKCS8PrivateKey(key.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return identity{parsed.(signerKey), pair.Leaf}
}

// stack is a server as a gateway has it, with its clients.
type stack struct {
	cast
	url     string
	clients map[string]*http.Client
	replay  ReplayStore
	verify  func(context.Context, *soap.Request) (xua.Caller, error)
	reached bool // the operation got to its work
	refusal error
}

func newStack(t testing.TB, c cast) *stack {
	s := &stack{cast: c, clients: map[string]*http.Client{}}
	handle := func(ctx context.Context, r *soap.Request) (*soap.Response, error) {
		if _, err := s.verify(ctx, r); err != nil {
			s.refusal = err
			return nil, err
		}
		s.reached = true
		return &soap.Response{Payload: []byte(`<answer xmlns="urn:test"/>`)}, nil
	}
	mux := http.NewServeMux()
	for path, mtom := range map[string]bool{"/simple": false, "/mtom": true} {
		mux.Handle(path, &soap.Server{Operations: []soap.Operation{
			{ID: "test", Action: testAction, ResponseAction: testAction + "Response", MTOM: mtom, Handle: handle},
		}})
	}
	server := httptest.NewUnstartedServer(mux)
	server.TLS = &tls.Config{ClientAuth: tls.RequestClientCert, NextProtos: []string{"http/1.1"}}
	server.StartTLS()
	t.Cleanup(server.Close)
	s.url = server.URL
	for name, who := range map[string]*identity{"none": nil, "south": &c.south, "west": &c.west} {
		config := &tls.Config{RootCAs: server.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs}
		if who != nil {
			config.Certificates = []tls.Certificate{{Certificate: [][]byte{who.cert.Raw}, PrivateKey: who.key}}
		}
		transport := &http.Transport{TLSClientConfig: config}
		t.Cleanup(transport.CloseIdleConnections)
		s.clients[name] = &http.Client{Transport: transport}
	}
	return s
}

// restart is a new process: all is forgotten but what the replay store has.
func (s *stack) restart(t testing.TB) *Verifier {
	v := s.verifier(t, s.replay)
	s.verify, s.reached, s.refusal = v.Authenticate, false, nil
	return v
}

func (s *stack) verifier(t testing.TB, replay ReplayStore) *Verifier {
	return newTestVerifier(t, func(c *Config) {
		c.Replay, c.SAML, c.Certificates = replay, testValidator(t, s.issuer), NewCertificates(s.south.cert, s.issuer.cert)
	})
}

// post sends a message to the whole server and returns the code and subcode of the fault.
func (s *stack) post(t testing.TB, client, contentType string, message []byte) string {
	t.Helper()
	path := "/simple"
	if strings.HasPrefix(contentType, "multipart/") {
		path = "/mtom"
	}
	response, err := s.clients[client].Post(s.url+path, contentType, bytes.NewReader(message))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	b, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	if response.StatusCode == http.StatusOK {
		return "accepted"
	}
	text := func(open, end string) string {
		_, rest, _ := strings.Cut(string(b), open)
		value, _, _ := strings.Cut(rest, end)
		return value
	}
	code := text("<soap:Value>soap:", "</soap:Value>")
	if code == "" { // a fault of SOAP 1.1, for who speaks it
		_, code, _ = strings.Cut(text("<faultcode>", "</faultcode>"), ":")
	}
	if _, sub, ok := strings.Cut(string(b), ">sub:"); ok {
		sub, _, _ = strings.Cut(sub, "<")
		code += "/" + sub
	}
	if code == "" {
		return fmt.Sprintf("HTTP %d", response.StatusCode)
	}
	return code
}

// try lets an attack loose on the Verifier alone and on the whole server.
func (s *stack) try(t testing.TB, a *attackFile) (refused, answer string) {
	t.Helper()
	message := a.expanded(t)
	s.replay = NewMemoryReplay(0, testClock)
	s.restart(t)
	times, restart, _ := strings.Cut(a.fields["send"], " ")
	n, err := strconv.Atoi(times)
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		answer = s.post(t, a.fields["client"], a.fields["type"], message)
		if i == n-1 {
			break
		}
		if answer != "accepted" {
			t.Errorf("sent for the first time: %s", answer)
		}
		if s.reached = false; restart != "" {
			s.restart(t)
		}
	}
	if s.reached {
		t.Errorf("the operation was reached")
	}
	if strings.HasPrefix(a.fields["type"], "multipart/") || n > 1 {
		if s.refusal == nil {
			return "server", answer
		}
		return refusalText(s.refusal), answer
	}
	// The library on its own, handed a request that a careless server has made of the message.
	r, err := naiveRequest(message)
	if err != nil {
		return "XML: " + err.Error(), answer
	}
	r.TLS = s.connection(a.fields["client"])
	s.replay = NewMemoryReplay(0, testClock)
	caller, err := s.restart(t).Authenticate(context.Background(), r)
	if err == nil {
		return "accepted", answer
	}
	if caller != (xua.Caller{}) {
		t.Errorf("an error, and a caller %+v", caller)
	}
	return refusalText(err), answer
}

// connection is what the server knows of the connection of a client.
func (s *stack) connection(client string) *tls.ConnectionState {
	switch client {
	case "south":
		return &tls.ConnectionState{PeerCertificates: []*x509.Certificate{s.south.cert}}
	case "west":
		return &tls.ConnectionState{PeerCertificates: []*x509.Certificate{s.west.cert}}
	}
	return &tls.ConnectionState{}
}

func refusalText(err error) string {
	var f *soap.Fault
	if !errors.As(err, &f) || f.Err == nil {
		return err.Error()
	}
	return f.Subcode.Local + ": " + f.Err.Error()
}

func attackFiles(t testing.TB) []*attackFile {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join("testdata", "attacks", "*.attack"))
	if err != nil {
		t.Fatal(err)
	}
	sort.Strings(paths)
	var files []*attackFile
	for _, path := range paths {
		a, err := readAttack(path)
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		files = append(files, a)
	}
	return files
}

// TestAttackFiles tries each attack on the Verifier and on the whole server, and wants it refused for the reason
// that its file says, with the signature in the state that it says.
func TestAttackFiles(t *testing.T) {
	if *update {
		writeAttacks(t)
	}
	files := attackFiles(t)
	families := map[string]int{}
	intact := 0
	s := newStack(t, loadCast(t))
	for name, message := range s.honest(t) {
		a := &attackFile{fields: map[string]string{"client": "south", "type": simpleType, "send": "1"}, message: []byte(message)}
		if _, ok := strings.CutPrefix(name, "mtom"); ok {
			a.fields["type"] = mtomType
		}
		s.replay = NewMemoryReplay(0, testClock)
		s.restart(t)
		if answer := s.post(t, "south", a.fields["type"], a.message); answer != "accepted" {
			t.Fatalf("the message %q that attacks begin from is refused: %s, %v", name, answer, s.refusal)
		}
	}
	for _, a := range files {
		families[a.fields["family"]]++
		if a.fields["signature"] == "intact" {
			intact++
		}
		t.Run(strings.TrimSuffix(filepath.Base(a.path), ".attack"), func(t *testing.T) {
			refused, answer := s.try(t, a)
			if refused != a.fields["refused"] {
				t.Errorf("refused for\n %s\nand not for\n %s", refused, a.fields["refused"])
			}
			if answer != a.fields["answer"] {
				t.Errorf("the peer is told\n %s\nand not\n %s", answer, a.fields["answer"])
			}
			if answer == "accepted" {
				t.Error("accepted")
			}
			if got := signatureState(t, s.cast, a.expanded(t)); got != a.fields["signature"] {
				t.Errorf("the signature is %s, the file says %s", got, a.fields["signature"])
			}
		})
	}
	t.Logf("%d attacks, %d of them with a signature that is right: %v", len(files), intact, families)
	if len(files) < 120 {
		t.Errorf("got %d attacks, want 120 or more", len(files))
	}
}

// maxAttack is how long refusing one attack may take, parsing included. The test is lenient, as the machine may be
// busy with something else, and looks at the best of some tries; BenchmarkAttacks measures.
const (
	maxAttack = 5 * time.Millisecond
	lenience  = 5
)

func TestAttackTime(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector makes everything slow")
	}
	s := newStack(t, loadCast(t))
	s.replay = NewMemoryReplay(0, testClock)
	v := s.restart(t)
	var worst time.Duration
	var slowest string
	over := 0
	for _, a := range attackFiles(t) {
		message := a.expanded(t)
		best := time.Hour
		for range 10 {
			start := time.Now()
			if r, err := naiveRequest(message); err == nil {
				r.TLS = s.connection(a.fields["client"])
				_, _ = v.Authenticate(context.Background(), r)
			}
			if best = min(best, time.Since(start)); best < maxAttack/10 {
				break
			}
		}
		if best > worst {
			worst, slowest = best, filepath.Base(a.path)
		}
		if best > maxAttack {
			over++
		}
		if best > lenience*maxAttack {
			t.Errorf("%s: %v, want %v at most", a.path, best, maxAttack)
		}
	}
	t.Logf("%d attacks take more than %v; the slowest %v: %s", over, maxAttack, worst, slowest)
}

func BenchmarkAttacks(b *testing.B) {
	s := newStack(b, loadCast(b))
	s.replay = NewMemoryReplay(0, testClock)
	v := s.restart(b)
	for _, a := range attackFiles(b) {
		message := a.expanded(b)
		b.Run(strings.TrimSuffix(filepath.Base(a.path), ".attack"), func(b *testing.B) {
			for b.Loop() {
				if r, err := naiveRequest(message); err == nil {
					r.TLS = s.connection(a.fields["client"])
					_, _ = v.Authenticate(context.Background(), r)
				}
			}
		})
	}
}

// signatureState checks the signature of a message as a careless library would: the first of everything, and
// any algorithm.
func signatureState(t testing.TB, c cast, message []byte) string {
	t.Helper()
	d, err := xmlsec.Parse(message, xmlsec.Limits{})
	if err != nil {
		return "none"
	}
	signature := messageSignature(d)
	if signature.IsZero() {
		return "none"
	}
	for _, who := range []identity{c.south, c.west} {
		if checkSeal(d, signature, who) {
			return "intact"
		}
	}
	return "broken"
}
