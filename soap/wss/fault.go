package wss

import (
	"errors"
	"fmt"

	"collimate/soap"
	"collimate/xmlsec"
)

// Causes that a caller of Authenticate may want to tell apart. They are wrapped in the Err of the fault, for
// the log and the audit trail; the peer does not see them.
var (
	// ErrNoSecurity: the request has no wsse:Security header at all.
	ErrNoSecurity = errors.New("no wsse:Security header")
	// ErrNotSigned: a part that must be signed is not.
	ErrNotSigned = errors.New("a part that must be signed is not")
	// ErrExpired: the message is too old, or from the future.
	ErrExpired = errors.New("message is outside its time")
	// ErrReplay: the same signer has sent this MessageID before.
	ErrReplay = errors.New("message has been seen before")
	// ErrDestination: the message was signed for another endpoint.
	ErrDestination = errors.New("wsa:To does not name this endpoint")
	// ErrHolder: the assertion is for the holder of a key, and this is not the key.
	ErrHolder = errors.New("not the key of the holder of the assertion")
	// ErrNoClientCertificate: the assertion is good for the client of the TLS connection, who has shown no key.
	ErrNoClientCertificate = errors.New("no TLS client certificate")
)

// The fault codes of WSS SOAP Message Security 1.1, section 12. The reason is the sentence of the standard and
// no more, so that whoever probes us learns which rule failed and not how near they came. Where the message is
// honest and the sender's configuration is not ours, the sentence goes on to say what we take.
const (
	unsupportedToken     = "UnsupportedSecurityToken"
	unsupportedAlgorithm = "UnsupportedAlgorithm"
	invalidSecurity      = "InvalidSecurity"
	invalidToken         = "InvalidSecurityToken"
	failedAuthentication = "FailedAuthentication"
	failedCheck          = "FailedCheck"
	tokenUnavailable     = "SecurityTokenUnavailable"
	messageExpired       = "MessageExpired"
)

func reason(subcode string) string {
	switch subcode {
	case unsupportedToken:
		return "An unsupported token was provided: put the X.509 certificate in a BinarySecurityToken of type X509v3, " +
			"in X509Data, or in a KeyIdentifier of type X509v3; other references and assertions need configuration here."
	case unsupportedAlgorithm:
		return "An unsupported signature or encryption algorithm was used: use exclusive canonicalization, " +
			"SHA-256 or longer, and RSA, ECDSA (P-256, P-384; r and s side by side) or Ed25519."
	case invalidToken:
		return "An invalid security token was provided."
	case failedAuthentication:
		return "The security token could not be authenticated or authorized."
	case failedCheck:
		return "The signature or decryption was invalid."
	case tokenUnavailable:
		return "Referenced security token could not be retrieved."
	case messageExpired:
		return "The message has expired."
	}
	return "An error was discovered processing the wsse:Security header."
}

func fault(subcode string, cause error) *soap.Fault {
	return &soap.Fault{
		Code:    soap.Sender,
		Subcode: soap.Name{Space: soap.NSSecurity, Local: subcode},
		Reason:  reason(subcode),
		Err:     cause,
	}
}

func faultf(subcode, format string, args ...any) *soap.Fault {
	return fault(subcode, fmt.Errorf(format, args...))
}

// unavailable refuses a message for a reason that lies with us.
func unavailable(cause error) *soap.Fault {
	return &soap.Fault{Code: soap.Receiver, Reason: "The message cannot be accepted now; send it again later.", Err: cause}
}

// signatureFault gives the errors of xmlsec their fault codes. A fault inside is one of following a token reference.
func signatureFault(err error) *soap.Fault {
	var f *soap.Fault
	switch {
	case errors.As(err, &f):
		return f
	case errors.Is(err, xmlsec.ErrAlgorithm):
		return fault(unsupportedAlgorithm, err)
	case errors.Is(err, xmlsec.ErrSignature), errors.Is(err, xmlsec.ErrDigest):
		return fault(failedCheck, err)
	}
	return fault(invalidSecurity, err)
}
