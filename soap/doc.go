// Package soap is SOAP 1.2 over HTTP with WS-Addressing 1.0, as the IHE transactions use it: a server that
// dispatches on wsa:Action, and a client.
//
// A message is a small envelope and, in the MTOM packaging, any number of attachments. The envelope is read
// whole, within limits, and parsed once by xmlsec, so that what is verified, decided and logged is the same
// tree. Attachments of an answer are streams and are never held in memory.
//
//	request  --> packaging --> envelope --> wsa:Action --> Operation.Handle
//	             (mtom, xop)   (xmlsec)                         |
//	answer   <-- envelope first, then each attachment  <---- Response
//
// A request and its answer use the same packaging (ITI TF-2: Appendix V.8.1). Everything that can be refused
// is refused with a *Fault before the first byte of the answer; a failure after it aborts the connection, so
// that a peer never takes a torn answer for a whole one.
//
// Not done: SOAP 1.1, intermediaries (role "next" is treated as ours), answers to another address than the
// anonymous one (asynchronous web services), SOAP action headers (ignored, as IHE asks).
//
// WS-Security is the business of soap/wss: it reads a Request, and fills EnvelopeSigner for the Client.
//
// A Server and a Client may be used concurrently.
package soap
