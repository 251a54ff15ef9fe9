package soap

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"collimate/xmlsec"
)

// sealer signs as soap/wss does, as far as packaging can harm: a token, and a signature over it and all ids.
type sealer struct {
	key   *ecdsa.PrivateKey
	token []byte
}

func newSealer(t testing.TB) *sealer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return &sealer{key, bytes.Repeat([]byte("certificate\x00\xff"), 60)}
}

func (s *sealer) SecurityHeader(envelope []byte, ids []string) ([]byte, error) {
	open := `<wsse:Security xmlns:wsse="` + NSSecurity + `" xmlns:wsu="` + NSUtility + `" xmlns:soap="` + NSEnvelope + `" soap:mustUnderstand="1">` +
		`<wsse:BinarySecurityToken wsu:Id="id-token">` + base64.StdEncoding.EncodeToString(s.token) + `</wsse:BinarySecurityToken>`
	const end = `</wsse:Security>`
	var references []xmlsec.Reference
	for _, part := range []struct {
		xml []byte
		ids []string
	}{{envelope, ids}, {[]byte(open + end), []string{"id-token"}}} {
		doc, err := xmlsec.Parse(part.xml, xmlsec.DefaultLimits)
		if err != nil {
			return nil, err
		}
		r, err := doc.References(part.ids...)
		if err != nil {
			return nil, err
		}
		references = append(references, r...)
	}
	b, err := xmlsec.AppendSignature([]byte(open), rand.Reader, s.key, references, nil)
	return append(b, end...), err
}

// verify is an operation's check of what the sealer made.
func (s *sealer) verify(r *Request) error {
	security, _ := r.Header.Child(NSSecurity, "Security")
	n, ok := security.Child(xmlsec.NamespaceDSig, "Signature")
	if !ok {
		return errors.New("no signature")
	}
	signature, err := xmlsec.ParseSignature(n, xmlsec.Algorithms{})
	if err != nil {
		return err
	}
	verified, err := signature.Verify(s.key.Public())
	if err != nil {
		return err
	}
	token, _ := security.Child(NSSecurity, "BinarySecurityToken")
	if !verified.Covers(r.Body) || !verified.Covers(token) {
		return errors.New("the Body or the token is not covered")
	}
	return nil
}

// message is a signed request in the pieces from which a peer's stack would put it together.
type message struct {
	contentType  string
	rootHeaders  string
	envelope     string
	parts        []string // headers, empty line and bytes
	closing      string
	lineEnd      string
	beforeFirst  string
	rootPosition int
}

const document = "a document \x00\xff of which the request has the base64"

// signedMessage is the canonical form: all base64 inline.
func signedMessage(t testing.TB, s *sealer) *message {
	t.Helper()
	e := Envelope{
		Action: actionMTOM, MessageID: "urn:uuid:1", To: "http://x/", ReplyTo: Anonymous,
		Payload: []byte(`<t:Submit xmlns:t="urn:t"><t:Document>` + base64.StdEncoding.EncodeToString([]byte(document)) + `</t:Document></t:Submit>`),
	}
	b, err := e.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	return &message{
		contentType: `multipart/related; boundary="MIMEBoundary"; type="application/xop+xml"; start="<root@peer>"; start-info="application/soap+xml"`,
		rootHeaders: "Content-Type: application/xop+xml; charset=UTF-8; type=\"application/soap+xml\"\r\nContent-Transfer-Encoding: binary\r\nContent-ID: <root@peer>\r\n",
		envelope:    string(b),
		closing:     "--MIMEBoundary--\r\n",
		lineEnd:     "\r\n",
	}
}

