package saml

import (
	"slices"
	"strings"
	"time"

	"collimate/xmlsec"
)

// readAuthn checks that the person has logged in, in a way that counts. SAML core, section 2.7.2. With several
// statements all must hold, and the first is what the Assertion tells.
func (v *Validator) readAuthn(a *Assertion, statements []xmlsec.Node, now time.Time) *Error {
	for i, n := range statements {
		at, ok, err := instant(n, "AuthnInstant")
		switch {
		case err != nil:
			return err
		case !ok:
			return refuse(Malformed, "AuthnInstant is missing")
		case now.Add(v.config.Skew).Before(at):
			return refuse(NotYetValid, "AuthnInstant is in the future")
		}
		end, _, err := instant(n, "SessionNotOnOrAfter")
		if err != nil {
			return err
		}
		if (window{notOnOrAfter: end}).check(now, v.config.Skew) != nil {
			return refuse(Expired, "SessionNotOnOrAfter has passed")
		}
		context, err := v.authnContext(n)
		if err != nil {
			return err
		}
		if i == 0 {
			a.AuthnInstant, a.AuthnContext = at, context
		}
	}
	return nil
}

// authnContext returns the class or declaration reference of a statement, one of which must be there and count.
func (v *Validator) authnContext(statement xmlsec.Node) (string, *Error) {
	var context xmlsec.Node
	err := children(statement, func(c xmlsec.Node) *Error {
		switch {
		case c.Local() == "SubjectLocality" && context.IsZero():
		case c.Local() == "AuthnContext" && context.IsZero():
			context = c
		default:
			return refuse(Malformed, "content of AuthnStatement")
		}
		return nil
	})
	if err != nil {
		return "", err
	}
	var class, declaration string
	err = children(context, func(c xmlsec.Node) (err *Error) {
		switch {
		case c.Local() == "AuthnContextClassRef" && class == "":
			class, err = text(c)
		case c.Local() == "AuthnContextDeclRef" && declaration == "":
			declaration, err = text(c)
		case c.Local() == "AuthnContextDecl", c.Local() == "AuthenticatingAuthority":
		default:
			err = refuse(Malformed, "content of AuthnContext")
		}
		return err
	})
	switch {
	case err != nil:
		return "", err
	case class == "" && declaration == "":
		return "", refuse(Malformed, "AuthnStatement without AuthnContextClassRef or AuthnContextDeclRef")
	case class != "" && !v.acceptsContext(class):
		return "", refuse(Policy, "the class of authentication is not accepted")
	case class == "" && !v.acceptsContext(declaration):
		return "", refuse(Policy, "the declaration of authentication is not accepted")
	case class == "":
		return declaration, nil
	}
	return class, nil
}

func (v *Validator) acceptsContext(uri string) bool {
	if len(v.config.AuthnContexts) > 0 {
		return slices.Contains(v.config.AuthnContexts, uri)
	}
	class, ok := strings.CutPrefix(uri, contextPrefix)
	return ok && contextClasses[class]
}

// checkDecisions refuses what the issuer itself would not permit. A Permit is the issuer's opinion: who gets
// what is decided here.
func checkDecisions(statements []xmlsec.Node) *Error {
	for _, n := range statements {
		if decision, _ := n.Attr("", "Decision"); decision != "Permit" {
			return refuse(Policy, "AuthzDecisionStatement does not say Permit")
		}
	}
	return nil
}
