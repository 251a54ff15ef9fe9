package soap

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"collimate/soap/mtom"
	"collimate/xmlsec"
)

const (
	actionMTOM   = "urn:test:Mtom"
	actionSimple = "urn:test:Simple"
)

// operations answers one transaction of each packaging. What they are asked decides what they do.
func operations(parts func() ([]mtom.Part, Parts)) []Operation {
	handle := func(_ context.Context, r *Request) (*Response, error) {
		what, _ := r.Payload.Text()
		switch strings.TrimSpace(what) {
		case "fault":
			return nil, &Fault{Code: Sender, Subcode: Name{NSSecurity, "FailedCheck"}, Reason: "no & no", Err: errors.New("secret")}
		case "error":
			return nil, fmt.Errorf("secret")
		case "nothing":
			return nil, nil
		}
		response := &Response{Payload: []byte(`<t:Answer xmlns:t="urn:t"/>`)}
		if parts != nil {
			response.Attachments, response.Parts = parts()
		}
		return response, nil
	}
	return []Operation{
		{ID: "TEST-1", Action: actionMTOM, ResponseAction: actionMTOM + "Response", MTOM: true, Handle: handle},
		{ID: "TEST-2", Action: actionSimple, ResponseAction: actionSimple + "Response", Handle: handle},
	}
}

// envelopeWith returns an envelope with these header blocks and this inside of Body.
func envelopeWith(header, body string) string {
	return `<s:Envelope xmlns:s="` + NSEnvelope + `" xmlns:a="` + NSAddressing + `"><s:Header>` + header + `</s:Header><s:Body>` + body + `</s:Body></s:Envelope>`
}

const (
	simpleAction = `<a:Action s:mustUnderstand="1">` + actionSimple + `</a:Action><a:MessageID>urn:uuid:1</a:MessageID>`
	ask          = `<t:Ask xmlns:t="urn:t"/>`
)

func multipart(envelope string, more ...string) string {
	s := "--b\r\nContent-Type: application/xop+xml\r\nContent-ID: <r>\r\n\r\n" + envelope
	for i, m := range more {
		s += fmt.Sprintf("\r\n--b\r\nContent-ID: <%d>\r\n\r\n%s", i, m)
	}
	return s + "\r\n--b--\r\n"
}

const mtomType = `multipart/related; boundary=b; type="application/xop+xml"; start="<r>"`

// post sends a request and returns the answer with its envelope.
func post(t *testing.T, h http.Handler, contentType, body string) (*httptest.ResponseRecorder, *xmlsec.Document) {
	t.Helper()
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
	r.Header.Set("Content-Type", contentType)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	envelope := w.Body.Bytes()
	if ct := w.Header().Get("Content-Type"); strings.HasPrefix(ct, "multipart/related") {
		m, err := mtom.NewReader(w.Body, ct, mtom.DefaultLimits)
		if err != nil {
			t.Fatalf("the answer cannot be read: %v", err)
		}
		p, err := m.Next()
		if err != nil {
			t.Fatalf("the answer cannot be read: %v", err)
		}
		if envelope, err = io.ReadAll(p); err != nil {
			t.Fatalf("the answer cannot be read: %v", err)
		}
	}
	doc, err := xmlsec.Parse(envelope, xmlsec.DefaultLimits)
	if err != nil {
		t.Fatalf("the answer is not well-formed: %v: %s", err, envelope)
	}
	return w, doc
}

func TestAnswer(t *testing.T) {
	s := &Server{Operations: operations(nil)}
	w, doc := post(t, s, "application/soap+xml; charset=utf-8; action=ignored", envelopeWith(simpleAction, ask))
	want := `<soap:Envelope xmlns:soap="http://www.w3.org/2003/05/soap-envelope" xmlns:wsa="http://www.w3.org/2005/08/addressing"><soap:Header>` +
		`<wsa:Action soap:mustUnderstand="true">urn:test:SimpleResponse</wsa:Action><wsa:RelatesTo>urn:uuid:1</wsa:RelatesTo></soap:Header>` +
		`<soap:Body><t:Answer xmlns:t="urn:t"/></soap:Body></soap:Envelope>`
	if got := string(doc.Bytes()); w.Code != 200 || got != want {
		t.Errorf("HTTP %d\n%s\nwant\n%s", w.Code, got, want)
	}
	if got := w.Header().Get("Content-Type"); got != "application/soap+xml; charset=UTF-8" {
		t.Errorf("Content-Type %q", got)
	}
	if got := w.Header().Get("Content-Length"); got != fmt.Sprint(len(want)) {
		t.Errorf("Content-Length %q, want %d", got, len(want))
	}
}

