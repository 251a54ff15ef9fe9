package conformance

import (
	"regexp"
	"slices"
	"strings"

	"github.com/beevik/etree"
)

// fakeQuery is a stored query as the fake understands it: for each parameter the lists that were given.
type fakeQuery struct {
	kind   string
	params map[string][][]string
}

// query is ITI-18.
func (f *fake) query(request *etree.Element) *etree.Element {
	answer := etree.NewElement("query:AdhocQueryResponse")
	adhoc := child(request, nsRIM, "AdhocQuery")
	q := &fakeQuery{params: map[string][][]string{}}
	for kind, id := range queryIDs {
		if adhoc.SelectAttrValue("id", "") == "urn:uuid:"+id {
			q.kind = kind
		}
	}
	code := q.read(adhoc)
	var found []*etree.Element
	if code == "" {
		found = f.answer(q)
	}
	asRefs := child(request, nsQuery, "ResponseOption").SelectAttrValue("returnType", "") == "ObjectRef"
	if !asRefs && code == "" {
		patients := map[string]bool{}
		for _, e := range found {
			if p := patientOf(e); p != "" {
				patients[p] = true
			}
		}
		if len(patients) > 1 {
			code = "XDSResultNotSinglePatient"
		}
	}
	refuse(answer, code)
	list := answer.CreateElement("rim:RegistryObjectList")
	if code != "" {
		return answer
	}
	for _, e := range found {
		if asRefs {
			list.CreateElement("rim:ObjectRef").CreateAttr("id", e.SelectAttrValue("id", ""))
		} else {
			list.AddChild(e.Copy())
		}
	}
	return answer
}

var fakeValue = regexp.MustCompile(`'((?:[^']|'')*)'|([0-9]+)`)

// read reads the parameters, and returns the code of the first fault.
func (q *fakeQuery) read(adhoc *etree.Element) string {
	if q.kind == "" {
		return "XDSUnknownStoredQuery"
	}
	several := map[string]bool{"$XDSDocumentEntryEventCodeList": true, "$XDSDocumentEntryConfidentialityCode": true, "$XDSFolderCodeList": true, "$XDSDocumentEntryReferenceIdList": true}
	for _, slot := range children(adhoc, nsRIM, "Slot") {
		name := slot.SelectAttrValue("name", "")
		var values []string
		for _, v := range slotValues(slot) {
			found := fakeValue.FindAllStringSubmatch(v, -1)
			if found == nil {
				return "XDSRegistryError"
			}
			for _, m := range found {
				values = append(values, strings.ReplaceAll(m[1], "''", "'")+m[2])
			}
		}
		if q.params[name] != nil && !several[name] || strings.HasSuffix(name, "PatientId") && len(values) > 1 {
			return "XDSStoredQueryParamNumber"
		}
		if strings.HasSuffix(name, "Code") || name == "$XDSDocumentEntryEventCodeList" {
			for _, v := range values {
				if code, scheme, ok := strings.Cut(v, "^^"); !ok || code == "" || scheme == "" {
					return "XDSRegistryError"
				}
			}
		}
		q.params[name] = append(q.params[name], values)
	}
	switch {
	case q.kind == "FindDocuments" && q.params["$XDSDocumentEntryPatientId"] == nil:
		return "XDSStoredQueryMissingParam"
	case q.kind == "FindDocuments" && !slices.ContainsFunc(q.params["$XDSDocumentEntryStatus"][0], func(s string) bool { return s == statusApproved || s == statusDeprecated }):
		return "XDSStoredQueryMissingParam"
	case q.kind == "GetDocuments" && q.params[entryUUID] != nil && q.params[entryUniqueID] != nil:
		return "XDSStoredQueryParamNumber"
	case q.kind == "GetDocuments" && q.params[entryUUID] == nil && q.params[entryUniqueID] == nil:
		return "XDSStoredQueryMissingParam"
	}
	return ""
}

// all returns the values of a parameter as one list.
func (q *fakeQuery) all(name string) []string { return slices.Concat(q.params[name]...) }

// accepts reports whether one of the values is wanted; so is anything if the parameter was not given.
func (q *fakeQuery) accepts(name string, values ...string) bool {
	for _, wanted := range q.params[name] {
		if !slices.ContainsFunc(wanted, func(w string) bool { return slices.ContainsFunc(values, func(v string) bool { return like(w, v) }) }) {
			return false
		}
	}
	return true
}

