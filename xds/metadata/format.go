package metadata

import (
	"strings"
	"time"
	"unicode/utf8"
)

// format is a data type of ITI TF-3: Table 4.2.3.1.7-2: what it is called, and whether a value has it. Values
// are not empty and have no blanks around them.
type format struct {
	name string
	ok   func(string) bool
}

var (
	anyText       = format{"a text", func(string) bool { return true }}
	count         = format{"a number of bytes", isCount}
	cx            = format{"a CX with an assigning authority, id^^^&OID&ISO", IsCX}
	cxi           = format{"a CXi, id^^^&OID&ISO^typeCode", isCXi}
	dtm           = format{"a DTM in UTC, YYYY[MM[DD[hh[mm[ss]]]]]", IsDTM}
	entryUniqueID = format{"an OID, an OID with an extension, or a URN", isEntryUniqueID}
	language      = format{"a language tag of RFC 5646", isLanguage}
	oid           = format{"an OID of at most 64 characters", IsOID}
	pid           = format{"a field of PID, PID-n|value, other than 2, 4, 12 and 19", isPID}
	recipient     = format{"an organization, a person or a telecommunication address, XON|XCN|XTN", isRecipient}
	sha1Hex       = format{"a SHA-1 in 40 hexadecimal digits", isSHA1}
	uri           = format{"a URI", isURI}
	xcn           = format{"an XCN with an id or a family name", isXCN}
	xon           = format{"an XON with a name", isXON}
	xtn           = format{"an XTN with a number or an address", isXTN}
)

// IsOID reports whether s has the shape of an OID: digits in groups, with single dots between them. The arcs
// are not looked at: peers send leading zeros and arcs that no one has registered (iheos-toolkit2#5).
func IsOID(s string) bool {
	if s == "" || len(s) > maxOID {
		return false
	}
	for arc := range strings.SplitSeq(s, ".") {
		if arc == "" || !isDigits(arc) {
			return false
		}
	}
	return true
}

func isDigits(s string) bool { return strings.Trim(s, "0123456789") == "" }

// isHomeCommunityID reports whether s is urn:oid: and an OID. ITI TF-3: 4.2.3.2.12
func isHomeCommunityID(s string) bool {
	rest, ok := strings.CutPrefix(s, "urn:oid:")
	return ok && IsOID(rest)
}

const urnUUID = "urn:uuid:"

// IsUUID reports whether s is urn:uuid: and a UUID in lower case. ITI TF-3: 4.2.3.1.5
func IsUUID(s string) bool {
	s, ok := strings.CutPrefix(s, urnUUID)
	if !ok || len(s) != 36 {
		return false
	}
	for i := range len(s) {
		c := s[i]
		switch i {
		case 8, 13, 18, 23:
			if c != '-' {
				return false
			}
		default:
			if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
				return false
			}
		}
	}
	return true
}

// IsCX reports whether s is a patient id: an id, and the OID of who gave it; nothing else is allowed.
func IsCX(s string) bool {
	id, authority, ok := strings.Cut(s, "^^^")
	return ok && id != "" && !strings.ContainsAny(id, "^&") && isAuthority(authority)
}

// isAuthority reports whether s is &OID&ISO.
func isAuthority(s string) bool {
	s, ok := strings.CutPrefix(s, "&")
	if !ok {
		return false
	}
	s, ok = strings.CutSuffix(s, "&ISO")
	return ok && IsOID(s)
}

// isHD reports whether s is an assigning authority as an OID, with or without a namespace before it.
func isHD(s string) bool {
	_, rest, ok := strings.Cut(s, "&")
	return ok && isAuthority("&"+rest)
}

// isCXi reports whether s is a reference: component 4 is empty, a namespace, or an authority with or without one;
// component 5 is required, 6 is a community that older peers send. ITI TF-3: Table 4.2.3.1.7-2
func isCXi(s string) bool {
	c := strings.Split(s, "^")
	if len(c) < 5 || len(c) > 6 || c[0] == "" || c[1] != "" || c[2] != "" || c[4] == "" {
		return false
	}
	return !strings.Contains(c[3], "&") || isHD(c[3])
}

// isXCN: an id or a family name; the authority, component 9, has an OID, and is only for an id.
func isXCN(s string) bool {
	c := strings.Split(s, "^")
	if c[0] == "" && (len(c) < 2 || c[1] == "") {
		return false
	}
	return len(c) < 9 || c[8] == "" || c[0] != "" && isHD(c[8])
}

