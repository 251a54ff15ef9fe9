package query

import (
	"slices"
	"strings"

	"collimate/xds/metadata"
)

// kind says what the values of a parameter are and where they go in a Query.
type kind int

const (
	patientID kind = iota
	statuses
	objectTypes
	codes
	authors
	references
	timeFrom
	timeTo
	sourceIDs
	ids
	uniqueIDs
	associationTypes
)

// object says which Filter of a Query a parameter goes to.
type object int

const (
	noObject object = iota
	documents
	submissionSets
	folders
)

// parameter is one row of the catalogue of parameters. ITI TF-2: 3.18.4.1.2.3.7
type parameter struct {
	name      string // without the $
	kind      kind
	object    object
	attribute string // of codes and times

	required bool
	single   bool // one value, without parentheses; many values in parentheses otherwise
	repeats  bool // the Slot may stand several times, which is AND
	exclude  bool // of FindDocumentsExclude
}

// definition is one stored query.
type definition struct {
	name       Name
	id         string
	parameters []parameter
	// onePatient: whole objects are only answered if they are all of one patient.
	onePatient bool
}

// required and anyNumber return a parameter as one that has to be there, or may be there several times.
func required(p parameter) parameter  { p.required = true; return p }
func anyNumber(p parameter) parameter { p.repeats = true; return p }

// coded returns the parameter for a coded attribute.
func coded(name string, o object, attribute string) parameter {
	return parameter{name: name, kind: codes, object: o, attribute: attribute}
}

// The parameters of several queries.
var (
	entryStatus = parameter{name: "XDSDocumentEntryStatus", kind: statuses, object: documents, required: true}
	entryType   = parameter{name: "XDSDocumentEntryType", kind: objectTypes, object: documents}
	entryFormat = coded("XDSDocumentEntryFormatCode", documents, "formatCode")
	entryConf   = anyNumber(coded("XDSDocumentEntryConfidentialityCode", documents, "confidentialityCode"))
	entryRefs   = parameter{name: "XDSDocumentEntryReferenceIdList", kind: references, object: documents, repeats: true}
	setStatus   = parameter{name: "XDSSubmissionSetStatus", kind: statuses, object: submissionSets, required: true}
	folderState = parameter{name: "XDSFolderStatus", kind: statuses, object: folders, required: true}
	uuids       = parameter{name: "uuid", kind: ids, required: true}
)

// findDocuments are the parameters of FindDocuments but for the patient and the status.
var findDocuments = []parameter{
	coded("XDSDocumentEntryClassCode", documents, "classCode"),
	coded("XDSDocumentEntryTypeCode", documents, "typeCode"),
	coded("XDSDocumentEntryPracticeSettingCode", documents, "practiceSettingCode"),
	coded("XDSDocumentEntryHealthcareFacilityTypeCode", documents, "healthcareFacilityTypeCode"),
	anyNumber(coded("XDSDocumentEntryEventCodeList", documents, "eventCodeList")),
	entryConf,
	entryFormat,
	{name: "XDSDocumentEntryAuthorPerson", kind: authors, object: documents},
	entryType,
}

// times returns the two parameters of a range of time.
func times(prefix, attribute string, o object) []parameter {
	name := prefix + strings.ToUpper(attribute[:1]) + attribute[1:]
	return []parameter{
		{name: name + "From", kind: timeFrom, object: o, attribute: attribute, single: true},
		{name: name + "To", kind: timeTo, object: o, attribute: attribute, single: true},
	}
}

// patient returns the parameter for the patient id of one kind of object.
func patient(name string, o object) parameter {
	return parameter{name: name, kind: patientID, object: o, required: true, single: true}
}

// identified returns the two parameters of which a request has exactly one.
func identified(prefix string, single bool) []parameter {
	return []parameter{
		{name: prefix + "EntryUUID", kind: ids, single: single},
		{name: prefix + "UniqueId", kind: uniqueIDs, single: single},
	}
}

// excluded returns the parameters of FindDocumentsExclude that say what is not wanted.
func excluded(parameters []parameter) []parameter {
	var out []parameter
	for _, p := range parameters {
		p.name, p.exclude, p.repeats, p.required = p.name+"Exclude", true, false, false
		out = append(out, p)
	}
	return out
}

func join(groups ...[]parameter) []parameter {
	var out []parameter
	for _, g := range groups {
		out = append(out, g...)
	}
	return out
}

// catalogue are the stored queries. ITI TF-2: 3.18.4.1.2.3.7, 3.18.4.1.2.4
var catalogue = definitions()