// like is SQL's LIKE as far as it is needed.
func like(pattern, s string) bool {
	if inner := strings.Trim(pattern, "%"); inner != pattern {
		return strings.Contains(s, inner)
	}
	return s == pattern
}

// within reports whether a time lies between two parameters.
func (q *fakeQuery) within(prefix, value string) bool {
	pad := func(s string) string { return s + "00000101000000"[min(len(s), 14):] }
	if from := q.all(prefix + "From"); len(from) > 0 && value != "" && pad(value) < pad(from[0]) {
		return false
	}
	to := q.all(prefix + "To")
	return len(to) == 0 || value == "" || pad(value) < pad(to[0])
}

// codesOf returns the codes of an attribute in CE form.
func codesOf(e *etree.Element, attribute string) []string {
	var codes []string
	for _, c := range e.SelectElements("rim:Classification") {
		if c.SelectAttrValue("classificationScheme", "") == schemeOf[attribute] {
			codes = append(codes, c.SelectAttrValue("nodeRepresentation", "")+"^^"+slotOf(c, "codingScheme"))
		}
	}
	return codes
}

func authorsOf(e *etree.Element) []string {
	var names []string
	for _, c := range e.SelectElements("rim:Classification") {
		if s := c.SelectAttrValue("classificationScheme", ""); s == schemeEntryAuthor || s == schemeSetAuthor {
			names = append(names, slotOf(c, "authorPerson"))
		}
	}
	return names
}

// entry reports whether a DocumentEntry passes the filters of a query.
func (q *fakeQuery) entry(e *etree.Element) bool {
	const p = "$XDSDocumentEntry"
	types := q.all(p + "Type")
	if types == nil && !strings.HasPrefix(q.kind, "GetDocuments") {
		types = []string{typeStable}
	}
	return e.Tag == "ExtrinsicObject" && (types == nil || slices.Contains(types, e.SelectAttrValue("objectType", ""))) &&
		q.accepts(p+"ClassCode", codesOf(e, "classCode")...) && q.accepts(p+"TypeCode", codesOf(e, "typeCode")...) &&
		q.accepts(p+"PracticeSettingCode", codesOf(e, "practiceSettingCode")...) && q.accepts(p+"FormatCode", codesOf(e, "formatCode")...) &&
		q.accepts(p+"HealthcareFacilityTypeCode", codesOf(e, "healthcareFacilityTypeCode")...) &&
		q.accepts(p+"EventCodeList", codesOf(e, "eventCodeList")...) && q.accepts(p+"ConfidentialityCode", codesOf(e, "confidentialityCode")...) &&
		q.accepts(p+"AuthorPerson", authorsOf(e)...) && q.accepts(p+"ReferenceIdList", slotOf(e, "urn:ihe:iti:xds:2013:referenceIdList")) &&
		q.within(p+"CreationTime", slotOf(e, "creationTime")) && q.within(p+"ServiceStartTime", slotOf(e, "serviceStartTime")) &&
		q.within(p+"ServiceStopTime", slotOf(e, "serviceStopTime"))
}

