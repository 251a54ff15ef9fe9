package conformance

import (
	"strings"

	"github.com/beevik/etree"
)

// query is a Registry Stored Query. ITI TF-2: 3.18.4.1.2.3
type query struct {
	kind  string // a key of queryIDs
	id    string // in place of that of kind
	refs  bool   // ask for ObjectRefs instead of whole objects
	home  string
	slots [][]string // a name and its values, coded
}

// queryIDs are the ids of the stored queries, without urn:uuid:. ITI TF-2: 3.18.4.1.2.4
var queryIDs = map[string]string{
	"FindDocuments":               "14d4debf-8f97-4251-9a74-a90016b0af0d",
	"FindSubmissionSets":          "f26abbcb-ac74-4422-8a30-edb644bbc1a9",
	"FindFolders":                 "958f3006-baad-4929-a4de-ff1114824431",
	"GetAll":                      "10b545ea-725c-446d-9b95-8aeb444eddf3",
	"GetDocuments":                "5c4f972b-d56b-40ac-a5fc-c8ca9b40b9d4",
	"GetFolders":                  "5737b14c-8a1a-4539-b659-e03a34a5e1e4",
	"GetAssociations":             "a7ae438b-4bc2-4642-93e9-be891f7bb155",
	"GetDocumentsAndAssociations": "bab9529a-4a10-40b3-a01f-f68a615d247a",
	"GetSubmissionSets":           "51224314-5390-4169-9b91-b1980040715a",
	"GetSubmissionSetAndContents": "e8e3cb2c-e39c-46b9-99e4-c12f57260b83",
	"GetFolderAndContents":        "b909a503-523d-4517-8acf-8e5834dfc4c7",
	"GetFoldersForDocument":       "10cae35a-c7f9-4cf5-b61e-fc3278ffb578",
	"GetRelatedDocuments":         "d90e5407-b356-4d91-a89f-873917b4b0e6",
	"FindDocumentsByReferenceId":  "12941a89-e02e-4be5-967c-ce4bfc8fe492",
}

// get begins a query of a kind.
func get(kind string) *query { return &query{kind: kind} }

// with adds a parameter.
func (q *query) with(name string, values ...string) *query {
	q.slots = append(q.slots, append([]string{name}, values...))
	return q
}

// asRefs asks for ObjectRefs.
func (q *query) asRefs() *query {
	q.refs = true
	return q
}

// quoted codes a string. ITI TF-2: 3.18.4.1.2.3.5
func quoted(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

// list codes several strings as one value.
func list(values ...string) string {
	texts := make([]string, len(values))
	for i, v := range values {
		texts[i] = quoted(v)
	}
	return "(" + strings.Join(texts, ",") + ")"
}

// Statuses as a parameter.
var (
	approvedOnly = list(statusApproved)
	anyStatus    = list(statusApproved, statusDeprecated)
	anyType      = list(typeStable, typeOnDemand)
)

// distinct is how many codes of an attribute the documents of registryData differ by.
var distinct = map[string]int{"classCode": 4, "practiceSettingCode": 3, "healthcareFacilityTypeCode": 3, "confidentialityCode": 3,
	"eventCodeList": 3, "formatCode": 2, "contentTypeCode": 2, "folderCodeList": 1, "typeCode": 1, "associationDocumentation": 1}

// coded returns codes of an attribute as values of a parameter, one each, and needs that the domain has enough.
func (s *session) coded(attribute string, indices ...int) []string {
	if n := distinct[attribute]; len(s.codes[attribute]) < n {
		s.lacks("the target's codes have fewer than " + plural(n, attribute))
		return nil
	}
	var values []string
	for _, i := range indices {
		c := s.codes[attribute][i]
		values = append(values, list(c.Value+"^^"+c.Scheme))
	}
	return values
}

// ids returns the ids of objects as one value.
func (s *session) ids(names ...string) string {
	var ids []string
	for _, name := range names {
		ids = append(ids, s.entry(name).id)
	}
	return list(ids...)
}

// uniqueIDs returns the uniqueIds of objects as one value.
func (s *session) uniqueIDs(names ...string) string {
	var ids []string
	for _, name := range names {
		ids = append(ids, s.entry(name).uniqueID)
	}
	return list(ids...)
}

// findDocuments begins FindDocuments for a patient.
func (s *session) findDocuments(p patient, statuses string) *query {
	return get("FindDocuments").with("$XDSDocumentEntryPatientId", quoted(s.patient(p))).with("$XDSDocumentEntryStatus", statuses)
}

// contentsOf asks for a SubmissionSet with all that it brought.
func (s *session) contentsOf(name string) *query {
	return get("GetSubmissionSetAndContents").with("$XDSSubmissionSetUniqueId", quoted(s.entry(name+".S").uniqueID))
}

// folderContents asks for a Folder with what it holds.
func (s *session) folderContents(name string) *query {
	return get("GetFolderAndContents").with("$XDSFolderUniqueId", quoted(s.entry(name).uniqueID))
}

// getAll asks for all of a patient.
func (s *session) getAll(p patient, statuses string) *query {
	return get("GetAll").with("$patientId", quoted(s.patient(p))).with("$XDSDocumentEntryStatus", statuses).
		with("$XDSSubmissionSetStatus", statuses).with("$XDSFolderStatus", statuses)
}

// message makes the request. ITI TF-2: 3.18.4.1.2
func (q *query) message(url string) *message {
	request := etree.NewElement("query:AdhocQueryRequest")
	option := request.CreateElement("query:ResponseOption")
	option.CreateAttr("returnComposedObjects", "true")
	option.CreateAttr("returnType", "LeafClass")
	if q.refs {
		option.CreateAttr("returnType", "ObjectRef")
	}
	adhoc := request.CreateElement("rim:AdhocQuery")
	adhoc.CreateAttr("id", "urn:uuid:"+or(q.id, queryIDs[q.kind]))
	if q.home != "" {
		adhoc.CreateAttr("home", q.home)
	}
	for _, s := range q.slots {
		addSlot(adhoc, s[0], s[1:]...)
	}
	return newRequest(url, storedQuery, request)
}
