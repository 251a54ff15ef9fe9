package metadata

import (
	"regexp"
	"strconv"
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
	associationPattern = regexp.MustCompile(`associationType="([A-Za-z_]+)"`)
	envelopePattern    = regexp.MustCompile(`(?s)<\w+:Envelope.*Envelope>`)
	symbolPattern      = regexp.MustCompile(`\$\w+\$?`)
)

// message returns a message of the shared folder as a toolkit would send it: symbols filled, ebRIM 2.1 of the
// templates turned into 3.0.
func message(t testing.TB, folder, file string) string {
	t.Helper()
	s := string(sharedfiles.Read(t, "ihe", "vectors", folder, file))
	if file == "epd-ITI-41_request.xml" { // printed with line numbers, and with elisions in the header
		s = regexp.MustCompile(`(?m)^ *\d+ ?`).ReplaceAllString(s, "")
		s = regexp.MustCompile(`(?s)<soap:Header>.*</soap:Header>`).ReplaceAllString(s, "")
	}
	if envelope := envelopePattern.FindString(s); envelope != "" {
		s = envelope // without the head of HTTP and what else is in multipart
	}
	s = strings.NewReplacer(
		"urn:oasis:names:tc:ebxml-regrep:registry:xsd:2.1", NSLCM, "urn:oasis:names:tc:ebxml-regrep:registry:xsd:3.0", NSLCM,
		"urn:oasis:names:tc:ebxml-regrep:rim:xsd:2.1", NSRIM, "LeafRegistryObjectList", "RegistryObjectList",
	).Replace(s)
	s = associationPattern.ReplaceAllStringFunc(s, func(a string) string {
		name := associationPattern.FindStringSubmatch(a)[1]
		if name == "HasMember" {
			return `associationType="` + string(HasMember) + `"`
		}
		return `associationType="urn:ihe:iti:2007:AssociationType:` + name + `"`
	})
	return symbolPattern.ReplaceAllStringFunc(s, func(symbol string) string {
		name := strings.ToLower(symbol)
		switch {
		case strings.Contains(name, "altpatient"):
			return "A-2^^^&amp;1.3.6.1.4.1.21367.2005.13.20.1000&amp;ISO"
		case strings.Contains(name, "patient"), strings.Contains(name, "pid"):
			return "P-1^^^&amp;1.3.6.1.4.1.21367.2005.13.20.1000&amp;ISO"
		case strings.Contains(name, "repuid"):
			return "1.3.6.1.4.1.21367.13.80.110"
		}
		if strings.Contains(name, "doc1") || strings.Contains(name, "folder1") {
			return "Object" + name[1:]
		}
		return registered
	})
}

// filled gives objects the identifiers that a toolkit makes up when it sends a template: uniqueIds, and one
// patient for all unless the message is about several.
func filled(o *Objects, keepPatients bool) *Objects {
	n := 0
	for f := range o.all {
		for _, i := range f.identifiers {
			n++
			switch {
			case i.name == "uniqueId" && !i.format.ok(*i.value):
				*i.value = "1.2.3.4." + strconv.Itoa(n)
			case i.name == "patientId" && (!keepPatients || !i.format.ok(*i.value)):
				*i.value = "P-1^^^&1.3.6.1.4.1.21367.2005.13.20.1000&ISO"
			}
		}
	}
	return o
}

// submission reads a message of the shared folder; ok is false if there is none in it.
func submission(t testing.TB, folder, file string) (o *Objects, ok bool) {
	t.Helper()
	n, ok := find(parse(t, message(t, folder, file)), "SubmitObjectsRequest")
	if !ok {
		return nil, false
	}
	o, err := ParseSubmission(n)
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return filled(o, strings.Contains(file, "11986") || strings.Contains(file, "11997")), true
}

// registered is the id of an object that the messages point at and do not have.
const registered = "urn:uuid:11111111-2222-4333-8444-555555555555"
