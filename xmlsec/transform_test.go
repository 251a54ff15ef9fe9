package xmlsec

import (
	"crypto"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"
)

// TestTransforms verifies references that take something out of the element, or leave comments in.
func TestTransforms(t *testing.T) {
	key := newKey(t, "ed25519")
	const message = `<a Id="x"><b>text<!-- comment --></b><!--signature--></a>`
	exc := `<ds:Transform Algorithm="` + ExclusiveC14N + `"></ds:Transform>`
	enveloped := `<ds:Transform Algorithm="` + EnvelopedSignature + `"></ds:Transform>`
	withComments := `<ds:Transform Algorithm="` + ExclusiveC14NWithComments + `"></ds:Transform>`
	for _, c := range []struct {
		name, digested, transforms string
		want                       error
	}{
		{"enveloped", `<a Id="x"><b>text</b></a>`, enveloped + exc, nil},
		{"enveloped, with comments", `<a Id="x"><b>text<!-- comment --></b></a>`, enveloped + withComments, nil},
		{"comments dropped", `<a Id="x"><b>text<!-- comment --></b></a>`, enveloped + exc, ErrDigest},
		{"other comment", `<a Id="x"><b>text<!-- other --></b></a>`, enveloped + withComments, ErrDigest},
		{"not enveloped", `<a Id="x"><b>text</b></a>`, exc, ErrReference},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := parse(t, c.digested)
			info := signedInfo(Ed25519, SHA256, []Reference{{ID: "x", Node: d.Root()}})
			right := base64.StdEncoding.EncodeToString(newWorkspace().sum(crypto.SHA256, d.Root(), C14NOptions{Comments: true}))
			before, rest, _ := strings.Cut(info, "<ds:DigestValue>")
			_, after, _ := strings.Cut(rest, "</ds:DigestValue>")
			info = strings.Replace(before, exc, c.transforms, 1) + "<ds:DigestValue>" + right + "</ds:DigestValue>" + after
			_, s, err := parseSigned(t, strings.Replace(message, "<!--signature-->", resign(t, key, Ed25519, info), 1))
			if err == nil {
				_, err = s.Verify(key.Public())
			}
			if !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
}

// TestDigestInBlocks: a large element goes to the digest piece by piece.
func TestDigestInBlocks(t *testing.T) {
	root := parse(t, "<a>"+strings.Repeat(`<b c="d">text</b>`, 50_000)+"</a>").Root()
	want := crypto.SHA256.New()
	want.Write(AppendC14N(nil, root, C14NOptions{}))
	var w workspace
	if got := w.sum(crypto.SHA256, root, C14NOptions{}); string(got) != string(want.Sum(nil)) {
		t.Error("the digest in blocks is another")
	}
	if got := cap(w.out); got > 4*hashBlock {
		t.Errorf("held %d bytes for blocks of %d", got, hashBlock)
	}
}

func TestResolve(t *testing.T) {
	d := parse(t, `<a Id=""><b ID="x" wsu:Id="x" xmlns:wsu="`+namespaceWSU+`"/></a>`)
	for _, uri := range []string{"", "#", "x", "#y", "http://x.example/#x"} {
		if _, err := d.Resolve(uri); !errors.Is(err, ErrReference) {
			t.Errorf("%q: got %v, want ErrReference", uri, err)
		}
	}
	b, _ := d.Root().Child("", "b")
	if n, err := d.Resolve("#x"); err != nil || n != b {
		t.Errorf("one element that says its Id twice: got %v, %v", n.Local(), err)
	}
	if _, err := parse(t, `<a Id="x"><b ID="x"/><c Id="y"/></a>`).Resolve("#y"); !errors.Is(err, ErrReference) {
		t.Errorf("another Id that stands twice: got %v, want ErrReference", err)
	}
	many := func(n int) *Document {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, `<p Id="p%d"/>`, i)
		}
		return parse(t, "<a>"+b.String()+"</a>")
	}
	if _, err := many(maxIDs).Resolve("#p7"); err != nil {
		t.Errorf("%d Ids: %v", maxIDs, err)
	}
	if _, err := many(maxIDs + 1).Resolve("#p7"); !errors.Is(err, ErrReference) {
		t.Errorf("%d Ids: got %v, want ErrReference", maxIDs+1, err)
	}
}

func TestBase64IsStrict(t *testing.T) {
	for in, ok := range map[string]bool{"QQ==": true, " Q\nQ\t==\r\n": true, "QR==": false, "QQ": false, "QQ=": false, "Q-==": false, "QQ==QQ==": false} {
		if _, err := DecodeBase64(parse(t, "<a>"+in+"</a>").Root(), 100); (err == nil) != ok {
			t.Errorf("%q: got %v, want acceptance %v", in, err, ok)
		}
	}
}

func TestReferenceLimits(t *testing.T) {
	var parts strings.Builder
	ids := make([]string, 0, maxReferences+1)
	for i := range maxReferences + 1 {
		fmt.Fprintf(&parts, `<p Id="p%d"/>`, i)
		ids = append(ids, fmt.Sprintf("p%d", i))
	}
	key := newKey(t, "ed25519")
	for _, n := range []int{maxReferences, maxReferences + 1} {
		d, err := Parse([]byte("<a>"+parts.String()+"</a>"), Limits{})
		if err != nil {
			t.Fatal(err)
		}
		targets, err := d.References(ids[:n]...)
		if err != nil {
			t.Fatal(err)
		}
		signature, err := AppendSignature(nil, rand.Reader, key, targets, nil)
		if err != nil {
			t.Fatal(err)
		}
		_, s, err := parseSigned(t, "<a>"+parts.String()+string(signature)+"</a>")
		if n == maxReferences {
			if err != nil {
				t.Fatalf("%d references: %v", n, err)
			}
			if _, err := s.Verify(key.Public()); err != nil {
				t.Errorf("%d references: %v", n, err)
			}
		} else if !errors.Is(err, ErrMalformed) {
			t.Errorf("%d references: got %v, want ErrMalformed", n, err)
		}
	}
}

func TestOverlappingTargets(t *testing.T) {
	for name, ids := range map[string][]string{
		"twice":  {"in", "in"},
		"nested": {"out", "in"},
		"inner":  {"in", "out"},
	} {
		d, err := Parse([]byte(`<a><b Id="out"><c Id="in"/></b></a>`), Limits{})
		if err != nil {
			t.Fatal(err)
		}
		refs, err := d.References(ids...)
		if err != nil {
			t.Fatal(err)
		}
		signature, err := AppendSignature(nil, rand.Reader, newKey(t, "ed25519"), refs, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := parseSigned(t, `<a><b Id="out"><c Id="in"/></b>`+string(signature)+"</a>"); !errors.Is(err, ErrReference) {
			t.Errorf("%s: got %v, want ErrReference", name, err)
		}
	}
}
