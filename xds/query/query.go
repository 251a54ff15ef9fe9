package query

import "collimate/xds/metadata"

// Name is a stored query.
type Name string

// The stored queries. ITI TF-2: 3.18.4.1.2.4
const (
	FindDocuments               Name = "FindDocuments"
	FindSubmissionSets          Name = "FindSubmissionSets"
	FindFolders                 Name = "FindFolders"
	GetAll                      Name = "GetAll"
	GetDocuments                Name = "GetDocuments"
	GetFolders                  Name = "GetFolders"
	GetAssociations             Name = "GetAssociations"
	GetDocumentsAndAssociations Name = "GetDocumentsAndAssociations"
	GetSubmissionSets           Name = "GetSubmissionSets"
	GetSubmissionSetAndContents Name = "GetSubmissionSetAndContents"
	GetFolderAndContents        Name = "GetFolderAndContents"
	GetFoldersForDocument       Name = "GetFoldersForDocument"
	GetRelatedDocuments         Name = "GetRelatedDocuments"
	FindDocumentsByReferenceID  Name = "FindDocumentsByReferenceId"
	FindDocumentsExclude        Name = "FindDocumentsExclude" // CP-ITI-1323
)

// ReturnType is what the answer is made of. ITI TF-2: 3.18.4.1.2.6
type ReturnType string

// The return types.
const (
	ObjectRef ReturnType = "ObjectRef" // ids only
	LeafClass ReturnType = "LeafClass" // whole objects
)

// Query is a stored query that has been checked. Which fields are set depends on Name.
type Query struct {
	Name   Name
	Return ReturnType
	// HomeCommunityID is that of AdhocQuery/@home, urn:oid:..., or empty.
	HomeCommunityID string

	// IDs and UniqueIDs name the objects that a Get query starts from; one of them is empty.
	IDs       []string
	UniqueIDs []string
	// AssociationTypes are those that GetRelatedDocuments follows.
	AssociationTypes []metadata.AssociationType

	// What an object of each kind has to fulfil to be in the answer.
	Documents      Filter
	SubmissionSets Filter
	Folders        Filter

	// Extra are parameters that are not known, as they came: a gateway passes them on.
	Extra []metadata.Slot
}

// Filter is a conjunction of conditions. What is empty does not restrict.
type Filter struct {
	PatientID  string
	Statuses   []metadata.Status
	Types      []metadata.ObjectType // of DocumentEntries
	Codes      []CodeCondition
	Authors    []Like   // of one authorPerson
	References []Like   // of one value of referenceIdList
	SourceIDs  []string // of SubmissionSets
	Times      []TimeRange
	// NotTypes are excluded. (FindDocumentsExclude)
	NotTypes []metadata.ObjectType
}

// CodeCondition holds if the attribute has one of the codes; or, with Not, none of them. Display names of codes
// are empty.
type CodeCondition struct {
	Attribute string // as in ITI TF-3: Table 4.3.1-3: classCode, eventCodeList, ...; codeList of a Folder
	AnyOf     []metadata.Code
	Not       bool
}

// Like holds if a value matches one of the patterns of SQL LIKE, with % and _ and without an escape character;
// or, with Not, if no value does.
type Like struct {
	AnyOf []string
	Not   bool
}

// TimeRange holds if From <= attribute < To, both DTM, either of them empty for no bound; or if the object has no
// such attribute. Times are compared as metadata.PadDTM has them. ITI TF-2: 3.18.4.1.2.3.3
type TimeRange struct {
	Attribute string // creationTime, serviceStartTime, serviceStopTime, submissionTime, lastUpdateTime
	From, To  string
}