// move puts the base64 of an element into a part of its own, as a stack does that optimises it.
func (m *message) move(element, href, contentID string) {
	find := regexp.MustCompile(`(<[a-z0-9]+:` + element + `(?: [^>]*)?>)([A-Za-z0-9+/=]+)(</)`)
	match := find.FindStringSubmatchIndex(m.envelope)
	if match == nil {
		panic("no " + element)
	}
	b, err := base64.StdEncoding.DecodeString(m.envelope[match[4]:match[5]])
	if err != nil {
		panic(err)
	}
	m.envelope = m.envelope[:match[4]] + `<xop:Include xmlns:xop="` + NSInclude + `" href="` + href + `"/>` + m.envelope[match[5]:]
	m.parts = append(m.parts, "Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: binary\r\nContent-ID: "+contentID+"\r\n\r\n"+string(b))
}

func (m *message) body() string {
	all := append([]string(nil), m.parts...)
	root := m.rootHeaders + "\r\n" + m.envelope
	all = append(all[:m.rootPosition], append([]string{root}, all[m.rootPosition:]...)...)
	s := m.beforeFirst
	for _, p := range all {
		s += "--MIMEBoundary\r\n" + p + "\r\n"
	}
	s += m.closing
	if m.lineEnd == "\n" {
		s = strings.ReplaceAll(s, "\r\n", "\n")
	}
	return s
}