// RelatesTo is the MessageID byte for byte, whatever that looks like.
func TestRelatesTo(t *testing.T) {
	s := &Server{Operations: operations(nil)}
	for _, id := range []string{"urn:uuid:3448B7F8EA6E8B9DFC1289514997508", "uuid:x", " spaces \t", "&lt;&amp;&#xD;>", "é"} {
		header := `<a:Action>` + actionSimple + `</a:Action><a:MessageID>` + id + `</a:MessageID>`
		_, doc := post(t, s, "application/soap+xml", envelopeWith(header, ask))
		sent, err := xmlsec.Parse([]byte(`<x>`+id+`</x>`), xmlsec.DefaultLimits)
		if err != nil {
			t.Fatal(err)
		}
		want, _ := sent.Root().Text()
		h, _ := doc.Root().Child(NSEnvelope, "Header")
		relates, _ := h.Child(NSAddressing, "RelatesTo")
		if got, _ := relates.Text(); got != want {
			t.Errorf("MessageID %q: RelatesTo %q", want, got)
		}
	}
	_, doc := post(t, s, "application/soap+xml", envelopeWith(`<a:Action>`+actionSimple+`</a:Action>`, ask))
	h, _ := doc.Root().Child(NSEnvelope, "Header")
	if _, ok := h.Child(NSAddressing, "RelatesTo"); ok {
		t.Error("there is a RelatesTo without a MessageID")
	}
}

