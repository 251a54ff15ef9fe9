package saml

import (
	"crypto/x509"
	"reflect"
	"regexp"
	"strconv"
	"testing"
	"time"

	"collimate/xua"
)

func TestValidate(t *testing.T) {
	for _, kind := range []string{"rsa", "rsa3072", "p256", "p384", "ed25519"} {
		t.Run(kind, func(t *testing.T) {
			idp := newIdentity(t, kind, "idp")
			got, err := validate(t, newTestValidator(t, idp, nil), idp.issue(t))
			if err != nil {
				t.Fatal(err)
			}
			want := &Assertion{
				ID: "_a1", Issuer: testIssuer,
				IssueInstant: testNow.Add(-30 * time.Second),
				Subject:      NameID{Value: "7601002469191", Format: "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent", SPProvidedID: "andrews"},
				Method:       Bearer,
				NotBefore:    testNow.Add(-30 * time.Second),
				NotOnOrAfter: testNow.Add(270 * time.Second),
				AuthnInstant: testNow.Add(-30 * time.Minute),
				AuthnContext: contextPrefix + "SmartcardPKI",
				Attributes: Attributes{
					SubjectIDs: []string{"Ann Andrews"}, Organizations: []string{"Auryn-Spital"},
					OrganizationIDs: []string{"urn:oid:2.999.89.201"},
					Roles:           xua.Codes{testRole}, PurposesOfUse: xua.Codes{testPurpose},
				},
			}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("got  %+v\nwant %+v", got, want)
			}
			person := xua.Person{
				Issuer: testIssuer, AssertionID: "_a1", NameID: "7601002469191", Alias: "andrews", Name: "Ann Andrews",
				Organization: "Auryn-Spital", OrganizationID: "urn:oid:2.999.89.201",
				Roles: xua.Codes{testRole}, PurposesOfUse: xua.Codes{testPurpose},
			}
			if got.Person() != person {
				t.Errorf("got person  %+v\nwant %+v", got.Person(), person)
			}
			if got, want := got.Person().UserName(), "andrews<7601002469191@urn:example:idp>"; got != want {
				t.Errorf("got user name %q, want %q", got, want)
			}
		})
	}
}

// KeyInfo in the issuer's signature is the sender's word, so it decides nothing: it may be missing, or name anybody.
// What decides are the keys that are configured for the Issuer, each of which is tried.
func TestKeyInfoIsAHint(t *testing.T) {
	old, idp, thief := newIdentity(t, "rsa", "idp"), newIdentity(t, "p256", "idp"), newIdentity(t, "p256", "thief")
	neighbour := newIdentity(t, "p256", "neighbour") // another issuer that is trusted
	v := newTestValidator(t, old, func(c *Config) {
		c.Issuers[0].Certificates = append(c.Issuers[0].Certificates, idp.certificate)
		c.Issuers = append(c.Issuers, Issuer{Name: "urn:example:neighbour", Certificates: []*x509.Certificate{neighbour.certificate}})
	})
	full := newTestValidator(t, old, func(c *Config) {
		certificates := []*x509.Certificate{}
		for n := range MaxCertificates - 1 {
			certificates = append(certificates, newIdentity(t, "p256", "spare"+strconv.Itoa(n)).certificate)
		}
		c.Issuers[0].Certificates = append(certificates, idp.certificate)
	})
	keyInfo := regexp.MustCompile(`<ds:KeyInfo>.*</ds:KeyInfo>`)
	without := func(s string) string {
		if !keyInfo.MatchString(s) {
			t.Fatal("sample has no KeyInfo")
		}
		return keyInfo.ReplaceAllString(s, "")
	}
	for _, c := range []struct {
		name    string
		v       *Validator
		message string
		want    Code
	}{
		{"first key", v, without(old.issue(t)), ""},
		{"second key", v, without(idp.issue(t)), ""},
		{"last of as many keys as there may be", full, without(idp.issue(t)), ""},
		{"KeyInfo empty", v, keyInfo.ReplaceAllString(idp.issue(t), "<ds:KeyInfo/>"), ""},
		{"KeyInfo names the other key", v, swap(idp.base64(), old.base64())(idp.issue(t)), ""},
		{"KeyInfo names a stranger", v, swap(idp.base64(), thief.base64())(idp.issue(t)), ""},
		{"stranger's key", v, without(thief.issue(t)), BadSignature},
		{"key that is not configured any more", newTestValidator(t, idp, nil), without(old.issue(t)), Algorithm},
		{"key of another issuer", v, without(neighbour.issue(t)), BadSignature},
		{"key of another issuer, the other way", v, without(idp.issue(t, swap(testIssuer+endIssuer, "urn:example:neighbour"+endIssuer))), BadSignature},
		{"issuer that nobody knows", v, without(idp.issue(t, swap(testIssuer+endIssuer, "urn:example:nobody"+endIssuer))), UntrustedIssuer},
		{"changed afterwards", v, swap("Ann Andrews", "Eve Andrews")(without(idp.issue(t))), BadSignature},
		{"something else in the place of KeyInfo", v, keyInfo.ReplaceAllString(idp.issue(t), "<ds:Object/>"), Malformed},
	} {
		t.Run(c.name, func(t *testing.T) {
			a, err := validate(t, c.v, c.message)
			if c.want != "" {
				wantCode(t, err, c.want)
			} else if err != nil || a.Issuer != testIssuer {
				t.Errorf("got %+v, %v", a, err)
			}
		})
	}
}
