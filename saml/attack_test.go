package saml

import (
	"crypto/x509"
	"errors"
	"regexp"
	"strings"
	"testing"
	"time"

	"collimate/xmlsec"
)

// The names and numbers of the wrapping attacks are those of Somorovsky et al., "On Breaking SAML: Be Whoever You
// Want to Be" (2012). They are on a samlp:Response; here the place of the Response is taken by wsse:Security.

// security is a header with these children.
func security(content string) string {
	return `<wsse:Security xmlns:wsse="http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd">` + content + `</wsse:Security>`
}

var signatureElement = regexp.MustCompile(`(?s)<ds:Signature .*?</ds:Signature>`)

// evil is the assertion as the attacker would have it, with a name of an administrator.
func evil(s, id string) string {
	return strings.NewReplacer(`ID="_a1"`, `ID="`+id+`"`, "7601002469191", "admin", `"HCP"`, `"ADM"`).Replace(s)
}

// unsigned takes the signature out.
func unsigned(s string) string { return signatureElement.ReplaceAllString(s, "") }

// withSignature puts a signature where it belongs.
func withSignature(s, signature string) string {
	return strings.Replace(s, endIssuer, endIssuer+signature, 1)
}

// TestWrapping shows each forged message to the Validator at every saml:Assertion that it holds, wherever that is:
// whichever a careless caller picks, the attacker's must not come out.
func TestWrapping(t *testing.T) {
	idp := newIdentity(t, "p256", "idp")
	original := idp.issue(t)
	signature := signatureElement.FindString(original)
	bare := unsigned(original)
	within := func(outer, content string) string {
		return strings.Replace(outer, endAssertion, content+endAssertion, 1)
	}
	inSignature := func(content string) string {
		return strings.Replace(signature, "</ds:Signature>", content+"</ds:Signature>", 1)
	}
	object := func(content string) string { return "<ds:Object>" + content + "</ds:Object>" }
	extension := func(content string) string { return `<x:Extensions xmlns:x="urn:x">` + content + `</x:Extensions>` }
	advice := func(content string) string {
		return `<saml2:Advice>` + content + `</saml2:Advice>`
	}
	forged := evil(bare, "_evil")

	for _, c := range []struct{ name, message string }{
		// XSW1 and XSW2 are on a signed Response: the signature, detached, beside or around what it covers.
		{"XSW1: evil with the signature, which holds the original", security(withSignature(forged, inSignature(object(bare))))},
		{"XSW2: evil with the signature, the original beside it", security(withSignature(forged, signature) + bare)},
		{"XSW2: detached signature, evil, original", security(signature + forged + bare)},
		{"XSW3: evil before the original", security(forged + original)},
		{"XSW3: evil after the original", security(original + forged)},
		{"XSW4: original in the evil", security(within(forged, original))},
		{"XSW4: original in a statement of the evil", security(strings.Replace(forged, endAttributes, original+endAttributes, 1))},
		{"XSW5: evil with the signature, original without at the end", security(withSignature(forged, signature) + bare)},
		{"XSW5: the same, other order", security(bare + withSignature(forged, signature))},
		{"XSW6: evil with the signature, which holds the original as KeyInfo", security(withSignature(forged, strings.Replace(signature, "</ds:KeyInfo>", bare+"</ds:KeyInfo>", 1)))},
		{"XSW6: evil with the signature, which holds the original", security(withSignature(forged, inSignature(bare)))},
		{"XSW7: evil, original in an extension", security(extension(original) + forged)},
		{"XSW7: evil around an extension with the original", security(within(forged, extension(original)))},
		{"XSW8: evil with the signature, original in its Object", security(withSignature(forged, inSignature(object(bare))))},
		{"XSW8: evil in an extension of the original", security(within(original, extension(forged)))},
		// The same with the identifier that the signature names.
		{"evil by the same ID before the original", security(evil(bare, "_a1") + original)},
		{"evil by the same ID after the original", security(original + evil(bare, "_a1"))},
		{"evil by the same ID and the signature", security(evil(original, "_a1") + bare)},
		{"evil by the same ID as wsu:Id", security(original + strings.Replace(forged, `ID="_evil"`, `ID="_evil" xmlns:u="http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd" u:Id="_a1"`, 1))},
		{"evil by the same ID as xml:id", security(original + strings.Replace(forged, `ID="_evil"`, `ID="_evil" xml:id="_a1"`, 1))},
		// The places that SAML passes over.
		{"original in Advice of the evil", security(strings.Replace(forged, endConditions, endConditions+advice(original), 1))},
		{"original in Advice of the evil, which has the signature", security(withSignature(strings.Replace(forged, endConditions, endConditions+advice(bare), 1), signature))},
		{"original in Evidence of the evil", security(within(forged, `<saml2:AuthzDecisionStatement Resource="urn:x" Decision="Permit"><saml2:Evidence>`+original+`</saml2:Evidence></saml2:AuthzDecisionStatement>`))},
		{"original in Evidence of the evil, which has the signature", security(withSignature(within(forged, `<saml2:AuthzDecisionStatement Resource="urn:x" Decision="Permit"><saml2:Evidence>`+bare+`</saml2:Evidence></saml2:AuthzDecisionStatement>`), signature))},
		{"original in SubjectConfirmationData of the evil", security(withSignature(strings.Replace(forged, bearerConfirmation, `<saml2:SubjectConfirmation Method="`+string(Bearer)+`"><saml2:SubjectConfirmationData>`+bare+`</saml2:SubjectConfirmationData></saml2:SubjectConfirmation>`, 1), signature))},
		{"original in an unknown attribute of the evil", security(withSignature(strings.Replace(forged, endAttributes, attr("urn:x", bare)+endAttributes, 1), signature))},
		// Signatures in the wrong place.
		{"two signatures", security(withSignature(original, signature))},
		{"two signatures, the second at the end", security(within(original, signature))},
		{"signature at the end of the evil", security(within(forged, signature) + bare)},
		{"signature before the Issuer", security(strings.Replace(bare, "<saml2:Issuer>", signature+"<saml2:Issuer>", 1))},
		{"signature beside the assertion", security(bare + signature)},
		{"signature within the Subject", security(strings.Replace(bare, "</saml2:Subject>", signature+"</saml2:Subject>", 1))},
		{"signature within an Advice", security(strings.Replace(bare, endConditions, endConditions+advice(signature), 1))},
	} {
		t.Run(c.name, func(t *testing.T) {
			d, err := xmlsec.Parse([]byte(c.message), xmlsec.Limits{})
			if err != nil {
				t.Fatalf("the sample is not well-formed: %v", err)
			}
			v := newTestValidator(t, idp, nil)
			seen := 0
			for n := range d.Walk() {
				if !n.Is(Namespace, "Assertion") {
					continue
				}
				seen++
				a, err := v.Validate(n)
				if err != nil {
					var e *Error
					if !errors.As(err, &e) || e.Err == nil {
						t.Errorf("got error %v, want an *Error", err)
					}
					continue
				}
				// The original, untouched, may stand anywhere: that is for the caller to have looked at.
				id, _ := n.Attr("", "ID")
				start, end := n.Range()
				if a.Subject.Value != "7601002469191" || id != "_a1" || c.message[start:end] != original {
					t.Errorf("got %q of assertion %q", a.Subject.Value, id)
				}
			}
			if seen == 0 {
				t.Fatal("the sample has no assertion")
			}
		})
	}
}

