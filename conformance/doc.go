// Package conformance judges an ITI-43 Retrieve Document Set service from outside.
//
// It holds three things. A Consumer is an ordinary XDS Document Consumer, as hospitals already have it: SOAP
// 1.2, WS-Addressing, MTOM, mutual TLS, no signature. A SigningConsumer adds a WS-Security X.509 signature, and
// can be told to break exactly one thing about it. Checks are the requirements as data, each with an id, a
// title, a citation and a function that runs it against a Target; Run runs them all and says of each failure
// what was expected, what came, and who demands it.
//
//	request   Consumer, SigningConsumer ──> POST ──> the service under test
//	answer    HTTP ──> parts ──> envelope (etree) ──> rules ──> "expected ..., got ... (ITI TF-2: ...)"
//	             └──> documents, streamed to the caller's writers, never held
//
// The ids are those under which testers know a requirement: ENG-* and five-digit numbers are NIST toolkit2's,
// VAL-* its validators, IPF-* those of the Open eHealth Integration Platform, IHEXDS-* Gazelle assertions,
// IHE-WS* the statements of ITI TF-2 Appendix V. Where nobody gave a number, the id is the place in the
// standard and a word.
//
// The package shares no code with the servers that it judges, and imports nothing of this project: a fault that
// both sides had in common would stay unseen. XML is read by etree and canonicalised by goxmldsig, multipart
// is the standard library's. It is a test instrument and a simple client, not a gateway: documents stream in
// bounded memory, envelopes are held whole.
//
// Not judged yet: asynchronous exchange, on-demand documents beyond their element rules, and what only the
// peer's own log can show.
//
// A Consumer may be used concurrently if its Body function may; a Target belongs to one Run at a time.
package conformance
