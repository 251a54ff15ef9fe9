package saml

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"collimate/xmlsec"
	"collimate/xua"
)

// rule is an assertion that the trusted issuer signed as it is, so that only the rule can refuse it.
type rule struct {
	name   string
	change change
	config func(*Config)
	want   Code // "": accepted
}

func (r rule) run(t *testing.T) {
	idp := newIdentity(t, "p256", "idp")
	message := idp.issue(t, r.change)
	a, err := validate(t, newTestValidator(t, idp, r.config), message)
	if r.want == "" {
		if err != nil {
			t.Fatal(err)
		}
		return
	}
	if a != nil {
		t.Fatal("got an assertion beside the error")
	}
	wantCode(t, err, r.want)
	checkIntact(t, message, idp)
}

// checkIntact makes sure that the signature of the assertion at the root is right: a failing signature would
// hide a missing rule.
func checkIntact(t *testing.T, message string, idp identity) {
	t.Helper()
	signature, err := parse(t, message).Only(xmlsec.NamespaceDSig, "Signature")
	if err != nil {
		t.Fatalf("the signature is not intact: %v", err)
	}
	s, err := xmlsec.ParseSignature(signature, xmlsec.Algorithms{})
	if err != nil {
		t.Fatalf("the signature is not intact: %v", err)
	}
	if _, err := s.Verify(idp.key.Public()); err != nil {
		t.Fatalf("the signature is not intact: %v", err)
	}
}

func runRules(t *testing.T, rules []rule) {
	for _, r := range rules {
		t.Run(r.name, r.run)
	}
}

const (
	issueInstant = `IssueInstant="2026-11-21T07:59:30.000Z"`
	notBefore    = `NotBefore="2026-11-21T07:59:30.000Z"`
	notOnOrAfter = `NotOnOrAfter="2026-11-21T08:04:30.000Z"`
)

func TestStructure(t *testing.T) {
	runRules(t, []rule{
		{"Version 1.9", swap(`Version="2.0"`, `Version="1.9"`), nil, Unsupported},
		{"Version 2.00", swap(`Version="2.0"`, `Version="2.00"`), nil, Unsupported},
		{"no Version", swap(` Version="2.0"`, ``), nil, Malformed},
		{"IssueInstant missing", swap(issueInstant, ``), nil, Malformed},
		{"IssueInstant no time", swap(issueInstant, `IssueInstant="testIssueInstant"`), nil, Malformed},
		{"attribute of another namespace", swap(` Version="2.0"`, ` Version="2.0" xmlns:x="urn:x" x:y="z"`), nil, Malformed},
		{"ID of another namespace", swap(` Version="2.0"`, ` Version="2.0" xmlns:x="urn:x" x:ID="evil"`), nil, Malformed},
		{"element by another name", func(s string) string { return strings.ReplaceAll(s, "saml2:Assertion", "saml2:Evidence") }, nil, Malformed},
		{"second identifier", swap(` Version="2.0"`, ` Version="2.0" Id="_a2"`), nil, Malformed},
		{"xsi attribute", swap(` Version="2.0"`, ` Version="2.0" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="saml2:AssertionType"`), nil, ""},
		{"Issuer empty", swap(`>urn:example:idp<`, `> <`), nil, Malformed},
		{"Issuer with child elements", swap(`>urn:example:idp<`, `>urn:example:<saml2:idp/>idp<`), nil, Malformed},
		{"Issuer with line breaks around", swap(`>urn:example:idp<`, ">\n\turn:example:idp\n<"), nil, ""},
		{"Issuer of another Format", swap(`<saml2:Issuer>`, `<saml2:Issuer Format="urn:oasis:names:tc:SAML:2.0:nameid-format:entity">`), nil, ""},
		{"Issuer Format no URI", swap(`<saml2:Issuer>`, `<saml2:Issuer Format="testFormat">`), nil, Malformed},
		{"Issuer repeated", swap(endIssuer, endIssuer+"<saml2:Issuer>urn:example:other</saml2:Issuer >"), nil, Malformed},
		{"no Subject", cutElement("Subject"), nil, Malformed},
		{"two Subjects", swap(`</saml2:Subject>`, `</saml2:Subject><saml2:Subject><saml2:NameID>evil</saml2:NameID></saml2:Subject>`), nil, Malformed},
		{"no Conditions", cutElement("Conditions"), nil, Malformed},
		{"two Conditions", swap(endConditions, endConditions+`<saml2:Conditions/>`), nil, Malformed},
		{"Conditions after statements", chain(cutElement("Conditions"), swap(endAssertion, conditions+endAssertion)), nil, Malformed},
		{"Conditions before Subject", chain(cutElement("Conditions"), swap(`<saml2:Subject>`, conditions+`<saml2:Subject>`)), nil, Malformed},
		{"Advice", swap(endConditions, endConditions+`<saml2:Advice><x:any xmlns:x="urn:x"/></saml2:Advice>`), nil, ""},
		{"two Advices", swap(endConditions, endConditions+`<saml2:Advice/><saml2:Advice/>`), nil, Malformed},
		{"Advice after a statement", swap(endAssertion, `<saml2:Advice/>`+endAssertion), nil, Malformed},
		{"statements in another order", chain(swap(authnStatement, ``), swap(endAssertion, authnStatement+endAssertion)), nil, ""},
		{"statement of another kind", swap(endAssertion, `<saml2:Statement xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:x="urn:x" xsi:type="x:T"/>`+endAssertion), nil, Unsupported},
		{"foreign child", swap(endAssertion, `<x:E xmlns:x="urn:x"/>`+endAssertion), nil, Malformed},
		{"child by the name of Issuer in another namespace", swap(endIssuer, endIssuer+`<x:Issuer xmlns:x="urn:x"/>`), nil, Malformed},
		{"child of ds that is no Signature", swap(endAssertion, `<ds:Object xmlns:ds="http://www.w3.org/2000/09/xmldsig#"/>`+endAssertion), nil, Malformed},
		{"16 statements", swap(endAssertion, strings.Repeat(`<saml2:AttributeStatement/>`, maxStatements-2)+endAssertion), nil, ""},
		{"17 statements", swap(endAssertion, strings.Repeat(`<saml2:AttributeStatement/>`, maxStatements-1)+endAssertion), nil, Malformed},
	})
}

