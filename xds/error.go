package xds

import (
	"errors"

	"collimate/soap"
	"collimate/xds/metadata"
)

// The vocabulary of answers is that of package metadata.
type (
	Error     = metadata.Error
	ErrorCode = metadata.ErrorCode
	Severity  = metadata.Severity
	Status    = metadata.ResponseStatus
)

// The statuses and severities.
const (
	Success        = metadata.Success
	PartialSuccess = metadata.PartialSuccess
	Failure        = metadata.Failure

	SeverityError   = metadata.SeverityError
	SeverityWarning = metadata.SeverityWarning
)

// The codes that a Document Repository or an Imaging Document Source may answer a retrieve with.
// ITI TF-3: Table 4.2.4.1-2
const (
	DocumentUniqueIDError    = metadata.DocumentUniqueIDError
	UnknownRepositoryID      = metadata.UnknownRepositoryID
	RepositoryError          = metadata.RepositoryError
	RepositoryBusy           = metadata.RepositoryBusy
	RepositoryOutOfResources = metadata.RepositoryOutOfResources
	MissingHomeCommunityID   = metadata.MissingHomeCommunityID
	UnknownCommunity         = metadata.UnknownCommunity
)

// told turns the error of a backend into what the peer is told: a *soap.Fault, or errors. An error that is neither
// a fault nor one of the errors of metadata becomes code without its text, and is the cause, for the log. It is the
// one place where errors of backends become codes.
func told(err error, code ErrorCode) (errs metadata.Errors, fault *soap.Fault, cause error) {
	var one *Error
	switch {
	case err == nil:
	case errors.As(err, &fault):
	case errors.As(err, &errs):
	case errors.As(err, &one):
		errs = metadata.Errors{one}
	default:
		errs = metadata.Errors{{Code: code, Context: "the request could not be processed"}}
		cause = err
	}
	return errs, fault, cause
}

// malformed refuses a message that is not what its transaction says.
func malformed(reason string) *soap.Fault { return &soap.Fault{Code: soap.Sender, Reason: reason} }
