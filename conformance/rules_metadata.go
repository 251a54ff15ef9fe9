package conformance

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/beevik/etree"
)

// metadataRules judge the objects of a query's answer, as toolkit2 and IPF do. ITI TF-3: 4.2, 4.3
var metadataRules = []rule{
	{"VAL-MD-01.ID", "Each object has an id and a lid that are UUID URNs in lower case", "toolkit2 VAL-MD-01; ebRIM 3.0 section 2.5", eachObject(judgeID)},
	{"VAL-MD-01.VERSION", "Each object has a VersionInfo", "toolkit2 VAL-MD-01; usnistgov/iheos-toolkit2 issue 598", eachObject(judgeVersion)},
	{"VAL-MD-01.STATUS", "Each object is Approved, or Deprecated if it is a DocumentEntry", "toolkit2 VAL-MD-01; ITI TF-3: 4.2.3.2.2, IPF-06, IPF-07", eachObject(judgeObjectStatus)},
	{"VAL-MD-01.PARTS", "Each Classification and ExternalIdentifier has a UUID URN of its own and its objectType", "toolkit2 VAL-MD-01; ITI TF-3: 4.2.1.2.1", judgeParts},
	{"VAL-MD-02", "Slots have names of their own and values, and times are DTM", "toolkit2 VAL-MD-02, IPF-01; ITI TF-3: 4.2.3.1.7", eachObject(judgeSlots)},
	{"VAL-MD-03", "A DocumentEntry has all that is required of it", "toolkit2 VAL-MD-03, IPF-03, IPF-04; ITI TF-3: Table 4.3.1-3", eachObject(judgeEntry)},
	{"VAL-MD-04", "A SubmissionSet has submissionTime, contentTypeCode, patientId, sourceId and uniqueId", "toolkit2 VAL-MD-04, IPF-06; ITI TF-3: Table 4.3.1-3", eachObject(judgeSet)},
	{"VAL-MD-05", "A Folder has codeList, patientId, uniqueId and a lastUpdateTime to the second", "toolkit2 VAL-MD-05, IPF-07", eachObject(judgeFolder)},
	{"VAL-MD-06", "Classifications and ExternalIdentifiers name their object, a scheme, a Name and a codingScheme", "toolkit2 VAL-MD-06", eachObject(judgeClassifications)},
	{"VAL-MD-07", "Associations have a known type and two ends, and SubmissionSetStatus where it belongs", "toolkit2 VAL-MD-07, IPF-11; ITI TF-3: 4.2.2", judgeAssociations},
	{"VAL-MD-08", "Whole objects are of one patient where the query is not by patient", "ITI TF-2: 3.18.4.1.2.3.7 note 5; IPF-16", judgePatients},
	{"VAL-MD-10", "The children of each object stand in the order of the schema", "toolkit2 VAL-MD-10; rim.xsd", judgeRIMOrder},
	{"VAL-MD-11", "No two objects have the same id", "toolkit2 VAL-MD-11", judgeDistinct},
}

// eachObject judges every DocumentEntry, SubmissionSet, Folder and Association.
func eachObject(judge func(*etree.Element) error) func(*exchange) error {
	return func(x *exchange) error {
		c := readContents(x)
		for _, e := range append(c.objects, c.associations...) {
			if err := judge(e); err != nil {
				return fmt.Errorf("%s: %w", describeObject(e), err)
			}
		}
		return nil
	}
}

