package conformance

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/beevik/etree"
)

// server is a Document Repository made of net/http and etree, small enough to be seen right at a glance, and able
// to be wrong in one chosen way. It proves that the checks can pass, and that each can fail.
type server struct {
	signed    bool             // requests must be signed, by someone
	documents map[string]*held // by DocumentUniqueId
	wrong     string           // a refusal that it does not make, or a form that it does not tolerate
	edit      func(*reply)     // spoils each answer that holds documents or registry errors

	mu   sync.Mutex
	seen map[string]bool // MessageIDs
	n    int             // answers so far
}

type held struct {
	mimeType string
	body     []byte
	readers  []string // SHA-256 of the certificates that may retrieve; on the plain side one shared name
}

const testRepository = "2.25.329800735698586629295641978511506172918"

// reply is an answer before it is written.
type reply struct {
	n           int
	status      int
	contentType string // with %s for the boundary, if multipart
	rootHeader  string
	envelope    string
	parts       []replyPart
	closing     string
	simple      bool
	header      map[string]string
}

type replyPart struct {
	header string
	body   []byte
}

// refusal is a SOAP fault with the name by which a test can switch it off.
type refusal struct{ name, code, reason string }

func (r refusal) Error() string { return r.reason }

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.n++
	n := s.n
	s.mu.Unlock()
	if r.Method == http.MethodGet && r.URL.RawQuery == "wsdl" && s.wrong != "wsdl" {
		w.Header().Set("Content-Type", "text/xml; charset=UTF-8")
		fmt.Fprintf(w, `<definitions xmlns="http://schemas.xmlsoap.org/wsdl/" xmlns:wsaw="http://www.w3.org/2006/05/addressing/wsdl"><portType name="P"><operation name="O"><input wsaw:Action=%q/></operation></portType></definitions>`, actionRetrieve)
		return
	}
	q, err := s.read(r)
	var f refusal
	if errors.As(err, &f) {
		if f.name != s.wrong {
			s.fault(w, q, f)
			return
		}
		// The wrong server has understood nothing and is pleased all the same.
		q.asked, q.from = []DocumentRef{{RepositoryUniqueID: testRepository, DocumentUniqueID: manifestID}}, s.anyReader()
	}
	a := s.answer(q)
	a.n = n
	if s.edit != nil {
		s.edit(a)
	}
	a.write(w)
}

// retrieval is a request as the server understood it.
type retrieval struct {
	simple   bool
	id, from string // MessageID; who signed, plainUser on the plain side
	asked    []DocumentRef
}

// read understands a request, or refuses it.
func (s *server) read(r *http.Request) (*retrieval, error) {
	q := &retrieval{}
	raw, attachments, err := s.unwrap(r, q)
	if err != nil {
		return q, err
	}
	doc := etree.NewDocument()
	doc.ReadSettings = etree.ReadSettings{ValidateInput: true, MaxDepth: 200}
	if err := doc.ReadFromBytes(raw); errors.Is(err, etree.ErrMaxDepth) {
		return q, refusal{"deep", "Sender", "too deep"}
	} else if err != nil || doc.Root() == nil {
		return q, refusal{"malformed", "Sender", "not well-formed"}
	}
	if bytes.Contains(raw, []byte("<!DOCTYPE")) {
		return q, refusal{"dtd", "Sender", "document type"}
	}
	root := doc.Root()
	if root.NamespaceURI() == nsSOAP11 {
		return q, refusal{"soap11", "VersionMismatch", "SOAP 1.2 only"}
	}
	if err := s.reinline(root, attachments); err != nil {
		return q, err
	}
	return q, s.understand(root, q)
}

