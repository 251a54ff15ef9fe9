package soap

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"unicode/utf8"

	"collimate/xmlsec"
)

// FuzzReply: any answer is read to its end or refused, and a fault in it has a code and a reason within bounds.
func FuzzReply(f *testing.F) {
	fault := `<s:Fault><s:Code><s:Value>s:Sender</s:Value><s:Subcode><s:Value xmlns:w="urn:w">w:Bad</s:Value><s:Subcode><s:Value>x</s:Value></s:Subcode></s:Subcode></s:Code><s:Reason><s:Text xml:lang="en">why</s:Text></s:Reason></s:Fault>`
	f.Add(200, typeSimple, []byte(envelopeWith(simpleAction+`<a:RelatesTo> m </a:RelatesTo>`, ask)))
	f.Add(500, typeSimple, []byte(envelopeWith("", fault)))
	f.Add(400, mtomType, []byte(multipart(envelopeWith(simpleAction, fault), "ABC")))
	f.Add(200, mtomType, []byte(multipart(envelopeWith(simpleAction, ask), "ABC", "DEF")))
	f.Add(202, "", []byte{})
	f.Fuzz(func(t *testing.T, status int, contentType string, body []byte) {
		reply, err := newReply(&http.Response{
			StatusCode: status, Header: http.Header{"Content-Type": {contentType}}, Body: io.NopCloser(strings.NewReader(string(body))),
		})
		if err != nil {
			return
		}
		defer reply.Close()
		if reply.Payload.IsZero() {
			t.Fatal("an answer without a payload is accepted")
		}
		if err, ok := reply.check("m").(*RemoteFault); ok && (err.Reason == "" && err.Code == "" || len(err.Reason) > maxAddress) {
			t.Fatalf("fault %+v", err)
		}
		var total int
		for range replyLimits().Parts {
			part, err := reply.Next()
			if err != nil {
				return
			}
			b, err := io.ReadAll(part)
			if err != nil {
				return
			}
			if total += len(b); total > len(body) {
				t.Fatalf("%d bytes of attachments in %d", total, len(body))
			}
		}
	})
}

// FuzzEnvelope: whatever is to be sent, what is read of it is what was to be sent.
func FuzzEnvelope(f *testing.F) {
	f.Add("urn:x", "http://x/?a&b", "urn:uuid:1", "urn:uuid:0", Anonymous, None)
	f.Add("<", "]]>", "\r\n\t", "&amp;", "\"'", "é")
	f.Fuzz(func(t *testing.T, action, to, messageID, relatesTo, replyTo, faultTo string) {
		e := Envelope{Action: action, To: to, MessageID: messageID, RelatesTo: relatesTo, ReplyTo: replyTo, FaultTo: faultTo, From: replyTo, Payload: []byte(ask)}
		b, err := e.Marshal(nil)
		if err != nil {
			t.Fatal(err)
		}
		doc, err := xmlsec.Parse(b, xmlLimits(1<<20))
		if err != nil {
			t.Fatalf("%v: %s", err, b)
		}
		if strings.ContainsRune(string(b), utf8.RuneError) {
			return // characters that XML does not have, and that are replaced
		}
		got, fault := parseEnvelope(doc)
		if fault != nil {
			return
		}
		want := []string{strings.TrimSpace(action), strings.TrimSpace(to), messageID, strings.TrimSpace(relatesTo), strings.TrimSpace(replyTo), strings.TrimSpace(faultTo)}
		for i, v := range []string{got.action, got.to, got.messageID, got.relatesTo, got.replyTo.address, got.faultTo.address} {
			if v != want[i] {
				t.Fatalf("%d: %q became %q in %s", i, want[i], v, b)
			}
		}
	})
}

// FuzzTarget: what is allowed is https or listed, and names one host.
func FuzzTarget(f *testing.F) {
	for _, s := range []string{"https://x/", "http://10.0.0.5:8080/in/7", "http://10.0.0.5:8080/in/%2e%2e/x", "https://u@x", "https://[::1]:1/#", "HTTPS://X:443", `https://x\@y/`} {
		f.Add(s)
	}
	t10, err := newTargets([]Inbox{{URL: "http://10.0.0.5:8080/in/"}}, true)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, s string) {
		u, at, err := t10.find(s)
		if err != nil {
			return
		}
		switch listed := at >= 0; {
		case listed && (u.Scheme != "http" || u.Host != "10.0.0.5:8080" || !strings.HasPrefix(u.Path, "/in/") || strings.Contains(u.Path, "/../")):
			t.Fatalf("%q is taken for listed: %v", s, u)
		case !listed && u.Scheme != "https":
			t.Fatalf("%q is allowed: %v", s, u)
		}
		// What is dialled is what was looked at.
		r, err := http.NewRequest(http.MethodPost, s, nil)
		if err != nil || !strings.EqualFold(r.URL.Hostname(), u.Hostname()) || r.URL.Scheme != u.Scheme || r.URL.Port() != "" && r.URL.Port() != u.Port() {
			t.Fatalf("%q is looked at as %v and dialled as %v, error %v", s, u, r, err)
		}
	})
}
