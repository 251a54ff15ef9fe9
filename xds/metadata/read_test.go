package metadata

import (
	"bytes"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"collimate/xmlsec"
)

// What real peers send otherwise than it should be, and is read as it is meant.
func TestLenient(t *testing.T) {
	inside := `<rim:Classification id="` + partID("SubmissionSet01", nodeSet, 0) + `" objectType="` + objectTypePrefix + `Classification" classifiedObject="SubmissionSet01" classificationNode="` + nodeSet + `"/>`
	beside := strings.Replace(text(), inside, "", 1)
	if beside == text() {
		t.Fatal("the label of the SubmissionSet is not found")
	}
	list := `<rim:RegistryObjectList xmlns:rim="` + NSRIM + `">`
	slot := `<rim:Slot name="languageCode"><rim:ValueList><rim:Value>en-US</rim:Value></rim:ValueList></rim:Slot>`
	for name, message := range map[string]string{
		"label after the package":       strings.Replace(beside, `</rim:RegistryObjectList>`, inside+`</rim:RegistryObjectList>`, 1),
		"label before the package":      strings.Replace(beside, list, list+inside, 1),
		"blanks around values":          text("<rim:Value>", "<rim:Value>\n  ", "</rim:Value>", " \t</rim:Value>"),
		"blanks around attributes":      text(`value="`, `value="  `, ` id="`, ` id=" `),
		"UUIDs in capitals":             text(schemeClass, strings.Replace(strings.ToUpper(schemeClass), "URN:UUID", "urn:uuid", 1), registered, strings.ToUpper(registered)),
		"blanks within UUIDs":           text(schemeContentType, strings.Replace(schemeContentType, "c96-", "c96- ", 1)),
		"no ids of parts":               text(` classifiedObject="Document01"`, "", ` registryObject="Document01"`, ""),
		"empty Description":             strings.Replace(text(), "<rim:Classification", "<rim:Description/><rim:Classification", 1),
		"Slot without values":           text(slot, slot+`<rim:Slot name="serviceStopTimes"><rim:ValueList/></rim:Slot>`),
		"Slot after Name":               text(slot, "", `</rim:Description>`, `</rim:Description>`+slot),
		"the same Slot again":           text(slot, slot+slot),
		"home is empty":                 text(`<rim:ExtrinsicObject `, `<rim:ExtrinsicObject home="" `),
		"references":                    text(`</rim:RegistryObjectList>`, `<rim:ObjectRef id="`+nodeSet+`"/></rim:RegistryObjectList>`),
		"the spelling authorSpeciality": text("authorSpecialty", "authorSpeciality"),
	} {
		got, err := ParseSubmission(parse(t, message))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		got.Refs = nil // of the one message that has them
		if want := sample(); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got\n%+v\nwant\n%+v", name, got, want)
		}
	}
}

// What cannot be understood is a fault, and the rest is read.
func TestFaultsOfReading(t *testing.T) {
	slot := `<rim:Slot name="languageCode"><rim:ValueList><rim:Value>en-US</rim:Value></rim:ValueList></rim:Slot>`
	for _, test := range []struct{ name, message, want string }{
		{"Slot twice", text(slot, slot+strings.Replace(slot, "en-US", "de", 1)), "languageCode is there twice"},
		{"two values", text(`en-US</rim:Value>`, `en-US</rim:Value><rim:Value>de</rim:Value>`), "languageCode has several values"},
		{"unknown name", text(slot, slot+strings.Replace(slot, "languageCode", "language", 1)), "a name that is neither"},
		{"own name twice", text("urn:north.example:extra", "urn:a", "languageCode", "urn:a"), "a name of its own is there twice"},
		{"unknown scheme", text(schemeEvent, nodeSet), "a classificationScheme that is not one of a DocumentEntry"},
		{"unknown identifier", text(schemeEntryUniqueID, nodeSet), "an identificationScheme that is not one of a DocumentEntry"},
		{"identifier twice", text(schemeEntryUniqueID, schemeEntryPatient), "patientId is there twice"},
		{"code twice", text(schemeType, schemeClass), "classCode is there twice"},
		{"code without scheme", text("codingScheme", "urn:scheme"), "classCode has no code (nodeRepresentation) or no codingScheme"},
		{"of another object", text(`classifiedObject="Document01"`, `classifiedObject="Document02"`), "classifiedObject of a Classification is not"},
		{"identifier of another object", text(`registryObject="Document01"`, `registryObject="Document02"`), "registryObject of an ExternalIdentifier is not"},
		{"neither set nor folder", text(nodeFolder, nodeSetLimited), "is not classified as either"},
		{"both", text(`classificationNode="`+nodeFolder+`"/>`, `classificationNode="`+nodeFolder+`"/><rim:Classification classificationNode="`+nodeSet+`"/>`), "is not classified as either"},
		{"limited metadata", text(schemeEvent+`"`, nodeEntryLimited+`" classificationNode="`+nodeEntryLimited+`"`), "limitedMetadata is not allowed"},
		{"unknown node", text(schemeEvent+`"`, nodeEntryLimited+`" classificationNode="`+nodeSet+`"`), "a classificationNode that is not known"},
		{"another element", text(`</rim:RegistryObjectList>`, `<rim:Person/></rim:RegistryObjectList>`), "no registry object of XDS"},
		{"author in a folder", text(schemeFolderCode, schemeEntryAuthor), "one of a Folder"},
	} {
		o, err := ParseSubmission(parse(t, test.message))
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		errs := o.Validate(Rules{For: Register})
		if !slices.ContainsFunc(errs, func(e *Error) bool { return strings.Contains(e.Error(), test.want) }) {
			t.Errorf("%s: got %v, want %q among them", test.name, errs, test.want)
		}
	}
}

