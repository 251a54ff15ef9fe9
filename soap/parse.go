package soap

import (
	"errors"
	"fmt"
	"strings"

	"collimate/xmlsec"
)

// envelope is a parsed Envelope with its addressing headers. It is filled as far as it was understood when
// a fault is found, so that the fault can name the message that it answers.
type envelope struct {
	doc                                     *xmlsec.Document
	header, body, payload                   xmlsec.Node
	action, to, messageID, relatesTo, reply string
}

// parseEnvelope checks the shape of an envelope. SOAP 1.2 Part 1 section 5.1, IHE-WSP206
func parseEnvelope(doc *xmlsec.Document) (envelope, *Fault) {
	e := envelope{doc: doc}
	root := doc.Root()
	if !root.Is(NSEnvelope, "Envelope") {
		return e, notAnEnvelope(root)
	}
	shape := e.split(root)
	// The headers are read in any case, so that a fault about the shape names the message that it is about.
	addressing := e.addressing()
	if shape != nil {
		return e, shape
	}
	return e, addressing
}

// split finds Header, Body and the child of Body.
func (e *envelope) split(root xmlsec.Node) *Fault {
	for child := range root.Elements() {
		switch {
		case child.Is(NSEnvelope, "Header") && e.header.IsZero() && e.body.IsZero():
			e.header = child
		case child.Is(NSEnvelope, "Body") && e.body.IsZero():
			e.body = child
		default:
			return senderFault("an Envelope has an optional Header and then one Body, and nothing else", nil)
		}
	}
	if e.body.IsZero() {
		return senderFault("the Envelope has no Body", nil)
	}
	for child := range e.body.Elements() {
		if !e.payload.IsZero() {
			return senderFault("the Body has more than one child element, exactly one is expected", nil)
		}
		e.payload = child
	}
	if e.payload.IsZero() {
		return senderFault("the Body is empty, exactly one child element is expected", nil)
	}
	return nil
}

// notAnEnvelope says in what way a root element is not an Envelope.
func notAnEnvelope(root xmlsec.Node) *Fault {
	if root.Local() != "Envelope" {
		return senderFault("the root element is not a SOAP Envelope", nil)
	}
	reason := "the Envelope is not of SOAP 1.2, namespace " + NSEnvelope
	if root.Space() == NSEnvelope11 {
		reason = "the Envelope is of SOAP 1.1, but the transaction is defined for SOAP 1.2, namespace " + NSEnvelope
	}
	return &Fault{Code: VersionMismatch, Reason: reason}
}

// addressing reads the wsa headers. ITI TF-2: V.3.2.2
func (e *envelope) addressing() *Fault {
	var action, to, messageID, replyTo, from, faultTo, relatesTo xmlsec.Node
	once := map[string]*xmlsec.Node{
		"Action": &action, "To": &to, "MessageID": &messageID, "ReplyTo": &replyTo, "From": &from, "FaultTo": &faultTo,
	}
	blocks := 0
	var repeated string
	for block := range e.header.Elements() {
		if blocks++; blocks > maxHeaderBlocks {
			return senderFault(fmt.Sprintf("the Header has more than %d children", maxHeaderBlocks), nil)
		}
		if block.Space() != NSAddressing {
			continue
		}
		if block.Local() == "RelatesTo" && relatesTo.IsZero() {
			relatesTo = block
		}
		if seen, ok := once[block.Local()]; !ok {
			continue
		} else if !seen.IsZero() {
			repeated = block.Local()
		} else {
			*seen = block
		}
	}
	var fault *Fault
	read := func(n xmlsec.Node) string {
		s, err := n.Text()
		switch {
		case n.IsZero() || fault != nil:
			return ""
		case err != nil:
			fault = addressingFault("InvalidAddressingHeader", "wsa:"+n.Local()+" has child elements, an address is expected")
		case len(s) > maxAddress:
			fault = addressingFault("InvalidAddressingHeader", fmt.Sprintf("wsa:%s has more than %d bytes", n.Local(), maxAddress))
		default:
			return s
		}
		return ""
	}
	// Not trimmed: a RelatesTo has to be equal to it byte for byte.
	e.messageID = read(messageID)
	e.relatesTo = strings.TrimSpace(read(relatesTo))
	e.to = strings.TrimSpace(read(to))
	e.action = strings.TrimSpace(read(action)) // QUIRK: blanks around the action (TF samples)
	if !replyTo.IsZero() {
		address, err := replyTo.Only(NSAddressing, "Address")
		if err != nil {
			return addressingFault("InvalidAddressingHeader", "wsa:ReplyTo has no wsa:Address, or several")
		}
		e.reply = strings.TrimSpace(read(address))
	}
	switch {
	case fault != nil:
		return fault
	case repeated != "":
		return addressingFault("InvalidAddressingHeader", "wsa:"+repeated+" is there more than once")
	case e.action == "":
		return addressingFault("MessageAddressingHeaderRequired", "wsa:Action is missing")
	}
	return nil
}

// understood checks that no header block has to be understood that is not. SOAP 1.2 Part 1 section 5.2.3
func (e *envelope) understood() *Fault {
	for block := range e.header.Elements() {
		if role, ok := block.Attr(NSEnvelope, "role"); ok && role != "" && role != roleNext && role != roleUltimate {
			continue
		}
		must, _ := block.Attr(NSEnvelope, "mustUnderstand")
		switch strings.TrimSpace(must) {
		case "", "0", "false":
			continue
		case "1", "true":
		default:
			return senderFault(`a header block has a mustUnderstand that is neither "true" nor "false"`, nil)
		}
		if block.Space() != NSAddressing && !block.Is(NSSecurity, "Security") {
			return &Fault{Code: MustUnderstand, Reason: "a header block that has to be understood is not: only those of WS-Addressing 1.0 and wsse:Security are"}
		}
	}
	return nil
}

// xmlFault turns an error of the XML parser, whose text quotes nothing of the document, into a fault.
func xmlFault(err error) *Fault {
	var syntax *xmlsec.SyntaxError
	var limit *xmlsec.LimitError
	switch {
	case errors.As(err, &syntax):
		return senderFault("the envelope is not well-formed: "+syntax.Error(), err)
	case errors.As(err, &limit):
		return senderFault("the envelope is too large: "+limit.Error(), err)
	}
	return senderFault("the envelope cannot be read", err)
}