// cutElement takes out the first saml2 element of that name.
func cutElement(local string) change {
	return func(s string) string {
		i := strings.Index(s, "<saml2:"+local)
		end := "</saml2:" + local + ">"
		j := strings.Index(s, end)
		if i < 0 || j < i {
			panic("sample has no " + local)
		}
		return s[:i] + s[j+len(end):]
	}
}

const conditions = `<saml2:Conditions NotBefore="2026-11-21T07:59:30.000Z" NotOnOrAfter="2026-11-21T08:04:30.000Z">` + restriction + endConditions

func TestSize(t *testing.T) {
	idp := newIdentity(t, "p256", "idp") // whose signatures have one length
	const open, end = `<saml2:Attribute Name="padding">`, `</saml2:Attribute>`
	room := maxBytes - len(idp.issue(t)) - len(open) - len(end)
	for _, c := range []struct {
		size int
		want Code
	}{{maxBytes, ""}, {maxBytes + 1, Malformed}} {
		message := idp.issue(t, swap(endAttributes, open+strings.Repeat(" ", room+c.size-maxBytes)+end+endAttributes))
		if len(message) != c.size {
			t.Fatalf("sample has %d bytes, want %d", len(message), c.size)
		}
		_, err := validate(t, newTestValidator(t, idp, nil), message)
		if c.want != "" {
			wantCode(t, err, c.want)
		} else if err != nil {
			t.Errorf("%d bytes: %v", c.size, err)
		}
	}
}

func TestID(t *testing.T) {
	idp := newIdentity(t, "p256", "idp")
	for _, c := range []struct {
		name, id string
		want     Code
	}{
		{"letters", "Assertion_3efb", ""},
		{"digits first, as CONNECT", "0a7e2d9f-7990-4bee-b6ca-e5bd31aa808c", ""},
		{"as long as may be", strings.Repeat("a", maxID), ""},
		{"too long", strings.Repeat("a", maxID+1), Malformed},
		{"white space inside", "_a b", Malformed},
	} {
		t.Run(c.name, func(t *testing.T) {
			message := idp.sign(t, swap(`ID="_a1"`, `ID="`+c.id+`"`)(template), c.id)
			a, err := validate(t, newTestValidator(t, idp, nil), message)
			if c.want != "" {
				wantCode(t, err, c.want)
				return
			}
			if err != nil || a.ID != c.id {
				t.Fatalf("got %v, %v", a, err)
			}
		})
	}
	for _, m := range []string{swap(`ID="_a1"`, ``)(idp.issue(t)), swap(`ID="_a1"`, `ID=""`)(idp.issue(t))} {
		_, err := validate(t, newTestValidator(t, idp, nil), m)
		wantCode(t, err, Malformed)
	}
}

