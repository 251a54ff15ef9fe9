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
	doc                              *xmlsec.Document
	header, body, payload            xmlsec.Node
	action, to, messageID, relatesTo string
	replyTo, faultTo                 endpoint
}

// endpoint is an endpoint reference; the zero endpoint is one that is not there.
type endpoint struct {
	address    string
	parameters bool // it has reference parameters
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
	// What has to be understood comes before anything is made of the message. SOAP 1.2 Part 1 section 2.6
	if fault := e.understood(); fault != nil {
		return e, fault
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
	return versionMismatch(root.Space())
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
	invalid := func(header, subsubcode, reason string) string {
		if fault == nil {
			fault = addressingFault(headerInvalid, subsubcode, header, "wsa:"+header+reason)
		}
		return ""
	}
	read := func(header string, n xmlsec.Node) string {
		s, err := n.Text()
		switch {
		case n.IsZero():
			return ""
		case err != nil:
			return invalid(header, invalidAddress, " has child elements, an address is expected")
		case len(s) > maxAddress:
			return invalid(header, invalidAddress, fmt.Sprintf(" has more than %d bytes", maxAddress))
		}
		return s
	}
	reference := func(n xmlsec.Node) (e endpoint) {
		if n.IsZero() {
			return e
		}
		address, err := n.Only(NSAddressing, "Address")
		if err != nil {
			invalid(n.Local(), missingAddressInEPR, " has no wsa:Address, or several")
			return e
		}
		parameters, _ := n.Child(NSAddressing, "ReferenceParameters")
		for range parameters.Elements() {
			e.parameters = true
		}
		if e.address = strings.TrimSpace(read(n.Local(), address)); e.address == "" {
			invalid(n.Local(), invalidAddress, " has an empty wsa:Address")
		}
		return e
	}
	// Not trimmed: a RelatesTo has to be equal to it byte for byte.
	e.messageID = read("MessageID", messageID)
	e.relatesTo = strings.TrimSpace(read("RelatesTo", relatesTo))
	e.to = strings.TrimSpace(read("To", to))
	e.action = strings.TrimSpace(read("Action", action)) // QUIRK: blanks around the action (TF samples)
	e.replyTo = reference(replyTo)
	e.faultTo = reference(faultTo)
	switch {
	case repeated != "":
		return addressingFault(headerInvalid, invalidCardinality, repeated, "wsa:"+repeated+" is there more than once")
	case fault != nil:
		return fault
	case e.action == "":
		return addressingFault(headerRequired, "", "Action", "wsa:Action is missing")
	}
	return nil
}

// understood checks that no header block has to be understood that is not. SOAP 1.2 Part 1 section 5.2.3
func (e *envelope) understood() *Fault {
	var not []xmlsec.Node
	for block := range e.header.Elements() {
		if role, ok := block.Attr(NSEnvelope, "role"); ok && role != "" && role != roleNext && role != roleUltimate {
			continue
		}
		mark, _ := block.Attr(NSEnvelope, "mustUnderstand")
		switch strings.TrimSpace(mark) {
		case "", "0", "false":
			continue
		case "1", "true":
		default:
			return senderFault(`a header block has a mustUnderstand that is neither "true" nor "false"`, nil)
		}
		if block.Space() != NSAddressing && !block.Is(NSSecurity, "Security") {
			not = append(not, block)
		}
	}
	if len(not) > 0 {
		return notUnderstood(not)
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
