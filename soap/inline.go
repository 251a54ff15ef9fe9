package soap

import (
	"bytes"
	"encoding/base64"
	"errors"
	"strings"

	"collimate/soap/mtom"
	"collimate/xmlsec"
)

var errInclude = errors.New("an xop:Include is not as it must be")

// IncludeID returns the Content-ID that an xop:Include element refers to, as mtom.CleanID. RFC 2392
func IncludeID(include xmlsec.Node) (string, error) {
	href, ok := include.Attr("", "href")
	if !ok {
		return "", errors.New("xop:Include has no href")
	}
	// Schemes are compared without regard to case. RFC 3986 section 3.1
	if len(href) < 4 || !strings.EqualFold(href[:4], "cid:") {
		return "", errors.New("the href of xop:Include is not a cid URL")
	}
	id := mtom.CleanID(href[4:])
	if id == "" {
		return "", errors.New("the href of xop:Include is not a cid URL")
	}
	return id, nil
}

// inline replaces each xop:Include in a document by the base64 of the part that it refers to, and parses the
// result. Every stack optimises other elements, certificates and signatures of the header among them, and
// what is signed is the text. Parts that were put in are taken out of parts. If only is not nil, Includes for which it
// is false are left. ITI TF-2: V.8.2, XOP 1.0 section 3.2
func inline(doc *xmlsec.Document, parts map[string][]byte, limits xmlsec.Limits, only func(xmlsec.Node) bool) (*xmlsec.Document, error) {
	src := doc.Bytes()
	var out []byte
	done := 0
	for n := range doc.Walk() {
		if !n.Is(NSInclude, "Include") || only != nil && !only(n) {
			continue
		}
		id, err := IncludeID(n)
		if err != nil {
			return nil, err
		}
		part, ok := parts[id]
		if !ok {
			return nil, errors.New("an xop:Include refers to a part that is not there, or was referred to before")
		}
		delete(parts, id) // once only: else a small message could be made into a huge one
		if !alone(n) {
			return nil, errInclude
		}
		// QUIRK: blanks around the Include (ITI TF-2: V.9.3). They were not there when it was signed.
		start, end := n.Range()
		before := bytes.TrimRight(src[done:start], " \t\r\n")
		if !bytes.HasSuffix(before, []byte(">")) || bytes.HasSuffix(before, []byte("-->")) || bytes.HasSuffix(before, []byte("]]>")) {
			return nil, errInclude // text, a comment or a CDATA section before it
		}
		out = append(out, before...)
		out = base64.StdEncoding.AppendEncode(out, part)
		done = end + len(src[end:]) - len(bytes.TrimLeft(src[end:], " \t\r\n"))
		if !bytes.HasPrefix(src[done:], []byte("</")) {
			return nil, errInclude
		}
	}
	if done == 0 {
		return doc, nil
	}
	return xmlsec.Parse(append(out, src[done:]...), limits)
}

// inHeader reports whether n is in a Header.
func inHeader(n xmlsec.Node) bool {
	for n = n.Parent(); !n.IsZero(); n = n.Parent() {
		if n.Is(NSEnvelope, "Header") {
			return true
		}
	}
	return false
}

// alone reports whether n is the only child element of its parent, and has none itself.
func alone(n xmlsec.Node) bool {
	for range n.Elements() {
		return false
	}
	for sibling := range n.Parent().Elements() {
		if sibling != n {
			return false
		}
	}
	return !n.Parent().IsZero()
}