func TestSubject(t *testing.T) {
	data := func(attributes string) change {
		return swap(bearerConfirmation, `<saml2:SubjectConfirmation Method="`+string(Bearer)+`"><saml2:SubjectConfirmationData `+attributes+`/></saml2:SubjectConfirmation>`)
	}
	inside := func(content string) change {
		return swap(bearerConfirmation, `<saml2:SubjectConfirmation Method="`+string(Bearer)+`">`+content+`</saml2:SubjectConfirmation>`)
	}
	ours := func(c *Config) { c.Recipients = []string{"https://north.example/xua"} }
	anyone := func(c *Config) { c.AnyRecipient = true }
	held := holderConfirmation(x509Data(newIdentity(t, "p256", "holder")))
	runRules(t, []rule{
		{"NameID missing", swap(nameIDElement, ``), nil, Malformed},
		{"NameID empty", swap(`>7601002469191<`, `><`), nil, Malformed},
		{"NameID Format no URI", swap(`urn:oasis:names:tc:SAML:2.0:nameid-format:persistent`, `testFormat`), nil, Malformed},
		{"NameID as long as may be", swap(`>7601002469191<`, `>`+strings.Repeat("7", maxText)+`<`), nil, ""},
		{"NameID too long", swap(`>7601002469191<`, `>`+strings.Repeat("7", maxText+1)+`<`), nil, Malformed},
		{"SPProvidedID too long", swap(`"andrews"`, `"`+strings.Repeat("a", maxText+1)+`"`), nil, Malformed},
		{"two NameIDs", swap(nameIDElement, nameIDElement+`<saml2:NameID>evil</saml2:NameID>`), nil, Malformed},
		{"NameID after the confirmation", swap(nameIDElement+bearerConfirmation, bearerConfirmation+nameIDElement), nil, Malformed},
		{"NameID of another namespace", swap(nameIDElement, `<x:NameID xmlns:x="urn:x">evil</x:NameID>`), nil, Malformed},
		{"EncryptedID", swap(nameIDElement, `<saml2:EncryptedID/>`), nil, Unsupported},
		{"BaseID", swap(nameIDElement, `<saml2:BaseID/>`), nil, Unsupported},
		{"no confirmation", swap(bearerConfirmation, ``), nil, Confirmation},
		{"two confirmations", swap(bearerConfirmation, bearerConfirmation+`<saml2:SubjectConfirmation Method="`+string(HolderOfKey)+`"/>`), nil, Confirmation},
		{"bearer twice", swap(bearerConfirmation, bearerConfirmation+bearerConfirmation), nil, Confirmation},
		{"holder-of-key or bearer", swap(bearerConfirmation, held+bearerConfirmation), nil, Confirmation},
		{"bearer or holder-of-key", swap(bearerConfirmation, bearerConfirmation+held), nil, Confirmation},
		{"unknown child of Subject", swap(bearerConfirmation, bearerConfirmation+`<saml2:Audience/>`), nil, Malformed},
		{"Method missing", swap(` Method="urn:oasis:names:tc:SAML:2.0:cm:bearer"`, ``), nil, Malformed},
		{"Method unknown", swap(`:cm:bearer`, `:cm:carrier`), nil, Unsupported},
		{"Method of SAML 1", swap(`SAML:2.0:cm:bearer`, `SAML:1.0:cm:bearer`), nil, Unsupported},
		{"sender-vouches", swap(`:cm:bearer`, `:cm:sender-vouches`), nil, ""},
		{"holder-of-key without data", swap(`:cm:bearer`, `:cm:holder-of-key`), nil, Confirmation},
		{"confirmer", inside(`<saml2:NameID>assistant</saml2:NameID>`), nil, ""},
		{"two confirmers", inside(`<saml2:NameID>a</saml2:NameID><saml2:NameID>b</saml2:NameID>`), nil, Malformed},
		{"confirmer after data", inside(`<saml2:SubjectConfirmationData/><saml2:NameID>a</saml2:NameID>`), nil, Malformed},
		{"confirmer encrypted", inside(`<saml2:EncryptedID/>`), nil, Unsupported},
		{"two data", inside(`<saml2:SubjectConfirmationData/><saml2:SubjectConfirmationData/>`), nil, Malformed},
		{"data of another namespace", inside(`<x:SubjectConfirmationData xmlns:x="urn:x"/>`), nil, Malformed},
		{"data with attributes of an assistant", inside(`<saml2:SubjectConfirmationData><saml2:AttributeStatement/></saml2:SubjectConfirmationData>`), nil, ""},
		{"bearer with a key", inside(`<saml2:SubjectConfirmationData><ds:KeyInfo xmlns:ds="http://www.w3.org/2000/09/xmldsig#"/></saml2:SubjectConfirmationData>`), nil, Confirmation},
		{"InResponseTo, Address", data(`InResponseTo="x" Address="192.0.2.1"`), nil, ""},
		{"data expired", data(`NotOnOrAfter="2026-11-21T07:59:00Z"`), nil, Expired},
		{"data expired within skew", data(`NotOnOrAfter="2026-11-21T07:59:00.001Z"`), nil, ""},
		{"data not yet valid", data(`NotBefore="2026-11-21T08:01:00.001Z"`), nil, NotYetValid},
		{"data not yet valid within skew", data(`NotBefore="2026-11-21T08:01:00Z"`), nil, ""},
		{"data no time", data(`NotOnOrAfter="soon"`), nil, Malformed},
		{"Recipient, none configured", data(`Recipient="https://north.example/xua"`), nil, Audience},
		{"Recipient ours", data(`Recipient="https://north.example/xua"`), ours, ""},
		{"Recipient another", data(`Recipient="https://south.example/xua"`), ours, Audience},
		{"Recipient ours as a prefix", data(`Recipient="https://north.example/xua/"`), ours, Audience},
		{"Recipient any", data(`Recipient="https://south.example/xua"`), anyone, ""},
	})
}

