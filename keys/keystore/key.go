package keystore

import (
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"collimate/keys"
)

const (
	pemPrivateKey  = "PRIVATE KEY" // RFC 7468 section 10
	pemCertificate = "CERTIFICATE" // RFC 7468 section 5
)

// Save writes a private key to a new file of mode 0600. It never overwrites: where the name is taken, the
// error wraps fs.ErrExist.
func Save(path string, k crypto.Signer) error {
	if err := keys.Supported(k.Public()); err != nil {
		return fmt.Errorf("saving a key: %w", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		return fmt.Errorf("encoding the private key: %w", err)
	}
	if err := writeNew(path, pem.EncodeToMemory(&pem.Block{Type: pemPrivateKey, Bytes: der}), 0o600); err != nil {
		return fmt.Errorf("saving a key: %w", err)
	}
	return nil
}

// Load reads a private key. It refuses a file that group or others may read or write, a file with anything
// beside the one key, and a key that keys.Supported refuses.
func Load(path string) (crypto.Signer, error) {
	b, err := readFile(path, func(i fs.FileInfo) error {
		if perm := i.Mode().Perm(); perm&0o077 != 0 {
			return fmt.Errorf("%s has mode %#o: a private key must be readable by its owner alone; run chmod 600 on it, and replace the key if others could have read it", path, perm)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("loading a key: %w", err)
	}
	k, err := parseKey(b)
	if err != nil {
		return nil, fmt.Errorf("loading a key from %s: %w", path, err)
	}
	return k, nil
}

func parseKey(b []byte) (crypto.Signer, error) {
	block, rest := pem.Decode(b)
	switch {
	case block == nil:
		return nil, errors.New("no PEM block in the file")
	case strings.Contains(block.Type, "ENCRYPTED"):
		return nil, errors.New("the key is encrypted: decrypt it with openssl pkcs8 first")
	case block.Type != pemPrivateKey:
		return nil, fmt.Errorf("PEM block %q: want %q, made with openssl pkcs8 -topk8 -nocrypt", block.Type, pemPrivateKey)
	case strings.TrimSpace(string(rest)) != "":
		return nil, errors.New("more than one key, or text after the key")
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("not a PKCS#8 key: %w", err)
	}
	k, ok := parsed.(crypto.Signer)
	if !ok {
		return nil, keys.ErrUnsupportedKey
	}
	if err := keys.Supported(k.Public()); err != nil {
		return nil, err
	}
	return k, nil
}
