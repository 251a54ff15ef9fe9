package xmlsec

import (
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"strings"
	"testing"
)

const unsignedAssertion = `<a:Assertion xmlns:a="urn:a" ID="one"><a:Issuer>i</a:Issuer><!--signature--><a:Subject Id="s">x</a:Subject></a:Assertion>`

// signEnveloped puts a signature over the root into it.
func signEnveloped(t testing.TB, key crypto.Signer, document string) string {
	t.Helper()
	root := parse(t, document).Root()
	id, _ := root.Attr("", "ID")
	signature, err := AppendSignature(nil, rand.Reader, key, []Reference{{ID: id, Node: root, Enveloped: true}}, []byte("<ds:KeyName>k</ds:KeyName>"))
	if err != nil {
		t.Fatal(err)
	}
	return strings.Replace(document, "<!--signature-->", string(signature), 1)
}

func TestEnveloped(t *testing.T) {
	key := newKey(t, "p256")
	// As in a message, where it is not the root.
	d := parse(t, `<m xmlns:unused="urn:u">`+signEnveloped(t, key, unsignedAssertion)+`</m>`)
	assertion, err := d.Root().Only("urn:a", "Assertion")
	if err != nil {
		t.Fatal(err)
	}
	s, err := ParseEnvelopedSignature(assertion, Algorithms{})
	if err != nil {
		t.Fatal(err)
	}
	v, err := s.Verify(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	subject, _ := assertion.Only("urn:a", "Subject")
	signature, _ := assertion.Only(NamespaceDSig, "Signature")
	for n, want := range map[Node]bool{assertion: true, subject: false, signature: false, d.Root(): false} {
		if got := v.Covers(n); got != want {
			t.Errorf("Covers(%s) = %v, want %v", n.Local(), got, want)
		}
	}
	if _, err := s.Verify(newKey(t, "p256").Public()); !errors.Is(err, ErrSignature) {
		t.Errorf("another key: got %v, want ErrSignature", err)
	}
}

func TestEnvelopedRefuses(t *testing.T) {
	key := newKey(t, "p256")
	signed := signEnveloped(t, key, unsignedAssertion)
	_, rest, _ := strings.Cut(signed, "<ds:Signature ")
	body, _, _ := strings.Cut(rest, "</ds:Signature>")
	signature := "<ds:Signature " + body + "</ds:Signature>"
	inner := `<a:Advice>` + strings.Replace(signed, signature, "", 1) + `</a:Advice>`
	forged := `<a:Assertion xmlns:a="urn:a" ID="two">` + signature + `<a:Subject>evil</a:Subject>%</a:Assertion>`
	for name, c := range map[string]struct {
		in   string
		want error
	}{
		"as it is":            {signed, nil},
		"changed":             {strings.Replace(signed, ">x<", ">y<", 1), ErrDigest},
		"no signature":        {unsignedAssertion, ErrMalformed},
		"two signatures":      {strings.Replace(signed, signature, signature+signature, 1), ErrMalformed},
		"signature deeper":    {strings.Replace(signed, signature, "<w>"+signature+"</w>", 1), ErrMalformed},
		"over another part":   {strings.Replace(signed, `URI="#one"`, `URI="#s"`, 1), ErrReference},
		"over nothing":        {strings.Replace(signed, `URI="#one"`, `URI="#none"`, 1), ErrReference},
		"over the document":   {strings.Replace(signed, `URI="#one"`, `URI=""`, 1), ErrReference},
		"not enveloped":       {strings.Replace(signed, `<ds:Transform Algorithm="`+EnvelopedSignature+`"></ds:Transform>`, "", 1), ErrReference},
		"known by another Id": {strings.Replace(strings.Replace(signed, `ID="one"`, `ID="one" Id="two"`, 1), `URI="#one"`, `URI="#two"`, 1), ErrReference},
		"duplicate ID":        {strings.Replace(signed, `Id="s"`, `Id="one"`, 1), ErrReference},
		"original in Advice":  {strings.Replace(forged, "%", inner, 1), ErrReference},
		"original gone":       {strings.Replace(forged, "%", "", 1), ErrReference},
		"same ID as original": {strings.Replace(strings.Replace(forged, "%", inner, 1), "two", "one", 1), ErrReference},
		"object":              {strings.Replace(signed, "</ds:KeyInfo>", "</ds:KeyInfo><ds:Object/>", 1), ErrMalformed},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := ParseEnvelopedSignature(parse(t, c.in).Root(), Algorithms{})
			if err == nil {
				_, err = s.Verify(key.Public())
			}
			if !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
	// The signature must stand in the very element: further in, it would leave out its surroundings unnoticed.
	deep := parse(t, `<a ID="one"><b>`+signature+`</b></a>`)
	for n := range deep.Walk() {
		if n.Is(NamespaceDSig, "Signature") {
			if _, err := ParseSignature(n, Algorithms{}); !errors.Is(err, ErrReference) {
				t.Errorf("signature in a grandchild: got %v, want ErrReference", err)
			}
		}
	}
}

// TestDereference: an STR-Transform signs what the reference stands for.
func TestDereference(t *testing.T) {
	key := newKey(t, "p256")
	const message = `<m xmlns="urn:m" xmlns:w="` + namespaceWSSE + `"><w:SecurityTokenReference Id="str"/><token xmlns="">t</token><!--signature--></m>`
	d := parse(t, message)
	token, _ := d.Root().Only("", "token")
	const canonical = `<token xmlns="">t</token>` // the default namespace is written though there is none
	sum := sha256.Sum256([]byte(canonical))
	right := base64Of(sum[:])
	if got := base64Of(newWorkspace().sum(crypto.SHA256, token, C14NOptions{emptyDefault: true})); got != right {
		t.Errorf("digest of the token is %s, want %s", got, right)
	}
	info := signedInfo(ECDSASHA256, SHA256, []Reference{{ID: "str", Node: parse(t, canonical).Root()}})
	transform := `<ds:Transform Algorithm="` + ExclusiveC14N + `"></ds:Transform>`
	parameters := `<w:TransformationParameters xmlns:w="` + namespaceWSSE + `"><ds:CanonicalizationMethod Algorithm="` + ExclusiveC14N + `"></ds:CanonicalizationMethod></w:TransformationParameters>`
	plain, digest, _ := strings.Cut(info, "<ds:DigestValue>")
	_, digest, _ = strings.Cut(digest, "</ds:DigestValue>")
	info = plain + "<ds:DigestValue>" + right + "</ds:DigestValue>" + digest
	via := func(content string) string {
		return strings.Replace(info, transform, `<ds:Transform Algorithm="`+STRTransform+`">`+content+`</ds:Transform>`, 1)
	}
	toToken := func(n Node) (Node, error) {
		if n.Is(namespaceWSSE, "SecurityTokenReference") {
			return n.Document().Root().Only("", "token")
		}
		return Node{}, errors.New("not a reference")
	}
	failing := errors.New("no token")
	for _, c := range []struct {
		name, info  string
		dereference Dereference
		want        error
	}{
		{"token", via(parameters), toToken, nil},
		{"nobody dereferences", via(parameters), nil, ErrAlgorithm},
		{"no token", via(parameters), func(Node) (Node, error) { return Node{}, failing }, failing},
		{"zero token", via(parameters), func(Node) (Node, error) { return Node{}, nil }, ErrReference},
		{"another token", via(parameters), func(n Node) (Node, error) { return n, nil }, ErrDigest},
		{"no parameters", via(""), toToken, ErrMalformed},
		{"parameters twice", via(parameters + parameters), toToken, ErrMalformed},
		{"no canonicalisation", via(`<w:TransformationParameters xmlns:w="` + namespaceWSSE + `"/>`), toToken, ErrMalformed},
		{"inclusive canonicalisation", via(strings.Replace(parameters, ExclusiveC14N, "http://www.w3.org/TR/2001/REC-xml-c14n-20010315", 1)), toToken, ErrAlgorithm},
		{"another transform after it", strings.Replace(via(parameters), "</ds:Transforms>", transform+"</ds:Transforms>", 1), toToken, ErrMalformed},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := parse(t, strings.Replace(message, "<!--signature-->", resign(t, key, ECDSASHA256, c.info), 1))
			element, _ := d.Root().Only(NamespaceDSig, "Signature")
			s, err := ParseMessageSignature(element, Algorithms{}, c.dereference)
			var v Verified
			if err == nil {
				v, err = s.Verify(key.Public())
			}
			if !errors.Is(err, c.want) {
				t.Fatalf("got %v, want %v", err, c.want)
			}
			if c.want == nil {
				token, _ := d.Root().Only("", "token")
				str, _ := d.Root().Only(namespaceWSSE, "SecurityTokenReference")
				if !v.Covers(token) || v.Covers(str) {
					t.Error("covered is not the token alone")
				}
			}
		})
	}
}
