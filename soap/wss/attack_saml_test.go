package wss

import (
	"crypto/rand"
	"crypto/sha1"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"math/big"
	"strings"
	"testing"

	"collimate/saml"
	"collimate/xmlsec"
)

const (
	testIssuer   = "urn:test:issuer"
	testAudience = "urn:test:affinity"
)

func testValidator(t testing.TB, issuer identity) *saml.Validator {
	t.Helper()
	v, err := saml.NewValidator(saml.Config{
		Issuers:   []saml.Issuer{{Name: testIssuer, Certificates: []*x509.Certificate{issuer.cert}}},
		Audiences: []string{testAudience},
		Now:       testClock,
	})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

const placeOfAssertionSig = "<!--assertion signature-->"

// assertionTemplate is an assertion without a signature, confirmed by method; the holder is south.
func (c cast) assertionTemplate(method saml.Method) string {
	data := ""
	if method == saml.HolderOfKey {
		data = `<saml:SubjectConfirmationData><ds:KeyInfo xmlns:ds="` + xmlsec.NamespaceDSig + `"><ds:X509Data><ds:X509Certificate>` +
			c.south.base64() + `</ds:X509Certificate></ds:X509Data></ds:KeyInfo></saml:SubjectConfirmationData>`
	}
	return `<saml:Assertion xmlns:saml="` + namespaceSAML2 + `" ID="assertion" Version="2.0" IssueInstant="2026-11-21T08:00:00Z">` +
		`<saml:Issuer>` + testIssuer + `</saml:Issuer>` + placeOfAssertionSig +
		`<saml:Subject><saml:NameID>andrews</saml:NameID><saml:SubjectConfirmation Method="` + string(method) + `">` + data + `</saml:SubjectConfirmation></saml:Subject>` +
		`<saml:Conditions NotBefore="2026-11-21T08:00:00Z" NotOnOrAfter="2026-11-21T08:10:00Z">` +
		`<saml:AudienceRestriction><saml:Audience>` + testAudience + `</saml:Audience></saml:AudienceRestriction></saml:Conditions>` +
		`<saml:AuthnStatement AuthnInstant="2026-11-21T07:59:00Z"><saml:AuthnContext><saml:AuthnContextClassRef>` +
		`urn:oasis:names:tc:SAML:2.0:ac:classes:X509</saml:AuthnContextClassRef></saml:AuthnContext></saml:AuthnStatement></saml:Assertion>`
}

// assertion is one by the issuer; change may alter it before it is signed.
func (c cast) assertion(t testing.TB, method saml.Method, change func(string) string) string {
	t.Helper()
	a := c.assertionTemplate(method)
	if change != nil {
		a = change(a)
	}
	return signAssertion(t, a, c.issuer)
}

func signAssertion(t testing.TB, a string, issuer identity) string {
	t.Helper()
	d := mustParse(t, a)
	id, _ := d.Root().Attr("", "ID")
	refs := []xmlsec.Reference{{ID: id, Node: d.Root(), Enveloped: true}}
	signature, err := xmlsec.AppendSignature(nil, rand.Reader, issuer.key, refs, []byte("<ds:KeyName>issuer</ds:KeyName>"))
	if err != nil {
		t.Fatal(err)
	}
	return strings.Replace(a, placeOfAssertionSig, string(signature), 1)
}

// bearerMessage is not signed.
func bearerMessage(assertion string) string {
	return strings.NewReplacer(tokenBlock, "", placeOfSig, assertion).Replace(template)
}

const samlKeyInfo = `<wsse:SecurityTokenReference xmlns:wsse11="` + namespaceWSSE11 + `" wsse11:TokenType="` + tokenTypeSAML2 +
	`"><wsse:KeyIdentifier ValueType="` + valueTypeSAMLID + `">assertion</wsse:KeyIdentifier></wsse:SecurityTokenReference>`

// holderMessage is signed over these parts, with the key that the assertion names.
func (c cast) holderMessage(t testing.TB, assertion string, who identity, ids ...string) string {
	return who.sign(t, strings.NewReplacer(tokenBlock, assertion).Replace(template), samlKeyInfo, ids...)
}

// vouchedMessage is signed by south, the assertion with it.
func (c cast) vouchedMessage(t testing.TB, assertion string) string {
	return c.south.sign(t, strings.Replace(template, placeOfSig, assertion+placeOfSig, 1), directKeyInfo, append(without(), "assertion")...)
}

// assertions are attacks on tokens of SAML.
func assertions(t testing.TB, c cast) []variant {
	bearer := c.assertion(t, saml.Bearer, nil)
	held := c.assertion(t, saml.HolderOfKey, nil)
	vouched := c.assertion(t, saml.SenderVouches, nil)
	changed := func(old, new string) string {
		return bearerMessage(c.assertion(t, saml.Bearer, swap(old, new)))
	}
	forged := strings.NewReplacer(`ID="assertion"`, `ID="evil"`, "andrews", "mallory").Replace(bearer)
	unsigned := strings.NewReplacer(`ID="assertion"`, `ID="evil"`, "andrews", "mallory", placeOfAssertionSig, "").Replace(c.assertionTemplate(saml.Bearer))
	signature := element(bearer, "<ds:Signature ", "</ds:Signature>")
	const theft, injection, wrapping = "holder-of-key theft", "token injection", "assertion wrapping"
	withoutHolder := func(message string) string { return strings.ReplaceAll(message, c.south.base64(), c.west.base64()) }
	return []variant{
		{family: theft, name: "stolen assertion, signed with another key", client: "west", message: c.holderMessage(t, held, c.west, "ts")},
		{family: theft, name: "stolen assertion and message, another connection", client: "west", message: c.holderMessage(t, held, c.south, "ts")},
		{family: theft, name: "stolen assertion and message, no client certificate", client: "none", message: c.holderMessage(t, held, c.south, "ts")},
		{family: theft, name: "stolen assertion without a signature", client: "west", message: bearerMessage(held)},
		{family: theft, name: "holder's connection, no signature", message: bearerMessage(held)},
		{family: theft, name: "assertion of south, message of west by X.509", client: "west", message: c.west.sign(t, strings.Replace(template, placeOfSig, held+placeOfSig, 1), directKeyInfo, append(without(), "assertion")...)},
		{family: theft, name: "holder's signature without the Timestamp", message: c.holderMessage(t, held, c.south, "to", "action")},
		{family: theft, name: "holder's certificate exchanged in the assertion", client: "west", message: c.west.sign(t, strings.Replace(template, tokenBlock, withoutHolder(held), 1), samlKeyInfo, "ts")},
		{family: theft, name: "assertion issued by the thief for the thief", client: "west", message: c.west.sign(t, strings.Replace(template, tokenBlock, signAssertion(t, withoutHolder(c.assertionTemplate(saml.HolderOfKey)), c.west), 1), samlKeyInfo, "ts")},
		{family: theft, name: "two holders", message: c.holderMessage(t, c.assertion(t, saml.HolderOfKey, swap("</ds:KeyInfo>", "</ds:KeyInfo>"+strings.Replace(element(held, "<ds:KeyInfo xmlns", "</ds:KeyInfo>"), c.south.base64(), c.west.base64(), 1))), c.south, "ts")},
		{family: theft, name: "holder-of-key and bearer in one assertion", client: "west", message: bearerMessage(c.assertion(t, saml.HolderOfKey, swap("</saml:Subject>", `<saml:SubjectConfirmation Method="`+string(saml.Bearer)+`"/></saml:Subject>`)))},

		{family: injection, name: "bearer assertion without a client certificate", client: "none", message: bearerMessage(bearer)},
		{family: injection, name: "bearer assertion, message signature without it", message: c.south.sign(t, strings.Replace(template, placeOfSig, bearer+placeOfSig, 1), directKeyInfo, without()...)},
		{family: injection, name: "sender-vouches without a message signature", message: bearerMessage(vouched)},
		{family: injection, name: "sender-vouches, message signature without the assertion", message: c.south.sign(t, strings.Replace(template, placeOfSig, vouched+placeOfSig, 1), directKeyInfo, without()...)},
		{family: injection, name: "sender-vouches put in after signing", message: swap("<ds:Signature ", vouched+"<ds:Signature ")(c.signed(t))},
		{family: injection, name: "bearer assertion put in after signing", message: swap("<ds:Signature ", bearer+"<ds:Signature ")(c.signed(t))},
		{family: injection, name: "signature by a bearer assertion", message: c.holderMessage(t, bearer, c.south, without("x509")...)},
		{family: injection, name: "two assertions", message: bearerMessage(bearer + strings.Replace(bearer, `ID="assertion"`, `ID="second"`, 1))},
		{family: injection, name: "assertion outside of Security", message: swap(endHeader, bearer+endHeader)(strings.NewReplacer(tokenBlock, "", placeOfSig, "").Replace(template))},
		{family: injection, name: "bearer assertion beside a token", message: strings.NewReplacer("CERTIFICATE", c.west.base64(), placeOfSig, bearer).Replace(template)},
		{family: injection, name: "encrypted assertion", message: bearerMessage(`<saml:EncryptedAssertion xmlns:saml="` + namespaceSAML2 + `"/>`)},
		{family: injection, name: "assertion of SAML 1.1", message: bearerMessage(`<saml:Assertion xmlns:saml="` + namespaceSAML1 + `"/>`)},
		{family: injection, name: "KeyInfo names another assertion", message: c.south.sign(t, strings.Replace(template, tokenBlock, held, 1), strings.Replace(samlKeyInfo, ">assertion<", ">another<", 1), "ts")},
		{family: injection, name: "KeyInfo names an assertion that is not there", message: c.south.sign(t, template, samlKeyInfo, allParts...)},
		{family: injection, name: "direct reference to the assertion as a certificate", message: c.south.sign(t, strings.Replace(template, tokenBlock, held, 1), str(`<wsse:Reference URI="#assertion" ValueType="`+valueTypeX509v3+`"/>`), "ts")},

		{family: "assertion", name: "unsigned assertion", message: bearerMessage(strings.Replace(c.assertionTemplate(saml.Bearer), placeOfAssertionSig, "", 1))},
		{family: "assertion", name: "assertion changed", message: bearerMessage(strings.Replace(bearer, "andrews", "mallory", 1))},
		{family: "assertion", name: "assertion signed by a requester", message: bearerMessage(signAssertion(t, c.assertionTemplate(saml.Bearer), c.south))},
		{family: "assertion", name: "assertion of an issuer that is not known", message: changed(testIssuer, "urn:test:other")},
		{family: "assertion", name: "expired assertion", message: changed(`NotBefore="2026-11-21T08:00:00Z" NotOnOrAfter="2026-11-21T08:10:00Z"`, `NotBefore="2026-11-21T07:00:00Z" NotOnOrAfter="2026-11-21T07:10:00Z"`)},
		{family: "assertion", name: "assertion that is not yet valid", message: changed(`NotBefore="2026-11-21T08:00:00Z"`, `NotBefore="2026-11-21T08:09:00Z"`)},
		{family: "assertion", name: "assertion for another audience", message: changed(testAudience, "urn:test:elsewhere")},
		{family: "assertion", name: "audience before a comment", message: bearerMessage(strings.Replace(c.assertion(t, saml.Bearer, swap(testAudience, testAudience+".evil")), testAudience+".evil", testAudience+"<!-- -->.evil", 1))},
		{family: "assertion", name: "issuer before a comment", message: bearerMessage(strings.Replace(c.assertion(t, saml.Bearer, swap(testIssuer, testIssuer+".evil")), testIssuer+".evil", testIssuer+"<!-- -->.evil", 1))},
		{family: "assertion", name: "no AuthnStatement", message: bearerMessage(c.assertion(t, saml.Bearer, func(a string) string {
			return strings.Replace(a, element(a, "<saml:AuthnStatement", "</saml:AuthnStatement>"), "", 1)
		}))},
		{family: "assertion", name: "condition that is not known", message: changed("</saml:Conditions>", `<saml:Condition xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="x"/></saml:Conditions>`)},
		{family: "assertion", name: "for one use, and nobody remembers", message: changed("</saml:Conditions>", `<saml:OneTimeUse/></saml:Conditions>`)},
		{family: "assertion", name: "no Conditions", message: bearerMessage(c.assertion(t, saml.Bearer, func(a string) string {
			return strings.Replace(a, element(a, "<saml:Conditions", "</saml:Conditions>"), "", 1)
		}))},
		{family: "assertion", name: "assertion of a version that is not 2.0", message: changed(`Version="2.0"`, `Version="3.0"`)},

		{family: wrapping, name: "original in Advice of a forged assertion", message: bearerMessage(strings.Replace(unsigned, "</saml:Conditions>", "</saml:Conditions><saml:Advice>"+bearer+"</saml:Advice>", 1))},
		{family: wrapping, name: "original signature in a forged assertion, original in Advice", message: bearerMessage(strings.NewReplacer("</saml:Issuer>", "</saml:Issuer>"+signature, "</saml:Conditions>", "</saml:Conditions><saml:Advice>"+strings.Replace(bearer, signature, "", 1)+"</saml:Advice>").Replace(unsigned))},
		{family: wrapping, name: "original in ds:Object of its signature", message: bearerMessage(strings.Replace(unsigned, "</saml:Issuer>", "</saml:Issuer>"+strings.Replace(signature, "</ds:Signature>", "<ds:Object>"+strings.Replace(bearer, signature, "", 1)+"</ds:Object></ds:Signature>", 1), 1))},
		{family: wrapping, name: "original in a header block", message: swap(endHeader, `<w:W xmlns:w="urn:w">`+bearer+`</w:W>`+endHeader)(bearerMessage(forged))},
		{family: wrapping, name: "forged assertion with the same ID", message: swap(endHeader, `<w:W xmlns:w="urn:w">`+bearer+`</w:W>`+endHeader)(bearerMessage(strings.Replace(forged, `"evil"`, `"assertion"`, 1)))},
		{family: wrapping, name: "forged assertion by another Id attribute", message: bearerMessage(strings.Replace(forged, `ID="evil"`, `ID="evil" Id="assertion"`, 1))},
		{family: wrapping, name: "signature over the Timestamp in the assertion", message: bearerMessage(strings.Replace(bearer, `URI="#assertion"`, `URI="#ts"`, 1))},
		{family: wrapping, name: "second signature in the assertion", message: bearerMessage(strings.Replace(bearer, signature, signature+signature, 1))},
		{family: wrapping, name: "signature at the end of the assertion", message: bearerMessage(strings.Replace(strings.Replace(bearer, signature, "", 1), "</saml:Assertion>", signature+"</saml:Assertion>", 1))},
		{family: wrapping, name: "Subject added", message: bearerMessage(strings.Replace(bearer, "<saml:Subject>", "<saml:Subject><saml:NameID>mallory</saml:NameID></saml:Subject><saml:Subject>", 1))},
		{family: wrapping, name: "namespace of the assertion bound anew", message: bearerMessage(strings.Replace(bearer, "<saml:NameID>", `<saml:NameID xmlns:saml="urn:evil">`, 1))},
	}
}

// replays are messages that are right, and come twice.
func replays(t testing.TB, c cast) (all []variant) {
	for _, v := range []variant{
		{name: "signed message", message: c.signed(t)},
		{name: "bearer assertion", message: bearerMessage(c.assertion(t, saml.Bearer, nil))},
		{name: "holder-of-key assertion", message: c.holderMessage(t, c.assertion(t, saml.HolderOfKey, nil), c.south, "ts")},
		{name: "sender-vouches assertion", message: c.vouchedMessage(t, c.assertion(t, saml.SenderVouches, nil))},
		{name: "signed MTOM message", message: mtomPackage(c.signed(t)), mtom: true},
	} {
		v.family = "replay"
		name := v.name
		v.send, v.name = "2", name+" sent twice"
		all = append(all, v)
		v.send, v.name = "2 restart", name+" sent before and after a restart"
		all = append(all, v)
	}
	return append(all, variant{family: "replay", name: "signed message from another connection", client: "west", message: c.signed(t), send: "2"})
}

func thumbprint(c *x509.Certificate) []byte {
	sum := sha1.Sum(c.Raw)
	return sum[:]
}

// toDER spells an ECDSA signature of r and s side by side as DER.
func toDER(t testing.TB, text string) string {
	t.Helper()
	b, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	half := len(b) / 2
	der, err := asn1.Marshal(struct{ R, S *big.Int }{new(big.Int).SetBytes(b[:half]), new(big.Int).SetBytes(b[half:])})
	if err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(der)
}
