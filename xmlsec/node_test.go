package xmlsec

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

func parse(t testing.TB, in string) *Document {
	t.Helper()
	d, err := Parse([]byte(in), Limits{})
	if err != nil {
		t.Fatalf("parsing %.200q: %v", in, err)
	}
	return d
}

func TestNode(t *testing.T) {
	const in = `<p:a xmlns:p="urn:p" xmlns="urn:d" p:q="1" q="2"><!-- c --><b/> <p:b>x</p:b><b/></p:a>`
	d := parse(t, in)
	root := d.Root()
	if !root.Is("urn:p", "a") || root.Prefix() != "p" || root.Space() != "urn:p" || root.Local() != "a" {
		t.Errorf("root is {%s}%s with prefix %q", root.Space(), root.Local(), root.Prefix())
	}
	if string(d.Bytes()) != in || root.Document() != d || !root.Parent().IsZero() {
		t.Error("root does not know its document")
	}
	for _, c := range []struct{ space, want string }{{"urn:p", "1"}, {"", "2"}} {
		if got, ok := root.Attr(c.space, "q"); !ok || got != c.want {
			t.Errorf("attribute {%s}q is %q, %v; want %q", c.space, got, ok, c.want)
		}
	}
	if _, ok := root.Attr("urn:d", "q"); ok {
		t.Error("the default namespace applies to an attribute")
	}
	if got := len(slices.Collect(root.Attrs())); got != 2 {
		t.Errorf("got %d attributes, want 2: declarations are none", got)
	}
	if got := len(slices.Collect(root.Elements())); got != 3 {
		t.Errorf("got %d child elements, want 3", got)
	}
	if got := len(slices.Collect(d.Walk())); got != 4 {
		t.Errorf("got %d elements, want 4", got)
	}
	b, err := root.Only("urn:p", "b")
	if err != nil {
		t.Fatal(err)
	}
	if start, end := b.Range(); in[start:end] != "<p:b>x</p:b>" || b.Parent() != root {
		t.Errorf("range of p:b is %q", in[start:end])
	}
	if uri, ok := b.Namespace("p"); !ok || uri != "urn:p" {
		t.Errorf("prefix p is %q, %v", uri, ok)
	}
	if _, ok := b.Namespace("unknown"); ok {
		t.Error("an unknown prefix is known")
	}
	if _, err := root.Only("urn:d", "b"); !errors.Is(err, ErrRepeated) {
		t.Errorf("two b: got %v, want ErrRepeated", err)
	}
	if _, err := root.Only("urn:d", "c"); !errors.Is(err, ErrMissing) {
		t.Errorf("no c: got %v, want ErrMissing", err)
	}
	first, ok := root.Child("urn:d", "b")
	if start, _ := first.Range(); !ok || start != strings.Index(in, "<b/>") {
		t.Error("Child is not the first")
	}
	for range root.Elements() {
		break // an iterator can be left
	}
}

func TestZeroNode(t *testing.T) {
	var n Node
	text, err := n.Text()
	start, end := n.Range()
	_, child := n.Child("", "")
	_, attr := n.Attr("", "")
	_, namespace := n.Namespace("")
	if !n.IsZero() || n.Is("", "") || n.Local() != "" || text != "" || err != nil || start != 0 || end != 0 || child || attr ||
		namespace || !n.Parent().IsZero() || n.Document() != nil || len(slices.Collect(n.Elements())) != 0 {
		t.Error("the zero Node is something")
	}
}

func TestText(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"<a/>", ""},
		{"<a>x</a>", "x"},
		{"<a>admin@x.example<!-- -->.evil.example</a>", "admin@x.example.evil.example"},
		{"<a><![CDATA[x]]>y<?p?><![CDATA[z]]></a>", "xyz"},
		{"<a>\r\n &lt;&#13;</a>", "\n <\r"},
	} {
		if got, err := parse(t, c.in).Root().Text(); err != nil || got != c.want {
			t.Errorf("text of %q: got %q, %v; want %q", c.in, got, err, c.want)
		}
	}
	if _, err := parse(t, "<a>x<b/>y</a>").Root().Text(); !errors.Is(err, ErrNotText) {
		t.Errorf("text with an element: got %v, want ErrNotText", err)
	}
}

func TestEscape(t *testing.T) {
	const in = "<a> & \"b\" 'c'\t\r\n é\x01\ufffe\xff"
	if got, want := string(EscapeText(nil, in)), "&lt;a&gt; &amp; \"b\" 'c'\t&#xD;\n é\ufffd\ufffd\ufffd"; got != want {
		t.Errorf("text: got %q, want %q", got, want)
	}
	if got, want := string(EscapeAttr(nil, in)), "&lt;a> &amp; &quot;b&quot; 'c'&#x9;&#xD;&#xA; é\ufffd\ufffd\ufffd"; got != want {
		t.Errorf("attribute: got %q, want %q", got, want)
	}
}

func FuzzEscape(f *testing.F) {
	f.Add("a<&>\"'\r\n\t\x00\xff\ufffe")
	f.Fuzz(func(t *testing.T, s string) {
		if len(s) > 1<<20 {
			return
		}
		b := EscapeAttr([]byte(`<a b="`), s)
		b = append(EscapeText(append(b, `">`...), s), `</a>`...)
		root := parse(t, string(b)).Root()
		text, err := root.Text()
		if err != nil {
			t.Fatal(err)
		}
		attr, _ := root.Attr("", "b")
		if want := toChars(s); text != want || attr != want {
			t.Errorf("%q comes back as text %q and attribute %q", s, text, attr)
		}
	})
}
