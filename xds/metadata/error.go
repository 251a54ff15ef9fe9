package metadata

import (
	"fmt"
	"strings"

	"collimate/xmlsec"
)

// ErrorCode is an error code of ITI TF-3: Table 4.2.4.1-2.
type ErrorCode string

// The codes of submissions, queries and retrieves. ITI TF-3: Table 4.2.4.1-2
const (
	DocumentQueued ErrorCode = "DocumentQueued"
	// DocumentUniqueIDError: the document is not available. It covers "not authorised", so that the code does
	// not tell whether the document exists.
	DocumentUniqueIDError       ErrorCode = "XDSDocumentUniqueIdError"
	DuplicateUniqueIDInRegistry ErrorCode = "XDSDuplicateUniqueIdInRegistry"
	ExtraMetadataNotSaved       ErrorCode = "XDSExtraMetadataNotSaved" // a warning
	InvalidDocumentContent      ErrorCode = "InvalidDocumentContent"
	MissingDocument             ErrorCode = "XDSMissingDocument"
	MissingDocumentMetadata     ErrorCode = "XDSMissingDocumentMetadata"
	MissingHomeCommunityID      ErrorCode = "XDSMissingHomeCommunityId"
	NonIdenticalHash            ErrorCode = "XDSNonIdenticalHash"
	NonIdenticalSize            ErrorCode = "XDSNonIdenticalSize"
	PatientIDDoesNotMatch       ErrorCode = "XDSPatientIdDoesNotMatch"
	RegistryBusy                ErrorCode = "XDSRegistryBusy"
	RegistryDeprecatedDocument  ErrorCode = "XDSRegistryDeprecatedDocumentError"
	RegistryDuplicateUniqueID   ErrorCode = "XDSRegistryDuplicateUniqueIdInMessage"
	RegistryError               ErrorCode = "XDSRegistryError"
	RegistryMetadata            ErrorCode = "XDSRegistryMetadataError"
	RegistryNotAvailable        ErrorCode = "XDSRegistryNotAvailable"
	RegistryOutOfResources      ErrorCode = "XDSRegistryOutOfResources"
	RepositoryBusy              ErrorCode = "XDSRepositoryBusy"
	RepositoryDuplicateUniqueID ErrorCode = "XDSRepositoryDuplicateUniqueIdInMessage"
	RepositoryError             ErrorCode = "XDSRepositoryError"
	RepositoryMetadata          ErrorCode = "XDSRepositoryMetadataError"
	RepositoryOutOfResources    ErrorCode = "XDSRepositoryOutOfResources"
	ResultNotSinglePatient      ErrorCode = "XDSResultNotSinglePatient"
	StoredQueryMissingParam     ErrorCode = "XDSStoredQueryMissingParam"
	StoredQueryParamNumber      ErrorCode = "XDSStoredQueryParamNumber"
	TooManyResults              ErrorCode = "XDSTooManyResults"
	UnavailableCommunity        ErrorCode = "XDSUnavailableCommunity"
	UnknownCommunity            ErrorCode = "XDSUnknownCommunity"
	UnknownPatientID            ErrorCode = "XDSUnknownPatientId"
	UnknownRepositoryID         ErrorCode = "XDSUnknownRepositoryId"
	UnknownStoredQuery          ErrorCode = "XDSUnknownStoredQuery"
	UnresolvedReference         ErrorCode = "UnresolvedReferenceException"
)

// Severity of an Error. ITI TF-3: 4.2.4.1
type Severity string

// The two severities.
const (
	SeverityError   Severity = "urn:oasis:names:tc:ebxml-regrep:ErrorSeverityType:Error"
	SeverityWarning Severity = "urn:oasis:names:tc:ebxml-regrep:ErrorSeverityType:Warning"
)

// Error is one rs:RegistryError. The peer sees Code, Context, Severity and Location; Err is for the log and the
// audit trail of this side only.
type Error struct {
	Code     ErrorCode
	Context  string   // codeContext: a sentence for a person, without values
	Severity Severity // SeverityError when empty
	// Location is what it is about: in submissions such as "DocumentEntry 2", counted in the message from 1; in
	// retrieves the DocumentUniqueId. ITI TF-2: 3.43.5
	Location string
	Err      error
}

// Error returns the code and the context, and the cause if there is one. It leaves out the location, which may be
// an identifier.
func (e *Error) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("%s: %v", e.codeContext(), e.Err)
	}
	return e.codeContext()
}

// Unwrap returns Err.
func (e *Error) Unwrap() error { return e.Err }

