package conformance

import (
	"fmt"
	"strings"

	"github.com/beevik/etree"
)

// soapRules judge the envelope. ITI TF-2: V.2.1
var soapRules = []rule{
	{"VAL-SOAP-02", "A SOAP 1.2 Envelope holds one Header, then one Body", "ITI TF-2: V.2.1; toolkit2 SoapMessageValidator", judgeEnvelope},
	{"IHE-WSP215", "The Body has exactly one child", "ITI TF-2: V.2.1 IHE-WSP215 (document/literal)", judgeBody},
	{"XML-PLAIN", "The envelope has no document type, no duplicate attribute and is UTF-8", "SOAP 1.2 part 1: 5; Namespaces in XML section 6.3", judgeXML},
}

func judgeEnvelope(x *exchange) error {
	if !is(x.root, nsSOAP, "Envelope") {
		return expected("a SOAP 1.2 Envelope", describe(x.root))
	}
	names := []string{}
	for _, e := range x.root.ChildElements() {
		if e.NamespaceURI() != nsSOAP {
			return expected("Header and Body in the SOAP 1.2 namespace", describe(e))
		}
		names = append(names, e.Tag)
	}
	if got := strings.Join(names, ", "); got != "Header, Body" {
		return expected("Header, Body", got)
	}
	return nil
}

func judgeBody(x *exchange) error {
	if n := len(elements(child(x.root, nsSOAP, "Body"))); n != 1 {
		return expected("one child of the Body", n)
	}
	return nil
}

func judgePayload(x *exchange) error {
	found := elements(x.payload())
	if len(found) == 0 || !is(found[0], nsRS, "RegistryResponse") {
		return expected("rs:RegistryResponse as first child of RetrieveDocumentSetResponse", fmt.Sprintf("%d children, first is %s", len(found), describe(first(found))))
	}
	for _, e := range found[1:] {
		if !is(e, nsXDSB, "DocumentResponse") {
			return expected("only xdsb:DocumentResponse after rs:RegistryResponse", describe(e))
		}
	}
	return nil
}

func judgeXML(x *exchange) error {
	if i := strings.Index(string(x.raw), "<!DOCTYPE"); i >= 0 {
		return expected("no document type declaration", fmt.Sprintf("one at byte %d", i))
	}
	if head := string(x.raw[:min(len(x.raw), 100)]); strings.HasPrefix(head, "<?xml") && strings.Contains(head, "encoding") && !strings.Contains(strings.ToUpper(head), "UTF-8") {
		return expected("UTF-8", fmt.Sprintf("%q", head))
	}
	return eachElement(x.root, func(e *etree.Element) error {
		seen := map[[2]string]bool{}
		for _, a := range e.Attr {
			name := [2]string{a.Space, a.Key}
			if a.Space != "" && a.Space != "xmlns" {
				name[0] = a.NamespaceURI()
				if name[0] == "" && a.Space != "xml" {
					return expected("declared prefixes", fmt.Sprintf("attribute %s without a declaration", a.FullKey()))
				}
			}
			if seen[name] {
				return expected("attributes that differ", fmt.Sprintf("%s twice on <%s>", a.FullKey(), e.FullTag()))
			}
			seen[name] = true
		}
		return nil
	})
}

// eachElement visits e and all below it until visit returns an error.
func eachElement(e *etree.Element, visit func(*etree.Element) error) error {
	if err := visit(e); err != nil {
		return err
	}
	for _, c := range e.ChildElements() {
		if err := eachElement(c, visit); err != nil {
			return err
		}
	}
	return nil
}

func first(found []*etree.Element) *etree.Element {
	if len(found) == 0 {
		return nil
	}
	return found[0]
}
