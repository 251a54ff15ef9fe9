package saml

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"collimate/xua"
)

// attr is an Attribute with these values, as they are.
func attr(name string, values ...string) string {
	var b strings.Builder
	b.WriteString(`<saml2:Attribute Name="` + name + `">`)
	for _, v := range values {
		b.WriteString(`<saml2:AttributeValue>` + v + `</saml2:AttributeValue>`)
	}
	return b.String() + `</saml2:Attribute>`
}

const (
	nameRole    = "urn:oasis:names:tc:xacml:2.0:subject:role"
	namePurpose = "urn:oasis:names:tc:xspa:1.0:subject:purposeofuse"
	nameNPI     = "urn:oasis:names:tc:xspa:1.0:subject:npi"
	nameSubject = "urn:oasis:names:tc:xspa:1.0:subject:subject-id"
	hcp         = `xmlns="urn:hl7-org:v3" code="HCP" codeSystem="2.999.6" codeSystemName="Actors" displayName="Healthcare professional"`
	norm        = `code="NORM" codeSystem="2.999.5" codeSystemName="Purposes" displayName="Normal"`
)

func escaped(s string) string { return strings.NewReplacer("<", "&lt;", ">", "&gt;").Replace(s) }

// withAttributes has these attributes and no others.
func withAttributes(content string) change {
	return chain(cutElement("AttributeStatement"), swap(endAssertion, `<saml2:AttributeStatement>`+content+endAttributes+endAssertion))
}

