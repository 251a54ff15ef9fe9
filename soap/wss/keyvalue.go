package wss

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"math/big"

	"collimate/keys"
	"collimate/soap"
	"collimate/xmlsec"
)

// keyValue reads a ds:KeyValue: a key without a certificate. XML Signature 1.1, sections 4.5.2 and 4.5.9
func keyValue(n xmlsec.Node) (crypto.PublicKey, *soap.Fault) {
	value, f := only(n)
	if f != nil {
		return nil, f
	}
	var key crypto.PublicKey
	var err error
	switch {
	case value.Is(xmlsec.NamespaceDSig, "RSAKeyValue"):
		key, err = rsaKey(value)
	case value.Is(xmlsec.NamespaceDSig11, "ECKeyValue"):
		key, err = ecKey(value)
	default:
		return nil, faultf(unsupportedToken, "kind of KeyValue")
	}
	if err != nil {
		return nil, fault(invalidToken, fmt.Errorf("KeyValue: %w", err))
	}
	return checkKey(key)
}

// derKey reads a dsig11:DEREncodedKeyValue: a SubjectPublicKeyInfo, the only form that Ed25519 has.
func derKey(n xmlsec.Node) (crypto.PublicKey, *soap.Fault) {
	der, err := xmlsec.DecodeBase64(n, maxCertificateText)
	if err != nil {
		return nil, fault(invalidToken, err)
	}
	key, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		return nil, fault(invalidToken, fmt.Errorf("DEREncodedKeyValue: %w", err))
	}
	return checkKey(key)
}

func checkKey(key crypto.PublicKey) (crypto.PublicKey, *soap.Fault) {
	if err := keys.Supported(key); err != nil {
		return nil, fault(invalidToken, err)
	}
	return key, nil
}

func rsaKey(n xmlsec.Node) (crypto.PublicKey, error) {
	modulus, err := integer(n, "Modulus")
	if err != nil {
		return nil, err
	}
	exponent, err := integer(n, "Exponent")
	if err != nil {
		return nil, err
	}
	// As crypto/x509 has it: odd, more than 1, and small enough for every implementation.
	if !exponent.IsInt64() || exponent.Int64() < 3 || exponent.Int64() > 1<<31-1 || exponent.Bit(0) == 0 || modulus.Bit(0) == 0 {
		return nil, errors.New("RSA modulus or exponent is not acceptable")
	}
	return &rsa.PublicKey{N: modulus, E: int(exponent.Int64())}, nil
}

// integer reads a ds:CryptoBinary.
func integer(n xmlsec.Node, local string) (*big.Int, error) {
	c, err := n.Only(xmlsec.NamespaceDSig, local)
	if err != nil {
		return nil, err
	}
	b, err := xmlsec.DecodeBase64(c, maxCertificateText)
	if err != nil {
		return nil, err
	}
	return new(big.Int).SetBytes(b), nil
}

func ecKey(n xmlsec.Node) (crypto.PublicKey, error) {
	named, err := n.Only(xmlsec.NamespaceDSig11, "NamedCurve")
	if err != nil {
		return nil, err
	}
	var curve elliptic.Curve
	switch uri, _ := named.Attr("", "URI"); uri {
	case "urn:oid:1.2.840.10045.3.1.7":
		curve = elliptic.P256()
	case "urn:oid:1.3.132.0.34":
		curve = elliptic.P384()
	default:
		return nil, keys.ErrUnsupportedKey
	}
	point, err := n.Only(xmlsec.NamespaceDSig11, "PublicKey")
	if err != nil {
		return nil, err
	}
	b, err := xmlsec.DecodeBase64(point, maxCertificateText)
	if err != nil {
		return nil, err
	}
	return ecdsa.ParseUncompressedPublicKey(curve, b)
}
