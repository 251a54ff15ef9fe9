// Package wss turns the wsse:Security header of a SOAP request into the caller who signed it, and makes such
// headers.
//
// Standards: OASIS WS-Security SOAP Message Security 1.1 and X.509 Certificate Token Profile 1.1, as much of
// them as a request signed by one key needs. A message that is accepted looks like this, and in no other way:
//
//	Envelope
//	  Header
//	    wsa:To, wsa:Action, wsa:MessageID, ...     each signed
//	    any header that is mustUnderstand          signed
//	    wsse:Security                              one, and for us
//	      wsu:Timestamp                            signed; Created, Expires
//	      wsse:BinarySecurityToken                 none, or the one that the signature refers to
//	      ds:Signature                             one; see xmlsec for its form
//	  Body                                         signed
//
// Each condition stops an attack that has been made on some other stack: see the attacks in the tests. The
// certificate may stand in the BinarySecurityToken, in ds:X509Data/X509Certificate, or in a KeyIdentifier of
// type X509v3. References to a certificate that is not in the message (serial number, subject key identifier,
// thumbprint), SAML tokens, encryption and the STR-Transform are refused with a fault that says so.
//
// What an accepted message proves is that the holder of a key sent it to us, now, for the first time. Who may
// do what is not asked here: any certificate within its validity is as good as any other, a self-signed one
// too, because the ledger names keys and not subjects.
//
// Verifier, Signer and MemoryReplay may be used by any number of goroutines.
package wss
