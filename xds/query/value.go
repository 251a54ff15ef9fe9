package query

import (
	"errors"
	"strings"

	"collimate/xds/metadata"
)

// What is wrong with the coding of a value. ITI TF-2: 3.18.4.1.2.3.5
var (
	errList       = errors.New("is a list in parentheses of quoted strings with commas between them")
	errNotQuoted  = errors.New("is one quoted string without parentheses")
	errNoNumber   = errors.New("is a time, YYYY[MM[DD[hh[mm[ss]]]]]")
	errCode       = errors.New("is a list of codes, 'code^^codingScheme'")
	errManyValues = errors.New("has too many alternatives")
)

// parseList reads the values of a parameter that may have many, up to a number. Several Values are one list.
func parseList(values []string, most int) ([]string, error) {
	var out []string
	for _, value := range values {
		rest, ok := strings.CutPrefix(strings.TrimSpace(value), "(")
		if !ok {
			return nil, errList
		}
		for more := true; more; {
			var s string
			if s, rest, ok = cutQuoted(strings.TrimSpace(rest)); !ok {
				return nil, errList
			}
			if len(out) >= most {
				return nil, errManyValues
			}
			out = append(out, s)
			rest, more = strings.CutPrefix(strings.TrimSpace(rest), ",")
		}
		if strings.TrimSpace(rest) != ")" {
			return nil, errList
		}
	}
	return out, nil
}

// cutQuoted reads a string in single quotes from the front of s. Two quotes within stand for one.
func cutQuoted(s string) (value, rest string, ok bool) {
	if s == "" || s[0] != '\'' && s[0] != '"' {
		return "", "", false
	}
	quote := s[:1] // QUIRK: double quotes, as in a sample of the Technical Framework
	s = s[1:]
	var out strings.Builder
	for {
		i := strings.Index(s, quote)
		if i < 0 {
			return "", "", false
		}
		out.WriteString(s[:i])
		if s = s[i+1:]; !strings.HasPrefix(s, quote) {
			return out.String(), s, out.Len() > 0
		}
		out.WriteString(quote)
		s = s[1:]
	}
}

// parseString reads the value of a parameter that has one.
func parseString(value string) (string, error) {
	s, rest, ok := cutQuoted(strings.TrimSpace(value))
	if !ok || strings.TrimSpace(rest) != "" {
		return "", errNotQuoted
	}
	return s, nil
}

// parseTime reads a time. It is a number, but some senders quote it.
func parseTime(value string) (string, error) {
	value = strings.TrimSpace(value)
	if s, err := parseString(value); err == nil {
		value = s
	}
	if !metadata.IsDTM(value) {
		return "", errNoNumber
	}
	return value, nil
}

// parseCode reads a code, a CE whose second component is empty. ITI TF-2: 3.18.4.1.2.3.4
func parseCode(s string) (metadata.Code, error) {
	c := strings.Split(s, "^")
	if len(c) != 3 || c[0] == "" || c[1] != "" || c[2] == "" {
		return metadata.Code{}, errCode
	}
	return metadata.Code{Value: c[0], Scheme: c[2]}, nil
}

func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }
