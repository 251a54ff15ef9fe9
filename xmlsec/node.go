package xmlsec

import (
	"errors"
	"fmt"
	"iter"
	"strings"
	"sync"
)

// none stands for no node and no binding.
const none = -1

type kind uint8

const (
	kindElement kind = iota
	kindText
	kindComment
	kindInstruction
)

// span is a piece of text of a Document: of its source, from byte at; or, where references or line ends had to be
// replaced, Document.expanded[^at].
//
// Spans, and not strings, keep pointers out of nodes and attributes, so that the garbage collector has nothing to
// look for in them: half of the time of parsing went into that.
type span struct{ at, n int32 }

// node is one item of a document, in document order.
type node struct {
	kind         kind
	prefix       int32 // length of the prefix, which stands before the name, with a colon
	name         span  // of an element without its prefix, or the target of a processing instruction
	text         span  // of text, comment and processing instruction
	space        int32 // binding of the namespace that an element is in, see Document.find
	parent, next int32
	first, last  int32 // children
	attr0, attr1 int32 // attributes: Document.attrs[attr0:attr1]
	scope        int32 // innermost namespace binding: Document.bindings[scope]
	offset, end  int32 // bytes of the source, from "<" to after the last ">"
}

type attribute struct {
	prefix int32 // as in node
	name   span
	space  int32
	value  span
}

// binding is a namespace declaration in scope; outer is the next one outwards.
type binding struct {
	prefix, uri  string
	outer, depth int32
}

// Document is a parsed document. It does not change.
type Document struct {
	source   []byte
	text     string   // source, as the spans see it
	expanded []string // text that is not in the source as it is meant
	nodes    []node
	attrs    []attribute
	bindings []binding
	root     int32

	ids        []identified // in document order; index sorts them
	indexing   sync.Once
	indexError error
}

// Root returns the root element.
func (d *Document) Root() Node { return Node{d, d.root} }

// Bytes returns the source, which must not be changed.
func (d *Document) Bytes() []byte { return d.source }

// Walk yields every element in document order.
func (d *Document) Walk() iter.Seq[Node] {
	return func(yield func(Node) bool) {
		for i := range d.nodes {
			if d.nodes[i].kind == kindElement && !yield(Node{d, int32(i)}) {
				return
			}
		}
	}
}

// What a prefix may stand for beside a binding.
const (
	noNamespace  = -1
	xmlNamespace = -2
	undeclared   = -3
)

// find returns what prefix stands for: the number of a binding, or one of the constants above. The empty prefix is
// always declared, perhaps as no namespace.
func (d *Document) find(scope int32, prefix string) int32 {
	for i := scope; i != none; i = d.bindings[i].outer {
		if d.bindings[i].prefix == prefix {
			return i
		}
	}
	switch prefix {
	case "":
		return noNamespace
	case "xml":
		return xmlNamespace
	}
	return undeclared
}

// lookup is find, and the name of the namespace.
func (d *Document) lookup(scope int32, prefix string) (uri string, ok bool) {
	space := d.find(scope, prefix)
	return d.uri(space), space != undeclared
}

// uri returns the name of a namespace that find has found.
func (d *Document) uri(space int32) string {
	switch {
	case space >= 0:
		return d.bindings[space].uri
	case space == xmlNamespace:
		return NamespaceXML
	}
	return ""
}

// str returns the text of a span.
func (d *Document) str(x span) string {
	switch {
	case x.n == 0:
		return ""
	case x.at < 0:
		return d.expanded[^x.at]
	}
	return d.text[x.at : x.at+x.n]
}

// prefix returns the prefix before a name.
func (d *Document) prefix(name span, length int32) string {
	if length == 0 {
		return ""
	}
	return d.text[name.at-1-length : name.at-1]
}

// Node is an element of a Document. It is a small value that may be compared with ==; two Nodes are equal if
// they are the same element of the same Document. The zero Node is none: it has no name and no children.
type Node struct {
	d *Document
	i int32
}

// Attr is an attribute. Namespace declarations are not attributes.
type Attr struct{ Space, Local, Prefix, Value string }

// Errors of Only and Text.
var (
	// ErrMissing: an element that must be there is not.
	ErrMissing = errors.New("element is missing")
	// ErrRepeated: an element that must be there once is there more often.
	ErrRepeated = errors.New("element is repeated")
	// ErrNotText: an element that must hold only text holds elements.
	ErrNotText = errors.New("element has child elements where text is expected")
)