func (s *server) understand(root *etree.Element, q *retrieval) error {
	header, body := child(root, nsSOAP, "Header"), child(root, nsSOAP, "Body")
	q.id = childText(header, nsWSA, "MessageID")
	if err := eachElement(root, func(e *etree.Element) error {
		if e.Space != "" && e.NamespaceURI() == "" {
			return refusal{"prefix", "Sender", "undeclared prefix"}
		}
		return nil
	}); err != nil {
		return err
	}
	for _, h := range elements(header) {
		must, _ := attribute(h, nsSOAP, "mustUnderstand")
		if (must == "1" || must == "true") && h.NamespaceURI() != nsWSA && h.NamespaceURI() != nsWSSE {
			return refusal{"must-understand", "MustUnderstand", "unknown header"}
		}
		if h.Tag == "Unheard" && s.wrong == "strict-optional" {
			return refusal{"", "Sender", "unknown header"}
		}
	}
	actions := children(header, nsWSA, "Action")
	switch {
	case len(actions) == 0:
		return refusal{"missing-action", "Sender", "no action"}
	case len(actions) > 1:
		return refusal{"two-actions", "Sender", "two actions"}
	case textOf(actions[0]) != actionRetrieve:
		return refusal{"unknown-action", "Sender", "unknown action"}
	case actions[0].Text() != actionRetrieve && s.wrong == "strict-blanks":
		return refusal{"", "Sender", "blanks"}
	}
	replyTo := child(header, nsWSA, "ReplyTo")
	if replyTo == nil && s.wrong == "strict-reply-to" {
		return refusal{"", "Sender", "no ReplyTo"}
	}
	if replyTo != nil && s.wrong == "strict-reply-to-must" {
		if _, ok := attribute(replyTo, nsSOAP, "mustUnderstand"); ok {
			return refusal{"", "MustUnderstand", "ReplyTo"}
		}
	}
	if !strings.Contains(q.id, "-") && s.wrong == "strict-message-id" {
		return refusal{"", "Sender", "MessageID is no UUID"}
	}
	switch payload := elements(body); {
	case len(payload) == 0:
		return refusal{"empty-body", "Sender", "empty Body"}
	case len(payload) > 1:
		return refusal{"two-bodies", "Sender", "two children"}
	default:
		for _, d := range children(payload[0], nsXDSB, "DocumentRequest") {
			q.asked = append(q.asked, DocumentRef{childText(d, nsXDSB, "HomeCommunityId"), childText(d, nsXDSB, "RepositoryUniqueId"), childText(d, nsXDSB, "DocumentUniqueId")})
		}
	}
	for _, ref := range q.asked {
		if ref.DocumentUniqueID == "" {
			return refusal{"empty-document", "Sender", "empty DocumentUniqueId"}
		}
		if ref.RepositoryUniqueID == "" {
			return refusal{"empty-repository", "Sender", "empty RepositoryUniqueId"}
		}
	}
	if !s.signed {
		return nil
	}
	return s.authenticate(root, q)
}

// unwrap takes the envelope and the attachments out of HTTP and MIME.
func (s *server) unwrap(r *http.Request, q *retrieval) ([]byte, map[string][]byte, error) {
	contentType := r.Header.Get("Content-Type")
	media, params, err := mime.ParseMediaType(contentType)
	if err != nil {
		return nil, nil, refusal{"content-type", "Sender", err.Error()}
	}
	for name, seen := range map[string]bool{
		"strict-bare":      params["start"] != "" && params["start"][0] != '<',
		"strict-start":     media == mediaMultipart && params["start"] == "" && strings.Contains(contentType, "start-info"),
		"strict-semicolon": strings.HasSuffix(contentType, ";"),
		"strict-chunked":   r.ContentLength < 0,
		"strict-expect":    r.Header.Get("Expect") != "",
		"strict-action":    params["action"] != "" && params["action"] != actionRetrieve,
	} {
		if seen && s.wrong == name {
			return nil, nil, refusal{"", "Sender", name}
		}
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, 4<<20+1))
	if len(body) > 4<<20 {
		return nil, nil, refusal{"large", "Sender", "too large"}
	}
	if err != nil || len(body) == 0 {
		return nil, nil, refusal{"no-body", "Sender", "empty HTTP body"}
	}
	if media == mediaSOAP {
		q.simple = true
		return body, nil, nil
	}
	var root []byte
	attachments := map[string][]byte{}
	parts := multipart.NewReader(bytes.NewReader(body), params["boundary"])
	for i := 0; ; i++ {
		p, err := parts.NextRawPart()
		if err == io.EOF {
			return root, attachments, nil
		}
		if err != nil {
			return root, nil, refusal{"truncated", "Sender", "truncated"}
		}
		b, err := io.ReadAll(p)
		if err != nil {
			return root, nil, refusal{"truncated", "Sender", "truncated"}
		}
		if i > 0 {
			attachments[unbracket(p.Header.Get("Content-ID"))] = b
			continue
		}
		root = b
		if p.Header.Get("Content-ID") == "" && s.wrong == "strict-root-id" || !strings.HasPrefix(p.Header.Get("Content-Type"), mediaXOP) && s.wrong == "strict-root-type" {
			return nil, nil, refusal{"", "Sender", s.wrong}
		}
	}
}

// reinline puts base64 in the place of each xop:Include.
func (s *server) reinline(root *etree.Element, attachments map[string][]byte) error {
	return eachElement(root, func(e *etree.Element) error {
		if include := child(e, nsXOP, "Include"); include != nil && s.wrong != "strict-include" {
			href := include.SelectAttrValue("href", "")
			id, err := unescapeCID(href)
			if s.wrong == "strict-cid" {
				id = strings.TrimPrefix(href, "cid:")
			}
			b, ok := attachments[id]
			if err != nil || !ok {
				return refusal{"include", "Sender", "no such part"}
			}
			e.Child = nil
			e.SetText(base64.StdEncoding.EncodeToString(b))
		}
		return nil
	})
}

