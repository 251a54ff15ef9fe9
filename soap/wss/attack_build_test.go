package wss

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"collimate/saml"
	"collimate/soap"
	"collimate/xmlsec"
)

// variant is an attack that is not in the table of attacks, as it is about more than one signed message.
type variant struct {
	family, name string
	message      string
	client       string // "" is south, who signs
	mtom         bool
	send         string // "" is once
	unit         string // what {{REPEAT}} stands for
	count        int
	honest       bool // signed again by a trusted key, it is an honest message
}

// honestAgain are the attacks that are nothing but a change of what was signed.
var honestAgain = map[string]bool{"Body changed": true, "empty SignatureValue": true, "namespace rebound in the Body": true}

// writeAttacks makes the files. It stops at an attack that is accepted: read the diff before you keep it.
func writeAttacks(t *testing.T) {
	makeKeys(t)
	dir := filepath.Join("testdata", "attacks")
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	c := loadCast(t)
	s := newStack(t, c)
	for i, v := range allVariants(t, c) {
		s.write(t, dir, i, v, "")
		if v.mtom || v.send != "" || v.count > 0 {
			continue
		}
		message := v.message
		if _, err := xmlsec.Parse([]byte(message), xmlsec.Limits{}); err != nil || signatureState(t, c, []byte(message)) != "broken" {
			continue
		}
		if !v.honest {
			v.message = reseal(t, message, c.south)
			s.write(t, dir, i, v, ", signed again")
		}
	}
}

