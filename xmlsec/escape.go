package xmlsec

import (
	"strings"
	"unicode/utf8"
)

// EscapeText appends s as character data. What XML does not allow becomes U+FFFD, so that the result is
// well-formed whatever s is.
func EscapeText(dst []byte, s string) []byte { return appendText(dst, toChars(s)) }

// EscapeAttr appends s as the inside of an attribute value between double quotes, as EscapeText does.
func EscapeAttr(dst []byte, s string) []byte { return appendAttr(dst, toChars(s)) }

func toChars(s string) string {
	if utf8.ValidString(s) && classify(s)&(charIllegal|charEF) == 0 {
		return s
	}
	return strings.Map(func(r rune) rune {
		if !isChar(r) {
			return utf8.RuneError
		}
		return r
	}, s)
}

// appendText escapes text as Canonical XML 1.0 section 2.3 does.
func appendText(dst []byte, s string) []byte {
	from := 0
	for i := 0; i < len(s); i++ {
		var escaped string
		switch s[i] {
		case '&':
			escaped = "&amp;"
		case '<':
			escaped = "&lt;"
		case '>':
			escaped = "&gt;"
		case '\r':
			escaped = "&#xD;"
		default:
			continue
		}
		dst = append(append(dst, s[from:i]...), escaped...)
		from = i + 1
	}
	return append(dst, s[from:]...)
}

// appendAttr escapes an attribute value as Canonical XML 1.0 section 2.3 does.
func appendAttr(dst []byte, s string) []byte {
	from := 0
	for i := 0; i < len(s); i++ {
		var escaped string
		switch s[i] {
		case '&':
			escaped = "&amp;"
		case '<':
			escaped = "&lt;"
		case '"':
			escaped = "&quot;"
		case '\t':
			escaped = "&#x9;"
		case '\n':
			escaped = "&#xA;"
		case '\r':
			escaped = "&#xD;"
		default:
			continue
		}
		dst = append(append(dst, s[from:i]...), escaped...)
		from = i + 1
	}
	return append(dst, s[from:]...)
}
