package xmlsec

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// malformed lists documents that some XML library in use accepts, and where they go wrong.
var malformed = []struct {
	name, in     string
	line, column int
	msg          string
}{
	{"duplicate attribute", `<a x="1" x="2"/>`, 1, 10, "duplicate attribute"},
	{"duplicate attribute by namespace", "<a xmlns:p=\"u\" xmlns:q=\"u\"\n p:x=\"1\" q:x=\"2\"/>", 2, 10, "duplicate attribute"},
	{"duplicate declaration", `<a xmlns:p="u" xmlns:p="v"/>`, 1, 16, "duplicate attribute"},
	{"undeclared element prefix", `<p:a/>`, 1, 2, "not declared"},
	{"undeclared attribute prefix", `<a p:x="1"/>`, 1, 4, "not declared"},
	{"element in the xmlns prefix", `<xmlns:a/>`, 1, 2, "not declared"},
	{"two colons", `<p:a:b xmlns:p="u"/>`, 1, 5, "space expected"},
	{"leading colon", `<:a/>`, 1, 2, "name expected"},
	{"trailing colon", `<a:/>`, 1, 4, "name expected"},
	{"DOCTYPE", "<?xml version=\"1.0\"?>\n<!DOCTYPE a [<!ENTITY x \"y\">]><a/>", 2, 1, "DOCTYPE"},
	{"entity use", `<a>&x;</a>`, 1, 4, "entity"},
	{"HTML entity", "<a>\n\n é&nbsp;</a>", 3, 3, "entity"},
	{"second root", `<a/><b/>`, 1, 5, "second root"},
	{"text after the root", `<a/>x`, 1, 5, "outside"},
	{"text before the root", "\r\n x<a/>", 2, 2, "outside"},
	{"]]> in text", `<a>é]]></a>`, 1, 5, "]]>"},
	{"-- in a comment", `<a><!-- a -- b --></a>`, 1, 11, "comment"},
	{"--- at the end of a comment", `<a><!-- a ---></a>`, 1, 11, "comment"},
	{"< in an attribute", `<a b="<"/>`, 1, 7, `"<"`},
	{"no space between attributes", `<a b="1"c="2"/>`, 1, 9, "space expected"},
	{"unquoted attribute", `<a b=1/>`, 1, 6, "not quoted"},
	{"attribute without value", `<a b/>`, 1, 5, `"="`},
	{"control character", "<a>x\x01</a>", 1, 5, "not allowed"},
	{"control character in an attribute", "<a b='\x1f'/>", 1, 7, "not allowed"},
	{"reference to NUL", `<a>&#0;</a>`, 1, 4, "reference"},
	{"reference to a surrogate", `<a>&#xD800;</a>`, 1, 4, "reference"},
	{"reference with capital X", `<a>&#X41;</a>`, 1, 4, "reference"},
	{"reference beyond Unicode", `<a>&#x110000;</a>`, 1, 4, "reference"},
	{"empty reference", `<a>&#;</a>`, 1, 4, "reference"},
	{"bare ampersand", `<a>a & b</a>`, 1, 6, "reference"},
	{"reference of great length", `<a>&#00000000000000000065;</a>`, 1, 4, "reference"},
	{"XML 1.1", `<?xml version="1.1"?><a/>`, 1, 7, "1.0"},
	{"XML declaration without version", `<?xml encoding="UTF-8"?><a/>`, 1, 7, "1.0"},
	{"Latin-1", `<?xml version="1.0" encoding="iso-8859-1"?><a/>`, 1, 21, "UTF-8"},
	{"UTF-16", `<?xml version="1.0" encoding="utf-16"?><a/>`, 1, 21, "UTF-8"},
	{"UTF-7", `<?xml version="1.0" encoding="UTF-7"?><a/>`, 1, 21, "UTF-8"},
	{"standalone neither yes nor no", `<?xml version="1.0" standalone="1"?><a/>`, 1, 21, "standalone"},
	{"XML declaration with more", `<?xml version="1.0" a="b"?><a/>`, 1, 21, "declaration"},
	{"XML declaration with no space", `<?xml version="1.0"encoding="UTF-8"?><a/>`, 1, 20, "declaration"},
	{"prefix undeclared", `<a xmlns:p=""/>`, 1, 4, "undeclared"},
	{"xml prefix rebound", `<a xmlns:xml="u"/>`, 1, 4, "reserved"},
	{"other prefix for xml", `<a xmlns:p="http://www.w3.org/XML/1998/namespace"/>`, 1, 4, "reserved"},
	{"default namespace xml", `<a xmlns="http://www.w3.org/XML/1998/namespace"/>`, 1, 4, "reserved"},
	{"xmlns prefix declared", `<a xmlns:xmlns="u"/>`, 1, 4, "reserved"},
	{"xmlns namespace declared", `<a xmlns:p="http://www.w3.org/2000/xmlns/"/>`, 1, 4, "reserved"},
	{"XML declaration in the middle", `<a><?xml version="1.0"?></a>`, 1, 4, "declaration"},
	{"XML declaration after a space", ` <?xml version="1.0"?><a/>`, 1, 2, "declaration"},
	{"instruction with a colon", `<a><?p:i?></a>`, 1, 7, "space expected"},
	{"instruction without a target", `<a><? x?></a>`, 1, 6, "name expected"},
	{"not UTF-8", "<a>\n\xff</a>", 2, 1, "UTF-8"},
	{"overlong UTF-8", "<a>\xc0\xbc/a>", 1, 4, "UTF-8"},
	{"surrogate in UTF-8", "<a>\xed\xa0\x80</a>", 1, 4, "UTF-8"},
	{"attribute on an end tag", `<a></a b="1">`, 1, 8, "end tag"},
	{"end tag by another prefix of the namespace", `<p:a xmlns:p="u" xmlns:q="u"></q:a>`, 1, 30, "does not match"},
	{"end tag alone", `</a>`, 1, 1, "without a start tag"},
	{"markup declaration in content", `<a><!FOO></a>`, 1, 4, "markup declaration"},
	{"CDATA outside the root", `<![CDATA[x]]><a/>`, 1, 1, "CDATA"},
	{"overlapping elements", `<a><b></a>`, 1, 7, "does not match"},
	{"name starting with a digit", `<a 1b="x"/>`, 1, 4, "name expected"},
	{"noncharacter U+FFFE", "<a>\uFFFE</a>", 1, 4, "not allowed"},
	{"noncharacter U+FFFF in a comment", "<a><!-- \uFFFF --></a>", 1, 9, "not allowed"},
	{"empty document", ``, 1, 1, "no root"},
	{"only a byte order mark", "\ufeff", 1, 1, "no root"},
	{"two byte order marks", "\ufeff\ufeff<a/>", 1, 1, "outside"},
	{"end in an element", `<a><b>`, 1, 7, "inside an element"},
	{"end in a tag", `<a b="c"`, 1, 9, "inside a tag"},
	{"end in an attribute", `<a b="c>`, 1, 6, "not closed"},
	{"end in a comment", `<a><!-- `, 1, 4, "not closed"},
	{"end in CDATA", `<a><![CDATA[x]]`, 1, 4, "not closed"},
	{"end in an instruction", `<a><?x `, 1, 4, "not closed"},
	{"end after <", `<a><`, 1, 5, "name expected"},
}