// What is no submission, and what is too much.
func TestRefused(t *testing.T) {
	values := strings.Repeat("<rim:Value>v</rim:Value>", maxValues+1)
	object := func(inside string) string {
		return text(`</rim:ExtrinsicObject>`, inside+`</rim:ExtrinsicObject>`)
	}
	author := `<rim:Classification classificationScheme="` + schemeEntryAuthor + `"/>`
	event := `<rim:Classification classificationScheme="` + schemeEvent + `"/>`
	for name, message := range map[string]string{
		"another element":     `<a/>`,
		"ebXML 2.1":           text(NSLCM, "urn:oasis:names:tc:ebxml-regrep:registry:xsd:2.1"),
		"no list":             `<lcm:SubmitObjectsRequest xmlns:lcm="` + NSLCM + `"/>`,
		"many objects":        text(`</rim:RegistryObjectList>`, strings.Repeat(`<rim:ObjectRef/>`, maxObjects)+`</rim:RegistryObjectList>`),
		"many values":         text("<rim:Value>en-US</rim:Value>", values),
		"many parts":          object(strings.Repeat("<rim:Slot/>", 3*maxParts)),
		"many authors":        object(strings.Repeat(author, maxParts)),
		"many codes":          object(strings.Repeat(event, maxParts)),
		"elements in a Value": text(">en-US<", "><b/><"),
	} {
		if _, err := ParseSubmission(parse(t, message)); err == nil {
			t.Errorf("%s is read", name)
		}
	}
	o, err := ParseSubmission(parse(t, text(`</rim:RegistryObjectList>`, strings.Repeat("<rim:Person/>", 2*maxErrors)+`</rim:RegistryObjectList>`)))
	if err != nil {
		t.Fatal(err)
	}
	if errs := o.Validate(Rules{}); len(errs) != maxErrors || !strings.Contains(errs[maxErrors-1].Context, "more faults") {
		t.Errorf("%d errors are listed, want %d", len(errs), maxErrors)
	}
}

// A large submission takes time in proportion.
func TestLargeSubmission(t *testing.T) {
	o := sample()
	first := o.Documents[0]
	for i := range 2000 {
		d := first
		d.ID, d.UniqueID = fmt.Sprintf("D%d", i), fmt.Sprintf("1.2.3.%d", i)
		o.Documents = append(o.Documents, d)
		o.Associations = append(o.Associations, Association{Object: Object{ID: fmt.Sprintf("M%d", i)}, Type: HasMember, Source: "SubmissionSet01", Target: d.ID, SubmissionSetStatus: Original})
	}
	doc, err := xmlsec.Parse(AppendSubmission(nil, o), xmlsec.Limits{MaxBytes: 64 << 20, MaxNodes: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	again, err := ParseSubmission(doc.Root())
	if err != nil {
		t.Fatal(err)
	}
	if errs := again.Validate(Rules{For: Register}); len(again.Documents) != 2002 || errs != nil {
		t.Errorf("%d documents, %v", len(again.Documents), errs)
	}
}

// FuzzSubmission: whatever is read is written so that it is read as the same, and checking it ends.
func FuzzSubmission(f *testing.F) {
	f.Add(AppendSubmission(nil, sample()))
	f.Add(AppendSubmission(nil, onDemandSample()))
	f.Add(bytes.ReplaceAll(AppendSubmission(nil, resolved()), []byte("rim:Value>"), []byte("rim:Value> ")))
	f.Fuzz(func(t *testing.T, message []byte) {
		doc, err := xmlsec.Parse(message, xmlsec.Limits{MaxBytes: 1 << 20})
		if err != nil {
			return
		}
		o, err := ParseSubmission(doc.Root())
		if err != nil {
			return
		}
		errs := o.Validate(Rules{For: Register})
		_ = o.Admit(Registered{Objects: *sample()})
		for _, e := range errs {
			if len(e.Error()) > maxContext || len(errs) > maxErrors {
				t.Fatalf("%d errors, one of %d characters", len(errs), len(e.Error()))
			}
		}
		if errs != nil {
			return
		}
		doc, err = xmlsec.Parse(AppendSubmission(nil, o), xmlsec.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		again, err := ParseSubmission(doc.Root())
		if err != nil || !reflect.DeepEqual(o, again) {
			t.Fatalf("error %v, or other objects than were written", err)
		}
	})
}