// Errors are all that is wrong with a message. None is a nil slice. As an error it is not to be empty: see Err.
type Errors []*Error

// Error returns the first error and how many there are.
func (errs Errors) Error() string {
	switch len(errs) {
	case 0:
		return "no error"
	case 1:
		return errs[0].Error()
	}
	return fmt.Sprintf("%v (and %d more)", errs[0], len(errs)-1)
}

// Err returns errs as an error, or nil if there are none: an empty Errors in an error is not nil.
func (errs Errors) Err() error {
	if len(errs) == 0 {
		return nil
	}
	return errs
}

// Has reports whether there is an error of that code.
func (errs Errors) Has(code ErrorCode) bool {
	for _, e := range errs {
		if e.Code == code {
			return true
		}
	}
	return false
}

// Severity returns the highest severity, or "" for no error.
func (errs Errors) Severity() Severity {
	var highest Severity
	for _, e := range errs {
		if e.severity() == SeverityError {
			return SeverityError
		}
		highest = SeverityWarning
	}
	return highest
}

func (e *Error) severity() Severity {
	if e.Severity == "" {
		return SeverityError
	}
	return e.Severity
}

// add appends an error, up to the limit; the last place says that there are more. The location stands in the context
// too: not every tool shows it.
func (errs *Errors) add(code ErrorCode, location, context string) {
	switch len(*errs) {
	case maxErrors:
		return
	case maxErrors - 1:
		location, context = "", "there are more faults than are listed"
	}
	if location != "" {
		context = location + ": " + context
	}
	*errs = append(*errs, &Error{Code: code, Context: context, Location: location})
}

// AppendErrorList serialises an rs:RegistryErrorList, or nothing for no errors. The code name stands in each
// codeContext too, because test tools look for it there (ENG-08 of the IHE toolkit). ITI TF-3: 4.2.4.1
func AppendErrorList(b []byte, errs Errors) []byte {
	w := writer{b: b}
	w.errorList(errs, "xmlns:rs", NSRS)
	return w.b
}

// errorList writes an rs:RegistryErrorList with these attributes before its own, or nothing for no errors.
func (w *writer) errorList(errs Errors, attributes ...string) {
	if len(errs) == 0 {
		return
	}
	w.start("rs:RegistryErrorList")
	for i := 0; i < len(attributes); i += 2 {
		w.attribute(attributes[i], attributes[i+1])
	}
	w.attribute("highestSeverity", string(errs.Severity()))
	w.raw(">")
	for _, e := range errs {
		w.start("rs:RegistryError")
		w.attribute("errorCode", string(e.Code))
		w.attribute("codeContext", e.codeContext())
		w.attribute("severity", string(e.severity()))
		if e.Location != "" {
			w.attribute("location", e.Location)
		}
		w.raw("/>")
	}
	w.end("rs:RegistryErrorList")
}

func (e *Error) codeContext() string {
	s := strings.TrimSpace(e.Context)
	switch {
	case s == "":
		s = string(e.Code)
	case !strings.Contains(s, string(e.Code)):
		s = string(e.Code) + ": " + s
	}
	return clip(s)
}

// clip cuts a sentence at maxContext bytes.
func clip(s string) string {
	if len(s) > maxContext {
		return strings.ToValidUTF8(s[:maxContext], "")
	}
	return s
}

// ParseErrorList reads an rs:RegistryErrorList. Codes that are not in the table are common, and kept.
func ParseErrorList(n xmlsec.Node) (Errors, error) {
	if !n.Is(NSRS, "RegistryErrorList") {
		return nil, fmt.Errorf("the element is not a RegistryErrorList")
	}
	var errs Errors
	for child := range n.Elements() {
		if !child.Is(NSRS, "RegistryError") {
			return nil, fmt.Errorf("a RegistryErrorList has a child that is not a RegistryError")
		}
		if len(errs) == maxPeerErrors {
			return nil, fmt.Errorf("more than %d RegistryErrors", maxPeerErrors)
		}
		e := &Error{
			Code: ErrorCode(attr(child, "errorCode")), Context: clip(attr(child, "codeContext")),
			Severity: SeverityError, Location: clip(attr(child, "location")),
		}
		if attr(child, "severity") == string(SeverityWarning) {
			e.Severity = SeverityWarning
		}
		errs = append(errs, e)
	}
	return errs, nil
}

// attr returns an attribute without a prefix, trimmed: peers send blanks.
func attr(n xmlsec.Node, name string) string {
	value, _ := n.Attr("", name)
	return strings.TrimSpace(value)
}
