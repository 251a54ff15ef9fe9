package keystore_test

import (
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"collimate/keys"
	"collimate/keys/keystore"
)

var (
	begins = time.Now().Add(-time.Hour)
	ends   = begins.Add(24 * time.Hour)
)

func generate(t *testing.T, kind keystore.Kind) crypto.Signer {
	t.Helper()
	k, err := keystore.Generate(kind)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestRoundTrip(t *testing.T) {
	for _, kind := range append(keystore.Kinds(), "") {
		t.Run(string(kind), func(t *testing.T) {
			k := generate(t, kind)
			if err := keys.Supported(k.Public()); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(t.TempDir(), "key.pem")
			if err := keystore.Save(path, k); err != nil {
				t.Fatal(err)
			}
			info, err := os.Stat(path)
			if err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("got mode %v, %v, want 0600", info.Mode(), err)
			}
			again, err := keystore.Load(path)
			if err != nil {
				t.Fatal(err)
			}
			if !k.(interface{ Equal(crypto.PrivateKey) bool }).Equal(again) {
				t.Error("another key came back")
			}
		})
	}
}

func TestParseKind(t *testing.T) {
	for _, want := range keystore.Kinds() {
		if got, err := keystore.ParseKind(string(want)); got != want || err != nil {
			t.Errorf("got %q, %v, want %q", got, err, want)
		}
	}
	if got, err := keystore.ParseKind(""); got != keystore.P256 || err != nil {
		t.Errorf("default: got %q, %v", got, err)
	}
	for _, bad := range []string{"P256", "rsa1024", "rsa", "x"} {
		if _, err := keystore.ParseKind(bad); err == nil || !strings.Contains(err.Error(), "p384") {
			t.Errorf("%q: got %v, want an error that names the kinds", bad, err)
		}
		if _, err := keystore.Generate(keystore.Kind(bad)); err == nil {
			t.Errorf("Generate(%q) made a key", bad)
		}
	}
}

func TestSaveNeverOverwrites(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "key.pem")
	if err := keystore.Save(path, generate(t, keystore.P256)); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := keystore.Save(path, generate(t, keystore.P256)); !errors.Is(err, fs.ErrExist) {
		t.Errorf("got %v, want %v", err, fs.ErrExist)
	}
	if after, err := os.ReadFile(path); err != nil || string(after) != string(before) {
		t.Error("the key was overwritten")
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		t.Errorf("got %d files, %v, want the key alone", len(entries), err)
	}
	if err := keystore.Save(filepath.Join(dir, "missing", "key.pem"), generate(t, keystore.P256)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("into no directory: got %v, want %v", err, fs.ErrNotExist)
	}
}

func TestLoadRefuses(t *testing.T) {
	dir := t.TempDir()
	write := func(name, content string, mode fs.FileMode) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil { // whatever the umask
			t.Fatal(err)
		}
		return path
	}
	p8 := func(k any) string {
		der, err := x509.MarshalPKCS8PrivateKey(k)
		if err != nil {
			t.Fatal(err)
		}
		return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	}
	good := p8(generate(t, keystore.P256))
	p521, err := ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	x25519, err := ecdh.X25519().GenerateKey(rand.Reader) // agrees on secrets, cannot sign
	if err != nil {
		t.Fatal(err)
	}
	if _, err := keystore.Load(write("good", good+"\n", 0o400)); err != nil {
		t.Errorf("the good one: %v", err)
	}
	for name, c := range map[string]struct{ path, want string }{
		"group reads":  {write("group", good, 0o640), "chmod 600"},
		"others read":  {write("others", good, 0o604), "chmod 600"},
		"group writes": {write("writes", good, 0o620), "chmod 600"},
		"missing":      {filepath.Join(dir, "none"), "no such file"},
		"directory":    {dir, "not a regular file"},
		"empty":        {write("empty", "", 0o600), "no PEM"},
		"no PEM":       {write("text", "hello", 0o600), "no PEM"},
		"two keys":     {write("two", good+good, 0o600), "more than one"},
		"text after":   {write("after", good+"hello", 0o600), "text after"},
		"old format":   {write("old", strings.ReplaceAll(good, "PRIVATE KEY", "EC PRIVATE KEY"), 0o600), "pkcs8"},
		"encrypted":    {write("enc", strings.ReplaceAll(good, "PRIVATE KEY", "ENCRYPTED PRIVATE KEY"), 0o600), "encrypted"},
		"not PKCS#8":   {write("junk", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte("x")})), 0o600), "PKCS#8"},
		"P-521":        {write("p521", p8(p521), 0o600), "unsupported"},
		"X25519":       {write("ecdh", p8(x25519), 0o600), "unsupported"},
		"large":        {write("large", good+strings.Repeat("\n", 64<<10), 0o600), "larger than"},
	} {
		if k, err := keystore.Load(c.path); err == nil || k != nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want an error with %q", name, err, c.want)
		}
	}
	if err := keystore.Save(filepath.Join(dir, "new"), p521); !errors.Is(err, keys.ErrUnsupportedKey) {
		t.Errorf("Save of P-521: got %v", err)
	}
}