// What the stacks of peers make of one and the same signed message. Each is accepted, and its signature
// verifies over the base64 that the parts stand for.
func TestPeerVariants(t *testing.T) {
	replace := func(of *string, old, new string) {
		if !strings.Contains(*of, old) {
			panic("nothing to replace: " + old)
		}
		*of = strings.ReplaceAll(*of, old, new)
	}
	tests := []struct {
		name  string // what is different, and who does it
		build func(m *message)
	}{
		{"inline base64 instead of parts (CXF, .NET, small documents)", func(m *message) {}},
		{"the document as a part (Axis2)", func(m *message) { m.move("Document", "cid:1.urn:uuid:2@apache.org", "<1.urn:uuid:2@apache.org>") }},
		{"start without angle brackets (Axis2, ITI TF-2: V.9.3)", func(m *message) { replace(&m.contentType, "<root@peer>", "root@peer") }},
		{"Content-ID without angle brackets", func(m *message) { m.move("Document", "cid:d@peer", "d@peer") }},
		{"root's Content-ID without angle brackets", func(m *message) { replace(&m.rootHeaders, "<root@peer>", "root@peer") }},
		{"percent-encoded href (WCF)", func(m *message) {
			m.move("Document", "cid:http%3A%2F%2Ftempuri.org%2F1%2F634", "<http://tempuri.org/1/634>")
		}},
		{"percent-encoded @ (WcfCoreMtomEncoder#13)", func(m *message) { m.move("Document", "cid:1%40peer", "<1@peer>") }},
		{"percent-encoded href and Content-ID (CXF)", func(m *message) { m.move("Document", "cid:u-1@urn%3Aihe", "<u-1@urn%3Aihe>") }},
		{"percent-encoded Content-ID only", func(m *message) { m.move("Document", "cid:u-1@urn:ihe", "<u-1@urn%3Aihe>") }},
		{"start-info of SOAP 1.1 (node-soap, ePA#3)", func(m *message) {
			replace(&m.contentType, `start-info="application/soap+xml"`, `start-info="text/xml"`)
		}},
		{"without start-info", func(m *message) { replace(&m.contentType, `; start-info="application/soap+xml"`, "") }},
		{"without start (ePA#3)", func(m *message) { replace(&m.contentType, `; start="<root@peer>"`, "") }},
		{"start that names no part (ITI TF-2: V.9.3.1)", func(m *message) { replace(&m.contentType, "root@peer", "0.urn:uuid76A2") }},
		{"without type", func(m *message) { replace(&m.contentType, `; type="application/xop+xml"`, "") }},
		{"type of SOAP 1.2", func(m *message) { replace(&m.contentType, `type="application/xop+xml"`, `type="application/soap+xml"`) }},
		{"type of SOAP 1.1 with an envelope of 1.2", func(m *message) { replace(&m.contentType, `type="application/xop+xml"`, `type="text/xml"`) }},
		{"root labelled application/soap+xml (gowsdl#229)", func(m *message) { replace(&m.rootHeaders, "application/xop+xml", "application/soap+xml") }},
		{"root labelled text/xml (lpr3-docs#48)", func(m *message) {
			replace(&m.rootHeaders, "Content-Type: application/xop+xml; charset=UTF-8; type=\"application/soap+xml\"", "Content-Type: text/xml")
		}},
		{"root without any header (WcfCoreMtomEncoder#13)", func(m *message) { m.rootHeaders = "" }},
		{"root that is not the first part", func(m *message) {
			m.move("Document", "cid:d@peer", "<d@peer>")
			m.rootPosition = 1
		}},
		{"action in the Content-Type that is another", func(m *message) { m.contentType += `; action="urn:other"` }},
		{"folded Content-Type of a part (ITI TF-2: V.9.3)", func(m *message) { replace(&m.rootHeaders, "charset=UTF-8; ", "charset=UTF-8;\r\n  ") }},
		{"trailing semicolon (ITI TF-2: V.9.3)", func(m *message) { m.contentType += ";" }},
		{"closing boundary without its dashes (ITI TF-2: V.9.3.2)", func(m *message) { m.closing = "--MIMEBoundary\r\n" }},
		{"closing boundary without a line end", func(m *message) { m.closing = "--MIMEBoundary--" }},
		{"empty line before the first boundary", func(m *message) { m.beforeFirst = "\r\n" }},
		{"stray quotation mark in a part header (ITI TF-2: V.9.3.2)", func(m *message) { replace(&m.rootHeaders, `soap+xml"`, `soap+xml""`) }},
		{"line feeds only", func(m *message) { m.lineEnd = "\n" }},
		{"XML declaration and byte order mark", func(m *message) { m.envelope = "\uFEFF<?xml version='1.0' encoding='UTF-8'?>\n" + m.envelope }},
		{"blanks around xop:Include (ITI TF-2: V.9.3)", func(m *message) {
			m.move("Document", "cid:d@peer", "<d@peer>")
			replace(&m.envelope, "<xop:Include", "\n   <xop:Include")
			replace(&m.envelope, `href="cid:d@peer"/>`, "href=\"cid:d@peer\"></xop:Include>\n ")
		}},
		{"SignatureValue as a part (.NET, Metro)", func(m *message) { m.move("SignatureValue", "cid:1", "<1>") }},
		{"DigestValue as a part (.NET)", func(m *message) { m.move("DigestValue", "cid:1", "<1>") }},
		{"BinarySecurityToken as a part (CXF expandXopInclude)", func(m *message) { m.move("BinarySecurityToken", "cid:1", "<1>") }},
		{"all base64 of header and Body as parts (CXF storeBytesInAttachment)", func(m *message) {
			for i, element := range []string{"BinarySecurityToken", "SignatureValue", "Document"} {
				m.move(element, fmt.Sprintf("cid:p%d%%40cxf.apache.org", i), fmt.Sprintf("<p%d@cxf.apache.org>", i))
			}
			for i := 3; strings.Contains(m.envelope, "DigestValue>") && regexp.MustCompile(`DigestValue>[A-Za-z0-9]`).MatchString(m.envelope); i++ {
				m.move("DigestValue", fmt.Sprintf("cid:p%d", i), fmt.Sprintf("<p%d>", i))
			}
		}},
		{"a part that nothing refers to", func(m *message) { m.parts = append(m.parts, "Content-ID: <x>\r\n\r\nx") }},
	}
	seal := newSealer(t)
	var got error
	s := &Server{Operations: []Operation{{ID: "TEST-1", Action: actionMTOM, MTOM: true, Handle: func(_ context.Context, r *Request) (*Response, error) {
		if got = seal.verify(r); got == nil {
			child, _ := r.Payload.Child("urn:t", "Document")
			if text, err := child.Text(); err != nil || text != base64.StdEncoding.EncodeToString([]byte(document)) {
				got = fmt.Errorf("the document is %q, %v", text, err)
			}
		}
		return &Response{Action: "urn:x", Payload: []byte(ask)}, nil
	}}}}
	for _, test := range tests {
		m := signedMessage(t, seal)
		test.build(m)
		got = errors.New("the operation was not asked")
		w := raw(s, m.contentType, m.body())
		if w.Code != http.StatusOK || got != nil {
			t.Errorf("%s: HTTP %d, %v\n%s", test.name, w.Code, got, w.Body)
		}
	}
}

