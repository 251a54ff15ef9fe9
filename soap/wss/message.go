package wss

import (
	"slices"
	"strings"

	"collimate/soap"
	"collimate/xmlsec"
)

// message holds the nodes of a signed message that the checks are about.
type message struct {
	header, body, security      xmlsec.Node
	signature, timestamp, token xmlsec.Node // token is zero if there is no BinarySecurityToken
}

// locate finds the parts of the message, by position and not by Id.
func locate(r *soap.Request) (*message, *soap.Fault) {
	if r.Doc == nil {
		return nil, faultf(invalidSecurity, "request without a document")
	}
	envelope := r.Doc.Root()
	parts := slices.Collect(envelope.Elements())
	if len(parts) == 1 && parts[0].Is(soap.NSEnvelope, "Body") {
		return nil, fault(invalidSecurity, ErrNoSecurity)
	}
	if !envelope.Is(soap.NSEnvelope, "Envelope") || len(parts) != 2 ||
		!parts[0].Is(soap.NSEnvelope, "Header") || !parts[1].Is(soap.NSEnvelope, "Body") {
		return nil, faultf(invalidSecurity, "envelope is not one Header and one Body")
	}
	m := &message{header: parts[0], body: parts[1]}
	// What the operation will read must be what is verified here.
	payload := slices.Collect(m.body.Elements())
	if r.Header != m.header || r.Body != m.body || len(payload) != 1 || r.Payload != payload[0] {
		return nil, faultf(invalidSecurity, "request was not made from its document")
	}
	if f := m.findSecurity(); f != nil {
		return nil, f
	}
	return m, m.readSecurity()
}

// findSecurity wants one wsse:Security, and for us. One for another role beside it would be allowed by the
// standard; nobody sends it, and it is a place to hide things in.
func (m *message) findSecurity() *soap.Fault {
	for n := range m.header.Elements() {
		if !n.Is(soap.NSSecurity, "Security") {
			continue
		}
		if !m.security.IsZero() {
			return faultf(invalidSecurity, "two wsse:Security headers")
		}
		m.security = n
	}
	if m.security.IsZero() {
		return fault(invalidSecurity, ErrNoSecurity)
	}
	role, ok := m.security.Attr(soap.NSEnvelope, "role")
	if ok && role != soap.NSEnvelope+"/role/ultimateReceiver" && role != soap.NSEnvelope+"/role/next" {
		return faultf(invalidSecurity, "wsse:Security header is for another role")
	}
	return nil
}

// readSecurity sorts the children of wsse:Security: each at most once, and nothing that is not known.
func (m *message) readSecurity() *soap.Fault {
	for n := range m.security.Elements() {
		var place *xmlsec.Node
		switch {
		case n.Is(soap.NSSecurity, "BinarySecurityToken"):
			place = &m.token
		case n.Is(xmlsec.NamespaceDSig, "Signature"):
			place = &m.signature
		case n.Is(soap.NSUtility, "Timestamp"):
			place = &m.timestamp
		case n.Is(namespaceSAML2, "Assertion"), n.Is(namespaceSAML1, "Assertion"), n.Is(soap.NSSecurity, "UsernameToken"):
			return faultf(unsupportedToken, "%s in wsse:Security", n.Local())
		default:
			return faultf(invalidSecurity, "unknown element in wsse:Security")
		}
		if !place.IsZero() {
			return faultf(invalidSecurity, "two %s elements in wsse:Security", n.Local())
		}
		*place = n
	}
	switch {
	case m.signature.IsZero():
		return faultf(invalidSecurity, "no ds:Signature in wsse:Security: %w", ErrNotSigned)
	case m.timestamp.IsZero():
		return faultf(invalidSecurity, "no wsu:Timestamp in wsse:Security")
	}
	return nil
}

const (
	namespaceSAML2 = "urn:oasis:names:tc:SAML:2.0:assertion"
	namespaceSAML1 = "urn:oasis:names:tc:SAML:1.0:assertion"
)

// checkPositions refuses a signature over anything but the Body, header blocks and parts of our Security
// header: an element that is signed somewhere else is an element that nobody reads.
func (m *message) checkPositions(targets []xmlsec.Node) *soap.Fault {
	for _, t := range targets {
		parent := t.Parent()
		if t != m.body && parent != m.security && (parent != m.header || t == m.security) {
			return faultf(invalidSecurity, "signed element at a place where nothing may be signed")
		}
	}
	return nil
}

// checkCoverage wants every part signed that the rest of the gateway acts on.
func (m *message) checkCoverage(v xmlsec.Verified) *soap.Fault {
	if !v.Covers(m.body) {
		return faultf(failedCheck, "Body: %w", ErrNotSigned)
	}
	if !v.Covers(m.timestamp) {
		return faultf(failedCheck, "Timestamp: %w", ErrNotSigned)
	}
	for n := range m.header.Elements() {
		switch {
		case n == m.security, v.Covers(n):
		case n.Space() == soap.NSAddressing:
			return faultf(failedCheck, "addressing header: %w", ErrNotSigned)
		case mustUnderstand(n):
			return faultf(failedCheck, "mustUnderstand header: %w", ErrNotSigned)
		}
	}
	return nil
}

// mustUnderstand is true unless the attribute is absent or plainly false. SOAP 1.2 Part 1 section 5.2.3
func mustUnderstand(n xmlsec.Node) bool {
	value, ok := n.Attr(soap.NSEnvelope, "mustUnderstand")
	value = strings.TrimSpace(value)
	return ok && value != "false" && value != "0"
}