func TestAttributes(t *testing.T) {
	roles := func(codes ...xua.Code) Attributes {
		return Attributes{Roles: xua.Codes(append(codes, make([]xua.Code, xua.MaxCodes-len(codes))...))}
	}
	purposes := func(c xua.Code) Attributes { return Attributes{PurposesOfUse: xua.Codes{c}} }
	provider := []InstanceID{{Root: "2.999.7", Extension: "1"}}
	for _, c := range []struct {
		name, content string
		want          Attributes
	}{
		{"none", "", Attributes{}},
		{"unknown", attr("urn:e-health-suisse:principal-id", "305000") + attr("", "x") + attr("SecurityLevel", "<x:y xmlns:x='urn:x'/>text<x:y xmlns:x='urn:x'/>"), Attributes{}},
		{"known in another case", attr(strings.ToUpper(nameRole), "<Role "+hcp+"/>"), Attributes{}},
		{"without values", attr(nameSubject), Attributes{}},
		{"empty values", attr(nameSubject, "", " \n") + attr(nameRole, "", "<!-- -->") + attr(nameNPI, "") + attr("urn:ihe:iti:xua:2017:subject:provider-identifier", ""), Attributes{}},
		{"subject-id", attr(nameSubject, "Ann Andrews"), Attributes{SubjectIDs: []string{"Ann Andrews"}}},
		{"white space", attr(nameSubject, "\n  Ann\t\n Andrews "), Attributes{SubjectIDs: []string{"Ann Andrews"}}},
		{"no-break space is not white space", attr(nameSubject, "Ann\u00a0Andrews"), Attributes{SubjectIDs: []string{"Ann\u00a0Andrews"}}},
		{"comment inside", attr(nameSubject, "Ann<!-- x --> Andrews"), Attributes{SubjectIDs: []string{"Ann Andrews"}}},
		{"CDATA", attr(nameSubject, "<![CDATA[Ann <Andrews>]]>"), Attributes{SubjectIDs: []string{"Ann <Andrews>"}}},
		{"two values", attr(nameSubject, "Ann", "Andrews"), Attributes{SubjectIDs: []string{"Ann", "Andrews"}}},
		{"two attributes", attr(nameSubject, "Ann") + attr(nameSubject, "Andrews"), Attributes{SubjectIDs: []string{"Ann", "Andrews"}}},
		{"two statements", attr(nameSubject, "Ann") + endAttributes + "<saml2:AttributeStatement>" + attr(nameSubject, "Andrews"), Attributes{SubjectIDs: []string{"Ann", "Andrews"}}},
		{"the same twice", attr(nameSubject, "Ann", "Ann"), Attributes{SubjectIDs: []string{"Ann"}}},
		{"organization", attr("urn:oasis:names:tc:xspa:1.0:subject:organization", "Auryn"), Attributes{Organizations: []string{"Auryn"}}},
		{"organization-id", attr("urn:oasis:names:tc:xspa:1.0:subject:organization-id", "urn:oid:2.999"), Attributes{OrganizationIDs: []string{"urn:oid:2.999"}}},
		{"organization-id as II", attr("urn:oasis:names:tc:xspa:1.0:subject:organization-id", `<id xmlns="urn:hl7-org:v3" root="urn:oid:2.999.8" extension="9"/>`), Attributes{OrganizationIDs: []string{"9^^^&2.999.8&ISO"}}},
		{"organization-id as II without extension", attr("urn:oasis:names:tc:xspa:1.0:subject:organization-id", escaped(`<id xmlns="urn:hl7-org:v3" root="2.999.8"/>`)), Attributes{OrganizationIDs: []string{"urn:oid:2.999.8"}}},
		{"organization-id as empty II", attr("urn:oasis:names:tc:xspa:1.0:subject:organization-id", `<id xmlns="urn:hl7-org:v3"/>`), Attributes{}},
		{"organization-id as something else", attr("urn:oasis:names:tc:xspa:1.0:subject:organization-id", escaped(`<id xmlns="urn:x" root="2.999.8"/>`)), Attributes{}},
		{"homeCommunityId", attr("urn:ihe:iti:xca:2010:homeCommunityId", "urn:oid:2.999"), Attributes{HomeCommunities: []string{"urn:oid:2.999"}}},
		{"homeCommunityId of NHIN", attr("urn:nhin:names:saml:homeCommunityId", "2.999"), Attributes{HomeCommunities: []string{"2.999"}}},
		{"NPI", attr(nameNPI, "1234567893"), Attributes{NPIs: []string{"1234567893"}}},
		{"NPI of XSPA 2", attr("urn:oasis:names:tc:xspa:2.0:subject:npi", "1234567893"), Attributes{NPIs: []string{"1234567893"}}},
		{"NPI as a code", attr(nameNPI, `<x xmlns="urn:hl7-org:v3" code="1234567893"/>`), Attributes{NPIs: []string{"1234567893"}}},
		{"NPI as something else", attr(nameNPI, `<x xmlns="urn:x" code="1234567893"/>`), Attributes{}},
		{"provider", attr("urn:ihe:iti:xua:2017:subject:provider-identifier", `<id xmlns="urn:hl7-org:v3" root="2.999.7" extension="1"/>`), Attributes{Providers: provider}},
		{"provider escaped", attr("urn:ihe:iti:xua:2017:subject:provider-identifier", escaped(`<id xmlns="urn:hl7-org:v3" type="II" extension="1" root="2.999.7" displayable="false" />`)), Attributes{Providers: provider}},
		{"NPI as something else, escaped", attr(nameNPI, escaped(`<x xmlns="urn:x"/>`)), Attributes{}},
		{"provider as text", attr("urn:ihe:iti:xua:2017:subject:provider-identifier", "1"), Attributes{Providers: []InstanceID{{Extension: "1"}}}},
		{"provider as something else", attr("urn:ihe:iti:xua:2017:subject:provider-identifier", `<id xmlns="urn:x" root="2.999.7"/>`), Attributes{}},
		{"resource-id", attr("urn:oasis:names:tc:xacml:2.0:resource:resource-id", "1^^^&amp;2.999&amp;ISO"), Attributes{Patients: []PatientID{{"1^^^&2.999&ISO"}}}},
		{"consent", attr("urn:ihe:iti:bppc:2007:docid", "urn:oid:2.999.1"), Attributes{Consents: []string{"urn:oid:2.999.1"}}},
		{"policy", attr("urn:ihe:iti:xua:2012:acp", "urn:oid:2.999.2"), Attributes{Policies: []string{"urn:oid:2.999.2"}}},

		{"role", attr(nameRole, "<Role "+hcp+"/>"), roles(testRole)},
		{"role with a prefix", attr(nameRole, `<h:Role xmlns:h="urn:hl7-org:v3" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="h:CE" code="HCP" codeSystem="2.999.6" codeSystemName="Actors" displayName="Healthcare professional"/>`), roles(testRole)},
		{"role escaped", attr(nameRole, escaped("<Role "+hcp+"/>")), roles(testRole)},
		{"role escaped, xsi not declared", attr(nameRole, escaped("<Role "+hcp+` xsi:type="CE"/>`)), roles(testRole)},
		{"role escaped in CDATA", attr(nameRole, "<![CDATA[<Role "+hcp+"/>]]>"), roles(testRole)},
		{"role escaped, end tag", attr(nameRole, escaped("\n<Role "+hcp+"></Role>\n")), roles(testRole)},
		{"role with urn:oid", attr(nameRole, strings.Replace("<Role "+hcp+"/>", `"2.999.6"`, `"urn:oid:2.999.6"`, 1)), roles(testRole)},
		{"role as text", attr(nameRole, "Physician"), roles(xua.Code{Code: "Physician"})},
		{"role in both forms", attr(nameRole, "<Role "+hcp+"/>", escaped("<Role "+hcp+"/>")), roles(testRole)},
		{"role under both names", attr(nameRole, "<Role "+hcp+"/>") + attr("urn:oasis:names:tc:xspa:1.0:subject:role", "<Role "+hcp+"/>"), roles(testRole)},
		{"role by the name of purpose", attr(nameRole, `<PurposeOfUse `+hcp+`/>`), Attributes{}},
		{"role of another namespace", attr(nameRole, `<Role xmlns="urn:x" code="HCP" codeSystem="2.999.6"/>`), Attributes{}},
		{"roles as many as may be", attr(nameRole, "a", "b", "c", "d", "a"), roles(xua.Code{Code: "a"}, xua.Code{Code: "b"}, xua.Code{Code: "c"}, xua.Code{Code: "d"})},
		{"purpose", attr(namePurpose, `<PurposeOfUse xmlns="urn:hl7-org:v3" `+norm+`/>`), purposes(testPurpose)},
		{"purpose of NHIN", attr(namePurpose, `<h:PurposeForUse xmlns:h="urn:hl7-org:v3" `+norm+`/>`), purposes(testPurpose)},
		{"purpose of Norway", attr("urn:oasis:names:tc:xacml:2.0:action:purpose", escaped(`<Purpose xmlns="urn:hl7-org:v3" xsi:type="CE" `+norm+`/>`)), purposes(testPurpose)},
		{"purpose in camel case", attr("urn:oasis:names:tc:xspa:1.0:subject:purposeOfUse", `<PurposeOfUse xmlns="urn:hl7-org:v3" `+norm+`/>`), purposes(testPurpose)},
	} {
		t.Run(c.name, func(t *testing.T) {
			idp := newIdentity(t, "p256", "idp")
			a, err := validate(t, newTestValidator(t, idp, nil), idp.issue(t, withAttributes(c.content)))
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(a.Attributes, c.want) {
				t.Errorf("got  %#v\nwant %#v", a.Attributes, c.want)
			}
		})
	}
}

