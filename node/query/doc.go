// Package query signs and verifies what somebody asks a node in person: the owner of a study, for its history.
//
// A query is a COSE_Sign1_Tagged message (RFC 9052 section 4.2) as a transaction is (docs/ledger-spec.md 3.1), with
// another context and another payload, so that neither can be taken for the other:
//
//	external_aad  "collimate/query/v1" 0x00 chain id
//	protected     { 1: algorithm, -65537: SubjectPublicKeyInfo }, and nothing unprotected
//	payload       [ "history", StudyID, Unix seconds ], core deterministic CBOR
//
// Whoever holds a query can ask it again while it is fresh, so it travels over TLS. It changes nothing.
//
// The package is pure; time comes as an argument. All functions may be called concurrently.
package query
