package query

import (
	"regexp"
	"strings"
	"testing"

	"collimate/internal/sharedfiles"
	"collimate/xmlsec"
)

func parse(t testing.TB, text string) xmlsec.Node {
	t.Helper()
	doc, err := xmlsec.Parse([]byte(text), xmlsec.Limits{})
	if err != nil {
		t.Fatalf("%v in %.2000s", err, text)
	}
	return doc.Root()
}

// find returns the first element of that name at or below n.
func find(n xmlsec.Node, local string) (xmlsec.Node, bool) {
	if n.Local() == local {
		return n, true
	}
	for c := range n.Elements() {
		if found, ok := find(c, local); ok {
			return found, true
		}
	}
	return xmlsec.Node{}, false
}

var (
	envelopePattern = regexp.MustCompile(`(?s)<\w+:Envelope.*Envelope>`)
	symbolPattern   = regexp.MustCompile(`\$\w+\$`)
)

// message returns a message of the shared folder with the symbols of templates filled.
func message(t testing.TB, folder, file string) string {
	t.Helper()
	s := string(sharedfiles.Read(t, "ihe", "vectors", folder, file))
	if envelope := envelopePattern.FindString(s); envelope != "" {
		s = envelope // without the head of HTTP
	}
	return symbolPattern.ReplaceAllStringFunc(s, func(symbol string) string {
		switch name := strings.ToLower(symbol); {
		case strings.Contains(name, "patient"), name == "$pid$":
			return "P-1^^^&amp;1.3.6.1.4.1.21367.2005.13.20.1000&amp;ISO"
		case name == "$lastyear$":
			return "2023"
		case name == "$now$":
			return "20240229120000"
		case name == "$home$":
			return "urn:oid:1.2.3"
		case strings.Contains(name, "uuid"):
			return "urn:uuid:11111111-2222-4333-8444-55555555555" + name[len(name)-2:len(name)-1]
		}
		return "1.2.3.4"
	})
}
