package wss

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"errors"
	"regexp"
	"strings"
	"testing"
	"time"

	"collimate/soap"
	"collimate/xmlsec"
)

// attack changes a message before it is signed by a key that is accepted, or after.
//
// Where the signature is made over the changed message, or does not reach the change, it verifies, and only
// the policy stands in the way. intact says so, and the test makes sure of it: a failing signature would hide
// a missing rule.
type attack struct {
	name    string
	family  string // "": that of the attack before
	before  func(string) string
	after   func(string) string
	ids     []string // what is signed; nil: all parts
	keyInfo string   // "": a direct reference to the BinarySecurityToken
	intact  bool
	subcode string
	cause   error
}

// swap replaces the first old by new. An attack that changes nothing would prove nothing.
func swap(old, new string) func(string) string {
	return func(s string) string {
		if !strings.Contains(s, old) {
			panic("message has no " + old)
		}
		return strings.Replace(s, old, new, 1)
	}
}

func chain(steps ...func(string) string) func(string) string {
	return func(s string) string {
		for _, step := range steps {
			s = step(s)
		}
		return s
	}
}

// element returns the first element that begins with open, up to its end tag.
func element(s, open, end string) string {
	i := strings.Index(s, open)
	j := strings.Index(s[i:], end)
	return s[i : i+j+len(end)]
}

func body(s string) string { return element(s, "<soap:Body", "</soap:Body>") }

// evil is the Body as the attacker would have it, under another Id.
func evil(s string) string {
	return strings.NewReplacer(`wsu:Id="body"`, `wsu:Id="evil"`, "2.25.2", "2.25.666").Replace(body(s))
}

// wrap leaves the signed Body somewhere and puts the evil one in its place.
func wrap(at string, place func(original string) string) func(string) string {
	return func(s string) string {
		original, forged := body(s), evil(s)
		s = strings.Replace(s, original, forged, 1)
		return swap(at, place(original))(s)
	}
}

const (
	endHeader   = "</soap:Header>"
	endSecurity = "</wsse:Security>"
	actionBlock = `<wsa:Action soap:mustUnderstand="true" wsu:Id="action">` + testAction + `</wsa:Action>`
	created     = "<wsu:Created>2026-11-21T08:00:00.000Z</wsu:Created>"
	expires     = "<wsu:Expires>2026-11-21T08:05:00.000Z</wsu:Expires>"
	tokenOpen   = `<wsse:BinarySecurityToken EncodingType="` + encodingBase64 + `" ValueType="` + valueTypeX509v3 + `"`
	tokenBlock  = tokenOpen + ` wsu:Id="x509">CERTIFICATE</wsse:BinarySecurityToken>`
)

func without(ids ...string) []string {
	var left []string
	for _, id := range allParts {
		if !strings.Contains(" "+strings.Join(ids, " ")+" ", " "+id+" ") {
			left = append(left, id)
		}
	}
	return left
}

func str(content string) string {
	return `<wsse:SecurityTokenReference>` + content + `</wsse:SecurityTokenReference>`
}

func keyIdentifier(valueType string) string {
	return str(`<wsse:KeyIdentifier EncodingType="` + encodingBase64 + `" ValueType="` + valueType + `">CERTIFICATE</wsse:KeyIdentifier>`)
}

func keyIdentifierOf(valueType string, id []byte) string {
	return strings.Replace(keyIdentifier(valueType), "CERTIFICATE", base64.StdEncoding.EncodeToString(id), 1)
}

func x509Data(content string) string {
	return `<ds:X509Data>` + content + `</ds:X509Data>`
}