// isXON: a name; components other than name, authority (6) and id (10) are empty.
func isXON(s string) bool {
	c := strings.Split(s, "^")
	if c[0] == "" || len(c) > 10 {
		return false
	}
	for i, component := range c[1:] {
		if component != "" && i+2 != 6 && i+2 != 10 {
			return false
		}
	}
	return len(c) < 6 || c[5] == "" || isHD(c[5])
}

// isXTN: a number in component 1 or 12 or the parts between, or an address in component 4.
func isXTN(s string) bool { return strings.Trim(s, "^") != "" && strings.Count(s, "^") < 18 }

// isRecipient reports whether s is XON|XCN|XTN with at least one of them.
func isRecipient(s string) bool {
	parts := strings.Split(s, "|")
	checks := []func(string) bool{isXON, isXCN, isXTN}
	if len(parts) > len(checks) {
		return false
	}
	some := false
	for i, part := range parts {
		if part == "" {
			continue
		}
		if some = true; !checks[i](part) {
			return false
		}
	}
	return some
}

// isPID reports whether s is PID-n|value. Fields that would say the mother's id and the like are barred.
func isPID(s string) bool {
	field, _, ok := strings.Cut(s, "|")
	n, isPID := strings.CutPrefix(field, "PID-")
	if !ok || !isPID || n == "" || len(n) > 2 || !isDigits(n) || n[0] == '0' {
		return false
	}
	switch n {
	case "2", "4", "12", "19":
		return false
	}
	return len(n) == 1 || n <= "39"
}

func isSHA1(s string) bool {
	return len(s) == 40 && strings.Trim(s, "0123456789abcdefABCDEF") == ""
}

// isCount: any number of bytes that fits in 63 bits.
func isCount(s string) bool { return isDigits(s) && len(s) <= 18 }

// isLanguage reports whether s has the shape of a language tag. RFC 5646 section 2.1
func isLanguage(s string) bool {
	for i, part := range strings.Split(s, "-") {
		if part == "" || len(part) > 8 || strings.ContainsFunc(part, func(r rune) bool {
			letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
			return !letter && (i == 0 || r < '0' || r > '9')
		}) {
			return false
		}
	}
	return true
}

// isURI looks for what can be in no URI; net/url is not for a package that is to be pure, and accepts more.
func isURI(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r == '<' || r == '>' || r == '"' || r == 0x7f })
}

// isEntryUniqueID: the format is that of the document's own standard. ITI TF-3: 4.2.3.2.26
func isEntryUniqueID(s string) bool {
	if len(s) > maxUniqueID || strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return false
	}
	if urn, ok := strings.CutPrefix(s, "urn:"); ok {
		return urn != ""
	}
	root, extension, ok := strings.Cut(s, "^")
	return IsOID(root) && (!ok || extension != "" && len(extension) <= 16)
}

// isMimeType reports whether s is a media type without parameters.
func isMimeType(s string) bool {
	kind, sub, ok := strings.Cut(s, "/")
	return ok && kind != "" && sub != "" && len(s) <= maxValue && !strings.ContainsFunc(kind+sub, func(r rune) bool {
		return r <= ' ' || r > '~' || strings.ContainsRune(`/;,"()<>@:\[]?=`, r)
	})
}

const (
	dtmLayout   = "20060102150405"
	dtmEarliest = "00000101000000"
)

// IsDTM reports whether s is a time of HL7: a year, and month, day, hour, minute and second as far as they are
// known, in UTC, without fraction and zone.
func IsDTM(s string) bool {
	if len(s) < 4 || len(s) > len(dtmLayout) || len(s)%2 != 0 || !isDigits(s) {
		return false
	}
	_, err := time.Parse(dtmLayout, PadDTM(s))
	return err == nil
}

// PadDTM returns the earliest instant of a DTM to the second, so that times of any precision can be compared as
// strings: 2004 is 20040101000000.
func PadDTM(s string) string {
	if len(s) >= len(dtmEarliest) {
		return s
	}
	return s + dtmEarliest[len(s):]
}

func tooLong(s string, limit int) bool { return len(s) > limit && utf8.RuneCountInString(s) > limit }
