// Package ticket prints the claim ticket of a study as a page for its patient: PDF with real text, PNG at 300 dots an
// inch, and on both a QR code that a wallet reads.
//
// # What the QR code holds
//
// All that gateway.Ticket holds, as a URI in the characters of QR's alphanumeric mode (ISO/IEC 18004 7.3.4):
//
//	COLLIMATE:1:BASE32
//
//	COLLIMATE   scheme, in capitals as these take fewer modules than small letters
//	1           version of what follows
//	BASE32      RFC 4648 section 6 without padding, of
//	            [ chain id: tstr, source: bstr .size 32, salt: bstr .size 32, Study Instance UID: tstr,
//	              claim key: bstr .size 32 ]     deterministic CBOR, RFC 8949 4.2; the key is an Ed25519 seed
//	            followed by the first 4 bytes of SHA-256 of that CBOR
//
// The StudyID, the repositoryUniqueId and the documents follow from these. A usual ticket has 250 to 300 characters: at
// error correction level Q, which is for a quarter of what is read wrongly, 65 modules a side and 0.7 to 1 mm each. The
// same text stands at the foot of the page.
//
// # What the page does not hold
//
// No name, birth date or number of the patient: the page carries a secret, and who finds it must not learn whose. Accession
// number and date of the examination are printed if the centre asks for them, to tell two tickets apart.
//
// # Scripts
//
// The Go fonts have Latin, Greek and Cyrillic. For others, such as Hangul in an institution's name, give a TrueType font;
// without one a Page says which characters it lacks and is not printed. Scripts that run from right to left, or whose
// letters join, are refused, as they would come out wrong.
//
// The same input gives the same bytes. All functions may be called concurrently.
package ticket
