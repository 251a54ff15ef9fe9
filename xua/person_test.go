package xua

import (
	"slices"
	"testing"

	"collimate/keys"
)

func TestCodeEqual(t *testing.T) {
	physician := Code{Code: "112247003", System: "2.16.840.1.113883.6.96", DisplayName: "Medical doctor"}
	for _, c := range []struct {
		name string
		code Code
		want bool
	}{
		{"itself", physician, true},
		{"other display name", Code{Code: "112247003", System: "2.16.840.1.113883.6.96", DisplayName: "Nurse"}, true},
		{"urn:oid", Code{Code: "112247003", System: "urn:oid:2.16.840.1.113883.6.96"}, true},
		{"other code", Code{Code: "112247004", System: "2.16.840.1.113883.6.96"}, false},
		{"other case", Code{Code: "112247003", System: "URN:OID:2.16.840.1.113883.6.96"}, false},
		{"other system", Code{Code: "112247003", System: "2.16.840.1.113883.6.97"}, false},
		{"no system", Code{Code: "112247003"}, false},
		{"only the name", Code{DisplayName: "Medical doctor"}, false},
	} {
		if got := physician.Equal(c.code); got != c.want {
			t.Errorf("%s: got %v, want %v", c.name, got, c.want)
		}
		if got := c.code.Equal(physician); got != c.want {
			t.Errorf("%s, the other way round: got %v, want %v", c.name, got, c.want)
		}
	}
}

func TestCodes(t *testing.T) {
	a, b := Code{Code: "a", System: "1.2"}, Code{Code: "b", System: "1.2"}
	for _, c := range []struct {
		codes Codes
		want  []Code
	}{
		{Codes{}, nil},
		{Codes{a}, []Code{a}},
		{Codes{a, b}, []Code{a, b}},
		{Codes{a, b, a, b}, []Code{a, b, a, b}},
		{Codes{{}, a}, nil},
	} {
		if got := slices.Collect(c.codes.All()); !slices.Equal(got, c.want) {
			t.Errorf("got %v, want %v", got, c.want)
		}
	}
	if !(Codes{a, b}).Has(b) || (Codes{a}).Has(b) || (Codes{a}).Has(Code{}) || (Codes{}).Has(Code{}) {
		t.Error("Has does not find what is there, or finds what is not")
	}
	for range (Codes{a, b}).All() {
		break // must not go on
	}
}

func TestUserName(t *testing.T) {
	for _, c := range []struct {
		person Person
		want   string
	}{
		{Person{}, ""},
		{Person{Issuer: "urn:idp", NameID: "ann"}, "<ann@urn:idp>"},
		{Person{Issuer: "urn:idp", NameID: "ann", Alias: "andrews"}, "andrews<ann@urn:idp>"},
	} {
		if got := c.person.UserName(); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}

// TestAssertionIsNoKey: a grant is to a key, and whoever an issuer vouches for, without a key nobody asks.
func TestAssertionIsNoKey(t *testing.T) {
	asserted := Caller{Tier: TierC, Person: Person{Issuer: "urn:idp", NameID: "ann"}}
	if asserted.Authenticated() {
		t.Error("a person without a key is authenticated")
	}
	asserted.Key = keys.Grantee{ID: keys.ID{1}}
	if !asserted.Authenticated() {
		t.Error("a person with a key is not authenticated")
	}
	if asserted.Tier = TierNone; asserted.Authenticated() {
		t.Error("a key without evidence is authenticated")
	}
	same := asserted
	if same != asserted {
		t.Error("a copy of a caller differs from it")
	}
	if same.Person.Roles[0].Code = "x"; same == asserted {
		t.Error("callers with different roles are equal")
	}
}
