package xmlsec

import (
	"hash"
	"slices"
	"strings"
)

// C14NOptions say which of the exclusive canonical forms is wanted.
type C14NOptions struct {
	// InclusivePrefixes is the InclusiveNamespaces PrefixList: prefixes that are declared where they are in
	// scope, used or not. "#default" names the default namespace.
	InclusivePrefixes []string
	// Comments keeps comments.
	Comments bool
	// omit is left out: the signature itself, under the enveloped-signature transform.
	omit Node
	// emptyDefault writes xmlns="" at the apex if no default namespace is to be written there, as the
	// STR-Transform asks (WSS SOAP Message Security 1.1, section 8.3).
	emptyDefault bool
}

// AppendC14N appends the exclusive canonical form of the element n and all it holds (Exclusive XML
// Canonicalization 1.0, section 3). It appends nothing for no node.
//
// The form can be larger than the source by the length of the longest namespace name for each element and
// attribute; Limits.MaxNamespaceURI bounds it.
func AppendC14N(dst []byte, n Node, o C14NOptions) []byte {
	if n.IsZero() {
		return dst
	}
	c := canonicalizer{out: dst}
	c.run(n, o)
	return c.out
}

// canonicalizer writes canonical XML to out, or through out to digest.
type canonicalizer struct {
	d        *Document
	options  C14NOptions
	out      []byte
	digest   hash.Hash
	rendered []namespace // declarations written on open elements, innermost last
	need     []namespace // declarations to write on the present element; reused
}

type namespace struct{ prefix, uri string }

func (c *canonicalizer) run(n Node, o C14NOptions) {
	c.d, c.options, c.rendered = n.d, o, c.rendered[:0]
	c.element(n.i, true)
}

// stream writes the canonical form of n to h, in pieces of about hashBlock.
func (c *canonicalizer) stream(h hash.Hash, n Node, o C14NOptions) {
	c.digest, c.out = h, c.out[:0]
	c.run(n, o)
	h.Write(c.out)
	c.digest, c.out = nil, c.out[:0]
}

func (c *canonicalizer) element(i int32, apex bool) {
	n := &c.d.nodes[i]
	outer := len(c.rendered)
	c.collect(n, apex)

	c.out = append(c.out, '<')
	c.qualified(n.name, n.prefix)
	for _, ns := range c.need {
		c.out = append(c.out, " xmlns"...)
		if ns.prefix != "" {
			c.out = append(append(c.out, ':'), ns.prefix...)
		}
		c.value(ns.uri)
	}
	c.rendered = append(c.rendered, c.need...)
	c.attributes(c.d.attrs[n.attr0:n.attr1])
	c.out = append(c.out, '>')

	for child := n.first; child != none; child = c.d.nodes[child].next {
		c.child(child)
	}
	c.out = append(c.out, "</"...)
	c.qualified(n.name, n.prefix)
	c.out = append(c.out, '>')
	c.rendered = c.rendered[:outer]
	if c.digest != nil && len(c.out) >= hashBlock {
		c.digest.Write(c.out)
		c.out = c.out[:0]
	}
}

func (c *canonicalizer) child(i int32) {
	n := &c.d.nodes[i]
	switch n.kind {
	case kindElement:
		if (Node{c.d, i}) != c.options.omit {
			c.element(i, false)
		}
	case kindText:
		c.out = appendText(c.out, c.d.str(n.text))
	case kindComment:
		if c.options.Comments {
			c.out = append(append(append(c.out, "<!--"...), c.d.str(n.text)...), "-->"...)
		}
	case kindInstruction:
		c.out = append(append(c.out, "<?"...), c.d.str(n.name)...)
		if n.text.n > 0 {
			c.out = append(append(c.out, ' '), c.d.str(n.text)...)
		}
		c.out = append(c.out, "?>"...)
	}
}

// collect gathers the declarations that n must carry, sorted by prefix: those that its name and its
// attributes use, and those of the prefix list that are new to it.
func (c *canonicalizer) collect(n *node, apex bool) {
	c.need = c.need[:0]
	c.want(c.d.prefix(n.name, n.prefix), n.space)
	for _, a := range c.d.attrs[n.attr0:n.attr1] {
		if a.prefix > 0 {
			c.want(c.d.prefix(a.name, a.prefix), a.space)
		}
	}
	if apex {
		for _, prefix := range c.options.InclusivePrefixes {
			if prefix == "#default" {
				prefix = ""
			}
			if space := c.d.find(n.scope, prefix); space != undeclared {
				c.want(prefix, space)
			}
		}
		if c.options.emptyDefault && !slices.ContainsFunc(c.need, func(ns namespace) bool { return ns.prefix == "" }) {
			c.need = append(c.need, namespace{})
		}
	} else if len(c.options.InclusivePrefixes) > 0 {
		// Below the apex only what the element itself declares can be new.
		for i := n.scope; i != c.d.nodes[n.parent].scope; i = c.d.bindings[i].outer {
			b := &c.d.bindings[i]
			if c.included(b.prefix) {
				c.want(b.prefix, i)
			}
		}
	}
	if len(c.need) > 1 {
		slices.SortFunc(c.need, func(a, b namespace) int { return strings.Compare(a.prefix, b.prefix) })
	}
}

func (c *canonicalizer) included(prefix string) bool {
	if prefix == "" {
		prefix = "#default"
	}
	return slices.Contains(c.options.InclusivePrefixes, prefix)
}

// want notes a declaration, unless the nearest one written for this prefix says the same.
func (c *canonicalizer) want(prefix string, space int32) {
	if space == xmlNamespace {
		return
	}
	for _, ns := range c.need {
		if ns.prefix == prefix {
			return
		}
	}
	uri := c.d.uri(space)
	for i := len(c.rendered) - 1; i >= 0; i-- {
		if c.rendered[i].prefix == prefix {
			if c.rendered[i].uri != uri {
				c.need = append(c.need, namespace{prefix, uri})
			}
			return
		}
	}
	if prefix != "" || uri != "" { // xmlns="" is written only to undo another
		c.need = append(c.need, namespace{prefix, uri})
	}
}

// attributes writes attrs by namespace name, then local name.
func (c *canonicalizer) attributes(attrs []attribute) {
	if len(attrs) == 0 {
		return
	}
	var few [16]int32
	order := few[:0]
	for i := range attrs {
		at := len(order)
		for at > 0 && c.less(&attrs[i], &attrs[order[at-1]]) {
			at--
		}
		order = slices.Insert(order, at, int32(i))
	}
	for _, i := range order {
		c.out = append(c.out, ' ')
		c.qualified(attrs[i].name, attrs[i].prefix)
		c.value(c.d.str(attrs[i].value))
	}
}

func (c *canonicalizer) less(a, b *attribute) bool {
	x, y := c.d.uri(a.space), c.d.uri(b.space)
	return x < y || x == y && c.d.str(a.name) < c.d.str(b.name)
}

// qualified writes a name as it stands in the source, where the prefix is before it.
func (c *canonicalizer) qualified(name span, prefix int32) {
	start := name.at
	if prefix > 0 {
		start -= prefix + 1
	}
	c.out = append(c.out, c.d.text[start:name.at+name.n]...)
}

func (c *canonicalizer) value(s string) {
	c.out = append(appendAttr(append(c.out, `="`...), s), '"')
}
