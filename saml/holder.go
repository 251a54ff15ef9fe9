package saml

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"math/big"

	"collimate/xmlsec"
)

// readHolder finds the key of a holder-of-key assertion in its ds:KeyInfo, as a certificate, a key value, or
// both if they agree. Other content of KeyInfo names the key without giving it, and is passed over.
func readHolder(a *Assertion, keyInfo xmlsec.Node) *Error {
	for c := range keyInfo.Elements() {
		var key crypto.PublicKey
		var err *Error
		switch {
		case c.Is(xmlsec.NamespaceDSig, "X509Data"):
			key, err = holderCertificate(a, c)
		case c.Is(xmlsec.NamespaceDSig, "KeyValue"):
			key, err = keyValue(c)
		case c.Is(xmlsec.NamespaceDSig11, "DEREncodedKeyValue"):
			key, err = derKey(c)
		}
		if err != nil {
			return err
		}
		if key == nil {
			continue
		}
		if a.HolderKey == nil {
			a.HolderKey = key
		} else if !a.HeldBy(key) {
			return refuse(Confirmation, "KeyInfo has different keys")
		}
	}
	if a.HolderKey == nil {
		return refuse(Confirmation, "holder-of-key without a certificate or key value")
	}
	if err := checkKey(a.HolderKey); err != nil {
		return refuse(Confirmation, "of the holder: %w", err)
	}
	return nil
}

// holderCertificate returns the key of the one X509Certificate in X509Data, nil if there is none. The order of
// certificates in X509Data means nothing, so of a chain nobody could say which is the holder's.
func holderCertificate(a *Assertion, data xmlsec.Node) (crypto.PublicKey, *Error) {
	for c := range data.Elements() {
		if !c.Is(xmlsec.NamespaceDSig, "X509Certificate") {
			continue
		}
		if a.HolderCertificate != nil {
			return nil, refuse(Confirmation, "several certificates: which of them is the holder's?")
		}
		der, err := xmlsec.DecodeBase64(c, maxKeyText)
		if err != nil {
			return nil, refuse(Confirmation, "certificate of the holder: %w", err)
		}
		// The errors of x509 quote names out of certificates.
		if a.HolderCertificate, err = x509.ParseCertificate(der); err != nil {
			return nil, refuse(Confirmation, "certificate of the holder cannot be parsed")
		}
	}
	if a.HolderCertificate == nil {
		return nil, nil
	}
	return a.HolderCertificate.PublicKey, nil
}

func keyValue(n xmlsec.Node) (crypto.PublicKey, *Error) {
	var value xmlsec.Node
	for c := range n.Elements() {
		if !value.IsZero() {
			return nil, refuse(Confirmation, "KeyValue with several values")
		}
		value = c
	}
	switch {
	case value.Is(xmlsec.NamespaceDSig, "RSAKeyValue"):
		return rsaKeyValue(value)
	case value.Is(xmlsec.NamespaceDSig11, "ECKeyValue"):
		return ecKeyValue(value)
	}
	return nil, refuse(Confirmation, "KeyValue is neither RSA nor EC")
}

// derKey reads a SubjectPublicKeyInfo, the only form that Ed25519 has. XML Signature 1.1, section 4.5.9
func derKey(n xmlsec.Node) (crypto.PublicKey, *Error) {
	der, err := xmlsec.DecodeBase64(n, maxKeyText)
	if err != nil {
		return nil, refuse(Confirmation, "DEREncodedKeyValue: %w", err)
	}
	key, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		return nil, refuse(Confirmation, "DEREncodedKeyValue: %w", err)
	}
	return key, nil
}

// rsaKeyValue reads Modulus and Exponent. XML Signature 1.1, section 4.5.2.2
func rsaKeyValue(n xmlsec.Node) (crypto.PublicKey, *Error) {
	var numbers [2]*big.Int
	for i, local := range []string{"Modulus", "Exponent"} {
		c, err := n.Only(xmlsec.NamespaceDSig, local)
		if err != nil {
			return nil, refuse(Confirmation, "RSAKeyValue: %w", err)
		}
		b, err := xmlsec.DecodeBase64(c, maxKeyText)
		if err != nil {
			return nil, refuse(Confirmation, "RSAKeyValue: %w", err)
		}
		numbers[i] = new(big.Int).SetBytes(b)
	}
	if e := numbers[1]; e.BitLen() > 31 { // as crypto/rsa
		return nil, refuse(Confirmation, "exponent of RSAKeyValue is longer than 31 bits")
	}
	return &rsa.PublicKey{N: numbers[0], E: int(numbers[1].Int64())}, nil
}

// ecKeyValue reads a named curve and an uncompressed point. XML Signature 1.1, section 4.5.2.3
func ecKeyValue(n xmlsec.Node) (crypto.PublicKey, *Error) {
	named, err := n.Only(xmlsec.NamespaceDSig11, "NamedCurve")
	if err != nil {
		return nil, refuse(Confirmation, "ECKeyValue: %w", err)
	}
	var curve elliptic.Curve
	switch uri, _ := named.Attr("", "URI"); uri {
	case "urn:oid:1.2.840.10045.3.1.7":
		curve = elliptic.P256()
	case "urn:oid:1.3.132.0.34":
		curve = elliptic.P384()
	default:
		return nil, refuse(Confirmation, "ECKeyValue is not on P-256 or P-384")
	}
	point, err := n.Only(xmlsec.NamespaceDSig11, "PublicKey")
	if err != nil {
		return nil, refuse(Confirmation, "ECKeyValue: %w", err)
	}
	b, err := xmlsec.DecodeBase64(point, maxKeyText)
	if err != nil {
		return nil, refuse(Confirmation, "ECKeyValue: %w", err)
	}
	key, err := ecdsa.ParseUncompressedPublicKey(curve, b)
	if err != nil {
		return nil, refuse(Confirmation, "ECKeyValue: %w", err)
	}
	return key, nil
}
