package mtom

import (
	"fmt"
	"strings"
)

// ContentType is a media type with its parameters, as in the header of the same name.
type ContentType struct {
	MediaType  string            // lower case
	Parameters map[string]string // by lower-case name
}

// ParseContentType reads a Content-Type as real peers write it: folded lines, a trailing ";", values with ":"
// or "@" and without quotes. mime.ParseMediaType refuses some of these. A parameter that comes twice is an
// error, since two readers could take different ones.
func ParseContentType(s string) (ContentType, error) {
	if len(s) > maxContentType {
		return ContentType{}, &FormatError{fmt.Sprintf("Content-Type has more than %d bytes", maxContentType)}
	}
	media, rest, _ := strings.Cut(s, ";")
	c := ContentType{MediaType: strings.ToLower(strings.TrimSpace(media)), Parameters: map[string]string{}}
	if main, sub, ok := strings.Cut(c.MediaType, "/"); !ok || main == "" || sub == "" || strings.ContainsAny(c.MediaType, " \t\r\n\"") {
		return ContentType{}, &FormatError{"Content-Type does not begin with a media type"}
	}
	for {
		rest = strings.TrimLeft(rest, "; \t\r\n") // QUIRK: trailing ";" (spec-iti43-response-mtom-optimised)
		if rest == "" {
			return c, nil
		}
		name, after, ok := strings.Cut(rest, "=")
		name = strings.ToLower(strings.TrimSpace(name))
		if !ok || name == "" || strings.ContainsAny(name, "; \t\r\n\"") {
			return ContentType{}, &FormatError{"Content-Type has a parameter without a value"}
		}
		var value string
		after = strings.TrimLeft(after, " \t\r\n")
		if strings.HasPrefix(after, `"`) {
			if value, rest, ok = unquote(after[1:]); !ok {
				return ContentType{}, &FormatError{"Content-Type has a quoted value without an end"}
			}
		} else {
			value, rest, _ = strings.Cut(after, ";")
			value = strings.TrimSpace(value)
		}
		if _, twice := c.Parameters[name]; twice {
			return ContentType{}, &FormatError{"Content-Type has a parameter twice"}
		}
		c.Parameters[name] = value
	}
}

// unquote reads a quoted string whose opening quote has been read. RFC 2045 section 5.1
func unquote(s string) (value, rest string, ok bool) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '"':
			return b.String(), s[i+1:], true
		case '\\':
			if i++; i == len(s) {
				return "", "", false
			}
		}
		b.WriteByte(s[i])
	}
	return "", "", false
}
