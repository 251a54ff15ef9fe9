package wss

import (
	"bytes"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"time"

	"collimate/soap"
	"collimate/xmlsec"
)

// token is what a key reference leads to.
type token struct {
	// node is the element of the message that holds the token: a BinarySecurityToken, an Assertion, an
	// X509Certificate or a KeyIdentifier. It is zero for a certificate that is registered and not in the message.
	node xmlsec.Node
	// party is nil if the token is an Assertion.
	party *party
}

// keyInfo finds the token by ds:KeyInfo. A BinarySecurityToken that KeyInfo does not refer to is refused: it
// would be a second identity for some later reader to choose.
func (v *Verifier) keyInfo(m *message, n xmlsec.Node, now time.Time) (token, *soap.Fault) {
	reference, f := only(n)
	if f != nil {
		return token{}, f
	}
	var t token
	switch {
	case reference.Is(soap.NSSecurity, "SecurityTokenReference"):
		t, f = v.tokenReference(m, reference, now)
	case reference.Is(xmlsec.NamespaceDSig, "X509Data"):
		t, f = v.x509Data(reference, now)
	case reference.Is(xmlsec.NamespaceDSig, "KeyValue"), reference.Is(xmlsec.NamespaceDSig11, "DEREncodedKeyValue"):
		t.party, f = keyValue(reference)
	default:
		f = faultf(unsupportedToken, "kind of key reference")
	}
	if f == nil && !m.token.IsZero() && m.token != t.node {
		f = faultf(invalidSecurity, "BinarySecurityToken that the signature does not refer to")
	}
	return t, f
}

// tokenReference follows a wsse:SecurityTokenReference. X.509 Token Profile 1.1, section 3.2
func (v *Verifier) tokenReference(m *message, str xmlsec.Node, now time.Time) (t token, f *soap.Fault) {
	reference, f := only(str)
	if f != nil {
		return t, f
	}
	switch {
	case reference.Is(soap.NSSecurity, "Reference"):
		return v.directReference(m, reference)
	case reference.Is(soap.NSSecurity, "KeyIdentifier"):
		return v.keyIdentifier(m, reference, now)
	case reference.Is(xmlsec.NamespaceDSig, "X509Data"):
		return v.x509Data(reference, now)
	case reference.Is(soap.NSSecurity, "Embedded"):
		embedded, f := only(reference)
		if f != nil {
			return t, f
		}
		if !embedded.Is(soap.NSSecurity, "BinarySecurityToken") {
			return t, faultf(unsupportedToken, "embedded token is no BinarySecurityToken")
		}
		m.embedded = embedded
		return v.binaryToken(embedded)
	}
	return t, faultf(unsupportedToken, "kind of key reference")
}

// directReference resolves wsse:Reference to a token in our Security header. X.509 Token Profile 1.1, section 3.2.1
func (v *Verifier) directReference(m *message, reference xmlsec.Node) (t token, f *soap.Fault) {
	uri, _ := reference.Attr("", "URI")
	n, err := reference.Document().Resolve(uri)
	if err != nil {
		return t, fault(tokenUnavailable, err)
	}
	valueType, typed := reference.Attr("", "ValueType")
	switch {
	case n == m.token && (!typed || valueType == valueTypeX509v3):
		return v.binaryToken(n)
	case n == m.assertion && (!typed || valueType == tokenTypeSAML2):
		return token{node: n}, nil
	case n == m.token || n == m.assertion:
		return t, faultf(unsupportedToken, "ValueType of the token reference")
	}
	return t, faultf(tokenUnavailable, "token reference to something else than a token in wsse:Security")
}

// binaryToken reads a wsse:BinarySecurityToken, or a KeyIdentifier that holds a certificate likewise.
func (v *Verifier) binaryToken(n xmlsec.Node) (t token, f *soap.Fault) {
	if vt, _ := n.Attr("", "ValueType"); vt != valueTypeX509v3 {
		return t, faultf(unsupportedToken, "ValueType of %s", n.Local())
	}
	if f := checkEncoding(n); f != nil {
		return t, f
	}
	p, f := v.party(n)
	return token{n, p}, f
}

func checkEncoding(n xmlsec.Node) *soap.Fault {
	if et, ok := n.Attr("", "EncodingType"); ok && et != encodingBase64 {
		return faultf(unsupportedToken, "EncodingType of %s", n.Local())
	}
	return nil
}

// keyIdentifier reads wsse:KeyIdentifier. X.509 Token Profile 1.1, section 3.2.2; SAML Token Profile 1.1, section 3.4
func (v *Verifier) keyIdentifier(m *message, n xmlsec.Node, now time.Time) (t token, f *soap.Fault) {
	valueType, _ := n.Attr("", "ValueType")
	switch valueType {
	case valueTypeX509v3:
		return v.binaryToken(n)
	case valueTypeSAMLID:
		text, err := n.Text()
		if err != nil {
			return t, fault(invalidSecurity, err)
		}
		id, _ := m.assertion.Attr("", "ID")
		if id == "" || strings.TrimSpace(text) != id {
			return t, faultf(tokenUnavailable, "no assertion with the ID of the KeyIdentifier")
		}
		return token{node: m.assertion}, nil
	case valueTypeSKI, valueTypeThumbprint:
	default:
		return t, faultf(unsupportedToken, "ValueType of KeyIdentifier")
	}
	if f := checkEncoding(n); f != nil {
		return t, f
	}
	id, err := xmlsec.DecodeBase64(n, maxIdentifierText)
	if err != nil {
		return t, fault(invalidSecurity, err)
	}
	if valueType == valueTypeThumbprint {
		t.party, f = v.registered(CertificateReference{Thumbprint: id}, now)
	} else {
		t.party, f = v.registered(CertificateReference{SubjectKeyID: id}, now)
	}
	return t, f
}

