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
	sha1      bool
	covered   []Node
}

// Covers reports whether n is an element that was digested, and with it all that it holds, but for the
// signature itself under the enveloped-signature transform. It says nothing of elements inside or around
// those: ask for the element that you mean to read.
func (v Verified) Covers(n Node) bool { return slices.Contains(v.covered, n) }

// Key returns the public key that made the signature, nil for the zero Verified.
func (v Verified) Key() crypto.PublicKey { return v.key }

// Algorithm returns the identifier of the signature algorithm.
func (v Verified) Algorithm() string { return v.algorithm }

// SHA1 reports whether the signature, or the digest of any element, rests on SHA-1: log it, so that the peer can
// be asked to stop.
func (v Verified) SHA1() bool { return v.sha1 }

// Verify checks that key signed SignedInfo, then that each referenced element has the digest that SignedInfo
// says. Nothing is digested for a signature that does not verify.
//
// Errors wrap ErrSignature, ErrDigest, or ErrAlgorithm where the key does not suit the algorithm.
func (s *Signature) Verify(key crypto.PublicKey) (Verified, error) {
	w := newWorkspace()
	defer w.release()
	w.out = w.out[:0]
	w.run(s.signedInfo, s.c14n)
	if err := s.scheme.verify(key, s.scheme.message(w, w.out), s.value, s.der); err != nil {
		return Verified{}, err
	}
	for i := range s.references {
		r := &s.references[i]
		if subtle.ConstantTimeCompare(w.sum(r.hash, r.target, r.c14n), r.digest) != 1 {
			return Verified{}, ErrDigest
		}
	}
	return Verified{key: key, algorithm: s.algorithm, sha1: s.sha1, covered: s.Targets()}, nil
}
