package saml

import (
	"strings"

	"collimate/xmlsec"
)

// parts are the children of an assertion. Nothing of what they say is believed yet.
type parts struct {
	id                                     string
	issuer, signature, subject, conditions xmlsec.Node
	authn, attributes, decisions           []xmlsec.Node
}

// ranks is the order of the children (SAML core, section 2.3.3). Each may stand there once, except statements.
// The order is more than tidiness: with a signature where it belongs and nowhere else, there is one signature.
var ranks = map[string]int{"Issuer": 1, "Signature": 2, "Subject": 3, "Conditions": 4, "Advice": 5}

const rankStatement = 6

// take finds the children of an assertion and refuses what is not one.
func take(n xmlsec.Node) (parts, *Error) {
	var p parts
	switch {
	case n.Is(Namespace, "EncryptedAssertion"):
		return p, refuse(Unsupported, "assertion is encrypted, and there is no key for it here: send it in the clear over TLS")
	case n.Is(namespace1, "Assertion"):
		return p, refuse(Unsupported, "assertion is of SAML 1, want 2.0")
	case !n.Is(Namespace, "Assertion"):
		return p, refuse(Malformed, "element is not a saml:Assertion")
	}
	if start, end := n.Range(); end-start > maxBytes {
		return p, refuse(Malformed, "assertion is longer than %d bytes", maxBytes)
	}
	if err := p.takeAttributes(n); err != nil {
		return p, err
	}
	last, statements := 0, 0
	for c := range n.Elements() {
		rank := rankStatement
		if c.Space() == Namespace || c.Is(xmlsec.NamespaceDSig, "Signature") {
			if r, ok := ranks[c.Local()]; ok {
				rank = r
			}
		}
		if rank < last || rank == last && rank != rankStatement {
			return p, refuse(Malformed, "child elements are repeated or out of order")
		}
		if last = rank; rank == rankStatement {
			if statements++; statements > maxStatements {
				return p, refuse(Malformed, "more than %d statements", maxStatements)
			}
		}
		if err := p.takeChild(c); err != nil {
			return p, err
		}
	}
	switch {
	case p.issuer.IsZero():
		return p, refuse(Malformed, "Issuer is missing")
	case p.subject.IsZero():
		return p, refuse(Malformed, "Subject is missing")
	case p.conditions.IsZero():
		return p, refuse(Malformed, "Conditions is missing: an assertion must say when and for whom it is valid")
	case len(p.authn) == 0:
		return p, refuse(Malformed, "AuthnStatement is missing") // ITI TF-2: 3.40.4.1.2
	case p.signature.IsZero():
		return p, refuse(Unsigned, "assertion has no signature of its own")
	}
	return p, nil
}

func (p *parts) takeAttributes(n xmlsec.Node) *Error {
	for a := range n.Attrs() {
		if a.Space == namespaceXSI {
			continue
		}
		// Another attribute could be another identifier, by which something else refers to this element.
		if a.Space != "" || a.Local != "ID" && a.Local != "Version" && a.Local != "IssueInstant" {
			return refuse(Malformed, "attribute of Assertion that SAML does not have")
		}
	}
	if version, ok := n.Attr("", "Version"); !ok {
		return refuse(Malformed, "Version is missing")
	} else if version != "2.0" {
		return refuse(Unsupported, "Version is not 2.0")
	}
	p.id, _ = n.Attr("", "ID")
	// QUIRK: an xs:ID begins with a letter or underscore; in CONNECT's messages it is a bare UUID.
	if p.id == "" || len(p.id) > maxID || strings.ContainsAny(p.id, " \t\r\n") {
		return refuse(Malformed, "ID is missing, has white space, or is longer than %d bytes", maxID)
	}
	return nil
}

func (p *parts) takeChild(c xmlsec.Node) *Error {
	switch {
	case c.Is(Namespace, "Issuer"):
		p.issuer = c
	case c.Is(xmlsec.NamespaceDSig, "Signature"):
		p.signature = c
	case c.Is(Namespace, "Subject"):
		p.subject = c
	case c.Is(Namespace, "Conditions"):
		p.conditions = c
	case c.Is(Namespace, "Advice"): // may be passed over; SAML core, section 2.6.1
	case c.Is(Namespace, "AuthnStatement"):
		p.authn = append(p.authn, c)
	case c.Is(Namespace, "AttributeStatement"):
		p.attributes = append(p.attributes, c)
	case c.Is(Namespace, "AuthzDecisionStatement"):
		p.decisions = append(p.decisions, c)
	case c.Is(Namespace, "Statement"):
		return refuse(Unsupported, "statement of a kind that is not known")
	default:
		return refuse(Malformed, "child element of Assertion that SAML does not have")
	}
	return nil
}

// children calls take for each child element of n, which must be in the SAML namespace, until it refuses.
func children(n xmlsec.Node, take func(xmlsec.Node) *Error) *Error {
	for c := range n.Elements() {
		if c.Space() != Namespace {
			return refuse(Malformed, "child element of %s that SAML does not have", n.Local())
		}
		if err := take(c); err != nil {
			return err
		}
	}
	return nil
}

// text returns the text of an element as xs:token. It may be empty.
func text(n xmlsec.Node) (string, *Error) {
	s, err := n.Text()
	if err != nil {
		return "", refuse(Malformed, "%s: %w", n.Local(), err)
	}
	if len(s) > maxText {
		return "", refuse(Malformed, "%s is longer than %d bytes", n.Local(), maxText)
	}
	return collapse(s), nil
}

// attribute returns an attribute as xs:token, "" if there is none.
func attribute(n xmlsec.Node, local string) (string, *Error) {
	s, _ := n.Attr("", local)
	if len(s) > maxText {
		return "", refuse(Malformed, "%s of %s is longer than %d bytes", local, n.Local(), maxText)
	}
	return collapse(s), nil
}

// collapse handles white space as XML Schema does for xs:token. QUIRK: CONNECT writes line breaks into Issuer
// and AuthnContextClassRef.
func collapse(s string) string {
	return strings.Join(strings.FieldsFunc(s, func(r rune) bool {
		return r == ' ' || r == '\t' || r == '\r' || r == '\n'
	}), " ")
}
