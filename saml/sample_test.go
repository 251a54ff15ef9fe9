package saml

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"errors"
	"math/big"
	"strings"
	"sync"
	"testing"
	"time"

	"collimate/xmlsec"
	"collimate/xua"
)

const (
	testIssuer   = "urn:example:idp"
	testAudience = "urn:example:affinity-domain"
)

var testNow = time.Date(2026, 11, 21, 8, 0, 0, 0, time.UTC)

// template is an assertion as a hospital's identity provider issues it, before it is signed.
const template = `<saml2:Assertion xmlns:saml2="urn:oasis:names:tc:SAML:2.0:assertion" xmlns:xs="http://www.w3.org/2001/XMLSchema" ID="_a1" IssueInstant="2026-11-21T07:59:30.000Z" Version="2.0">` +
	`<saml2:Issuer>urn:example:idp</saml2:Issuer>` +
	`<saml2:Subject><saml2:NameID Format="urn:oasis:names:tc:SAML:2.0:nameid-format:persistent" SPProvidedID="andrews">7601002469191</saml2:NameID>` +
	`<saml2:SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:bearer"/></saml2:Subject>` +
	`<saml2:Conditions NotBefore="2026-11-21T07:59:30.000Z" NotOnOrAfter="2026-11-21T08:04:30.000Z">` +
	`<saml2:AudienceRestriction><saml2:Audience>urn:example:affinity-domain</saml2:Audience></saml2:AudienceRestriction></saml2:Conditions>` +
	`<saml2:AuthnStatement AuthnInstant="2026-11-21T07:30:00Z"><saml2:AuthnContext>` +
	`<saml2:AuthnContextClassRef>urn:oasis:names:tc:SAML:2.0:ac:classes:SmartcardPKI</saml2:AuthnContextClassRef></saml2:AuthnContext></saml2:AuthnStatement>` +
	`<saml2:AttributeStatement>` +
	`<saml2:Attribute Name="urn:oasis:names:tc:xspa:1.0:subject:subject-id"><saml2:AttributeValue xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="xs:string">Ann Andrews</saml2:AttributeValue></saml2:Attribute>` +
	`<saml2:Attribute Name="urn:oasis:names:tc:xspa:1.0:subject:organization"><saml2:AttributeValue>Auryn-Spital</saml2:AttributeValue></saml2:Attribute>` +
	`<saml2:Attribute Name="urn:oasis:names:tc:xspa:1.0:subject:organization-id"><saml2:AttributeValue>urn:oid:2.999.89.201</saml2:AttributeValue></saml2:Attribute>` +
	roleAttribute + purposeAttribute +
	`</saml2:AttributeStatement></saml2:Assertion>`

const (
	roleAttribute = `<saml2:Attribute Name="urn:oasis:names:tc:xacml:2.0:subject:role"><saml2:AttributeValue>` +
		`<Role xmlns="urn:hl7-org:v3" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="CE" code="HCP" codeSystem="2.999.6" codeSystemName="Actors" displayName="Healthcare professional"/>` +
		`</saml2:AttributeValue></saml2:Attribute>`
	purposeAttribute = `<saml2:Attribute Name="urn:oasis:names:tc:xspa:1.0:subject:purposeofuse"><saml2:AttributeValue>` +
		`<hl7:PurposeOfUse xmlns:hl7="urn:hl7-org:v3" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="hl7:CE" code="NORM" codeSystem="2.999.5" codeSystemName="Purposes" displayName="Normal"/>` +
		`</saml2:AttributeValue></saml2:Attribute>`

	bearerConfirmation = `<saml2:SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:bearer"/>`
	nameIDElement      = `<saml2:NameID Format="urn:oasis:names:tc:SAML:2.0:nameid-format:persistent" SPProvidedID="andrews">7601002469191</saml2:NameID>`
	restriction        = `<saml2:AudienceRestriction><saml2:Audience>urn:example:affinity-domain</saml2:Audience></saml2:AudienceRestriction>`
	classRef           = `<saml2:AuthnContextClassRef>urn:oasis:names:tc:SAML:2.0:ac:classes:SmartcardPKI</saml2:AuthnContextClassRef>`
	authnStatement     = `<saml2:AuthnStatement AuthnInstant="2026-11-21T07:30:00Z"><saml2:AuthnContext>` + classRef + `</saml2:AuthnContext></saml2:AuthnStatement>`
	endIssuer          = `</saml2:Issuer>`
	endAssertion       = `</saml2:Assertion>`
	endConditions      = `</saml2:Conditions>`
	endAttributes      = `</saml2:AttributeStatement>`
)

// holderConfirmation is a holder-of-key confirmation with this content of ds:KeyInfo.
func holderConfirmation(keyInfo string) string {
	return `<saml2:SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:holder-of-key"><saml2:SubjectConfirmationData>` +
		`<ds:KeyInfo xmlns:ds="http://www.w3.org/2000/09/xmldsig#">` + keyInfo + `</ds:KeyInfo></saml2:SubjectConfirmationData></saml2:SubjectConfirmation>`
}