func TestFaults(t *testing.T) {
	const soapType, anonymous = "application/soap+xml", `<a:ReplyTo><a:Address>` + Anonymous + `</a:Address></a:ReplyTo>`
	withHeader := func(h string) string { return envelopeWith(h, ask) }
	deep := strings.Repeat("<x>", 20000) + strings.Repeat("</x>", 20000)
	tests := []struct {
		name, contentType, body string
		status                  int
		code                    FaultCode
		subcode, reason         string
	}{
		{"not XML", soapType, "hello", 400, Sender, "", "not well-formed"},
		{"empty", soapType, "", 400, Sender, "", "not well-formed"},
		{"torn XML", soapType, envelopeWith(simpleAction, ask)[:200], 400, Sender, "", "not well-formed"},
		{"DTD", soapType, `<!DOCTYPE x [<!ENTITY a "b">]>` + withHeader(simpleAction), 400, Sender, "", "not well-formed"},
		{"processing instruction", soapType, `<?x y?>` + withHeader(simpleAction), 400, Sender, "", "not well-formed"},
		{"deep", soapType, envelopeWith(simpleAction, deep), 400, Sender, "", "too large"},
		{"dense", soapType, envelopeWith(simpleAction, "<t>"+strings.Repeat("<x/>", int(DefaultLimits.RequestBytes/bytesPerNode))+"</t>"), 400, Sender, "", "too large"},
		{"too long", soapType, envelopeWith(simpleAction, "<t/>"+strings.Repeat(" ", int(DefaultLimits.RequestBytes))), 413, Sender, "", "more than 1048576 bytes"},
		{"SOAP 0.9", soapType, strings.Replace(withHeader(simpleAction), NSEnvelope, "urn:x", 1), 500, VersionMismatch, "", "not of SOAP 1.2"},
		{"no Envelope", soapType, ask, 400, Sender, "", "not a SOAP Envelope"},
		{"no Body", soapType, `<s:Envelope xmlns:s="` + NSEnvelope + `"/>`, 400, Sender, "", "no Body"},
		{"empty Body", soapType, envelopeWith(simpleAction, " "), 400, Sender, "", "Body is empty"},
		{"two children of Body", soapType, envelopeWith(simpleAction, ask+ask), 400, Sender, "", "more than one child"},
		{"Body before Header", soapType, `<s:Envelope xmlns:s="` + NSEnvelope + `"><s:Body>` + ask + `</s:Body><s:Header/></s:Envelope>`, 400, Sender, "", "optional Header and then one Body"},
		{"two Headers", soapType, `<s:Envelope xmlns:s="` + NSEnvelope + `"><s:Header/><s:Header/><s:Body>` + ask + `</s:Body></s:Envelope>`, 400, Sender, "", "optional Header"},
		{"no Action", soapType, withHeader(""), 400, Sender, "MessageAddressingHeaderRequired", "wsa:Action is missing"},
		{"two Actions", soapType, withHeader(simpleAction + simpleAction), 400, Sender, "InvalidAddressingHeader/InvalidCardinality", "more than once"},
		{"two Tos", soapType, withHeader(simpleAction + `<a:To>x</a:To><a:To>x</a:To>`), 400, Sender, "InvalidAddressingHeader/InvalidCardinality", "wsa:To"},
		{"long MessageID", soapType, withHeader(`<a:Action>` + actionSimple + `</a:Action><a:MessageID>` + strings.Repeat("x", maxAddress+1) + `</a:MessageID>`), 400, Sender, "InvalidAddressingHeader/InvalidAddress", "wsa:MessageID has more than 1024 bytes"},
		{"elements in an address", soapType, withHeader(`<a:Action><x/></a:Action>`), 400, Sender, "InvalidAddressingHeader/InvalidAddress", "child elements"},
		{"Action of another version", soapType, strings.Replace(withHeader(simpleAction), NSAddressing, "http://schemas.xmlsoap.org/ws/2004/08/addressing", 1), 500, MustUnderstand, "", "WS-Addressing 1.0"},
		{"Action of another version that need not be understood", soapType, withHeader(`<x:Action xmlns:x="http://schemas.xmlsoap.org/ws/2004/08/addressing">` + actionSimple + `</x:Action>`), 400, Sender, "MessageAddressingHeaderRequired", "wsa:Action is missing"},
		{"unknown Action", soapType, withHeader(`<a:Action>urn:x</a:Action>`), 400, Sender, "ActionNotSupported", "no operation"},
		{"asynchronous", soapType, withHeader(simpleAction + strings.Replace(anonymous, Anonymous, "http://other/", 1)), 400, Sender, "InvalidAddressingHeader/OnlyAnonymousAddressSupported", "connection of the request"},
		{"ReplyTo without Address", soapType, withHeader(simpleAction + `<a:ReplyTo/>`), 400, Sender, "InvalidAddressingHeader/MissingAddressInEPR", "no wsa:Address"},
		{"FaultTo without Address", soapType, withHeader(simpleAction + `<a:FaultTo/>`), 400, Sender, "InvalidAddressingHeader/MissingAddressInEPR", "no wsa:Address"},
		{"ReplyTo with an empty Address", soapType, withHeader(simpleAction + `<a:ReplyTo><a:Address> </a:Address></a:ReplyTo>`), 400, Sender, "InvalidAddressingHeader/InvalidAddress", "empty wsa:Address"},
		{"must understand, and no Action", soapType, withHeader(`<x s:mustUnderstand="true"/>`), 500, MustUnderstand, "", "has to be understood"},
		{"must understand", soapType, withHeader(simpleAction + `<x s:mustUnderstand="true"/>`), 500, MustUnderstand, "", "has to be understood"},
		{"must understand what", soapType, withHeader(simpleAction + `<x s:mustUnderstand="yes"/>`), 400, Sender, "", "neither"},
		{"many headers", soapType, withHeader(simpleAction + strings.Repeat("<x/>", maxHeaderBlocks-1)), 400, Sender, "", "more than 64 children"},
		{"no Content-Type", "", withHeader(simpleAction), 400, Sender, "", "Content-Type"},
		{"text/xml", "text/xml", withHeader(simpleAction), 400, Sender, "", "SOAP 1.1"},
		{"JSON", "application/json", "{}", 400, Sender, "", "neither"},
		{"MTOM transaction as simple SOAP", soapType, withHeader(`<a:Action>` + actionMTOM + `</a:Action>`), 400, Sender, "", "TEST-1 uses MTOM"},
		{"simple transaction as MTOM", mtomType, multipart(withHeader(simpleAction)), 400, Sender, "", "TEST-2 uses simple SOAP"},
		{"torn MTOM", mtomType, strings.TrimSuffix(multipart(withHeader(simpleAction)), "--b--\r\n"), 400, Sender, "", "closing boundary"},
		{"MTOM without parts", mtomType, "", 400, Sender, "", "closing boundary"},
		{"many parts", mtomType, multipart("<x/>", make([]string, DefaultLimits.Parts)...), 400, Sender, "", "more than 32 parts"},
		{"Include of nothing", mtomType, multipart(envelopeWith(simpleAction, `<t><i:Include xmlns:i="`+NSInclude+`" href="cid:0"/></t>`)), 400, Sender, "", "xop:Include"},
		{"fault of the operation", soapType, envelopeWith(simpleAction, "<t>fault</t>"), 400, Sender, "FailedCheck", "no & no"},
		{"error of the operation", soapType, envelopeWith(simpleAction, "<t>error</t>"), 500, Receiver, "", "could not be processed"},
		{"no answer of the operation", soapType, envelopeWith(simpleAction, "<t>nothing</t>"), 500, Receiver, "", "could not be processed"},
	}
	s := &Server{Operations: operations(nil)}
	for _, test := range tests {
		w, doc := post(t, s, test.contentType, test.body)
		body, _ := doc.Root().Child(NSEnvelope, "Body")
		n, ok := body.Child(NSEnvelope, "Fault")
		if !ok {
			t.Errorf("%s: no fault but %s", test.name, doc.Bytes())
			continue
		}
		got := remoteFault(n).(*RemoteFault)
		subcode := got.Subcode.Local
		if !got.Subsubcode.IsZero() {
			subcode += "/" + got.Subsubcode.Local
		}
		if w.Code != test.status || got.Code != test.code || subcode != test.subcode || !strings.Contains(got.Reason, test.reason) {
			t.Errorf("%s: HTTP %d %v; want %d %s/%s %q", test.name, w.Code, got, test.status, test.code, test.subcode, test.reason)
		}
		if strings.Contains(string(doc.Bytes()), "secret") {
			t.Errorf("%s: the cause is told to the peer", test.name)
		}
	}
}

