package keys

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"math"
)

// The bounds of an RSA modulus in bits: below, it can be broken; above, one verification is a way to keep a
// gateway busy.
const (
	minRSABits = 2048
	maxRSABits = 8192
)

// Supported returns ErrUnsupportedKey unless pub is ECDSA P-256 or P-384, RSA of 2048 to 8192 bits, or
// Ed25519. ECDSA keys must lie on their curve; an RSA modulus is odd, and its exponent odd and 3 to 2^31 - 1; Ed25519 keys
// must not be of small order, nor in a second encoding. ledger-spec 2.2
func Supported(pub crypto.PublicKey) error {
	switch k := pub.(type) {
	case *ecdsa.PublicKey:
		if k.Curve != elliptic.P256() && k.Curve != elliptic.P384() {
			return ErrUnsupportedKey
		}
		if _, err := k.ECDH(); err != nil {
			return ErrUnsupportedKey
		}
		return nil
	case *rsa.PublicKey:
		if k.N == nil || k.N.Bit(0) == 0 || k.E < 3 || k.E%2 == 0 || k.E > math.MaxInt32 {
			return ErrUnsupportedKey
		}
		if n := k.N.BitLen(); n < minRSABits || n > maxRSABits {
			return ErrUnsupportedKey
		}
		return nil
	case ed25519.PublicKey:
		if len(k) != ed25519.PublicKeySize || !soundEd25519(k) {
			return ErrUnsupportedKey
		}
		return nil
	}
	return ErrUnsupportedKey
}

// The algorithms of COSE with which keys sign. RFC 9053, RFC 8812, ledger-spec 3.4
const (
	es256 = -7
	es384 = -35
	ps256 = -37
	eddsa = -8
)

// Algorithm returns the COSE algorithm with which a key signs. There is one for each key, as two would be two sets of bytes
// for one intent: RSA signs with PS256.
func Algorithm(pub crypto.PublicKey) (int64, error) {
	if err := Supported(pub); err != nil {
		return 0, err
	}
	switch k := pub.(type) {
	case *ecdsa.PublicKey:
		if k.Curve == elliptic.P384() {
			return es384, nil
		}
		return es256, nil
	case *rsa.PublicKey:
		return ps256, nil
	}
	return eddsa, nil
}

// ParseSPKI returns the key of a SubjectPublicKeyInfo. It must be in the one encoding that Go writes: a key has one KeyID.
func ParseSPKI(der []byte) (crypto.PublicKey, error) {
	pub, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		return nil, fmt.Errorf("reading the public key: %w", err)
	}
	if err := Supported(pub); err != nil {
		return nil, err
	}
	again, err := x509.MarshalPKIXPublicKey(pub)
	if err != nil {
		return nil, fmt.Errorf("encoding the public key: %w", err)
	}
	if !bytes.Equal(again, der) {
		return nil, errors.New("the public key is not in DER as RFC 5480, RFC 3279 or RFC 8410 give it")
	}
	return pub, nil
}
