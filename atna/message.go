package atna

import (
	"context"
	"strings"
	"time"
)

// Recorder keeps audit messages. Record returns nil only when the message is kept; a gateway that cannot record
// must not deliver.
type Recorder interface {
	Record(ctx context.Context, m Message) error
}

// Code is a coded value. DICOM PS3.15 A.5.1 CodedValueType
type Code struct {
	Value  string // csd-code
	System string // codeSystemName
	Text   string // originalText
}

// The events that are recorded. DICOM PS3.16 CID 400, ITI TF-2: 3.43.6
var (
	EventExport               = Code{"110106", "DCM", "Export"}
	EventImport               = Code{"110107", "DCM", "Import"}
	EventInstancesTransferred = Code{"110104", "DCM", "DICOM Instances Transferred"}
	EventQuery                = Code{"110112", "DCM", "Query"}
	EventUserAuthentication   = Code{"110114", "DCM", "User Authentication"}
)

// The types of events. ITI TF-2: 3.43.6, DICOM PS3.16 CID 401
var (
	TypeRegistryStoredQuery        = Code{"ITI-18", "IHE Transactions", "Registry Stored Query"}
	TypeProvideAndRegister         = Code{"ITI-41", "IHE Transactions", "Provide and Register Document Set-b"}
	TypeRegister                   = Code{"ITI-42", "IHE Transactions", "Register Document Set-b"}
	TypeRetrieveDocumentSet        = Code{"ITI-43", "IHE Transactions", "Retrieve Document Set"}
	TypeRegisterOnDemand           = Code{"ITI-61", "IHE Transactions", "Register On-Demand Document Entry"}
	TypeRetrieveImagingDocumentSet = Code{"RAD-69", "IHE Transactions", "Retrieve Imaging Document Set"}
	TypeLogin                      = Code{"110122", "DCM", "Login"}
)

// Action says what was done. DICOM PS3.15 A.5.1 EventActionCode
type Action string

// The actions.
const (
	Create  Action = "C"
	Read    Action = "R"
	Execute Action = "E"
)

// Outcome of an event. DICOM PS3.15 A.5.1 EventOutcomeIndicator
type Outcome int

// The outcomes, from good to bad.
const (
	Success        Outcome = 0
	MinorFailure   Outcome = 4 // refused: not granted, not there
	SeriousFailure Outcome = 8 // should have worked: an error of this side, a broken stream
)

// Message is one audit message. RetrieveExport, RetrieveImport, InstancesTransferred, Query.Message, Submission.Message
// and AuthenticationFailure make them.
type Message struct {
	Event   Code
	Type    Code
	Action  Action
	Time    time.Time
	Outcome Outcome
	// Reason is EventOutcomeDescription. It stays on this side.
	Reason       string
	PurposeOfUse []Code
	Participants []Participant
	Origin       Origin
	Objects      []Object
}

// Origin is who writes the message. DICOM PS3.15 A.5.1 AuditSourceIdentification
type Origin struct {
	SourceID         string // the gateway's name or OID; required
	EnterpriseSiteID string // the organisation's OID
}

// Participant is one ActiveParticipant. DICOM PS3.15 A.5.1
type Participant struct {
	UserID            string
	AlternativeUserID string
	UserName          string
	Requestor         bool
	Address           string // IP address or machine name, without port
	Roles             []Code
}

// Object is one ParticipantObjectIdentification. DICOM PS3.15 A.5.1
type Object struct {
	ID       string
	IDType   Code
	TypeCode int // 1 person, 2 system object
	Role     int // 1 patient, 3 report, 20 job, 24 query
	Query    []byte
	Details  []Detail
}

// Detail is a named value of an Object; the value travels as base64.
type Detail struct {
	Type  string
	Value string
}

// clip cuts s to at most max bytes of valid UTF-8.
func clip(s string, max int) string {
	if len(s) > max {
		s = s[:max-3] + "..."
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}