// A fault has the packaging of the request, as far as that could be read.
func TestFaultPackaging(t *testing.T) {
	s := &Server{Operations: operations(nil)}
	tests := []struct{ name, contentType, body, want string }{
		{"simple", "application/soap+xml", envelopeWith("", ask), "application/soap+xml; charset=UTF-8"},
		{"MTOM", mtomType, multipart(envelopeWith("", ask)), "multipart/related; boundary="},
		{"torn MTOM", mtomType, "--b\r\n", "application/soap+xml; charset=UTF-8"},
	}
	for _, test := range tests {
		w, _ := post(t, s, test.contentType, test.body)
		if got := w.Header().Get("Content-Type"); w.Code != http.StatusBadRequest || !strings.HasPrefix(got, test.want) {
			t.Errorf("%s: HTTP %d, Content-Type %s, want %s", test.name, w.Code, got, test.want)
		}
	}
}

func TestAccepted(t *testing.T) {
	const soapType = "application/soap+xml"
	tests := []struct{ name, contentType, body string }{
		{"blanks around the Action", soapType, envelopeWith("<a:Action>\n "+actionSimple+" </a:Action>", ask)},
		{"mustUnderstand on ReplyTo", soapType, envelopeWith(simpleAction+`<a:ReplyTo s:mustUnderstand="1"><a:Address> `+Anonymous+` </a:Address></a:ReplyTo>`, ask)},
		{"FaultTo elsewhere", soapType, envelopeWith(simpleAction+`<a:FaultTo><a:Address>http://x/</a:Address></a:FaultTo>`, ask)},
		{"a header block that need not be understood", soapType, envelopeWith(simpleAction+`<x s:mustUnderstand="0"/><y s:mustUnderstand="false"/><z/>`, ask)},
		{"a header block for somebody else", soapType, envelopeWith(simpleAction+`<x s:mustUnderstand="1" s:role="urn:other"/>`, ask)},
		{"Security", soapType, envelopeWith(simpleAction+`<w:Security xmlns:w="`+NSSecurity+`" s:mustUnderstand="1"/>`, ask)},
		{"the most header blocks", soapType, envelopeWith(simpleAction+strings.Repeat("<x/>", maxHeaderBlocks-2), ask)},
		{"the longest MessageID", soapType, envelopeWith(`<a:Action>`+actionSimple+`</a:Action><a:MessageID>`+strings.Repeat("x", maxAddress)+`</a:MessageID>`, ask)},
		{"dense", soapType, envelopeWith(simpleAction, "<t>"+strings.Repeat("<x/>", int(DefaultLimits.RequestBytes/bytesPerNode)-20)+"</t>")},
		{"SOAPAction of something else", soapType + `; action="urn:else"`, envelopeWith(simpleAction, ask)},
		{"byte order mark", soapType, "\uFEFF" + envelopeWith(simpleAction, ask)},
	}
	s := &Server{Operations: operations(nil)}
	for _, test := range tests {
		if w, doc := post(t, s, test.contentType, test.body); w.Code != http.StatusOK {
			t.Errorf("%s: HTTP %d %s", test.name, w.Code, doc.Bytes())
		}
	}
}

