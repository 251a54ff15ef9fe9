// Package xmlsec reads XML strictly, writes it canonically, and makes and verifies XML signatures over
// parts of it.
//
// One tree serves from the first byte to the decision: what was parsed is what is canonicalised, what is
// canonicalised is what is hashed, and the nodes that Verified covers are the nodes that a caller goes on to
// read. Signature wrapping lives in the gap between two views of a message; here there is one view.
//
//	bytes --Parse--> Document --AppendC14N--> canonical bytes --> digest
//	                    |                                           |
//	                    +--ParseSignature--> Signature --Verify--> Verified.Covers(Node)
//
// Standards, and how much of each:
//
//   - XML 1.0 (fifth edition) and Namespaces in XML 1.0: all that a document without a DTD can hold, in UTF-8.
//     A DOCTYPE is refused, and with it every entity beyond the five predefined ones.
//   - Exclusive XML Canonicalization 1.0, with and without comments, with InclusiveNamespaces PrefixList and
//     its #default token. Inclusive canonicalisation is not offered.
//   - XML Signature 1.1: references to elements of the same document, by Id, detached or enveloped. The signature
//     algorithms are RSA PKCS #1 v1.5 and PSS of 2048 bits and up, ECDSA on P-256 and P-384 (r and s side by side,
//     RFC 4050) and Ed25519 (RFC 9231), with SHA-256, SHA-384 or SHA-512. Two switches are off unless a caller sets
//     them: ECDSA in DER, and SHA-1. MD5, HMAC, XPath, XSLT, external references, RetrievalMethod and ds:Object are
//     refused.
//   - WSS SOAP Message Security 1.1: the STR-Transform, where the caller says what a token reference stands for.
//
// The package decides nothing about trust: Verify says that a key made a signature over some nodes, and
// whose key that is, and whether those nodes are enough, is for the caller (see soap/wss).
//
// Every quantity that a sender controls has a limit, see Limits. A Document is immutable: it and its Nodes
// may be used by any number of goroutines.
package xmlsec