func definitions() []definition {
	entryTimes := join(times("XDSDocumentEntry", "creationTime", documents),
		times("XDSDocumentEntry", "serviceStartTime", documents), times("XDSDocumentEntry", "serviceStopTime", documents))
	find := join([]parameter{patient("XDSDocumentEntryPatientId", documents), entryStatus}, findDocuments, entryTimes)
	contents := []parameter{entryFormat, entryConf, entryType}
	return []definition{
		{FindDocuments, "14d4debf-8f97-4251-9a74-a90016b0af0d", find, false},
		{FindSubmissionSets, "f26abbcb-ac74-4422-8a30-edb644bbc1a9", join(
			[]parameter{
				patient("XDSSubmissionSetPatientId", submissionSets), setStatus,
				{name: "XDSSubmissionSetSourceId", kind: sourceIDs, object: submissionSets},
				{name: "XDSSubmissionSetAuthorPerson", kind: authors, object: submissionSets, single: true},
				coded("XDSSubmissionSetContentType", submissionSets, "contentTypeCode"),
			}, times("XDSSubmissionSet", "submissionTime", submissionSets)), false},
		{FindFolders, "958f3006-baad-4929-a4de-ff1114824431", join(
			[]parameter{
				patient("XDSFolderPatientId", folders), folderState,
				anyNumber(coded("XDSFolderCodeList", folders, "codeList")),
			}, times("XDSFolder", "lastUpdateTime", folders)), false},
		{GetAll, "10b545ea-725c-446d-9b95-8aeb444eddf3", join(
			[]parameter{patient("patientId", noObject), entryStatus, setStatus, folderState}, contents), false},
		{GetDocuments, "5c4f972b-d56b-40ac-a5fc-c8ca9b40b9d4", identified("XDSDocumentEntry", false), true},
		{GetFolders, "5737b14c-8a1a-4539-b659-e03a34a5e1e4", identified("XDSFolder", false), true},
		{GetAssociations, "a7ae438b-4bc2-4642-93e9-be891f7bb155", []parameter{uuids}, false},
		{GetDocumentsAndAssociations, "bab9529a-4a10-40b3-a01f-f68a615d247a", identified("XDSDocumentEntry", false), true},
		{GetSubmissionSets, "51224314-5390-4169-9b91-b1980040715a", []parameter{uuids}, true},
		{GetSubmissionSetAndContents, "e8e3cb2c-e39c-46b9-99e4-c12f57260b83",
			join(identified("XDSSubmissionSet", true), contents), true},
		{GetFolderAndContents, "b909a503-523d-4517-8acf-8e5834dfc4c7", join(identified("XDSFolder", true), contents), true},
		{GetFoldersForDocument, "10cae35a-c7f9-4cf5-b61e-fc3278ffb578", identified("XDSDocumentEntry", true), false},
		{GetRelatedDocuments, "d90e5407-b356-4d91-a89f-873917b4b0e6", join(identified("XDSDocumentEntry", true),
			[]parameter{{name: "AssociationTypes", kind: associationTypes, required: true}, entryType}), false},
		{FindDocumentsByReferenceID, "12941a89-e02e-4be5-967c-ce4bfc8fe492", join(find, []parameter{required(entryRefs)}), false},
		{FindDocumentsExclude, "4308b1df-36de-4bef-8e2e-ba91f593c435",
			join(find, []parameter{entryRefs}, excluded(findDocuments), excluded([]parameter{entryRefs})), false},
	}
}

const urnUUID = "urn:uuid:"

// define returns a stored query by its id, with or without urn:uuid:.
func define(id string) (definition, bool) {
	id = strings.TrimPrefix(strings.ToLower(id), urnUUID)
	for _, d := range catalogue {
		if d.id == id {
			return d, true
		}
	}
	return definition{}, false
}

// ID returns the id of a stored query, urn:uuid:..., or "".
func (n Name) ID() string {
	for _, d := range catalogue {
		if d.name == n {
			return urnUUID + d.id
		}
	}
	return ""
}

// filter returns the Filter that a parameter goes to.
func (q *Query) filter(o object) *Filter {
	switch o {
	case submissionSets:
		return &q.SubmissionSets
	case folders:
		return &q.Folders
	}
	return &q.Documents
}

// HasPatient reports whether the query says which patient it is about; one that does not needs a
// HomeCommunityID across communities. ITI TF-2: 3.38.4.1.2
func (n Name) HasPatient() bool {
	d, _ := define(n.ID())
	return slices.ContainsFunc(d.parameters, func(p parameter) bool { return p.kind == patientID })
}

// stableOnly is what queries with $XDSDocumentEntryType return if it is absent. ITI TF-2: 3.18.4.1.2.3.6.2
var stableOnly = []metadata.ObjectType{metadata.Stable}
