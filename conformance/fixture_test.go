package conformance

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"io"
	"log"
	"math/big"
	"net"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// fixture is a source side and a consumer side, and the target that describes them.
type fixture struct {
	source, consumer *server
	target           Target
}

const (
	studyID    = "2.25.100000000000000000000000000000000000001"
	manifestID = "2.25.100000000000000000000000000000000000002"
	secretID   = "2.25.100000000000000000000000000000000000003"
	plainUser  = ""
)

// identity makes a key and a certificate for it.
func identity(t testing.TB, name string, key crypto.Signer) Identity {
	t.Helper()
	if key == nil {
		var err error
		if key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
			t.Fatal(err)
		}
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return Identity{key, c}
}

func (id Identity) tls() tls.Certificate {
	return tls.Certificate{Certificate: [][]byte{id.Certificate.Raw}, PrivateKey: id.Key, Leaf: id.Certificate}
}

// newFixture starts both sides. spoil, which may be nil, may change them before.
func newFixture(t testing.TB, spoil func(*server, *tls.Config)) *fixture {
	t.Helper()
	grantee, stranger, host := identity(t, "south", nil), identity(t, "stranger", nil), identity(t, "host", nil)
	reader := fingerprint(grantee.Certificate.RawSubjectPublicKeyInfo)
	documents := map[string]*held{
		studyID:    {"application/zip", []byte("PK\x03\x04 a study"), []string{reader, plainUser}},
		manifestID: {"application/dicom", []byte(strings.Repeat("\x00", 128) + "DICM\x02\x00 a manifest"), []string{reader, plainUser}},
		secretID:   {"application/zip", []byte("PK\x03\x04 nobody's"), nil},
	}
	f := &fixture{source: &server{signed: true, documents: documents}, consumer: &server{documents: documents}}
	start := func(s *server) (string, *tls.Config) {
		ts := httptest.NewUnstartedServer(s)
		ts.Config.ErrorLog = log.New(io.Discard, "", 0) // refused handshakes are part of the test
		ts.TLS = &tls.Config{Certificates: []tls.Certificate{host.tls()}, ClientAuth: tls.RequireAnyClientCert, MinVersion: tls.VersionTLS12}
		if spoil != nil {
			spoil(s, ts.TLS)
		}
		ts.StartTLS()
		t.Cleanup(ts.Close)
		roots := x509.NewCertPool()
		roots.AddCert(host.Certificate)
		return ts.URL + "/iti43", &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{grantee.tls()}}
	}
	f.target = Target{
		RepositoryUniqueID: testRepository, Studies: []string{studyID}, Manifest: manifestID, NotGranted: secretID,
		Grantee: grantee, Stranger: stranger, SchemaDir: schemaDir(), Timeout: 20 * time.Second,
	}
	f.target.SourceURL, f.target.SourceTLS = start(f.source)
	f.target.ConsumerURL, f.target.ConsumerTLS = start(f.consumer)
	return f
}

// schemaDir returns the directory of official schemas beside the module, empty if there is none. It looks for itself,
// since this package imports nothing of the project.
func schemaDir() string {
	root := os.Getenv("COLLIMATE_SHARED")
	for dir, _ := os.Getwd(); root == "" && dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "shared", "ihe")); err == nil {
			root = filepath.Join(dir, "shared")
		}
	}
	dir := filepath.Join(root, "ihe", "schemas", "toolkit2", "v3")
	if _, err := os.Stat(filepath.Join(dir, repositorySchema)); root == "" || err != nil {
		return ""
	}
	return dir
}
