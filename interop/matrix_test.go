package interop

import (
	"slices"

	"collimate/xmlsec"
	"collimate/xua"
)

// columns are the cells of a row, in this order, in both directions.
var columns = [4]column{
	{"RSA", "plain", "rsa", "rsa-sha256", false},
	{"RSA", "MTOM", "rsa", "rsa-sha256", true},
	{"ECDSA", "plain", "ec", "ecdsa-sha256", false},
	{"ECDSA", "MTOM", "ec", "ecdsa-sha256", true},
}

type column struct {
	family, packaging string // for the reader
	key, algorithm    string
	mtom              bool
}

// outcome is what has to happen in a cell.
type outcome struct {
	verdict verdict
	// subcode and cause are those of the fault with which we refuse; cause is part of what our log says.
	subcode, cause string
	// why stands in the page: the reason of a refusal, or of there being no such message.
	why string
}

type verdict int

const (
	accepted     verdict = iota
	refused              // by us, or in the other direction by the peer
	inapplicable         // there is no such message
)

var (
	yes = outcome{}

	unsignedHeaders = outcome{refused, "FailedCheck", "addressing header", "the stack does not sign the `wsa:` headers unless it is told to: refused by policy, the signature itself is valid"}
	zeepHeaders     = outcome{refused, "FailedCheck", "addressing header", "zeep never signs the `wsa:` headers: refused by policy, the signature itself is valid"}
	notRegistered   = outcome{refused, "UnsupportedSecurityToken", "none are registered", "the message refers to a certificate and does not hold it: it has to be registered"}
	asDER           = outcome{refused, "FailedCheck", "signature", "gSOAP writes ECDSA values in DER where XML Signature has r and s side by side: refused unless the peer's switch is on"}
	sha1            = outcome{refused, "UnsupportedAlgorithm", "", "SHA-1: refused unless the peer's switch is on"}
	noIssuers       = outcome{refused, "UnsupportedSecurityToken", "", "assertions are refused unless an issuer is trusted"}
	digestOfInclude = outcome{refused, "FailedCheck", "digest", "WSS4J digests a token that it has moved into a part as the `xop:Include` that stands for it, and not as the certificate (XOP 1.0, section 3.2): no receiver that resolves includes first can verify it"}
	gsoapEC         = outcome{verdict: refused, why: "gSOAP wants ECDSA values in DER and cannot verify those of the standard"}
	noMTOM          = outcome{verdict: inapplicable, why: "zeep reads MTOM and does not send it"}
	onlyRSA         = outcome{verdict: inapplicable, why: "the row is about RSA with SHA-1"}
	onlyECDSA       = outcome{verdict: inapplicable, why: "the row is about ECDSA"}
)

// all, byKey and plainOnly are rows whose cells have something in common.
func all(o outcome) [4]outcome                { return [4]outcome{o, o, o, o} }
func byKey(rsa, ecdsa outcome) [4]outcome     { return [4]outcome{rsa, rsa, ecdsa, ecdsa} }
func plainOnly(rsa, ecdsa outcome) [4]outcome { return [4]outcome{rsa, noMTOM, ecdsa, noMTOM} }

// row is a kind of message that a peer signs.
type row struct {
	peer string // a key of peers
	form string // what the peer is told, in the words of its program
	text string // the same for the reader
	live bool   // the peer sends the message itself
	// policy is what our side has been told about the peer; see policies.
	policy string
	cells  [4]outcome
	// algorithm replaces that of the column.
	algorithm string
	// tier is what the evidence comes to; the zero value means A.
	tier xua.Tier
}

// toUs is what peers sign and we verify.
var toUs = slices.Concat(
	[]row{
		{peer: "xmlsec1", form: "token", text: "BinarySecurityToken", cells: all(yes)},
		{peer: "xmlsec1", form: "x509-data", text: "X509Data", cells: all(yes)},

		{peer: "xml-crypto", form: "token", text: "BinarySecurityToken", cells: all(yes)},
		{peer: "node-soap", form: "whole", text: "BinarySecurityToken, `additionalReferences` set", live: true, cells: all(yes)},
		{peer: "node-soap", form: "defaults", text: "BinarySecurityToken, its defaults", live: true, cells: all(unsignedHeaders)},
	},
	wss4j("WSS4J 1.6", all(yes)),
	wss4j("WSS4J 4", [4]outcome{yes, digestOfInclude, yes, digestOfInclude}),
	[]row{
		{peer: "WSS4J 2 with OpenSAML", form: "saml-bearer", text: "bearer assertion, nothing else signed: tier C", live: true, cells: all(noIssuers)},
		{peer: "WSS4J 2 with OpenSAML", form: "saml-bearer", text: "bearer assertion, nothing else signed: tier C", live: true, policy: "issuer trusted", tier: xua.TierC, cells: all(yes)},
		{peer: "WSS4J 2 with OpenSAML", form: "saml-holder-timestamp", text: "holder-of-key assertion, Timestamp signed: tier B", live: true, policy: "issuer trusted", tier: xua.TierB, cells: all(yes)},
		{peer: "WSS4J 2 with OpenSAML", form: "saml-holder", text: "holder-of-key assertion, all signed but the assertion: tier B", live: true, policy: "issuer trusted", tier: xua.TierB, cells: all(yes)},
		{peer: "WSS4J 2 with OpenSAML", form: "saml-holder-whole", text: "holder-of-key assertion, all signed and the assertion by STR-Transform: tier A", live: true, policy: "issuer trusted", cells: all(yes)},
		{peer: "WSS4J 2 with OpenSAML", form: "saml-sender-vouches", text: "sender-vouches assertion, all signed: tier A", live: true, policy: "issuer trusted", cells: all(yes)},

		{peer: "gSOAP", form: "whole", text: "BinarySecurityToken, `soap_wsse_set_wsu_id` for the headers", live: true, cells: byKey(yes, asDER)},
		{peer: "gSOAP", form: "whole", text: "BinarySecurityToken, `soap_wsse_set_wsu_id` for the headers", live: true, policy: "DER", cells: byKey(onlyECDSA, yes)},
		{peer: "gSOAP", form: "defaults", text: "BinarySecurityToken, its defaults", live: true, policy: "DER", cells: all(unsignedHeaders)},

		{peer: "zeep", form: "token", text: "BinarySignature", live: true, cells: plainOnly(zeepHeaders, zeepHeaders)},
		{peer: "zeep", form: "x509-data", text: "Signature, with an empty `X509IssuerSerial` beside the certificate", live: true, cells: plainOnly(zeepHeaders, zeepHeaders)},
		{peer: "zeep", form: "token", text: "BinarySignature, its default SHA-1", live: true, algorithm: "rsa-sha1", cells: [4]outcome{sha1, noMTOM, onlyRSA, noMTOM}},
		{peer: "zeep", form: "token", text: "BinarySignature, its default SHA-1", live: true, algorithm: "rsa-sha1", policy: "SHA-1", cells: [4]outcome{zeepHeaders, noMTOM, onlyRSA, noMTOM}},
		{peer: "zeep", form: "whole", text: "Signature, in a class of 20 lines that signs the headers too; the `X509IssuerSerial` stays empty", live: true, cells: plainOnly(yes, yes)},
	},
)

