package saml

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"math/big"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"collimate/internal/sharedfiles"
	"collimate/xmlsec"
	"collimate/xua"
)

// real is an assertion out of a message that somebody has published.
type real struct {
	file string
	// published is why it is refused as it stands, with its own key trusted and the clock within its time: not
	// one is accepted, since publishers edit what they publish. With SHA-1 allowed it is publishedSHA1.
	published, publishedSHA1 Code
	// ownKey says that the message has the key that its issuer signed with, complete; otherwise another stands in.
	ownKey bool
	// reissued is what becomes of it when its issuer signs it again, "" if it is then accepted; see want.
	reissued Code
	// want is then the person.
	want xua.Person
}

// The people in the messages, who have been made up by those who published them.
var (
	annAndrews = xua.Person{
		NameID: "7601002469191", Name: "Ann Andrews", Organization: "Auryn-Spital", OrganizationID: "urn:oid:2.16.10.89.201",
		Roles:         xua.Codes{{Code: "HCP", System: "2.16.756.5.30.1.127.3.10.6", SystemName: "eHealth Suisse EPR Actors", DisplayName: "HealthCare Professional"}},
		PurposesOfUse: xua.Codes{{Code: "NORM", System: "2.16.756.5.30.1.127.3.10.5", SystemName: "eHealth Suisse Verwendungszweck", DisplayName: "Normalzugriff"}},
	}
	kvartGrevling = xua.Person{
		NameID: "06828399789", Name: "KVART GREVLING", Organization: "VOSS HERAD", OrganizationID: "960510542^^^&2.16.578.1.12.4.1.4.101&ISO",
		HomeCommunityID: "2.16.578.1.12.4.1.7.1.1",
		Roles:           xua.Codes{{Code: "LE", System: "2.16.578.1.12.4.1.1.9060", SystemName: "Kategori helsepersonell", DisplayName: "Lege"}},
		PurposesOfUse:   xua.Codes{{Code: "TREAT", System: "2.16.840.1.113883.1.11.20448", SystemName: "PurposeOfUse (HL7)", DisplayName: "Treatment"}},
	}
	subjectOfCare = xua.Codes{{Code: "13", System: "1.0.14265.1", SystemName: "ISO 14265 Classification of Purposes for processing personal health information", DisplayName: "Subject of care uses"}}
	saligJordbaer = xua.Person{
		NameID: "29844697323", Name: `Salig Jordb\u00E6r`, Organization: "Norsk Helsenett", OrganizationID: "994598759",
		HomeCommunityID: "urn:oid:2.16.578.1.12.4.1.7.1.1", PurposesOfUse: subjectOfCare,
	}
	rettferdigSavanne = xua.Person{
		NameID: "27888498775", Name: "Rettferdig Savanne", Organization: "Norsk Helsenett", OrganizationID: "994598759",
		HomeCommunityID: "urn:oid:2.16.578.1.12.4.1.7.1.1", PurposesOfUse: subjectOfCare,
	}
)

func sarahStone(organization string) xua.Person {
	return xua.Person{
		NameID: "9801003538489", Name: "Sarah Stone", Organization: organization, OrganizationID: "urn:oid:1.3.6.1.4.1.21367.2017.2.6.19.100.2",
		HomeCommunityID: "urn:oid:1.3.6.1.4.1.21367.2017.2.6.19",
		Roles:           xua.Codes{{Code: "HCP", System: "2.16.756.5.30.1.127.3.10.6", SystemName: "eHealth Suisse EPR Actors", DisplayName: "Healthcare professional"}},
		PurposesOfUse:   xua.Codes{{Code: "EMER", System: "2.16.756.5.30.1.127.3.10.5", SystemName: "eHealth Suisse Verwendungszweck", DisplayName: "Notfallzugriff"}},
	}
}

func TestRealMessages(t *testing.T) {
	for _, r := range realMessages {
		t.Run(strings.ReplaceAll(r.file, "/", "_"), r.run)
	}
}