func TestMethods(t *testing.T) {
	s := &Server{}
	for _, method := range []string{http.MethodGet, http.MethodPut} {
		w := httptest.NewRecorder()
		s.ServeHTTP(w, httptest.NewRequest(method, "/?wsdl", nil))
		if w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != "POST" {
			t.Errorf("%s: HTTP %d, Allow %q", method, w.Code, w.Header().Get("Allow"))
		}
	}
	s.Contract = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusTeapot) })
	w := httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/?wsdl", nil))
	if w.Code != http.StatusTeapot {
		t.Errorf("GET with a contract: HTTP %d", w.Code)
	}
}

// What a handler logs is codes and causes: nothing of a message.
func TestLog(t *testing.T) {
	var b bytes.Buffer
	s := &Server{Operations: operations(nil), Logger: slog.New(slog.NewTextHandler(&b, nil))}
	post(t, s, "application/soap+xml", envelopeWith(simpleAction, "<t>fault</t>"))
	post(t, s, "application/soap+xml", "<DOE^JANE/>")
	got := b.String()
	for _, want := range []string{"code=Sender", "subcode=FailedCheck", "err=secret", "operation=TEST-2", "remote="} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in the log:\n%s", want, got)
		}
	}
	if strings.Contains(got, "JANE") {
		t.Errorf("the log quotes the message:\n%s", got)
	}
}

// oneByOne yields attachments in the order in which they are given.
type oneByOne struct {
	order  []int
	bodies []io.WriterTo
	err    error // after the last one
	closed *bool
}

func (p *oneByOne) Next() (int, io.WriterTo, error) {
	if len(p.order) == 0 {
		return 0, nil, p.err
	}
	i := p.order[0]
	p.order = p.order[1:]
	return i, p.bodies[i], nil
}

func (p *oneByOne) Close() error { *p.closed = true; return nil }

func TestAttachments(t *testing.T) {
	file := filepath.Join(t.TempDir(), "doc")
	if err := os.WriteFile(file, bytes.Repeat([]byte("0123456789"), 300_000), 0o600); err != nil {
		t.Fatal(err)
	}
	two := []mtom.Part{{ContentID: "a", ContentType: "x/y", Size: 3}, {ContentID: "b", ContentType: "x/y", Size: 3_000_000}}
	unknown := []mtom.Part{two[0], {ContentID: "b", ContentType: "x/y", Size: -1}}
	broken := errors.New("disk failure")
	tests := []struct {
		name  string
		parts []mtom.Part
		order []int
		short bool // the second document ends early
		err   error
		ok    bool
	}{
		{"in order", two, []int{0, 1}, false, io.EOF, true},
		{"in the order of arrival", two, []int{1, 0}, false, io.EOF, true},
		{"size unknown", unknown, []int{0, 1}, false, io.EOF, true},
		{"one is missing", two, []int{0}, false, io.EOF, false},
		{"one twice", two, []int{0, 0}, false, io.EOF, false},
		{"one too many", two, []int{0, 1, 1}, false, io.EOF, false},
		{"an error before the second", two, []int{0}, false, broken, false},
		{"shorter than declared", two, []int{0, 1}, true, io.EOF, false},
		{"an error instead of the end", two, []int{0, 1}, false, broken, false},
		// Without a Content-Length only the abort tells the peer.
		{"one is missing, size unknown", unknown, []int{0}, false, io.EOF, false},
		{"one twice, size unknown", unknown, []int{1, 1}, false, io.EOF, false},
		{"an error before the second, size unknown", unknown, []int{0}, false, broken, false},
		{"an error instead of the end, size unknown", unknown, []int{0, 1}, false, broken, false},
	}
	for _, tls := range []bool{false, true} {
		for _, test := range tests {
			name := fmt.Sprintf("%s, tls %t", test.name, tls)
			var closed bool
			s := &Server{Operations: operations(func() ([]mtom.Part, Parts) {
				var size int64 = 3_000_000
				if test.short {
					size--
				}
				return test.parts, &oneByOne{order: append([]int(nil), test.order...), err: test.err, closed: &closed, bodies: []io.WriterTo{
					strings.NewReader("abc"), writerTo(func(w io.Writer) (int64, error) {
						f, err := os.Open(file)
						if err != nil {
							return 0, err
						}
						defer f.Close()
						return io.Copy(w, io.LimitReader(f, size))
					}),
				}}
			})}
			var server *httptest.Server
			if tls {
				server = httptest.NewTLSServer(s)
			} else {
				server = httptest.NewServer(s)
			}
			response, err := server.Client().Post(server.URL, mtomType, strings.NewReader(multipart(envelopeWith(`<a:Action>`+actionMTOM+`</a:Action>`, ask))))
			if err != nil {
				t.Fatal(err)
			}
			b, err := io.ReadAll(response.Body)
			response.Body.Close()
			server.Close() // waits for the handler
			if (err == nil) != test.ok {
				t.Errorf("%s: the client reads %d bytes, error %v", name, len(b), err)
			}
			if known := test.parts[1].Size >= 0; known != (response.ContentLength >= 0) || test.ok && known && response.ContentLength != int64(len(b)) {
				t.Errorf("%s: Content-Length %d, %d bytes", name, response.ContentLength, len(b))
			}
			if !closed {
				t.Errorf("%s: the attachments are not closed", name)
			}
		}
	}
}

