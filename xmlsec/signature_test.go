package xmlsec

import (
	"crypto"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestSignAndVerify(t *testing.T) {
	for kind, algorithm := range map[string]string{
		"rsa": RSASHA256, "p256": ECDSASHA256, "p384": ECDSASHA384, "ed25519": Ed25519,
	} {
		t.Run(kind, func(t *testing.T) {
			key := newKey(t, kind)
			message := signEnvelope(t, key, "to", "body")
			d, s, err := parseSigned(t, message)
			if err != nil {
				t.Fatal(err)
			}
			v, err := s.Verify(key.Public())
			if err != nil {
				t.Fatal(err)
			}
			if v.Algorithm() != algorithm {
				t.Errorf("got algorithm %s, want %s", v.Algorithm(), algorithm)
			}
			if !key.Public().(interface{ Equal(crypto.PublicKey) bool }).Equal(v.Key()) {
				t.Error("Verified has another key than the signer")
			}
			header, _ := d.Root().Only("http://www.w3.org/2003/05/soap-envelope", "Header")
			body, _ := d.Root().Only("http://www.w3.org/2003/05/soap-envelope", "Body")
			to, _ := header.Only("http://www.w3.org/2005/08/addressing", "To")
			action, _ := header.Only("http://www.w3.org/2005/08/addressing", "Action")
			request, _ := body.Only("urn:ihe:iti:xds-b:2007", "Request")
			for n, want := range map[Node]bool{body: true, to: true, action: false, header: false, request: false, {}: false} {
				if got := v.Covers(n); got != want {
					t.Errorf("Covers(%s) = %v, want %v", n.Local(), got, want)
				}
			}
			// The same element of another reading of the same bytes is another element.
			d2, _, _ := parseSigned(t, message)
			body2, _ := d2.Root().Only("http://www.w3.org/2003/05/soap-envelope", "Body")
			if v.Covers(body2) {
				t.Error("a node of another document is covered")
			}
			other := newKey(t, kind)
			if _, err := s.Verify(other.Public()); !errors.Is(err, ErrSignature) {
				t.Errorf("verifying with another key: got %v, want ErrSignature", err)
			}
			tampered := strings.Replace(message, "2.25.1", "2.25.2", 1)
			_, s, err = parseSigned(t, tampered)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := s.Verify(key.Public()); !errors.Is(err, ErrDigest) {
				t.Errorf("verifying a changed body: got %v, want ErrDigest", err)
			}
		})
	}
	if (Verified{}).Key() != nil || (Verified{}).Covers(Node{}) {
		t.Error("the zero Verified covers something")
	}
}

// signedInfo is the ds:SignedInfo that a Signing would sign.
func signedInfo(algorithm, digest string, refs []Reference) string {
	hash, _ := digestHash(digest)
	return string(Signing{Algorithm: algorithm, Digest: digest}.appendSignedInfo(nil, newWorkspace(), hash, refs))
}

// resign builds a signature by hand, so that its SignedInfo can be of any form; the value is right.
func resign(t testing.TB, key crypto.Signer, algorithm, signedInfo string) string {
	t.Helper()
	d, err := Parse([]byte(signedInfo), Limits{})
	if err != nil {
		t.Fatalf("parsing %.200q: %v", signedInfo, err)
	}
	s, ok := signatureScheme(algorithm)
	if !ok {
		s = scheme{familyRSA, crypto.SHA256}
	}
	value, err := s.sign(rand.Reader, key, s.message(newWorkspace(), AppendC14N(nil, d.Root(), C14NOptions{})))
	if err != nil {
		t.Fatal(err)
	}
	return `<ds:Signature xmlns:ds="` + NamespaceDSig + `">` + signedInfo + "<ds:SignatureValue>" +
		base64.StdEncoding.EncodeToString(value) + "</ds:SignatureValue><ds:KeyInfo/></ds:Signature>"
}

func TestAlgorithmsPairWithKeys(t *testing.T) {
	keysOf := map[string]crypto.Signer{}
	for _, kind := range []string{"rsa", "p256", "p384", "ed25519"} {
		keysOf[kind] = newKey(t, kind)
	}
	accepts := map[string][]string{
		"rsa":     {RSASHA256, RSASHA384, RSASHA512, PSSSHA256, PSSSHA384, PSSSHA512},
		"p256":    {ECDSASHA256, ECDSASHA384, ECDSASHA512},
		"p384":    {ECDSASHA256, ECDSASHA384, ECDSASHA512},
		"ed25519": {Ed25519},
	}
	for kind, key := range keysOf {
		for _, algorithm := range accepts[kind] {
			info := signedInfo(algorithm, SHA256, referencesTo(t, "body"))
			_, s, err := parseSigned(t, strings.Replace(envelope, "<!--signature-->", resign(t, key, algorithm, info), 1))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := s.Verify(key.Public()); err != nil {
				t.Errorf("%s with %s: %v", kind, algorithm, err)
			}
			for other, otherKey := range keysOf {
				sameFamily := other[0] == kind[0]
				_, err := s.Verify(otherKey.Public())
				if want := ErrAlgorithm; !sameFamily && !errors.Is(err, want) {
					t.Errorf("%s signature, %s key: got %v, want %v", algorithm, other, err, want)
				}
				if want := ErrSignature; sameFamily && other != kind && !errors.Is(err, want) {
					t.Errorf("%s signature, %s key: got %v, want %v", algorithm, other, err, want)
				}
			}
			if _, err := s.Verify(newKey(t, "p521").Public()); !errors.Is(err, ErrAlgorithm) {
				t.Errorf("P-521: got %v, want ErrAlgorithm", err)
			}
			if _, err := s.Verify("a string"); !errors.Is(err, ErrAlgorithm) {
				t.Errorf("no key: got %v, want ErrAlgorithm", err)
			}
		}
	}
}

func referencesTo(t testing.TB, ids ...string) []Reference {
	t.Helper()
	d, err := Parse([]byte(envelope), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	refs, err := d.References(ids...)
	if err != nil {
		t.Fatal(err)
	}
	return refs
}

// TestSignatureForms changes SignedInfo before it is signed, so that it is the form that is refused and not
// the signature value.
func TestSignatureForms(t *testing.T) {
	key := newKey(t, "rsa")
	exc := `<ds:Transform Algorithm="` + ExclusiveC14N + `"></ds:Transform>`
	digest := `<ds:DigestMethod Algorithm="` + SHA256 + `"></ds:DigestMethod>`
	method := `<ds:SignatureMethod Algorithm="` + RSASHA256 + `"></ds:SignatureMethod>`
	transform := func(algorithm, content string) string {
		return `<ds:Transform Algorithm="` + algorithm + `">` + content + `</ds:Transform>`
	}
	enveloped := transform(EnvelopedSignature, "")
	prefixes := func(list string) string {
		return transform(ExclusiveC14N, `<e:InclusiveNamespaces xmlns:e="`+ExclusiveC14N+`" PrefixList="`+list+`"/>`)
	}
	for _, c := range []struct {
		name, old, new string
		want           error // nil: accepted
	}{
		{"as it is", "", "", nil},
		{"enveloped-signature transform first", exc, enveloped + exc, nil},
		{"with comments", exc, transform(ExclusiveC14NWithComments, ""), nil},
		{"prefix list that adds nothing", exc, prefixes("nothing"), nil},
		{"prefix list at its limit", exc, prefixes(strings.Repeat("n ", maxPrefixes)), nil},
		{"prefix list beyond its limit", exc, prefixes(strings.Repeat("n ", maxPrefixes+1)), ErrMalformed},
		{"two prefix lists", exc, transform(ExclusiveC14N, strings.Repeat(`<e:InclusiveNamespaces xmlns:e="`+ExclusiveC14N+`"/>`, 2)), ErrMalformed},
		{"unknown c14n parameter", exc, transform(ExclusiveC14N, "<x/>"), ErrMalformed},
		{"enveloped-signature twice", exc, enveloped + enveloped + exc, ErrAlgorithm},
		{"enveloped-signature with content", exc, transform(EnvelopedSignature, "<x/>") + exc, ErrMalformed},
		{"enveloped-signature last", exc, exc + enveloped, ErrMalformed},
		{"enveloped-signature alone", exc, enveloped, ErrMalformed},
		{"no transform", exc, "", ErrMalformed},
		{"two canonicalisations", exc, exc + exc, ErrMalformed},
		{"ten thousand transforms", exc, strings.Repeat(exc, 10000), ErrMalformed},
		{"inclusive c14n", exc, transform("http://www.w3.org/TR/2001/REC-xml-c14n-20010315", ""), ErrAlgorithm},
		{"XPath", exc, transform("http://www.w3.org/TR/1999/REC-xpath-19991116", "<ds:XPath>true()</ds:XPath>") + exc, ErrAlgorithm},
		{"XPath alone", exc, transform("http://www.w3.org/TR/1999/REC-xpath-19991116", "<ds:XPath>true()</ds:XPath>"), ErrAlgorithm},
		{"XPath filter 2", exc, transform("http://www.w3.org/2002/06/xmldsig-filter2", ""), ErrAlgorithm},
		{"XSLT", exc, transform("http://www.w3.org/TR/1999/REC-xslt-19991116", ""), ErrAlgorithm},
		{"base64 transform", exc, transform("http://www.w3.org/2000/09/xmldsig#base64", ""), ErrAlgorithm},
		{"STR-Transform", exc, transform("http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-soap-message-security-1.0#STR-Transform", ""), ErrAlgorithm},
		{"other element as transform", exc, "<ds:Other/>" + exc, ErrMalformed},
		{"SHA-1 digest", SHA256, "http://www.w3.org/2000/09/xmldsig#sha1", ErrAlgorithm},
		{"MD5 digest", SHA256, "http://www.w3.org/2001/04/xmldsig-more#md5", ErrAlgorithm},
		{"no digest algorithm", digest, "<ds:DigestMethod/>", ErrAlgorithm},
		{"digest parameters", digest, `<ds:DigestMethod Algorithm="` + SHA256 + `"><x/></ds:DigestMethod>`, ErrMalformed},
		{"two digest methods", digest, digest + digest, ErrMalformed},
		{"SHA-1 signature", RSASHA256, "http://www.w3.org/2000/09/xmldsig#rsa-sha1", ErrAlgorithm},
		{"MD5 signature", RSASHA256, "http://www.w3.org/2001/04/xmldsig-more#rsa-md5", ErrAlgorithm},
		{"HMAC", RSASHA256, "http://www.w3.org/2001/04/xmldsig-more#hmac-sha256", ErrAlgorithm},
		{"DSA", RSASHA256, "http://www.w3.org/2009/xmldsig11#dsa-sha256", ErrAlgorithm},
		{"no signature algorithm", method, "<ds:SignatureMethod/>", ErrAlgorithm},
		{"HMACOutputLength", method, `<ds:SignatureMethod Algorithm="` + RSASHA256 + `"><ds:HMACOutputLength>1</ds:HMACOutputLength></ds:SignatureMethod>`, ErrMalformed},
		{"inclusive SignedInfo", `<ds:CanonicalizationMethod Algorithm="` + ExclusiveC14N, `<ds:CanonicalizationMethod Algorithm="http://www.w3.org/2006/12/xml-c14n11`, ErrAlgorithm},
		{"empty URI", `URI="#body"`, `URI=""`, ErrReference},
		{"no URI", ` URI="#body"`, ``, ErrReference},
		{"only a hash", `URI="#body"`, `URI="#"`, ErrReference},
		{"XPointer root", `URI="#body"`, `URI="#xpointer(/)"`, ErrReference},
		{"XPointer id", `URI="#body"`, `URI="#xpointer(id('body'))"`, ErrReference},
		{"http URI", `URI="#body"`, `URI="http://evil.example/"`, ErrReference},
		{"file URI", `URI="#body"`, `URI="file:///etc/passwd"`, ErrReference},
		{"cid URI", `URI="#body"`, `URI="cid:part"`, ErrReference},
		{"unknown Id", `URI="#body"`, `URI="#nobody"`, ErrReference},
		{"the signature itself", `<ds:Reference URI="#body"`, `<ds:Reference Id="self" URI="#self"`, ErrReference},
		{"Manifest reference type is no way in", `<ds:Reference `, `<ds:Reference Type="http://www.w3.org/2000/09/xmldsig#Manifest" `, nil},
		{"other element among references", `</ds:SignedInfo>`, `<ds:Object/></ds:SignedInfo>`, ErrMalformed},
		{"other namespace", `<ds:DigestValue>`, `<ds:DigestValue xmlns:ds="urn:other">`, ErrMalformed},
		{"digest not base64", `<ds:DigestValue>`, `<ds:DigestValue>*`, ErrMalformed},
		{"digest of great length", `<ds:DigestValue>`, `<ds:DigestValue>` + strings.Repeat("A", maxDigestText), ErrMalformed},
		{"empty digest", `<ds:DigestValue>`, `<ds:DigestValue/><ds:DigestValue>`, ErrMalformed},
		{"element in the digest", `<ds:DigestValue>`, `<ds:DigestValue><x/>`, ErrMalformed},
	} {
		t.Run(c.name, func(t *testing.T) {
			info := signedInfo(RSASHA256, SHA256, referencesTo(t, "body"))
			if !strings.Contains(info, c.old) {
				t.Fatalf("SignedInfo has no %q", c.old)
			}
			info = strings.Replace(info, c.old, c.new, 1)
			_, s, err := parseSigned(t, strings.Replace(envelope, "<!--signature-->", resign(t, key, RSASHA256, info), 1))
			if err == nil {
				_, err = s.Verify(key.Public())
			}
			if !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
}

// TestSignatureElement changes the signature around SignedInfo.
func TestSignatureElement(t *testing.T) {
	key := newKey(t, "p256")
	for _, c := range []struct {
		name, old, new string
		want           error
	}{
		{"as it is", "", "", nil},
		{"line breaks in the value", "<ds:SignatureValue>", "<ds:SignatureValue>\n  ", nil},
		{"ds:Object", "</ds:KeyInfo>", "</ds:KeyInfo><ds:Object/>", ErrMalformed},
		{"no KeyInfo", "<ds:KeyInfo><ds:KeyName>k</ds:KeyName></ds:KeyInfo>", "", nil},
		{"ds:Object and no KeyInfo", "<ds:KeyInfo><ds:KeyName>k</ds:KeyName></ds:KeyInfo>", "<ds:Object/>", ErrMalformed},
		{"two KeyInfo", "<ds:KeyInfo>", "<ds:KeyInfo/><ds:KeyInfo>", ErrMalformed},
		{"KeyInfo first", "<ds:SignedInfo", "<ds:KeyInfo/><ds:SignedInfo", ErrMalformed},
		{"two SignedInfo", "<ds:SignedInfo", "<ds:SignedInfo/><ds:SignedInfo", ErrMalformed},
		{"two values", "<ds:SignatureValue>", "<ds:SignatureValue/><ds:SignatureValue>", ErrMalformed},
		{"value not base64", "<ds:SignatureValue>", "<ds:SignatureValue>?", ErrMalformed},
		{"long value", "<ds:SignatureValue>", "<ds:SignatureValue>" + strings.Repeat("AAAA", 512), ErrMalformed},
		{"longer value", "<ds:SignatureValue>", "<ds:SignatureValue>AAAA", ErrSignature},
		{"duplicate wsu:Id", `<s:Header>`, `<s:Header wsu:Id="body">`, ErrReference},
		{"duplicate by Id", `<s:Header>`, `<s:Header Id="body">`, ErrReference},
		{"duplicate by ID", `<s:Header>`, `<s:Header ID="body">`, ErrReference},
		{"duplicate by xml:id", `<s:Header>`, `<s:Header xml:id="body">`, ErrReference},
		{"duplicate that nothing refers to", `<r:Id>`, `<r:Id Id="action">`, ErrReference},
		{"lower-case id is not an Id", `<r:Id>`, `<r:Id id="to">`, ErrDigest},
		{"Id of the signature", `<ds:Signature `, `<ds:Signature Id="signature" `, nil},
		{"comment in a signed part", `<r:Id>`, `<r:Id><!-- c -->`, nil},
		{"CDATA in a signed part", `2.25.1`, `<![CDATA[2.2]]>5.1`, nil},
		{"instruction in a signed part", `<r:Id>`, `<r:Id><?p?>`, ErrDigest},
		{"prefix rebound in a signed part", `<r:Id>`, `<r:Id xmlns:r="urn:evil">`, ErrDigest},
		{"default namespace in a signed part", `<r:Id>`, `<r:Id xmlns="urn:evil">`, nil}, // not used, so not part of it
		{"white space in a signed part", `<r:Id>`, ` <r:Id>`, ErrDigest},
		{"attribute in a signed part", `<r:Id>`, `<r:Id a="">`, ErrDigest},
	} {
		t.Run(c.name, func(t *testing.T) {
			message := signEnvelope(t, key, "to", "body")
			if !strings.Contains(message, c.old) {
				t.Fatalf("message has no %q", c.old)
			}
			_, s, err := parseSigned(t, strings.Replace(message, c.old, c.new, 1))
			if err == nil {
				_, err = s.Verify(key.Public())
			}
			if !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
}

// TestECDSAEncoding: one signature has one spelling.
func TestECDSAEncoding(t *testing.T) {
	key := newKey(t, "p256")
	message := signEnvelope(t, key, "body")
	before, rest, _ := strings.Cut(message, "<ds:SignatureValue>")
	text, after, _ := strings.Cut(rest, "</ds:SignatureValue>")
	value, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(value) != 64 {
		t.Fatalf("signature of %d bytes, %v; want 64", len(value), err)
	}
	der := []byte{0x30, 0, 2, 33, 0}
	der = append(append(append(der, value[:32]...), 2, 33, 0), value[32:]...)
	der[1] = byte(len(der) - 2)
	for name, bad := range map[string][]byte{
		"DER":          der,
		"padded":       append(append(append(make([]byte, 1), value[:32]...), 0), value[32:]...),
		"short":        value[:63],
		"empty":        {},
		"zero":         make([]byte, 64),
		"more":         append(append([]byte{}, value...), 0),
		"r and s swap": append(append([]byte{}, value[32:]...), value[:32]...),
	} {
		encoded := base64.StdEncoding.EncodeToString(bad)
		_, s, err := parseSigned(t, before+"<ds:SignatureValue>"+encoded+"</ds:SignatureValue>"+after)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Verify(key.Public()); !errors.Is(err, ErrSignature) {
			t.Errorf("%s: got %v, want ErrSignature", name, err)
		}
	}
}

func TestAllowList(t *testing.T) {
	message := signEnvelope(t, newKey(t, "p256"), "body")
	d, _, _ := parseSigned(t, message)
	var signature Node
	for n := range d.Walk() {
		if n.Is(NamespaceDSig, "Signature") {
			signature = n
		}
	}
	for _, c := range []struct {
		allowed Algorithms
		want    error
	}{
		{Algorithms{}, nil},
		{Algorithms{Signatures: []string{RSASHA256, ECDSASHA256}, Digests: []string{SHA256}}, nil},
		{Algorithms{Signatures: []string{RSASHA256}}, ErrAlgorithm},
		{Algorithms{Digests: []string{SHA512}}, ErrAlgorithm},
		// A list widens nothing: what is not known is not accepted for being listed.
		{Algorithms{Signatures: []string{"http://www.w3.org/2000/09/xmldsig#rsa-sha1"}}, ErrAlgorithm},
	} {
		if _, err := ParseSignature(signature, c.allowed); !errors.Is(err, c.want) {
			t.Errorf("allowing %v: got %v, want %v", c.allowed, err, c.want)
		}
	}
	if _, err := ParseSignature(d.Root(), Algorithms{}); !errors.Is(err, ErrMalformed) {
		t.Errorf("something else than a signature: got %v, want ErrMalformed", err)
	}
	if _, err := ParseSignature(Node{}, Algorithms{}); !errors.Is(err, ErrMalformed) {
		t.Errorf("no signature: got %v, want ErrMalformed", err)
	}
}

func TestSigningRefuses(t *testing.T) {
	if _, err := AppendSignature(nil, rand.Reader, newKey(t, "p521"), referencesTo(t, "body"), nil); !errors.Is(err, ErrAlgorithm) {
		t.Errorf("P-521: got %v, want ErrAlgorithm", err)
	}
	d, err := Parse([]byte(envelope), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.References("nobody"); !errors.Is(err, ErrReference) {
		t.Errorf("unknown Id: got %v, want ErrReference", err)
	}
	if _, err := fixedLength([]byte("not DER"), 32); err == nil {
		t.Error("a signature that is not DER is taken")
	}
}

// TestXMLSec1 has another implementation verify what we sign.
func TestXMLSec1(t *testing.T) {
	tool, err := exec.LookPath("xmlsec1")
	if err != nil {
		t.Skip("xmlsec1 is not installed")
	}
	for _, kind := range []string{"rsa", "p256", "p384"} {
		key := newKey(t, kind)
		file := filepath.Join(t.TempDir(), "message.xml")
		message := strings.ReplaceAll(signEnvelope(t, key, "to", "action", "body"), "<ds:KeyName>k</ds:KeyName>", "")
		if err := os.WriteFile(file, []byte(message), 0o600); err != nil {
			t.Fatal(err)
		}
		args := []string{"--verify", "--pubkey-pem", writePublicKey(t, key.Public())}
		for _, e := range []string{
			"http://www.w3.org/2005/08/addressing:To", "http://www.w3.org/2005/08/addressing:Action",
			"http://www.w3.org/2003/05/soap-envelope:Body",
		} {
			args = append(args, "--id-attr:Id", e)
		}
		if out, err := exec.Command(tool, append(args, file)...).CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", kind, err, out)
		}
	}
}