var (
	uuidURN   = regexp.MustCompile(`^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)
	dtm       = regexp.MustCompile(`^[0-9]{4}([0-9]{2}){0,5}$`)
	oid       = regexp.MustCompile(`^[0-2](\.(0|[1-9][0-9]*))+$`)
	entryID   = regexp.MustCompile(`^[0-2](\.(0|[1-9][0-9]*))+(\^.{1,16})?$`)
	sha1Hex   = regexp.MustCompile(`^[0-9a-fA-F]{40}$`)
	digits    = regexp.MustCompile(`^[0-9]+$`)
	patientCX = regexp.MustCompile(`^[^^&]+\^\^\^&[0-9.]+&ISO$`)
)

func judgeID(e *etree.Element) error {
	for _, name := range []string{"id", "lid"} {
		if v := e.SelectAttrValue(name, ""); !uuidURN.MatchString(v) {
			return expected("a UUID URN in lower case as "+name, fmt.Sprintf("%q", v))
		}
	}
	return nil
}

func judgeVersion(e *etree.Element) error {
	if v := child(e, nsRIM, "VersionInfo"); v == nil || v.SelectAttrValue("versionName", "") == "" {
		return expected("rim:VersionInfo with a versionName", "none")
	}
	return nil
}

func judgeObjectStatus(e *etree.Element) error {
	status := e.SelectAttrValue("status", "")
	if status == statusApproved || status == statusDeprecated && e.Tag == "ExtrinsicObject" || status == "" && e.Tag == "Association" {
		return nil
	}
	return expected("an availabilityStatus that fits", fmt.Sprintf("%q", status))
}

func judgeParts(x *exchange) error {
	seen := map[string]bool{}
	return eachElement(x.root, func(e *etree.Element) error {
		if e.Tag != "Classification" && e.Tag != "ExternalIdentifier" || e.NamespaceURI() != nsRIM {
			return nil
		}
		id := e.SelectAttrValue("id", "")
		if !uuidURN.MatchString(id) || seen[id] {
			return expected("a UUID URN of its own as id of each "+e.Tag, fmt.Sprintf("%q", id))
		}
		seen[id] = true
		if kind := e.SelectAttrValue("objectType", ""); !strings.HasSuffix(kind, ":RegistryObject:"+e.Tag) {
			return expected("objectType ...:RegistryObject:"+e.Tag, fmt.Sprintf("%q", kind))
		}
		return nil
	})
}

// times are the slots that hold a DTM.
var times = []string{"creationTime", "serviceStartTime", "serviceStopTime", "submissionTime", "lastUpdateTime"}

func judgeSlots(e *etree.Element) error {
	seen := map[string]bool{}
	for _, slot := range children(e, nsRIM, "Slot") {
		name, values := slot.SelectAttrValue("name", ""), slotValues(slot)
		if name == "" || seen[name] || len(values) == 0 {
			return expected("slots with names of their own and at least one value", fmt.Sprintf("%q with %s", name, plural(len(values), "value")))
		}
		seen[name] = true
		if slices.Contains(times, name) && (len(values) != 1 || !dtm.MatchString(values[0])) {
			return expected("one DTM in "+name, fmt.Sprintf("%q", values))
		}
		for _, v := range values {
			if len([]rune(v)) > 256 {
				return expected("values of at most 256 characters in "+name, len([]rune(v)))
			}
		}
	}
	return nil
}

// codesIn counts the Classifications of an attribute.
func codesIn(e *etree.Element, attribute string) int {
	n := 0
	for _, c := range children(e, nsRIM, "Classification") {
		if c.SelectAttrValue("classificationScheme", "") == schemeOf[attribute] {
			n++
		}
	}
	return n
}

func judgeEntry(e *etree.Element) error {
	if e.Tag != "ExtrinsicObject" {
		return nil
	}
	for _, attribute := range []string{"classCode", "formatCode", "healthcareFacilityTypeCode", "practiceSettingCode", "typeCode"} {
		if n := codesIn(e, attribute); n != 1 {
			return expected("one "+attribute, n)
		}
	}
	if codesIn(e, "confidentialityCode") == 0 {
		return expected("a confidentialityCode", "none")
	}
	required := map[string]*regexp.Regexp{"languageCode": nil, "sourcePatientId": patientCX, "repositoryUniqueId": oid, "hash": sha1Hex, "size": digits, "creationTime": dtm}
	if e.SelectAttrValue("objectType", "") == typeOnDemand {
		for _, barred := range []string{"hash", "size", "creationTime"} {
			delete(required, barred)
		}
	} else if kind := e.SelectAttrValue("objectType", ""); kind != typeStable {
		return expected("objectType stable or on-demand", fmt.Sprintf("%q", kind))
	}
	var errs []error
	for name, form := range required {
		if v := slotOf(e, name); v == "" || form != nil && !form.MatchString(v) {
			errs = append(errs, expected("a well-formed "+name, fmt.Sprintf("%q", v)))
		}
	}
	if e.SelectAttrValue("mimeType", "") == "" {
		errs = append(errs, expected("a mimeType", "none"))
	}
	return errors.Join(append(errs, identifiers(e, schemeEntryPatient, schemeEntryUniqueID, entryID))...)
}

// identifiers judges patientId and uniqueId.
func identifiers(e *etree.Element, patient, unique string, form *regexp.Regexp) error {
	if v := identifierOf(e, patient); !patientCX.MatchString(v) {
		return expected("a patientId as CX", fmt.Sprintf("%d characters of another form", len(v)))
	}
	if v := identifierOf(e, unique); !form.MatchString(v) || len(v) > 128 {
		return expected("an OID as uniqueId", fmt.Sprintf("%q", v))
	}
	return nil
}

// isLabelled reports whether e is a RegistryPackage with that Classification node.
func isLabelled(e *etree.Element, node string) bool {
	return e.Tag == "RegistryPackage" && slices.ContainsFunc(children(e, nsRIM, "Classification"), func(c *etree.Element) bool {
		return c.SelectAttrValue("classificationNode", "") == node
	})
}

func judgeSet(e *etree.Element) error {
	if e.Tag == "RegistryPackage" && !isLabelled(e, nodeSet) && !isLabelled(e, nodeFolder) {
		return expected("a Classification that makes it a SubmissionSet or a Folder", "none")
	}
	if !isLabelled(e, nodeSet) {
		return nil
	}
	if slotOf(e, "submissionTime") == "" || codesIn(e, "contentTypeCode") != 1 {
		return expected("submissionTime and one contentTypeCode", fmt.Sprintf("%q and %d", slotOf(e, "submissionTime"), codesIn(e, "contentTypeCode")))
	}
	if v := identifierOf(e, schemeSetSource); !oid.MatchString(v) {
		return expected("an OID as sourceId", fmt.Sprintf("%q", v))
	}
	return identifiers(e, schemeSetPatient, schemeSetUniqueID, oid)
}

func judgeFolder(e *etree.Element) error {
	if !isLabelled(e, nodeFolder) {
		return nil
	}
	if codesIn(e, "folderCodeList") == 0 {
		return expected("a codeList", "none")
	}
	if v := slotOf(e, "lastUpdateTime"); len(v) < 14 {
		return expected("a lastUpdateTime of 14 digits", fmt.Sprintf("%q", v))
	}
	return identifiers(e, schemeFolderPatient, schemeFolderUnique, oid)
}

func judgeClassifications(e *etree.Element) error {
	id := e.SelectAttrValue("id", "")
	for _, c := range children(e, nsRIM, "Classification") {
		if c.SelectAttrValue("classifiedObject", "") != id {
			return expected("classifiedObject to be the id of the object", "another id")
		}
		scheme := c.SelectAttrValue("classificationScheme", "")
		if _, coded := attributeOf[scheme]; !coded {
			if scheme == "" && c.SelectAttrValue("classificationNode", "") == "" {
				return expected("a classificationScheme or a classificationNode", "neither")
			}
			continue
		}
		if c.SelectAttrValue("nodeRepresentation", "") == "" || slotOf(c, "codingScheme") == "" || child(c, nsRIM, "Name") == nil {
			return expected("nodeRepresentation, codingScheme and Name of "+attributeOf[scheme], "one of them missing")
		}
	}
	for _, i := range children(e, nsRIM, "ExternalIdentifier") {
		if i.SelectAttrValue("registryObject", "") != id || i.SelectAttrValue("value", "") == "" || child(i, nsRIM, "Name") == nil {
			return expected("registryObject, value and Name in each ExternalIdentifier", "one of them wrong")
		}
	}
	return nil
}
