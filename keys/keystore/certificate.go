package keystore

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"time"

	"collimate/keys"
)

// SaveCertificate writes certificates, the end-entity first. An older file is replaced: a certificate is public
// and can be issued again, unlike a key.
func SaveCertificate(path string, certs ...*x509.Certificate) error {
	if len(certs) == 0 {
		return errors.New("saving a certificate: none given")
	}
	var b bytes.Buffer
	for _, c := range certs {
		if err := pem.Encode(&b, &pem.Block{Type: pemCertificate, Bytes: c.Raw}); err != nil {
			return fmt.Errorf("saving a certificate: %w", err)
		}
	}
	if err := replace(path, b.Bytes(), 0o644); err != nil {
		return fmt.Errorf("saving a certificate: %w", err)
	}
	return nil
}

// LoadCertificate reads the first certificate of a file.
func LoadCertificate(path string) (*x509.Certificate, error) {
	b, err := readFile(path, func(fs.FileInfo) error { return nil })
	if err != nil {
		return nil, fmt.Errorf("loading a certificate: %w", err)
	}
	block, _ := pem.Decode(b)
	if block == nil || block.Type != pemCertificate {
		return nil, fmt.Errorf("loading a certificate: %s does not begin with a PEM block %q", path, pemCertificate)
	}
	c, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("loading a certificate from %s: %w", path, err)
	}
	return c, nil
}

// SelfSigned makes a certificate for k, signed by k, for servers and clients. Hosts are DNS names or IP
// addresses. It is not a certificate authority: a peer pins the key, by the ledger or by hand.
func SelfSigned(k crypto.Signer, name string, hosts []string, notBefore, notAfter time.Time) (*x509.Certificate, error) {
	t, err := template(k.Public(), name, notBefore, notAfter)
	if err != nil {
		return nil, err
	}
	asEndEntity(t, hosts)
	return create(t, t, k.Public(), k)
}

// NewCA makes the self-signed certificate of a certificate authority that issues end-entity certificates only.
func NewCA(k crypto.Signer, name string, notBefore, notAfter time.Time) (*x509.Certificate, error) {
	t, err := template(k.Public(), name, notBefore, notAfter)
	if err != nil {
		return nil, err
	}
	t.IsCA = true
	t.MaxPathLenZero = true
	t.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	return create(t, t, k.Public(), k)
}

// Issue makes a certificate for pub, signed by a certificate authority, for servers and clients.
func Issue(ca *x509.Certificate, caKey crypto.Signer, pub crypto.PublicKey, name string, hosts []string, notBefore, notAfter time.Time) (*x509.Certificate, error) {
	if !ca.IsCA {
		return nil, fmt.Errorf("issuing a certificate: %q is not a certificate authority", ca.Subject.CommonName)
	}
	t, err := template(pub, name, notBefore, notAfter)
	if err != nil {
		return nil, err
	}
	asEndEntity(t, hosts)
	return create(t, ca, pub, caKey)
}

// template holds what every certificate has. The SubjectKeyIdentifier is the first 20 bytes of the KeyID,
// RFC 7093 section 2 method 4, so that a person can match a certificate with the ledger.
func template(pub crypto.PublicKey, name string, notBefore, notAfter time.Time) (*x509.Certificate, error) {
	id, err := keys.IDOf(pub)
	if err != nil {
		return nil, fmt.Errorf("making a certificate: %w", err)
	}
	if name == "" || len(name) > maxNameBytes {
		return nil, fmt.Errorf("making a certificate: the name has %d bytes, want 1 to %d", len(name), maxNameBytes)
	}
	if !notAfter.After(notBefore) {
		return nil, errors.New("making a certificate: it would end before it begins")
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, fmt.Errorf("making a certificate: %w", err)
	}
	return &x509.Certificate{
		SerialNumber:          serial.Add(serial, big.NewInt(1)), // positive. RFC 5280 section 4.1.2.2
		Subject:               pkix.Name{CommonName: name},
		NotBefore:             notBefore,
		NotAfter:              notAfter,
		BasicConstraintsValid: true,
		SubjectKeyId:          id[:20],
	}, nil
}

// asEndEntity makes t good for TLS at both ends and for WS-Security, all of which sign and none of which
// encrypts with the key.
func asEndEntity(t *x509.Certificate, hosts []string) {
	t.KeyUsage = x509.KeyUsageDigitalSignature
	t.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	for _, h := range hosts {
		if ip := net.ParseIP(h); ip != nil {
			t.IPAddresses = append(t.IPAddresses, ip)
		} else {
			t.DNSNames = append(t.DNSNames, h)
		}
	}
}

func create(t, parent *x509.Certificate, pub crypto.PublicKey, signer crypto.Signer) (*x509.Certificate, error) {
	der, err := x509.CreateCertificate(rand.Reader, t, parent, pub, signer)
	if err != nil {
		return nil, fmt.Errorf("making a certificate: %w", err)
	}
	return x509.ParseCertificate(der)
}
