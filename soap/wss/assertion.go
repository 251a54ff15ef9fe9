package wss

import (
	"errors"
	"time"

	"collimate/saml"
	"collimate/soap"
	"collimate/xmlsec"
	"collimate/xua"
)

// examine decides about the assertion of a message. It is used up only after everything else is in order.
func (v *Verifier) examine(n xmlsec.Node) (*saml.Assertion, *soap.Fault) {
	a, err := v.config.SAML.Examine(n)
	if err != nil {
		return nil, assertionFault(err)
	}
	return a, nil
}

// bearer authenticates a message without a signature: an assertion that says that its bearer may use it, over a
// connection whose client has shown a key. The caller is that key, and the person is what the issuer says.
func (v *Verifier) bearer(m *message, r *soap.Request, now time.Time) (*evidence, *soap.Fault) {
	switch {
	case m.assertion.IsZero():
		return nil, faultf(invalidSecurity, "no ds:Signature in wsse:Security: %w", ErrNotSigned)
	case !m.token.IsZero() || len(m.references) > 0:
		return nil, faultf(invalidSecurity, "token that nothing refers to")
	}
	// Without a Timestamp the message is as old as it is here; whoever sends it again has the key of the connection.
	e := &evidence{tier: xua.TierC, remember: now.Add(v.config.MaxAge + 2*v.config.MaxSkew)}
	var f *soap.Fault
	if !m.timestamp.IsZero() {
		if e.remember, f = v.checkTimestamp(m.timestamp, now); f != nil {
			return nil, f
		}
	}
	if e.assertion, f = v.examine(m.assertion); f != nil {
		return nil, f
	}
	if e.assertion.Method != saml.Bearer {
		return nil, faultf(failedCheck, "assertion that is not for its bearer: %w", ErrNotSigned)
	}
	e.party, f = clientParty(r, now)
	return e, f
}

// clientParty is the client of the TLS connection, whose key the handshake has proven.
func clientParty(r *soap.Request, now time.Time) (*party, *soap.Fault) {
	if r.TLS == nil || len(r.TLS.PeerCertificates) == 0 {
		return nil, fault(failedAuthentication, ErrNoClientCertificate)
	}
	p, f := certified(r.TLS.PeerCertificates[0])
	if f != nil {
		return nil, f
	}
	return p, p.check(now)
}

// holder is the party of a holder-of-key assertion.
func holder(a *saml.Assertion) (*party, *soap.Fault) {
	switch {
	case a.Method != saml.HolderOfKey:
		return nil, fault(failedAuthentication, ErrHolder)
	case a.HolderCertificate != nil:
		return certified(a.HolderCertificate)
	}
	return uncertified(a.HolderKey)
}

// assertionFault gives the errors of package saml their fault codes, as it documents them.
func assertionFault(err error) *soap.Fault {
	var e *saml.Error
	if !errors.As(err, &e) {
		return fault(invalidToken, err)
	}
	switch e.Code {
	case saml.Unsupported:
		return fault(unsupportedToken, err)
	case saml.Algorithm:
		return fault(unsupportedAlgorithm, err)
	case saml.BadSignature:
		return fault(failedCheck, err)
	case saml.Audience, saml.Replayed, saml.Policy:
		return fault(failedAuthentication, err)
	case saml.Unavailable:
		return unavailable(err)
	}
	return fault(invalidToken, err)
}
