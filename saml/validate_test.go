package saml

import (
	"reflect"
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