func TestSelfSigned(t *testing.T) {
	for _, kind := range keystore.Kinds() {
		t.Run(string(kind), func(t *testing.T) {
			k := generate(t, kind)
			c, err := keystore.SelfSigned(k, "north", []string{"127.0.0.1", "::1", "north.example"}, begins, ends)
			if err != nil {
				t.Fatal(err)
			}
			id, err := keys.IDOf(k.Public())
			if err != nil {
				t.Fatal(err)
			}
			if got, err := keys.IDOfCertificate(c); got != id || err != nil {
				t.Errorf("key %s, %v, want %s", got, err, id)
			}
			if string(c.SubjectKeyId) != string(id[:20]) {
				t.Error("the SubjectKeyIdentifier is not of the KeyID")
			}
			if c.IsCA || c.KeyUsage != x509.KeyUsageDigitalSignature || len(c.ExtKeyUsage) != 2 {
				t.Errorf("CA %v, usage %v, %v", c.IsCA, c.KeyUsage, c.ExtKeyUsage)
			}
			for _, host := range []string{"127.0.0.1", "::1", "north.example"} {
				if err := c.VerifyHostname(host); err != nil {
					t.Error(err)
				}
			}
			path := filepath.Join(t.TempDir(), "cert.pem")
			for range 2 { // a certificate may be replaced
				if err := keystore.SaveCertificate(path, c); err != nil {
					t.Fatal(err)
				}
			}
			again, err := keystore.LoadCertificate(path)
			if err != nil || !again.Equal(c) {
				t.Errorf("got another certificate back, %v", err)
			}
		})
	}
}

// TestIssue makes a small PKI and shakes hands with it, both sides with certificates.
func TestIssue(t *testing.T) {
	caKey := generate(t, keystore.P256)
	ca, err := keystore.NewCA(caKey, "test CA", begins, ends)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(ca)
	party := func(kind keystore.Kind, name string) tls.Certificate {
		k := generate(t, kind)
		c, err := keystore.Issue(ca, caKey, k.Public(), name, []string{name + ".example"}, begins, ends)
		if err != nil {
			t.Fatal(err)
		}
		return tls.Certificate{Certificate: [][]byte{c.Raw}, PrivateKey: k}
	}
	clientEnd, serverEnd := net.Pipe()
	server := tls.Server(serverEnd, &tls.Config{Certificates: []tls.Certificate{party(keystore.RSA2048, "north")}, ClientCAs: pool, ClientAuth: tls.RequireAndVerifyClientCert})
	client := tls.Client(clientEnd, &tls.Config{Certificates: []tls.Certificate{party(keystore.P384, "south")}, RootCAs: pool, ServerName: "north.example"})
	served := make(chan error, 1)
	go func() { served <- server.Handshake() }()
	if err := errors.Join(client.Handshake(), <-served); err != nil {
		t.Error(err)
	}
	clientEnd.Close()
	serverEnd.Close()

	self, err := keystore.SelfSigned(caKey, "no CA", nil, begins, ends)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := keystore.Issue(self, caKey, caKey.Public(), "x", nil, begins, ends); err == nil {
		t.Error("a certificate that is no CA's issued one")
	}
	if _, err := keystore.Issue(ca, generate(t, keystore.P256), caKey.Public(), "x", nil, begins, ends); err == nil {
		t.Error("another key than the CA's issued a certificate")
	}
}

func TestCertificateRefuses(t *testing.T) {
	k := generate(t, keystore.P256)
	for name, c := range map[string]struct {
		cn       string
		from, to time.Time
		good     bool
	}{
		"longest name":  {strings.Repeat("a", 64), begins, ends, true},
		"name too long": {strings.Repeat("a", 65), begins, ends, false},
		"no name":       {"", begins, ends, false},
		"no time":       {"a", begins, begins, false},
		"backwards":     {"a", ends, begins, false},
	} {
		if _, err := keystore.SelfSigned(k, c.cn, nil, c.from, c.to); (err == nil) != c.good {
			t.Errorf("%s: got %v, want good=%v", name, err, c.good)
		}
	}
	dir := t.TempDir()
	if err := keystore.SaveCertificate(filepath.Join(dir, "none.pem")); err == nil {
		t.Error("saved no certificate")
	}
	for name, content := range map[string]string{
		"empty": "", "text": "hello", "a key": "-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n",
		"junk": string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("x")})),
	} {
		path := filepath.Join(dir, "file")
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := keystore.LoadCertificate(path); err == nil {
			t.Errorf("%s: loaded", name)
		}
	}
}
