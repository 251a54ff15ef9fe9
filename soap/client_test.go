package soap

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"collimate/xmlsec"
)

// peer is a server that answers with what it is given, and keeps the request.
func peer(t *testing.T, status int, contentType string, body func(messageID string) string) (url string, request *bytes.Buffer) {
	t.Helper()
	request = &bytes.Buffer{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		request.Reset()
		request.WriteString(r.Header.Get("Content-Type") + "\n")
		b, _ := io.ReadAll(r.Body)
		request.Write(b)
		_, id, _ := strings.Cut(string(b), "<wsa:MessageID>")
		id, _, _ = strings.Cut(id, "<")
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(status)
		io.WriteString(w, body(id))
	}))
	t.Cleanup(server.Close)
	return server.URL, request
}

func answer(header, body string) func(string) string {
	return func(id string) string {
		return envelopeWith(`<a:Action>urn:x</a:Action>`+strings.ReplaceAll(header, "ID", id), body)
	}
}

func TestCall(t *testing.T) {
	faultBody := `<s:Fault><s:Code><s:Value>s:Sender</s:Value><s:Subcode><s:Value xmlns:w="urn:w">w:Bad</s:Value></s:Subcode></s:Code><s:Reason><s:Text xml:lang="en">why</s:Text></s:Reason></s:Fault>`
	const soapType = "application/soap+xml"
	tests := []struct {
		name        string
		status      int
		contentType string
		body        func(string) string
		want        string // part of the error, "" for none
	}{
		{"answer", 200, soapType, answer(`<a:RelatesTo>ID</a:RelatesTo>`, ask), ""},
		{"without RelatesTo", 200, soapType, answer("", ask), ""},
		{"multipart", 200, mtomType, func(id string) string { return multipart(answer("", ask)(id)) }, ""},
		{"to another request", 200, soapType, answer(`<a:RelatesTo>urn:uuid:0</a:RelatesTo>`, ask), "another request"},
		{"with a header that has to be understood", 200, soapType, answer(`<x s:mustUnderstand="1"/>`, ask), "has to be understood"},
		{"fault with NotUnderstood", 500, soapType, answer(`<s:NotUnderstood qname="x"/>`, faultBody), `Sender/Bad: "why"`},
		{"fault", 500, soapType, answer("", faultBody), `Sender/Bad: "why"`},
		{"fault with 200", 200, soapType, answer("", faultBody), `Sender/Bad: "why"`},
		{"fault without addressing", 400, soapType, func(string) string { return envelopeWith("", faultBody) }, `Sender/Bad: "why"`},
		{"multipart fault", 500, mtomType, func(string) string { return multipart(envelopeWith("", faultBody)) }, `Sender/Bad: "why"`},
		{"empty fault", 500, soapType, answer("", "<s:Fault/>"), "Receiver"},
		{"accepted", 202, soapType, func(string) string { return "" }, "HTTP 202"},
		{"redirect", 304, soapType, func(string) string { return "" }, "HTTP 304"},
		{"page", 502, "text/html", func(string) string { return "<html>" }, "HTTP 502"},
		{"no type", 200, "", func(string) string { return "<html>" }, "HTTP 200"},
		{"not XML", 200, soapType, func(string) string { return "x" }, "xml line 1"},
		{"no Body", 200, soapType, func(string) string { return `<s:Envelope xmlns:s="` + NSEnvelope + `"/>` }, "no Body"},
		{"SOAP 1.1", 200, soapType, func(string) string { return strings.Replace(answer("", ask)(""), NSEnvelope, NSEnvelope11, 1) }, "SOAP 1.1"},
		{"no Action", 200, soapType, func(string) string { return envelopeWith("", ask) }, "wsa:Action"},
		{"multipart without parts", 200, mtomType, func(string) string { return "--b--" }, "mtom"},
		{"torn root", 200, mtomType, func(string) string { return multipart(answer("", ask)(""))[:200] }, "closing boundary"},
		{"too long", 200, soapType, func(string) string { return answer("", ask)("") + strings.Repeat(" ", maxReplyEnvelope) }, "more than"},
	}
	for _, test := range tests {
		url, _ := peer(t, test.status, test.contentType, test.body)
		reply, err := new(Client).Call(t.Context(), url, Envelope{Action: "urn:x", Payload: []byte(ask)})
		if test.want == "" {
			if err != nil || !reply.Payload.Is("urn:t", "Ask") {
				t.Errorf("%s: error %v", test.name, err)
			}
		} else if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: error %v, want %q", test.name, err, test.want)
		}
		var fault *Fault
		if errors.As(err, &fault) {
			t.Errorf("%s: the fault of a peer would be sent on as ours", test.name)
		}
		if err == nil {
			reply.Close()
		}
	}
}

