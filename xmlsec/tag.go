package xmlsec

// The two namespaces that no document may redefine (Namespaces in XML 1.0, section 3).
const (
	NamespaceXML   = "http://www.w3.org/XML/1998/namespace"
	NamespaceXMLNS = "http://www.w3.org/2000/xmlns/"
)

// rawAttribute is an attribute before its prefix is resolved, as declarations may come after it.
type rawAttribute struct {
	prefix, local string
	value         span
	at            int
}

// name is where the local name stands.
func (r *rawAttribute) name() span { return nameAt(r.at, r.prefix, r.local) }

// nameAt is the span of a local name; at is where the name begins, prefix and all.
func nameAt(at int, prefix, local string) span {
	if prefix != "" {
		at += len(prefix) + 1
	}
	return span{int32(at), int32(len(local))}
}

func (r *rawAttribute) declares() (prefix string, ok bool) {
	switch {
	case r.prefix == "xmlns":
		return r.local, true
	case r.prefix == "" && r.local == "xmlns":
		return "", true
	}
	return "", false
}

func (p *parser) startTag() error {
	start := p.pos
	switch {
	case p.open == none && p.doc.root != none:
		return p.fail(start, "second root element")
	case p.depth >= p.limits.MaxDepth:
		return p.exceeds("MaxDepth", p.limits.MaxDepth)
	}
	p.pos++
	prefix, local, err := p.qName()
	if err != nil {
		return err
	}
	empty, err := p.attributes()
	if err != nil {
		return err
	}
	scope, err := p.declare()
	if err != nil {
		return err
	}
	n := node{
		kind: kindElement, prefix: int32(len(prefix)), name: nameAt(start+1, prefix, local), space: p.doc.find(scope, prefix),
		scope: scope, offset: int32(start), end: int32(p.pos),
	}
	if n.space == undeclared {
		return p.fail(start+1, "namespace prefix is not declared")
	}
	if n.attr0, n.attr1, err = p.resolve(scope); err != nil {
		return err
	}
	id, err := p.add(n)
	if err != nil {
		return err
	}
	if p.doc.root == none {
		p.doc.root = id
	}
	if !empty {
		p.open = id
		p.depth++
	}
	return nil
}

// attributes reads the rest of a start tag into p.tag and reports whether it closes itself.
func (p *parser) attributes() (empty bool, err error) {
	p.tag = p.tag[:0]
	for {
		space := p.skipSpace()
		switch {
		case p.at(">"):
			p.pos++
			return false, nil
		case p.at("/>"):
			p.pos += 2
			return true, nil
		case p.pos == len(p.s):
			return false, p.fail(p.pos, "document ends inside a tag")
		case !space:
			return false, p.fail(p.pos, "space expected between attributes")
		case len(p.tag) == p.limits.MaxAttributes:
			return false, p.exceeds("MaxAttributes", p.limits.MaxAttributes)
		}
		a := rawAttribute{at: p.pos}
		if a.prefix, a.local, err = p.qName(); err != nil {
			return false, err
		}
		raw, at, err := p.quoted()
		if err != nil {
			return false, err
		}
		if a.value, err = p.attributeValue(raw, at); err != nil {
			return false, err
		}
		for i := range p.tag {
			if other := &p.tag[i]; other.local == a.local && other.prefix == a.prefix {
				return false, p.fail(a.at, "duplicate attribute")
			}
		}
		p.tag = append(p.tag, a)
	}
}

// declare adds the namespace declarations of the tag to those of its parent.
func (p *parser) declare() (scope int32, err error) {
	scope = none
	if p.open != none {
		scope = p.doc.nodes[p.open].scope
	}
	for i := range p.tag {
		a := &p.tag[i]
		prefix, ok := a.declares()
		if !ok {
			continue
		}
		uri := p.doc.str(a.value)
		switch {
		case prefix == "xml" && uri == NamespaceXML:
			continue // always in scope
		case prefix == "xml", prefix == "xmlns", uri == NamespaceXML, uri == NamespaceXMLNS:
			return none, p.fail(a.at, "reserved namespace is declared")
		case prefix != "" && uri == "":
			return none, p.fail(a.at, "namespace prefix is undeclared")
		case len(uri) > p.limits.MaxNamespaceURI:
			return none, p.exceeds("MaxNamespaceURI", p.limits.MaxNamespaceURI)
		}
		// What is already so need not be said again; gSOAP says it on every element.
		if now, ok := p.doc.lookup(scope, prefix); ok && now == uri {
			continue
		}
		b := binding{prefix: prefix, uri: uri, outer: scope, depth: 1}
		if scope != none {
			b.depth += p.doc.bindings[scope].depth
		}
		if int(b.depth) > p.limits.MaxNamespaces {
			return none, p.exceeds("MaxNamespaces", p.limits.MaxNamespaces)
		}
		scope = int32(len(p.doc.bindings))
		p.doc.bindings = append(p.doc.bindings, b)
	}
	return scope, nil
}

// resolve stores the attributes of the tag under their namespaces.
func (p *parser) resolve(scope int32) (from, to int32, err error) {
	from = int32(len(p.doc.attrs))
	for i := range p.tag {
		a := &p.tag[i]
		if _, ok := a.declares(); ok {
			continue
		}
		attr := attribute{prefix: int32(len(a.prefix)), name: a.name(), space: noNamespace, value: a.value}
		if a.prefix != "" {
			if attr.space = p.doc.find(scope, a.prefix); attr.space == undeclared {
				return 0, 0, p.fail(a.at, "namespace prefix is not declared")
			}
			// Two prefixes of one namespace make a duplicate that the raw names hide.
			for j := from; j < int32(len(p.doc.attrs)); j++ {
				other := &p.doc.attrs[j]
				if p.doc.str(other.name) == a.local && p.doc.uri(other.space) == p.doc.uri(attr.space) {
					return 0, 0, p.fail(a.at, "duplicate attribute")
				}
			}
		}
		p.doc.attrs = append(p.doc.attrs, attr)
		if p.doc.isID(&attr) {
			p.doc.ids = append(p.doc.ids, identified{p.doc.str(attr.value), int32(len(p.doc.nodes))}) // the node to come
		}
	}
	return from, int32(len(p.doc.attrs)), nil
}