func (s *stack) write(t *testing.T, dir string, i int, v variant, suffix string) {
	t.Helper()
	a := &attackFile{message: []byte(v.message), fields: map[string]string{
		"attack": v.name + suffix, "family": v.family, "client": v.client, "type": simpleType, "send": v.send,
	}}
	if v.client == "" {
		a.fields["client"] = "south"
	}
	if v.send == "" {
		a.fields["send"] = "1"
	}
	if v.mtom {
		a.fields["type"] = mtomType
	}
	if v.count > 0 {
		a.fields["repeat"] = fmt.Sprintf("%d %s", v.count, v.unit)
	}
	a.fields["refused"], a.fields["answer"] = s.try(t, a)
	a.fields["signature"] = signatureState(t, s.cast, a.expanded(t))
	if a.fields["answer"] == "accepted" {
		t.Errorf("%q is accepted", a.fields["attack"])
	}
	slug := strings.Trim(regexp.MustCompile(`[^a-z0-9]+`).ReplaceAllString(strings.ToLower(a.fields["attack"]), "-"), "-")
	if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%03d-%s.attack", i+1, slug)), a.bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}

// makeKeys makes the keys of the cast once. They sign these files and nothing else.
func makeKeys(t *testing.T) {
	dir := filepath.Join("testdata", "keys")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for i, name := range []string{"south", "west", "issuer"} {
		path := filepath.Join(dir, name+".pem")
		if _, err := os.Stat(path); err == nil {
			continue
		}
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		c := &x509.Certificate{
			SerialNumber: big.NewInt(int64(i + 1)), Subject: pkix.Name{CommonName: "Test " + name},
			NotBefore: testNow.Add(-time.Hour), NotAfter: testNow.AddDate(20, 0, 0), KeyUsage: x509.KeyUsageDigitalSignature,
			ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
		}
		der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
		if err != nil {
			t.Fatal(err)
		}
		private, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			t.Fatal(err)
		}
		b := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})
		b = append(b, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// honest are the messages from which the attacks begin. They are accepted.
func (s *stack) honest(t testing.TB) map[string]string {
	return map[string]string{
		"signed":  s.signed(t),
		"bearer":  bearerMessage(s.assertion(t, saml.Bearer, nil)),
		"holder":  s.holderMessage(t, s.assertion(t, saml.HolderOfKey, nil), s.south, "ts"),
		"vouched": s.vouchedMessage(t, s.assertion(t, saml.SenderVouches, nil)),
		"mtom":    mtomPackage(s.signed(t)),
		"mtom with a part": mtomPackage(
			strings.Replace(s.south.sign(t, strings.Replace(template, "2.25.2", "QUJD", 1), directKeyInfo, allParts...), "QUJD", include, 1),
			"part@test\nABC"),
	}
}

func (c cast) signed(t testing.TB) string {
	return c.south.sign(t, template, directKeyInfo, allParts...)
}

func allVariants(t testing.TB, c cast) []variant {
	var all []variant
	for _, a := range attacks(c.south, c.west) {
		all = append(all, variant{family: a.family, name: a.name, message: a.message(t, c.south), honest: honestAgain[a.name]})
	}
	all = append(all, wrappings(t, c)...)
	all = append(all, confusions(t, c)...)
	all = append(all, downgrades(t, c)...)
	all = append(all, bombs(t, c)...)
	all = append(all, assertions(t, c)...)
	return append(all, replays(t, c)...)
}

// wrappings moves each signed part to each place, and puts another in its stead.
func wrappings(t testing.TB, c cast) (all []variant) {
	signed := c.signed(t)
	parts := []struct{ name, open, end, old, new string }{
		{"Timestamp", "<wsu:Timestamp", "</wsu:Timestamp>", ".000Z", ".001Z"},
		{"To", "<wsa:To", "</wsa:To>", "north", "evil"},
		{"Action", "<wsa:Action", "</wsa:Action>", "RetrieveDocumentSet", "RegisterDocumentSet"},
		{"MessageID", "<wsa:MessageID", "</wsa:MessageID>", "urn:uuid:1", "urn:uuid:2"},
		{"ReplyTo", "<wsa:ReplyTo", "</wsa:ReplyTo>", "anonymous", "none"},
		{"token", "<wsse:BinarySecurityToken", "</wsse:BinarySecurityToken>", c.south.base64(), c.west.base64()},
		{"Body", "<soap:Body", "</soap:Body>", "2.25.2", "2.25.666"},
	}
	wrapped := func(s string) string { return `<w:W xmlns:w="urn:w">` + s + `</w:W>` }
	places := []struct {
		name, at string
		put      func(original string) string
	}{
		{"in a header block", endHeader, func(o string) string { return wrapped(o) + endHeader }},
		{"as the last header block", endHeader, func(o string) string { return o + endHeader }},
		{"as the first header block", "<soap:Header>", func(o string) string { return "<soap:Header>" + o }},
		{"in wsse:Security", endSecurity, func(o string) string { return o + endSecurity }},
		{"in a wrapper in wsse:Security", endSecurity, func(o string) string { return wrapped(o) + endSecurity }},
		{"in ds:Object", "</ds:Signature>", func(o string) string { return "<ds:Object>" + o + "</ds:Object></ds:Signature>" }},
		{"in ds:KeyInfo", "</ds:KeyInfo>", func(o string) string { return o + "</ds:KeyInfo>" }},
		{"in the SecurityTokenReference", "</wsse:SecurityTokenReference>", func(o string) string { return o + "</wsse:SecurityTokenReference>" }},
		{"in the payload", "</xdsb:RetrieveDocumentSetRequest>", func(o string) string { return wrapped(o) + "</xdsb:RetrieveDocumentSetRequest>" }},
		{"in the Body", "</soap:Body>", func(o string) string { return wrapped(o) + "</soap:Body>" }},
		{"before the Header", "<soap:Header>", func(o string) string { return wrapped(o) + "<soap:Header>" }},
		{"after the Body", "</soap:Envelope>", func(o string) string { return wrapped(o) + "</soap:Envelope>" }},
	}
	for _, p := range parts {
		for _, place := range places {
			original := element(signed, p.open, p.end)
			forged := strings.Replace(regexp.MustCompile(` wsu:Id="[^"]*"`).ReplaceAllString(original, ` wsu:Id="evil"`), p.old, p.new, -1)
			if p.name == "token" {
				forged = strings.Replace(forged, `"evil"`, `"x509"`, 1)
				original = strings.Replace(original, `"x509"`, `"evil"`, 1)
			}
			message := strings.Replace(signed, element(signed, p.open, p.end), forged, 1)
			if !strings.Contains(message, place.at) {
				continue
			}
			i := strings.LastIndex(message, place.at)
			message = message[:i] + place.put(original) + message[i+len(place.at):]
			all = append(all, variant{family: "signature wrapping", name: "original " + p.name + " " + place.name + ", another in its stead", message: message})
		}
	}
	return all
}

// confusions are about what a name, an Id or a comment means.
func confusions(t testing.TB, c cast) []variant {
	signed := c.signed(t)
	sign := func(message string, ids ...string) string { return c.south.sign(t, message, directKeyInfo, ids...) }
	change := func(old, new string) string { return swap(old, new)(signed) }
	return []variant{
		{family: "Id confusion", name: "Body known by Id and by another wsu:Id", message: change(`<soap:Body wsu:Id="body"`, `<soap:Body Id="body" wsu:Id="other"`), honest: true},
		{family: "Id confusion", name: "Body known by a lower-case id", message: change(`<soap:Body wsu:Id="body"`, `<soap:Body id="body"`)},
		{family: "Id confusion", name: "Body known by wsu:ID", message: change(`<soap:Body wsu:Id="body"`, `<soap:Body wsu:ID="body"`)},
		{family: "Id confusion", name: "Body known by an Id in another namespace", message: change(`<soap:Body wsu:Id="body"`, `<soap:Body xmlns:e="urn:evil" e:Id="body"`)},
		{family: "Id confusion", name: "Body known by an Id whose prefix is bound anew", message: change(`<soap:Body wsu:Id="body"`, `<soap:Body xmlns:wsu="urn:evil" wsu:Id="body"`)},
		{family: "Id confusion", name: "two elements with an empty Id", message: change(endHeader, `<x:H xmlns:x="urn:x" Id=""/><x:H xmlns:x="urn:x" Id=""/>`+endHeader)},
		{family: "Id confusion", name: "payload with the Id of the Timestamp", message: change(`<xdsb:RetrieveDocumentSetRequest `, `<xdsb:RetrieveDocumentSetRequest ID="ts" `)},
		{family: "Id confusion", name: "Ids that differ in white space, by reference", message: change(`URI="#body"`, `URI="#body "`)},
		{family: "Id confusion", name: "URI with a percent-encoded Id", message: change(`URI="#body"`, `URI="#%62ody"`)},
		{family: "Id confusion", name: "URI of the whole document", message: change(`URI="#body"`, `URI=""`)},
		{family: "Id confusion", name: "URI by XPointer", message: change(`URI="#body"`, `URI="#xpointer(id('body'))"`)},
		{family: "Id confusion", name: "URI of a file", message: change(`URI="#body"`, `URI="file:///etc/passwd"`)},
		{family: "Id confusion", name: "URI of an attachment", message: change(`URI="#body"`, `URI="cid:part@test"`)},
		{family: "Id confusion", name: "URI elsewhere", message: change(`URI="#body"`, `URI="http://evil.example/#body"`)},
		{family: "Id confusion", name: "the same part twice and no Body", message: sign(template, append(without("body"), "ts")...)},

		{family: "namespace tricks", name: "Security header of WSS 1.1", message: strings.ReplaceAll(sign(template, allParts...), soap.NSSecurity, namespaceWSSE11)},
		{family: "namespace tricks", name: "Timestamp of another namespace", message: sign(strings.NewReplacer("<wsu:Timestamp", `<t:Timestamp xmlns:t="urn:t"`, "</wsu:Timestamp", "</t:Timestamp").Replace(template), allParts...)},
		{family: "namespace tricks", name: "Created of another namespace", message: sign(strings.NewReplacer("<wsu:Created", `<wsse:Created`, "</wsu:Created", "</wsse:Created").Replace(template), allParts...)},
		{family: "namespace tricks", name: "Action of WS-Addressing 2004, signed", message: sign(strings.Replace(template, "<wsa:Action ", `<wsa:Action xmlns:wsa="http://schemas.xmlsoap.org/ws/2004/08/addressing" `, 1), allParts...)},
		{family: "namespace tricks", name: "mustUnderstand of SOAP 1.1 does not count", message: sign(strings.ReplaceAll(template, soap.NSEnvelope+`"`, soap.NSEnvelope11+`"`), allParts...)},
		{family: "namespace tricks", name: "prefix undeclared", message: change("<xdsb:DocumentRequest>", `<xdsb:DocumentRequest xmlns:xdsb="">`)},
		{family: "namespace tricks", name: "xml prefix bound anew", message: change("<xdsb:DocumentRequest>", `<xdsb:DocumentRequest xmlns:xml="urn:evil">`)},
		{family: "namespace tricks", name: "attribute twice by two prefixes", message: change("<xdsb:DocumentRequest>", `<xdsb:DocumentRequest xmlns:p="u" xmlns:q="u" p:a="1" q:a="2">`)},
		{family: "namespace tricks", name: "wsu:Id twice by two prefixes", message: change(`<soap:Body wsu:Id="body"`, `<soap:Body xmlns:u="`+soap.NSUtility+`" u:Id="evil" wsu:Id="body"`)},
		{family: "namespace tricks", name: "Signature of another namespace", message: change(`<ds:Signature xmlns:ds="`+xmlsec.NamespaceDSig, `<ds:Signature xmlns:ds="urn:evil`)},
		{family: "namespace tricks", name: "soap prefix bound anew in the Body", message: change(`<xdsb:DocumentRequest>`, `<xdsb:DocumentRequest xmlns:soap="urn:evil" soap:a="">`), honest: true},

		{family: "comment splitting", name: "To of another endpoint, ours before the comment", message: sign(strings.Replace(template, testTo, testTo+"<!-- -->.evil", 1), allParts...)},
		{family: "comment splitting", name: "Action of another operation, ours before the comment", message: sign(strings.Replace(template, testAction, testAction+"<!-- -->-evil", 1), allParts...)},
		{family: "comment splitting", name: "Created that is a time before the comment", message: sign(strings.Replace(template, "08:00:00.000Z", "08:00:00.000Z<!-- -->0", 1), allParts...)},
		{family: "comment splitting", name: "CDATA in the place of a comment", message: sign(strings.Replace(template, testTo, testTo+"<![CDATA[.evil]]>", 1), allParts...)},
		{family: "comment splitting", name: "instruction in To", message: sign(strings.Replace(template, testTo, testTo+"<?x?>.evil", 1), allParts...)},
		{family: "comment splitting", name: "comment in the token", message: change("<wsse:BinarySecurityToken EncodingType", "<wsse:BinarySecurityToken><!-- --></wsse:BinarySecurityToken><wsse:BinarySecurityToken EncodingType")},
		{family: "comment splitting", name: "comment before a second token in the first", message: sign(strings.Replace(template, "CERTIFICATE", "CERTIFICATE<!-- -->"+c.west.base64(), 1), allParts...)},

		{family: "MTOM confusion", name: "Include of a part that is not there", mtom: true, message: mtomPackage(strings.Replace(signed, "2.25.2", include, 1))},
		{family: "MTOM confusion", name: "Include of another part than was signed", mtom: true, message: mtomPackage(strings.Replace(sign(strings.Replace(template, "2.25.2", "QUJD", 1), allParts...), "QUJD", include, 1), "part@test\nABX")},
		{family: "MTOM confusion", name: "Include from elsewhere", mtom: true, message: mtomPackage(strings.Replace(signed, "2.25.2", strings.Replace(include, "cid:part@test", "http://evil.example/", 1), 1))},
		{family: "MTOM confusion", name: "Include of the root part", mtom: true, message: mtomPackage(strings.Replace(signed, "2.25.2", strings.Replace(include, "part@test", "root@test", 1), 1))},
		{family: "MTOM confusion", name: "Include beside text", mtom: true, message: mtomPackage(strings.Replace(signed, "2.25.2", "2.25.2"+include, 1), "part@test\nABC")},
		{family: "MTOM confusion", name: "Include of another SignatureValue", mtom: true, message: mtomPackage(regexp.MustCompile(`<ds:SignatureValue>[^<]*`).ReplaceAllString(signed, "<ds:SignatureValue>"+include), "part@test\n"+strings.Repeat("A", 64))},
		{family: "MTOM confusion", name: "Include of another certificate", mtom: true, message: mtomPackage(strings.Replace(signed, c.south.base64(), include, 1), "part@test\n"+string(c.west.cert.Raw))},
		{family: "MTOM confusion", name: "Include of a SOAP element as a part", mtom: true, message: mtomPackage(strings.Replace(signed, body(signed), include, 1), "part@test\n"+evil(signed))},
		{family: "MTOM confusion", name: "two parts of one Content-ID", mtom: true, message: mtomPackage(strings.Replace(signed, "2.25.2", include, 1), "part@test\nABC", "part@test\nABX")},
		{family: "MTOM confusion", name: "second root part", mtom: true, message: mtomPackage(change("2.25.2", "2.25.666"), "root@test\n"+signed)},
		{family: "MTOM confusion", name: "signed message in a part that is not the root", mtom: true, message: mtomPackage(change("2.25.2", "2.25.666"), "signed@test\n"+signed)},
		{family: "MTOM confusion", name: "signed part as an attachment of the same Id", mtom: true, message: mtomPackage(strings.Replace(signed, body(signed), evil(signed), 1), "body\n"+body(signed))},
	}
}

// downgrades change how the message is signed.
func downgrades(t testing.TB, c cast) (all []variant) {
	signed := c.signed(t)
	change := func(name, old, new string) {
		all = append(all, variant{family: "algorithm downgrade", name: name, message: swap(old, new)(signed)})
	}
	exc := `<ds:Transform Algorithm="` + xmlsec.ExclusiveC14N + `"></ds:Transform>`
	for name, algorithm := range orderedPairs(
		"ECDSA with SHA-1", xmlsec.ECDSASHA1, "RSA with SHA-1", xmlsec.RSASHA1, "RSA with MD5", "http://www.w3.org/2001/04/xmldsig-more#rsa-md5",
		"DSA with SHA-1", "http://www.w3.org/2000/09/xmldsig#dsa-sha1", "HMAC with SHA-1", "http://www.w3.org/2000/09/xmldsig#hmac-sha1",
		"HMAC with SHA-512", "http://www.w3.org/2001/04/xmldsig-more#hmac-sha512", "RSA PSS on an ECDSA key", xmlsec.PSSSHA256,
		"PSS with parameters", "http://www.w3.org/2007/05/xmldsig-more#rsa-pss", "Ed25519 on an ECDSA key", xmlsec.Ed25519,
		"no signature algorithm", "", "ECDSA with SHA-256 in other letters", strings.ToUpper(xmlsec.ECDSASHA256), "ECDSA with RIPEMD", "http://www.w3.org/2007/05/xmldsig-more#ecdsa-ripemd160",
	) {
		change(name, `"`+xmlsec.ECDSASHA256+`"`, `"`+algorithm+`"`)
	}
	for name, algorithm := range orderedPairs(
		"SHA-1 digest of one part", xmlsec.SHA1, "MD5 digest of one part", "http://www.w3.org/2001/04/xmldsig-more#md5", "no digest algorithm", "",
		"SHA-224 digest", "http://www.w3.org/2001/04/xmldsig-more#sha224",
	) {
		change(name, `"`+xmlsec.SHA256+`"`, `"`+algorithm+`"`)
	}
	change("inclusive canonicalisation of SignedInfo", `<ds:CanonicalizationMethod Algorithm="`+xmlsec.ExclusiveC14N, `<ds:CanonicalizationMethod Algorithm="http://www.w3.org/TR/2001/REC-xml-c14n-20010315`)
	change("HMACOutputLength", `ecdsa-sha256">`, `ecdsa-sha256"><ds:HMACOutputLength>1</ds:HMACOutputLength>`)
	for name, transform := range orderedPairs(
		"inclusive canonicalisation of a part", `<ds:Transform Algorithm="http://www.w3.org/2006/12/xml-c14n11"></ds:Transform>`,
		"XPath transform", `<ds:Transform Algorithm="http://www.w3.org/TR/1999/REC-xpath-19991116"><ds:XPath>true()</ds:XPath></ds:Transform>`+exc,
		"XPath filter", `<ds:Transform Algorithm="http://www.w3.org/2002/06/xmldsig-filter2"></ds:Transform>`+exc,
		"XSLT transform", `<ds:Transform Algorithm="http://www.w3.org/TR/1999/REC-xslt-19991116"><x/></ds:Transform>`+exc,
		"base64 transform", `<ds:Transform Algorithm="http://www.w3.org/2000/09/xmldsig#base64"></ds:Transform>`,
		"decryption transform", `<ds:Transform Algorithm="http://www.w3.org/2002/07/decrypt#XML"></ds:Transform>`+exc,
		"no transform", "",
		"enveloped-signature alone", `<ds:Transform Algorithm="`+xmlsec.EnvelopedSignature+`"></ds:Transform>`,
		"STR-Transform of the Body", `<ds:Transform Algorithm="`+xmlsec.STRTransform+`"><wsse:TransformationParameters><ds:CanonicalizationMethod Algorithm="`+xmlsec.ExclusiveC14N+`"/></wsse:TransformationParameters></ds:Transform>`,
		"STR-Transform without parameters", `<ds:Transform Algorithm="`+xmlsec.STRTransform+`"></ds:Transform>`,
	) {
		change(name, exc, transform)
	}
	change("RetrievalMethod", "<ds:KeyInfo>", `<ds:KeyInfo><ds:RetrievalMethod URI="#x509"/>`)
	change("Manifest in ds:Object", "</ds:KeyInfo>", `</ds:KeyInfo><ds:Object><ds:Manifest Id="m"/></ds:Object>`)
	before, rest, _ := strings.Cut(signed, "<ds:SignatureValue>")
	value, after, _ := strings.Cut(rest, "</ds:SignatureValue>")
	all = append(all,
		variant{family: "algorithm downgrade", name: "ECDSA in DER", message: before + "<ds:SignatureValue>" + toDER(t, value) + "</ds:SignatureValue>" + after, honest: true},
		variant{family: "algorithm downgrade", name: "signature of zeroes", message: before + "<ds:SignatureValue>" + strings.Repeat("A", 86) + "==</ds:SignatureValue>" + after, honest: true},
		variant{family: "KeyInfo swap", name: "another signer's key and no signature of theirs", message: strings.Replace(signed, c.south.base64(), c.west.base64(), 1)},
		variant{family: "KeyInfo swap", name: "KeyValue of another signer beside the reference", message: swap("<ds:KeyInfo>", "<ds:KeyInfo><ds:KeyValue/>")(signed)},
		variant{family: "KeyInfo swap", name: "KeyName", message: c.south.sign(t, swap(tokenBlock, "")(template), "<ds:KeyName>Test south</ds:KeyName>", without("x509")...)},
		variant{family: "KeyInfo swap", name: "thumbprint of another registered certificate", message: c.south.sign(t, swap(tokenBlock, "")(template), keyIdentifierOf(valueTypeThumbprint, thumbprint(c.issuer.cert)), without("x509")...)},
		variant{family: "KeyInfo swap", name: "subject key identifier of another registered certificate", message: c.south.sign(t, swap(tokenBlock, "")(template), keyIdentifierOf(valueTypeSKI, subjectKeyID(c.issuer.cert)), without("x509")...)},
		variant{family: "KeyInfo swap", name: "thumbprint of a certificate that is not registered", message: c.west.sign(t, swap(tokenBlock, "")(template), keyIdentifierOf(valueTypeThumbprint, thumbprint(c.west.cert)), without("x509")...)},
		variant{family: "KeyInfo swap", name: "serial number alone", message: c.south.sign(t, swap(tokenBlock, "")(template), str(x509Data("<ds:X509IssuerSerial><ds:X509IssuerName>CN=Another</ds:X509IssuerName><ds:X509SerialNumber>1</ds:X509SerialNumber></ds:X509IssuerSerial>")), without("x509")...)},
		variant{family: "KeyInfo swap", name: "certificate and the serial number of another", message: c.west.sign(t, swap(tokenBlock, "")(template), x509Data("<ds:X509Certificate>CERTIFICATE</ds:X509Certificate><ds:X509IssuerSerial><ds:X509IssuerName>CN=Test south</ds:X509IssuerName><ds:X509SerialNumber>1</ds:X509SerialNumber></ds:X509IssuerSerial>"), without("x509")...)},
	)
	return all
}

// bombs are small messages that mean much work.
func bombs(t testing.TB, c cast) []variant {
	signed := c.signed(t)
	change := func(name, old, new string) variant {
		return variant{family: "entity and namespace bombs", name: name, message: swap(old, new)(signed), honest: true}
	}
	many := func(name, old, new, unit string, count int) variant {
		v := change(name, old, new)
		v.unit, v.count = unit, count
		return v
	}
	declaration := "?>\n"
	return []variant{
		change("DOCTYPE", declaration, declaration+"<!DOCTYPE soap:Envelope>"),
		change("DOCTYPE with an entity", declaration, declaration+`<!DOCTYPE soap:Envelope [<!ENTITY a "b">]>`),
		change("DOCTYPE that declares an Id", declaration, declaration+`<!DOCTYPE soap:Envelope [<!ATTLIST soap:Body a ID #IMPLIED>]>`),
		change("billion laughs", declaration, declaration+`<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;">]>`),
		change("external entity", declaration, declaration+`<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>`),
		change("external subset", declaration, declaration+`<!DOCTYPE x SYSTEM "http://evil.example/x.dtd">`),
		change("entity that is not declared", "2.25.2", "&evil;"),
		change("UTF-16 declared", `encoding="UTF-8"`, `encoding="UTF-16"`),
		change("UTF-7 declared", `encoding="UTF-8"`, `encoding="UTF-7"`),
		change("XML 1.1", `version="1.0"`, `version="1.1"`),
		change("attribute twice", `wsu:Id="body"`, `wsu:Id="body" wsu:Id="other"`),
		change("second document after the first", "</soap:Envelope>", "</soap:Envelope><soap:Envelope/>"),
		change("NUL by reference", "2.25.2", "2.25.2&#0;"),
		change("lone surrogate", "2.25.2", "2.25.2&#xD800;"),
		change("Body that is not UTF-8", "2.25.2", "2.25.2\xc0\xaf"),
		many("deep nesting", "2.25.2", repeatMark, "<a>", 100_000),
		many("many attributes", "<wsa:MessageID ", "<wsa:MessageID "+repeatMark+" ", `a%d="" `, 20_000),
		many("many namespace declarations", "<wsa:MessageID ", "<wsa:MessageID "+repeatMark+" ", `xmlns:n%d="u" `, 20_000),
		many("many namespaces in scope", endHeader, repeatMark+endHeader, `<a xmlns:n%d="u">`, 1_000),
		many("endless namespace name", `xmlns:wsa="`, `xmlns:long="`+repeatMark+`" xmlns:wsa="`, "u", 100_000),
		many("endless prefix list", `<ds:Transform Algorithm="`+xmlsec.ExclusiveC14N+`">`, `<ds:Transform Algorithm="`+xmlsec.ExclusiveC14N+`"><e:InclusiveNamespaces xmlns:e="`+xmlsec.ExclusiveC14N+`" PrefixList="`+repeatMark+`"/>`, "n%d ", 20_000),
		many("many Ids", endHeader, repeatMark+endHeader, `<a Id="i%d"/>`, 20_000),
		many("many references", "</ds:SignedInfo>", repeatMark+"</ds:SignedInfo>", `<ds:Reference URI="#body"/>`, 10_000),
		many("many transforms", "<ds:Transforms>", "<ds:Transforms>"+repeatMark, `<ds:Transform Algorithm="`+xmlsec.ExclusiveC14N+`"/>`, 8_000),
		many("many Security headers", "<wsse:Security ", repeatMark+"<wsse:Security ", "<wsse:Security/>", 10_000),
		many("many tokens", "<wsse:BinarySecurityToken ", repeatMark+"<wsse:BinarySecurityToken ", "<wsse:BinarySecurityToken/>", 10_000),
		many("many token references", endSecurity, repeatMark+endSecurity, "<wsse:SecurityTokenReference/>", 10_000),
		many("many comments in a signature value", "<ds:SignatureValue>", "<ds:SignatureValue>"+repeatMark, "<!---->A", 20_000),
		many("endless signature value", "<ds:SignatureValue>", "<ds:SignatureValue>"+repeatMark, "AAAA", 100_000),
		many("endless certificate", tokenOpen+` wsu:Id="x509">`, tokenOpen+` wsu:Id="x509">`+repeatMark, "AAAA", 100_000),
		many("endless MessageID, after signing", "urn:uuid:1", repeatMark+"urn:uuid:1", "a", 100_000),
		many("endless reference to a character", "2.25.2", "&#x"+repeatMark+"41;", "0", 100_000),
		many("body of many small elements", "2.25.2", repeatMark, "<a/>", 60_000),
	}
}

// orderedPairs yields names and values in the order in which they are written.
func orderedPairs(list ...string) func(func(string, string) bool) {
	return func(yield func(string, string) bool) {
		for i := 0; i < len(list); i += 2 {
			if !yield(list[i], list[i+1]) {
				return
			}
		}
	}
}
