package xmlsec

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	_ "crypto/sha256" // linked in for crypto.Hash.New
	_ "crypto/sha512"
	"fmt"
	"math/big"
	"slices"
)

// The namespace of XML Signature, and the identifiers of the algorithms that this package knows.
const (
	NamespaceDSig = "http://www.w3.org/2000/09/xmldsig#"

	// ExclusiveC14N is both the algorithm and the namespace of InclusiveNamespaces.
	ExclusiveC14N             = "http://www.w3.org/2001/10/xml-exc-c14n#"
	ExclusiveC14NWithComments = "http://www.w3.org/2001/10/xml-exc-c14n#WithComments"
	EnvelopedSignature        = "http://www.w3.org/2000/09/xmldsig#enveloped-signature"

	SHA256 = "http://www.w3.org/2001/04/xmlenc#sha256"
	SHA384 = "http://www.w3.org/2001/04/xmldsig-more#sha384"
	SHA512 = "http://www.w3.org/2001/04/xmlenc#sha512"

	RSASHA256   = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"
	RSASHA384   = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha384"
	RSASHA512   = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha512"
	ECDSASHA256 = "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256"
	ECDSASHA384 = "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha384"
	ECDSASHA512 = "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha512"
	Ed25519     = "http://www.w3.org/2021/04/xmldsig-more#eddsa-ed25519" // RFC 9231, section 2.3.12
)

// Algorithms is an allow-list. An empty list allows all that the package knows.
type Algorithms struct {
	// Signatures are identifiers such as ECDSASHA256.
	Signatures []string
	// Digests are identifiers such as SHA256.
	Digests []string
}

// scheme is what a signature algorithm identifier means.
type scheme struct {
	family family
	hash   crypto.Hash // 0 for Ed25519, which hashes by itself
}

type family uint8

const (
	familyRSA family = iota + 1
	familyECDSA
	familyEd25519
)

func signatureScheme(algorithm string) (scheme, bool) {
	switch algorithm {
	case RSASHA256:
		return scheme{familyRSA, crypto.SHA256}, true
	case RSASHA384:
		return scheme{familyRSA, crypto.SHA384}, true
	case RSASHA512:
		return scheme{familyRSA, crypto.SHA512}, true
	case ECDSASHA256:
		return scheme{familyECDSA, crypto.SHA256}, true
	case ECDSASHA384:
		return scheme{familyECDSA, crypto.SHA384}, true
	case ECDSASHA512:
		return scheme{familyECDSA, crypto.SHA512}, true
	case Ed25519:
		return scheme{familyEd25519, 0}, true
	}
	return scheme{}, false
}

func digestHash(algorithm string) (crypto.Hash, bool) {
	switch algorithm {
	case SHA256:
		return crypto.SHA256, true
	case SHA384:
		return crypto.SHA384, true
	case SHA512:
		return crypto.SHA512, true
	}
	return 0, false
}

func (a Algorithms) signature(algorithm string) (scheme, error) {
	s, ok := signatureScheme(algorithm)
	if !ok || len(a.Signatures) > 0 && !slices.Contains(a.Signatures, algorithm) {
		return scheme{}, fmt.Errorf("signature method: %w", ErrAlgorithm)
	}
	return s, nil
}

func (a Algorithms) digest(algorithm string) (crypto.Hash, error) {
	h, ok := digestHash(algorithm)
	if !ok || len(a.Digests) > 0 && !slices.Contains(a.Digests, algorithm) {
		return 0, fmt.Errorf("digest method: %w", ErrAlgorithm)
	}
	return h, nil
}

// message is what goes into the primitive: the hash of the canonical SignedInfo, or itself for Ed25519.
func (s scheme) message(signedInfo []byte) []byte {
	if s.hash == 0 {
		return signedInfo
	}
	h := s.hash.New()
	h.Write(signedInfo)
	return h.Sum(nil)
}

// verify checks one signature value. The key must be of the family that the algorithm names: an RSA key is
// never tried as anything else.
func (s scheme) verify(key crypto.PublicKey, signedInfo, value []byte) error {
	valid := false
	switch k := key.(type) {
	case *rsa.PublicKey:
		if s.family != familyRSA {
			return fmt.Errorf("RSA key: %w", ErrAlgorithm)
		}
		valid = rsa.VerifyPKCS1v15(k, s.hash, s.message(signedInfo), value) == nil
	case *ecdsa.PublicKey:
		size := coordinateSize(k.Curve)
		if s.family != familyECDSA || size == 0 {
			return fmt.Errorf("ECDSA key: %w", ErrAlgorithm)
		}
		// RFC 4050, section 3.3: r and s, each as long as the order of the curve. DER is refused: one
		// signature, one spelling.
		if len(value) == 2*size {
			r, t := new(big.Int).SetBytes(value[:size]), new(big.Int).SetBytes(value[size:])
			valid = ecdsa.Verify(k, s.message(signedInfo), r, t)
		}
	case ed25519.PublicKey:
		if s.family != familyEd25519 || len(k) != ed25519.PublicKeySize {
			return fmt.Errorf("Ed25519 key: %w", ErrAlgorithm)
		}
		valid = ed25519.Verify(k, signedInfo, value)
	default:
		return fmt.Errorf("key of type %T: %w", key, ErrAlgorithm)
	}
	if !valid {
		return ErrSignature
	}
	return nil
}

// coordinateSize returns the bytes of r, and of s, on the curves that are accepted, and 0 on others.
func coordinateSize(c elliptic.Curve) int {
	switch c {
	case elliptic.P256():
		return 32
	case elliptic.P384():
		return 48
	}
	return 0
}
