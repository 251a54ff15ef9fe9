package conformance

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/beevik/etree"
)

// prefixes are the only ones that our messages use, all bound on the Envelope and never bound again. This is
// what makes goxmldsig's canonicaliser safe here: it goes wrong where a prefix is bound twice.
var prefixes = [][2]string{
	{"soap", nsSOAP}, {"wsa", nsWSA}, {"wsse", nsWSSE}, {"wsu", nsWSU}, {"ds", nsDS}, {"xdsb", nsXDSB},
	{"rim", nsRIM}, {"lcm", nsLCM}, {"query", nsQuery}, {"iherad", nsRAD},
}

// message is a request on its way out: the envelope, still a tree, and how it will be wrapped.
type message struct {
	tx       *transaction
	envelope *etree.Element
	id       string        // wsa:MessageID, to which the answer must relate
	asked    []DocumentRef // what the answer must account for
	wrap     wrapping
}

// newMessage builds a Retrieve Document Set request. ITI TF-2: 3.43.4.1.2, 3.43.5
func newMessage(to string, asked ...DocumentRef) *message {
	request := etree.NewElement("xdsb:RetrieveDocumentSetRequest")
	for _, ref := range asked {
		addRequest(request, ref)
	}
	m := newRequest(to, retrieveDocumentSet, request)
	m.asked = asked
	return m
}

// newRequest builds a request of any transaction, with request as the child of its Body. ITI TF-2: V.9.2
func newRequest(to string, tx *transaction, request *etree.Element) *message {
	m := &message{tx: tx, envelope: etree.NewElement("soap:Envelope"), id: "urn:uuid:" + newUUID()}
	m.wrap.simple = !tx.mtom
	for _, p := range prefixes {
		m.envelope.CreateAttr("xmlns:"+p[0], p[1])
	}
	header := m.envelope.CreateElement("soap:Header")
	header.CreateElement("wsa:To").SetText(to)
	action := header.CreateElement("wsa:Action")
	action.CreateAttr("soap:mustUnderstand", "1") // ITI TF-2: Appendix V IHE-WSA101
	action.SetText(tx.action)
	header.CreateElement("wsa:MessageID").SetText(m.id)
	// No mustUnderstand here: the framework itself warns that toolkits choke. ITI TF-2: Appendix V IHE-WSA102
	header.CreateElement("wsa:ReplyTo").CreateElement("wsa:Address").SetText(addressAnonymous)
	m.envelope.CreateElement("soap:Body").AddChild(request)
	return m
}

// addRequest appends one DocumentRequest, its children in the order of the schema.
func addRequest(request *etree.Element, ref DocumentRef) {
	d := request.CreateElement("xdsb:DocumentRequest")
	if ref.HomeCommunityID != "" {
		d.CreateElement("xdsb:HomeCommunityId").SetText(ref.HomeCommunityID)
	}
	d.CreateElement("xdsb:RepositoryUniqueId").SetText(ref.RepositoryUniqueID)
	d.CreateElement("xdsb:DocumentUniqueId").SetText(ref.DocumentUniqueID)
}

func (m *message) header() *etree.Element { return m.envelope.SelectElement("soap:Header") }
func (m *message) body() *etree.Element   { return m.envelope.SelectElement("soap:Body") }
func (m *message) request() *etree.Element {
	return m.body().SelectElement("RetrieveDocumentSetRequest")
}

// addressing returns a WS-Addressing header by its local name, nil if it has been taken out.
func (m *message) addressing(name string) *etree.Element {
	return m.header().SelectElement("wsa:" + name)
}

// serialise returns the envelope as bytes, without indentation: white space would change what was signed; and the
// parts that it refers to.
func (m *message) serialise() ([]byte, []attachment, error) {
	root := m.envelope.Copy()
	attachments := m.wrap.attachments
	if !m.wrap.inline && !m.wrap.simple {
		for i, d := range root.FindElements("soap:Body/xdsb:ProvideAndRegisterDocumentSetRequest/xdsb:Document") {
			body, err := base64.StdEncoding.DecodeString(d.Text())
			if err != nil {
				return nil, nil, fmt.Errorf("document %d of the request: %w", i+1, err)
			}
			id := fmt.Sprintf("document%d@conformance", i+1)
			if m.wrap.escaped {
				id = fmt.Sprintf("http://conformance/document %d", i+1)
			}
			d.SetText("")
			include := d.CreateElement("xop:Include")
			include.CreateAttr("xmlns:xop", nsXOP)
			include.CreateAttr("href", "cid:"+url.PathEscape(id))
			attachments = append(attachments, attachment{id, body})
		}
	}
	b, err := etree.NewDocumentWithRoot(root).WriteToBytes()
	if err != nil {
		return nil, nil, fmt.Errorf("writing the envelope: %w", err)
	}
	return b, attachments, nil
}