func (r real) run(t *testing.T) {
	b := sharedfiles.Read(t, "ihe/vectors/"+r.file)
	b = []byte(strings.TrimPrefix(string(b), "\ufeff"))
	d, err := xmlsec.Parse(b, xmlsec.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	n := firstAssertion(d)
	config := Config{Now: func() time.Time { return within(n) }, Audiences: audiencesOf(n), AnyRecipient: true}
	if len(config.Audiences) == 0 {
		config.Audiences = []string{testAudience}
	}
	idp := newIdentity(t, "rsa", "idp")
	issuer := Issuer{Name: issuerOf(t, n), Certificates: []*x509.Certificate{ownCertificate(t, n, idp, config.Now())}}
	if own := !idp.key.Public().(*rsa.PublicKey).Equal(issuer.Certificates[0].PublicKey); own != r.ownKey {
		t.Errorf("got a key of the message's own %v, want %v", own, r.ownKey)
	}

	for sha1, want := range map[bool]Code{false: r.published, true: r.publishedSHA1} {
		issuer.SHA1 = sha1
		config.Issuers = []Issuer{issuer}
		v, err := NewValidator(config)
		if err != nil {
			t.Fatal(err)
		}
		_, err = v.Validate(n)
		wantCode(t, err, want)
	}

	config.Issuers[0].Certificates = []*x509.Certificate{makeIdentity(t, idp.key, func(c *x509.Certificate) {
		c.NotBefore, c.NotAfter = config.Now().Add(-time.Hour), config.Now().Add(time.Hour)
	}).certificate}
	v, err := NewValidator(config)
	if err != nil {
		t.Fatal(err)
	}
	a, err := v.Validate(parse(t, reissue(t, n, idp)))
	if r.reissued != "" {
		wantCode(t, err, r.reissued)
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	got := a.Person()
	r.want.Issuer, r.want.AssertionID = got.Issuer, got.AssertionID
	if got != r.want {
		t.Errorf("got  %+v\nwant %+v", got, r.want)
	}
}

func firstAssertion(d *xmlsec.Document) xmlsec.Node {
	for n := range d.Walk() {
		if n.Is(Namespace, "Assertion") {
			return n
		}
	}
	return xmlsec.Node{}
}

// within is a second after NotBefore, or after IssueInstant.
func within(n xmlsec.Node) time.Time {
	t, _, _ := instant(n, "IssueInstant")
	if c, ok := n.Child(Namespace, "Conditions"); ok {
		t, _, _ = instant(c, "NotBefore")
	}
	return t.Add(time.Second)
}

func audiencesOf(n xmlsec.Node) (list []string) {
	c, _ := n.Child(Namespace, "Conditions")
	r, _ := c.Child(Namespace, "AudienceRestriction")
	for a := range r.Elements() {
		s, _ := text(a)
		list = append(list, s)
	}
	return list
}

func issuerOf(t *testing.T, n xmlsec.Node) string {
	c, err := n.Only(Namespace, "Issuer")
	if err != nil {
		t.Fatal(err)
	}
	s, _ := text(c)
	return s
}

// ownCertificate is for the key in the signature's own KeyInfo, as if we trusted it; the stand-in if there is none.
func ownCertificate(t *testing.T, n xmlsec.Node, standIn identity, now time.Time) *x509.Certificate {
	var key crypto.PublicKey = standIn.key.Public()
	signature, _ := n.Child(xmlsec.NamespaceDSig, "Signature")
	keyInfo, _ := signature.Child(xmlsec.NamespaceDSig, "KeyInfo")
	holder := &Assertion{Method: HolderOfKey}
	if err := readHolder(holder, keyInfo); err == nil {
		key = holder.HolderKey
	}
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour), KeyUsage: x509.KeyUsageDigitalSignature,
	}, standIn.certificate, key, standIn.key)
	if err != nil {
		t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// reissue has the assertion signed again, as it was published.
func reissue(t *testing.T, n xmlsec.Node, idp identity) string {
	s := string(xmlsec.AppendC14N(nil, n, xmlsec.C14NOptions{InclusivePrefixes: []string{"xs", "xsi", "ds"}}))
	if signature, ok := n.Child(xmlsec.NamespaceDSig, "Signature"); ok {
		old := regexp.MustCompile(`(?s)<(ds:)?Signature[ >].*?</(ds:)?Signature>`)
		if signature.Prefix() != "" && signature.Prefix() != "ds" {
			t.Fatalf("unexpected prefix %s", signature.Prefix())
		}
		i := old.FindStringIndex(s)
		s = s[:i[0]] + s[i[1]:]
	}
	id, _ := n.Attr("", "ID")
	d, err := xmlsec.Parse([]byte(s), xmlsec.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	refs, err := d.References(id)
	if err != nil {
		t.Fatal(err)
	}
	refs[0].Enveloped = true
	made, err := xmlsec.Signing{Key: idp.key, Random: rand.Reader}.Append(nil, refs)
	if err != nil {
		t.Fatal(err)
	}
	issuer, _ := d.Root().Child(Namespace, "Issuer")
	_, end := issuer.Range()
	return s[:end] + string(made) + s[end:]
}

// TestRealSignatures: of the assertions with SHA-1 that have not been edited, the signatures are right, and it is
// the structure of the assertion that is refused: they say neither when nor for whom they are valid.
func TestRealSignatures(t *testing.T) {
	for _, file := range []string{"wss-signature/tk3-signature-validHeader.xml", "wss-signature/tk3-signature-invalidHeaderTimestampTampered.xml"} {
		b := sharedfiles.Read(t, "ihe/vectors/"+file)
		n := firstAssertion(parse(t, string(b)).Document())
		if _, err := xmlsec.ParseEnvelopedSignature(n, xmlsec.Algorithms{}); err == nil {
			t.Errorf("%s: SHA-1 is accepted without being asked for", file)
		}
		s, err := xmlsec.ParseEnvelopedSignature(n, xmlsec.Algorithms{SHA1: true})
		if err != nil {
			t.Fatal(err)
		}
		key := ownCertificate(t, n, newIdentity(t, "rsa", "idp"), testNow).PublicKey
		verified, err := s.Verify(key)
		if err != nil || !verified.Covers(n) || !verified.SHA1() {
			t.Errorf("%s: %v", file, err)
		}
	}
}

// TestRealUnindented takes the white space between the elements out again, which publishers put in. Then four
// messages are what their issuers signed, and are accepted by the issuers' own keys; of three the signature value
// is right and the assertion has been edited; of one it is not known what else was changed.
func TestRealUnindented(t *testing.T) {
	between := regexp.MustCompile(`>\s+<`)
	for _, c := range []struct {
		file  string
		cause error // nil: accepted
	}{
		{"xua/xcads-SamlToken01.xml", nil},
		{"iti43/xcads-iti43-iti40-request.xml", nil},
		{"iti39/xcads-iti39-iti40-request-hn.xml", nil},
		{"iti39/xcads-iti39-iti40-request-kj-async.xml", nil},
		{"xua/epd-assertion_only.xml", xmlsec.ErrDigest},
		{"iti38/xcads-iti38-iti40-request-hn-acp-1.xml", xmlsec.ErrDigest},
		{"iti38/xcads-iti38-iti40-request-kj.xml", xmlsec.ErrDigest},
		{"iti18/epd-ITI-18_request_raw.xml", xmlsec.ErrSignature},
	} {
		t.Run(strings.ReplaceAll(c.file, "/", "_"), func(t *testing.T) {
			b := sharedfiles.Read(t, "ihe/vectors/"+c.file)
			message := between.ReplaceAllString(strings.TrimPrefix(string(b), "\ufeff"), "><")
			n := firstAssertion(parse(t, message).Document())
			now := within(n)
			v, err := NewValidator(Config{
				Issuers: []Issuer{{Name: issuerOf(t, n), SHA1: true,
					Certificates: []*x509.Certificate{ownCertificate(t, n, newIdentity(t, "rsa", "idp"), now)}}},
				Audiences: audiencesOf(n), AnyRecipient: true, Now: func() time.Time { return now },
			})
			if err != nil {
				t.Fatal(err)
			}
			a, err := v.Validate(n)
			if !errors.Is(err, c.cause) {
				t.Fatalf("got %v, want %v", err, c.cause)
			}
			if c.cause != nil {
				return
			}
			want := realMessages[slices.IndexFunc(realMessages, func(r real) bool { return r.file == c.file })].want
			got := a.Person()
			want.Issuer, want.AssertionID = got.Issuer, got.AssertionID
			if got != want || a.SHA1 {
				t.Errorf("got  %+v\nwant %+v", got, want)
			}
		})
	}
}

// TestRealEdited: the Swiss requests 1 to 7 say RSA-SHA1, have no KeyInfo, and one signature between them, over seven
// different assertions, whose value has 40 bytes: no RSA key is as short, it is the length of DSA's. So whichever
// key their issuer has, they are refused.
func TestRealEdited(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(sharedfiles.Path(t, "ihe/vectors/xua"), "epd-[1-7]_*.xml"))
	if err != nil || len(files) != 7 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	signatures, contents := map[string]bool{}, map[string]bool{}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		n := firstAssertion(parse(t, strings.TrimPrefix(string(b), "\ufeff")).Document())
		s, err := xmlsec.ParseEnvelopedSignature(n, xmlsec.Algorithms{SHA1: true})
		if err != nil || !s.KeyInfo().IsZero() {
			t.Fatalf("%s: %v, KeyInfo %v", file, err, s.KeyInfo())
		}
		signature, _ := n.Child(xmlsec.NamespaceDSig, "Signature")
		value, _ := signature.Child(xmlsec.NamespaceDSig, "SignatureValue")
		if raw, err := xmlsec.DecodeBase64(value, 1024); err != nil || len(raw) != 40 {
			t.Errorf("%s: value of %d bytes, %v", file, len(raw), err)
		}
		said, _ := n.Child(Namespace, "AttributeStatement")
		signatures[string(xmlsec.AppendC14N(nil, signature, xmlsec.C14NOptions{}))] = true
		contents[string(xmlsec.AppendC14N(nil, said, xmlsec.C14NOptions{}))] = true
	}
	if len(signatures) != 1 || len(contents) != 7 {
		t.Errorf("%d signatures over %d contents, want 1 over 7", len(signatures), len(contents))
	}
}

