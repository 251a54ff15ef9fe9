package interop

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/textproto"
	"regexp"
	"strings"
	"testing"
	"time"

	"collimate/soap"
	"collimate/xmlsec"
)

const (
	typeX509v3  = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-x509-token-profile-1.0#X509v3"
	typeBase64  = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-soap-message-security-1.0#Base64Binary"
	simpleType  = "application/soap+xml; charset=UTF-8"
	documentID  = "2.25.2" // in every request; the controls change it to otherDocID
	otherDocID  = "2.25.3"
	placeOfSign = "<!--signature-->"
)

// style is the way in which the same request is written.
type style struct {
	soap, wsa, wsu, wsse, xdsb string // prefixes with their colon; soap and xdsb may be empty
	indent                     string // what stands before each element
}

var (
	compact = style{"soap:", "wsa:", "wsu:", "wsse:", "xdsb:", ""}
	// pretty is indented before it is signed, which is allowed: the blanks are signed too.
	pretty = style{"soap:", "wsa:", "wsu:", "wsse:", "xdsb:", "\n    "}
	// prefixed has other prefixes, and the envelope and the payload in default namespaces.
	prefixed = style{"", "a:", "u:", "ns7:", "", ""}
)

// newMessageID returns a random one.
func newMessageID() string { return "urn:uuid:" + strings.ToLower(rand.Text()) }

// request writes an ITI-43 request. If security is not empty, it stands in a wsse:Security header after a
// Timestamp.
func request(s style, to, messageID, security string) string {
	var b strings.Builder
	declare := func(prefix, space string) {
		name := "xmlns"
		if prefix != "" {
			name += ":" + strings.TrimSuffix(prefix, ":")
		}
		fmt.Fprintf(&b, ` %s="%s"`, name, space)
	}
	// A stack that makes the whole Security header sets the Ids too.
	id := func(name string) string {
		if security == "" {
			return ""
		}
		return fmt.Sprintf(` %sId="id-%s"`, s.wsu, name)
	}
	header := func(name, attributes, value string) {
		fmt.Fprintf(&b, `%s<%s%s%s%s>%s</%[2]s%[3]s>`, s.indent, s.wsa, name, attributes, id(name), value)
	}
	mark := s.soap
	fmt.Fprintf(&b, `<%sEnvelope`, s.soap)
	declare(s.soap, soap.NSEnvelope)
	if mark == "" { // an attribute has no default namespace
		mark = "e:"
		declare(mark, soap.NSEnvelope)
	}
	declare(s.wsa, soap.NSAddressing)
	if security != "" {
		declare(s.wsu, soap.NSUtility)
	}
	fmt.Fprintf(&b, `>%s<%sHeader>`, s.indent, s.soap)
	header("To", "", to)
	header("Action", " "+mark+`mustUnderstand="true"`, action)
	header("MessageID", "", messageID)
	header("ReplyTo", "", fmt.Sprintf(`<%sAddress>%s</%[1]sAddress>`, s.wsa, soap.Anonymous))
	if security != "" {
		now := time.Now().UTC()
		fmt.Fprintf(&b, `%s<%sSecurity`, s.indent, s.wsse)
		declare(s.wsse, soap.NSSecurity)
		fmt.Fprintf(&b, ` %smustUnderstand="true">%s<%sTimestamp %[3]sId="id-Timestamp"><%[3]sCreated>%[4]s</%[3]sCreated><%[3]sExpires>%[5]s</%[3]sExpires></%[3]sTimestamp>`,
			mark, s.indent, s.wsu, now.Format(time.RFC3339), now.Add(5*time.Minute).Format(time.RFC3339))
		b.WriteString(security + "</" + s.wsse + "Security>")
	}
	fmt.Fprintf(&b, `%s</%sHeader>%[1]s<%[2]sBody%[3]s>%[1]s<%[4]sRetrieveDocumentSetRequest`, s.indent, s.soap, id("Body"), s.xdsb)
	declare(s.xdsb, "urn:ihe:iti:xds-b:2007")
	fmt.Fprintf(&b, `>%s<%sDocumentRequest>%[1]s<%[2]sRepositoryUniqueId>2.25.1</%[2]sRepositoryUniqueId>`+
		`%[1]s<%[2]sDocumentUniqueId>%[3]s</%[2]sDocumentUniqueId>%[1]s</%[2]sDocumentRequest>%[1]s</%[2]sRetrieveDocumentSetRequest>`,
		s.indent, s.xdsb, documentID)
	fmt.Fprintf(&b, `%s</%sBody>%[1]s</%[2]sEnvelope>`, s.indent, s.soap)
	return b.String()
}

