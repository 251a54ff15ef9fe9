package xmlsec

import (
	"fmt"
	"strings"
)

// namespaceWSU holds the Id attribute of WS-Security (WSS SOAP Message Security 1.1, section 4.2).
const namespaceWSU = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd"

// isID reports whether an attribute identifies its element. Without a DTD nothing in a document says so; these
// are the names by which signatures refer to elements: wsu:Id, xml:id, Id (XML Signature), ID (SAML).
func (a *attribute) isID() bool {
	switch a.space {
	case "":
		return a.local == "Id" || a.local == "ID"
	case namespaceWSU:
		return a.local == "Id"
	case NamespaceXML:
		return a.local == "id"
	}
	return false
}

// index maps each identifier of the document to its element. Two elements that share one are refused, whether
// or not a reference names it: which of them is meant is a question that nobody should have to ask.
func (d *Document) index() (map[string]Node, error) {
	ids := make(map[string]Node, 16)
	for i := range d.nodes {
		n := &d.nodes[i]
		for j := n.attr0; j < n.attr1; j++ {
			a := &d.attrs[j]
			if !a.isID() {
				continue
			}
			here := Node{d, int32(i)}
			if other, ok := ids[a.value]; ok && other != here {
				return nil, fmt.Errorf("two elements have the same Id: %w", ErrReference)
			}
			ids[a.value] = here
		}
	}
	return ids, nil
}

// resolve finds the element that a URI of the form "#id" names.
func resolve(ids map[string]Node, uri string) (Node, error) {
	id, ok := strings.CutPrefix(uri, "#")
	if !ok || id == "" {
		return Node{}, fmt.Errorf("only #Id of the same document may be referenced: %w", ErrReference)
	}
	n, ok := ids[id]
	if !ok {
		return Node{}, fmt.Errorf("no element has the referenced Id: %w", ErrReference)
	}
	return n, nil
}
