// Package light checks what a node says about the state without trusting the node: a block header that the
// chain's validators signed, and proofs against the state that the header commits to. It is what a patient's
// wallet does; ledger/js does the same in JavaScript. docs/ledger-spec.md specifies it in section 8.
//
//	genesis, or a header trusted before --Trusted--+
//	                                               |  more than 1/3 of the trusted power signed, or the next set
//	Block: header, votes, validators --------------+  more than 2/3 of its own power signed
//	                                               v
//	                                            Trusted: height, time, app hash
//	Bundle: Blocks, then Entries ------------------+  key, value or absence, proof against the app hash
//
// The engine is CometBFT v0.40, of which this package reads what is hashed and signed and nothing else: the
// Merkle tree of RFC 6962 over the fields of a header and over the validators, and the canonical vote, each in
// protobuf (the engine's spec/core/data_structures.md and spec/core/encoding.md). The rules of trust are those
// of its spec/light-client/verification. Only Ed25519 validators exist here.
//
// Blocks and bundles travel in core deterministic CBOR (RFC 8949 section 4.2.1), without a field that nobody
// checks: whoever changes a bit makes something that is refused. Errors are *Error and name a Code; they hold
// nothing of the state.
//
// The package is pure: no network, no clock. Time comes as now. Values are not changed after they are made;
// every function may be called concurrently.
package light
