package xmlsec

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/beevik/etree"
	dsig "github.com/russellhaering/goxmldsig"
)

// c14nCase is one entry of testdata/c14n.json. Want comes from libxml2, see testdata/c14n_oracle.py.
type c14nCase struct {
	Name     string   `json:"name"`
	In       string   `json:"in"`
	Prefixes []string `json:"prefixes"`
	Comments bool     `json:"comments"`
	Want     string   `json:"want"`
}

// canonical returns the exclusive canonical form of the element whose Id is "x".
func (c c14nCase) canonical(t *testing.T) string {
	t.Helper()
	d, err := Parse([]byte(c.In), Limits{})
	if err != nil {
		t.Fatalf("parsing %.200q: %v", c.In, err)
	}
	refs, err := d.References("x")
	if err != nil {
		t.Fatalf("%q: %v", c.In, err)
	}
	return string(AppendC14N(nil, refs[0].Node, C14NOptions{InclusivePrefixes: c.Prefixes, Comments: c.Comments}))
}

func TestC14N(t *testing.T) {
	b, err := os.ReadFile("testdata/c14n.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []c14nCase
	if err := json.Unmarshal(b, &cases); err != nil {
		t.Fatal(err)
	}
	if len(cases) < 30 {
		t.Fatalf("got %d cases, want 30 or more", len(cases))
	}
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			if got := c.canonical(t); got != c.Want {
				t.Errorf("canonical form of %q\n got %q\nwant %q", c.In, got, c.Want)
			}
		})
	}
}

// documentsEnv says how many random documents TestC14NAgainstLibxml2 compares.
const documentsEnv = "COLLIMATE_C14N_DOCUMENTS"

// TestC14NAgainstLibxml2 compares random documents, of few names so that they collide often. It compares 3,000; for
// more, say how many:
//
//	COLLIMATE_C14N_DOCUMENTS=50000 go test -run TestC14NAgainstLibxml2 -v ./xmlsec
func TestC14NAgainstLibxml2(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("python3 is not installed, so there is no libxml2 to compare with")
	}
	documents := 3000
	if s := os.Getenv(documentsEnv); s != "" {
		if documents, err = strconv.Atoi(s); err != nil {
			t.Fatalf("%s: %v", documentsEnv, err)
		}
	}
	seed := rand.Uint64()
	g := generator{rand.New(rand.NewPCG(seed, 0))}
	var compared, withPrefixes, withComments int
	var size int64
	for compared < documents {
		cases := make([]c14nCase, min(documents-compared, 5000))
		for i := range cases {
			cases[i] = g.document()
		}
		for _, c := range askLibxml2(t, python, cases) {
			if got := c.canonical(t); got != c.Want {
				t.Fatalf("seed %d: canonical form of %q, prefixes %q, comments %v\n got %q\nwant %q", seed, c.In, c.Prefixes, c.Comments, got, c.Want)
			}
			compared++
			size += int64(len(c.In))
			if len(c.Prefixes) > 0 {
				withPrefixes++
			}
			if c.Comments {
				withComments++
			}
		}
	}
	t.Logf("seed %d: %d documents of %d bytes compared, %d with a prefix list, %d with comments, no mismatch",
		seed, compared, size, withPrefixes, withComments)
}

// askLibxml2 fills in Want.
func askLibxml2(t *testing.T, python string, cases []c14nCase) []c14nCase {
	t.Helper()
	in, err := json.Marshal(cases)
	if err != nil {
		t.Fatal(err)
	}
	oracle := exec.Command(python, "testdata/c14n_oracle.py")
	oracle.Stdin = bytes.NewReader(in)
	var stderr strings.Builder
	oracle.Stderr = &stderr
	out, err := oracle.Output()
	if err != nil {
		if strings.Contains(stderr.String(), "libxml2.so") {
			t.Skip("libxml2 is not installed")
		}
		t.Fatalf("%v\n%s", err, stderr.String())
	}
	cases = nil
	if err := json.Unmarshal(out, &cases); err != nil {
		t.Fatal(err)
	}
	return cases
}

// generator writes random well-formed documents in which one element has Id="x".
type generator struct{ *rand.Rand }

var (
	genPrefixes = []string{"", "a", "b", "c"}
	genURIs     = []string{"urn:1", "urn:2", "urn:3"}
	genText     = []string{"t", " ", "\n", "\r\n", "&amp;", "&#13;", "&lt;", "é", "]]&gt;", "<![CDATA[<&]]>", "<!-- c -->", "<?p d?>", "\t"}
	genValues   = []string{"", "v", " v ", "\n", "&#10;", "&quot;", ">", "\t\r\n", "a:b"}
)

