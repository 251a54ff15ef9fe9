package metadata

// Object is what the four kinds of registry object have in common.
type Object struct {
	// ID is the entryUUID, urn:uuid: and a UUID in lower case; or, in a submission, a symbolic id.
	ID string
	// LogicalID is the id of the first version (lid); empty in a submission.
	LogicalID string
	// Version is VersionInfo/@versionName; empty in a submission.
	Version string
	// HomeCommunityID is urn:oid: and an OID, or empty.
	HomeCommunityID string
	// Status is the availabilityStatus.
	Status   Status
	Title    Text
	Comments Text
	// Extra are slots that the Technical Framework does not define, in the order sent. ITI TF-3: 4.2.3.1.6
	Extra []Slot
}

// Text is a title or a comment, and its language if that was said.
type Text struct{ Value, Lang string }

// Slot is a named list of values.
type Slot struct {
	Name   string
	Values []string
}

// Author is who wrote a document or made a submission. ITI TF-3: 4.2.3.2.1
type Author struct {
	Person             string   // XCN
	Institutions       []string // XON
	Roles              []string
	Specialties        []string
	Telecommunications []string // XTN
}

// DocumentEntry describes one document. ITI TF-3: 4.2.3.2
type DocumentEntry struct {
	Object
	Type     ObjectType
	MimeType string

	Authors                    []Author
	ClassCode                  Code
	ConfidentialityCodes       []Code
	EventCodes                 []Code
	FormatCode                 Code
	HealthcareFacilityTypeCode Code
	PracticeSettingCode        Code
	TypeCode                   Code

	PatientID string // CX
	UniqueID  string // OID, perhaps with ^ and an extension

	CreationTime         string   // DTM
	DocumentAvailability string   // Online or Offline, of Metadata Update
	Hash                 string   // SHA-1, 40 hexadecimal digits of either case
	LanguageCode         string   // RFC 5646
	LegalAuthenticator   string   // XCN
	ReferenceIDs         []string // CXi
	RepositoryUniqueID   string   // OID
	ServiceStartTime     string   // DTM
	ServiceStopTime      string   // DTM
	Size                 string   // bytes, decimal
	SourcePatientID      string   // CX
	SourcePatientInfo    []string // PID-3|..., PID-5|...
	URI                  string
}

// SubmissionSet is the frame of one submission. ITI TF-3: 4.2.3.3
type SubmissionSet struct {
	Object
	Authors         []Author
	ContentTypeCode Code
	PatientID       string // CX
	SourceID        string // OID
	UniqueID        string // OID

	IntendedRecipients []string // XON|XCN|XTN
	SubmissionTime     string   // DTM
}

// Folder is a collection of documents. ITI TF-3: 4.2.3.4
type Folder struct {
	Object
	Codes     []Code // codeList
	PatientID string // CX
	UniqueID  string // OID

	LastUpdateTime string // DTM, set by the registry
}

// Association is a directed link between two objects. ITI TF-3: 4.2.2
type Association struct {
	Object
	Type           AssociationType
	Source, Target string // ids

	// SubmissionSetStatus is Original or Reference, from a SubmissionSet to a DocumentEntry only.
	SubmissionSetStatus string
	// Documentation says why a relationship was made; the zero Code for none.
	Documentation Code

	// Of Metadata Update.
	PreviousVersion, OriginalStatus, NewStatus, AssociationPropagation string
}

// ObjectRef stands for an object that is elsewhere.
type ObjectRef struct{ ID, HomeCommunityID string }

// Objects are the contents of a rim:RegistryObjectList. The order within each kind is that of the message.
type Objects struct {
	SubmissionSets []SubmissionSet
	Documents      []DocumentEntry
	Folders        []Folder
	Associations   []Association
	Refs           []ObjectRef

	// faults are what reading found: Validate reports them.
	faults Errors
}

// Len returns the number of objects, references not among them.
func (o *Objects) Len() int {
	return len(o.SubmissionSets) + len(o.Documents) + len(o.Folders) + len(o.Associations)
}

// all yields the fields of each object and how errors call it.
func (o *Objects) all(yield func(f *fields) bool) {
	for i := range o.SubmissionSets {
		if !yield(o.SubmissionSets[i].fields(i)) {
			return
		}
	}
	for i := range o.Documents {
		if !yield(o.Documents[i].fields(i)) {
			return
		}
	}
	for i := range o.Folders {
		if !yield(o.Folders[i].fields(i)) {
			return
		}
	}
	for i := range o.Associations {
		if !yield(o.Associations[i].fields(i)) {
			return
		}
	}
}
