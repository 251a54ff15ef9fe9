package saml

import (
	"bufio"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"collimate/internal/sharedfiles"
	"collimate/xua"
)

// What the identity provider of the Connectathon (Gazelle STS) puts into the assertion for each user name, which is
// also the suffix of toolkit2's test ids. "second" is not one more but another: a role, a purpose of use or a way
// of logging in that the tests' policy does not accept.
type gazelleUser struct {
	name   string
	change change // before it is signed
	strip  bool   // the signature is taken out
	want   Code
}

var unchanged change = func(s string) string { return s }

var toolkit2Users = []gazelleUser{
	{"valid", unchanged, false, ""},
	{"withauthzconsent", swap(endAttributes, attr("urn:ihe:iti:bppc:2007:docid", "urn:oid:2.999.1")+
		attr("urn:oasis:names:tc:xacml:2.0:resource:resource-id", "1^^^&amp;2.999&amp;ISO")+endAttributes), false, ""},
	{"unsigned", unchanged, true, Unsigned},
	{"expired", chain(swap(notBefore, `NotBefore="2026-11-21T06:59:30Z"`), swap(notOnOrAfter, `NotOnOrAfter="2026-11-21T07:04:30Z"`)), false, Expired},
	{"notyetvalid", chain(swap(notBefore, `NotBefore="2026-11-21T08:59:30Z"`), swap(notOnOrAfter, `NotOnOrAfter="2026-11-21T09:04:30Z"`)), false, NotYetValid},
	{"unknownaudience", swap(`>urn:example:affinity-domain<`, `>http://ihe.unknown.xua/X-ServiceProvider-IHE-Unknown<`), false, Audience},
	{"invalidauthnstatement", swap(contextPrefix+"SmartcardPKI", contextPrefix+"Invalid"), false, Policy},
	{"secondauthncontext", swap(contextPrefix+"SmartcardPKI", contextPrefix+"InternetProtocol"), false, Policy},
	{"secondrole", swap(`code="HCP"`, `code="ADM"`), false, Policy},
	{"secondpurposeofuse", swap(`code="NORM"`, `code="MARKETING"`), false, Policy},
}

// toolkit2Tests are the tests that are repeated for each user, of all actors that receive assertions.
var toolkit2Tests = []string{"11897", "11966", "11990", "12309", "12312", "12371", "15808", "15809"}

// connectathonPolicy is how a system is set up for these tests.
func connectathonPolicy(c *Config) {
	c.Roles, c.PurposesOfUse = []xua.Code{testRole}, []xua.Code{testPurpose}
}

func (u gazelleUser) run(t *testing.T) {
	idp := newIdentity(t, "rsa", "idp")
	message := idp.issue(t, u.change)
	if u.strip {
		message = unsigned(message)
	} else {
		checkIntact(t, message, idp)
	}
	a, err := validate(t, newTestValidator(t, idp, connectathonPolicy), message)
	switch {
	case u.want != "":
		wantCode(t, err, u.want)
	case err != nil:
		t.Fatal(err)
	case u.name == "withauthzconsent" && (len(a.Attributes.Consents) != 1 || len(a.Attributes.Patients) != 1):
		t.Errorf("got consents %v, patients %v", a.Attributes.Consents, a.Attributes.Patients)
	}
}

func TestToolkit2(t *testing.T) {
	for _, id := range toolkit2Tests {
		for _, u := range toolkit2Users {
			if u.name != "valid" {
				t.Run(id+"_"+u.name, u.run)
			}
		}
	}
	t.Run("11990eval_valid", toolkit2Users[0].run)
}

