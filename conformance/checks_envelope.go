package conformance

import (
	"bytes"
	"context"
	"fmt"
	"strings"
)

// envelopeChecks vary the SOAP envelope of a request: what must be refused, and what must be tolerated.
func envelopeChecks() []Check {
	const soap12 = "SOAP 1.2 part 1: 5.4.6"
	return []Check{
		{"V.9.2-UNKNOWN", "An unknown wsa:Action ends in a fault", "WS-Addressing 1.0 SOAP Binding section 6.4.1.5; ENG-05", onEach(faults("Sender", func(m *message) {
			m.addressing("Action").SetText("urn:ihe:iti:2007:NoSuchTransaction")
		}))},
		{"VAL-SOAP-03.MISSING", "A missing wsa:Action ends in a fault", "ITI TF-2: Appendix V IHE-WSA101; WS-Addressing 1.0 SOAP Binding section 6.4.1.4", onEach(faults("Sender", func(m *message) {
			m.header().RemoveChild(m.addressing("Action"))
		}))},
		{"VAL-SOAP-03.TWICE", "Two wsa:Action end in a fault", "WS-Addressing 1.0 SOAP Binding section 6.4.1.1", onEach(faults("Sender", func(m *message) {
			second := m.addressing("Action").Copy()
			second.CreateAttr("wsu:Id", "id-Action-2")
			m.header().AddChild(second)
		}))},
		{"V.2.1-SOAP11", "A SOAP 1.1 message ends in a VersionMismatch fault", soap12 + " (VersionMismatch); ITI TF-2: V.2.1", onEach(soap11)},
		{"SOAP-MUST", "A header that must be understood and is not ends in a MustUnderstand fault", soap12 + " (MustUnderstand)", onEach(faults("MustUnderstand", func(m *message) {
			h := m.header().CreateElement("xdsb:Unheard")
			h.CreateAttr("soap:mustUnderstand", "1")
		}))},
		{"SOAP-OPTIONAL", "An unknown header that need not be understood is ignored", "SOAP 1.2 part 1: 2.6", onEach(answers(func(m *message) {
			m.header().CreateElement("xdsb:Unheard").SetText("nothing of importance")
		}))},
		{"VAL-SOAP-02.TWO", "Two children of the Body end in a fault", "ITI TF-2: V.2.1 IHE-WSP215", onEach(faults("Sender", func(m *message) {
			m.body().AddChild(m.request().Copy())
		}))},
		{"VAL-SOAP-02.NONE", "An empty Body ends in a fault", "toolkit2 msg empty-soap-wrapper", onEach(faults("Sender", func(m *message) {
			m.body().RemoveChild(m.request())
		}))},
		{"V.9.2-BLANKS", "Blanks around wsa:Action are tolerated", "real senders add a line break", onEach(answers(func(m *message) {
			m.addressing("Action").SetText("\n  " + actionRetrieve + "\n ")
		}))},
		{"V.9.2-MESSAGEID", "A MessageID that is no UUID is echoed byte for byte", "ITI TF-2: 3.43.5.1 (sample), V.9.2", onEach(answers(func(m *message) {
			m.id = "urn:uuid:" + strings.ToUpper(strings.ReplaceAll(newUUID(), "-", ""))
			m.addressing("MessageID").SetText(m.id)
		}))},
		{"IHE-WSA102.ABSENT", "An absent wsa:ReplyTo is tolerated", "ITI TF-2: 3.43.5.1 (sample without ReplyTo)", onEach(answers(func(m *message) {
			m.header().RemoveChild(m.addressing("ReplyTo"))
		}))},
		{"IHE-WSA102.MUST", "mustUnderstand on wsa:ReplyTo is tolerated", "ITI TF-2: 3.18.4.1.2.7 (sample)", onEach(answers(func(m *message) {
			m.addressing("ReplyTo").CreateAttr("soap:mustUnderstand", "true")
		}))},
		{"IHE-WSP211", "SOAPAction and the action parameter are ignored", "ITI TF-2: Appendix V IHE-WSP211", onEach(answers(func(m *message) {
			m.wrap.action = "urn:ihe:iti:2007:SomethingElse"
			m.wrap.header = map[string]string{"SOAPAction": `"urn:ihe:iti:2007:SomethingElse"`}
		}))},
	}
}

// faults returns a check that the request, so edited, ends in a SOAP fault, while the whole one is answered.
func faults(code string, edit func(*message)) func(context.Context, *Target, side) error {
	return func(ctx context.Context, t *Target, s side) error {
		if err := t.control(ctx, s); err != nil {
			return err
		}
		m := newMessage(s.url, t.ref(t.Manifest))
		edit(m)
		x, err := s.send(ctx, m, Whole, nil)
		return faulted(x, err, code)
	}
}

// answers returns a check that the request, so edited, is answered with the document, related to it.
func answers(edit func(*message)) func(context.Context, *Target, side) error {
	return func(ctx context.Context, t *Target, s side) error {
		if t.Manifest == "" {
			return skip("the target has no Manifest")
		}
		m := newMessage(s.url, t.ref(t.Manifest))
		edit(m)
		return answered(s.send(ctx, m, Whole, nil))
	}
}

// answered returns nil if the documents came and the answer relates to the message.
func answered(x *exchange, err error) error {
	if err == nil {
		err = x.outcome()
	}
	if err == nil {
		err = x.answer.Success()
	}
	if err != nil {
		return expected("the document", err)
	}
	return judgeRelatesTo(x)
}

// control sees that the service answers at all, so that a refusal means something.
func (t *Target) control(ctx context.Context, s side) error {
	if t.Manifest == "" {
		return skip("the target has no Manifest")
	}
	x, err := t.sample(ctx, s, sampleCases[0].name, sampleCases[0].ask(t))
	if err == nil {
		err = x.answer.Success()
	}
	if err != nil {
		return fmt.Errorf("the request without the defect: %w", expected("the document", err))
	}
	return nil
}

// soap11 sends the same message in the SOAP 1.1 namespace. The fault may come as 1.1, which the sender reads.
func soap11(ctx context.Context, t *Target, s side) error {
	if err := t.control(ctx, s); err != nil {
		return err
	}
	m := newMessage(s.url, t.ref(t.Manifest))
	m.wrap.edit = func(envelope []byte) []byte {
		return bytes.Replace(envelope, []byte(nsSOAP), []byte(nsSOAP11), 1) // the declaration on the Envelope
	}
	x, err := s.send(ctx, m, Whole, nil)
	if err != nil || x.fault == nil || x.root.NamespaceURI() != nsSOAP11 {
		return faulted(x, err, "VersionMismatch")
	}
	// The sender can read a fault of its own version only, in that version's media type. SOAP 1.2 part 1: appendix A
	if x.fault.Code != "VersionMismatch" || x.fault.Reason == "" || x.media != mediaSOAP11 {
		return expected("a SOAP 1.1 VersionMismatch fault with a faultstring, as "+mediaSOAP11, fmt.Sprintf("%v as %q", x.fault, x.header.Get("Content-Type")))
	}
	return nil
}
