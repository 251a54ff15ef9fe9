package wss

import (
	"crypto/x509"
	"fmt"
	"slices"
	"strings"
	"time"

	"collimate/keys"
	"collimate/soap"
	"collimate/xmlsec"
)

// Identifiers of WSS X.509 Certificate Token Profile 1.1 and of SOAP Message Security 1.1.
const (
	valueTypeX509v3 = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-x509-token-profile-1.0#X509v3"
	encodingBase64  = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-soap-message-security-1.0#Base64Binary"
)

// certificate finds the signer's certificate by ds:KeyInfo. A BinarySecurityToken that KeyInfo does not refer
// to is refused: it would be a second identity for some later reader to choose.
func (m *message) certificate(s *xmlsec.Signature) (*x509.Certificate, *soap.Fault) {
	reference, f := only(s.KeyInfo())
	if f != nil {
		return nil, f
	}
	if reference.Is(soap.NSSecurity, "SecurityTokenReference") {
		if reference, f = only(reference); f != nil {
			return nil, f
		}
	}
	var holder xmlsec.Node
	switch {
	case reference.Is(soap.NSSecurity, "Reference"):
		holder, f = m.directReference(s, reference)
	case reference.Is(soap.NSSecurity, "KeyIdentifier"):
		holder, f = reference, x509v3(reference)
	case reference.Is(xmlsec.NamespaceDSig, "X509Data"):
		if holder, f = only(reference); f == nil && !holder.Is(xmlsec.NamespaceDSig, "X509Certificate") {
			f = faultf(unsupportedToken, "X509Data without an X509Certificate")
		}
	default:
		f = faultf(unsupportedToken, "kind of key reference")
	}
	if f != nil {
		return nil, f
	}
	if !m.token.IsZero() && m.token != holder {
		return nil, faultf(invalidSecurity, "BinarySecurityToken that the signature does not refer to")
	}
	der, err := xmlsec.DecodeBase64(holder, maxCertificateText)
	if err != nil {
		return nil, fault(invalidToken, err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fault(invalidToken, fmt.Errorf("parsing the certificate: %w", err))
	}
	return certificate, nil
}

// directReference resolves wsse:Reference to our BinarySecurityToken. X.509 Token Profile 1.1, section 3.2.1
func (m *message) directReference(s *xmlsec.Signature, reference xmlsec.Node) (xmlsec.Node, *soap.Fault) {
	if vt, ok := reference.Attr("", "ValueType"); ok && vt != valueTypeX509v3 {
		return xmlsec.Node{}, faultf(unsupportedToken, "ValueType of the token reference")
	}
	uri, _ := reference.Attr("", "URI")
	token, err := s.Resolve(uri)
	if err != nil {
		return xmlsec.Node{}, fault(tokenUnavailable, err)
	}
	if token != m.token {
		return xmlsec.Node{}, faultf(tokenUnavailable, "token reference to something else than a BinarySecurityToken in wsse:Security")
	}
	return token, x509v3(token)
}

// x509v3 checks the type of a BinarySecurityToken or KeyIdentifier.
func x509v3(n xmlsec.Node) *soap.Fault {
	if vt, _ := n.Attr("", "ValueType"); vt != valueTypeX509v3 {
		return faultf(unsupportedToken, "ValueType of %s", n.Local())
	}
	if et, ok := n.Attr("", "EncodingType"); ok && et != encodingBase64 {
		return faultf(unsupportedToken, "EncodingType of %s", n.Local())
	}
	return nil
}

// only returns the single child element of n.
func only(n xmlsec.Node) (xmlsec.Node, *soap.Fault) {
	c := slices.Collect(n.Elements())
	if len(c) != 1 {
		return xmlsec.Node{}, faultf(invalidSecurity, "%s with %d children, want 1", n.Local(), len(c))
	}
	return c[0], nil
}

// checkCertificate wants a key that Collimate accepts, in a certificate that is valid now and is meant for
// signatures. Who issued it does not matter: the ledger names keys.
func checkCertificate(c *x509.Certificate, now time.Time) *soap.Fault {
	if err := keys.Supported(c.PublicKey); err != nil {
		return fault(invalidToken, err)
	}
	switch {
	case now.Before(c.NotBefore):
		return faultf(invalidToken, "certificate is not valid yet")
	case now.After(c.NotAfter):
		return faultf(invalidToken, "certificate has expired")
	case c.KeyUsage != 0 && c.KeyUsage&(x509.KeyUsageDigitalSignature|x509.KeyUsageContentCommitment) == 0:
		return faultf(invalidToken, "certificate is not for signatures")
	case len(c.UnhandledCriticalExtensions) > 0:
		return faultf(invalidToken, "certificate has a critical extension that is not known")
	}
	return nil
}

// displayName is the subject, cut to maxName.
func displayName(c *x509.Certificate) string {
	name := c.Subject.String()
	if len(name) > maxName {
		name = name[:maxName]
	}
	return strings.ToValidUTF8(name, "")
}