// wrapping says how a message is put into HTTP. The zero value is the exact MTOM form of ITI TF-2: V.9.3; each
// field turns it into a form that peers are known to send.
type wrapping struct {
	simple      bool                // application/soap+xml instead of MTOM
	bareStart   bool                // the start parameter without angle brackets, as old Axis2 does
	noStart     bool                // no start parameter
	trailing    bool                // a semicolon at the end of the Content-Type
	noRootID    bool                // a root part without Content-ID
	rootType    string              // the media type of the root part, if not application/xop+xml
	action      string              // the action parameter of the Content-Type
	chunked     bool                // no Content-Length, as Axis2 and CXF do
	header      map[string]string   // further HTTP headers
	attachments []attachment        // parts that xop:Include names
	inline      bool                // documents stay in the envelope as base64
	escaped     bool                // documents have Content-IDs that must be escaped in a URL
	edit        func([]byte) []byte // changes the envelope as it is sent, after signing
	pad         int64               // bytes of white space between Header and Body, where no signature reaches
	cut         int                 // bytes to leave out at the end of the body
	empty       bool                // send no body at all
}

// attachment is a part besides the root.
type attachment struct {
	id   string // without angle brackets
	body []byte
}

const (
	boundary = "MIMEBoundary_conformance_d41a"
	rootID   = "root.message@conformance"
)

// encode returns the Content-Type and the body of the HTTP request.
func (m *message) encode() (contentType string, body io.Reader, err error) {
	raw, err := m.entity()
	if err != nil {
		return "", nil, err
	}
	contentType = m.wrap.contentType()
	if m.wrap.simple {
		contentType = mediaSOAP + "; charset=UTF-8"
	}
	switch before, after, found := bytes.Cut(raw, []byte("<soap:Body")); {
	case m.wrap.empty:
		return contentType, http.NoBody, nil
	case m.wrap.pad > 0 && found:
		body = io.MultiReader(bytes.NewReader(before), io.LimitReader(blanks{}, m.wrap.pad), strings.NewReader("<soap:Body"), bytes.NewReader(after))
	case m.wrap.chunked:
		body = struct{ io.Reader }{bytes.NewReader(raw)} // hides the length from net/http
	default:
		body = bytes.NewReader(raw)
	}
	return contentType, body, nil
}

// entity returns the bytes of the HTTP body, before they are padded.
func (m *message) entity() ([]byte, error) {
	envelope, attachments, err := m.serialise()
	if err != nil {
		return nil, err
	}
	if m.wrap.edit != nil {
		envelope = m.wrap.edit(envelope)
	}
	if m.wrap.simple {
		return envelope, nil
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "--%s\r\n%s\r\n", boundary, m.wrap.rootHeader())
	b.Write(envelope)
	for _, a := range attachments {
		fmt.Fprintf(&b, "\r\n--%s\r\nContent-Type: application/octet-stream\r\nContent-Transfer-Encoding: binary\r\nContent-ID: <%s>\r\n\r\n", boundary, a.id)
		b.Write(a.body)
	}
	fmt.Fprintf(&b, "\r\n--%s--\r\n", boundary)
	return b.Bytes()[:max(0, b.Len()-m.wrap.cut)], nil
}

// blanks is an endless source of white space.
type blanks struct{}

func (blanks) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	return len(p), nil
}

func (w wrapping) contentType() string {
	var b strings.Builder
	fmt.Fprintf(&b, `multipart/related; boundary="%s"; type="application/xop+xml"; start-info="application/soap+xml"`, boundary)
	switch {
	case w.noStart:
	case w.bareStart:
		fmt.Fprintf(&b, `; start="%s"`, rootID)
	default:
		fmt.Fprintf(&b, `; start="<%s>"`, rootID)
	}
	if w.action != "" {
		fmt.Fprintf(&b, `; action="%s"`, w.action)
	}
	if w.trailing {
		b.WriteString(";")
	}
	return b.String()
}

func (w wrapping) rootHeader() string {
	media := w.rootType
	if media == "" {
		media = mediaXOP
	}
	h := "Content-Type: " + media + "; charset=UTF-8; type=\"application/soap+xml\"\r\nContent-Transfer-Encoding: binary\r\n"
	if !w.noRootID {
		h += "Content-ID: <" + rootID + ">\r\n"
	}
	return h
}

// newUUID returns a random UUID. RFC 9562 section 5.4
func newUUID() string {
	var u [16]byte
	rand.Read(u[:]) // never fails since Go 1.24
	u[6] = u[6]&0x0f | 0x40
	u[8] = u[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", u[:4], u[4:6], u[6:8], u[8:10], u[10:])
}
