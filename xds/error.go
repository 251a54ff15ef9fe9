package xds

import "fmt"

// ErrorCode is an error code of ITI TF-3: Table 4.2.4.1-2.
type ErrorCode string

// The codes that a Document Repository may answer ITI-43 with. ITI TF-3: Table 4.2.4.1-2
const (
	// DocumentUniqueIDError: the document is not available. It covers "not authorised", so that the code
	// does not tell whether the document exists.
	DocumentUniqueIDError    ErrorCode = "XDSDocumentUniqueIdError"
	UnknownRepositoryID      ErrorCode = "XDSUnknownRepositoryId"
	RepositoryError          ErrorCode = "XDSRepositoryError"
	RepositoryBusy           ErrorCode = "XDSRepositoryBusy"
	RepositoryOutOfResources ErrorCode = "XDSRepositoryOutOfResources"
	MissingHomeCommunityID   ErrorCode = "XDSMissingHomeCommunityId"
	UnknownCommunity         ErrorCode = "XDSUnknownCommunity"
)

// Severity of a RegistryError. ITI TF-3: 4.2.4.1
type Severity string

// The two severities.
const (
	SeverityError   Severity = "urn:oasis:names:tc:ebxml-regrep:ErrorSeverityType:Error"
	SeverityWarning Severity = "urn:oasis:names:tc:ebxml-regrep:ErrorSeverityType:Warning"
)

// Error is one RegistryError. The peer sees Code, Context, Severity and Location; Err is for the log and the
// audit trail of this side only.
type Error struct {
	Code     ErrorCode
	Context  string   // codeContext, a sentence for a person
	Severity Severity // SeverityError when empty
	Location string   // in ITI-43 the DocumentUniqueId. ITI TF-2: 3.43.5
	Err      error
}

// Error returns the code and the context, and the cause if there is one.
func (e *Error) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("%s: %v", e.codeContext(), e.Err)
	}
	return e.codeContext()
}

// Unwrap returns Err.
func (e *Error) Unwrap() error { return e.Err }
