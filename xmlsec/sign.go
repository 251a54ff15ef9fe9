package xmlsec

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/base64"
	"fmt"
	"io"
)

// Reference is an element to be signed and the Id by which the signature names it.
type Reference struct {
	ID   string
	Node Node
	// Enveloped says that the signature is going to be put into Node, as a child of it.
	Enveloped bool
	// InclusivePrefixes is the InclusiveNamespaces PrefixList of its canonicalisation.
	InclusivePrefixes []string
}

// References finds the elements of d that have these Ids, in this order. The error wraps ErrReference if one
// is missing or two elements share an Id.
func (d *Document) References(ids ...string) ([]Reference, error) {
	refs := make([]Reference, 0, len(ids))
	for _, id := range ids {
		n, err := d.Resolve("#" + id)
		if err != nil {
			return nil, fmt.Errorf("signing %q: %w", id, err)
		}
		refs = append(refs, Reference{ID: id, Node: n})
	}
	return refs, nil
}

// Signing says how a signature is made.
type Signing struct {
	// Key makes the signature. It is required.
	Key crypto.Signer
	// Random is used by ECDSA and by RSA PSS, and may be crypto/rand.Reader.
	Random io.Reader
	// Algorithm is the signature algorithm. Empty, it follows the key: RSA PKCS #1 v1.5 with SHA-256, ECDSA P-256
	// with SHA-256, P-384 with SHA-384, Ed25519.
	Algorithm string
	// Digest is the digest algorithm; empty is SHA256.
	Digest string
	// KeyInfo is the content of ds:KeyInfo, as XML that declares the prefixes it uses.
	KeyInfo []byte
}

// AppendSignature appends a ds:Signature by key over refs, with the algorithms that follow the key; see Signing.
func AppendSignature(dst []byte, random io.Reader, key crypto.Signer, refs []Reference, keyInfo []byte) ([]byte, error) {
	return Signing{Key: key, Random: random, KeyInfo: keyInfo}.Append(dst, refs)
}

// Append appends a ds:Signature over refs, each in its exclusive canonical form without comments.
//
// The references may be of several documents, such as an envelope and the header block that is about to be put
// into it: the exclusive form of an element does not depend on where it stands, as long as it brings its own
// declarations.
//
// The error wraps ErrAlgorithm for a key or an algorithm that Verify would not take by default.
func (s Signing) Append(dst []byte, refs []Reference) ([]byte, error) {
	scheme, hash, err := s.choose()
	if err != nil {
		return nil, err
	}
	w := newWorkspace()
	defer w.release()
	// SignedInfo is written in canonical form, so the bytes that are sent are the bytes that are signed.
	signedInfo := s.appendSignedInfo(nil, w, hash, refs)
	value, err := scheme.sign(s.Random, s.Key, scheme.message(w, signedInfo))
	if err != nil {
		return nil, err
	}
	dst = append(dst, `<ds:Signature xmlns:ds="`+NamespaceDSig+`">`...)
	dst = append(dst, signedInfo...)
	dst = append(dst, "<ds:SignatureValue>"...)
	dst = base64.StdEncoding.AppendEncode(dst, value)
	dst = append(dst, "</ds:SignatureValue><ds:KeyInfo>"...)
	dst = append(dst, s.KeyInfo...)
	return append(dst, "</ds:KeyInfo></ds:Signature>"...), nil
}

// choose fills in the algorithms, and makes sure that Verify would accept them from this key.
func (s *Signing) choose() (scheme, crypto.Hash, error) {
	standard, err := algorithmFor(s.Key.Public())
	if err != nil {
		return scheme{}, 0, err
	}
	if s.Algorithm == "" {
		s.Algorithm = standard
	}
	if s.Digest == "" {
		s.Digest = SHA256
	}
	var allowed Algorithms
	chosen, err := allowed.signature(s.Algorithm)
	if err != nil {
		return scheme{}, 0, err
	}
	fits, _ := signatureScheme(standard)
	if chosen.family != fits.family && (chosen.family != familyPSS || fits.family != familyRSA) {
		return scheme{}, 0, fmt.Errorf("key of type %T with another kind of algorithm: %w", s.Key.Public(), ErrAlgorithm)
	}
	hash, err := allowed.digest(s.Digest)
	return chosen, hash, err
}

func algorithmFor(key crypto.PublicKey) (string, error) {
	switch k := key.(type) {
	case *rsa.PublicKey:
		return RSASHA256, nil
	case *ecdsa.PublicKey:
		switch coordinateSize(k.Curve) {
		case 32:
			return ECDSASHA256, nil
		case 48:
			return ECDSASHA384, nil
		}
	case ed25519.PublicKey:
		return Ed25519, nil
	}
	return "", fmt.Errorf("key of type %T: %w", key, ErrAlgorithm)
}

// sign makes the value of a signature, in the spelling of XML Signature.
func (s scheme) sign(random io.Reader, key crypto.Signer, message []byte) ([]byte, error) {
	var options crypto.SignerOpts = s.hash
	if s.family == familyPSS {
		options = &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: s.hash}
	}
	value, err := key.Sign(random, message, options)
	if err != nil {
		return nil, fmt.Errorf("signing: %w", err)
	}
	if pub, ok := key.Public().(*ecdsa.PublicKey); ok {
		return fixedLength(value, coordinateSize(pub.Curve))
	}
	return value, nil
}

func (s Signing) appendSignedInfo(dst []byte, w *workspace, hash crypto.Hash, refs []Reference) []byte {
	dst = append(dst, `<ds:SignedInfo xmlns:ds="`+NamespaceDSig+`">`+
		`<ds:CanonicalizationMethod Algorithm="`+ExclusiveC14N+`"></ds:CanonicalizationMethod>`+
		`<ds:SignatureMethod Algorithm="`...)
	dst = append(append(dst, s.Algorithm...), `"></ds:SignatureMethod>`...)
	for _, r := range refs {
		dst = append(dst, `<ds:Reference URI="#`...)
		dst = append(EscapeAttr(dst, r.ID), `"><ds:Transforms>`...)
		if r.Enveloped {
			dst = append(dst, `<ds:Transform Algorithm="`+EnvelopedSignature+`"></ds:Transform>`...)
		}
		dst = append(dst, `<ds:Transform Algorithm="`+ExclusiveC14N+`">`...)
		dst = appendPrefixes(dst, r.InclusivePrefixes)
		dst = append(dst, `</ds:Transform></ds:Transforms><ds:DigestMethod Algorithm="`...)
		dst = append(append(dst, s.Digest...), `"></ds:DigestMethod><ds:DigestValue>`...)
		sum := w.sum(hash, r.Node, C14NOptions{InclusivePrefixes: r.InclusivePrefixes})
		dst = base64.StdEncoding.AppendEncode(dst, sum)
		dst = append(dst, "</ds:DigestValue></ds:Reference>"...)
	}
	return append(dst, "</ds:SignedInfo>"...)
}

func appendPrefixes(dst []byte, prefixes []string) []byte {
	if len(prefixes) == 0 {
		return dst
	}
	dst = append(dst, `<ec:InclusiveNamespaces xmlns:ec="`+ExclusiveC14N+`" PrefixList="`...)
	for i, prefix := range prefixes {
		if i > 0 {
			dst = append(dst, ' ')
		}
		dst = EscapeAttr(dst, prefix)
	}
	return append(dst, `"></ec:InclusiveNamespaces>`...)
}