// keyValue reads a key without a certificate.
func keyValue(n xmlsec.Node) (*party, *soap.Fault) {
	key, err := xmlsec.ParseKeyValue(n)
	switch {
	case errors.Is(err, xmlsec.ErrAlgorithm):
		return nil, fault(unsupportedToken, err)
	case err != nil:
		return nil, fault(invalidToken, err)
	}
	return uncertified(key)
}

// x509Data reads ds:X509Data: one certificate, or identifiers of one that is registered. What is said beside
// the certificate must be true of it. XML Signature 1.1, section 4.5.4
func (v *Verifier) x509Data(n xmlsec.Node, now time.Time) (t token, f *soap.Fault) {
	var certificate, serial, ski xmlsec.Node
	for c := range n.Elements() {
		var place *xmlsec.Node
		switch {
		case c.Is(xmlsec.NamespaceDSig, "X509Certificate"):
			place = &certificate
		case c.Is(xmlsec.NamespaceDSig, "X509IssuerSerial"):
			place = &serial
		case c.Is(xmlsec.NamespaceDSig, "X509SKI"):
			place = &ski
		default:
			return t, faultf(unsupportedToken, "%s in X509Data", c.Local())
		}
		if !place.IsZero() {
			return t, faultf(invalidSecurity, "two %s elements in X509Data", c.Local())
		}
		*place = c
	}
	var r CertificateReference
	if !certificate.IsZero() && empty(serial) {
		serial = xmlsec.Node{} // QUIRK: zeep, Signature: it says nothing, and the certificate says all
	}
	if !serial.IsZero() {
		if r.Issuer, r.Serial, f = issuerSerial(serial); f != nil {
			return t, f
		}
	}
	if !ski.IsZero() {
		id, err := xmlsec.DecodeBase64(ski, maxIdentifierText)
		if err != nil || len(id) == 0 {
			return t, faultf(invalidSecurity, "X509SKI: %w", err)
		}
		r.SubjectKeyID = id
	}
	switch {
	case !certificate.IsZero():
		t.node = certificate
		t.party, f = v.party(certificate)
	case !serial.IsZero() || !ski.IsZero():
		t.party, f = v.registered(r, now)
	default:
		return t, faultf(invalidSecurity, "X509Data says nothing of a certificate")
	}
	if f == nil && !r.matches(t.party.certificate) {
		f = faultf(invalidToken, "X509Data contradicts its certificate")
	}
	return t, f
}

// empty reports whether n is an element without content.
func empty(n xmlsec.Node) bool {
	text, err := n.Text()
	return err == nil && strings.TrimSpace(text) == ""
}

// issuerSerial reads ds:X509IssuerSerial.
func issuerSerial(n xmlsec.Node) (string, *big.Int, *soap.Fault) {
	var texts [2]string
	for i, local := range [2]string{"X509IssuerName", "X509SerialNumber"} {
		c, err := n.Only(xmlsec.NamespaceDSig, local)
		if err != nil {
			return "", nil, fault(invalidSecurity, err)
		}
		if texts[i], err = c.Text(); err != nil {
			return "", nil, fault(invalidSecurity, err)
		}
	}
	digits := strings.TrimSpace(texts[1])
	serial, ok := new(big.Int), digits != "" && len(digits) <= maxSerialDigits && strings.Trim(digits, "0123456789") == ""
	if ok {
		serial, ok = serial.SetString(digits, 10)
	}
	if !ok {
		return "", nil, faultf(invalidSecurity, "X509SerialNumber is not a number")
	}
	return texts[0], serial, nil
}

// registered finds a certificate that the message refers to and does not hold: the one that is valid now, if the
// key has several.
func (v *Verifier) registered(r CertificateReference, now time.Time) (*party, *soap.Fault) {
	if v.config.Certificates == nil {
		return nil, faultf(unsupportedToken, "certificate that is not in the message, and none are registered")
	}
	found := v.config.Certificates.Find(r)
	if len(found) == 0 {
		return nil, faultf(tokenUnavailable, "certificate is not registered")
	}
	chosen := found[0]
	for _, c := range found[1:] {
		if !bytes.Equal(c.RawSubjectPublicKeyInfo, chosen.RawSubjectPublicKeyInfo) {
			return nil, faultf(tokenUnavailable, "the reference means certificates for several keys")
		}
		if now.Before(chosen.NotBefore) || now.After(chosen.NotAfter) {
			chosen = c
		}
	}
	if !r.matches(chosen) {
		return nil, fault(tokenUnavailable, fmt.Errorf("certificates were found that the reference does not name"))
	}
	return certified(chosen)
}

// only returns the single child element of n.
func only(n xmlsec.Node) (found xmlsec.Node, f *soap.Fault) {
	count := 0
	for c := range n.Elements() {
		found = c
		count++
	}
	if count != 1 {
		return xmlsec.Node{}, faultf(invalidSecurity, "%s with %d children, want 1", n.Local(), count)
	}
	return found, nil
}
