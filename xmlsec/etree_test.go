package xmlsec

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/beevik/etree"
)

// FuzzAgainstEtree holds the parser against an independent one: what this package accepts etree accepts too, and in the
// canonical form both see the same elements, in the same namespaces, with the same attributes and text. A document that
// two parsers read differently is how a signature over one thing is made to cover another.
func FuzzAgainstEtree(f *testing.F) {
	f.Add(sampleMessage(f))
	f.Add([]byte(`<a xmlns="u" xmlns:p="v" p:q="&#65;&#9;"><!-- c --><![CDATA[<]]><p:b xmlns:p="w" xmlns=""><c/>t</p:b> &amp; </a>`))
	f.Add([]byte(`<e xml:lang="ko" a="&lt;&quot;&#10;"><f xmlns:p="u"><p:g xmlns:p="v"/><p:g/></f></e>`))
	for _, c := range malformed {
		f.Add([]byte(c.in))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		d, err := Parse(b, Limits{})
		if err != nil {
			return
		}
		if err := etree.NewDocument().ReadFromBytes(b); err != nil {
			t.Fatalf("accepted what etree refuses: %v\n%q", err, b)
		}
		canonical := AppendC14N(nil, d.Root(), C14NOptions{})
		other := etree.NewDocument()
		if err := other.ReadFromBytes(canonical); err != nil {
			t.Fatalf("etree refuses the canonical form: %v\n%q", err, canonical)
		}
		again, err := Parse(canonical, Limits{MaxBytes: 1 << 30})
		if err != nil {
			t.Fatalf("the canonical form does not parse: %v\n%q", err, canonical)
		}
		var ours, theirs []string
		for n := range again.Walk() {
			ours = append(ours, seen(n))
		}
		walkEtree(other.Root(), &theirs)
		if !slices.Equal(ours, theirs) {
			t.Errorf("two readings of %q\n ours %q\netree %q", canonical, ours, theirs)
		}
	})
}

// seen is what this package reads of an element: its name, attributes, and text if it has no children.
func seen(n Node) string {
	var attrs []string
	for a := range n.Attrs() {
		attrs = append(attrs, fmt.Sprintf("{%s}%s=%q", a.Space, a.Local, a.Value))
	}
	text, err := n.Text()
	if err != nil {
		text = "..." // it has children
	}
	slices.Sort(attrs)
	return fmt.Sprintf("{%s}%s %s %q", n.Space(), n.Local(), attrs, text)
}

func walkEtree(e *etree.Element, to *[]string) {
	var attrs []string
	for _, a := range e.Attr {
		if a.Space == "xmlns" || a.Space == "" && a.Key == "xmlns" {
			continue
		}
		space := ""
		if a.Space == "xml" {
			space = "http://www.w3.org/XML/1998/namespace"
		} else if a.Space != "" {
			space = a.NamespaceURI()
		}
		attrs = append(attrs, fmt.Sprintf("{%s}%s=%q", space, a.Key, a.Value))
	}
	text := "..."
	if len(e.ChildElements()) == 0 {
		var b strings.Builder
		for _, c := range e.Child {
			if data, ok := c.(*etree.CharData); ok {
				b.WriteString(data.Data)
			}
		}
		text = b.String()
	}
	space := e.NamespaceURI()
	if e.Space == "xml" {
		space = "http://www.w3.org/XML/1998/namespace"
	}
	slices.Sort(attrs)
	*to = append(*to, fmt.Sprintf("{%s}%s %s %q", space, e.Tag, attrs, text))
	for _, c := range e.ChildElements() {
		walkEtree(c, to)
	}
}