// TestTampering changes what the issuer signed, or who signed it.
func TestTampering(t *testing.T) {
	idp, stranger := newIdentity(t, "p256", "idp"), newIdentity(t, "p256", "stranger")
	original := idp.issue(t)
	other := idp.issue(t, swap(`7601002469191`, `admin`))
	element := func(s, local string) string {
		return regexp.MustCompile(`(?s)<ds:` + local + `[ >].*?</ds:` + local + `>`).FindString(s)
	}
	for _, c := range []struct {
		name, message string
		want          Code
	}{
		{"no signature", unsigned(original), Unsigned},
		{"NameID", swap(`7601002469191`, `admin`)(original), BadSignature},
		{"NotOnOrAfter", swap(notOnOrAfter, `NotOnOrAfter="2026-11-21T09:04:30.000Z"`)(original), BadSignature},
		{"audience", swap(`>urn:example:affinity-domain<`, `>urn:example:affinity-domain <`)(original), BadSignature},
		{"an attribute more", swap(endAttributes, attr(nameRole, "admin")+endAttributes)(original), BadSignature},
		{"an attribute less", swap(roleAttribute, ``)(original), BadSignature},
		{"one space more", swap(`</saml2:Subject>`, `</saml2:Subject> `)(original), BadSignature},
		{"pretty-printed", strings.ReplaceAll(original, "><saml2:", ">\n  <saml2:"), BadSignature},
		{"another prefix", strings.ReplaceAll(original, "saml2", "saml"), BadSignature},
		{"namespace of an attribute value", swap(`<Role xmlns="urn:hl7-org:v3"`, `<Role xmlns="urn:hl7-org:v4"`)(original), BadSignature},
		{"xs rebound, which is in the PrefixList", swap(`"http://www.w3.org/2001/XMLSchema"`, `"urn:x"`)(original), BadSignature},
		{"processing instruction in the NameID", swap(`>7601002469191<`, `>7601<?x y?>002469191<`)(original), BadSignature},
		{"signature of another assertion", strings.Replace(original, signatureElement.FindString(original), signatureElement.FindString(other), 1), BadSignature},
		{"digest of another assertion", strings.Replace(original, element(original, "DigestValue"), element(other, "DigestValue"), 1), BadSignature},
		{"signature value of another assertion", strings.Replace(original, element(original, "SignatureValue"), element(other, "SignatureValue"), 1), BadSignature},
		{"signature value empty", strings.Replace(original, element(original, "SignatureValue"), "<ds:SignatureValue></ds:SignatureValue>", 1), BadSignature},
		{"digest empty", strings.Replace(original, element(original, "DigestValue"), "<ds:DigestValue></ds:DigestValue>", 1), BadSignature},
		{"signed by a stranger", stranger.issue(t), BadSignature},
		{"signed by a stranger, issuer's certificate in KeyInfo", swap(stranger.base64(), idp.base64())(stranger.issue(t)), BadSignature},
		{"issuer nobody knows", idp.issue(t, swap(`>urn:example:idp<`, `>urn:example:stranger<`)), UntrustedIssuer},
		{"issuer in another case", idp.issue(t, swap(`>urn:example:idp<`, `>URN:example:idp<`)), UntrustedIssuer},
		{"issuer split by a comment", idp.issue(t, swap(`>urn:example:idp<`, `>urn:example:idp<!-- -->.evil<`)), UntrustedIssuer},
		{"issuer with no-break space", idp.issue(t, swap(`>urn:example:idp<`, ">urn:example:idp\u00a0<")), UntrustedIssuer},
		{"HMAC with the public certificate as key", swap(xmlsec.ECDSASHA256, "http://www.w3.org/2000/09/xmldsig#hmac-sha1")(original), Algorithm},
		{"RSA-SHA1", swap(xmlsec.ECDSASHA256, xmlsec.RSASHA1)(original), Algorithm},
		{"signature algorithm of another key", swap(xmlsec.ECDSASHA256, xmlsec.RSASHA256)(original), Algorithm},
		{"digest SHA-1", swap(xmlsec.SHA256, xmlsec.SHA1)(original), Algorithm},
		{"no signature algorithm", swap(xmlsec.ECDSASHA256, "")(original), Algorithm},
		{"inclusive canonicalisation", strings.Replace(original, xmlsec.ExclusiveC14N, "http://www.w3.org/TR/2001/REC-xml-c14n-20010315", 1), Algorithm},
		{"reference to the whole document", swap(`URI="#_a1"`, `URI=""`)(original), BadSignature},
		{"reference by XPointer", swap(`URI="#_a1"`, `URI="#xpointer(id('_a1'))"`)(original), BadSignature},
		{"reference to another document", swap(`URI="#_a1"`, `URI="https://evil.example/a.xml#_a1"`)(original), BadSignature},
		{"ds:Signature without content", strings.Replace(original, signatureElement.FindString(original), `<ds:Signature xmlns:ds="http://www.w3.org/2000/09/xmldsig#"/>`, 1), Malformed},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.message == original {
				t.Fatal("the sample is what it was")
			}
			a, err := validate(t, newTestValidator(t, idp, nil), c.message)
			if a != nil {
				t.Fatalf("accepted %q", a.Subject.Value)
			}
			wantCode(t, err, c.want)
		})
	}
}

