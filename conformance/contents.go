package conformance

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"sort"
	"strings"

	"github.com/beevik/etree"
)

// contents are the objects of an AdhocQueryResponse.
type contents struct {
	objects      []*etree.Element // DocumentEntries, SubmissionSets and Folders
	associations []*etree.Element
	refs         []*etree.Element
}

// readContents sorts the objects of an answer.
func readContents(x *exchange) contents {
	var c contents
	for _, e := range elements(child(x.payload(), nsRIM, "RegistryObjectList")) {
		switch e.Tag {
		case "ExtrinsicObject", "RegistryPackage":
			c.objects = append(c.objects, e)
		case "Association":
			c.associations = append(c.associations, e)
		case "ObjectRef":
			c.refs = append(c.refs, e)
		}
	}
	return c
}

// want is what a query must find, by name: "S" for Approved, "D0!" for Deprecated; and how many associations of
// which kinds, such as "4 HasMember 1 RPLC". Anything else that comes is wrong.
type want struct {
	objects string
	links   string
	refs    bool // as ObjectRefs
	check   func(*session, contents) error
}

// judge compares an answer with what was wanted. ENG-09, ENG-11
func (w want) judge(s *session, x *exchange) error {
	c := readContents(x)
	if !s.has(w.objects) {
		return nil // the step is skipped
	}
	if w.refs {
		return w.judgeRefs(s, c)
	}
	if len(c.refs) > 0 {
		return expected("whole objects", plural(len(c.refs), "ObjectRef"))
	}
	left := strings.Fields(w.objects)
	for _, e := range c.objects {
		i := slices.IndexFunc(left, func(name string) bool { return s.isNamed(e, strings.TrimSuffix(name, "!")) })
		if i < 0 {
			if s.overlooks(e) {
				continue
			}
			return expected("no more than "+orNothing(w.objects), describeObject(e)+" besides, or a second time")
		}
		if err := s.judgeObject(e, left[i]); err != nil {
			return err
		}
		left = slices.Delete(left, i, i+1)
	}
	if len(left) > 0 {
		return expected(strings.Join(left, ", ")+" as well", plural(len(c.objects), "object"))
	}
	if err := w.judgeLinks(s, c.associations); err != nil {
		return err
	}
	if w.check != nil {
		return w.check(s, c)
	}
	return nil
}

// has reports whether earlier steps have registered all these objects; if not, the step is skipped.
func (s *session) has(names string) bool {
	for _, name := range strings.Fields(names) {
		s.entry(strings.TrimSuffix(name, "!"))
	}
	return s.lacking == ""
}

func orNothing(names string) string { return or(strings.Join(strings.Fields(names), ", "), "nothing") }

// judgeLinks counts the associations of each kind.
func (w want) judgeLinks(s *session, associations []*etree.Element) error {
	counts := map[string]int{}
	for _, a := range associations {
		counts[kindOf(a)]++
	}
	var got []string
	for _, kind := range slices.Sorted(maps.Keys(counts)) {
		got = append(got, fmt.Sprintf("%d %s", counts[kind], kind))
	}
	if text := strings.Join(got, " "); text != w.links && s.fresh {
		return expected("associations "+or(w.links, "none"), or(text, "none"))
	}
	return nil
}

// kindOf returns the kind of an Association, the whole URN if it is none that we know.
func kindOf(a *etree.Element) string {
	urn := a.SelectAttrValue("associationType", "")
	for kind, known := range associationTypes {
		if known == urn {
			return kind
		}
	}
	return urn
}

// judgeRefs compares ObjectRefs. Those of associations are counted only: nobody knows their ids.
func (w want) judgeRefs(s *session, c contents) error {
	if n := len(c.objects) + len(c.associations); n > 0 {
		return expected("ObjectRefs only", plural(n, "whole object"))
	}
	links := 0
	for _, n := range strings.Fields(w.links) {
		var count int
		if _, err := fmt.Sscan(n, &count); err == nil {
			links += count
		}
	}
	var left []string
	for _, name := range strings.Fields(w.objects) {
		left = append(left, s.entry(strings.TrimSuffix(name, "!")).id)
	}
	for _, r := range c.refs {
		if i := slices.Index(left, r.SelectAttrValue("id", "")); i >= 0 {
			left = slices.Delete(left, i, i+1)
		} else if links--; links < 0 && s.fresh {
			return expected(fmt.Sprintf("ObjectRefs of %s and of associations %s", orNothing(w.objects), or(w.links, "none")), plural(len(c.refs), "ObjectRef"))
		}
	}
	if len(left) > 0 || links > 0 && s.fresh {
		return expected(fmt.Sprintf("ObjectRefs of %s and of associations %s", orNothing(w.objects), or(w.links, "none")), plural(len(c.refs), "ObjectRef"))
	}
	return nil
}

