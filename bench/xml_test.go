// Package bench_test measures what users feel against the best of other worlds, side by side in one run: figures
// are ratios, since machines differ and this one may be busy.
package bench_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"collimate/keys/keystore"
	"collimate/soap"
	"collimate/soap/wss"
	"collimate/xmlsec"
)

// request is an ITI-43 request that brings the signed message to about 6 KB.
var request = `<xdsb:RetrieveDocumentSetRequest xmlns:xdsb="urn:ihe:iti:xds-b:2007">` + strings.Repeat(
	`<xdsb:DocumentRequest><xdsb:RepositoryUniqueId>2.25.105104827113862140918111309444226865518</xdsb:RepositoryUniqueId>`+
		`<xdsb:DocumentUniqueId>2.25.117183207656013099189677466825486801573</xdsb:DocumentUniqueId></xdsb:DocumentRequest>`, 7) +
	`</xdsb:RetrieveDocumentSetRequest>`

// batch is how many operations each side does before the other has its turn.
const batch = 200

// BenchmarkXML compares parse and parse-and-verify with libxml2 and libxmlsec, and with bare crypto: the signature
// check and the digests with no XML around them. Goals: verify/libxmlsec <= 0.35, verify/crypto <= 2.5,
// parse/libxml2 <= 0.8.
func BenchmarkXML(b *testing.B) {
	for _, kind := range []keystore.Kind{keystore.P256, keystore.RSA2048} {
		b.Run(string(kind), func(b *testing.B) { compareXML(b, kind) })
	}
}

func compareXML(b *testing.B, kind keystore.Kind) {
	key, err := keystore.Generate(kind)
	must(b, err)
	cert, err := keystore.SelfSigned(key, "bench", nil, time.Now().Add(-time.Hour), time.Now().Add(time.Hour))
	must(b, err)
	signer, err := wss.NewSigner(key, cert, time.Now, rand.Reader)
	must(b, err)
	envelope := soap.Envelope{To: "https://north.example/xds", Action: "urn:ihe:iti:2007:RetrieveDocumentSet",
		MessageID: "urn:uuid:11111111-2222-3333-4444-555555555555", ReplyTo: soap.Anonymous, Payload: []byte(request)}
	message, err := envelope.Marshal(signer)
	must(b, err)

	dir := b.TempDir()
	must(b, os.WriteFile(filepath.Join(dir, "message.xml"), message, 0o600))
	must(b, keystore.SaveCertificate(filepath.Join(dir, "cert.pem"), cert))
	theirs := libxmlsec(b, dir)
	ours := newVerification(b, message)
	bare := bareCrypto(b, key, message)

	var parse, verify, crypto, libxml2, libxmlsec time.Duration
	for b.Loop() {
		parse += timed(ours.parse)
		libxml2 += theirs("parse")
		verify += timed(ours.verify)
		libxmlsec += theirs("verify")
		crypto += timed(bare)
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(verify.Nanoseconds())/float64(b.N*batch)/1e3, "verify-us")
	b.ReportMetric(verify.Seconds()/libxmlsec.Seconds(), "verify/libxmlsec")
	b.ReportMetric(verify.Seconds()/crypto.Seconds(), "verify/crypto")
	b.ReportMetric(parse.Seconds()/libxml2.Seconds(), "parse/libxml2")
	b.ReportMetric(testing.AllocsPerRun(batch, ours.verify), "verify-allocs")
	b.ReportMetric(float64(len(message)), "message-B")
}

func timed(f func()) time.Duration {
	start := time.Now()
	for range batch {
		f()
	}
	return time.Since(start)
}

// verification is our side.
type verification struct {
	b        *testing.B
	message  []byte
	verifier *wss.Verifier
}

// forgetful remembers no message, so that the same one can be verified again and again.
type forgetful struct{}

func (forgetful) Remember([32]byte, time.Time) (bool, error) { return true, nil }

func newVerification(b *testing.B, message []byte) *verification {
	v, err := wss.NewVerifier(wss.Config{Replay: forgetful{}})
	must(b, err)
	return &verification{b, message, v}
}

func (v *verification) parse() {
	_, err := xmlsec.Parse(v.message, xmlsec.DefaultLimits)
	must(v.b, err)
}

// verify does what the server does with an envelope: parse it, find its parts, authenticate its sender.
func (v *verification) verify() {
	doc, err := xmlsec.Parse(v.message, xmlsec.DefaultLimits)
	must(v.b, err)
	r := &soap.Request{Doc: doc}
	r.Header, _ = doc.Root().Child(soap.NSEnvelope, "Header")
	r.Body, _ = doc.Root().Child(soap.NSEnvelope, "Body")
	for child := range r.Body.Elements() {
		r.Payload = child
	}
	for to, name := range map[*string]string{&r.To: "To", &r.Action: "Action", &r.MessageID: "MessageID"} {
		n, _ := r.Header.Child(soap.NSAddressing, name)
		*to, _ = n.Text()
	}
	_, err = v.verifier.Authenticate(context.Background(), r)
	must(v.b, err)
}

// bareCrypto is the floor: the digests of the message and one signature check.
func bareCrypto(b *testing.B, key crypto.Signer, message []byte) func() {
	digest := sha256.Sum256(message)
	switch k := key.(type) {
	case *ecdsa.PrivateKey:
		signature, err := ecdsa.SignASN1(rand.Reader, k, digest[:])
		must(b, err)
		return func() {
			d := sha256.Sum256(message)
			if !ecdsa.VerifyASN1(&k.PublicKey, d[:], signature) {
				b.Fatal("bare crypto")
			}
		}
	case *rsa.PrivateKey:
		signature, err := rsa.SignPKCS1v15(rand.Reader, k, crypto.SHA256, digest[:])
		must(b, err)
		return func() {
			d := sha256.Sum256(message)
			must(b, rsa.VerifyPKCS1v15(&k.PublicKey, crypto.SHA256, d[:], signature))
		}
	}
	b.Fatalf("no bare crypto for %T", key)
	return nil
}

// libxmlsec builds and starts the other side, and returns how to have it do a batch.
func libxmlsec(b *testing.B, dir string) func(what string) time.Duration {
	program := filepath.Join(dir, "libxmlsec")
	flags, err := exec.Command("pkg-config", "--cflags", "--libs", "xmlsec1-openssl").Output()
	if err != nil {
		b.Skip("libxmlsec1-dev, libxmlsec1-openssl and pkg-config are not installed, so there is nothing to compare with")
	}
	args := append([]string{"-O2", "-o", program, "testdata/libxmlsec.c"}, strings.Fields(strings.ReplaceAll(string(flags), `\`, ""))...)
	if out, err := exec.Command("cc", args...).CombinedOutput(); err != nil {
		b.Skipf("building the comparison: %v\n%s", err, out)
	}
	cmd := exec.Command(program, filepath.Join(dir, "message.xml"), filepath.Join(dir, "cert.pem"))
	in, err := cmd.StdinPipe()
	must(b, err)
	out, err := cmd.StdoutPipe()
	must(b, err)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	must(b, cmd.Start())
	b.Cleanup(func() { in.Close(); cmd.Wait() })
	lines := bufio.NewReader(out)
	return func(what string) time.Duration {
		if _, err := fmt.Fprintln(in, what, batch); err != nil {
			b.Fatal(err)
		}
		var ns int64
		if _, err := fmt.Fscanln(lines, &ns); err != nil {
			if err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			b.Fatalf("%s: %v\n%s", what, err, stderr.String())
		}
		return time.Duration(ns)
	}
}

func must(b *testing.B, err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}