// TestRealMessagesAreAll: no sample that holds an assertion is left out.
func TestRealMessagesAreAll(t *testing.T) {
	for _, dir := range []string{"xua", "negative-xua", "wss-signature"} {
		entries, err := os.ReadDir(sharedfiles.Path(t, "ihe/vectors/"+dir))
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			name := dir + "/" + e.Name()
			if strings.HasSuffix(name, ".xml") && !slices.ContainsFunc(realMessages, func(r real) bool { return r.file == name }) {
				t.Errorf("%s is not in the table", name)
			}
		}
	}
}

// The Swiss requests 1 to 7 are no RSA key's: see TestRealEdited. Why others do not verify is in TestRealUnindented, as
// far as it is known.
var realMessages = []real{
	{file: "xua/connect-complete_saml.xml", published: Malformed, publishedSHA1: Malformed, reissued: Malformed}, // no Conditions, no signature
	{file: "xua/epd-1_Get_X-User_Assertion_Request-Healthcare_Provider.xml", published: Algorithm, publishedSHA1: BadSignature, want: xua.Person{NameID: "33166"}},
	{file: "xua/epd-2_Get_X-User_Assertion_Request-Assistant.xml", published: Algorithm, publishedSHA1: BadSignature, want: xua.Person{NameID: "33165"}},
	{file: "xua/epd-3_Get_X-User_Assertion_Request-Technical_User.xml", published: Algorithm, publishedSHA1: BadSignature, reissued: Audience}, // no AudienceRestriction
	{file: "xua/epd-4_Get_X-User_Assertion_Request-Patient.xml", published: Algorithm, publishedSHA1: BadSignature, want: xua.Person{NameID: "33111"}},
	{file: "xua/epd-5_Get_X-User_Assertion_Request-Representative.xml", published: Algorithm, publishedSHA1: BadSignature, want: xua.Person{NameID: "33999"}},
	{file: "xua/epd-6_Get_X-User_Assertion_Request-Policy-Administrator.xml", published: Algorithm, publishedSHA1: BadSignature, want: xua.Person{NameID: "33111"}},
	{file: "xua/epd-7_Get_X-User_Assertion_Request-Document-Administrator.xml", published: Algorithm, publishedSHA1: BadSignature, want: xua.Person{NameID: "33111"}},
	{file: "xua/epd-GetXAssertion_request_raw.xml", published: BadSignature, publishedSHA1: BadSignature, want: xua.Person{NameID: "d04bff0e2094d3391c6bdf38fa1a669990f9b93a054d240ffbf0ace40b409996"}}, // value omitted
	{file: "xua/epd-assertion_only.xml", published: BadSignature, publishedSHA1: BadSignature, ownKey: true, want: annAndrews},
	{file: "xua/ipf-saml2-assertion-for-xua.xml", published: Malformed, publishedSHA1: Malformed, reissued: Malformed},                     // no AuthnStatement
	{file: "xua/tk3-sets-connect4RequestSecHeader.xml", published: Malformed, publishedSHA1: Malformed, ownKey: true, reissued: Malformed}, // no Conditions
	{file: "xua/xcads-IT_SamlToken_HN01.xml", published: Malformed, publishedSHA1: Malformed, want: saligJordbaer},                         // base64 with JSON escapes
	{file: "xua/xcads-SamlToken01.xml", published: BadSignature, publishedSHA1: BadSignature, ownKey: true, want: kvartGrevling},
	// From here on without Conditions: what North America sent before 2014.
	{file: "negative-xua/connect-saml_missingValues.xml", published: Malformed, publishedSHA1: Malformed, reissued: Malformed},
	{file: "negative-xua/tk3-bad-invalidSubjectConfirmationSchema.xml", published: Malformed, publishedSHA1: Malformed, ownKey: true, reissued: Malformed},
	{file: "negative-xua/tk3-validHeader.xml", published: Malformed, publishedSHA1: Malformed, ownKey: true, reissued: Malformed},
	{file: "wss-signature/tk3-signature-invalidHeaderTimestampTampered.xml", published: Malformed, publishedSHA1: Malformed, ownKey: true, reissued: Malformed},
	{file: "wss-signature/tk3-signature-validHeader.xml", published: Malformed, publishedSHA1: Malformed, ownKey: true, reissued: Malformed},
	{file: "wss-signature/tk3-signature-wsseHeaderTemplate.xml", published: Malformed, publishedSHA1: Malformed, reissued: Malformed},
	// Whole requests.
	{file: "iti18/epd-ITI-18_request_raw.xml", published: Algorithm, publishedSHA1: BadSignature, ownKey: true, want: sarahStone("Post CH AG")},
	{file: "iti43/epd-ITI-43_request_raw.xml", published: Malformed, publishedSHA1: Malformed, want: sarahStone("Health CH AG")}, // value cut short
	{file: "iti43/xcads-iti43-iti40-request.xml", published: BadSignature, publishedSHA1: BadSignature, ownKey: true, want: kvartGrevling},
	{file: "iti38/xcads-iti38-iti40-request-hn-acp-1.xml", published: BadSignature, publishedSHA1: BadSignature, ownKey: true, want: rettferdigSavanne},
	{file: "iti38/xcads-iti38-iti40-request-kj.xml", published: BadSignature, publishedSHA1: BadSignature, ownKey: true, want: kvartGrevling},
	{file: "iti39/xcads-iti39-iti40-request-hn.xml", published: BadSignature, publishedSHA1: BadSignature, ownKey: true, want: rettferdigSavanne},
	{file: "iti39/xcads-iti39-iti40-request-kj-async.xml", published: BadSignature, publishedSHA1: BadSignature, ownKey: true, want: kvartGrevling},
}