// TestSignatureScope has the issuer itself sign too little or too much: all of it verifies.
func TestSignatureScope(t *testing.T) {
	idp := newIdentity(t, "p256", "idp")
	sign := func(message string, before string, refs ...xmlsec.Reference) string {
		s, err := xmlsec.Signing{Key: idp.key, Random: zero{}}.Append(nil, refs)
		if err != nil {
			t.Fatal(err)
		}
		return strings.Replace(message, before, before+string(s), 1)
	}
	references := func(message string, ids ...string) []xmlsec.Reference {
		d, err := xmlsec.Parse([]byte(message), xmlsec.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		refs, err := d.References(ids...)
		if err != nil {
			t.Fatal(err)
		}
		return refs
	}
	subject := swap(`<saml2:Subject>`, `<saml2:Subject Id="_s">`)(template)
	subjectOnly := sign(subject, endIssuer, references(subject, "_s")...)

	beside := security(template + `<x:E xmlns:x="urn:x" Id="_x"/>`)
	refs := references(beside, "_a1", "_x")
	refs[0].Enveloped = true
	both := sign(beside, endIssuer, refs...)

	whole := strings.Replace(security(template), `xmlns:wsse=`, `Id="_w" xmlns:wsse=`, 1)
	refs = references(whole, "_w")
	refs[0].Enveloped = true
	around := sign(whole, endIssuer, refs...)

	for name, message := range map[string]string{
		"Subject alone": subjectOnly, "something else too": both, "what is around it": around,
	} {
		t.Run(name, func(t *testing.T) {
			d, err := xmlsec.Parse([]byte(message), xmlsec.Limits{})
			if err != nil {
				t.Fatal(err)
			}
			n := d.Root()
			if !n.Is(Namespace, "Assertion") {
				n, _ = n.Child(Namespace, "Assertion")
			}
			_, err = newTestValidator(t, idp, nil).Validate(n)
			wantCode(t, err, BadSignature)
		})
	}
}

// zero is the randomness of signatures that nobody else will see.
type zero struct{}

func (zero) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// TestComments: comments are not signed, so that anybody can put them anywhere. They must not change what is read.
func TestComments(t *testing.T) {
	idp := newIdentity(t, "p256", "idp")
	v := newTestValidator(t, idp, nil)
	original := idp.issue(t)
	want, err := validate(t, v, original)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []change{
		swap(`>7601002469191<`, `>7601<!-- x -->002469191<`),
		swap(`>7601002469191<`, `><!-- x -->7601002469191<`),
		swap(`>7601002469191<`, `>7601002469191<!-- x --><`),
		swap(`>urn:example:idp<`, `>urn:example:<!-- x -->idp<`),
		swap(`>urn:example:affinity-domain<`, `>urn:<!-- -->example:affinity-domain<`),
		swap(`classes:SmartcardPKI<`, `classes:Smartcard<!-- -->PKI<`),
		swap(`>Ann Andrews<`, `>Ann <!-- > -->Andrews<`),
	} {
		got, err := validate(t, v, c(original))
		if err != nil {
			t.Errorf("a comment that changes nothing is refused: %v", err)
		} else if got.Subject != want.Subject || got.Issuer != want.Issuer || got.Person() != want.Person() {
			t.Errorf("got %+v, want %+v", got, want)
		}
	}
	// An account user@example.evil.org, at an issuer who lets people choose names, is not user@example.
	message := idp.issue(t, swap(`>7601002469191<`, `>user@example.evil.org<`))
	got, err := validate(t, v, swap(`>user@example.evil.org<`, `>user@example<!-- -->.evil.org<`)(message))
	if err != nil {
		t.Fatal(err)
	}
	if got.Subject.Value != "user@example.evil.org" {
		t.Errorf("got %q", got.Subject.Value)
	}
}

// TestNotXML: what the parser refuses does not become a Node, and so never gets here.
func TestNotXML(t *testing.T) {
	original := newIdentity(t, "p256", "idp").issue(t)
	for name, message := range map[string]string{
		"DTD":                       `<!DOCTYPE a>` + original,
		"entity":                    `<!DOCTYPE a [<!ENTITY n "admin">]>` + swap(`>7601002469191<`, `>&n;<`)(original),
		"external entity":           `<!DOCTYPE a [<!ENTITY n SYSTEM "file:///etc/passwd">]>` + swap(`>7601002469191<`, `>&n;<`)(original),
		"default attribute":         `<!DOCTYPE a [<!ATTLIST saml2:Subject ID ID "_a1">]>` + original,
		"attribute twice":           swap(`ID="_a1"`, `ID="_a1" ID="_a2"`)(original),
		"attribute by two prefixes": swap(`ID="_a1"`, `ID="_a1" xmlns:p="urn:p" xmlns:q="urn:p" p:x="" q:x=""`)(original),
		"undeclared prefix":         swap(`<saml2:Subject>`, `<saml2:Subject x:y="">`)(original),
		"two roots":                 original + original,
		"NUL in the NameID":         swap(`>7601002469191<`, ">7601\x00<")(original),
		"invalid UTF-8":             swap(`>7601002469191<`, ">7601\xc0\xaf<")(original),
	} {
		if _, err := xmlsec.Parse([]byte(message), xmlsec.Limits{}); err == nil {
			t.Errorf("%s: parsed", name)
		}
	}
}

func TestNotAnAssertion(t *testing.T) {
	idp := newIdentity(t, "p256", "idp")
	v := newTestValidator(t, idp, nil)
	for _, c := range []struct {
		name, message string
		want          Code
	}{
		{"encrypted", `<saml2:EncryptedAssertion xmlns:saml2="` + Namespace + `"/>`, Unsupported},
		{"SAML 1.1", `<saml:Assertion xmlns:saml="urn:oasis:names:tc:SAML:1.0:assertion" MajorVersion="1" MinorVersion="1"/>`, Unsupported},
		{"no namespace", `<Assertion Version="2.0"/>`, Malformed},
		{"Response", `<samlp:Response xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol">` + idp.issue(t) + `</samlp:Response>`, Malformed},
		{"header around it", security(idp.issue(t)), Malformed},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := validate(t, v, c.message)
			wantCode(t, err, c.want)
		})
	}
	_, err := v.Validate(xmlsec.Node{})
	wantCode(t, err, Malformed)
}