// answer decides about each document.
func (s *server) answer(q *retrieval) *reply {
	var responses, failed strings.Builder
	a := &reply{status: http.StatusOK, simple: q.simple, closing: "\r\n--%s--\r\n"}
	status := StatusSuccess
	for _, ref := range q.asked {
		d := s.documents[ref.DocumentUniqueID]
		code := ""
		switch {
		case ref.RepositoryUniqueID != testRepository:
			code = codeUnknownRepositoryID
		case d == nil || !slices.Contains(d.readers, q.from):
			code = codeDocumentUniqueID
		}
		if code != "" {
			fmt.Fprintf(&failed, `<rs:RegistryError errorCode="%s" codeContext="%s: not available" severity="%s" location="%s"/>`, code, code, severityError, ref.DocumentUniqueID)
			continue
		}
		content := base64.StdEncoding.EncodeToString(d.body)
		if !q.simple {
			id := fmt.Sprintf("part%d@test", len(a.parts))
			content = fmt.Sprintf(`<xop:Include xmlns:xop="%s" href="cid:%s"/>`, nsXOP, strings.ReplaceAll(id, "@", "%40"))
			a.parts = append(a.parts, replyPart{"Content-Type: " + d.mimeType + "\r\nContent-Transfer-Encoding: binary\r\nContent-ID: <" + id + ">\r\n", d.body})
		}
		home := ""
		if ref.HomeCommunityID != "" {
			home = "<x:HomeCommunityId>" + ref.HomeCommunityID + "</x:HomeCommunityId>"
		}
		fmt.Fprintf(&responses, `<x:DocumentResponse>%s<x:RepositoryUniqueId>%s</x:RepositoryUniqueId><x:DocumentUniqueId>%s</x:DocumentUniqueId><x:mimeType>%s</x:mimeType><x:Document>%s</x:Document></x:DocumentResponse>`, home, ref.RepositoryUniqueID, ref.DocumentUniqueID, d.mimeType, content)
	}
	list := ""
	if failed.Len() > 0 {
		list = fmt.Sprintf(`<rs:RegistryErrorList highestSeverity="%s">%s</rs:RegistryErrorList>`, severityError, failed.String())
		status = StatusPartialSuccess
		if responses.Len() == 0 {
			status = StatusFailure
		}
	}
	a.wrap(q.id, fmt.Sprintf(`<x:RetrieveDocumentSetResponse xmlns:x="%s" xmlns:rs="%s"><rs:RegistryResponse status="%s">%s</rs:RegistryResponse>%s</x:RetrieveDocumentSetResponse>`, nsXDSB, nsRS, status, list, responses.String()))
	return a
}

// wrap puts a payload into an envelope and chooses the exact packaging.
func (a *reply) wrap(relatesTo, payload string) {
	a.envelope = fmt.Sprintf(`<s:Envelope xmlns:s="%s" xmlns:a="%s"><s:Header><a:Action s:mustUnderstand="1">%s</a:Action><a:RelatesTo>%s</a:RelatesTo></s:Header><s:Body>%s</s:Body></s:Envelope>`, nsSOAP, nsWSA, actionRetrieveResponse, relatesTo, payload)
	a.contentType = `multipart/related; boundary="%s"; type="application/xop+xml"; start="<root@test>"; start-info="application/soap+xml"`
	if a.simple {
		a.contentType = "application/soap+xml; charset=UTF-8"
	}
	a.rootHeader = "Content-Type: application/xop+xml; charset=UTF-8; type=\"application/soap+xml\"\r\nContent-Transfer-Encoding: binary\r\nContent-ID: <root@test>\r\n"
}

func (s *server) fault(w http.ResponseWriter, q *retrieval, f refusal) {
	status := http.StatusBadRequest
	if f.code != "Sender" {
		status = http.StatusInternalServerError
	}
	a := &reply{status: status, simple: true}
	a.wrap(q.id, fmt.Sprintf(`<s:Fault><s:Code><s:Value>s:%s</s:Value></s:Code><s:Reason><s:Text xml:lang="en">%s</s:Text></s:Reason></s:Fault>`, f.code, f.reason))
	a.write(w)
}

func (a *reply) write(w http.ResponseWriter) {
	var b bytes.Buffer
	contentType := a.contentType
	if a.simple {
		b.WriteString(a.envelope)
	} else {
		boundary := "b-" + newUUID()
		contentType = strings.Replace(contentType, "%s", boundary, 1)
		fmt.Fprintf(&b, "--%s\r\n%s\r\n%s", boundary, a.rootHeader, a.envelope)
		for _, p := range a.parts {
			fmt.Fprintf(&b, "\r\n--%s\r\n%s\r\n%s", boundary, p.header, p.body)
		}
		b.WriteString(strings.Replace(a.closing, "%s", boundary, 1))
	}
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Content-Length", fmt.Sprint(b.Len()))
	for name, value := range a.header {
		w.Header().Set(name, value)
	}
	w.WriteHeader(a.status)
	w.Write(b.Bytes())
}