// signer signs as soap/wss does, as far as this package sees it.
type signer struct {
	envelope string
	ids      []string
}

func (s *signer) SecurityHeader(envelope []byte, ids []string) ([]byte, error) {
	s.envelope, s.ids = string(envelope), ids
	return []byte(`<w:Security xmlns:w="` + NSSecurity + `"/>`), nil
}

func TestSignedRequest(t *testing.T) {
	url, request := peer(t, 200, "application/soap+xml", answer("", ask))
	var s signer
	reply, err := (&Client{Signer: &s}).Call(t.Context(), url, Envelope{Action: "urn:x", Payload: []byte(ask), MTOM: true})
	if err != nil {
		t.Fatal(err)
	}
	reply.Close()
	if got, want := strings.Join(s.ids, " "), "id-action id-messageid id-to id-replyto id-body"; got != want {
		t.Errorf("ids %s, want %s", got, want)
	}
	contentType, body, _ := strings.Cut(request.String(), "\n")
	pack, err := parser{limits: DefaultLimits}.readMTOM(strings.NewReader(body), contentType)
	doc := pack.doc
	if err != nil {
		t.Fatal(err)
	}
	sent := string(doc.Bytes())
	if got := strings.Replace(sent, `<w:Security xmlns:w="`+NSSecurity+`"/></soap:Header>`, "</soap:Header>", 1); got != s.envelope {
		t.Errorf("sent\n%s\nsigned\n%s", got, s.envelope)
	}
	signed, err := xmlsec.Parse([]byte(s.envelope), xmlsec.DefaultLimits)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	for n := range signed.Walk() {
		if id, ok := n.Attr(NSUtility, "Id"); ok {
			found[id] = true
		}
	}
	if len(found) != len(s.ids) {
		t.Errorf("%d elements have a wsu:Id, %d are to be signed", len(found), len(s.ids))
	}
}

// A peer that stops in the middle of an answer is given up.
func TestIdleAnswer(t *testing.T) {
	stop := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", mtomType)
		io.WriteString(w, strings.TrimSuffix(multipart(answer("", ask)(""), "0123456789"), "789\r\n--b--\r\n"))
		w.(http.Flusher).Flush()
		<-stop
	}))
	defer server.Close()
	defer close(stop)
	c := &Client{IdleTimeout: 50 * time.Millisecond}
	reply, err := c.Call(t.Context(), server.URL, Envelope{Action: "urn:x", Payload: []byte(ask)})
	if err != nil {
		t.Fatal(err)
	}
	defer reply.Close()
	part, err := reply.Next()
	if err != nil {
		t.Fatal(err)
	}
	if _, err = io.Copy(io.Discard, part); !errors.Is(err, ErrIdle) {
		t.Errorf("error %v, want ErrIdle", err)
	}
}

func TestNewMessageID(t *testing.T) {
	a, b := newMessageID(), newMessageID()
	if a == b || len(a) != len("urn:uuid:00000000-0000-4000-8000-000000000000") || a[len("urn:uuid:")+14] != '4' {
		t.Errorf("got %s and %s", a, b)
	}
}