// TestCertificates: an issuer has several certificates, some of which do not count now.
func TestCertificates(t *testing.T) {
	old, present, next := newIdentity(t, "p256", "old"), newIdentity(t, "rsa", "present"), newIdentity(t, "ed25519", "next")
	dated := func(i identity, from, to time.Time) identity {
		return makeIdentity(t, i.key, func(c *x509.Certificate) { c.NotBefore, c.NotAfter = from, to })
	}
	day := 24 * time.Hour
	for _, c := range []struct {
		name         string
		signer       identity
		certificates []identity
		want         Code
	}{
		{"the only one", present, []identity{present}, ""},
		{"the last of three", present, []identity{old, next, present}, ""},
		{"the first of three", present, []identity{present, old, next}, ""},
		{"none of two", present, []identity{old, next}, Algorithm},
		{"another of the same kind", newIdentity(t, "rsa", "other"), []identity{present}, BadSignature},
		{"expired a second ago", present, []identity{dated(present, testNow.Add(-day), testNow.Add(-time.Second))}, UntrustedIssuer},
		{"expires now", present, []identity{dated(present, testNow.Add(-day), testNow)}, ""},
		{"valid from now", present, []identity{dated(present, testNow, testNow.Add(day))}, ""},
		{"valid in a second", present, []identity{dated(present, testNow.Add(time.Second), testNow.Add(day))}, UntrustedIssuer},
		{"expired, and renewed with the same key", present, []identity{dated(present, testNow.Add(-day), testNow.Add(-time.Second)), present}, ""},
		{"expired, another valid", present, []identity{dated(present, testNow.Add(-day), testNow.Add(-time.Second)), newIdentity(t, "rsa", "other")}, BadSignature},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := newTestValidator(t, present, func(cfg *Config) {
				cfg.Issuers[0].Certificates = nil
				for _, i := range c.certificates {
					cfg.Issuers[0].Certificates = append(cfg.Issuers[0].Certificates, i.certificate)
				}
			})
			_, err := validate(t, v, c.signer.issue(t))
			if c.want != "" {
				wantCode(t, err, c.want)
			} else if err != nil {
				t.Error(err)
			}
		})
	}
}

// TestIssuersAreApart: each issuer speaks for itself alone.
func TestIssuersAreApart(t *testing.T) {
	north, south := newIdentity(t, "p256", "north"), newIdentity(t, "p256", "south")
	v := newTestValidator(t, north, func(c *Config) {
		c.Issuers = []Issuer{
			{Name: "urn:example:north", Certificates: []*x509.Certificate{north.certificate}},
			{Name: " urn:example:south\n", Certificates: []*x509.Certificate{south.certificate}},
		}
	})
	as := func(name string) change { return swap(`>urn:example:idp<`, `>`+name+`<`) }
	for _, c := range []struct {
		signer identity
		name   string
		want   Code
	}{
		{north, "urn:example:north", ""},
		{south, "urn:example:south", ""},
		{north, "urn:example:south", BadSignature},
		{south, "urn:example:north", BadSignature},
		{north, "urn:example:west", UntrustedIssuer},
	} {
		a, err := validate(t, v, c.signer.issue(t, as(c.name)))
		if c.want != "" {
			wantCode(t, err, c.want)
		} else if err != nil || a.Issuer != c.name {
			t.Errorf("got %v, %v", a, err)
		}
	}
}