func (g generator) document() c14nCase {
	c := c14nCase{Comments: g.IntN(2) == 0}
	for _, p := range []string{"a", "b", "#default", "d"} {
		if g.IntN(4) == 0 {
			c.Prefixes = append(c.Prefixes, p)
		}
	}
	var b strings.Builder
	depth := 1 + g.IntN(3)
	scope := map[string]string{"": ""}
	var open []string
	for range depth {
		name, inner := g.open(&b, scope, "")
		open, scope = append(open, name), inner
	}
	g.element(&b, scope, ` Id="x"`, 4)
	for i := len(open) - 1; i >= 0; i-- {
		fmt.Fprintf(&b, "</%s>", open[i])
	}
	c.In = b.String()
	return c
}

// open writes a start tag and returns its name and the namespaces in scope after it.
func (g generator) open(b *strings.Builder, outer map[string]string, extra string) (name string, scope map[string]string) {
	scope = make(map[string]string)
	for k, v := range outer {
		scope[k] = v
	}
	var attrs []string
	for _, p := range genPrefixes {
		if g.IntN(4) > 0 {
			continue
		}
		uri := genURIs[g.IntN(len(genURIs))]
		if p == "" && g.IntN(3) == 0 {
			uri = ""
		}
		scope[p] = uri
		if p == "" {
			attrs = append(attrs, fmt.Sprintf(`xmlns="%s"`, uri))
		} else {
			attrs = append(attrs, fmt.Sprintf(`xmlns:%s="%s"`, p, uri))
		}
	}
	seen := map[string]bool{}
	for range g.IntN(4) {
		p := genPrefixes[g.IntN(len(genPrefixes))]
		local := string(rune('p' + g.IntN(4)))
		uri, ok := scope[p]
		if p == "" {
			uri = ""
		}
		if !ok || seen[uri+" "+local] {
			continue
		}
		seen[uri+" "+local] = true
		if p != "" {
			local = p + ":" + local
		}
		attrs = append(attrs, fmt.Sprintf(`%s="%s"`, local, genValues[g.IntN(len(genValues))]))
	}
	g.Shuffle(len(attrs), func(i, j int) { attrs[i], attrs[j] = attrs[j], attrs[i] })
	name = string(rune('e' + g.IntN(3)))
	if p := genPrefixes[g.IntN(len(genPrefixes))]; p != "" && scope[p] != "" {
		name = p + ":" + name
	}
	fmt.Fprintf(b, "<%s%s", name, extra)
	for _, a := range attrs {
		b.WriteString(" " + a)
	}
	b.WriteString(">")
	return name, scope
}

func (g generator) element(b *strings.Builder, scope map[string]string, extra string, depth int) {
	name, inner := g.open(b, scope, extra)
	for range g.IntN(4) {
		if depth > 0 && g.IntN(2) == 0 {
			g.element(b, inner, "", depth-1)
		} else {
			b.WriteString(genText[g.IntN(len(genText))])
		}
	}
	fmt.Fprintf(b, "</%s>", name)
}

// TestC14NAgainstGoxmldsig compares with a second implementation where that one is right: a root element, so
// that no declarations come from outside, and no rebinding.
func TestC14NAgainstGoxmldsig(t *testing.T) {
	for _, in := range []string{
		`<a/>`,
		`<a b="1" a="2">t&amp;<c/>&lt;</a>`,
		`<s:E xmlns:s="urn:s" xmlns:w="urn:w"><s:H><w:To s:m="1" Id="q">x</w:To></s:H><s:B><b xmlns="urn:b"><c/></b></s:B></s:E>`,
		string(sampleMessage(t)),
	} {
		other := etree.NewDocument()
		if err := other.ReadFromString(in); err != nil {
			t.Fatal(err)
		}
		want, err := dsig.MakeC14N10ExclusiveCanonicalizerWithPrefixList("").Canonicalize(other.Root())
		if err != nil {
			t.Fatal(err)
		}
		d, err := Parse([]byte(in), Limits{})
		if err != nil {
			t.Fatal(err)
		}
		if got := AppendC14N(nil, d.Root(), C14NOptions{}); !bytes.Equal(got, want) {
			t.Errorf("canonical form of %q\n got %q\nwant %q", in, got, want)
		}
	}
}

func TestC14NOfNothing(t *testing.T) {
	if got := string(AppendC14N([]byte("before"), Node{}, C14NOptions{})); got != "before" {
		t.Errorf("got %q, want what was there before", got)
	}
}

// A namespace name is escaped as an attribute value is (Canonical XML 1.0, section 2.3). libxml2 2.9 writes
// &#38; here, so this case is not in testdata/c14n.json.
func TestC14NEscapesNamespaceNames(t *testing.T) {
	c := c14nCase{In: `<r xmlns:p="urn:a?b=1&amp;c=2"><p:e Id="x"/></r>`}
	if got, want := c.canonical(t), `<p:e xmlns:p="urn:a?b=1&amp;c=2" Id="x"></p:e>`; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
