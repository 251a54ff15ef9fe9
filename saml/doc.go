// Package saml decides whether a SAML 2.0 assertion in a request is to be believed, and reads from it who asks.
//
// The assertions are those of IHE XUA, Provide X-User Assertion (ITI-40). A hospital's identity provider signs
// that Dr. Andrews, a physician of Auryn-Spital, is at work and asks for the sake of treatment; the system that
// she works at puts this assertion into the wsse:Security header of each request that it sends for her.
//
//	saml:Assertion Version ID IssueInstant
//	  saml:Issuer                     one of Config.Issuers
//	  ds:Signature                    by a certificate of that issuer, over this very element
//	  saml:Subject
//	    saml:NameID                   the person
//	    saml:SubjectConfirmation      bearer, holder-of-key or sender-vouches; one
//	  saml:Conditions                 NotBefore, NotOnOrAfter, AudienceRestriction
//	  saml:AuthnStatement             how the person logged in
//	  saml:AttributeStatement         name, organization, role, purpose of use, ...
//
// An xmlsec.Node goes in and an *Assertion comes out, or an *Error that says which kind of rule was broken.
// Before the signature has been verified nothing is read but the outline and the Issuer, and after it only what
// Verified covers. The signature's ds:KeyInfo is never read, and may be missing: who may sign is a matter of
// configuration, and each of the few keys that the Issuer has there is tried. What is not understood is refused,
// except where SAML says that it may be passed over: attributes by other names, and saml:Advice.
//
// Standards: SAML 2.0 core with errata (OASIS, 2005 and 2012), WSS SAML Token Profile 1.1 and ITI TF-2: 3.40.
// Encrypted assertions, names and attributes are refused, and so is SAML 1.1. Decision statements are read for
// whether they say Permit, no further.
//
// What an assertion does not prove is that its bearer is the one it was issued to. That is between the
// confirmation method and the message, and belongs to soap/wss: see Method.
//
// The package has no clock and no memory of its own, both come with Config. A Validator may be used by any
// number of goroutines if they may.
package saml