// TestConfirmationData: what it says of the time narrows that of Conditions, and never widens it.
func TestConfirmationData(t *testing.T) {
	idp := newIdentity(t, "p256", "idp")
	begin, end := testNow.Add(-30*time.Second), testNow.Add(270*time.Second)
	for _, c := range []struct {
		attributes string
		begin, end time.Time
	}{
		{``, begin, end},
		{`NotBefore="2026-11-21T07:59:40Z"`, begin.Add(10 * time.Second), end},
		{`NotBefore="2026-11-21T07:00:00Z"`, begin, end},
		{`NotOnOrAfter="2026-11-21T08:00:10Z"`, begin, testNow.Add(10 * time.Second)},
		{`NotOnOrAfter="2026-11-21T09:00:00Z"`, begin, end},
		{`NotBefore="2026-11-21T07:59:40Z" NotOnOrAfter="2026-11-21T08:00:10Z"`, begin.Add(10 * time.Second), testNow.Add(10 * time.Second)},
	} {
		data := `<saml2:SubjectConfirmationData Address="192.0.2.1" ` + c.attributes + `/>`
		a, err := validate(t, newTestValidator(t, idp, nil), idp.issue(t, swap(bearerConfirmation,
			`<saml2:SubjectConfirmation Method="`+string(Bearer)+`"><saml2:NameID>assistant</saml2:NameID>`+data+`</saml2:SubjectConfirmation>`)))
		if err != nil {
			t.Fatal(err)
		}
		if !a.NotBefore.Equal(c.begin) || !a.NotOnOrAfter.Equal(c.end) {
			t.Errorf("%s: got %v to %v, want %v to %v", c.attributes, a.NotBefore, a.NotOnOrAfter, c.begin, c.end)
		}
		if a.Address != "192.0.2.1" || a.Confirmer.Value != "assistant" || a.Subject.Value != "7601002469191" {
			t.Errorf("got %+v", a)
		}
	}
}

// TestAuthnTellsTheFirst: of several statements the Assertion tells the first.
func TestAuthnTellsTheFirst(t *testing.T) {
	idp := newIdentity(t, "p256", "idp")
	second := strings.NewReplacer("SmartcardPKI", "Password", "07:30", "07:40").Replace(authnStatement)
	a, err := validate(t, newTestValidator(t, idp, nil), idp.issue(t, swap(authnStatement, authnStatement+second)))
	if err != nil {
		t.Fatal(err)
	}
	if a.AuthnContext != contextPrefix+"SmartcardPKI" || !a.AuthnInstant.Equal(testNow.Add(-30*time.Minute)) {
		t.Errorf("got %s at %v", a.AuthnContext, a.AuthnInstant)
	}
}

