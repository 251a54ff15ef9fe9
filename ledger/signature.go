package ledger

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"errors"
	"math/big"
	"slices"

	"github.com/veraison/go-cose"

	"collimate/keys"
)

// algorithmOf returns the one algorithm that a key signs with. ledger-spec 3.4
func algorithmOf(pub crypto.PublicKey) (cose.Algorithm, error) {
	alg, err := keys.Algorithm(pub)
	return cose.Algorithm(alg), err
}

// parseSPKI returns the key of a SubjectPublicKeyInfo and its algorithm.
func parseSPKI(der []byte) (crypto.PublicKey, cose.Algorithm, error) {
	pub, err := keys.ParseSPKI(der)
	if err != nil {
		return nil, 0, err
	}
	alg, err := algorithmOf(pub)
	return pub, alg, err
}

// checkForm applies the acceptance rule that the algorithms leave open, so that nobody but the signer can change
// the bytes, and with them the TxID, of a transaction. A signature has the length of its key, without added zeros;
// its numbers are reduced; and of the two ECDSA signatures (r, s) and (r, n-s) that anybody can turn into each other,
// it is the one with s <= n/2. ledger-spec 3.5
func checkForm(pub crypto.PublicKey, sig []byte) error {
	switch k := pub.(type) {
	case *ecdsa.PublicKey:
		size := (k.Curve.Params().BitSize + 7) / 8
		if len(sig) != 2*size {
			return errors.New("an ECDSA signature is r and s in the length of the curve")
		}
		r, s := new(big.Int).SetBytes(sig[:size]), new(big.Int).SetBytes(sig[size:])
		if r.Sign() == 0 || r.Cmp(k.Curve.Params().N) >= 0 || s.Sign() == 0 || s.Cmp(halfOrder(k.Curve)) > 0 {
			return errors.New("the r of an ECDSA signature is 1 to n-1, and its s 1 to half the order")
		}
	case *rsa.PublicKey:
		if len(sig) != k.Size() {
			return errors.New("an RSA signature has the length of the modulus")
		}
		if new(big.Int).SetBytes(sig).Cmp(k.N) >= 0 {
			return errors.New("an RSA signature is less than the modulus")
		}
	case ed25519.PublicKey:
		if len(sig) != ed25519.SignatureSize {
			return errors.New("an Ed25519 signature has 64 bytes")
		}
		s := slices.Clone(sig[32:])
		slices.Reverse(s)
		if new(big.Int).SetBytes(s).Cmp(order25519) >= 0 {
			return errors.New("the S of an Ed25519 signature is less than the order")
		}
	}
	return nil
}

// normalise makes the signature one that checkForm accepts.
func normalise(pub crypto.PublicKey, sig []byte) {
	k, ok := pub.(*ecdsa.PublicKey)
	if !ok {
		return
	}
	half := sig[len(sig)/2:]
	if s := new(big.Int).SetBytes(half); s.Cmp(halfOrder(k.Curve)) > 0 {
		s.Sub(k.Curve.Params().N, s).FillBytes(half)
	}
}

// order25519 is L, the order of the base point of Ed25519. RFC 8032 section 5.1
var order25519, _ = new(big.Int).SetString("7237005577332262213973186563042994240857116359379907606001950938285454250989", 10)

func halfOrder(c elliptic.Curve) *big.Int { return new(big.Int).Rsh(c.Params().N, 1) }
