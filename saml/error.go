package saml

import (
	"errors"
	"fmt"

	"collimate/xmlsec"
)

// Code is the kind of rule that an assertion broke. Each goes with one fault code of WS-Security (WSS SAML Token
// Profile 1.1, section 3.6; WSS SOAP Message Security 1.1, section 12).
type Code string

// The codes, with the fault each is meant to become.
const (
	// Malformed: not the structure of a SAML assertion, or one that means two things. wsse:InvalidSecurityToken
	Malformed Code = "malformed"
	// Unsupported: of a version, kind or extension that is not understood here, an unknown condition among
	// them, or encrypted. wsse:UnsupportedSecurityToken
	Unsupported Code = "unsupported"
	// Algorithm: signed by an algorithm that is not accepted. wsse:UnsupportedAlgorithm
	Algorithm Code = "algorithm"
	// Unsigned: no signature by the issuer. wsse:InvalidSecurityToken
	Unsigned Code = "unsigned"
	// BadSignature: the signature is not the issuer's, or the assertion is not what was signed. wsse:FailedCheck
	BadSignature Code = "signature"
	// UntrustedIssuer: no issuer that is configured, or none of its certificates is valid now.
	// wsse:InvalidSecurityToken
	UntrustedIssuer Code = "issuer"
	// NotYetValid and Expired: outside of the time it is for. wsse:InvalidSecurityToken
	NotYetValid Code = "not yet valid"
	Expired     Code = "expired"
	// Audience: meant for somebody else. wsse:FailedAuthentication
	Audience Code = "audience"
	// Confirmation: nobody can show that it is theirs, such as holder-of-key without a key that can be used.
	// wsse:InvalidSecurityToken
	Confirmation Code = "confirmation"
	// Replayed: was to be used once, and has been. wsse:FailedAuthentication
	Replayed Code = "replayed"
	// Policy: what it says is understood and not enough here: the way the person logged in, the role, the
	// purpose of use. wsse:FailedAuthentication
	Policy Code = "policy"
	// Unavailable: not the assertion's fault; it cannot be told whether it was used before. soap:Receiver
	Unavailable Code = "unavailable"
)

// Error is the outcome for an assertion that is not accepted. Err is for our log; it names elements and
// attributes and quotes nothing of the assertion, which is about people.
type Error struct {
	Code Code
	Err  error
}

// Error says which rule was broken, without quoting the message.
func (e *Error) Error() string { return fmt.Sprintf("saml assertion %s: %v", e.Code, e.Err) }

// Unwrap returns Err.
func (e *Error) Unwrap() error { return e.Err }

func refuse(code Code, format string, args ...any) *Error {
	return &Error{code, fmt.Errorf(format, args...)}
}

// signatureError gives the errors of xmlsec their codes.
func signatureError(err error) *Error {
	switch {
	case errors.Is(err, xmlsec.ErrAlgorithm):
		return &Error{Algorithm, err}
	case errors.Is(err, xmlsec.ErrSignature), errors.Is(err, xmlsec.ErrDigest), errors.Is(err, xmlsec.ErrReference):
		return &Error{BadSignature, err}
	}
	return &Error{Malformed, err}
}
