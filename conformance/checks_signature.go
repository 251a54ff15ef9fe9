package conformance

import (
	"context"
	"fmt"
	"net/http"
)

// signatureChecks break one thing about the signature each. A service that faults at everything would pass
// them, so each first sees that the whole request is answered.
func signatureChecks() []Check {
	const (
		wss = "WS-Security SOAP Message Security 1.1"
		col = "tier A: Body, Timestamp and WS-Addressing headers are signed"
	)
	rows := []struct {
		b               Breakage
		title, citation string
	}{
		{TamperedBody, "A Body that was changed after signing is refused", wss + " section 8.3; XML Signature section 3.2.1"},
		{OtherKey, "A signature by another key than the certificate's is refused", wss + " section 8.3; XML Signature section 3.2.2"},
		{UnsignedBody, "A Body that no reference covers is refused", col},
		{UnsignedTimestamp, "A Timestamp that no reference covers is refused", col},
		{UnsignedTo, "A wsa:To that no reference covers is refused", col},
		{UnsignedAction, "A wsa:Action that no reference covers is refused", col},
		{UnsignedMessageID, "A wsa:MessageID that no reference covers is refused", col},
		{UnsignedReplyTo, "A wsa:ReplyTo that no reference covers is refused", col},
		{NoTimestamp, "A message without a Timestamp is refused", col},
		{ExpiredTimestamp, "An expired Timestamp is refused", wss + " section 10"},
		{FutureTimestamp, "A Timestamp of the future is refused", wss + " section 10"},
		{StaleTimestamp, "A Timestamp that is older than the replay window is refused, whenever it expires", "a replay window of at most 5 minutes"},
		{WrongTo, "A message that was signed for another address is refused", "WS-Addressing 1.0 Core section 3.4; tier A binds wsa:To"},
		{DuplicateID, "Two elements of the same Id are refused", wss + " section 4.3; XML Signature section 4.4.3.2"},
		{WrappedBody, "A signed Body that was moved away from its place is refused", "McIntosh and Austel 2005, XML signature element wrapping"},
		{NoSignature, "A message without a signature is refused", col},
		{SHA1, "SHA-1 is refused", "RFC 9231 section 2.3; BSP 1.1 is older"},
		{SharedSecret, "A symmetric signature method is refused", "XML Signature section 6.3.1; the certificate is no secret"},
		{ExpiredCertificate, "A certificate that has expired is refused", "RFC 5280 section 6.1.3"},
	}
	checks := []Check{
		{"WSS-WHOLE", "A message that is signed as it should be is answered", wss + "; X.509 Token Profile 1.1", wholeSignature},
	}
	for _, row := range rows {
		checks = append(checks, Check{"WSS-" + string(row.b), row.title, row.citation, func(ctx context.Context, t *Target) error {
			return t.broken(ctx, row.b)
		}})
	}
	return append(checks, Check{"WSS-replay", "The same message is refused the second time", wss + " section 13.1 (replay)", replay})
}

func wholeSignature(ctx context.Context, t *Target) error {
	if t.Manifest == "" {
		return skip("the target has no Manifest")
	}
	s, err := t.signedSide()
	if err != nil {
		return err
	}
	x, err := t.sample(ctx, s, sampleCases[0].name, sampleCases[0].ask(t))
	if err != nil {
		return expected("the document", err)
	}
	return x.answer.Success()
}

func (t *Target) broken(ctx context.Context, b Breakage) error {
	if err := wholeSignature(ctx, t); err != nil {
		return err
	}
	s, err := t.signedSide()
	if err != nil {
		return err
	}
	x, err := s.send(ctx, newMessage(s.url, t.ref(t.Manifest)), b, nil)
	return faulted(x, err, "Sender")
}

func replay(ctx context.Context, t *Target) error {
	if err := wholeSignature(ctx, t); err != nil {
		return err
	}
	s, err := t.signedSide()
	if err != nil {
		return err
	}
	m := newMessage(s.url, t.ref(t.Manifest))
	x, err := s.send(ctx, m, Whole, nil) // signs m in place
	if err == nil {
		err = x.outcome()
	}
	if err != nil {
		return fmt.Errorf("the first time: %w", err)
	}
	client := NewHTTPClient(t.SourceTLS)
	defer client.CloseIdleConnections()
	x, err = send(ctx, client, t.SourceURL, m, nil)
	return faulted(x, err, "Sender")
}

// faulted returns nil if a SOAP fault came, with that code unless code is empty, under an HTTP status that
// SOAP 1.2 part 2: 7.5.2.2 allows for it.
func faulted(x *exchange, err error, code string) error {
	if err != nil {
		return expected("a SOAP fault", err)
	}
	if x.fault == nil {
		if err := x.outcome(); err != nil {
			return expected("a SOAP fault", err)
		}
		return expected("a SOAP fault", fmt.Sprintf("%s with %s", local(x.answer.Status), plural(len(x.answer.Documents), "document")))
	}
	if code != "" && x.fault.Code != code {
		return expected("a SOAP fault with code "+code, x.fault)
	}
	if x.status != http.StatusBadRequest && x.status != http.StatusInternalServerError {
		return expected("HTTP 400 or 500 with a SOAP fault", fmt.Sprint("HTTP ", x.status))
	}
	if x.root.NamespaceURI() != nsSOAP {
		return expected("a fault of SOAP 1.2", "one of namespace "+x.root.NamespaceURI())
	}
	if !x.multipart() && x.media != mediaSOAP {
		return expected("a SOAP fault as "+mediaSOAP+" or MTOM", fmt.Sprintf("%q", x.header.Get("Content-Type")))
	}
	if x.fault.Reason == "" {
		return expected("a SOAP fault with a Reason", "none")
	}
	return nil
}