// token writes a BinarySecurityToken.
func token(s style, i identity) string {
	return fmt.Sprintf(`<%sBinarySecurityToken EncodingType="%s" ValueType="%s" %sId="x509">%s</%[1]sBinarySecurityToken>`,
		s.wsse, typeBase64, typeX509v3, s.wsu, base64.StdEncoding.EncodeToString(i.certificate.Raw))
}

// message is what goes over the wire.
type message struct {
	contentType string
	body        []byte
}

// certificateText is a certificate of some length as the text of an element. Signatures are as long, and differ in
// the beginning.
var certificateText = regexp.MustCompile(`>\s*(MII[A-Za-z0-9+/=\s]{300,})<`)

// pack makes an MTOM package of an envelope, as a stack that does not know about signatures does: the first
// certificate goes into a part of its own. It uses nothing of soap/mtom.
func pack(t *testing.T, envelope []byte) message {
	t.Helper()
	var certificate []byte
	if at := certificateText.FindSubmatchIndex(envelope); at != nil {
		var err error
		text := strings.Join(strings.Fields(string(envelope[at[2]:at[3]])), "")
		if certificate, err = base64.StdEncoding.DecodeString(text); err != nil {
			t.Fatal(err)
		}
		envelope = bytes.Join([][]byte{envelope[:at[2]], []byte(`<xop:Include xmlns:xop="` + soap.NSInclude + `" href="cid:certificate%40north.example"/>`), envelope[at[3]:]}, nil)
	}
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	part := func(id, contentType string, content []byte) {
		p, err := w.CreatePart(textproto.MIMEHeader{
			"Content-Id": {"<" + id + ">"}, "Content-Type": {contentType}, "Content-Transfer-Encoding": {"binary"},
		})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := p.Write(content); err != nil {
			t.Fatal(err)
		}
	}
	part("envelope@north.example", `application/xop+xml; charset=UTF-8; type="application/soap+xml"`, envelope)
	if certificate != nil {
		part("certificate@north.example", "application/octet-stream", certificate)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return message{mime.FormatMediaType("multipart/related", map[string]string{
		"boundary": w.Boundary(), "type": "application/xop+xml", "start": "<envelope@north.example>", "start-info": "application/soap+xml",
	}), b.Bytes()}
}

// unpack returns the envelope of a message, which is all that we send.
func unpack(t *testing.T, m message) []byte {
	t.Helper()
	mediaType, parameters, err := mime.ParseMediaType(m.contentType)
	if err != nil {
		t.Fatal(err)
	}
	if mediaType != "multipart/related" {
		return m.body
	}
	part, err := multipart.NewReader(bytes.NewReader(m.body), parameters["boundary"]).NextPart()
	if err != nil {
		t.Fatal(err)
	}
	envelope, err := io.ReadAll(part)
	if err != nil {
		t.Fatal(err)
	}
	return envelope
}

// tamper changes which document is asked for. The length stays.
func tamper(t *testing.T, b []byte) []byte {
	t.Helper()
	changed := bytes.Replace(b, []byte(">"+documentID+"<"), []byte(">"+otherDocID+"<"), 1)
	if bytes.Equal(changed, b) {
		t.Fatal("message has no documentUniqueId to change")
	}
	return changed
}

// signatureMethod is the identifier of an algorithm that may be given by the last word of it.
func signatureMethod(algorithm string) string {
	if strings.Contains(algorithm, ":") {
		return algorithm
	}
	return "http://www.w3.org/2001/04/xmldsig-more#" + algorithm
}

// signatureTemplate is what xmlsec1 fills in: a reference to each element with these Ids.
func signatureTemplate(algorithm, keyInfo string, ids ...string) string {
	var b strings.Builder
	b.WriteString(`<ds:Signature xmlns:ds="` + xmlsec.NamespaceDSig + `"><ds:SignedInfo><ds:CanonicalizationMethod Algorithm="` + xmlsec.ExclusiveC14N +
		`"/><ds:SignatureMethod Algorithm="` + signatureMethod(algorithm) + `"/>`)
	for _, id := range ids {
		b.WriteString(`<ds:Reference URI="#` + id + `"><ds:Transforms><ds:Transform Algorithm="` + xmlsec.ExclusiveC14N +
			`"/></ds:Transforms><ds:DigestMethod Algorithm="` + xmlsec.SHA256 + `"/><ds:DigestValue/></ds:Reference>`)
	}
	b.WriteString(`</ds:SignedInfo><ds:SignatureValue/><ds:KeyInfo>` + keyInfo + `</ds:KeyInfo></ds:Signature>`)
	return b.String()
}
