package conformance

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// testKeys makes a key of each kind that can sign.
func testKeys(t *testing.T) map[string]crypto.Signer {
	t.Helper()
	p256, err1 := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	p384, err2 := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	rsa2048, err3 := rsa.GenerateKey(rand.Reader, 2048)
	if err := errors.Join(err1, err2, err3); err != nil {
		t.Fatal(err)
	}
	return map[string]crypto.Signer{"P-256": p256, "P-384": p384, "RSA-2048": rsa2048}
}

// signedBy returns a signed envelope as it goes on the wire.
func signedBy(t *testing.T, id Identity, b Breakage) []byte {
	t.Helper()
	// The ids have what canonicalisation must escape.
	m := newMessage("https://north.example/xds?a=1&b=<2>", DocumentRef{HomeCommunityID: "urn:oid:1.2", RepositoryUniqueID: "1.3", DocumentUniqueID: "1.4^a&b<c>\"d'\t"})
	c := &SigningConsumer{Identity: id, Break: b}
	if err := c.sign(m); err != nil {
		t.Fatal(err)
	}
	raw, _, err := m.serialise()
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// TestSignatureAgainstXMLSec: an implementation that shares nothing with ours accepts whole signatures of each
// kind of key, and refuses those that were tampered with.
func TestSignatureAgainstXMLSec(t *testing.T) {
	if _, err := exec.LookPath("xmlsec1"); err != nil {
		t.Skip("xmlsec1 is not installed")
	}
	for name, key := range testKeys(t) {
		id := identity(t, name, key)
		for b, want := range map[Breakage]bool{Whole: true, StaleTimestamp: true, TamperedBody: false, OtherKey: false} {
			out, err := xmlsec(t, id, signedBy(t, id, b))
			if (err == nil) != want {
				t.Errorf("%s %q: accepted is %v, want %v\n%s", name, b, err == nil, want, out)
			}
		}
	}
}

func xmlsec(t *testing.T, id Identity, envelope []byte) ([]byte, error) {
	t.Helper()
	dir := t.TempDir()
	message, certificate := filepath.Join(dir, "message.xml"), filepath.Join(dir, "certificate.pem")
	err1 := os.WriteFile(message, envelope, 0o600)
	err2 := os.WriteFile(certificate, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: id.Certificate.Raw}), 0o600)
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	args := []string{"--verify", "--pubkey-cert-pem", certificate}
	for _, e := range []string{nsSOAP + ":Body", nsWSU + ":Timestamp", nsWSA + ":To", nsWSA + ":Action", nsWSA + ":MessageID", nsWSA + ":ReplyTo"} {
		args = append(args, "--id-attr:Id", e)
	}
	return exec.Command("xmlsec1", append(args, message)...).CombinedOutput()
}

// TestCanonicaliseAgainstLibxml2 compares the canonical form of a whole signed envelope.
func TestCanonicaliseAgainstLibxml2(t *testing.T) {
	if _, err := exec.LookPath("xmllint"); err != nil {
		t.Skip("xmllint is not installed")
	}
	m := newMessage("https://north.example/xds?a=1&b=<2>", DocumentRef{RepositoryUniqueID: "1.3", DocumentUniqueID: "1.4^a&b<c>\"d'\té"})
	if err := (&SigningConsumer{Identity: identity(t, "south", nil)}).sign(m); err != nil {
		t.Fatal(err)
	}
	raw, _, err := m.serialise()
	if err != nil {
		t.Fatal(err)
	}
	got, err := canonicalise(m.envelope)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("xmllint", "--nonet", "--exc-c14n", "-")
	cmd.Stdin = bytes.NewReader(raw)
	want, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// TestBreakagesAreSingle: the independent server finds in each broken message the one defect that it is named
// after, and no other.
func TestBreakagesAreSingle(t *testing.T) {
	for name, key := range testKeys(t) {
		id := identity(t, name, key)
		for b := range breakages {
			s := &server{signed: true, documents: map[string]*held{manifestID: {readers: []string{"anyone"}}}}
			m := newMessage("http://127.0.0.1/", DocumentRef{RepositoryUniqueID: "1.3", DocumentUniqueID: "1.4"})
			if err := (&SigningConsumer{Identity: id, Break: b}).sign(m); err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(s.defects(m.envelope, &retrieval{}), ", "); got != string(b) {
				t.Errorf("%s %s: the server finds %q", name, b, got)
			}
		}
	}
}

// TestSigningConsumerKinds retrieves with each kind of key.
func TestSigningConsumerKinds(t *testing.T) {
	f := newFixture(t, nil)
	for name, key := range testKeys(t) {
		id := identity(t, name, key)
		f.source.documents[manifestID].readers = append(f.source.documents[manifestID].readers, fingerprint(id.Certificate.RawSubjectPublicKeyInfo))
		c := &SigningConsumer{Consumer: Consumer{HTTP: NewHTTPClient(f.target.SourceTLS)}, Identity: id}
		a, err := c.Retrieve(context.Background(), f.target.SourceURL, f.target.ref(manifestID))
		if err != nil || a.Success() != nil {
			t.Errorf("%s: %v, %v", name, a, err)
		}
	}
}

func TestSigningConsumerNeedsIdentity(t *testing.T) {
	if _, err := new(SigningConsumer).Retrieve(context.Background(), "http://127.0.0.1/", DocumentRef{}); err == nil {
		t.Error("want an error")
	}
}

func TestLoadIdentity(t *testing.T) {
	dir := t.TempDir()
	id := identity(t, "south", nil)
	der, err := x509.MarshalPKCS8PrivateKey(id.Key)
	if err != nil {
		t.Fatal(err)
	}
	write := func(name, kind string, der []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	key, certificate := write("key.pem", "PRIVATE KEY", der), write("cert.pem", "CERTIFICATE", id.Certificate.Raw)
	got, err := LoadIdentity(key, certificate)
	if err != nil || !got.Certificate.Equal(id.Certificate) {
		t.Fatalf("got %v", err)
	}
	empty := filepath.Join(dir, "empty.pem")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, files := range [][2]string{{certificate, certificate}, {key, key}, {empty, certificate}, {key, empty}, {filepath.Join(dir, "none"), certificate}} {
		if _, err := LoadIdentity(files[0], files[1]); err == nil {
			t.Errorf("%v: want an error", files)
		}
	}
}