func TestParseMalformed(t *testing.T) {
	for _, c := range malformed {
		t.Run(c.name, func(t *testing.T) {
			_, err := Parse([]byte(c.in), Limits{})
			var got *SyntaxError
			if !errors.As(err, &got) {
				t.Fatalf("parsing %q: got %v, want a *SyntaxError", c.in, err)
			}
			if got.Line != c.line || got.Column != c.column || !strings.Contains(got.Msg, c.msg) {
				t.Errorf("parsing %q\n got %v\nwant line %d, column %d: ...%s...", c.in, got, c.line, c.column, c.msg)
			}
			if line, column := position(c.in, got.Offset); line != got.Line || column != got.Column {
				t.Errorf("offset %d is line %d, column %d; the error says %d, %d", got.Offset, line, column, got.Line, got.Column)
			}
		})
	}
}

func TestParseAccepts(t *testing.T) {
	for _, in := range []string{
		`<a/>`,
		"\ufeff<a/>",
		`<?xml version="1.0"?><a/>`,
		`<?xml version='1.0' encoding='utf-8' standalone='no' ?><a/>`,
		"\n<!-- c --><?p?><a/>\n<!-- c --><?p d?>\n",
		`<a xmlns:xml="http://www.w3.org/XML/1998/namespace" xml:lang="de"/>`,
		"<a\tb = '\"'\n\r c\t=\t\"'\"\n></a \n>",
		`<é xmlns:ñ="u"><ñ:日本/></é>`,
		`<a>]] ></a>`,
		`<a><!----></a>`,
		"<a>\u0085\ufffd\U0010ffff&#x10FFFF;</a>",
		`<a b="]]>" c=">"/>`,
		`<xmlfoo/>`,
	} {
		if _, err := Parse([]byte(in), Limits{}); err != nil {
			t.Errorf("parsing %q: %v", in, err)
		}
	}
}

