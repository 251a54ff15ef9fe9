package saml

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"time"

	"collimate/xmlsec"
)

// Validate decides about an assertion and, if it is for one use, uses it. Every error is an *Error.
//
// It is Examine and Consume in one. Where more is to be checked, such as the signature of the holder of the
// key, do that between the two: otherwise whoever gets hold of an assertion can use it up without the key.
func (v *Validator) Validate(assertion xmlsec.Node) (*Assertion, error) {
	a, err := v.Examine(assertion)
	if err != nil {
		return nil, err
	}
	if err := v.Consume(a); err != nil {
		return nil, err
	}
	return a, nil
}

// Examine decides about an assertion in all respects but whether it was used before. Every error is an *Error.
//
// Where in the message the assertion stands is for the caller to have made sure of, and so is, afterwards, that
// the sender may send it: see Method.
func (v *Validator) Examine(assertion xmlsec.Node) (*Assertion, error) {
	a, err := v.examine(assertion)
	if err != nil {
		return nil, err // not a, err: a nil *Error in an error is not nil
	}
	return a, nil
}

func (v *Validator) examine(n xmlsec.Node) (*Assertion, *Error) {
	p, err := take(n)
	if err != nil {
		return nil, err
	}
	a := &Assertion{ID: p.id}
	issuer, err := nameID(p.issuer)
	if err != nil {
		return nil, err
	}
	a.Issuer = issuer.Value
	now := v.config.Now()
	if err := v.verify(a, n, now); err != nil {
		return nil, err
	}
	// From here on it is what the issuer said. It may still be for another time, or for somebody else.
	if err := v.readIssueInstant(a, n, now); err != nil {
		return nil, err
	}
	if err := v.readConditions(a, p.conditions, now); err != nil {
		return nil, err
	}
	if err := v.readSubject(a, p.subject, now); err != nil {
		return nil, err
	}
	if err := v.readAuthn(a, p.authn, now); err != nil {
		return nil, err
	}
	if err := checkDecisions(p.decisions); err != nil {
		return nil, err
	}
	if err := readAttributes(&a.Attributes, p.attributes); err != nil {
		return nil, err
	}
	return a, v.checkPolicy(&a.Attributes)
}

// verify makes sure that the issuer signed this very element and nothing beside it.
func (v *Validator) verify(a *Assertion, n xmlsec.Node, now time.Time) *Error {
	trusted, known := v.issuers[a.Issuer]
	if !known {
		return refuse(UntrustedIssuer, "Issuer is not configured")
	}
	s, err := xmlsec.ParseEnvelopedSignature(n, trusted.algorithms)
	if err != nil {
		return signatureError(err)
	}
	refusal := refuse(UntrustedIssuer, "no certificate of the issuer is valid now")
	for _, c := range trusted.certificates {
		if now.Before(c.NotBefore) || now.After(c.NotAfter) {
			continue
		}
		verified, err := s.Verify(c.PublicKey)
		switch {
		case err == nil && verified.Covers(n):
			a.SHA1 = verified.SHA1()
			return nil
		case err == nil:
			return refuse(BadSignature, "signature does not cover the assertion")
		case !errors.Is(err, xmlsec.ErrSignature) && !errors.Is(err, xmlsec.ErrAlgorithm):
			return signatureError(err) // the key is right and the assertion is not: no other key will do
		}
		refusal = signatureError(err)
	}
	return refusal
}

func (v *Validator) readIssueInstant(a *Assertion, n xmlsec.Node, now time.Time) *Error {
	t, ok, err := instant(n, "IssueInstant")
	switch {
	case err != nil:
		return err
	case !ok:
		return refuse(Malformed, "IssueInstant is missing")
	case now.Add(v.config.Skew).Before(t):
		return refuse(NotYetValid, "IssueInstant is in the future")
	}
	a.IssueInstant = t
	return nil
}

// Consume uses up an assertion that is for one use, and does nothing for others. Every error is an *Error.
func (v *Validator) Consume(a *Assertion) error {
	if !a.OneTimeUse {
		return nil
	}
	if v.config.OneTime == nil {
		return refuse(Unsupported, "OneTimeUse, and nothing here remembers what has been used")
	}
	fresh, err := v.config.OneTime.Remember(oneTimeKey(a), a.NotOnOrAfter.Add(v.config.Skew))
	if err != nil {
		return refuse(Unavailable, "remembering the assertion: %w", err)
	}
	if !fresh {
		return refuse(Replayed, "OneTimeUse, and it has been used")
	}
	return nil
}

// oneTimeKey is unique to an assertion, as ID is within an issuer.
func oneTimeKey(a *Assertion) [32]byte {
	b := []byte("collimate/saml/once/v1\x00")
	b = binary.BigEndian.AppendUint32(b, uint32(len(a.Issuer)))
	return sha256.Sum256(append(append(b, a.Issuer...), a.ID...))
}