func TestAttributesRefused(t *testing.T) {
	many := func(n int, s string) string { return strings.Repeat(s, n) }
	values := make([]string, maxValues+1)
	for i := range values {
		values[i] = strconv.Itoa(i)
	}
	var rules []rule
	for _, c := range []struct {
		name, content string
		want          Code
	}{
		{"encrypted", `<saml2:EncryptedAttribute/>`, Unsupported},
		{"no attribute", `<saml2:Audience/>`, Malformed},
		{"foreign", `<x:Attribute xmlns:x="urn:x"/>`, Malformed},
		{"no Name", `<saml2:Attribute/>`, Malformed},
		{"value of another kind", `<saml2:Attribute Name="` + nameSubject + `"><saml2:Audience/></saml2:Attribute>`, Malformed},
		{"value of another namespace", `<saml2:Attribute Name="` + nameSubject + `"><x:AttributeValue xmlns:x="urn:x">a</x:AttributeValue></saml2:Attribute>`, Malformed},
		{"element where text belongs", attr(nameSubject, "<x:y xmlns:x='urn:x'>Ann</x:y>"), Malformed},
		{"text as long as may be", attr(nameSubject, many(maxText, "a")), ""},
		{"text too long", attr(nameSubject, many(maxText+1, "a")), Malformed},
		{"unknown value too long", attr("urn:x", many(maxText+1, "a")), ""},
		{"128 attributes", many(maxAttributes, attr("urn:x", "a")), ""},
		{"129 attributes", many(maxAttributes+1, attr("urn:x", "a")), Malformed},
		{"129 attributes over two statements", many(maxAttributes, attr("urn:x", "a")) + endAttributes + "<saml2:AttributeStatement>" + attr("urn:x", "a"), Malformed},
		{"256 values", attr(nameSubject, values[:maxValues]...), ""},
		{"257 values", attr(nameSubject, values...), Malformed},
		{"five roles", attr(nameRole, "a", "b", "c", "d", "e"), Malformed},
		{"two elements in a value", attr(nameRole, "<Role "+hcp+"/><Role "+hcp+"/>"), Malformed},
		{"code missing", attr(nameRole, `<Role xmlns="urn:hl7-org:v3" codeSystem="2.999.6"/>`), Malformed},
		{"codeSystem missing", attr(nameRole, `<Role xmlns="urn:hl7-org:v3" code="HCP"/>`), Malformed},
		{"code too long", attr(nameRole, `<Role xmlns="urn:hl7-org:v3" code="`+many(maxText+1, "a")+`" codeSystem="2.999.6"/>`), Malformed},
		{"escaped, not well-formed", attr(nameRole, escaped("<Role "+hcp+">")), Malformed},
		{"escaped, ends our element", attr(nameRole, escaped("<Role "+hcp+"/></v><v>")), Malformed},
		{"escaped, two elements", attr(nameRole, escaped("<Role "+hcp+"/><Role "+hcp+"/>")), Malformed},
		{"escaped, DTD", attr(nameRole, escaped(`<!DOCTYPE Role [<!ENTITY x "y">]><Role `+hcp+"/>")), Malformed},
		{"escaped, entity", attr(nameRole, escaped("<Role "+strings.Replace(hcp, "HCP", "&amp;xxe;", 1)+"/>")), Malformed},
		{"escaped, processing instruction", attr(nameRole, escaped("<Role "+hcp+"><?x y?></Role>")), Malformed},
		{"escaped, unknown prefix", attr(nameRole, escaped(`<h:Role `+hcp+"/>")), Malformed},
		{"escaped, deep", attr(nameRole, escaped(many(9, "<a>")+many(9, "</a>"))), Malformed},
	} {
		rules = append(rules, rule{c.name, withAttributes(c.content), nil, c.want})
	}
	runRules(t, rules)
}

