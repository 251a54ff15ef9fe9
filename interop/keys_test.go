package interop

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"collimate/keys"
)

// identity is a key and a certificate for it.
type identity struct {
	key         crypto.Signer
	certificate *x509.Certificate
	keyID       keys.ID
}

func (i identity) tls() tls.Certificate {
	return tls.Certificate{Certificate: [][]byte{i.certificate.Raw}, PrivateKey: i.key, Leaf: i.certificate}
}

// identities are those of one run: an authority, a signer of each kind and the server.
type identities struct {
	dir    string // NAME.key, NAME.pem, NAME.both for each, and ca.pem
	ca     identity
	of     map[string]identity // "rsa", "ec", "ec384", "ed25519"
	server identity
	issuer identity // of assertions
	pool   *x509.CertPool
}

func newIdentities(t *testing.T) identities {
	t.Helper()
	id := identities{dir: t.TempDir(), of: map[string]identity{}, pool: x509.NewCertPool()}
	id.ca = id.issue(t, "ca", newEC(t, elliptic.P256()))
	id.pool.AddCert(id.ca.certificate)
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	id.of["rsa"] = id.issue(t, "rsa", key)
	id.of["ec"] = id.issue(t, "ec", newEC(t, elliptic.P256()))
	id.of["ec384"] = id.issue(t, "ec384", newEC(t, elliptic.P384()))
	_, edwards, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	id.of["ed25519"] = id.issue(t, "ed25519", edwards)
	id.server = id.issue(t, "server", newEC(t, elliptic.P256()))
	id.issuer = id.issue(t, "ec-issuer", newEC(t, elliptic.P256()))
	return id
}

func newEC(t *testing.T, curve elliptic.Curve) crypto.Signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// issue makes a certificate and writes both to files. Names and serial numbers have what hospitals have in them: a
// comma, a country, a large number.
func (all identities) issue(t *testing.T, name string, key crypto.Signer) identity {
	t.Helper()
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		t.Fatal(err)
	}
	spki, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	keyID := sha256.Sum256(spki)
	c := &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: name, Organization: []string{"North Hospital, Radiology"}, Country: []string{"CH"}},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(24 * time.Hour),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
		DNSNames:     []string{"localhost"},
		IPAddresses:  []net.IP{net.IPv4(127, 0, 0, 1)},
		SubjectKeyId: keyID[:20],
	}
	issuer := all.ca
	if name == "ca" {
		c.KeyUsage, c.ExtKeyUsage, c.IsCA, c.BasicConstraintsValid = x509.KeyUsageCertSign, nil, true, true
		issuer = identity{key: key, certificate: c}
	}
	der, err := x509.CreateCertificate(rand.Reader, c, issuer.certificate, key.Public(), issuer.key)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	keyPEM := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})
	certPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	write(t, filepath.Join(all.dir, name+".key"), keyPEM)
	write(t, filepath.Join(all.dir, name+".pem"), certPEM)
	write(t, filepath.Join(all.dir, name+".both"), bytes.Join([][]byte{keyPEM, certPEM}, nil))
	id, err := keys.IDOfCertificate(certificate)
	if err != nil {
		t.Fatal(err)
	}
	return identity{key, certificate, id}
}

func write(t *testing.T, name string, b []byte) {
	t.Helper()
	if err := os.WriteFile(name, b, 0o600); err != nil {
		t.Fatal(err)
	}
}
