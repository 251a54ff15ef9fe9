package xmlsec_test

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"strings"

	"collimate/xmlsec"
)

func ExampleParse() {
	_, err := xmlsec.Parse([]byte("<a>\n  <b></a>\n"), xmlsec.Limits{})
	var syntax *xmlsec.SyntaxError
	if errors.As(err, &syntax) {
		fmt.Println(syntax.Line, syntax.Column, syntax.Msg)
	}

	d, err := xmlsec.Parse([]byte(`<a xmlns="urn:a"><b n="1">one</b><b n="2">two</b></a>`), xmlsec.Limits{})
	if err != nil {
		fmt.Println(err)
		return
	}
	for b := range d.Root().Elements() {
		n, _ := b.Attr("", "n")
		text, _ := b.Text()
		fmt.Println(b.Local(), n, text)
	}
	// Output:
	// 2 6 end tag does not match the start tag
	// b 1 one
	// b 2 two
}

func ExampleAppendC14N() {
	d, err := xmlsec.Parse([]byte(`<a:r xmlns:a="urn:a" xmlns:unused="urn:u"><a:e z='1' b="2"/></a:r>`), xmlsec.Limits{})
	if err != nil {
		fmt.Println(err)
		return
	}
	e, _ := d.Root().Only("urn:a", "e")
	fmt.Println(string(xmlsec.AppendC14N(nil, e, xmlsec.C14NOptions{})))
	// Output:
	// <a:e xmlns:a="urn:a" b="2" z="1"></a:e>
}

func ExampleSignature_Verify() {
	// Signing: the Id names the part.
	key := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	const message = `<order><item Id="i1">apples</item><note>urgent</note></order>`
	d, err := xmlsec.Parse([]byte(message), xmlsec.Limits{})
	if err != nil {
		fmt.Println(err)
		return
	}
	parts, err := d.References("i1")
	if err != nil {
		fmt.Println(err)
		return
	}
	signature, err := xmlsec.AppendSignature(nil, nil, key, parts, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	signed := strings.Replace(message, "</order>", string(signature)+"</order>", 1)

	// Verifying: find the signature by its place, and ask what it covers.
	d, err = xmlsec.Parse([]byte(signed), xmlsec.Limits{})
	if err != nil {
		fmt.Println(err)
		return
	}
	element, err := d.Root().Only(xmlsec.NamespaceDSig, "Signature")
	if err != nil {
		fmt.Println(err)
		return
	}
	s, err := xmlsec.ParseSignature(element, xmlsec.Algorithms{})
	if err != nil {
		fmt.Println(err)
		return
	}
	verified, err := s.Verify(key.Public())
	if err != nil {
		fmt.Println(err)
		return
	}
	for part := range d.Root().Elements() {
		fmt.Println(part.Local(), verified.Covers(part))
	}
	// Output:
	// item true
	// note false
	// Signature false
}

// An assertion is signed by a signature within itself.
func ExampleParseEnvelopedSignature() {
	key := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	const assertion = `<Assertion ID="a1"><Issuer>north</Issuer><!--here--><Subject>andrews</Subject></Assertion>`
	d, err := xmlsec.Parse([]byte(assertion), xmlsec.Limits{})
	if err != nil {
		fmt.Println(err)
		return
	}
	signing := xmlsec.Signing{Key: key, KeyInfo: []byte("<ds:KeyName>north</ds:KeyName>")}
	signature, err := signing.Append(nil, []xmlsec.Reference{{ID: "a1", Node: d.Root(), Enveloped: true}})
	if err != nil {
		fmt.Println(err)
		return
	}
	signed := strings.Replace(assertion, "<!--here-->", string(signature), 1)
	for _, message := range []string{signed, strings.Replace(signed, "andrews", "mallory", 1)} {
		d, err := xmlsec.Parse([]byte(message), xmlsec.Limits{})
		if err != nil {
			fmt.Println(err)
			return
		}
		s, err := xmlsec.ParseEnvelopedSignature(d.Root(), xmlsec.Algorithms{})
		if err != nil {
			fmt.Println(err)
			return
		}
		verified, err := s.Verify(key.Public())
		fmt.Println(verified.Covers(d.Root()), err)
	}
	// Output:
	// true <nil>
	// false digest does not match the referenced element
}
