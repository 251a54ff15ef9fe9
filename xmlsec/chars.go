package xmlsec

import (
	"strings"
	"unicode/utf8"
)

const bom = "\ufeff"

// What the bytes of a stretch of text call for, gathered in one pass over it.
const (
	charIllegal = 1 << iota // a control character that XML 1.0 forbids
	charAmp                 // '&'
	charCR                  // '\r', which becomes '\n'
	charBracket             // ']', perhaps of "]]>"
	charLess                // '<'
	charBlank               // tab or line end, which an attribute value turns into a space
	charEF                  // the lead byte of U+FFFE and U+FFFF, which are not characters
)

var charClass = [256]uint8{
	0x00: charIllegal, charIllegal, charIllegal, charIllegal, charIllegal, charIllegal, charIllegal, charIllegal,
	0x08: charIllegal, '\t': charBlank, '\n': charBlank, 0x0b: charIllegal, charIllegal, '\r': charBlank | charCR,
	0x0e: charIllegal, charIllegal,
	0x10: charIllegal, charIllegal, charIllegal, charIllegal, charIllegal, charIllegal, charIllegal, charIllegal,
	0x18: charIllegal, charIllegal, charIllegal, charIllegal, charIllegal, charIllegal, charIllegal, charIllegal,
	'&': charAmp, '<': charLess, ']': charBracket, 0xef: charEF,
}

func classify(s string) (class uint8) {
	for i := 0; i < len(s); i++ {
		class |= charClass[s[i]]
	}
	return class
}

// isChar is the Char production of XML 1.0, section 2.2.
func isChar(r rune) bool {
	return r == '\t' || r == '\n' || r == '\r' || r >= 0x20 && r <= 0xd7ff || r >= 0xe000 && r <= 0xfffd ||
		r >= 0x10000 && r <= utf8.MaxRune
}

func isSpace(c byte) bool { return c == ' ' || c == '\n' || c == '\t' || c == '\r' }

// checkChars refuses what is not a Char. s is valid UTF-8 and begins at offset at.
func (p *parser) checkChars(s string, at int, class uint8) error {
	if class&(charIllegal|charEF) == 0 {
		return nil
	}
	for i, r := range s {
		if !isChar(r) {
			return p.fail(at+i, "character not allowed in XML")
		}
	}
	return nil
}

// source is the span of a part of the source, which begins at offset at.
func source(s string, at int) span { return span{int32(at), int32(len(s))} }

// replaced keeps text that is not in the source.
func (p *parser) replaced(s string) span {
	p.doc.expanded = append(p.doc.expanded, s)
	return span{^int32(len(p.doc.expanded) - 1), int32(len(s))}
}

// literal reads the content of a comment, CDATA section or processing instruction, line ends normalised.
func (p *parser) literal(s string, at int) (span, error) {
	if err := p.checkChars(s, at, classify(s)); err != nil {
		return span{}, err
	}
	if strings.IndexByte(s, '\r') < 0 {
		return source(s, at), nil
	}
	return p.replaced(strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), "\r", "\n")), nil
}

// charText reads character data with references expanded and line ends normalised.
func (p *parser) charText(s string, at int) (span, error) {
	class := classify(s)
	if err := p.checkChars(s, at, class); err != nil {
		return span{}, err
	}
	if class&charBracket != 0 {
		if i := strings.Index(s, "]]>"); i >= 0 {
			return span{}, p.fail(at+i, `"]]>" in character data`)
		}
	}
	if class&(charAmp|charCR) == 0 {
		return source(s, at), nil
	}
	return p.expand(s, at, '\n')
}

// attributeValue reads a value with references expanded and normalised as XML 1.0 section 3.3.3 wants.
func (p *parser) attributeValue(s string, at int) (span, error) {
	class := classify(s)
	if err := p.checkChars(s, at, class); err != nil {
		return span{}, err
	}
	if class&charLess != 0 {
		return span{}, p.fail(at+strings.IndexByte(s, '<'), `"<" in attribute value`)
	}
	if class&(charAmp|charBlank) == 0 {
		return source(s, at), nil
	}
	return p.expand(s, at, ' ')
}

// expand replaces references, and line ends by eol. In attribute values (eol is a space) tabs go the same way.
func (p *parser) expand(s string, at int, eol byte) (span, error) {
	var out strings.Builder
	out.Grow(len(s))
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '&':
			r, n, err := p.reference(s[i:], at+i)
			if err != nil {
				return span{}, err
			}
			out.WriteRune(r)
			i += n - 1
		case c == '\r':
			if i+1 < len(s) && s[i+1] == '\n' {
				i++
			}
			out.WriteByte(eol)
		case eol == ' ' && (c == '\t' || c == '\n'):
			out.WriteByte(' ')
		default:
			out.WriteByte(c)
		}
	}
	return p.replaced(out.String()), nil
}

// reference reads the entity or character reference at the start of s and returns its length in bytes.
func (p *parser) reference(s string, at int) (r rune, n int, err error) {
	end := strings.IndexByte(s[:min(len(s), maxReferenceText)], ';')
	if end < 0 {
		return 0, 0, p.fail(at, `"&" does not begin a reference`)
	}
	name := s[1:end]
	switch name {
	case "lt":
		return '<', end + 1, nil
	case "gt":
		return '>', end + 1, nil
	case "amp":
		return '&', end + 1, nil
	case "quot":
		return '"', end + 1, nil
	case "apos":
		return '\'', end + 1, nil
	}
	digits, ok := strings.CutPrefix(name, "#")
	if !ok {
		return 0, 0, p.fail(at, "entity is not declared")
	}
	base := rune(10)
	if hex, ok := strings.CutPrefix(digits, "x"); ok {
		base, digits = 16, hex
	}
	if r, ok = parseDigits(digits, base); !ok || !isChar(r) {
		return 0, 0, p.fail(at, "reference to a character that XML does not allow")
	}
	return r, end + 1, nil
}

// parseDigits is strconv.ParseUint without signs, underscores and any value beyond Unicode.
func parseDigits(s string, base rune) (rune, bool) {
	var r rune
	for i := 0; i < len(s); i++ {
		c := rune(s[i])
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case base == 16 && c|0x20 >= 'a' && c|0x20 <= 'f':
			c = c | 0x20 - 'a' + 10
		default:
			return 0, false
		}
		if r = r*base + c; r > utf8.MaxRune {
			return 0, false
		}
	}
	return r, s != ""
}
