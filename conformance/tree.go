package conformance

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/beevik/etree"
)

// is reports whether e is an element of that name; false for nil.
func is(e *etree.Element, space, name string) bool {
	return e != nil && e.Tag == name && e.NamespaceURI() == space
}

// elements returns the child elements, none if e is nil.
func elements(e *etree.Element) []*etree.Element {
	if e == nil {
		return nil
	}
	return e.ChildElements()
}

// children returns the child elements of that name, none if e is nil.
func children(e *etree.Element, space, name string) []*etree.Element {
	var found []*etree.Element
	for _, c := range elements(e) {
		if is(c, space, name) {
			found = append(found, c)
		}
	}
	return found
}

// child returns the first child element of that name, nil if there is none.
func child(e *etree.Element, space, name string) *etree.Element {
	if found := children(e, space, name); len(found) > 0 {
		return found[0]
	}
	return nil
}

// textOf returns the trimmed text of e, empty if e is nil.
func textOf(e *etree.Element) string {
	if e == nil {
		return ""
	}
	return strings.TrimSpace(e.Text())
}

// childText returns the trimmed text of the first child of that name, empty if there is none.
func childText(e *etree.Element, space, name string) string { return textOf(child(e, space, name)) }

// local returns the local part of a qualified name.
func local(qname string) string {
	return qname[strings.LastIndexByte(qname, ':')+1:]
}

// attribute returns the value of an attribute in a namespace.
func attribute(e *etree.Element, space, name string) (string, bool) {
	for _, a := range e.Attr {
		if a.Key == name && a.Space != "" && a.Space != "xmlns" && a.NamespaceURI() == space {
			return a.Value, true
		}
	}
	return "", false
}

// unescapeCID returns the Content-ID that a cid: reference names, without angle brackets. RFC 2392 section 2
func unescapeCID(href string) (string, error) {
	escaped, ok := strings.CutPrefix(href, "cid:")
	if !ok {
		return "", fmt.Errorf("xop:Include has href %q, want cid: before a Content-ID", href)
	}
	id, err := url.PathUnescape(escaped)
	if err != nil {
		return "", fmt.Errorf("xop:Include has href %q: %w", href, err)
	}
	return id, nil
}

// unbracket removes the angle brackets of a Content-ID.
func unbracket(id string) string {
	return strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(id), "<"), ">")
}
