// Package mtom reads and writes SOAP messages with attachments: MTOM, which is XOP in multipart/related.
//
// The root part is the envelope, in which an element xop:Include stands for base64 text; each further part
// holds the bytes of one such element:
//
//	Content-Type: multipart/related; boundary="B"; type="application/xop+xml"; start="<root>"; ...
//
//	--B CRLF  headers of the root   CRLF CRLF  envelope
//	CRLF --B CRLF  headers of a part  CRLF CRLF  bytes
//	CRLF --B-- CRLF
//
// Writer writes canonical messages and nothing else; when the size of each part is known, so is the exact
// length of the whole. Reader reads what real peers send, with bounded memory, and holds no part: a part is a
// stream that is read before the next one. A message without its closing boundary is an error, as is a part
// that ends early, so that what is read without an error is whole. A Reader by NewPartsReader reads any other
// multipart/related, at a multiple of the speed of mime/multipart, which goes through 4 KB at a time.
//
// The package knows bytes and headers; what an envelope says is not its concern.
//
// Standards: MTOM 1.0, XOP 1.0, RFC 2387, RFC 2046 section 5.1, ITI TF-2: Appendix V.8 and V.9.3.
// A Reader or Writer belongs to one goroutine at a time.
package mtom
