package wss

import (
	"strings"

	"collimate/soap"
	"collimate/xmlsec"
)

// message holds the nodes of a message that the checks are about.
type message struct {
	header, body, security xmlsec.Node
	// The children of wsse:Security; those that are not there are zero.
	signature, keyInfo, timestamp, token, assertion xmlsec.Node
	references                                      []xmlsec.Node // SecurityTokenReferences
	// What following the references has found.
	embedded     xmlsec.Node   // the token inside KeyInfo
	dereferenced []xmlsec.Node // what the STR-Transform was applied to
}

// locate finds the parts of the message, by position and not by Id.
func locate(r *soap.Request) (*message, *soap.Fault) {
	if r.Doc == nil {
		return nil, faultf(invalidSecurity, "request without a document")
	}
	if err := r.Doc.CheckIDs(); err != nil {
		return nil, fault(invalidSecurity, err)
	}
	envelope := r.Doc.Root()
	if !envelope.Is(soap.NSEnvelope, "Envelope") {
		return nil, faultf(invalidSecurity, "root element is not an Envelope of SOAP 1.2")
	}
	m := &message{}
	count := 0
	for part := range envelope.Elements() {
		switch count++; {
		case count == 1 && part.Is(soap.NSEnvelope, "Header"):
			m.header = part
		case count <= 2 && part.Is(soap.NSEnvelope, "Body") && m.body.IsZero():
			m.body = part
		default:
			return nil, faultf(invalidSecurity, "envelope is not one Header and one Body")
		}
	}
	switch {
	case m.body.IsZero():
		return nil, faultf(invalidSecurity, "envelope is not one Header and one Body")
	case m.header.IsZero():
		return nil, fault(invalidSecurity, ErrNoSecurity)
	}
	// What the operation will read must be what is verified here.
	payload, f := only(m.body)
	if f != nil || r.Header != m.header || r.Body != m.body || r.Payload != payload {
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
		case n.Is(namespaceSAML2, "Assertion"):
			place = &m.assertion
		case n.Is(soap.NSSecurity, "SecurityTokenReference"):
			if len(m.references) == maxTokenReferences {
				return faultf(invalidSecurity, "more than %d SecurityTokenReference elements in wsse:Security", maxTokenReferences)
			}
			m.references = append(m.references, n)
			continue
		case n.Is(namespaceSAML2, "EncryptedAssertion"), n.Is(namespaceSAML1, "Assertion"), n.Is(soap.NSSecurity, "UsernameToken"):
			return faultf(unsupportedToken, "%s in wsse:Security", n.Local())
		default:
			return faultf(invalidSecurity, "unknown element in wsse:Security")
		}
		if !place.IsZero() {
			return faultf(invalidSecurity, "two %s elements in wsse:Security", n.Local())
		}
		*place = n
	}
	if m.signature.IsZero() {
		return nil
	}
	var err error
	if m.keyInfo, err = m.signature.Only(xmlsec.NamespaceDSig, "KeyInfo"); err != nil {
		return fault(invalidSecurity, err)
	}
	return nil
}

// checkPositions refuses a signature over anything but the Body, header blocks, parts of our Security header and
// the token in KeyInfo: an element that is signed somewhere else is an element that nobody reads.
func (m *message) checkPositions(targets []xmlsec.Node) *soap.Fault {
	for _, t := range targets {
		parent := t.Parent()
		switch {
		case t == m.body, parent == m.security, parent == m.header && t != m.security, t == m.embedded:
		case t.Document() != m.body.Document(): // made from a certificate that the message names
		default:
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
	if !m.assertion.IsZero() && !v.Covers(m.assertion) {
		return faultf(failedCheck, "Assertion: %w", ErrNotSigned)
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
