// Package wss turns the wsse:Security header of a SOAP request into the caller who sent it, and makes such headers.
//
// Standards: OASIS WS-Security SOAP Message Security 1.1, X.509 Certificate Token Profile 1.1 and SAML Token Profile
// 1.1, as much of them as a request signed by one key needs. A message of tier A looks like this, and in no other
// way:
//
//	Envelope
//	  Header
//	    wsa:To, wsa:Action, wsa:MessageID, ...     each signed, RelatesTo and all others of wsa too
//	    any header that is mustUnderstand          signed
//	    wsse:Security                              one, and for us
//	      wsu:Timestamp                            signed; Created, Expires
//	      wsse:BinarySecurityToken                 none, or the one that the signature refers to
//	      saml:Assertion                           none, or one, signed by its issuer and by this message
//	      wsse:SecurityTokenReference              none, or what the STR-Transform of the signature is about
//	      ds:Signature                             one; see xmlsec for its form
//	  Body                                         signed
//
// Each condition stops an attack that has been made on some other stack: testdata/attacks has a file for each, with
// the reason why it is refused.
//
// # Keys
//
// The signer's key stands in ds:KeyInfo, in one of these ways:
//
//	SecurityTokenReference/Reference        a BinarySecurityToken or Assertion of this header
//	SecurityTokenReference/KeyIdentifier    X509v3: the certificate; SAMLID: the Assertion;
//	                                        ThumbprintSHA1, X509SubjectKeyIdentifier: of a registered certificate
//	SecurityTokenReference/X509Data         as below
//	SecurityTokenReference/Embedded         a BinarySecurityToken
//	X509Data                                X509Certificate; or X509IssuerSerial, X509SKI of a registered one
//	KeyValue, DEREncodedKeyValue            the key, without a certificate
//
// Registered certificates come from Config.Certificates. SHA-1 in a thumbprint names a certificate and proves nothing.
//
// # Assertions
//
// With Config.SAML, a request may bring an assertion. Its person is added to the caller; the caller's key is that of
// the message or of the connection, never of the issuer.
//
//	tier A   the signature covers all of the above, and the assertion: by the holder of its key, or by a sender
//	         who vouches for it or bears it
//	tier B   holder-of-key: the signature, by the holder's key, covers the Timestamp and whatever else it likes, and the
//	         TLS client certificate has the same key
//	tier C   bearer: no signature; the caller is the key of the TLS client certificate
//
// # What it proves
//
// That the holder of a key sent the message to us, now, for the first time. Who may do what is not asked here: any
// certificate within its validity is as good as any other, a self-signed one too, because the ledger names keys and
// not subjects.
//
// Verifier, Signer, Certificates and MemoryReplay may be used by any number of goroutines.
package wss
