// Package xua says who asks: the caller of an IHE transaction as the gateway's policy sees it.
//
// The name is IHE's, Cross-Enterprise User Assertion (ITI-40). The package holds the outcome of
// authentication and nothing of how it was reached: no XML, no TLS, no clock. A Caller is made by the
// packages that verify (soap/wss, saml, the TLS edge) and read by those that decide and those that audit. All
// its types are plain values that compare with ==.
package xua

import "collimate/keys"

// Tier grades the evidence for a caller, from none to a signature over the message itself.
type Tier uint8

const (
	// TierNone is the zero value: nobody has been authenticated.
	TierNone Tier = iota
	// TierC is a bearer assertion of a trusted issuer, or a pinned TLS client certificate.
	TierC
	// TierB is a SAML holder-of-key assertion whose key is that of the TLS client certificate.
	TierB
	// TierA is a WS-Security X.509 signature over Body, Timestamp and the addressing headers.
	TierA
)

// String returns "none", "A", "B" or "C".
func (t Tier) String() string {
	switch t {
	case TierA:
		return "A"
	case TierB:
		return "B"
	case TierC:
		return "C"
	}
	return "none"
}

// Caller is who asks. The zero Caller is nobody and is let in nowhere.
type Caller struct {
	// Key is the key that the evidence is bound to; a grant on the ledger names it.
	Key keys.Grantee
	// Tier grades the evidence.
	Tier Tier
	// Name is a display name for the audit trail, such as a certificate's subject. It is a claim of the
	// caller: never decide by it.
	Name string
	// Address is the network address that the request came from, host only, for the audit trail.
	Address string
	// ReplyTo is where the caller wants the answer sent, a URL, if not back; for the audit trail.
	ReplyTo string
	// Person is whom an issuer asserts to be behind the request, if the evidence holds an assertion. It adds to
	// Key and does not stand in for it: a grant is to a key.
	Person Person
}

// Authenticated reports whether anybody stands behind c.
func (c Caller) Authenticated() bool { return c.Tier != TierNone && !c.Key.IsZero() }