func TestConditions(t *testing.T) {
	condition := func(s string) change { return swap(restriction, restriction+s) }
	audiences := func(s string) change { return swap(restriction, s) }
	one := func(audience string) string {
		return `<saml2:AudienceRestriction><saml2:Audience>` + audience + `</saml2:Audience></saml2:AudienceRestriction>`
	}
	store := func(c *Config) { c.OneTime = &memory{} }
	runRules(t, []rule{
		{"NotBefore missing", swap(notBefore, ``), nil, Malformed},
		{"NotOnOrAfter missing", swap(notOnOrAfter, ``), nil, Malformed},
		{"NotBefore no time", swap(notBefore, `NotBefore="2026-11-21"`), nil, Malformed},
		{"NotBefore with an offset", swap(notBefore, `NotBefore="2026-11-21T08:59:30+01:00"`), nil, Malformed},
		{"NotOnOrAfter no time", swap(notOnOrAfter, `NotOnOrAfter=""`), nil, Malformed},
		{"ends when it begins", swap(notOnOrAfter, `NotOnOrAfter="2026-11-21T07:59:30.000Z"`), nil, Malformed},
		{"lives a day", swap(notOnOrAfter, `NotOnOrAfter="2026-11-22T07:59:30Z"`), nil, ""},
		{"lives longer than a day", swap(notOnOrAfter, `NotOnOrAfter="2026-11-22T07:59:30.001Z"`), nil, Policy},
		{"lives as long as configured", swap(notOnOrAfter, notOnOrAfter), func(c *Config) { c.MaxLifetime = 5 * time.Minute }, ""},
		{"lives longer than configured", swap(notOnOrAfter, notOnOrAfter), func(c *Config) { c.MaxLifetime = 5*time.Minute - 1 }, Policy},

		{"no restriction", audiences(``), nil, Audience},
		{"another audience", audiences(one("urn:example:other")), nil, Audience},
		{"audience in another case", audiences(one("URN:example:affinity-domain")), nil, Audience},
		{"audience as a prefix", audiences(one("urn:example:affinity-domain2")), nil, Audience},
		{"audience with white space around", audiences(one("\n urn:example:affinity-domain ")), nil, ""},
		{"audience split by a comment", audiences(one("urn:example:affinity-domain<!-- -->.evil")), nil, Audience},
		{"restriction without audience", audiences(`<saml2:AudienceRestriction/>`), nil, Audience},
		{"ours or another", audiences(`<saml2:AudienceRestriction><saml2:Audience>urn:x</saml2:Audience><saml2:Audience>urn:example:affinity-domain</saml2:Audience></saml2:AudienceRestriction>`), nil, ""},
		{"another or ours", audiences(`<saml2:AudienceRestriction><saml2:Audience>urn:example:affinity-domain</saml2:Audience><saml2:Audience>urn:x</saml2:Audience></saml2:AudienceRestriction>`), nil, ""},
		{"ours and another", audiences(restriction + one("urn:example:other")), nil, Audience},
		{"ours twice", audiences(restriction + restriction), nil, ""},
		{"second of our audiences", audiences(one("urn:example:north")), func(c *Config) { c.Audiences = append(c.Audiences, "urn:example:north") }, ""},
		{"something else in the restriction", audiences(`<saml2:AudienceRestriction><saml2:Audience>urn:example:affinity-domain</saml2:Audience><saml2:Issuer/></saml2:AudienceRestriction>`), nil, Malformed},
		{"foreign element in the restriction", audiences(`<saml2:AudienceRestriction><saml2:Audience>urn:example:affinity-domain</saml2:Audience><x:y xmlns:x="urn:x"/></saml2:AudienceRestriction>`), nil, Malformed},
		{"64 audiences", audiences(`<saml2:AudienceRestriction>` + strings.Repeat(`<saml2:Audience>urn:x</saml2:Audience>`, maxAudiences-1) + `<saml2:Audience>urn:example:affinity-domain</saml2:Audience></saml2:AudienceRestriction>`), nil, ""},
		{"65 audiences", audiences(restriction + `<saml2:AudienceRestriction>` + strings.Repeat(`<saml2:Audience>urn:x</saml2:Audience>`, maxAudiences) + `</saml2:AudienceRestriction>`), nil, Malformed},

		{"unknown condition", condition(`<saml2:Condition xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:x="urn:x" xsi:type="x:T"/>`), nil, Unsupported},
		{"delegation restriction", condition(`<saml2:Condition xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:del="urn:oasis:names:tc:SAML:2.0:conditions:delegation" xsi:type="del:DelegationRestrictionType"/>`), nil, Unsupported},
		{"condition of another namespace", condition(`<x:NotOnMondays xmlns:x="urn:x"/>`), nil, Malformed},
		{"OneTimeUse, nobody remembers", condition(`<saml2:OneTimeUse/>`), nil, Unsupported},
		{"OneTimeUse", condition(`<saml2:OneTimeUse/>`), store, ""},
		{"OneTimeUse twice", condition(`<saml2:OneTimeUse/><saml2:OneTimeUse/>`), store, Malformed},
		{"OneTimeUse not empty", condition(`<saml2:OneTimeUse><saml2:Audience/></saml2:OneTimeUse>`), store, Malformed},
		{"ProxyRestriction", condition(`<saml2:ProxyRestriction Count="0"><saml2:Audience>urn:x</saml2:Audience></saml2:ProxyRestriction>`), nil, ""},
		{"ProxyRestriction without Count", condition(`<saml2:ProxyRestriction/>`), nil, ""},
		{"ProxyRestriction twice", condition(`<saml2:ProxyRestriction/><saml2:ProxyRestriction/>`), nil, Malformed},
		{"ProxyRestriction below zero", condition(`<saml2:ProxyRestriction Count="-1"/>`), nil, Malformed},
		{"ProxyRestriction with something else", condition(`<saml2:ProxyRestriction><saml2:OneTimeUse/></saml2:ProxyRestriction>`), nil, Malformed},
	})
}

