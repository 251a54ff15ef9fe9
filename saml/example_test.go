package saml_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"time"

	"collimate/saml"
	"collimate/xmlsec"
	"collimate/xua"
)

func exampleClock() time.Time { return time.Date(2026, 11, 21, 8, 0, 0, 0, time.UTC) }

// exampleProvider is a hospital's identity provider: its certificate, and an assertion that it has signed.
func exampleProvider() (*x509.Certificate, string, error) {
	key := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Identity Provider"},
		NotBefore: exampleClock(), NotAfter: exampleClock().AddDate(1, 0, 0),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, "", err
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, "", err
	}
	const assertion = `<Assertion xmlns="urn:oasis:names:tc:SAML:2.0:assertion" ID="a1" IssueInstant="2026-11-21T08:00:00Z" Version="2.0">
<Issuer>https://idp.auryn.example</Issuer>
<Subject><NameID>andrews</NameID><SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:bearer"/></Subject>
<Conditions NotBefore="2026-11-21T08:00:00Z" NotOnOrAfter="2026-11-21T08:05:00Z">
 <AudienceRestriction><Audience>urn:example:affinity-domain</Audience></AudienceRestriction>
</Conditions>
<AuthnStatement AuthnInstant="2026-11-21T07:30:00Z"><AuthnContext>
 <AuthnContextClassRef>urn:oasis:names:tc:SAML:2.0:ac:classes:SmartcardPKI</AuthnContextClassRef>
</AuthnContext></AuthnStatement>
<AttributeStatement>
 <Attribute Name="urn:oasis:names:tc:xspa:1.0:subject:organization"><AttributeValue>Auryn-Spital</AttributeValue></Attribute>
 <Attribute Name="urn:oasis:names:tc:xspa:1.0:subject:purposeofuse"><AttributeValue>
  <PurposeOfUse xmlns="urn:hl7-org:v3" code="TREAT" codeSystem="2.16.840.1.113883.1.11.20448"/>
 </AttributeValue></Attribute>
</AttributeStatement>
</Assertion>`
	d, err := xmlsec.Parse([]byte(assertion), xmlsec.Limits{})
	if err != nil {
		return nil, "", err
	}
	refs, err := d.References("a1")
	if err != nil {
		return nil, "", err
	}
	refs[0].Enveloped = true
	signature, err := xmlsec.Signing{Key: key}.Append(nil, refs)
	if err != nil {
		return nil, "", err
	}
	return certificate, strings.Replace(assertion, "</Issuer>\n", "</Issuer>"+string(signature)+"\n", 1), nil
}

func ExampleValidator_Validate() {
	certificate, message, err := exampleProvider()
	if err != nil {
		fmt.Println(err)
		return
	}
	validator, err := saml.NewValidator(saml.Config{
		Issuers:       []saml.Issuer{{Name: "https://idp.auryn.example", Certificates: []*x509.Certificate{certificate}}},
		Audiences:     []string{"urn:example:affinity-domain"},
		PurposesOfUse: []xua.Code{{Code: "TREAT", System: "2.16.840.1.113883.1.11.20448"}},
		Now:           exampleClock,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, m := range []string{message, strings.Replace(message, "andrews", "admin", 1)} {
		document, err := xmlsec.Parse([]byte(m), xmlsec.Limits{})
		if err != nil {
			fmt.Println(err)
			return
		}
		assertion, err := validator.Validate(document.Root())
		var refused *saml.Error
		if errors.As(err, &refused) {
			fmt.Println("refused:", refused.Code)
			continue
		}
		person := assertion.Person()
		fmt.Println(assertion.Method, person.UserName(), "of", person.Organization)
		for purpose := range person.PurposesOfUse.All() {
			fmt.Println("for", purpose.Code)
		}
	}
	// Output:
	// bearer <andrews@https://idp.auryn.example> of Auryn-Spital
	// for TREAT
	// refused: signature
}
