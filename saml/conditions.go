package saml

import (
	"slices"
	"strings"
	"time"

	"collimate/xmlsec"
)

// readConditions checks Conditions, all of which must hold. SAML core, section 2.5
func (v *Validator) readConditions(a *Assertion, n xmlsec.Node, now time.Time) *Error {
	w, err := windowOf(n)
	switch {
	case err != nil:
		return err
	case w.notBefore.IsZero() || w.notOnOrAfter.IsZero():
		return refuse(Malformed, "Conditions without NotBefore and NotOnOrAfter")
	case w.notOnOrAfter.Sub(w.notBefore) > v.config.MaxLifetime:
		return refuse(Policy, "assertion is valid for longer than %v", v.config.MaxLifetime)
	}
	if err := w.check(now, v.config.Skew); err != nil {
		return err
	}
	a.NotBefore, a.NotOnOrAfter = w.notBefore, w.notOnOrAfter
	restrictions, audiences, proxies := 0, 0, 0
	err = children(n, func(c xmlsec.Node) *Error {
		switch c.Local() {
		case "AudienceRestriction":
			restrictions++
			return v.checkAudience(c, &audiences)
		case "OneTimeUse":
			if a.OneTimeUse {
				return refuse(Malformed, "OneTimeUse is repeated")
			}
			a.OneTimeUse = true
			return empty(c)
		case "ProxyRestriction":
			if proxies++; proxies > 1 {
				return refuse(Malformed, "ProxyRestriction is repeated")
			}
			return checkProxyRestriction(c)
		}
		return refuse(Unsupported, "condition that is not known")
	})
	if err != nil {
		return err
	}
	if restrictions == 0 {
		return refuse(Audience, "AudienceRestriction is missing") // ITI TF-2: 3.40.4.1.2
	}
	return nil
}

// checkAudience wants us among the audiences of one restriction. With several restrictions each must hold: they
// are AND, the audiences within one are OR. SAML errata E46
func (v *Validator) checkAudience(n xmlsec.Node, count *int) *Error {
	ours := false
	err := children(n, func(c xmlsec.Node) *Error {
		if *count++; c.Local() != "Audience" || *count > maxAudiences {
			return refuse(Malformed, "AudienceRestriction with something else than Audience, or more than %d", maxAudiences)
		}
		audience, err := text(c)
		ours = ours || slices.Contains(v.config.Audiences, audience)
		return err
	})
	if err == nil && !ours {
		return refuse(Audience, "no Audience is ours")
	}
	return err
}

// checkProxyRestriction looks at the form alone: it limits those who issue assertions on the strength of this
// one, and we issue none.
func checkProxyRestriction(n xmlsec.Node) *Error {
	if count, ok := n.Attr("", "Count"); ok && (count == "" || strings.Trim(count, "0123456789") != "") {
		return refuse(Malformed, "Count of ProxyRestriction is not a number")
	}
	return children(n, func(c xmlsec.Node) *Error {
		if c.Local() != "Audience" {
			return refuse(Malformed, "ProxyRestriction with something else than Audience")
		}
		return nil
	})
}

// empty refuses child elements.
func empty(n xmlsec.Node) *Error {
	for range n.Elements() {
		return refuse(Malformed, "%s is not empty", n.Local())
	}
	return nil
}