func (n Node) node() *node {
	if n.d == nil {
		return &node{first: none, scope: none, parent: none, space: noNamespace}
	}
	return &n.d.nodes[n.i]
}

// IsZero reports whether n is none.
func (n Node) IsZero() bool { return n.d == nil }

// Document returns the document that n belongs to, nil for none.
func (n Node) Document() *Document { return n.d }

// Space returns the namespace name, "" for no namespace.
func (n Node) Space() string { return n.d.uri(n.node().space) }

// Local returns the name without its prefix.
func (n Node) Local() string { return n.d.str(n.node().name) }

// Prefix returns the prefix as written, which means nothing but to those who copy the document.
func (n Node) Prefix() string {
	x := n.node()
	return n.d.prefix(x.name, x.prefix)
}

// Is reports whether n is an element of that name.
func (n Node) Is(space, local string) bool {
	if n.d == nil {
		return false
	}
	x := &n.d.nodes[n.i]
	return int(x.name.n) == len(local) && n.d.str(x.name) == local && n.d.uri(x.space) == space
}

// Namespace returns what prefix stands for at n, for QNames in content such as fault codes. The empty prefix
// is always known.
func (n Node) Namespace(prefix string) (uri string, ok bool) {
	if n.d == nil {
		return "", false
	}
	return n.d.lookup(n.node().scope, prefix)
}

// Attr returns the value of an attribute; space is "" for one without a prefix.
func (n Node) Attr(space, local string) (value string, ok bool) {
	x := n.node()
	for i := x.attr0; i < x.attr1; i++ {
		a := &n.d.attrs[i]
		if n.d.str(a.name) == local && n.d.uri(a.space) == space {
			return n.d.str(a.value), true
		}
	}
	return "", false
}

// Attrs yields the attributes in the order of the source.
func (n Node) Attrs() iter.Seq[Attr] {
	return func(yield func(Attr) bool) {
		x := n.node()
		for i := x.attr0; i < x.attr1; i++ {
			a := &n.d.attrs[i]
			if !yield(Attr{Space: n.d.uri(a.space), Local: n.d.str(a.name), Prefix: n.d.prefix(a.name, a.prefix), Value: n.d.str(a.value)}) {
				return
			}
		}
	}
}

// Elements yields the child elements.
func (n Node) Elements() iter.Seq[Node] {
	return func(yield func(Node) bool) {
		for i := n.node().first; i != none; i = n.d.nodes[i].next {
			if n.d.nodes[i].kind == kindElement && !yield(Node{n.d, i}) {
				return
			}
		}
	}
}

// Child returns the first child element of that name.
func (n Node) Child(space, local string) (Node, bool) {
	for c := range n.Elements() {
		if c.Is(space, local) {
			return c, true
		}
	}
	return Node{}, false
}

// Only returns the one child element of that name. The error wraps ErrMissing or ErrRepeated.
func (n Node) Only(space, local string) (Node, error) {
	var found Node
	for c := range n.Elements() {
		if !c.Is(space, local) {
			continue
		}
		if !found.IsZero() {
			return Node{}, fmt.Errorf("%s: %w", local, ErrRepeated)
		}
		found = c
	}
	if found.IsZero() {
		return Node{}, fmt.Errorf("%s: %w", local, ErrMissing)
	}
	return found, nil
}

// Text returns the character data of n, all of it: a comment or a CDATA section in the middle cuts nothing
// off. It returns ErrNotText if n has child elements.
func (n Node) Text() (string, error) {
	x := n.node()
	if x.first != none && x.first == x.last && n.d.nodes[x.first].kind == kindText {
		return n.d.str(n.d.nodes[x.first].text), nil
	}
	var text strings.Builder
	for i := x.first; i != none; i = n.d.nodes[i].next {
		switch c := &n.d.nodes[i]; c.kind {
		case kindElement:
			return "", ErrNotText
		case kindText:
			text.WriteString(n.d.str(c.text))
		}
	}
	return text.String(), nil
}

// Parent returns the element that n is a child of, none for the root.
func (n Node) Parent() Node {
	if i := n.node().parent; i != none {
		return Node{n.d, i}
	}
	return Node{}
}

// Range returns where n stands in Document.Bytes: [start, end), from "<" of its start tag to after ">" of its
// end tag.
func (n Node) Range() (start, end int) {
	x := n.node()
	return int(x.offset), int(x.end)
}

// contains reports whether n is other or an ancestor of it.
func (n Node) contains(other Node) bool {
	x, y := n.node(), other.node()
	return n.d == other.d && x.offset <= y.offset && y.end <= x.end
}