// uniqueIDOf returns the uniqueId of a DocumentEntry, a SubmissionSet or a Folder.
func uniqueIDOf(e *etree.Element) string {
	return identifierOf(e, schemeEntryUniqueID, schemeSetUniqueID, schemeFolderUnique)
}

func identifierOf(e *etree.Element, schemes ...string) string {
	for _, i := range children(e, nsRIM, "ExternalIdentifier") {
		if slices.Contains(schemes, i.SelectAttrValue("identificationScheme", "")) {
			return i.SelectAttrValue("value", "")
		}
	}
	return ""
}

// isNamed reports whether e is the object submitted under that name: by its id, or by its uniqueId where the
// registry gives the id.
func (s *session) isNamed(e *etree.Element, name string) bool {
	n := s.entry(name)
	if strings.HasPrefix(n.id, "urn:uuid:") {
		return e.SelectAttrValue("id", "") == n.id
	}
	return uniqueIDOf(e) == n.uniqueID
}

// overlooks reports whether e is of somebody else, which is in order if the patient is not of this run only.
func (s *session) overlooks(e *etree.Element) bool {
	if s.fresh {
		return false
	}
	for _, n := range s.sent {
		if n.uniqueID == uniqueIDOf(e) {
			return false
		}
	}
	return true
}

// judgeObject compares an object with what was submitted, and learns the id that the registry gave it.
func (s *session) judgeObject(e *etree.Element, name string) error {
	status := statusApproved
	name, deprecated := strings.CutSuffix(name, "!")
	if deprecated {
		status = statusDeprecated
	}
	if got := e.SelectAttrValue("status", ""); got != status {
		return expected(fmt.Sprintf("%s with availabilityStatus %s", name, local(status)), fmt.Sprintf("%q", local(got)))
	}
	n := s.entry(name)
	if err := kept(n.element, e); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	n.id = e.SelectAttrValue("id", "")
	s.sent[name] = n
	return nil
}

// kept compares what was submitted with what came back: slots, codes, authors, identifiers and titles must be the
// same. ITI TF-2: 3.42.4.1.3 (a registry stores all attributes), Gazelle ITI42-5
func kept(submitted, returned *etree.Element) error {
	var errs []error
	got := attributesOf(returned)
	for key, value := range attributesOf(submitted) {
		if got[key] != value {
			errs = append(errs, expected(fmt.Sprintf("%s %q, as it was submitted", key, value), fmt.Sprintf("%q", got[key])))
		}
	}
	return errors.Join(errs...)
}

// attributesOf flattens a rim object into texts that can be compared.
func attributesOf(e *etree.Element) map[string]string {
	m := map[string]string{}
	for _, name := range []string{"mimeType", "objectType"} {
		if a := e.SelectAttr(name); a != nil {
			m[name] = a.Value
		}
	}
	for _, c := range e.ChildElements() {
		switch c.Tag {
		case "Slot":
			if name := c.SelectAttrValue("name", ""); name != "lastUpdateTime" { // which the registry sets
				m["slot "+name] = strings.Join(slotValues(c), "|")
			}
		case "Name":
			m["title"] = textValue(c)
		case "Classification":
			var of []string
			for _, slot := range c.ChildElements() {
				if slot.Tag == "Slot" {
					of = append(of, slot.SelectAttrValue("name", "")+"="+strings.Join(slotValues(slot), "|"))
				}
			}
			sort.Strings(of)
			key := "classification " + c.SelectAttrValue("classificationScheme", c.SelectAttrValue("classificationNode", ""))
			m[key] += c.SelectAttrValue("nodeRepresentation", "") + " " + strings.Join(of, " ") + "; "
		case "ExternalIdentifier":
			m["identifier "+c.SelectAttrValue("identificationScheme", "")] = c.SelectAttrValue("value", "")
		}
	}
	return m
}

// slotValues returns the values of a slot.
func slotValues(slot *etree.Element) []string {
	var values []string
	for _, l := range slot.ChildElements() {
		for _, v := range l.ChildElements() {
			values = append(values, strings.TrimSpace(v.Text()))
		}
	}
	return values
}

// slotOf returns the first value of a slot of an object, "" if there is none.
func slotOf(e *etree.Element, name string) string {
	for _, slot := range children(e, nsRIM, "Slot") {
		if slot.SelectAttrValue("name", "") == name {
			if values := slotValues(slot); len(values) > 0 {
				return values[0]
			}
		}
	}
	return ""
}

// textValue returns the value of a Name or a Description.
func textValue(e *etree.Element) string {
	if l := e.ChildElements(); len(l) > 0 {
		return l[0].SelectAttrValue("value", "")
	}
	return ""
}

// describeObject names an object for a person, without saying whose it is.
func describeObject(e *etree.Element) string {
	return fmt.Sprintf("a %s (%s)", e.Tag, local(e.SelectAttrValue("status", "no status")))
}