func attacks(signer, other identity) []attack {
	noToken := swap(tokenBlock, "")
	stranger := strings.NewReplacer("CERTIFICATE", other.base64(), `wsu:Id="x509"`, `wsu:Id="other"`).Replace(tokenBlock)
	removeReference := func(id string) func(string) string {
		return func(s string) string {
			return regexp.MustCompile(`<ds:Reference URI="#`+id+`">.*?</ds:Reference>`).ReplaceAllString(s, "")
		}
	}
	list := []attack{
		// Signature wrapping: the signed Body is still there, and another one is where it would be read.
		{family: "signature wrapping", name: "original Body in a header block", after: wrap(endHeader, func(b string) string { return "<w:W xmlns:w='urn:w'>" + b + "</w:W>" + endHeader }), subcode: invalidSecurity},
		{name: "original Body as a header block", after: wrap(endHeader, func(b string) string { return b + endHeader }), intact: true, subcode: failedCheck, cause: ErrNotSigned},
		{name: "original Body in wsse:Security", after: wrap(endSecurity, func(b string) string { return b + endSecurity }), subcode: invalidSecurity},
		{name: "original Body in an extension in wsse:Security", after: wrap(endSecurity, func(b string) string { return "<x:E xmlns:x='urn:x'>" + b + "</x:E>" + endSecurity }), subcode: invalidSecurity},
		{name: "original Body in ds:Object", after: wrap("</ds:Signature>", func(b string) string { return "<ds:Object>" + b + "</ds:Object></ds:Signature>" }), subcode: invalidSecurity},
		{name: "original Body in ds:KeyInfo", after: wrap("</ds:KeyInfo>", func(b string) string { return b + "</ds:KeyInfo>" }), subcode: invalidSecurity},
		{name: "original Body in wsa:ReplyTo", after: wrap("<wsa:Address>", func(b string) string { return b + "<wsa:Address>" }), subcode: invalidSecurity},
		{name: "original Body after the evil one", after: wrap("</soap:Envelope>", func(b string) string { return b + "</soap:Envelope>" }), subcode: invalidSecurity},
		{name: "original Body before the evil one", after: func(s string) string { return swap("</soap:Envelope>", evil(s)+"</soap:Envelope>")(s) }, subcode: invalidSecurity},
		{name: "original Body in the evil one", after: wrap("</soap:Body>", func(b string) string { return b + "</soap:Body>" }), subcode: invalidSecurity},
		{name: "original Body in a second Header", after: wrap("<soap:Header>", func(b string) string { return "<soap:Header>" + b + "</soap:Header><soap:Header>" }), subcode: invalidSecurity},
		{name: "original Body after the Envelope children", after: wrap("</soap:Envelope>", func(b string) string { return "<soap:Tail>" + b + "</soap:Tail></soap:Envelope>" }), subcode: invalidSecurity},
		{name: "evil Body without an Id", after: wrap(endHeader, func(b string) string { return "<soap:Fake>" + b + "</soap:Fake>" + endHeader }), subcode: invalidSecurity},

		// Ids that mean two things.
		{family: "duplicate Id", name: "same wsu:Id twice", after: swap(endHeader, `<x:H xmlns:x="urn:x" wsu:Id="body"/>`+endHeader), subcode: invalidSecurity, cause: xmlsec.ErrReference},
		{name: "same Id as xml:id", after: swap(endHeader, `<x:H xmlns:x="urn:x" xml:id="body"/>`+endHeader), subcode: invalidSecurity, cause: xmlsec.ErrReference},
		{name: "same Id as ID", after: swap(endHeader, `<x:H xmlns:x="urn:x" ID="body"/>`+endHeader), subcode: invalidSecurity, cause: xmlsec.ErrReference},
		{name: "same Id as Id", after: swap(endHeader, `<x:H xmlns:x="urn:x" Id="body"/>`+endHeader), subcode: invalidSecurity, cause: xmlsec.ErrReference},

		// Parts that are not signed, each with a signature that is right.
		{family: "unsigned part", name: "Body not signed", ids: without("body"), intact: true, subcode: failedCheck, cause: ErrNotSigned},
		{name: "Timestamp not signed", ids: without("ts"), intact: true, subcode: failedCheck, cause: ErrNotSigned},
		{name: "Action not signed", ids: without("action"), intact: true, subcode: failedCheck, cause: ErrNotSigned},
		{name: "MessageID not signed", ids: without("mid"), intact: true, subcode: failedCheck, cause: ErrNotSigned},
		{name: "To not signed", ids: without("to"), intact: true, subcode: failedCheck, cause: ErrNotSigned},
		{name: "ReplyTo not signed", ids: without("replyto"), intact: true, subcode: failedCheck, cause: ErrNotSigned},
		{name: "Address of ReplyTo signed, not ReplyTo", before: swap(`wsu:Id="replyto"><wsa:Address>`, `><wsa:Address wsu:Id="replyto">`), intact: true, subcode: invalidSecurity},
		{name: "payload signed, not the Body", before: chain(swap(` wsu:Id="body"`, ""), swap(`<xdsb:RetrieveDocumentSetRequest `, `<xdsb:RetrieveDocumentSetRequest wsu:Id="body" `)), intact: true, subcode: invalidSecurity},
		{name: "whole Envelope signed", before: chain(swap(` wsu:Id="body"`, ""), swap(`<soap:Envelope `, `<soap:Envelope wsu:Id="body" `)), ids: []string{"body"}, subcode: invalidSecurity},
		{name: "whole Header signed", before: swap(`<soap:Header>`, `<soap:Header wsu:Id="header">`), ids: []string{"header", "body"}, subcode: invalidSecurity},
		{name: "unsigned wsa:FaultTo", after: swap(endHeader, `<wsa:FaultTo><wsa:Address>http://evil.example/</wsa:Address></wsa:FaultTo>`+endHeader), intact: true, subcode: failedCheck, cause: ErrNotSigned},
		{name: "unsigned wsa:From", after: swap(endHeader, `<wsa:From><wsa:Address>http://evil.example/</wsa:Address></wsa:From>`+endHeader), intact: true, subcode: failedCheck, cause: ErrNotSigned},
		{name: "unsigned wsa:RelatesTo", after: swap(endHeader, `<wsa:RelatesTo>urn:uuid:1</wsa:RelatesTo>`+endHeader), intact: true, subcode: failedCheck, cause: ErrNotSigned},
		{name: "unsigned mustUnderstand header", after: swap(endHeader, `<x:H xmlns:x="urn:x" soap:mustUnderstand="1"/>`+endHeader), intact: true, subcode: failedCheck, cause: ErrNotSigned},
		{name: "unsigned mustUnderstand header with white space", after: swap(endHeader, `<x:H xmlns:x="urn:x" soap:mustUnderstand=" true "/>`+endHeader), intact: true, subcode: failedCheck, cause: ErrNotSigned},
		{name: "unsigned mustUnderstand header, spelled wrongly", after: swap(endHeader, `<x:H xmlns:x="urn:x" soap:mustUnderstand="TRUE"/>`+endHeader), intact: true, subcode: failedCheck, cause: ErrNotSigned},
		{name: "unsigned mustUnderstand header for another role", after: swap(endHeader, `<x:H xmlns:x="urn:x" soap:role="urn:other" soap:mustUnderstand="1"/>`+endHeader), intact: true, subcode: failedCheck, cause: ErrNotSigned},

		// Headers twice, missing, or not what they seem.
		{family: "unsigned part", name: "second Action, unsigned, first", after: swap("<soap:Header>", `<soap:Header><wsa:Action>urn:evil</wsa:Action>`), intact: true, subcode: failedCheck, cause: ErrNotSigned},
		{name: "second Action, signed", before: swap(actionBlock, actionBlock+`<wsa:Action wsu:Id="action2">urn:evil</wsa:Action>`), ids: append(without(), "action2"), intact: true, subcode: invalidSecurity},
		{name: "second MessageID, signed", before: swap(`<wsa:ReplyTo`, `<wsa:MessageID wsu:Id="mid2">urn:uuid:2</wsa:MessageID><wsa:ReplyTo`), ids: append(without(), "mid2"), intact: true, subcode: invalidSecurity},
		{name: "second To, signed", before: swap(`<wsa:ReplyTo`, `<wsa:To wsu:Id="to2">urn:evil</wsa:To><wsa:ReplyTo`), ids: append(without(), "to2"), intact: true, subcode: invalidSecurity},
		{name: "Action replaced, original in a wrapper", after: swap(actionBlock, `<wsa:Action>urn:evil</wsa:Action><x:w xmlns:x="urn:x">`+actionBlock+`</x:w>`), subcode: invalidSecurity},
		{name: "no Action", before: swap(actionBlock, ""), ids: without("action"), intact: true, subcode: failedCheck, cause: ErrNotSigned},
		{name: "no MessageID", before: func(s string) string {
			return strings.Replace(s, element(s, "<wsa:MessageID", "</wsa:MessageID>"), "", 1)
		}, ids: without("mid"), intact: true, subcode: failedCheck, cause: ErrNotSigned},
		{name: "blank MessageID", before: swap("urn:uuid:11111111-2222-3333-4444-555555555555", " \n "), intact: true, subcode: failedCheck, cause: ErrNotSigned},
		{name: "endless MessageID", before: swap("urn:uuid:", "urn:uuid:"+strings.Repeat("1", maxMessageID)), intact: true, subcode: invalidSecurity},
		{name: "no To where one is required", before: func(s string) string { return strings.Replace(s, element(s, "<wsa:To", "</wsa:To>"), "", 1) }, ids: without("to"), intact: true, subcode: failedCheck, cause: ErrNotSigned},
		{name: "element in Action", before: swap(testAction, testAction+"<x/>"), intact: true, subcode: invalidSecurity},
		{name: "signed for another endpoint", before: swap(testTo, "https://west.example/xds/iti43"), intact: true, subcode: failedAuthentication, cause: ErrDestination},
		{name: "signed for an endpoint with a like name", before: swap(testTo, testTo+"/"), intact: true, subcode: failedAuthentication, cause: ErrDestination},
		{name: "Body of two children", before: swap("</soap:Body>", "<x/></soap:Body>"), intact: true, subcode: invalidSecurity},
		{name: "Body without children", before: func(s string) string {
			return strings.Replace(s, element(s, "<xdsb:Retrieve", "</xdsb:RetrieveDocumentSetRequest>"), "", 1)
		}, intact: true, subcode: invalidSecurity},
		{name: "SOAP 1.1", before: func(s string) string { return strings.ReplaceAll(s, soap.NSEnvelope, soap.NSEnvelope11) }, intact: true, subcode: invalidSecurity},

		// The Security header.
		{family: "role games", name: "no Security header", before: swap("<wsse:Security ", "<wsse:Insecurity "), after: nil, subcode: invalidSecurity, cause: ErrNoSecurity},
		{name: "second Security header", after: swap("<wsse:Security ", "<wsse:Security/><wsse:Security "), intact: true, subcode: invalidSecurity},
		{name: "second Security header for another role", after: swap("<wsse:Security ", `<wsse:Security soap:role="urn:other"/><wsse:Security `), intact: true, subcode: invalidSecurity},
		{name: "Security header for another role", before: swap("<wsse:Security ", `<wsse:Security soap:role="urn:other" `), intact: true, subcode: invalidSecurity},
		{name: "Security header for nobody", before: swap("<wsse:Security ", `<wsse:Security soap:role="`+soap.NSEnvelope+`/role/none" `), intact: true, subcode: invalidSecurity},
		{name: "unknown element in Security", after: swap(endSecurity, `<x:E xmlns:x="urn:x"/>`+endSecurity), intact: true, subcode: invalidSecurity},
		{name: "SAML assertion in Security", after: swap(endSecurity, `<saml:Assertion xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion"/>`+endSecurity), intact: true, subcode: unsupportedToken},
		{name: "UsernameToken in Security", after: swap(endSecurity, `<wsse:UsernameToken/>`+endSecurity), intact: true, subcode: unsupportedToken},
		{name: "two Signatures", after: func(s string) string {
			return swap("</ds:Signature>", "</ds:Signature>"+element(s, "<ds:Signature ", "</ds:Signature>"))(s)
		}, intact: true, subcode: invalidSecurity},
		{name: "no Signature", after: func(s string) string {
			return strings.Replace(s, element(s, "<ds:Signature ", "</ds:Signature>"), "", 1)
		}, subcode: invalidSecurity, cause: ErrNotSigned},
		{name: "reference removed", after: removeReference("body"), subcode: failedCheck, cause: xmlsec.ErrSignature},
		{name: "reference bomb", after: swap("</ds:SignedInfo>", strings.Repeat(`<ds:Reference URI="#body"/>`, 10000)+"</ds:SignedInfo>"), subcode: invalidSecurity},
		{name: "Body changed", after: swap("2.25.2", "2.25.3"), subcode: failedCheck, cause: xmlsec.ErrDigest},
		{name: "namespace rebound in the Body", after: swap("<xdsb:DocumentRequest>", `<xdsb:DocumentRequest xmlns:xdsb="urn:evil">`), subcode: failedCheck, cause: xmlsec.ErrDigest},
		{name: "addressing prefix rebound on the Envelope", after: swap(soap.NSAddressing, "http://schemas.xmlsoap.org/ws/2004/08/addressing"), subcode: failedCheck, cause: xmlsec.ErrDigest},
		{name: "SHA-1 signature", after: swap(xmlsec.ECDSASHA256, "http://www.w3.org/2000/09/xmldsig#rsa-sha1"), subcode: unsupportedAlgorithm},
		{name: "HMAC with the public key", after: swap(xmlsec.ECDSASHA256, "http://www.w3.org/2001/04/xmldsig-more#hmac-sha256"), subcode: unsupportedAlgorithm},
		{name: "RSA algorithm on an ECDSA key", after: swap(xmlsec.ECDSASHA256, xmlsec.RSASHA256), subcode: unsupportedAlgorithm},
		{name: "SHA-1 digest", after: swap(xmlsec.SHA256, "http://www.w3.org/2000/09/xmldsig#sha1"), subcode: unsupportedAlgorithm},
		{name: "empty SignatureValue", after: func(s string) string {
			return regexp.MustCompile(`<ds:SignatureValue>[^<]*`).ReplaceAllString(s, "<ds:SignatureValue>")
		}, subcode: failedCheck, cause: xmlsec.ErrSignature},

		// Time.
		{family: "timestamp games", name: "no Timestamp", before: func(s string) string {
			return strings.Replace(s, element(s, "<wsu:Timestamp", "</wsu:Timestamp>"), "", 1)
		}, ids: without("ts"), intact: true, subcode: invalidSecurity},
		{name: "two Timestamps, both signed", before: func(s string) string {
			ts := element(s, "<wsu:Timestamp", "</wsu:Timestamp>")
			return strings.Replace(s, ts, ts+strings.Replace(ts, `"ts"`, `"ts2"`, 1), 1)
		}, ids: append(without(), "ts2"), intact: true, subcode: invalidSecurity},
		{name: "fresh Timestamp unsigned, old one in a wrapper", after: func(s string) string {
			ts := element(s, "<wsu:Timestamp", "</wsu:Timestamp>")
			return swap(ts, strings.Replace(ts, `"ts"`, `"ts2"`, 1)+"<x:w xmlns:x='urn:x'>"+ts+"</x:w>")(s)
		}, subcode: invalidSecurity},
		{name: "two Created", before: swap(created, created+created), intact: true, subcode: invalidSecurity},
		{name: "two Expires", before: swap(expires, expires+expires), intact: true, subcode: invalidSecurity},
		{name: "no Created", before: swap(created, ""), intact: true, subcode: invalidSecurity},
		{name: "no Expires", before: swap(expires, ""), intact: true, subcode: invalidSecurity},
		{name: "unknown element in Timestamp", before: swap(expires, expires+"<x/>"), intact: true, subcode: invalidSecurity},
		{name: "Created is no time", before: swap("2026-11-21T08:00:00.000Z", "now"), intact: true, subcode: invalidSecurity},
		{name: "Created without a time zone", before: swap("2026-11-21T08:00:00.000Z", "2026-11-21T08:00:00"), intact: true, subcode: invalidSecurity},
		{name: "Created of great length", before: swap("2026-11-21T08:00:00.000Z", "2026-11-21T08:00:00."+strings.Repeat("0", maxInstant)+"Z"), intact: true, subcode: invalidSecurity},
		{name: "expires before it is created", before: swap("2026-11-21T08:05:00.000Z", "2026-11-21T07:59:59.999Z"), intact: true, subcode: invalidSecurity},
		{name: "expired", before: chain(swap("T08:00:00.000Z", "T07:00:00.000Z"), swap("T08:05:00.000Z", "T07:05:00.000Z")), intact: true, subcode: messageExpired, cause: ErrExpired},
		{name: "from the future", before: chain(swap("T08:00:00.000Z", "T09:00:00.000Z"), swap("T08:05:00.000Z", "T09:05:00.000Z")), intact: true, subcode: messageExpired, cause: ErrExpired},
		{name: "valid for a year, and old", before: chain(swap("T08:00:00.000Z", "T07:00:00.000Z"), swap("2026-11-21T08:05", "2027-11-21T08:05")), intact: true, subcode: messageExpired, cause: ErrExpired},

		// Tokens and references to them.
		{family: "token injection", name: "extra token that nothing refers to", after: swap(tokenOpen, stranger+tokenOpen), intact: true, subcode: invalidSecurity},
		{name: "extra token, signed", before: swap(tokenOpen, stranger+tokenOpen), ids: append(without(), "other"), intact: true, subcode: invalidSecurity},
		{name: "token beside X509Data", keyInfo: x509Data("<ds:X509Certificate>CERTIFICATE</ds:X509Certificate>"), intact: true, subcode: invalidSecurity},
		{name: "token beside a KeyIdentifier", keyInfo: keyIdentifier(valueTypeX509v3), intact: true, subcode: invalidSecurity},
		{name: "token of another signer", after: swap(signer.base64(), other.base64()), subcode: failedCheck, cause: xmlsec.ErrSignature},
		{name: "token outside Security", before: chain(swap(tokenBlock, ""), swap(endHeader, tokenBlock+endHeader)), intact: true, subcode: tokenUnavailable},
		{name: "reference to something else", keyInfo: str(`<wsse:Reference URI="#body"/>`), intact: true, subcode: tokenUnavailable},
		{name: "reference to nothing", keyInfo: str(`<wsse:Reference URI="#nobody"/>`), intact: true, subcode: tokenUnavailable},
		{name: "reference outside the message", keyInfo: str(`<wsse:Reference URI="http://evil.example/cert"/>`), intact: true, subcode: tokenUnavailable},
		{name: "reference without URI", keyInfo: str(`<wsse:Reference/>`), intact: true, subcode: tokenUnavailable},
		{name: "reference to another type of token", keyInfo: str(`<wsse:Reference URI="#x509" ValueType="urn:other"/>`), intact: true, subcode: unsupportedToken},
		{name: "token of another type", before: swap("#X509v3", "#X509PKIPathv1"), intact: true, subcode: unsupportedToken},
		{name: "token of no type", before: swap(` ValueType="`+valueTypeX509v3+`"`, ""), intact: true, subcode: unsupportedToken},
		{name: "token in another encoding", before: swap("#Base64Binary", "#HexBinary"), intact: true, subcode: unsupportedToken},
		{name: "token is not base64", before: swap("CERTIFICATE", "*"), intact: true, subcode: invalidToken},
		{name: "token is no certificate", before: swap("CERTIFICATE", "AAAA"), intact: true, subcode: invalidToken},
		{name: "token of great length", before: swap("CERTIFICATE", strings.Repeat("A", maxCertificateText+4)), intact: true, subcode: invalidToken},
		{name: "element in the token", before: swap("CERTIFICATE", "CERTIFICATE<x/>"), intact: true, subcode: invalidToken},
		{name: "certificate with bytes after it", before: swap("CERTIFICATE", base64.StdEncoding.EncodeToString(append(append([]byte{}, signer.cert.Raw...), 0))), intact: true, subcode: invalidToken},
		{name: "empty KeyInfo", keyInfo: " ", intact: true, subcode: invalidSecurity},
		{name: "KeyInfo with two references", keyInfo: directKeyInfo + directKeyInfo, intact: true, subcode: invalidSecurity},
		{name: "KeyInfo with an empty KeyValue", keyInfo: "<ds:KeyValue/>", intact: true, subcode: invalidToken},
		{name: "KeyInfo with a DSA KeyValue", keyInfo: "<ds:KeyValue><ds:DSAKeyValue/></ds:KeyValue>", intact: true, subcode: unsupportedToken},
		{name: "KeyInfo with a KeyName", keyInfo: "<ds:KeyName>admin</ds:KeyName>", intact: true, subcode: unsupportedToken},
		{name: "KeyInfo with a RetrievalMethod", keyInfo: `<ds:RetrievalMethod URI="http://evil.example/"/>`, intact: true, subcode: unsupportedToken},
		{name: "token beside an embedded one", keyInfo: str("<wsse:Embedded>" + strings.Replace(tokenBlock, `"x509"`, `"inner"`, 1) + "</wsse:Embedded>"), intact: true, subcode: invalidSecurity},
		{name: "embedded SecurityTokenReference", keyInfo: str("<wsse:Embedded>" + directKeyInfo + "</wsse:Embedded>"), intact: true, subcode: unsupportedToken},
		{name: "empty SecurityTokenReference", keyInfo: str(""), intact: true, subcode: invalidSecurity},
		{name: "SecurityTokenReference in another", keyInfo: str(directKeyInfo), intact: true, subcode: unsupportedToken},
		{name: "subject key identifier, nothing registered", keyInfo: keyIdentifierOf(valueTypeSKI, []byte("12345678901234567890")), before: noToken, ids: without("x509"), intact: true, subcode: unsupportedToken},
		{name: "thumbprint, nothing registered", keyInfo: keyIdentifierOf(valueTypeThumbprint, []byte("12345678901234567890")), before: noToken, ids: without("x509"), intact: true, subcode: unsupportedToken},
		{name: "thumbprint of great length", keyInfo: keyIdentifier(valueTypeThumbprint), before: noToken, ids: without("x509"), intact: true, subcode: invalidSecurity},
		{name: "empty X509IssuerSerial", keyInfo: str(x509Data("<ds:X509IssuerSerial/>")), before: noToken, ids: without("x509"), intact: true, subcode: invalidSecurity},
		{name: "empty X509IssuerSerial and another's key identifier", keyInfo: x509Data("<ds:X509IssuerSerial/><ds:X509Certificate>CERTIFICATE</ds:X509Certificate><ds:X509SKI>AAAA</ds:X509SKI>"), before: noToken, ids: without("x509"), intact: true, subcode: invalidToken},
		{name: "two empty X509IssuerSerial beside a certificate", keyInfo: x509Data("<ds:X509IssuerSerial/><ds:X509Certificate>CERTIFICATE</ds:X509Certificate><ds:X509IssuerSerial/>"), before: noToken, ids: without("x509"), intact: true, subcode: invalidSecurity},
		{name: "X509IssuerSerial of text beside a certificate", keyInfo: x509Data("<ds:X509IssuerSerial>CN=x</ds:X509IssuerSerial><ds:X509Certificate>CERTIFICATE</ds:X509Certificate>"), before: noToken, ids: without("x509"), intact: true, subcode: invalidSecurity},
		{name: "X509IssuerSerial of empty children beside a certificate", keyInfo: x509Data("<ds:X509IssuerSerial><ds:X509IssuerName/><ds:X509SerialNumber/></ds:X509IssuerSerial><ds:X509Certificate>CERTIFICATE</ds:X509Certificate>"), before: noToken, ids: without("x509"), intact: true, subcode: invalidSecurity},
		{name: "X509IssuerSerial of an unknown child beside a certificate", keyInfo: x509Data("<ds:X509IssuerSerial><x/></ds:X509IssuerSerial><ds:X509Certificate>CERTIFICATE</ds:X509Certificate>"), before: noToken, ids: without("x509"), intact: true, subcode: invalidSecurity},
		{name: "no KeyInfo", after: swap("<ds:KeyInfo>"+directKeyInfo+"</ds:KeyInfo>", ""), intact: true, subcode: invalidSecurity},
		{name: "negative serial number", keyInfo: str(x509Data("<ds:X509IssuerSerial><ds:X509IssuerName>CN=x</ds:X509IssuerName><ds:X509SerialNumber>-1</ds:X509SerialNumber></ds:X509IssuerSerial>")), before: noToken, ids: without("x509"), intact: true, subcode: invalidSecurity},
		{name: "X509Data that contradicts its certificate", keyInfo: x509Data("<ds:X509Certificate>CERTIFICATE</ds:X509Certificate><ds:X509SKI>AAAA</ds:X509SKI>"), before: noToken, ids: without("x509"), intact: true, subcode: invalidToken},
		{name: "X509Data of a subject name", keyInfo: x509Data("<ds:X509SubjectName>CN=South Hospital</ds:X509SubjectName>"), before: noToken, ids: without("x509"), intact: true, subcode: unsupportedToken},
		{name: "empty X509Data", keyInfo: x509Data(""), before: noToken, ids: without("x509"), intact: true, subcode: invalidSecurity},
		{name: "reference beside the signature that it does not use", before: swap(placeOfSig, str(`<wsse:Reference URI="#x509"/>`)+placeOfSig), intact: true, subcode: invalidSecurity},
		{name: "two certificates in X509Data", keyInfo: str(x509Data(strings.Repeat("<ds:X509Certificate>CERTIFICATE</ds:X509Certificate>", 2))), before: noToken, ids: without("x509"), intact: true, subcode: invalidSecurity},
	}
	for i := range list {
		if list[i].family == "" {
			list[i].family = list[i-1].family
		}
	}
	return list
}

