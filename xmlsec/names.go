package xmlsec

import (
	"strings"
	"unicode/utf8"
)

// isNameStart is the NameStartChar production of XML 1.0, section 2.3, without the colon.
func isNameStart(r rune) bool {
	switch {
	case r < 0x80:
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r == '_'
	case r < 0x2000:
		return r >= 0xc0 && r != 0xd7 && r != 0xf7 && (r < 0x300 || r > 0x36f) && r != 0x37e
	case r < 0x10000:
		return r >= 0x200c && r <= 0x200d || r >= 0x2070 && r <= 0x218f || r >= 0x2c00 && r <= 0x2fef ||
			r >= 0x3001 && r <= 0xd7ff || r >= 0xf900 && r <= 0xfdcf || r >= 0xfdf0 && r <= 0xfffd
	}
	return r <= 0xeffff
}

// isNameChar is the NameChar production, without the colon.
func isNameChar(r rune) bool {
	return isNameStart(r) || r >= '0' && r <= '9' || r == '-' || r == '.' || r == 0xb7 ||
		r >= 0x300 && r <= 0x36f || r >= 0x203f && r <= 0x2040
}

// What an ASCII character may be in a name.
const (
	nameStart = 1 << iota
	nameRest
)

var nameClass = func() (class [256]uint8) {
	for c := range rune(utf8.RuneSelf) {
		if isNameStart(c) {
			class[c] |= nameStart
		}
		if isNameChar(c) {
			class[c] |= nameRest
		}
	}
	return class
}()

// ncName reads a name without a colon.
func (p *parser) ncName() (string, error) {
	start := p.pos
	i := start
	if i < len(p.s) && nameClass[p.s[i]]&nameStart != 0 {
		for i++; i < len(p.s) && nameClass[p.s[i]]&nameRest != 0; i++ {
		}
	}
	if i < len(p.s) && p.s[i] >= utf8.RuneSelf {
		for i < len(p.s) {
			r, width := utf8.DecodeRuneInString(p.s[i:])
			if !isNameChar(r) || i == start && !isNameStart(r) {
				break
			}
			i += width
		}
	}
	if p.pos = i; i == start {
		return "", p.fail(start, "name expected")
	}
	return p.s[start:i], nil
}

// qName reads a name with at most one colon (Namespaces in XML 1.0, section 4).
func (p *parser) qName() (prefix, local string, err error) {
	if local, err = p.ncName(); err != nil {
		return "", "", err
	}
	if !p.at(":") {
		return "", local, nil
	}
	p.pos++
	prefix = local
	local, err = p.ncName()
	return prefix, local, err
}

// at reports whether the unread input begins with token.
func (p *parser) at(token string) bool { return strings.HasPrefix(p.s[p.pos:], token) }

// skipSpace reports whether there was any.
func (p *parser) skipSpace() bool {
	start := p.pos
	for p.pos < len(p.s) && isSpace(p.s[p.pos]) {
		p.pos++
	}
	return p.pos > start
}
