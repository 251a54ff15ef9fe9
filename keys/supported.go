package keys

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
)

// The bounds of an RSA modulus in bits: below, it can be broken; above, one verification is a way to keep a
// gateway busy.
const (
	minRSABits = 2048
	maxRSABits = 8192
)

// Supported returns ErrUnsupportedKey unless pub is ECDSA P-256 or P-384, RSA of 2048 to 8192 bits, or
// Ed25519. ECDSA keys must lie on their curve; Ed25519 keys must not be of small order, nor in a second encoding.
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
