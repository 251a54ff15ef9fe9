package xmlsec

import "strings"

// declaration reads <?xml version="1.0" encoding="UTF-8" standalone="yes"?> (XML 1.0, section 2.8).
func (p *parser) declaration() error {
	p.pos += len("<?xml")
	p.skipSpace()
	at := p.pos
	version, ok, err := p.pseudoAttribute("version")
	if err != nil {
		return err
	}
	if !ok || version != "1.0" {
		return p.fail(at, "only XML 1.0 is accepted")
	}
	at = p.pos
	encoding, ok, err := p.pseudoAttribute("encoding")
	if err != nil {
		return err
	}
	if ok && !strings.EqualFold(encoding, "UTF-8") {
		return p.fail(at, "only UTF-8 is accepted")
	}
	at = p.pos
	standalone, ok, err := p.pseudoAttribute("standalone")
	if err != nil {
		return err
	}
	if ok && standalone != "yes" && standalone != "no" {
		return p.fail(at, `standalone is neither "yes" nor "no"`)
	}
	if !p.at("?>") {
		return p.fail(p.pos, "malformed XML declaration")
	}
	p.pos += len("?>")
	return nil
}

// pseudoAttribute reads name="value" and the space after it, if it comes next.
func (p *parser) pseudoAttribute(name string) (value string, ok bool, err error) {
	if !p.at(name) {
		return "", false, nil
	}
	p.pos += len(name)
	raw, _, err := p.quoted()
	if err != nil {
		return "", false, err
	}
	if !p.skipSpace() && !p.at("?>") {
		return "", false, p.fail(p.pos, "malformed XML declaration")
	}
	return raw, true, nil
}

// quoted reads = and a value between quotes, and returns it raw with its offset.
func (p *parser) quoted() (raw string, at int, err error) {
	p.skipSpace()
	if !p.at("=") {
		return "", 0, p.fail(p.pos, `"=" expected after attribute name`)
	}
	p.pos++
	p.skipSpace()
	if !p.at(`"`) && !p.at("'") {
		return "", 0, p.fail(p.pos, "attribute value is not quoted")
	}
	at = p.pos + 1
	n := strings.IndexByte(p.s[at:], p.s[p.pos])
	if n < 0 {
		return "", 0, p.fail(p.pos, "attribute value is not closed")
	}
	p.pos = at + n + 1
	return p.s[at : at+n], at, nil
}
