package metadata

import "strconv"

// column is a set of columns of ITI TF-3: Table 4.3.1-3, which says what is required and what is prohibited.
type column uint8

const (
	fromSource     column = 1 << iota // Document Source, ITI-41
	fromRepository                    // Repository to Registry, ITI-42; and what a Registry answers
	fromOnDemand                      // On-Demand Document Source, ITI-61
	always         = fromSource | fromRepository | fromOnDemand
)

// fields are the attributes of one object and where they stand in ebRIM. The same list drives reading, writing
// and checking; the order is that of writing.
type fields struct {
	kind     string // "DocumentEntry"
	location string // "DocumentEntry 2"
	object   *Object
	onDemand bool

	slots        []slotField
	authors      *[]Author
	authorScheme string
	codes        []codeField
	identifiers  []identifierField
	label        string // classification node that says what a RegistryPackage is
	limited      string // classification node of limited metadata, which no message here may have
}

// slotField is an attribute in a Slot: one value, or many.
type slotField struct {
	name     string
	one      *string
	many     *[]string
	format   format
	required column
	barred   column
}

// codeField is an attribute in a Classification: one code, or many.
type codeField struct {
	name, scheme string
	one          *Code
	many         *[]Code
	required     column
}

// identifierField is an attribute in an ExternalIdentifier. All are required.
type identifierField struct {
	name, scheme string
	value        *string
	format       format
}

func newFields(kind string, i int, o *Object) *fields {
	return &fields{kind: kind, location: kind + " " + strconv.Itoa(i+1), object: o}
}

func (d *DocumentEntry) fields(i int) *fields {
	f := newFields("DocumentEntry", i, &d.Object)
	f.slots = []slotField{
		{name: "URI", one: &d.URI, format: uri},
		{name: "creationTime", one: &d.CreationTime, format: dtm, required: fromSource | fromRepository, barred: fromOnDemand},
		{name: "hash", one: &d.Hash, format: sha1Hex, required: fromRepository, barred: fromOnDemand},
		{name: "languageCode", one: &d.LanguageCode, format: language, required: always},
		{name: "legalAuthenticator", one: &d.LegalAuthenticator, format: xcn},
		{name: "repositoryUniqueId", one: &d.RepositoryUniqueID, format: oid, required: fromRepository | fromOnDemand},
		{name: "serviceStartTime", one: &d.ServiceStartTime, format: dtm},
		{name: "serviceStopTime", one: &d.ServiceStopTime, format: dtm},
		{name: "size", one: &d.Size, format: count, required: fromRepository, barred: fromOnDemand},
		{name: "sourcePatientId", one: &d.SourcePatientID, format: cx, required: always},
		{name: "sourcePatientInfo", many: &d.SourcePatientInfo, format: pid},
		{name: "urn:ihe:iti:xds:2010:documentAvailability", one: &d.DocumentAvailability, format: anyText},
		{name: "urn:ihe:iti:xds:2013:referenceIdList", many: &d.ReferenceIDs, format: cxi},
	}
	f.authors, f.authorScheme = &d.Authors, schemeEntryAuthor
	f.codes = []codeField{
		{name: "classCode", scheme: schemeClass, one: &d.ClassCode, required: always},
		{name: "confidentialityCode", scheme: schemeConfidentiality, many: &d.ConfidentialityCodes, required: always},
		{name: "eventCodeList", scheme: schemeEvent, many: &d.EventCodes},
		{name: "formatCode", scheme: schemeFormat, one: &d.FormatCode, required: always},
		{name: "healthcareFacilityTypeCode", scheme: schemeFacility, one: &d.HealthcareFacilityTypeCode, required: always},
		{name: "practiceSettingCode", scheme: schemePractice, one: &d.PracticeSettingCode, required: always},
		{name: "typeCode", scheme: schemeType, one: &d.TypeCode, required: always},
	}
	f.identifiers = []identifierField{
		{"patientId", schemeEntryPatient, &d.PatientID, cx},
		{"uniqueId", schemeEntryUniqueID, &d.UniqueID, entryUniqueID},
	}
	f.limited, f.onDemand = nodeEntryLimited, d.Type == OnDemand
	return f
}

func (s *SubmissionSet) fields(i int) *fields {
	f := newFields("SubmissionSet", i, &s.Object)
	f.slots = []slotField{
		{name: "intendedRecipient", many: &s.IntendedRecipients, format: recipient},
		{name: "submissionTime", one: &s.SubmissionTime, format: dtm, required: always},
	}
	f.authors, f.authorScheme = &s.Authors, schemeSetAuthor
	f.codes = []codeField{{name: "contentTypeCode", scheme: schemeContentType, one: &s.ContentTypeCode, required: always}}
	f.identifiers = []identifierField{
		{"patientId", schemeSetPatient, &s.PatientID, cx},
		{"sourceId", schemeSource, &s.SourceID, oid},
		{"uniqueId", schemeSetUniqueID, &s.UniqueID, oid},
	}
	f.label, f.limited = nodeSet, nodeSetLimited
	return f
}

func (d *Folder) fields(i int) *fields {
	f := newFields("Folder", i, &d.Object)
	f.slots = []slotField{{name: "lastUpdateTime", one: &d.LastUpdateTime, format: dtm}}
	f.codes = []codeField{{name: "codeList", scheme: schemeFolderCode, many: &d.Codes, required: always}}
	f.identifiers = []identifierField{
		{"patientId", schemeFolderPatient, &d.PatientID, cx},
		{"uniqueId", schemeFolderUniqueID, &d.UniqueID, oid},
	}
	f.label, f.limited = nodeFolder, nodeFolderLimited
	return f
}

func (a *Association) fields(i int) *fields {
	f := newFields("Association", i, &a.Object)
	f.slots = []slotField{
		{name: "AssociationPropagation", one: &a.AssociationPropagation, format: anyText},
		{name: "NewStatus", one: &a.NewStatus, format: anyText},
		{name: "OriginalStatus", one: &a.OriginalStatus, format: anyText},
		{name: "PreviousVersion", one: &a.PreviousVersion, format: anyText},
		{name: "SubmissionSetStatus", one: &a.SubmissionSetStatus, format: anyText},
	}
	f.codes = []codeField{{name: "associationDocumentation", scheme: schemeAssociationReason, one: &a.Documentation}}
	return f
}

// fields returns the Slots of the Classification that an author stands in.
func (a *Author) fields() []slotField {
	return []slotField{
		{name: "authorInstitution", many: &a.Institutions, format: xon},
		{name: "authorPerson", one: &a.Person, format: xcn},
		{name: "authorRole", many: &a.Roles, format: anyText},
		{name: "authorSpecialty", many: &a.Specialties, format: anyText},
		{name: "authorTelecommunication", many: &a.Telecommunications, format: xtn},
	}
}

// values returns the values of a slot, none if it is empty.
func (f *slotField) values() []string {
	switch {
	case f.many != nil:
		return *f.many
	case *f.one != "":
		return []string{*f.one}
	}
	return nil
}

// values returns the codes, none if there is none.
func (f *codeField) values() []Code {
	switch {
	case f.many != nil:
		return *f.many
	case *f.one != Code{}:
		return []Code{*f.one}
	}
	return nil
}
