// Package soap is SOAP 1.2 over HTTP with WS-Addressing 1.0, as the IHE transactions use it: a server that
// dispatches on wsa:Action, and a client.
//
// A message is a small envelope and, in the MTOM packaging, any number of attachments. The envelope is read
// whole, within limits, and parsed once by xmlsec, so that what is verified, decided and logged is the same
// tree. Attachments of an answer are streams and are never held in memory, and so are those of a request to an
// operation that asks for it, beyond the first MB; other requests are held whole.
//
//	request  --> packaging --> envelope --> wsa:Action --> Operation.Handle
//	             (mtom, xop)   (xmlsec)                     |  Attachments still arriving
//	answer   <-- envelope first, then each attachment  <---- Response
//
// A request and its answer use the same packaging (ITI TF-2: Appendix V.8.1). Everything that can be refused
// is refused with a *Fault before the first byte of the answer; a failure after it aborts the connection, so
// that a peer never takes a torn answer for a whole one.
//
// An answer goes to where wsa:ReplyTo says, a fault to where wsa:FaultTo says, and both to the connection of the
// request unless Server.Async is set: an address in a message is its sender's wish, and to grant it blindly would
// let strangers have this machine speak to its neighbours. With Async, answers to authenticated senders go to
// addresses that are allowed, as exchanges of their own; faults before authentication stay on the connection.
//
// Everything is bounded: Limits for messages and for all of them together, to several Servers if they share Gates;
// LimitListener for connections, NewHTTPServer for headers and idle ones. What is too much for the moment gets HTTP 503 with Retry-After. Times
// are those of a piece, never of a whole stream; Serve lets streams finish.
//
// SOAP 1.1 is known only to be refused, with a VersionMismatch fault that its clients can read. Not done:
// intermediaries (role "next" is treated as ours), reference parameters, SOAP action headers (ignored, as IHE
// asks), receiving asynchronous answers.
//
// Standards: SOAP 1.2 Parts 1 and 2, WS-Addressing 1.0 Core and SOAP Binding, ITI TF-2: Appendix V, and for
// NodeAuthentication ITI-19 (ITI TF-2: 3.19) with BCP 195.
//
// WS-Security is the business of soap/wss: it reads a Request, and fills EnvelopeSigner for the Client.
//
// A Server and a Client may be used concurrently.
package soap
