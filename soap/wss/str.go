package wss

import (
	"encoding/base64"
	"errors"
	"slices"
	"time"

	"collimate/soap"
	"collimate/xmlsec"
)

// dereference returns the token behind a wsse:SecurityTokenReference for the STR-Transform. The reference stands in
// the KeyInfo of our signature, or is a child of our Security header; elsewhere, nobody reads it.
func (v *Verifier) dereference(m *message, now time.Time) xmlsec.Dereference {
	return func(str xmlsec.Node) (xmlsec.Node, error) {
		if parent := str.Parent(); parent != m.security && parent != m.keyInfo {
			return xmlsec.Node{}, errors.New("SecurityTokenReference at a place where none is read")
		}
		m.dereferenced = append(m.dereferenced, str)
		t, f := v.tokenReference(m, str, now)
		if f != nil {
			return xmlsec.Node{}, f
		}
		if n := t.node; !n.IsZero() && (n == m.token || n == m.assertion || n == m.embedded) {
			return n, nil
		}
		return binarySecurityToken(str.Prefix(), t.party.certificate.Raw)
	}
}

// binarySecurityToken makes the element that stands for a certificate which the message names or holds in some other
// way. WSS SOAP Message Security 1.1, section 8.3
//
// QUIRK: WSS4J writes no EncodingType, and the prefix of the reference. Nobody else is known to sign such tokens.
func binarySecurityToken(prefix string, der []byte) (xmlsec.Node, error) {
	b := make([]byte, 0, 512+2*len(der))
	name, declaration := "BinarySecurityToken", "xmlns"
	if prefix != "" {
		name, declaration = prefix+":"+name, declaration+":"+prefix
	}
	b = append(b, "<"+name+" "+declaration+`="`+soap.NSSecurity+`" ValueType="`+valueTypeX509v3+`">`...)
	b = base64.StdEncoding.AppendEncode(b, der)
	b = append(b, "</"+name+">"...)
	d, err := xmlsec.Parse(b, xmlsec.Limits{})
	if err != nil {
		return xmlsec.Node{}, err
	}
	return d.Root(), nil
}

// checkReferences wants each SecurityTokenReference beside the signature to be one that the signature is over.
func (m *message) checkReferences() *soap.Fault {
	for _, str := range m.references {
		if !slices.Contains(m.dereferenced, str) {
			return faultf(invalidSecurity, "SecurityTokenReference that the signature does not refer to")
		}
	}
	return nil
}