// TestPatientIDHides: an identifier of a patient shows itself to nobody who does not ask for it.
func TestPatientIDHides(t *testing.T) {
	idp := newIdentity(t, "p256", "idp")
	a, err := validate(t, newTestValidator(t, idp, nil), idp.issue(t, withAttributes(attr("urn:oasis:names:tc:xacml:2.0:resource:resource-id", "761337^^^&amp;2.999&amp;ISO"))))
	if err != nil {
		t.Fatal(err)
	}
	if got := a.Attributes.Patients[0].Value(); got != "761337^^^&2.999&ISO" {
		t.Fatalf("got %q", got)
	}
	for _, format := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		for _, shown := range []any{*a, a.Attributes, a.Attributes.Patients, a.Attributes.Patients[0], a.Person()} {
			if s := fmt.Sprintf(format, shown); strings.Contains(s, "761337") || strings.Contains(s, "373631333337") {
				t.Errorf("%s of %T shows the patient: %s", format, shown, s)
			}
		}
	}
}

func TestCodesKeepTheirOrder(t *testing.T) {
	var codes xua.Codes
	for _, s := range []string{"c", "a", "b"} {
		value := parse(t, `<v>`+s+`</v>`)
		if err := addCode(&codes, value, "Role"); err != nil {
			t.Fatal(err)
		}
	}
	if got := slices.Collect(codes.All()); got[0].Code != "c" || got[1].Code != "a" || got[2].Code != "b" || len(got) != 3 {
		t.Errorf("got %v", got)
	}
}