func TestAttacks(t *testing.T) {
	signer, other := newIdentity(t, "p256", nil), newIdentity(t, "p256", nil)
	if _, err := authenticate(t, newTestVerifier(t, nil), signer.sign(t, template, directKeyInfo, allParts...)); err != nil {
		t.Fatalf("the message that the attacks begin from is refused: %v", err)
	}
	for _, a := range attacks(signer, other) {
		t.Run(a.name, func(t *testing.T) {
			message := a.message(t, signer)
			_, err := authenticate(t, newTestVerifier(t, nil), message)
			wantFault(t, err, a.subcode, a.cause)
			if a.intact {
				checkIntact(t, message, signer)
				if errors.Is(err, xmlsec.ErrSignature) || errors.Is(err, xmlsec.ErrDigest) {
					t.Errorf("refused for its signature: %v", err)
				}
			}
		})
	}
}

// message is what the attacker sends.
func (a attack) message(t testing.TB, signer identity) string {
	t.Helper()
	message := template
	if a.before != nil {
		message = a.before(message)
	}
	ids, keyInfo := a.ids, a.keyInfo
	if ids == nil {
		ids = allParts
	}
	if keyInfo == "" {
		keyInfo = directKeyInfo
	}
	if strings.Contains(message, "<wsse:Insecurity ") {
		message = strings.ReplaceAll(message, endSecurity, "</wsse:Insecurity>")
	}
	if !strings.Contains(message, "2.25.2") && !strings.Contains(a.name, "without children") {
		t.Fatal("the message lost its payload")
	}
	message = signer.sign(t, message, keyInfo, present(message, ids)...)
	if a.after != nil {
		message = a.after(message)
	}
	return message
}

