package xmlsec

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"fmt"
	"math/big"
)

// ParseKeyValue reads a key without a certificate: a ds:KeyValue with an RSAKeyValue, or an ECKeyValue on a named
// curve, or a dsig11:DEREncodedKeyValue, which is the only form that Ed25519 has. The key is of a kind that Verify
// takes; nothing is said of whose it is. XML Signature 1.1, sections 4.5.2 and 4.5.9
//
// Errors wrap ErrAlgorithm for another kind of key or curve, and else ErrMalformed.
func ParseKeyValue(n Node) (crypto.PublicKey, error) {
	if n.Is(NamespaceDSig11, "DEREncodedKeyValue") {
		return derKey(n)
	}
	if !n.Is(NamespaceDSig, "KeyValue") {
		return nil, fmt.Errorf("not a ds:KeyValue: %w", ErrMalformed)
	}
	var value Node
	for c := range n.Elements() {
		if !value.IsZero() {
			return nil, fmt.Errorf("content of KeyValue: %w", ErrMalformed)
		}
		value = c
	}
	switch {
	case value.IsZero():
		return nil, fmt.Errorf("content of KeyValue: %w", ErrMalformed)
	case value.Is(NamespaceDSig, "RSAKeyValue"):
		return rsaKey(value)
	case value.Is(NamespaceDSig11, "ECKeyValue"):
		return ecKey(value)
	}
	return nil, fmt.Errorf("kind of KeyValue: %w", ErrAlgorithm)
}

func rsaKey(n Node) (crypto.PublicKey, error) {
	modulus, err := cryptoBinary(n, "Modulus")
	if err != nil {
		return nil, err
	}
	exponent, err := cryptoBinary(n, "Exponent")
	if err != nil {
		return nil, err
	}
	// As crypto/x509 has it: odd, more than 1, and small enough for every implementation.
	if e := exponent; e.BitLen() < 2 || e.BitLen() > 31 || e.Bit(0) == 0 || modulus.Bit(0) == 0 {
		return nil, fmt.Errorf("modulus or exponent of RSAKeyValue: %w", ErrMalformed)
	}
	return &rsa.PublicKey{N: modulus, E: int(exponent.Int64())}, nil
}

// cryptoBinary reads a number from a child of n. XML Signature 1.1, section 4.1
func cryptoBinary(n Node, local string) (*big.Int, error) {
	b, err := binary(n, NamespaceDSig, local)
	if err != nil {
		return nil, err
	}
	return new(big.Int).SetBytes(b), nil
}

func binary(n Node, space, local string) ([]byte, error) {
	c, err := n.Only(space, local)
	if err != nil {
		return nil, fmt.Errorf("%s: %w: %w", n.Local(), ErrMalformed, err)
	}
	return base64Text(c, maxKeyText)
}

func ecKey(n Node) (crypto.PublicKey, error) {
	named, err := n.Only(NamespaceDSig11, "NamedCurve")
	if err != nil {
		return nil, fmt.Errorf("ECKeyValue: %w: %w", ErrMalformed, err)
	}
	var curve elliptic.Curve
	switch uri, _ := named.Attr("", "URI"); uri {
	case "urn:oid:1.2.840.10045.3.1.7":
		curve = elliptic.P256()
	case "urn:oid:1.3.132.0.34":
		curve = elliptic.P384()
	default:
		return nil, fmt.Errorf("curve of ECKeyValue: %w", ErrAlgorithm)
	}
	point, err := binary(n, NamespaceDSig11, "PublicKey")
	if err != nil {
		return nil, err
	}
	key, err := ecdsa.ParseUncompressedPublicKey(curve, point)
	if err != nil {
		return nil, fmt.Errorf("point of ECKeyValue: %w: %w", ErrMalformed, err)
	}
	return key, nil
}

// derKey reads a SubjectPublicKeyInfo.
func derKey(n Node) (crypto.PublicKey, error) {
	der, err := base64Text(n, maxKeyText)
	if err != nil {
		return nil, err
	}
	key, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		return nil, fmt.Errorf("DEREncodedKeyValue: %w: %w", ErrMalformed, err)
	}
	switch k := key.(type) {
	case *rsa.PublicKey, ed25519.PublicKey:
		return key, nil
	case *ecdsa.PublicKey:
		if coordinateSize(k.Curve) > 0 {
			return key, nil
		}
	}
	return nil, fmt.Errorf("kind of DEREncodedKeyValue: %w", ErrAlgorithm)
}
