package conformance

import (
	"fmt"
	"slices"

	"github.com/beevik/etree"
)

func judgeAssociations(x *exchange) error {
	c := readContents(x)
	sets, entries := map[string]bool{}, map[string]bool{}
	for _, e := range c.objects {
		sets[e.SelectAttrValue("id", "")] = isLabelled(e, nodeSet)
		entries[e.SelectAttrValue("id", "")] = e.Tag == "ExtrinsicObject"
	}
	for _, a := range c.associations {
		kind, source, target := kindOf(a), a.SelectAttrValue("sourceObject", ""), a.SelectAttrValue("targetObject", "")
		if associationTypes[kind] == "" {
			return expected("an associationType of ITI TF-3: 4.2.2", fmt.Sprintf("%q", kind))
		}
		if !uuidURN.MatchString(source) || !uuidURN.MatchString(target) || source == target {
			return expected("two different UUID URNs as ends of a "+kind, fmt.Sprintf("%q and %q", source, target))
		}
		status := slotOf(a, "SubmissionSetStatus")
		switch {
		case kind == "HasMember" && sets[source] && entries[target] && status != "Original" && status != "Reference":
			return expected("SubmissionSetStatus Original or Reference from a SubmissionSet to a DocumentEntry", fmt.Sprintf("%q", status))
		case status != "" && kind != "HasMember":
			return expected("no SubmissionSetStatus on "+kind, fmt.Sprintf("%q", status))
		case sets[target]:
			return expected("no association that points at a SubmissionSet", kind)
		case kind == "HasMember" && codesIn(a, "associationDocumentation") > 0:
			return expected("no documentation on HasMember", "one")
		}
	}
	return nil
}

func judgePatients(x *exchange) error {
	adhoc := x.sent.body().FindElement("query:AdhocQueryRequest/rim:AdhocQuery")
	if adhoc == nil {
		return nil
	}
	patients := map[string]bool{}
	for _, e := range readContents(x).objects {
		patients[identifierOf(e, schemeEntryPatient, schemeSetPatient, schemeFolderPatient)] = true
	}
	if len(patients) > 1 {
		return expected("objects of one patient", plural(len(patients), "patient"))
	}
	return nil
}

// rimOrder is the order of the children of a RegistryObject. rim.xsd
var rimOrder = []string{"Slot", "Name", "Description", "VersionInfo", "Classification", "ExternalIdentifier"}

func judgeRIMOrder(x *exchange) error {
	return eachElement(x.root, func(e *etree.Element) error {
		if e.NamespaceURI() != nsRIM || !slices.Contains([]string{"ExtrinsicObject", "RegistryPackage", "Association", "Classification", "ExternalIdentifier"}, e.Tag) {
			return nil
		}
		last := 0
		for _, c := range e.ChildElements() {
			at := slices.Index(rimOrder, c.Tag)
			if at < last {
				return expected(fmt.Sprintf("%s in this order in %s", rimOrder, e.Tag), describe(c)+" out of place")
			}
			last = at
		}
		return nil
	})
}

func judgeDistinct(x *exchange) error {
	c := readContents(x)
	seen := map[string]bool{}
	for _, e := range slices.Concat(c.objects, c.associations, c.refs) {
		id := e.SelectAttrValue("id", "")
		if seen[id] {
			return expected("each object once", "one twice")
		}
		seen[id] = true
	}
	return nil
}