// present leaves out the Ids that the attack removed together with their elements.
func present(message string, ids []string) []string {
	var left []string
	for _, id := range ids {
		if strings.Contains(message, `Id="`+id+`"`) {
			left = append(left, id)
		}
	}
	return left
}

// checkIntact makes sure that the (first) signature of a message verifies.
func checkIntact(t *testing.T, message string, signer identity) {
	t.Helper()
	d, err := xmlsec.Parse([]byte(message), xmlsec.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	for n := range d.Walk() {
		if !n.Is(xmlsec.NamespaceDSig, "Signature") {
			continue
		}
		s, err := xmlsec.ParseSignature(n, xmlsec.Algorithms{})
		if err != nil {
			t.Fatalf("the signature is not intact: %v", err)
		}
		if _, err := s.Verify(signer.key.Public()); err != nil {
			t.Fatalf("the signature is not intact: %v", err)
		}
		return
	}
	t.Fatal("no signature")
}

// TestCertificates signs with keys and certificates that are not acceptable, each correctly.
func TestCertificates(t *testing.T) {
	for _, c := range []struct {
		name, kind string
		change     func(*x509.Certificate)
		subcode    string // "": accepted
	}{
		{"RSA", "rsa", nil, ""},
		{"P-256", "p256", nil, ""},
		{"P-384", "p384", nil, ""},
		{"Ed25519", "ed25519", nil, ""},
		{"no key usage", "p256", func(c *x509.Certificate) { c.KeyUsage = 0 }, ""},
		{"content commitment", "p256", func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageContentCommitment }, ""},
		{"only key agreement", "p256", func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageKeyAgreement }, invalidToken},
		{"unknown critical extension", "p256", func(c *x509.Certificate) {
			c.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 25, 1}, Critical: true, Value: []byte{5, 0}}}
		}, invalidToken},
		{"expired a second ago", "p256", func(c *x509.Certificate) { c.NotAfter = testNow.Add(-time.Second) }, invalidToken},
		{"expires now", "p256", func(c *x509.Certificate) { c.NotAfter = testNow }, ""},
		{"valid from now", "p256", func(c *x509.Certificate) { c.NotBefore = testNow }, ""},
		{"valid in a second", "p256", func(c *x509.Certificate) { c.NotBefore = testNow.Add(time.Second) }, invalidToken},
	} {
		t.Run(c.name, func(t *testing.T) {
			signer := newIdentity(t, c.kind, c.change)
			caller, err := authenticate(t, newTestVerifier(t, nil), signer.sign(t, template, directKeyInfo, allParts...))
			if c.subcode != "" {
				wantFault(t, err, c.subcode, nil)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if caller.Key.ID != signer.id(t) {
				t.Errorf("got caller %v, want %v", caller.Key, signer.id(t))
			}
		})
	}
	t.Run("P-521", func(t *testing.T) {
		// No signature can be made with it here; the certificate alone is refused.
		signer, curve := newIdentity(t, "p256", nil), newIdentity(t, "p521", nil)
		message := signer.sign(t, strings.ReplaceAll(template, "CERTIFICATE", curve.base64()), directKeyInfo, allParts...)
		_, err := authenticate(t, newTestVerifier(t, nil), message)
		wantFault(t, err, invalidToken, nil)
	})
}
