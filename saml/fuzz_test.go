package saml

import (
	"errors"
	"strings"
	"testing"
	"time"

	"collimate/xmlsec"
	"collimate/xua"
)

// FuzzValidate feeds messages to a Validator. Whatever it accepts must be what the issuer signed: the name in it can
// be one of those only that the seeds were signed with.
func FuzzValidate(f *testing.F) {
	idp := newIdentity(f, "ed25519", "fuzz")
	holder := newIdentity(f, "p256", "fuzz")
	for _, c := range []change{
		unchanged,
		swap(endConditions, `<saml2:OneTimeUse/><saml2:ProxyRestriction Count="1"/>`+endConditions),
		swap(bearerConfirmation, holderConfirmation(x509Data(holder))),
		withAttributes(attr(nameRole, escaped("<Role "+hcp+"/>"))),
		swap(endAssertion, decision("Permit")+endAssertion),
	} {
		f.Add(idp.issue(f, c))
		f.Add(unsigned(idp.issue(f, c)))
	}
	f.Add(security(template))
	f.Add(`<saml2:EncryptedAssertion xmlns:saml2="` + Namespace + `"/>`)
	v := newTestValidator(f, idp, func(c *Config) { c.OneTime = &memory{}; c.AnyRecipient = true })
	f.Fuzz(func(t *testing.T, message string) {
		d, err := xmlsec.Parse([]byte(message), xmlsec.Limits{})
		if err != nil {
			return
		}
		for n := range d.Walk() {
			if n.Local() != "Assertion" && n != d.Root() {
				continue
			}
			a, err := v.Examine(n)
			if err != nil {
				var e *Error
				if a != nil || !errors.As(err, &e) || e.Code == "" || e.Err == nil {
					t.Fatalf("got %v, %v, want no assertion and an *Error", a, err)
				}
				continue
			}
			if a.Issuer != testIssuer || a.Subject.Value != "7601002469191" {
				t.Fatalf("accepted a forgery: %+v", a)
			}
		}
	})
}

// FuzzRead puts content into the parts of an assertion and has it signed before it is read, so that the fuzzer gets
// past the signature: whatever the issuer says, what comes out keeps to the rules.
func FuzzRead(f *testing.F) {
	idp := newIdentity(f, "ed25519", "fuzz")
	holder := newIdentity(f, "p256", "fuzz")
	for _, confirmation := range []string{bearerConfirmation, holderConfirmation(x509Data(holder)), holderConfirmation(ecValue(oidP256, []byte{4, 1, 2})),
		holderConfirmation(rsaValue([]byte{1}, []byte{3})), `<saml2:SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:sender-vouches"><saml2:NameID>a</saml2:NameID><saml2:SubjectConfirmationData NotBefore="2026-11-21T07:59:30.5Z" NotOnOrAfter="2026-11-21T08:00:30Z" Recipient="urn:x" Address="a"/></saml2:SubjectConfirmation>`} {
		f.Add(nameIDElement, confirmation, restriction, authnStatement, roleAttribute)
	}
	for _, attributes := range []string{
		attr(nameRole, escaped("<Role "+hcp+"/>"), "x", "<Role "+hcp+"/>"), purposeAttribute,
		attr("urn:ihe:iti:xua:2017:subject:provider-identifier", `<id xmlns="urn:hl7-org:v3" root="1.2" extension="3"/>`) + attr(nameNPI, "1"),
		attr("urn:oasis:names:tc:xspa:1.0:subject:organization-id", escaped(`<id xmlns="urn:hl7-org:v3" root="1.2"/>`)),
	} {
		f.Add(nameIDElement, bearerConfirmation, restriction+`<saml2:OneTimeUse/><saml2:ProxyRestriction Count="1"/>`, authnStatement+decision("Permit"), attributes)
	}
	v := newTestValidator(f, idp, func(c *Config) { c.AnyRecipient = true })
	f.Fuzz(func(t *testing.T, name, confirmation, conditions, statements, attributes string) {
		message := strings.NewReplacer(nameIDElement, name, bearerConfirmation, confirmation, restriction, conditions,
			authnStatement, statements, roleAttribute, attributes).Replace(template)
		d, err := xmlsec.Parse([]byte(message), xmlsec.Limits{})
		if err != nil {
			return
		}
		refs, err := d.References("_a1")
		if err != nil || refs[0].Node != d.Root() {
			return
		}
		refs[0].Enveloped = true
		signature, err := xmlsec.Signing{Key: idp.key}.Append(nil, refs)
		if err != nil {
			t.Fatal(err)
		}
		at := strings.Index(message, endIssuer) + len(endIssuer)
		d, err = xmlsec.Parse([]byte(message[:at]+string(signature)+message[at:]), xmlsec.Limits{})
		if err != nil {
			return // with a signature it can be beyond a limit
		}
		a, err := v.Examine(d.Root())
		if err == nil {
			check(t, a)
			return
		}
		var e *Error
		if !errors.As(err, &e) || e.Code == "" || e.Err == nil {
			t.Fatalf("got %v, want an *Error", err)
		}
		if e.Code == Unsigned || e.Code == UntrustedIssuer {
			t.Fatalf("the signature was lost: %v", err)
		}
	})
}

// check holds an accepted assertion against what every accepted assertion must be.
func check(t *testing.T, a *Assertion) {
	p := a.Person()
	for _, s := range []string{p.NameID, p.Alias, p.Name, p.Organization, p.HomeCommunityID, a.ID, a.AuthnContext} {
		if len(s) > maxText || s != collapse(s) {
			t.Fatalf("text is too long or has white space around: %q", s)
		}
	}
	if p.NameID == "" || a.ID == "" || a.Issuer != testIssuer || a.AuthnContext == "" {
		t.Fatalf("something that is required is missing: %+v", a)
	}
	if a.Method.String() == "none" || (a.Method == HolderOfKey) != (a.HolderKey != nil) {
		t.Fatalf("method %q with key %v", a.Method, a.HolderKey)
	}
	if a.HolderKey != nil && checkKey(a.HolderKey) != nil {
		t.Fatalf("holder's key is not acceptable: %v", a.HolderKey)
	}
	if now := testNow; now.Add(DefaultSkew).Before(a.NotBefore) || !now.Add(-DefaultSkew).Before(a.NotOnOrAfter) || a.NotOnOrAfter.Sub(a.NotBefore) > 24*time.Hour {
		t.Fatalf("accepted at %v: %v to %v", now, a.NotBefore, a.NotOnOrAfter)
	}
	for _, codes := range []xua.Codes{p.Roles, p.PurposesOfUse} {
		for code := range codes.All() {
			if code.Code == "" || strings.HasPrefix(code.System, "urn:oid:") {
				t.Fatalf("got code %+v", code)
			}
		}
	}
}