// TestClock moves the clock over every edge, with the issuer's clock right, and wrong by the skew that is allowed.
func TestClock(t *testing.T) {
	idp := newIdentity(t, "p256", "idp")
	begin, end := testNow.Add(-30*time.Second), testNow.Add(270*time.Second)
	message := idp.issue(t)
	for _, c := range []struct {
		skew time.Duration
		now  time.Time
		want Code
	}{
		{0, begin.Add(-DefaultSkew), ""},
		{0, begin.Add(-DefaultSkew - 1), NotYetValid},
		{0, begin, ""},
		{0, end.Add(-1), ""},
		{0, end, ""},
		{0, end.Add(DefaultSkew - 1), ""},
		{0, end.Add(DefaultSkew), Expired},
		{1, begin.Add(-1), ""},
		{1, begin.Add(-2), NotYetValid},
		{1, end, ""},
		{1, end.Add(1), Expired},
		{MaxSkew, begin.Add(-MaxSkew), ""},
		{MaxSkew, begin.Add(-MaxSkew - 1), NotYetValid},
		{MaxSkew, end.Add(MaxSkew - 1), ""},
		{MaxSkew, end.Add(MaxSkew), Expired},
	} {
		v := newTestValidator(t, idp, func(cfg *Config) { cfg.Now, cfg.Skew = func() time.Time { return c.now }, c.skew })
		_, err := validate(t, v, message)
		if c.want == "" {
			if err != nil {
				t.Errorf("skew %v, now %v: %v", c.skew, c.now, err)
			}
			continue
		}
		var e *Error
		if !errors.As(err, &e) || e.Code != c.want {
			t.Errorf("skew %v, now %v: got %v, want %s", c.skew, c.now, err, c.want)
		}
	}
	runRules(t, []rule{
		{"issued within skew", swap(issueInstant, `IssueInstant="2026-11-21T08:01:00Z"`), nil, ""},
		{"issued in the future", swap(issueInstant, `IssueInstant="2026-11-21T08:01:00.001Z"`), nil, NotYetValid},
		{"issued in 2117", swap(issueInstant, `IssueInstant="2117-06-16T14:03:18.064Z"`), nil, NotYetValid},
	})
}

