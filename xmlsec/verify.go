package xmlsec

import (
	"crypto"
	"crypto/subtle"
	"slices"
)

// Verified is the outcome of Signature.Verify: a key, and the elements that it signed. There is no other way
// to make one; the zero Verified covers nothing.
type Verified struct {
	key       crypto.PublicKey
	algorithm string
	covered   []Node
}

// Covers reports whether n is an element that a reference named, and with it all that it holds. It says
// nothing of elements inside or around those: ask for the element that you mean to read.
func (v Verified) Covers(n Node) bool { return slices.Contains(v.covered, n) }

// Key returns the public key that made the signature, nil for the zero Verified.
func (v Verified) Key() crypto.PublicKey { return v.key }

// Algorithm returns the identifier of the signature algorithm.
func (v Verified) Algorithm() string { return v.algorithm }

// Verify checks that key signed SignedInfo, then that each referenced element has the digest that SignedInfo
// says. Nothing is digested for a signature that does not verify.
//
// Errors wrap ErrSignature, ErrDigest, or ErrAlgorithm where the key does not suit the algorithm.
func (s *Signature) Verify(key crypto.PublicKey) (Verified, error) {
	var c canonicalizer
	c.run(s.signedInfo, s.c14n)
	if err := s.scheme.verify(key, c.out, s.value); err != nil {
		return Verified{}, err
	}
	for _, r := range s.references {
		if subtle.ConstantTimeCompare(c.sum(r.hash.New(), r.target, r.c14n), r.digest) != 1 {
			return Verified{}, ErrDigest
		}
	}
	return Verified{key: key, algorithm: s.algorithm, covered: s.Targets()}, nil
}