func TestParseLimits(t *testing.T) {
	manyAttributes := func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, ` a%d=""`, i)
		}
		return "<a" + b.String() + "/>"
	}
	nestedNamespaces := func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, `<a xmlns:n%d="u%d">`, i, i)
		}
		return b.String() + strings.Repeat("</a>", n)
	}
	for _, c := range []struct {
		limit  string
		limits Limits
		build  func(n int) string
		max    int
	}{
		{"MaxBytes", Limits{MaxBytes: 100}, func(n int) string { return "<a>" + strings.Repeat("x", n-7) + "</a>" }, 100},
		{"MaxNodes", Limits{MaxNodes: 50}, func(n int) string { return "<a>" + strings.Repeat("<b/>", n-1) + "</a>" }, 50},
		{"MaxNodes", Limits{MaxNodes: 50}, func(n int) string { return "<a>" + strings.Repeat("<![CDATA[x]]>", n-1) + "</a>" }, 50},
		{"MaxNodes", Limits{MaxNodes: 50}, func(n int) string { return "<a>" + strings.Repeat("<!---->", n-1) + "</a>" }, 50},
		{"MaxDepth", Limits{}, func(n int) string { return strings.Repeat("<a>", n) + strings.Repeat("</a>", n) }, 64},
		{"MaxDepth", Limits{}, func(n int) string { return strings.Repeat("<a>", n-1) + "<b/>" + strings.Repeat("</a>", n-1) }, 64},
		{"MaxAttributes", Limits{}, manyAttributes, 64},
		{"MaxNamespaces", Limits{MaxNamespaces: 20}, nestedNamespaces, 20},
		{"MaxNamespaceURI", Limits{}, func(n int) string { return `<a xmlns="` + strings.Repeat("u", n) + `"/>` }, 256},
	} {
		t.Run(c.limit, func(t *testing.T) {
			if _, err := Parse([]byte(c.build(c.max)), c.limits); err != nil {
				t.Errorf("at %d: %v", c.max, err)
			}
			_, err := Parse([]byte(c.build(c.max+1)), c.limits)
			var got *LimitError
			if !errors.As(err, &got) || got.Limit != c.limit || got.Max != c.max {
				t.Errorf("at %d: got %v, want %s of %d exceeded", c.max+1, err, c.limit, c.max)
			}
		})
	}
	if _, err := Parse([]byte("<a><?p?></a>"), Limits{NoProcessingInstructions: true}); err == nil {
		t.Error("processing instruction accepted where none is allowed")
	}
}

// A namespace said again on each element, as gSOAP does, is not one more to search.
func TestParseRedundantDeclarations(t *testing.T) {
	in := strings.Repeat(`<a xmlns="u" xmlns:p="v">`, 60) + strings.Repeat("</a>", 60)
	d, err := Parse([]byte(in), Limits{MaxNamespaces: 2})
	if err != nil {
		t.Fatal(err)
	}
	if got := len(d.bindings); got != 2 {
		t.Errorf("got %d bindings, want 2", got)
	}
}

func TestErrorsDoNotQuoteTheDocument(t *testing.T) {
	const secret = "Kowalski"
	for _, in := range []string{
		"<" + secret + "><b></" + secret + ">", "<a>&" + secret + ";</a>", "<" + secret + ":a/>", "<a " + secret + "='1' " + secret + "='2'/>",
		"<a/>" + secret, "<a><!" + secret, "<a " + secret + "/>", "<a xmlns:" + secret + "=''/>", "<a><?" + secret,
	} {
		_, err := Parse([]byte(in), Limits{})
		if err == nil || strings.Contains(err.Error(), secret) {
			t.Errorf("parsing %q: got error %v, want one that does not quote it", in, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, c := range malformed {
		f.Add([]byte(c.in))
	}
	f.Add(sampleMessage(f))
	f.Add([]byte(`<a xmlns="u" xmlns:p="v" p:q="&#65;"><!-- c --><![CDATA[<]]><?p d?><p:b xmlns:p="w"/>` + "\r\n</a>"))
	f.Fuzz(func(t *testing.T, b []byte) {
		d, err := Parse(b, Limits{})
		if err != nil {
			return
		}
		for n := range d.Walk() {
			start, end := n.Range()
			if b[start] != '<' || b[end-1] != '>' || !strings.HasPrefix(string(b[start+1:end]), n.name()) {
				t.Fatalf("range of element %q is %q", n.name(), b[start:end])
			}
		}
		// A canonical form is a document, and its own canonical form.
		for _, o := range []C14NOptions{{}, {Comments: true}, {InclusivePrefixes: []string{"a", "p", "#default"}}} {
			once := AppendC14N(nil, d.Root(), o)
			again, err := Parse(once, Limits{MaxBytes: 1 << 30})
			if err != nil {
				t.Fatalf("canonical form does not parse: %v\n%q", err, once)
			}
			if twice := AppendC14N(nil, again.Root(), o); string(twice) != string(once) {
				t.Fatalf("canonical form is not stable\nonce  %q\ntwice %q", once, twice)
			}
		}
	})
}

func (n Node) name() string {
	if n.Prefix() == "" {
		return n.Local()
	}
	return n.Prefix() + ":" + n.Local()
}
