package main

import (
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"fmt"

	"collimate/keys"
	"collimate/keys/keystore"
)

// identity is a private key with its certificate, as a signer and for TLS.
type identity struct {
	signer crypto.Signer
	tls    tls.Certificate
}

// loadIdentity loads a key and its certificate, and checks that they belong together.
func loadIdentity(keyFile, certificateFile string) (identity, error) {
	key, err := keystore.Load(keyFile)
	if err != nil {
		return identity{}, err
	}
	cert, err := keystore.LoadCertificate(certificateFile)
	if err != nil {
		return identity{}, err
	}
	of, err := keys.IDOf(key.Public())
	if err != nil {
		return identity{}, err
	}
	if got, err := keys.IDOfCertificate(cert); err != nil || got != of {
		return identity{}, fmt.Errorf("%s is not a certificate of the key in %s", certificateFile, keyFile)
	}
	return identity{signer: key, tls: tls.Certificate{Certificate: [][]byte{cert.Raw}, PrivateKey: key, Leaf: cert}}, nil
}

// authorities is a pool with the certificates of a file.
func authorities(file string) (*x509.CertPool, error) {
	cert, err := keystore.LoadCertificate(file)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	pool.AddCert(cert)
	return pool, nil
}