type writerTo func(io.Writer) (int64, error)

func (f writerTo) WriteTo(w io.Writer) (int64, error) { return f(w) }

// A peer that takes nothing is given up after the idle time, and one that sends nothing after the read time.
func TestIdlePeer(t *testing.T) {
	var closed bool
	done := make(chan error, 1)
	s := &Server{
		Limits: Limits{IdleTimeout: 50 * time.Millisecond, ReadTimeout: 50 * time.Millisecond},
		Operations: operations(func() ([]mtom.Part, Parts) {
			return []mtom.Part{{ContentID: "a", ContentType: "x/y", Size: 1 << 40}}, &oneByOne{order: []int{0}, err: io.EOF, closed: &closed, bodies: []io.WriterTo{
				writerTo(func(w io.Writer) (n int64, err error) {
					for err == nil {
						_, err = w.Write(make([]byte, 1<<20))
					}
					done <- err
					return 0, err
				}),
			}}
		}),
	}
	server := httptest.NewServer(s)
	defer server.Close()
	response, err := server.Client().Post(server.URL, mtomType, strings.NewReader(multipart(envelopeWith(`<a:Action>`+actionMTOM+`</a:Action>`, ask))))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if err := <-done; !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("error %v, want a deadline", err)
	}

	body, w := io.Pipe()
	defer w.Close()
	go io.WriteString(w, "<s:Envelope")
	response, err = server.Client().Post(server.URL, "application/soap+xml", body)
	if err == nil {
		defer response.Body.Close()
		if response.StatusCode == http.StatusOK {
			t.Error("a request that never ends is answered")
		}
	}
}

// After one answer the connection serves the next, without the deadline of the first.
func TestKeepAlive(t *testing.T) {
	mux := http.NewServeMux()
	mux.Handle("/soap", &Server{Operations: operations(nil), Limits: Limits{IdleTimeout: 10 * time.Millisecond}})
	past := make(chan struct{})
	mux.HandleFunc("/slow", func(w http.ResponseWriter, r *http.Request) {
		<-past
		io.WriteString(w, "done")
	})
	server := httptest.NewServer(mux)
	defer server.Close()
	response, err := server.Client().Post(server.URL+"/soap", "application/soap+xml", strings.NewReader(envelopeWith(simpleAction, ask)))
	if err != nil {
		t.Fatal(err)
	}
	io.Copy(io.Discard, response.Body)
	response.Body.Close()
	time.AfterFunc(30*time.Millisecond, func() { close(past) }) // when the first deadline is over
	reused := false
	trace := &httptrace.ClientTrace{GotConn: func(i httptrace.GotConnInfo) { reused = i.Reused }}
	r, err := http.NewRequestWithContext(httptrace.WithClientTrace(t.Context(), trace), http.MethodGet, server.URL+"/slow", nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err = server.Client().Do(r)
	if err != nil {
		t.Fatalf("the second answer: %v", err)
	}
	defer response.Body.Close()
	if b, err := io.ReadAll(response.Body); string(b) != "done" || err != nil || !reused {
		t.Errorf("got %q, error %v, connection reused %t", b, err, reused)
	}
}
