package xmlsec

import (
	"bytes"
	"strings"
	"unicode/utf8"
)

// Parse reads one document. It returns a *SyntaxError for what is not well-formed, and for a DOCTYPE, and
// a *LimitError for what exceeds l; the zero Limits are DefaultLimits.
//
// The document keeps b, which must not change afterwards.
func Parse(b []byte, l Limits) (*Document, error) {
	l = l.withDefaults()
	if len(b) > l.MaxBytes {
		return nil, &LimitError{Limit: "MaxBytes", Max: l.MaxBytes}
	}
	// One copy makes every name and value below a substring, safe from whoever holds b.
	text := string(b)
	p := &parser{s: text, limits: l, doc: &Document{source: b, text: text, root: none}, open: none}
	p.tag = p.few[:0]
	// Without white space between elements there are just so many nodes, and hardly more attributes; but no large
	// guess on the word of a sender.
	p.doc.nodes = make([]node, 0, min(bytes.Count(b, lessThan)+8, l.MaxNodes, maxGuess))
	p.doc.attrs = make([]attribute, 0, min(bytes.Count(b, equals)+8, maxGuess))
	p.doc.bindings = make([]binding, 0, 16)
	if err := p.document(); err != nil {
		return nil, err
	}
	return p.doc, nil
}

var (
	lessThan = []byte("<")
	equals   = []byte("=")
)

type parser struct {
	s      string
	pos    int
	limits Limits
	doc    *Document
	open   int32 // innermost open element
	depth  int
	tag    []rawAttribute // of the start tag being read; reused
	few    [8]rawAttribute
}

func (p *parser) fail(offset int, msg string) error {
	line, column := position(p.s, offset)
	return &SyntaxError{Line: line, Column: column, Offset: offset, Msg: msg}
}

func (p *parser) exceeds(limit string, maximum int) error {
	line, column := position(p.s, p.pos)
	return &LimitError{Limit: limit, Max: maximum, Line: line, Column: column, Offset: p.pos}
}

func (p *parser) document() error {
	if err := p.prolog(); err != nil {
		return err
	}
	for p.pos < len(p.s) {
		if err := p.item(); err != nil {
			return err
		}
	}
	switch {
	case p.doc.root == none:
		return p.fail(p.pos, "document has no root element")
	case p.open != none:
		return p.fail(p.pos, "document ends inside an element")
	}
	return nil
}

// prolog checks the encoding and reads the byte order mark and the XML declaration.
func (p *parser) prolog() error {
	if !utf8.ValidString(p.s) {
		bad := 0
		for i, r := range p.s {
			if r == utf8.RuneError {
				if _, width := utf8.DecodeRuneInString(p.s[i:]); width == 1 {
					bad = i
					break
				}
			}
		}
		return p.fail(bad, "not UTF-8")
	}
	if p.at(bom) {
		p.pos += len(bom)
	}
	if p.at("<?xml") && p.pos+5 < len(p.s) && isSpace(p.s[p.pos+5]) {
		return p.declaration()
	}
	return nil
}

// item reads one stretch of text or one piece of markup.
func (p *parser) item() error {
	switch {
	case p.s[p.pos] != '<':
		return p.charData()
	case p.pos+1 < len(p.s) && nameClass[p.s[p.pos+1]]&nameStart != 0:
		return p.startTag()
	case p.at("</"):
		return p.endTag()
	case p.at("<!--"):
		return p.comment()
	case p.at("<![CDATA["):
		return p.cdata()
	case p.at("<!DOCTYPE"):
		return p.fail(p.pos, "DOCTYPE is not allowed")
	case p.at("<!"):
		return p.fail(p.pos, "markup declaration is not allowed")
	case p.at("<?"):
		return p.instruction()
	}
	return p.startTag()
}

