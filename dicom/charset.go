package dicom

import (
	"strings"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/korean"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/unicode"
)

// charset decodes the texts of one file as its Specific Character Set (0008,0005) says. DICOM PS3.3 C.12.1.1.2
type charset struct {
	whole   encoding.Encoding // UTF-8, GB18030 and GBK stand alone and know no escape sequences
	initial graphic
}

// graphic is the state of ISO 2022 decoding: the sets that bytes 21-7E (G0) and A1-FE (G1) stand for.
type graphic struct{ g0, g1 set }

// set is one coded character set in G0 or G1: how its bytes become those of an encoding that x/text knows.
type set struct {
	encoding encoding.Encoding // nil: nothing is designated
	bytes    int               // a character
	lead     []byte            // put before each character
	high     bool              // the high bit is added
}

func ascii() set                     { return set{encoding: unicode.UTF8, bytes: 1} }
func latin(e encoding.Encoding) set  { return set{encoding: e, bytes: 1} }
func double(e encoding.Encoding) set { return set{encoding: e, bytes: 2} }

// katakana is JIS X 0201 in G1; EUC-JP has it behind SS2.
func katakana() set { return set{encoding: japanese.EUCJP, bytes: 1, lead: []byte{0x8e}} }

// charsetOf makes the decoder for a value of Specific Character Set. Terms that are not known leave ASCII.
func charsetOf(value string) charset {
	first, _, _ := strings.Cut(value, `\`)
	c := charset{initial: graphic{g0: ascii()}}
	switch term := strings.Trim(first, " \x00"); strings.Replace(term, "ISO 2022 IR ", "ISO_IR ", 1) {
	case "ISO_IR 192":
		c.whole = unicode.UTF8
	case "GB18030":
		c.whole = simplifiedchinese.GB18030
	case "GBK":
		c.whole = simplifiedchinese.GBK
	case "ISO_IR 13":
		c.initial.g1 = katakana()
	case "ISO_IR 100":
		c.initial.g1 = latin(charmap.ISO8859_1)
	case "ISO_IR 101":
		c.initial.g1 = latin(charmap.ISO8859_2)
	case "ISO_IR 109":
		c.initial.g1 = latin(charmap.ISO8859_3)
	case "ISO_IR 110":
		c.initial.g1 = latin(charmap.ISO8859_4)
	case "ISO_IR 144":
		c.initial.g1 = latin(charmap.ISO8859_5)
	case "ISO_IR 127":
		c.initial.g1 = latin(charmap.ISO8859_6)
	case "ISO_IR 126":
		c.initial.g1 = latin(charmap.ISO8859_7)
	case "ISO_IR 138":
		c.initial.g1 = latin(charmap.ISO8859_8)
	case "ISO_IR 148":
		c.initial.g1 = latin(charmap.ISO8859_9)
	case "ISO_IR 203":
		c.initial.g1 = latin(charmap.ISO8859_15)
	case "ISO_IR 166":
		c.initial.g1 = latin(charmap.Windows874) // TIS 620-2533 and 9 more
	}
	return c
}

// designate returns the state after the escape sequence at the start of b, and its length; 0 if it is none
// that the standard lists. DICOM PS3.3 Table C.12-3 and C.12-4
func (g graphic) designate(b []byte) (graphic, int) {
	if b[0] != 0x1b {
		return g, 0
	}
	text := string(b[:min(len(b), 4)])
	for _, e := range []struct {
		escape string
		first  bool // G0, not G1
		set    set
	}{
		{"\x1b(B", true, ascii()},
		{"\x1b(J", true, ascii()}, // JIS X 0201 romaji: ASCII but for the yen sign, which DICOM reads as backslash
		{"\x1b)I", false, katakana()},
		{"\x1b$B", true, set{encoding: japanese.EUCJP, bytes: 2, high: true}},
		{"\x1b$(D", true, set{encoding: japanese.EUCJP, bytes: 2, high: true, lead: []byte{0x8f}}},
		{"\x1b$)C", false, double(korean.EUCKR)},
		{"\x1b$)A", false, double(simplifiedchinese.GBK)}, // GB 2312 is a part of GBK
		{"\x1b-A", false, latin(charmap.ISO8859_1)},
		{"\x1b-B", false, latin(charmap.ISO8859_2)},
		{"\x1b-C", false, latin(charmap.ISO8859_3)},
		{"\x1b-D", false, latin(charmap.ISO8859_4)},
		{"\x1b-L", false, latin(charmap.ISO8859_5)},
		{"\x1b-G", false, latin(charmap.ISO8859_6)},
		{"\x1b-F", false, latin(charmap.ISO8859_7)},
		{"\x1b-H", false, latin(charmap.ISO8859_8)},
		{"\x1b-M", false, latin(charmap.ISO8859_9)},
		{"\x1b-b", false, latin(charmap.ISO8859_15)},
		{"\x1b-T", false, latin(charmap.Windows874)},
	} {
		if !strings.HasPrefix(text, e.escape) {
			continue
		}
		if e.first {
			g.g0 = e.set
		} else {
			g.g1 = e.set
		}
		return g, len(e.escape)
	}
	return g, 0
}

// decode returns raw as UTF-8. In a person name the state goes back to the initial one at ^ and =, in every
// text at a backslash and at control characters. DICOM PS3.5 6.1.2.5.3
func (c charset) decode(raw []byte, personName bool) string {
	if c.whole != nil {
		return decodeAll(c.whole, raw)
	}
	var out strings.Builder
	state := c.initial
	for len(raw) > 0 {
		if next, n := state.designate(raw); n > 0 {
			state, raw = next, raw[n:]
			continue
		}
		b := raw[0]
		set := state.g0
		if b >= 0x80 {
			set = state.g1
		}
		if set.bytes < 2 && b < 0x80 || b < 0x21 { // control characters and space are the same everywhere
			if b == '\\' || b < 0x20 || personName && (b == '^' || b == '=') {
				state = c.initial
			}
			out.WriteByte(b)
			raw = raw[1:]
			continue
		}
		if set.encoding == nil || len(raw) < set.bytes {
			out.WriteRune('\ufffd')
			raw = raw[1:]
			continue
		}
		out.WriteString(set.decode(raw[:set.bytes]))
		raw = raw[set.bytes:]
	}
	return out.String()
}

// decode returns one character.
func (s set) decode(char []byte) string {
	b := append(make([]byte, 0, 4), s.lead...)
	b = append(b, char...)
	if s.high {
		for i := len(s.lead); i < len(b); i++ {
			b[i] |= 0x80
		}
	}
	text := decodeAll(s.encoding, b)
	if strings.ContainsRune(text, '\ufffd') {
		return "\ufffd" // one for the character, however many the encoding made of it
	}
	return text
}

func decodeAll(e encoding.Encoding, b []byte) string {
	text, err := e.NewDecoder().Bytes(b)
	if err != nil {
		return "\ufffd"
	}
	return strings.ToValidUTF8(string(text), "\ufffd")
}
