package soap

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"collimate/xmlsec"
)

// A client of SOAP 1.1 gets a fault that it can parse, with a sentence, and is told which version to use, in
// whatever it wraps its envelope. SOAP 1.2 Part 1 Appendix A
func TestSOAP11(t *testing.T) {
	old := strings.Replace(envelopeWith("", ask), NSEnvelope, NSEnvelope11, 1)
	tests := []struct{ name, contentType, body string }{
		{"text/xml", "text/xml; charset=utf-8", old},
		{"SOAP with Attachments", `multipart/related; boundary=b; type="text/xml"; start="<r>"`, multipart(old, "x")},
		{"MTOM", `multipart/related; boundary=b; type="application/xop+xml"; start="<r>"; start-info="text/xml"`, multipart(old)},
		{"MTOM without start-info", mtomType, multipart(old)},
	}
	s := &Server{Operations: operations(nil)}
	for _, test := range tests {
		w, doc := post(t, s, test.contentType, test.body)
		if w.Code != http.StatusInternalServerError || w.Header().Get("Content-Type") != "text/xml; charset=UTF-8" {
			t.Errorf("%s: HTTP %d, %s", test.name, w.Code, w.Header().Get("Content-Type"))
		}
		header, _ := doc.Root().Child(NSEnvelope11, "Header")
		body, _ := doc.Root().Child(NSEnvelope11, "Body")
		fault, ok := body.Child(NSEnvelope11, "Fault")
		if !ok {
			t.Errorf("%s: no fault of SOAP 1.1 but %s", test.name, doc.Bytes())
			continue
		}
		code, _ := fault.Child("", "faultcode")
		reason, _ := fault.Child("", "faultstring")
		if got, _ := code.Text(); resolve(code, got) != (Name{NSEnvelope11, "VersionMismatch"}) {
			t.Errorf("%s: faultcode %s", test.name, got)
		}
		if got, _ := reason.Text(); !strings.Contains(got, "SOAP 1.1") || !strings.Contains(got, NSEnvelope) {
			t.Errorf("%s: faultstring %s", test.name, got)
		}
		checkUpgrade(t, header)
	}
	// Who says that it is SOAP 1.2 reads that, and is told the same in it.
	for contentType, body := range map[string]string{typeSimple: old, mtomType + `; start-info="application/soap+xml"`: multipart(old)} {
		_, doc := post(t, s, contentType, body)
		body, _ := doc.Root().Child(NSEnvelope, "Body")
		n, ok := body.Child(NSEnvelope, "Fault")
		if !ok || remoteFault(n).(*RemoteFault).Code != VersionMismatch {
			t.Errorf("%s: %s", contentType, doc.Bytes())
		}
		header, _ := doc.Root().Child(NSEnvelope, "Header")
		checkUpgrade(t, header)
	}
	// What is neither is told in SOAP 1.2.
	w, _ := post(t, s, "text/xml", envelopeWith(simpleAction, ask))
	if w.Code != http.StatusBadRequest || !strings.HasPrefix(w.Header().Get("Content-Type"), typeSimple) {
		t.Errorf("SOAP 1.2 labelled text/xml: HTTP %d, %s", w.Code, w.Header().Get("Content-Type"))
	}
}

// resolve is the name that a QName in the content of n stands for.
func resolve(n xmlsec.Node, qname string) Name {
	prefix, local, ok := strings.Cut(qname, ":")
	if !ok {
		return Name{Local: qname}
	}
	space, _ := n.Namespace(prefix)
	return Name{space, local}
}

func checkUpgrade(t *testing.T, header xmlsec.Node) {
	t.Helper()
	upgrade, _ := header.Child(NSEnvelope, "Upgrade")
	supported, ok := upgrade.Child(NSEnvelope, "SupportedEnvelope")
	name, _ := supported.Attr("", "qname")
	if !ok || resolve(supported, name) != (Name{NSEnvelope, "Envelope"}) {
		t.Errorf("no Upgrade header block that names the SOAP 1.2 Envelope, but %q", name)
	}
}

func TestUpgradeOfAnotherVersion(t *testing.T) {
	_, doc := post(t, &Server{}, typeSimple, `<Envelope xmlns="http://www.w3.org/2001/12/soap-envelope"/>`)
	header, _ := doc.Root().Child(NSEnvelope, "Header")
	checkUpgrade(t, header)
}

// Each header block that is not understood is named. SOAP 1.2 Part 1 section 5.4.8
func TestNotUnderstood(t *testing.T) {
	blocks := `<x s:mustUnderstand="1"/><y:z xmlns:y="urn:a&amp;b" s:mustUnderstand="true"/><y:n xmlns:y="urn:a"/>` +
		`<o s:mustUnderstand="1" s:role="urn:other"/><p s:mustUnderstand="1" s:role="` + roleNext + `"/>`
	_, doc := post(t, &Server{Operations: operations(nil)}, typeSimple, envelopeWith(simpleAction+blocks, ask))
	header, _ := doc.Root().Child(NSEnvelope, "Header")
	var got []Name
	for block := range header.Elements() {
		if block.Is(NSEnvelope, "NotUnderstood") {
			name, _ := block.Attr("", "qname")
			got = append(got, resolve(block, name))
		}
	}
	want := []Name{{"", "x"}, {"urn:a&b", "z"}, {"", "p"}}
	if len(got) != len(want) {
		t.Fatalf("got %v, want %v: %s", got, want, doc.Bytes())
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("got %v, want %v", got[i], want[i])
		}
	}
	relates, _ := header.Child(NSAddressing, "RelatesTo")
	if id, _ := relates.Text(); id != "urn:uuid:1" {
		t.Errorf("RelatesTo %q", id)
	}
}

// Faults of WS-Addressing have its action, and say in their detail what is wrong.
func TestAddressingFaults(t *testing.T) {
	tests := []struct{ name, header, detail string }{
		{"no action", `<a:To>x</a:To>`, `wsa:Action</wsa:ProblemHeaderQName>`},
		{"twice", simpleAction + `<a:FaultTo/><a:FaultTo/>`, `wsa:FaultTo</wsa:ProblemHeaderQName>`},
		{"reply", simpleAction + `<a:ReplyTo><a:Address>http://x/</a:Address></a:ReplyTo>`, `wsa:ReplyTo</wsa:ProblemHeaderQName>`},
		{"unknown action", `<a:Action>urn:&lt;x&gt;</a:Action>`, `<wsa:ProblemAction xmlns:wsa="` + NSAddressing + `"><wsa:Action>urn:&lt;x&gt;</wsa:Action>`},
	}
	for _, test := range tests {
		_, doc := post(t, &Server{Operations: operations(nil)}, typeSimple, envelopeWith(test.header, ask))
		got := string(doc.Bytes())
		if !strings.Contains(got, test.detail) || !strings.Contains(got, ">"+actionAddressingFault+"<") {
			t.Errorf("%s: %s", test.name, got)
		}
	}
}

// An operation can ask its peer to come back later.
func TestRetryAfter(t *testing.T) {
	s := &Server{}
	x := &exchange{Server: s, r: httptest.NewRequest(http.MethodPost, "/", nil)}
	w := httptest.NewRecorder()
	x.w = w
	x.refuse(busyFault(1500 * time.Millisecond))
	if w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") != "2" || !strings.Contains(w.Body.String(), ">1500</wsa:RetryAfter>") {
		t.Errorf("HTTP %d, Retry-After %q: %s", w.Code, w.Header().Get("Retry-After"), w.Body)
	}
}
