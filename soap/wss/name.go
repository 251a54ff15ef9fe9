package wss

import (
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
)

// attributeTypes are the short names of RFC 4514, section 3, and of those that stacks in use write beside them.
var attributeTypes = map[string]string{
	"CN": "2.5.4.3", "SN": "2.5.4.4", "SURNAME": "2.5.4.4", "SERIALNUMBER": "2.5.4.5", "C": "2.5.4.6", "L": "2.5.4.7",
	"S": "2.5.4.8", "ST": "2.5.4.8", "STREET": "2.5.4.9", "O": "2.5.4.10", "OU": "2.5.4.11", "T": "2.5.4.12", "TITLE": "2.5.4.12",
	"GIVENNAME": "2.5.4.42", "G": "2.5.4.42", "INITIALS": "2.5.4.43", "DNQ": "2.5.4.46", "DNQUALIFIER": "2.5.4.46",
	"ORGANIZATIONIDENTIFIER": "2.5.4.97", "UID": "0.9.2342.19200300.100.1.1", "DC": "0.9.2342.19200300.100.1.25",
	"E": "1.2.840.113549.1.9.1", "EMAILADDRESS": "1.2.840.113549.1.9.1",
}

// isName reports whether text, a distinguished name as X509IssuerName writes it, is the name in der. Types compare
// by what they stand for, values without regard to case and to white space around them and repeated in them
// (RFC 5280, section 7.1). The text begins with what the DER ends with.
func isName(text string, der []byte) bool {
	var name pkix.RDNSequence
	if rest, err := asn1.Unmarshal(der, &name); err != nil || len(rest) > 0 {
		return false
	}
	want := make([]string, 0, len(name))
	for _, rdn := range slices.Backward(name) {
		var parts []string
		for _, a := range rdn {
			parts = append(parts, attribute(a.Type.String(), fmt.Sprint(a.Value)))
		}
		want = append(want, relative(parts))
	}
	got, ok := parseName(text)
	return ok && len(got) > 0 && slices.Equal(got, want)
}

func attribute(oid, value string) string {
	return oid + "=" + strings.ToLower(strings.Join(strings.Fields(value), " "))
}

// relative joins the attributes of one RDN, which is a set.
func relative(parts []string) string {
	slices.Sort(parts)
	return strings.Join(parts, "\x00")
}

// parseName reads the text form of RFC 4514, section 3, and its older quoted form of RFC 2253, section 4.
func parseName(text string) (rdns []string, ok bool) {
	if len(text) > maxDistinguishedName {
		return nil, false
	}
	var parts []string
	for {
		kind, rest, found := strings.Cut(text, "=")
		if !found {
			return nil, false
		}
		kind = strings.ToUpper(strings.TrimSpace(kind))
		oid, known := attributeTypes[kind]
		if !known {
			oid = strings.TrimPrefix(kind, "OID.")
		}
		value, rest, ok := parseValue(strings.TrimLeft(rest, " "))
		if !ok {
			return nil, false
		}
		parts = append(parts, attribute(oid, value))
		if !strings.HasPrefix(rest, "+") {
			rdns, parts = append(rdns, relative(parts)), nil
		}
		if rest == "" {
			return rdns, true
		}
		text = rest[1:]
	}
}

// parseValue reads one value; rest is empty or begins with the separator after it.
func parseValue(s string) (value, rest string, ok bool) {
	if strings.HasPrefix(s, "#") {
		end := strings.IndexAny(s, ",;+")
		if end < 0 {
			end = len(s)
		}
		der, err := hex.DecodeString(strings.TrimSpace(s[1:end]))
		if err != nil {
			return "", "", false
		}
		var v any
		if trailing, err := asn1.Unmarshal(der, &v); err != nil || len(trailing) > 0 {
			return "", "", false
		}
		return fmt.Sprint(v), s[end:], true
	}
	quoted := strings.HasPrefix(s, `"`)
	if quoted {
		s = s[1:]
	}
	var out []byte
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\' && i+2 < len(s) && isHex(s[i+1]) && isHex(s[i+2]):
			b, _ := hex.DecodeString(s[i+1 : i+3])
			out = append(out, b...)
			i += 2
		case c == '\\' && i+1 < len(s):
			i++
			out = append(out, s[i])
		case c == '\\':
			return "", "", false
		case quoted && c == '"':
			rest = strings.TrimLeft(s[i+1:], " ")
			return string(out), rest, rest == "" || strings.ContainsRune(",;+", rune(rest[0]))
		case !quoted && (c == ',' || c == ';' || c == '+'):
			return string(out), s[i:], true
		default:
			out = append(out, c)
		}
	}
	return string(out), "", !quoted
}

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'f'
}
