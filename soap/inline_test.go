package soap

import (
	"bytes"
	"encoding/base64"
	"strings"
	"testing"

	"collimate/xmlsec"
)

func TestInline(t *testing.T) {
	include := func(href string) string { return `<i:Include xmlns:i="` + NSInclude + `" href="` + href + `"/>` }
	tests := []struct{ name, in, want string }{
		{"nothing to do", `<r><t>text</t></r>`, `<r><t>text</t></r>`},
		{"one", `<r><t>` + include("cid:a@b") + `</t></r>`, `<r><t>QUJD</t></r>`},
		{"percent-encoded", `<r><t>` + include("cid:a%40b") + `</t></r>`, `<r><t>QUJD</t></r>`},
		{"upper case scheme", `<r><t>` + include("CID:a@b") + `</t></r>`, `<r><t>QUJD</t></r>`},
		{"blanks around", "<r><t>\r\n  " + include("cid:a@b") + "\n</t></r>", `<r><t>QUJD</t></r>`},
		{"two", `<r><t>` + include("cid:a@b") + `</t> <u x="1">` + include("cid:c") + `</u></r>`, `<r><t>QUJD</t> <u x="1">REU=</u></r>`},
		{"no href", `<r><t><i:Include xmlns:i="` + NSInclude + `"/></t></r>`, ""},
		{"another scheme", `<r><t>` + include("http://a@b") + `</t></r>`, ""},
		{"empty cid", `<r><t>` + include("cid:") + `</t></r>`, ""},
		{"bad escape", `<r><t>` + include("cid:%zz") + `</t></r>`, ""},
		{"unknown part", `<r><t>` + include("cid:x") + `</t></r>`, ""},
		{"one part twice", `<r><t>` + include("cid:a@b") + `</t><t>` + include("cid:a@b") + `</t></r>`, ""},
		{"two in one element", `<r><t>` + include("cid:a@b") + include("cid:c") + `</t></r>`, ""},
		{"beside an element", `<r><t>` + include("cid:a@b") + `<x/></t></r>`, ""},
		{"beside text", `<r><t>x` + include("cid:a@b") + `</t></r>`, ""},
		{"before text", `<r><t>` + include("cid:a@b") + `x</t></r>`, ""},
		{"after a comment", `<r><t><!-- -->` + include("cid:a@b") + `</t></r>`, ""},
		{"before a comment", `<r><t>` + include("cid:a@b") + `<!-- --></t></r>`, ""},
		{"after a CDATA section", `<r><t><![CDATA[x]]>` + include("cid:a@b") + `</t></r>`, ""},
		{"before a CDATA section", `<r><t>` + include("cid:a@b") + `<![CDATA[x]]></t></r>`, ""},
		{"as root", include("cid:a@b"), ""},
		{"in each other", `<r><t><i:Include xmlns:i="` + NSInclude + `" href="cid:a@b">` + include("cid:c") + `</i:Include></t></r>`, ""},
	}
	for _, test := range tests {
		doc, err := xmlsec.Parse([]byte(test.in), xmlsec.DefaultLimits)
		if err != nil {
			t.Fatalf("%s: %v", test.name, err)
		}
		got, err := inline(doc, map[string][]byte{"a@b": []byte("ABC"), "c": []byte("DE")}, xmlsec.DefaultLimits, nil)
		switch {
		case test.want == "" && err == nil:
			t.Errorf("%s: accepted: %s", test.name, got.Bytes())
		case test.want != "" && err != nil:
			t.Errorf("%s: %v", test.name, err)
		case test.want != "" && string(got.Bytes()) != test.want:
			t.Errorf("%s: got %s, want %s", test.name, got.Bytes(), test.want)
		}
	}
}

// The root is what start names, wherever it stands; its attachments are put into it.
func TestReadMTOM(t *testing.T) {
	root := envelopeWith(simpleAction, `<t>`+`<i:Include xmlns:i="`+NSInclude+`" href="cid:0"/></t>`)
	tests := []struct{ name, contentType, body string }{
		{"first", mtomType, multipart(root, "ABC")},
		{"without start", `multipart/related; boundary=b`, multipart(root, "ABC")},
		{"start that is nobody's", strings.Replace(mtomType, "<r>", "<x>", 1), multipart(root, "ABC")},
		{"last", strings.Replace(mtomType, "<r>", "1", 1), strings.Replace(multipart("ABC", "x", root), "<0>", "<x>", 1)},
	}
	for _, test := range tests {
		body := test.body
		if test.name == "last" {
			body = strings.Replace(body, "<r>", "<0>", 1)
		}
		pack, err := parser{limits: DefaultLimits}.readMTOM(strings.NewReader(body), test.contentType)
		doc := pack.doc
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		if want := strings.Replace(root, `<i:Include xmlns:i="`+NSInclude+`" href="cid:0"/>`, "QUJD", 1); string(doc.Bytes()) != want {
			t.Errorf("%s: got %s", test.name, doc.Bytes())
		}
	}
}

// FuzzRequest: any request is read or refused with a sentence, in bounded time.
func FuzzRequest(f *testing.F) {
	include := `<t><i:Include xmlns:i="` + NSInclude + `" href="cid:0"/></t>`
	f.Add("application/soap+xml", []byte(envelopeWith(simpleAction, ask)))
	f.Add(mtomType, []byte(multipart(envelopeWith(simpleAction, include), "ABC")))
	f.Add("multipart/related; boundary=b", []byte(multipart(envelopeWith(`<a:Action>x</a:Action><a:ReplyTo/>`, ask))))
	limits := Limits{RequestBytes: 1 << 16, Parts: 4}
	f.Fuzz(func(t *testing.T, contentType string, body []byte) {
		pack, err := parser{limits: limits}.readPackage(bytes.NewReader(body), map[string][]string{"Content-Type": {contentType}})
		if err != nil {
			if packageFault(err).Reason == "" {
				t.Fatalf("no reason for %v", err)
			}
			return
		}
		doc := pack.doc
		if max := len(body)*2 + base64.StdEncoding.EncodedLen(len(body)); len(doc.Bytes()) > max {
			t.Fatalf("%d bytes became %d", len(body), len(doc.Bytes()))
		}
		e, fault := parseEnvelope(doc)
		if fault == nil && (e.payload.IsZero() || e.action == "") {
			t.Fatal("a request without payload or action is accepted")
		}
		if fault != nil {
			if _, err := xmlsec.Parse(appendFault(nil, fault), xmlsec.DefaultLimits); err != nil {
				t.Fatal(err)
			}
		}
		e.understood()
	})
}