func TestAuthn(t *testing.T) {
	context := func(s string) change { return swap(classRef, s) }
	class := func(name string) change {
		return context(`<saml2:AuthnContextClassRef>` + name + `</saml2:AuthnContextClassRef>`)
	}
	only := func(uri string) func(*Config) { return func(c *Config) { c.AuthnContexts = []string{uri} } }
	const declaration = `<saml2:AuthnContextDeclRef>urn:example:card</saml2:AuthnContextDeclRef>`
	runRules(t, []rule{
		{"no statement", swap(authnStatement, ``), nil, Malformed},
		{"AuthnInstant missing", swap(` AuthnInstant="2026-11-21T07:30:00Z"`, ``), nil, Malformed},
		{"AuthnInstant no time", swap(`2026-11-21T07:30:00Z`, `half past seven`), nil, Malformed},
		{"AuthnInstant within skew", swap(`2026-11-21T07:30:00Z`, `2026-11-21T08:01:00Z`), nil, ""},
		{"AuthnInstant in the future", swap(`2026-11-21T07:30:00Z`, `2026-11-21T08:01:00.1Z`), nil, NotYetValid},
		{"session over", swap(`AuthnInstant=`, `SessionNotOnOrAfter="2026-11-21T07:59:00Z" AuthnInstant=`), nil, Expired},
		{"session over within skew", swap(`AuthnInstant=`, `SessionNotOnOrAfter="2026-11-21T07:59:00.1Z" AuthnInstant=`), nil, ""},
		{"session end no time", swap(`AuthnInstant=`, `SessionNotOnOrAfter="late" AuthnInstant=`), nil, Malformed},
		{"SubjectLocality", swap(`Z"><saml2:AuthnContext>`, `Z"><saml2:SubjectLocality/><saml2:AuthnContext>`), nil, ""},
		{"no AuthnContext", swap(`<saml2:AuthnContext>`+classRef+`</saml2:AuthnContext>`, ``), nil, Malformed},
		{"two AuthnContexts", swap(`</saml2:AuthnContext>`, `</saml2:AuthnContext><saml2:AuthnContext/>`), nil, Malformed},
		{"two AuthnContexts, both accepted", swap(`</saml2:AuthnContext>`, `</saml2:AuthnContext><saml2:AuthnContext>`+classRef+`</saml2:AuthnContext >`), nil, Malformed},
		{"two AuthnContexts, the last accepted", swap(`<saml2:AuthnContext>`, `<saml2:AuthnContext><saml2:AuthnContextClassRef>urn:x</saml2:AuthnContextClassRef></saml2:AuthnContext><saml2:AuthnContext>`), nil, Malformed},
		{"SubjectLocality after the context", swap(`</saml2:AuthnContext>`, `</saml2:AuthnContext><saml2:SubjectLocality/>`), nil, Malformed},
		{"AuthnContext empty", context(``), nil, Malformed},
		{"class empty", class(``), nil, Malformed},
		{"class with line breaks", class("\n\t" + contextPrefix + "X509\n"), nil, ""},
		{"two classes", context(classRef + classRef), nil, Malformed},
		{"class unspecified", class(contextPrefix + "unspecified"), nil, ""},
		{"class that SAML does not have", class(contextPrefix + "Invalid"), nil, Policy},
		{"class InternetProtocol", class(contextPrefix + "InternetProtocol"), nil, Policy},
		{"class of somebody else", class("urn:example:card"), nil, Policy},
		{"class of somebody else, configured", class("urn:example:card"), only("urn:example:card"), ""},
		{"class of SAML, another configured", class(contextPrefix + "Password"), only("urn:example:card"), Policy},
		{"declaration", context(declaration), nil, Policy},
		{"declaration, configured", context(declaration), only("urn:example:card"), ""},
		{"class accepted, declaration not", context(classRef + declaration), nil, ""},
		{"declaration accepted, class not", context(classRef + declaration), only("urn:example:card"), Policy},
		{"declaration in place, authority", context(classRef + `<saml2:AuthnContextDecl><x:y xmlns:x="urn:x"/></saml2:AuthnContextDecl><saml2:AuthenticatingAuthority>urn:x</saml2:AuthenticatingAuthority>`), nil, ""},
		{"something else", context(classRef + `<saml2:Audience/>`), nil, Malformed},
		{"two statements", swap(authnStatement, authnStatement+authnStatement), nil, ""},
		{"two statements, the second not accepted", swap(authnStatement, authnStatement+strings.Replace(authnStatement, "SmartcardPKI", "InternetProtocol", 1)), nil, Policy},
		{"decision Permit", swap(endAssertion, decision("Permit")+endAssertion), nil, ""},
		{"decision Deny", swap(endAssertion, decision("Deny")+endAssertion), nil, Policy},
		{"decision Indeterminate", swap(endAssertion, decision("Indeterminate")+endAssertion), nil, Policy},
		{"decision Permit and Deny", swap(endAssertion, decision("Permit")+decision("Deny")+endAssertion), nil, Policy},
	})
}

