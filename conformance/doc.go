// Package conformance judges services of IHE document and image sharing from outside: ITI-43 in depth, and by actor
// Document Registry, Document Repository, On-Demand Document Source and Imaging Document Source (ITI-18, 41, 42, 61,
// RAD-68, 69).
//
// It holds three things. A Consumer is an ordinary XDS Document Consumer, as hospitals already have it: SOAP
// 1.2, WS-Addressing, MTOM, mutual TLS, no signature. A SigningConsumer adds a WS-Security X.509 signature, and
// can be told to break exactly one thing about it. Checks are the requirements as data, each with an id, a
// title, a citation and a function that runs it against a Target; Run runs those of some actors and says of each failure
// what was expected, what came, and who demands it.
//
//	request   Consumer, SigningConsumer ──> POST ──> the service under test
//	answer    HTTP ──> parts ──> envelope (etree) ──> rules ──> "expected ..., got ... (ITI TF-2: ...)"
//	             └──> documents, streamed to the caller's writers, never held
//
// The checks of an actor are scripts: toolkit2's tests, whose steps build on each other. A recipe says what to submit,
// a query what to ask, a want what must come back, and a session carries what was submitted from step to step:
//
//	recipe ──> submission ──> message ──> ITI-42, 41, 61 ──> verdict: status and code
//	query  ─────────────────> message ──> ITI-18 ─────────> want: exactly these objects, with all that was sent of them
//	manifest ──> images ────> message ──> RAD-69 ─────────> DICOM files of what was asked
//
// Every answer is judged by the rules of its transaction besides, whose outcome is reported once for all answers.
//
// The ids are those under which testers know a requirement: five-digit numbers, ids_* and ENG-* are NIST toolkit2's,
// VAL-* its validators, IPF-* those of the Open eHealth Integration Platform, IHEXDS-* Gazelle assertions,
// IHE-WS* the statements of ITI TF-2 Appendix V. Where nobody gave a number, the id is the transaction, or the place in
// the standard, and a word.
//
// The package shares no code with the servers that it judges, and imports nothing of this project: a fault that
// both sides had in common would stay unseen. XML is read by etree and canonicalised by goxmldsig, multipart
// is the standard library's. It is a test instrument and a simple client, not a gateway: documents stream in
// bounded memory, envelopes are held whole.
//
// Not judged yet: asynchronous exchange, gateways between communities, and what only the peer's own log can show.
//
// A Consumer may be used concurrently if its Body function may; a Target belongs to one Run at a time.
package conformance