type change = func(string) string

// swap replaces the one old by new. A change that changes nothing would prove nothing.
func swap(old, new string) change {
	return func(s string) string {
		if strings.Count(s, old) != 1 {
			panic("sample has not one " + old)
		}
		return strings.Replace(s, old, new, 1)
	}
}

func chain(steps ...change) change {
	return func(s string) string {
		for _, step := range steps {
			s = step(s)
		}
		return s
	}
}

// identity is a key with a certificate that it has signed itself.
type identity struct {
	key         crypto.Signer
	certificate *x509.Certificate
}

func (i identity) base64() string { return base64.StdEncoding.EncodeToString(i.certificate.Raw) }

var (
	identitiesMu sync.Mutex
	identities   = map[string]identity{}
)

// newIdentity returns the same identity each time for a kind and name, as keys take long to make.
func newIdentity(t testing.TB, kind, name string) identity {
	t.Helper()
	identitiesMu.Lock()
	defer identitiesMu.Unlock()
	if i, ok := identities[kind+name]; ok {
		return i
	}
	i := makeIdentity(t, newKey(t, kind), nil)
	identities[kind+name] = i
	return i
}

func newKey(t testing.TB, kind string) crypto.Signer {
	t.Helper()
	var key crypto.Signer
	var err error
	switch kind {
	case "rsa":
		key, err = rsa.GenerateKey(rand.Reader, 2048)
	case "rsa3072":
		key, err = rsa.GenerateKey(rand.Reader, 3072)
	case "p256":
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case "p384":
		key, err = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case "p521":
		key, err = ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	case "ed25519":
		_, key, err = ed25519.GenerateKey(rand.Reader)
	default:
		t.Fatalf("no kind of key %q", kind)
	}
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func makeIdentity(t testing.TB, key crypto.Signer, change func(*x509.Certificate)) identity {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Identity Provider"},
		NotBefore: testNow.AddDate(-1, 0, 0), NotAfter: testNow.AddDate(1, 0, 0), KeyUsage: x509.KeyUsageDigitalSignature,
	}
	if change != nil {
		change(template)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return identity{key, certificate}
}

// sign puts a signature by our own signer behind the Issuer of the assertion with this ID.
func (i identity) sign(t testing.TB, assertion, id string) string {
	t.Helper()
	d, err := xmlsec.Parse([]byte(assertion), xmlsec.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	refs, err := d.References(id)
	if err != nil {
		t.Fatal(err)
	}
	refs[0].Enveloped, refs[0].InclusivePrefixes = true, []string{"xs"}
	keyInfo := `<ds:X509Data><ds:X509Certificate>` + i.base64() + `</ds:X509Certificate></ds:X509Data>`
	signature, err := xmlsec.Signing{Key: i.key, Random: rand.Reader, KeyInfo: []byte(keyInfo)}.Append(nil, refs)
	if err != nil {
		t.Fatal(err)
	}
	return swap(endIssuer, endIssuer+string(signature))(assertion)
}

// issue is the template, changed and signed by the issuer's key.
func (i identity) issue(t testing.TB, changes ...change) string {
	t.Helper()
	return i.sign(t, chain(changes...)(template), "_a1")
}

// newTestValidator trusts signer as testIssuer.
func newTestValidator(t testing.TB, signer identity, change func(*Config)) *Validator {
	t.Helper()
	c := Config{
		Issuers:   []Issuer{{Name: testIssuer, Certificates: []*x509.Certificate{signer.certificate}}},
		Audiences: []string{testAudience},
		Now:       func() time.Time { return testNow },
	}
	if change != nil {
		change(&c)
	}
	v, err := NewValidator(c)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func parse(t testing.TB, message string) xmlsec.Node {
	t.Helper()
	d, err := xmlsec.Parse([]byte(message), xmlsec.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return d.Root()
}

func validate(t testing.TB, v *Validator, message string) (*Assertion, error) {
	t.Helper()
	return v.Validate(parse(t, message))
}

func wantCode(t testing.TB, err error, want Code) {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("got error %v, want one with code %q", err, want)
	}
	if e.Code != want {
		t.Fatalf("got code %q (%v), want %q", e.Code, err, want)
	}
	if e.Err == nil || strings.Contains(e.Error(), "%!") {
		t.Fatalf("error without a text: %v", e)
	}
}

// memory remembers without a bound.
type memory struct {
	known   map[[32]byte]bool
	expires time.Time
	err     error
}

func (m *memory) Remember(key [32]byte, expires time.Time) (bool, error) {
	if m.err != nil {
		return false, m.err
	}
	if m.known == nil {
		m.known = map[[32]byte]bool{}
	}
	fresh := !m.known[key]
	m.known[key], m.expires = true, expires
	return fresh, nil
}

var (
	testRole    = xua.Code{Code: "HCP", System: "2.999.6", SystemName: "Actors", DisplayName: "Healthcare professional"}
	testPurpose = xua.Code{Code: "NORM", System: "2.999.5", SystemName: "Purposes", DisplayName: "Normal"}
)
