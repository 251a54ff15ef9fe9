package conformance

import (
	"fmt"
	"strings"
)

// addressingRules judge the WS-Addressing headers. ITI TF-2: V.9.2
var addressingRules = []rule{
	{"ENG-02", "wsa:Action is the response action, once, without blanks around it", "ITI TF-2: 3.43.5; toolkit2 Soap.java verify_returned_action", judgeAction},
	{"IHE-WSA101", "wsa:Action carries mustUnderstand", "ITI TF-2: Appendix V IHE-WSA101", judgeMustUnderstand},
	{"V.9.2-RELATES", "wsa:RelatesTo is the MessageID of the request, byte for byte", "ITI TF-2: V.9.2; WS-Addressing 1.0 Core section 3.4", judgeRelatesTo},
	{"VAL-SOAP-03", "WS-Addressing headers are of version 1.0 and stand once at most", "toolkit2 SoapMessageValidator validateWSAddressing", judgeHeaders},
}

func judgeAction(x *exchange) error {
	actions := x.addressing("Action")
	if len(actions) != 1 {
		return expected("one wsa:Action", len(actions))
	}
	if got := actions[0].Text(); got != x.sent.tx.responseAction {
		return expected(fmt.Sprintf("%q", x.sent.tx.responseAction), fmt.Sprintf("%q", got))
	}
	return nil
}

func judgeMustUnderstand(x *exchange) error {
	for _, a := range x.addressing("Action") {
		if v, _ := attribute(a, nsSOAP, "mustUnderstand"); v != "1" && v != "true" {
			return expected(`soap:mustUnderstand="1" or "true" on wsa:Action`, fmt.Sprintf("%q", v))
		}
	}
	return nil
}

func judgeRelatesTo(x *exchange) error {
	related := x.addressing("RelatesTo")
	if len(related) != 1 {
		return expected("one wsa:RelatesTo", len(related))
	}
	if got := related[0].Text(); got != x.sent.id {
		return expected(fmt.Sprintf("%q", x.sent.id), fmt.Sprintf("%q", got))
	}
	return nil
}

func judgeHeaders(x *exchange) error {
	seen := map[string]int{}
	for _, h := range elements(child(x.root, nsSOAP, "Header")) {
		switch h.Tag {
		case "To", "From", "ReplyTo", "FaultTo", "MessageID", "Action", "RelatesTo":
		default:
			continue
		}
		if h.NamespaceURI() != nsWSA {
			return expected("WS-Addressing 1.0 ("+nsWSA+")", describe(h))
		}
		if seen[h.Tag]++; seen[h.Tag] > 1 {
			return expected("wsa:"+h.Tag+" once at most", seen[h.Tag])
		}
		address := ""
		switch h.Tag {
		case "To":
			address = textOf(h)
		case "ReplyTo", "FaultTo":
			address = childText(h, nsWSA, "Address")
		default:
			continue
		}
		if !strings.HasPrefix(address, "http") {
			return expected("an address that starts with http in wsa:"+h.Tag, fmt.Sprintf("%q", address))
		}
	}
	return nil
}