// wss4j is what WSS4J can do; the last of its key references differs between generations.
func wss4j(peer string, strTransform [4]outcome) []row {
	return []row{
		{peer: peer, form: "token", text: "BinarySecurityToken", cells: all(yes)},
		{peer: peer, form: "token", text: "BinarySecurityToken", live: true, cells: all(yes)},
		{peer: peer, form: "x509-identifier", text: "KeyIdentifier X509v3", cells: all(yes)},
		{peer: peer, form: "key-value", text: "KeyValue", cells: all(yes)},
		{peer: peer, form: "issuer-serial", text: "IssuerSerial", cells: all(notRegistered)},
		{peer: peer, form: "issuer-serial", text: "IssuerSerial", policy: "certificate registered", cells: all(yes)},
		{peer: peer, form: "ski", text: "SubjectKeyIdentifier", cells: all(notRegistered)},
		{peer: peer, form: "ski", text: "SubjectKeyIdentifier", policy: "certificate registered", cells: all(yes)},
		{peer: peer, form: "thumbprint", text: "ThumbprintSHA1", cells: all(notRegistered)},
		{peer: peer, form: "thumbprint", text: "ThumbprintSHA1", policy: "certificate registered", cells: all(yes)},
		{peer: peer, form: "str-transform", text: "BinarySecurityToken, signed by STR-Transform", cells: strTransform},
		{peer: peer, form: "token", text: "BinarySecurityToken, SHA-1", algorithm: "rsa-sha1", cells: byKey(sha1, onlyRSA)},
		{peer: peer, form: "token", text: "BinarySecurityToken, SHA-1", algorithm: "rsa-sha1", policy: "SHA-1", cells: byKey(yes, onlyRSA)},
	}
}

// further are algorithms beside those of the columns, each with a peer that has it, sent plain in both directions.
var further = []algorithm{
	{"WSS4J 4", "rsa", xmlsec.PSSSHA256, "RSA PSS, SHA-256"},
	{"WSS4J 4", "rsa", xmlsec.PSSSHA384, "RSA PSS, SHA-384"},
	{"WSS4J 4", "rsa", xmlsec.PSSSHA512, "RSA PSS, SHA-512"},
	{"WSS4J 4", "rsa", xmlsec.RSASHA512, "RSA PKCS#1 v1.5, SHA-512"},
	{"WSS4J 4", "ec384", xmlsec.ECDSASHA384, "ECDSA P-384, SHA-384"},
	{"WSS4J 4", "ed25519", xmlsec.Ed25519, "Ed25519"},
	{"xml-crypto", "rsa", xmlsec.PSSSHA256, "RSA PSS, SHA-256"},
	{"xml-crypto", "rsa", xmlsec.RSASHA512, "RSA PKCS#1 v1.5, SHA-512"},
	{"xmlsec1", "rsa", xmlsec.RSASHA512, "RSA PKCS#1 v1.5, SHA-512"},
	{"xmlsec1", "ec384", xmlsec.ECDSASHA384, "ECDSA P-384, SHA-384"},
}

// algorithm is one that a peer has.
type algorithm struct {
	peer, key string
	uri       string
	text      string // for the reader
}

// fromUs is what we sign and peers verify; form and policy mean nothing here.
var fromUs = []row{
	{peer: "xmlsec1", cells: all(yes)},
	{peer: "xml-crypto", cells: all(yes)},
	{peer: "WSS4J 1.6", cells: all(yes)},
	{peer: "WSS4J 4", cells: all(yes)},
	{peer: "gSOAP", cells: byKey(yes, gsoapEC)},
	{peer: "zeep", cells: all(yes)},
}