// answer evaluates a query.
func (f *fake) answer(q *fakeQuery) []*etree.Element {
	var found []*etree.Element
	add := func(e *etree.Element) bool {
		if e == nil || slices.Contains(found, e) {
			return false
		}
		found = append(found, e)
		return true
	}
	each := func(match func(*etree.Element) bool) {
		for _, e := range f.objects {
			if match(e) {
				add(e)
			}
		}
	}
	named := func(prefix string) func(*etree.Element) bool {
		return func(e *etree.Element) bool {
			return slices.Contains(slices.Concat(q.all(prefix+"EntryUUID"), q.all("$uuid")), e.SelectAttrValue("id", "")) || slices.Contains(q.all(prefix+"UniqueId"), uniqueIDOf(e))
		}
	}
	isSet, isFolder := func(e *etree.Element) bool { return isLabelled(e, nodeSet) }, func(e *etree.Element) bool { return isLabelled(e, nodeFolder) }
	ends := func(a *etree.Element) (*etree.Element, *etree.Element) {
		return f.byID(a.SelectAttrValue("sourceObject", "")), f.byID(a.SelectAttrValue("targetObject", ""))
	}
	touching := func(both bool) {
		for again := true; again; { // an association may point at another
			again = false
			for _, a := range f.objects {
				if a.Tag != "Association" {
					continue
				}
				from, to := ends(a)
				inFrom, inTo := slices.Contains(found, from), slices.Contains(found, to)
				if inFrom && inTo || !both && (inFrom && from.Tag != "Association" || inTo && to.Tag != "Association") {
					again = add(a) || again
				}
			}
		}
	}
	status := func(e *etree.Element, name string) bool { return q.accepts(name, e.SelectAttrValue("status", "")) }
	switch q.kind {
	case "FindDocuments", "FindDocumentsByReferenceId":
		each(func(e *etree.Element) bool {
			return q.entry(e) && q.accepts("$XDSDocumentEntryPatientId", patientOf(e)) && status(e, "$XDSDocumentEntryStatus")
		})
	case "FindSubmissionSets":
		const p = "$XDSSubmissionSet"
		each(func(e *etree.Element) bool {
			return isSet(e) && q.accepts(p+"PatientId", patientOf(e)) && q.accepts(p+"SourceId", identifierOf(e, schemeSetSource)) &&
				q.within(p+"SubmissionTime", slotOf(e, "submissionTime")) && q.accepts(p+"AuthorPerson", authorsOf(e)...) && q.accepts(p+"ContentType", codesOf(e, "contentTypeCode")...)
		})
	case "FindFolders":
		const p = "$XDSFolder"
		each(func(e *etree.Element) bool {
			return isFolder(e) && q.accepts(p+"PatientId", patientOf(e)) && q.within(p+"LastUpdateTime", slotOf(e, "lastUpdateTime")) && q.accepts(p+"CodeList", codesOf(e, "folderCodeList")...)
		})
	case "GetAll":
		each(func(e *etree.Element) bool {
			return q.accepts("$patientId", patientOf(e)) && (q.entry(e) && status(e, "$XDSDocumentEntryStatus") || isSet(e) || isFolder(e))
		})
		touching(true)
	case "GetDocuments":
		match := named("$XDSDocumentEntry")
		each(func(e *etree.Element) bool { return e.Tag == "ExtrinsicObject" && match(e) })
	case "GetDocumentsAndAssociations":
		match := named("$XDSDocumentEntry")
		each(func(e *etree.Element) bool { return e.Tag == "ExtrinsicObject" && match(e) })
		touching(false)
	case "GetFolders":
		match := named("$XDSFolder")
		each(func(e *etree.Element) bool { return isFolder(e) && match(e) })
	case "GetAssociations":
		each(func(a *etree.Element) bool {
			return a.Tag == "Association" && (slices.Contains(q.all("$uuid"), a.SelectAttrValue("sourceObject", "")) || slices.Contains(q.all("$uuid"), a.SelectAttrValue("targetObject", "")))
		})
	case "GetSubmissionSets":
		each(func(a *etree.Element) bool {
			from, _ := ends(a)
			if from == nil || !isSet(from) || !slices.Contains(q.all("$uuid"), a.SelectAttrValue("targetObject", "")) {
				return false
			}
			add(from)
			return true
		})
	case "GetSubmissionSetAndContents", "GetFolderAndContents":
		match, which := named("$XDSSubmissionSet"), isSet
		if q.kind == "GetFolderAndContents" {
			match, which = named("$XDSFolder"), isFolder
		}
		root := f.find(func(e *etree.Element) bool { return which(e) && match(e) })
		if root == nil {
			break
		}
		add(root)
		each(func(e *etree.Element) bool {
			return (q.entry(e) || isFolder(e)) && f.find(func(a *etree.Element) bool { from, to := ends(a); return from == root && to == e }) != nil
		})
		if q.kind == "GetFolderAndContents" {
			each(func(a *etree.Element) bool { from, to := ends(a); return from == root && slices.Contains(found, to) })
			break
		}
		touching(true)
	case "GetFoldersForDocument":
		match := named("$XDSDocumentEntry")
		each(func(e *etree.Element) bool {
			return isFolder(e) && f.find(func(a *etree.Element) bool { from, to := ends(a); return from == e && to != nil && match(to) }) != nil
		})
	case "GetRelatedDocuments":
		match := named("$XDSDocumentEntry")
		for _, a := range f.objects {
			from, to := ends(a)
			if from == nil || to == nil || from.Tag != "ExtrinsicObject" || to.Tag != "ExtrinsicObject" || !match(from) && !match(to) || !q.accepts("$AssociationTypes", a.SelectAttrValue("associationType", "")) {
				continue
			}
			add(from)
			add(to)
			add(a)
		}
	}
	return found
}