// What a peer that means ill makes of it: the tree that is verified is not the one that was signed, or is none.
func TestPackagingAttacks(t *testing.T) {
	tests := []struct {
		name  string
		build func(m *message)
	}{
		{"another document in the part", func(m *message) {
			m.move("Document", "cid:d", "<d>")
			m.parts[0] = strings.Replace(m.parts[0], "a document", "b document", 1)
		}},
		{"one byte more in the part", func(m *message) { m.move("Document", "cid:d", "<d>"); m.parts[0] += "\n" }},
		{"another root behind the signed one", func(m *message) {
			m.parts = append(m.parts, "Content-ID: <evil>\r\n\r\n"+strings.Replace(m.envelope, "<t:Submit", `<t:Submit evil="1"`, 1))
			m.contentType = strings.Replace(m.contentType, "root@peer", "evil", 1)
		}},
		{"two parts of one Content-ID, one encoded", func(m *message) {
			m.move("Document", "cid:d%40x", "<d@x>")
			m.parts = append(m.parts, "Content-ID: <d%40x>\r\n\r\nother")
		}},
		{"two roots of one Content-ID", func(m *message) { m.parts = append(m.parts, m.rootHeaders+"\r\n<x/>") }},
		{"two starts", func(m *message) { m.contentType += `; start="<x>"` }},
		{"two boundaries", func(m *message) { m.contentType += `; boundary="x"` }},
		{"Include of the root", func(m *message) {
			m.move("Document", "cid:d", "<d>")
			m.envelope = strings.Replace(m.envelope, "cid:d", "cid:root@peer", 1)
		}},
		{"one part for two Includes", func(m *message) {
			m.move("Document", "cid:d", "<d>")
			m.envelope = strings.Replace(m.envelope, `<t:Submit xmlns:t="urn:t">`, `<t:Submit xmlns:t="urn:t"><t:D><xop:Include xmlns:xop="`+NSInclude+`" href="cid:d"/></t:D>`, 1)
		}},
		{"Include beside text", func(m *message) {
			m.move("Document", "cid:d", "<d>")
			m.envelope = strings.Replace(m.envelope, "<xop:Include", "QQ==<xop:Include", 1)
		}},
		{"Include in a comment's shadow", func(m *message) {
			m.move("Document", "cid:d", "<d>")
			m.envelope = strings.Replace(m.envelope, "<xop:Include", "<!--x--><xop:Include", 1)
		}},
		{"Include of a file", func(m *message) {
			m.move("Document", "cid:d", "<d>")
			m.envelope = strings.Replace(m.envelope, "cid:d", "file:///etc/passwd", 1)
		}},
		{"base64 transfer encoding", func(m *message) {
			m.move("Document", "cid:d", "<d>")
			m.parts[0] = strings.Replace(m.parts[0], "binary", "base64", 1)
		}},
		{"part that is never there", func(m *message) { m.move("Document", "cid:d", "<e>") }},
	}
	seal := newSealer(t)
	var got error
	s := &Server{Operations: []Operation{{ID: "TEST-1", Action: actionMTOM, MTOM: true, Handle: func(_ context.Context, r *Request) (*Response, error) {
		if got = seal.verify(r); got != nil {
			return nil, &Fault{Code: Sender, Subcode: Name{NSSecurity, "FailedCheck"}, Reason: "no"}
		}
		return &Response{Action: "urn:x", Payload: []byte(ask)}, nil
	}}}}
	for _, test := range tests {
		m := signedMessage(t, seal)
		test.build(m)
		if w := raw(s, m.contentType, m.body()); w.Code != http.StatusBadRequest {
			t.Errorf("%s: HTTP %d\n%s", test.name, w.Code, w.Body)
		}
	}
}