// TestToolkit2IsComplete holds the table above against the list of all tests.
func TestToolkit2IsComplete(t *testing.T) {
	f, err := os.Open(sharedfiles.Path(t, "ihe/assertions.md"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	row := regexp.MustCompile(`^\| (\d+(?:eval)?) \|.*_xua \| (.*) \|$`)
	rows := 0
	for lines := bufio.NewScanner(f); lines.Scan(); {
		m := row.FindStringSubmatch(lines.Text())
		if m == nil {
			continue
		}
		rows++
		if !slices.Contains(toolkit2Tests, strings.TrimSuffix(m[1], "eval")) {
			t.Errorf("test %s is not in the table", m[1])
		}
		for variant := range strings.SplitSeq(m[2], "; ") {
			name, expected, _ := strings.Cut(variant, " -> ")
			i := slices.IndexFunc(toolkit2Users, func(u gazelleUser) bool { return u.name == name })
			if i < 0 {
				t.Errorf("%s_%s is not in the table", m[1], name)
				continue
			}
			// Failure is an answer to a request that was let in, from a registry with an empty shelf.
			if fault := strings.HasPrefix(expected, "Fault"); fault != (toolkit2Users[i].want != "") {
				t.Errorf("%s_%s: the test expects %s, the table %q", m[1], name, expected, toolkit2Users[i].want)
			}
		}
	}
	if rows != 9 {
		t.Errorf("got %d rows, want 9", rows)
	}
}

// TestGazelle are the other users of the Gazelle STS, which toolkit2 offers and has no tests for. Those that spoil
// the KeyInfo of the issuer's signature are missing: it is not read.
func TestGazelle(t *testing.T) {
	holder := newIdentity(t, "rsa", "holder")
	holderOfKey := func(keyInfo string) change { return swap(bearerConfirmation, holderConfirmation(keyInfo)) }
	for _, u := range []gazelleUser{
		{"invalidversion", swap(`Version="2.0"`, `Version="1.9"`), false, Unsupported},
		{"missingversion", swap(` Version="2.0"`, ``), false, Malformed},
		{"missingsubjectconfirmation", swap(bearerConfirmation, ``), false, Confirmation},
		{"missingsubjectconfirmationmethod", swap(` Method="`+string(Bearer)+`"`, ``), false, Malformed},
		{"missingsubject", cutElement("Subject"), false, Malformed},
		{"missingsubjectnameid", swap(nameIDElement, ``), false, Malformed},
		{"missingissuerformat", unchanged, false, ""},
		{"invalidissueremailformat", swap(`<saml2:Issuer>urn:example:idp`, `<saml2:Issuer Format="urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress">idpexample`), false, UntrustedIssuer},
		{"invalidissuerx509format", swap(`<saml2:Issuer>urn:example:idp`, `<saml2:Issuer Format="urn:oasis:names:tc:SAML:1.1:nameid-format:X509SubjectName">idp@example`), false, UntrustedIssuer},
		{"missingissueinstant", swap(issueInstant, ``), false, Malformed},
		{"invalidissueinstant", swap(issueInstant, `IssueInstant="testIssueInstant"`), false, Malformed},
		{"lateissueinstant", swap(issueInstant, `IssueInstant="2117-06-16T14:03:18.064Z"`), false, NotYetValid},
		{"invalidsubjectnameidformat", swap(`urn:oasis:names:tc:SAML:2.0:nameid-format:persistent`, `testFormat`), false, Malformed},
		{"missingsubjectconfdata", swap(`:cm:bearer`, `:cm:holder-of-key`), false, Confirmation},
		{"missingsubjectconfirmationkeyinfo", swap(bearerConfirmation, `<saml2:SubjectConfirmation Method="`+string(HolderOfKey)+`"><saml2:SubjectConfirmationData/></saml2:SubjectConfirmation>`), false, Confirmation},
		{"missingsubjectconfrsapublickeyexponent", holderOfKey(`<ds:KeyValue><ds:RSAKeyValue><ds:Modulus>` + b64(holder.certificate.Raw) + `</ds:Modulus></ds:RSAKeyValue></ds:KeyValue>`), false, Confirmation},
		{"invalidsubjectconfrsapublickeymodulus", holderOfKey(`<ds:KeyValue><ds:RSAKeyValue><ds:Modulus>testModulus</ds:Modulus><ds:Exponent>AQAB</ds:Exponent></ds:RSAKeyValue></ds:KeyValue>`), false, Confirmation},
		{"invalidsubjectconfrsapublickeyexponent", holderOfKey(`<ds:KeyValue><ds:RSAKeyValue><ds:Modulus>` + b64(holder.certificate.Raw) + `</ds:Modulus><ds:Exponent>testExponent</ds:Exponent></ds:RSAKeyValue></ds:KeyValue>`), false, Confirmation},
		{"acpvalid", swap(endAssertion, decision("Permit")+endAssertion), false, ""},
	} {
		t.Run(u.name, u.run)
	}
	idp := newIdentity(t, "rsa", "idp")
	for name, spoil := range map[string]change{
		"missingid": swap(` ID="_a1"`, ``), "invalidid": swap(` ID="_a1"`, ` ID="testID"`),
		"invalidsignature": swap(`<ds:SignatureValue>`, `<ds:SignatureValue>AAAA`), "missingissuer": swap(`<saml2:Issuer>urn:example:idp</saml2:Issuer>`, ``),
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := validate(t, newTestValidator(t, idp, connectathonPolicy), spoil(idp.issue(t))); err == nil {
				t.Error("accepted")
			}
		})
	}
}
