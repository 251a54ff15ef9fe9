package conformance

import (
	"context"
	"encoding/base64"
	"errors"
	"net/url"
)

// packagingChecks vary how a request is put into MIME and HTTP, as real peers do.
func packagingChecks() []Check {
	return []Check{
		{"ENG-01.SIMPLE", "A simple SOAP request gets a simple SOAP answer, or a fault that says what is wrong", "ITI TF-2: V.8.1; toolkit2 HttpMessageValidator", onEach(simpleSOAP)},
		{"V.9.3-BARE", "A start parameter without angle brackets is tolerated", "ITI TF-2: 3.43.5.1 (sample); old Axis2", onEach(answers(func(m *message) { m.wrap.bareStart = true }))},
		{"V.9.3-NOSTART", "An absent start parameter means the first part", "RFC 2387 section 3.2", onEach(answers(func(m *message) { m.wrap.noStart = true }))},
		{"V.9.3-SEMICOLON", "A semicolon at the end of the Content-Type is tolerated", "ITI TF-2: 3.43.5.1 (sample)", onEach(answers(func(m *message) { m.wrap.trailing = true }))},
		{"V.9.3-NOID", "A root part without Content-ID is tolerated", "WCF and others send it so", onEach(answers(func(m *message) { m.wrap.noRootID, m.wrap.noStart = true, true }))},
		{"V.9.3-ROOTTYPE", "A root part that is labelled application/soap+xml is tolerated", "real senders do so", onEach(answers(func(m *message) { m.wrap.rootType = mediaSOAP }))},
		{"HTTP-CHUNKED", "A request in chunks is answered", "RFC 9112 section 7.1; Axis2 and CXF send it so", onEach(answers(func(m *message) { m.wrap.chunked = true }))},
		{"HTTP-EXPECT", "A request with Expect: 100-continue is answered", "RFC 9110 section 10.1.1", onEach(answers(func(m *message) { m.wrap.header = map[string]string{"Expect": "100-continue"} }))},
		{"V.8.3-HEADER", "Base64 of the WS-Security header that was optimised into parts is put back before verifying", "ITI TF-2: V.8.3; CXF, .NET and Metro optimise every base64Binary", optimisedHeader},
		{"V.8.3-CID", "A percent-encoded cid: names the part all the same", "RFC 2392 section 2", optimisedHeaderEscaped},
	}
}

func simpleSOAP(ctx context.Context, t *Target, s side) error {
	if err := t.control(ctx, s); err != nil {
		return err
	}
	m := newMessage(s.url, t.ref(t.Manifest))
	m.wrap.simple = true
	x, err := s.send(ctx, m, Whole, nil)
	if err != nil {
		return expected("a simple SOAP answer", err)
	}
	if err := judgeSamePackaging(x); err != nil {
		return err
	}
	if err := judgeContentType(x); err != nil {
		return err
	}
	var fault *Fault
	if err := x.outcome(); err != nil {
		if errors.As(err, &fault) {
			return faulted(x, nil, "Sender")
		}
		return expected("a SOAP fault or the document", err)
	}
	if err := x.answer.Success(); err != nil {
		return err
	}
	return judgeInclude(x)
}

func optimisedHeader(ctx context.Context, t *Target) error {
	return optimise(ctx, t, "token-1.part@conformance", func(id string) string { return id })
}

func optimisedHeaderEscaped(ctx context.Context, t *Target) error {
	// The @ is what .NET and CXF escape; the percent sign must be escaped by anyone.
	return optimise(ctx, t, "token%1.part@conformance", url.QueryEscape)
}

// optimise signs a request, then moves its BinarySecurityToken into a part.
func optimise(ctx context.Context, t *Target, id string, escape func(string) string) error {
	if err := wholeSignature(ctx, t); err != nil {
		return err
	}
	m := newMessage(t.SourceURL, t.ref(t.Manifest))
	signer := &SigningConsumer{Identity: t.Grantee, Now: t.Now}
	if err := signer.sign(m); err != nil {
		return err
	}
	token := m.header().FindElement("wsse:Security/wsse:BinarySecurityToken")
	body, err := base64.StdEncoding.DecodeString(token.Text())
	if err != nil {
		return err
	}
	token.SetText("")
	include := token.CreateElement("xop:Include")
	include.CreateAttr("xmlns:xop", nsXOP)
	include.CreateAttr("href", "cid:"+escape(id))
	m.wrap.attachments = []attachment{{id: id, body: body}}
	client := NewHTTPClient(t.SourceTLS)
	defer client.CloseIdleConnections()
	return answered(send(ctx, client, t.SourceURL, m, nil))
}
