package xmlsec

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/asn1"
	"encoding/base64"
	"fmt"
	"io"
	"math/big"
)

// Reference is an element to be signed and the Id by which the signature names it.
type Reference struct {
	ID   string
	Node Node
}

// References finds the elements of d that have these Ids, in this order. The error wraps ErrReference if one
// is missing or two elements share an Id.
func (d *Document) References(ids ...string) ([]Reference, error) {
	index, err := d.index()
	if err != nil {
		return nil, err
	}
	refs := make([]Reference, 0, len(ids))
	for _, id := range ids {
		n, err := resolve(index, "#"+id)
		if err != nil {
			return nil, fmt.Errorf("signing %q: %w", id, err)
		}
		refs = append(refs, Reference{ID: id, Node: n})
	}
	return refs, nil
}

// AppendSignature appends a ds:Signature by key over refs. keyInfo is the content of its ds:KeyInfo, as XML
// that declares the prefixes it uses.
//
// The algorithm follows the key: RSA with SHA-256, ECDSA P-256 with SHA-256, P-384 with SHA-384, Ed25519.
// Digests are SHA-256, of the exclusive canonical form without comments. The references may be of several
// documents, such as an envelope and the header block that is about to be put into it: the exclusive form
// of an element does not depend on where it stands, as long as it brings its own declarations.
//
// random is used by ECDSA and by keys that want it, and may be crypto/rand.Reader.
func AppendSignature(dst []byte, random io.Reader, key crypto.Signer, refs []Reference, keyInfo []byte) ([]byte, error) {
	algorithm, err := algorithmFor(key.Public())
	if err != nil {
		return nil, err
	}
	// SignedInfo is written in canonical form, so the bytes that are sent are the bytes that are signed.
	signedInfo := appendSignedInfo(nil, algorithm, refs)
	scheme, _ := signatureScheme(algorithm)
	value, err := key.Sign(random, scheme.message(signedInfo), scheme.hash)
	if err != nil {
		return nil, fmt.Errorf("signing: %w", err)
	}
	if pub, ok := key.Public().(*ecdsa.PublicKey); ok {
		if value, err = fixedLength(value, coordinateSize(pub.Curve)); err != nil {
			return nil, err
		}
	}
	dst = append(dst, `<ds:Signature xmlns:ds="`+NamespaceDSig+`">`...)
	dst = append(dst, signedInfo...)
	dst = append(dst, "<ds:SignatureValue>"...)
	dst = base64.StdEncoding.AppendEncode(dst, value)
	dst = append(dst, "</ds:SignatureValue><ds:KeyInfo>"...)
	dst = append(dst, keyInfo...)
	return append(dst, "</ds:KeyInfo></ds:Signature>"...), nil
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

func appendSignedInfo(dst []byte, algorithm string, refs []Reference) []byte {
	dst = append(dst, `<ds:SignedInfo xmlns:ds="`+NamespaceDSig+`">`+
		`<ds:CanonicalizationMethod Algorithm="`+ExclusiveC14N+`"></ds:CanonicalizationMethod>`+
		`<ds:SignatureMethod Algorithm="`+algorithm+`"></ds:SignatureMethod>`...)
	var c canonicalizer
	for _, r := range refs {
		dst = append(dst, `<ds:Reference URI="#`...)
		dst = EscapeAttr(dst, r.ID)
		dst = append(dst, `"><ds:Transforms><ds:Transform Algorithm="`+ExclusiveC14N+`"></ds:Transform></ds:Transforms>`+
			`<ds:DigestMethod Algorithm="`+SHA256+`"></ds:DigestMethod><ds:DigestValue>`...)
		dst = base64.StdEncoding.AppendEncode(dst, c.sum(crypto.SHA256.New(), r.Node, C14NOptions{}))
		dst = append(dst, "</ds:DigestValue></ds:Reference>"...)
	}
	return append(dst, "</ds:SignedInfo>"...)
}

// fixedLength turns the DER that crypto.Signer returns into r and s side by side.
func fixedLength(der []byte, size int) ([]byte, error) {
	var v struct{ R, S *big.Int }
	if rest, err := asn1.Unmarshal(der, &v); err != nil || len(rest) > 0 {
		return nil, fmt.Errorf("signing: key returned no DER signature: %w", ErrSignature)
	}
	if v.R.Sign() <= 0 || v.S.Sign() <= 0 || v.R.BitLen() > 8*size || v.S.BitLen() > 8*size {
		return nil, fmt.Errorf("signing: key returned a signature for another curve: %w", ErrSignature)
	}
	value := make([]byte, 2*size)
	v.R.FillBytes(value[:size])
	v.S.FillBytes(value[size:])
	return value, nil
}
