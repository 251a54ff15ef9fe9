package keystore

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"slices"
	"strings"
)

// Kind is a kind of key that Generate can make.
type Kind string

// The kinds of keys. P256 is the default: IHE peers know it, and one signature costs 30 microseconds.
const (
	P256    Kind = "p256"
	P384    Kind = "p384"
	RSA2048 Kind = "rsa2048" // for peers whose stacks cannot do elliptic curves
	RSA3072 Kind = "rsa3072"
	Ed25519 Kind = "ed25519"
)

// Kinds lists every Kind, the default first.
func Kinds() []Kind { return []Kind{P256, P384, RSA2048, RSA3072, Ed25519} }

// ParseKind returns the Kind of that name. The empty name is P256.
func ParseKind(name string) (Kind, error) {
	if name == "" {
		return P256, nil
	}
	if k := Kind(name); slices.Contains(Kinds(), k) {
		return k, nil
	}
	var names []string
	for _, k := range Kinds() {
		names = append(names, string(k))
	}
	return "", fmt.Errorf("unknown kind of key %q: want one of %s", name, strings.Join(names, ", "))
}

// Generate makes a new private key.
func Generate(kind Kind) (crypto.Signer, error) {
	switch kind {
	case P256, "":
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case P384:
		return ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case RSA2048:
		return rsa.GenerateKey(rand.Reader, 2048)
	case RSA3072:
		return rsa.GenerateKey(rand.Reader, 3072)
	case Ed25519:
		_, key, err := ed25519.GenerateKey(rand.Reader)
		return key, err
	}
	_, err := ParseKind(string(kind))
	return nil, err
}