func (p *parser) charData() error {
	start := p.pos
	end := len(p.s)
	if i := strings.IndexByte(p.s[start:], '<'); i >= 0 {
		end = start + i
	}
	raw := p.s[start:end]
	if p.open == none {
		for i := 0; i < len(raw); i++ {
			if !isSpace(raw[i]) {
				return p.fail(start+i, "text outside the root element")
			}
		}
		p.pos = end
		return nil
	}
	text, err := p.charText(raw, start)
	if err != nil {
		return err
	}
	p.pos = end
	_, err = p.add(node{kind: kindText, text: text})
	return err
}

func (p *parser) endTag() error {
	start := p.pos
	p.pos += len("</")
	if p.open == none {
		return p.fail(start, "end tag without a start tag")
	}
	prefix, local, err := p.qName()
	if err != nil {
		return err
	}
	n := &p.doc.nodes[p.open]
	if local != p.doc.str(n.name) || prefix != p.doc.prefix(n.name, n.prefix) {
		return p.fail(start, "end tag does not match the start tag")
	}
	p.skipSpace()
	if !p.at(">") {
		return p.fail(p.pos, `">" expected in end tag`)
	}
	p.pos++
	n.end = int32(p.pos)
	p.open = n.parent
	p.depth--
	return nil
}

func (p *parser) comment() error {
	body := p.pos + len("<!--")
	n := strings.Index(p.s[body:], "--")
	if n < 0 {
		return p.fail(p.pos, "comment is not closed")
	}
	if !strings.HasPrefix(p.s[body+n:], "-->") {
		return p.fail(body+n, `"--" inside a comment`)
	}
	text, err := p.literal(p.s[body:body+n], body)
	if err != nil {
		return err
	}
	p.pos = body + n + len("-->")
	return p.addUnlessOutside(node{kind: kindComment, text: text})
}

func (p *parser) cdata() error {
	if p.open == none {
		return p.fail(p.pos, "CDATA section outside the root element")
	}
	body := p.pos + len("<![CDATA[")
	n := strings.Index(p.s[body:], "]]>")
	if n < 0 {
		return p.fail(p.pos, "CDATA section is not closed")
	}
	text, err := p.literal(p.s[body:body+n], body)
	if err != nil {
		return err
	}
	p.pos = body + n + len("]]>")
	if text.n == 0 {
		return nil
	}
	// A node of its own, though text may stand beside it: joining many small sections would be quadratic.
	_, err = p.add(node{kind: kindText, text: text})
	return err
}

func (p *parser) instruction() error {
	start := p.pos
	if p.limits.NoProcessingInstructions {
		return p.fail(start, "processing instruction is not allowed")
	}
	n := strings.Index(p.s[start:], "?>")
	if n < 0 {
		return p.fail(start, "processing instruction is not closed")
	}
	end := start + n
	p.pos += len("<?")
	target, err := p.ncName()
	if err != nil {
		return err
	}
	name := nameAt(start+len("<?"), "", target)
	if strings.EqualFold(target, "xml") {
		return p.fail(start, "XML declaration is not at the start of the document")
	}
	if !p.skipSpace() && p.pos != end {
		return p.fail(p.pos, "space expected in processing instruction")
	}
	data, err := p.literal(p.s[min(p.pos, end):end], p.pos)
	if err != nil {
		return err
	}
	p.pos = end + len("?>")
	return p.addUnlessOutside(node{kind: kindInstruction, name: name, text: data})
}

// addUnlessOutside drops a comment or processing instruction beside the root: canonical forms of elements
// never hold it.
func (p *parser) addUnlessOutside(n node) error {
	if p.open == none {
		return nil
	}
	_, err := p.add(n)
	return err
}

// add appends n as the last child of the open element.
func (p *parser) add(n node) (int32, error) {
	if len(p.doc.nodes) >= p.limits.MaxNodes {
		return none, p.exceeds("MaxNodes", p.limits.MaxNodes)
	}
	id := int32(len(p.doc.nodes))
	n.parent, n.next, n.first, n.last = p.open, none, none, none
	p.doc.nodes = append(p.doc.nodes, n)
	if p.open != none {
		parent := &p.doc.nodes[p.open]
		if parent.last == none {
			parent.first = id
		} else {
			p.doc.nodes[parent.last].next = id
		}
		parent.last = id
	}
	return id, nil
}