func decision(d string) string {
	return `<saml2:AuthzDecisionStatement Resource="urn:x" Decision="` + d + `"><saml2:Action Namespace="urn:x">Execute</saml2:Action></saml2:AuthzDecisionStatement>`
}

func TestPolicy(t *testing.T) {
	physician := xua.Code{Code: "PHY", System: "2.999.6"}
	second := swap(roleAttribute, roleAttribute+strings.Replace(roleAttribute, `"HCP"`, `"PHY"`, 1))
	plain := swap(roleAttribute, `<saml2:Attribute Name="urn:oasis:names:tc:xacml:2.0:subject:role"><saml2:AttributeValue>HCP</saml2:AttributeValue></saml2:Attribute>`)
	unchanged := swap(endAssertion, endAssertion)
	roles := func(codes ...xua.Code) func(*Config) { return func(c *Config) { c.Roles = codes } }
	purposes := func(codes ...xua.Code) func(*Config) { return func(c *Config) { c.PurposesOfUse = codes } }
	runRules(t, []rule{
		{"role listed", unchanged, roles(testRole), ""},
		{"role listed by code alone", unchanged, roles(xua.Code{Code: "HCP", System: "urn:oid:2.999.6"}), ""},
		{"role not listed", unchanged, roles(physician), Policy},
		{"role of another system", unchanged, roles(xua.Code{Code: "HCP", System: "2.999.7"}), Policy},
		{"role missing", swap(roleAttribute, ``), roles(testRole), Policy},
		{"role missing and not asked for", swap(roleAttribute, ``), nil, ""},
		{"role in plain text is not the code", plain, roles(testRole), Policy},
		{"two roles, both listed", second, roles(testRole, physician), ""},
		{"two roles, one listed", second, roles(testRole), Policy},
		{"two roles, the other listed", second, roles(physician), Policy},
		{"purpose listed", unchanged, purposes(testPurpose), ""},
		{"purpose not listed", unchanged, purposes(xua.Code{Code: "EMER", System: "2.999.5"}), Policy},
		{"purpose missing", swap(purposeAttribute, ``), purposes(testPurpose), Policy},
		{"role in place of purpose", swap(purposeAttribute, ``), purposes(testRole), Policy},
	})
}

// TestErrorsDoNotQuote: what an assertion says is about people, and errors go into logs and faults.
func TestErrorsDoNotQuote(t *testing.T) {
	idp := newIdentity(t, "p256", "idp")
	v := newTestValidator(t, idp, func(c *Config) { c.Roles = []xua.Code{testRole} })
	const secret = "Jane Patient 1970"
	for name, c := range map[string]change{
		"issuer":        swap(`>urn:example:idp<`, `>`+secret+`<`),
		"elements":      swap(`>7601002469191<`, `>`+secret+`<saml2:x/><`),
		"instant":       swap(`2026-11-21T07:30:00Z`, secret),
		"role":          swap(`code="HCP"`, `code="`+secret+`"`),
		"audience":      swap(`<saml2:Audience>`, `<saml2:Audience>`+secret),
		"class":         swap(contextPrefix, secret),
		"method":        swap(string(Bearer), secret),
		"recipient":     swap(`:cm:bearer"/>`, `:cm:bearer"><saml2:SubjectConfirmationData Recipient="`+secret+`"/></saml2:SubjectConfirmation>`),
		"escaped value": swap(`>Auryn-Spital</saml2:AttributeValue></saml2:Attribute>`, `>A</saml2:AttributeValue></saml2:Attribute><saml2:Attribute Name="urn:oasis:names:tc:xacml:2.0:subject:role"><saml2:AttributeValue>&lt;`+secret+`</saml2:AttributeValue></saml2:Attribute>`),
		"certificate":   swap(bearerConfirmation, holderConfirmation(`<ds:X509Data><ds:X509Certificate>`+secret+`</ds:X509Certificate></ds:X509Data>`)),
	} {
		_, err := validate(t, v, idp.issue(t, c))
		if err == nil {
			t.Errorf("%s: accepted", name)
		} else if text := fmt.Sprintf("%v %+v", err, err); strings.Contains(text, "Patient") {
			t.Errorf("%s: the error quotes the assertion: %s", name, text)
		}
	}
}
