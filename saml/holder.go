package saml

import (
	"crypto"
	"crypto/x509"

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
		case c.Is(xmlsec.NamespaceDSig, "KeyValue"), c.Is(xmlsec.NamespaceDSig11, "DEREncodedKeyValue"):
			key, err = keyValue(c)
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
		der, err := xmlsec.DecodeBase64(c, maxCertificateText)
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
	key, err := xmlsec.ParseKeyValue(n)
	if err != nil {
		return nil, refuse(Confirmation, "key of the holder: %w", err)
	}
	return key, nil
}
