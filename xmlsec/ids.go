package xmlsec

import (
	"fmt"
	"slices"
	"strings"
)

// namespaceWSU holds the Id attribute of WS-Security (WSS SOAP Message Security 1.1, section 4.2).
const namespaceWSU = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd"

// isID reports whether an attribute identifies its element. Without a DTD nothing in a document says so; these
// are the names by which signatures refer to elements: wsu:Id, xml:id, Id (XML Signature), ID (SAML).
func (d *Document) isID(a *attribute) bool {
	if a.name.n != int32(len("Id")) {
		return false
	}
	switch local := d.str(a.name); d.uri(a.space) {
	case "":
		return local == "Id" || local == "ID"
	case namespaceWSU:
		return local == "Id"
	case NamespaceXML:
		return local == "id"
	}
	return false
}

// identified is an element and one of its identifiers.
type identified struct {
	id   string
	node int32
}

// Resolve finds the element that a URI of the form "#id" names, by one of the attributes wsu:Id, xml:id, Id and
// ID. The error wraps ErrReference.
//
// Two elements that share an identifier are refused, whether or not uri names it: which of them is meant is a
// question that nobody should have to ask.
func (d *Document) Resolve(uri string) (Node, error) {
	if err := d.index(); err != nil {
		return Node{}, err
	}
	id, ok := strings.CutPrefix(uri, "#")
	if !ok || id == "" {
		return Node{}, fmt.Errorf("only #Id of the same document may be referenced: %w", ErrReference)
	}
	i, ok := slices.BinarySearchFunc(d.ids, id, func(e identified, id string) int { return strings.Compare(e.id, id) })
	if !ok {
		return Node{}, fmt.Errorf("no element has the referenced Id: %w", ErrReference)
	}
	return Node{d, d.ids[i].node}, nil
}

// CheckIDs refuses a document in which two elements share an identifier. The error wraps ErrReference.
func (d *Document) CheckIDs() error { return d.index() }

// index sorts the identifiers that the parser has found, once.
func (d *Document) index() error {
	d.indexing.Do(func() {
		if len(d.ids) > maxIDs {
			d.indexError = fmt.Errorf("document has more than %d Ids: %w", maxIDs, ErrReference)
			return
		}
		slices.SortFunc(d.ids, func(a, b identified) int { return strings.Compare(a.id, b.id) })
		for i := 1; i < len(d.ids); i++ {
			// One element may say its identifier twice, as ID and as wsu:Id.
			if d.ids[i].id == d.ids[i-1].id && d.ids[i].node != d.ids[i-1].node {
				d.indexError = fmt.Errorf("two elements have the same Id: %w", ErrReference)
				return
			}
		}
	})
	return d.indexError
}
