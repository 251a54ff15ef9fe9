package interop

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write docs/security/interop.md anew")

// TestDocument holds docs/security/interop.md against the matrix. The matrix is what the other tests assert, so the
// page says what is so.
func TestDocument(t *testing.T) {
	page := filepath.Join(root(t), "docs", "security", "interop.md")
	want := document(pinned(t))
	if *update {
		if err := os.MkdirAll(filepath.Dir(page), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(page, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("docs/security/interop.md is not what the matrix says: go test ./interop -run Document -update")
	}
	t.Logf("\n%s", want)
}

// notes numbers the reasons in the order in which they are met.
type notes []string

func (n *notes) number(why string) int {
	for i, s := range *n {
		if s == why {
			return i + 1
		}
	}
	*n = append(*n, why)
	return len(*n)
}

func (n *notes) cell(o outcome) string {
	switch o.verdict {
	case accepted:
		return "yes"
	case refused:
		return fmt.Sprintf("no (%d)", n.number(o.why))
	}
	return fmt.Sprintf("- (%d)", n.number(o.why))
}

func document(pinned string) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, head, pinned)
	var n notes
	heading := func(columnsBefore ...string) {
		for _, c := range columns {
			columnsBefore = append(columnsBefore, c.family+" "+c.packaging)
		}
		fmt.Fprintf(&b, "| %s |\n|%s\n", strings.Join(columnsBefore, " | "), strings.Repeat("---|", len(columnsBefore)))
	}
	line := func(cells []string, outcomes [4]outcome) {
		for _, o := range outcomes {
			cells = append(cells, n.cell(o))
		}
		fmt.Fprintf(&b, "| %s |\n", strings.Join(cells, " | "))
	}
	b.WriteString("\n## They sign, we verify\n\n")
	heading("peer", "key reference", "sent by", "our policy")
	for _, r := range toUs {
		sender := "test"
		if r.live {
			sender = "peer"
		}
		line([]string{r.peer, r.text, sender, r.policyName()}, r.cells)
	}
	b.WriteString("\n## We sign, they verify\n\n")
	heading("peer")
	for _, r := range fromUs {
		line([]string{r.peer}, r.cells)
	}
	b.WriteString("\n## Further algorithms\n\nSent plain, with a BinarySecurityToken; the peer signs and we verify, and the other way round.\n\n" +
		"| peer | algorithm | both directions |\n|---|---|---|\n")
	for _, a := range further {
		fmt.Fprintf(&b, "| %s | %s | %s |\n", a.peer, a.text, n.cell(yes))
	}
	b.WriteString("\n## Written otherwise\n\n")
	fmt.Fprintf(&b, "The same request, signed by %s with RSA and sent plain.\n\n| the request is | we accept |\n|---|---|\n", strings.Join(variantSigners, ", "))
	for _, v := range variants {
		fmt.Fprintf(&b, "| %s | %s |\n", v.name, n.cell(v.want))
	}
	b.WriteString("\n## Messages of record\n\nSigned once by these stacks and kept; verified with the clock of that day.\n\n| message | our policy | we accept |\n|---|---|---|\n")
	for _, v := range vectors {
		fmt.Fprintf(&b, "| %s | %s | %s |\n", v.file, v.policy, n.cell(v.want))
	}
	b.WriteString("\n## Notes\n\n")
	for i, why := range n {
		fmt.Fprintf(&b, "%d. %s.\n", i+1, why)
	}
	return b.Bytes()
}

const head = `# Interop of WS-Security

Which stacks understand us and which we understand, cell by cell, as ` + "`make interop-soap`" + ` asserts with the
stacks themselves. This page is written from the table in ` + "`interop/matrix_test.go`" + `; do not edit it.

The message is an ITI-43 request with WS-Addressing headers. RSA is RSA-SHA256 with 2048 bits, ECDSA is
ECDSA-SHA256 on P-256. *Sent by* tells whether the peer itself sends it, over TLS with a client certificate, or the
test does for a peer that only signs; a message that the test sends as MTOM has its certificate in a part of its own.
MTOM packages are written by node-soap and gSOAP themselves. WSS4J makes parts but no packages: the small client around
it writes those, as CXF would. In the other direction gSOAP reads our packages; for the rest the test takes the envelope
out first, so that their MTOM columns are about our packaging and not about theirs.
The peers are xmlsec1 1.2.37, WSS4J 1.6.19, gSOAP 2.8.124 and zeep 4.2.1 as Debian 12 has them, and
%s.

*yes*: accepted, or in the other direction verified. *no*: refused, for the reason in the note. *-*: there is no such
message. Of each message that we accept as tier A, a copy that asks for another document and a repetition are refused;
of each that a peer verifies, a copy that asks for another document is refused by the peer.
`
