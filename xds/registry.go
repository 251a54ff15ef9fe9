package xds

import (
	"context"

	"collimate/soap"
	"collimate/wsdl"
	"collimate/xds/metadata"
	"collimate/xds/query"
	"collimate/xua"
)

// Registry answers ITI-18 Registry Stored Query, ITI-42 Register Document Set-b and ITI-61 Register On-Demand Document
// Entry. It is the interface that a backend fills.
//
// An error that is metadata.Errors, a *metadata.Error or a *soap.Fault is sent as it is; any other is reported to the
// peer as XDSRegistryError without its text.
type Registry interface {
	// Register takes a submission whole or not at all, and again without effect if it has it already. The
	// submission has been read and not been checked: see metadata.Objects.Validate, Admit and Resolve. purpose is
	// metadata.Register or metadata.RegisterOnDemand. Warnings are returned as metadata.Errors without an error
	// among them, and the submission is taken all the same.
	Register(ctx context.Context, caller xua.Caller, purpose metadata.Purpose, submission *metadata.Objects) error
	// Query answers a checked query with the objects that the caller may see. The ids alone are sent if
	// q.Return asks for no more.
	Query(ctx context.Context, caller xua.Caller, q *query.Query) (*query.Response, error)
}

// NewRegistryHandler returns an http.Handler that answers the transactions of a Document Registry, and ?wsdl. Its
// fields may be changed before it serves.
func NewRegistryHandler(registry Registry, authenticate Authenticator, o Options) *soap.Server {
	return &soap.Server{
		Operations: RegistryOperations(registry, authenticate),
		Contract:   wsdl.Handler(wsdl.DocumentRegistry, o.URL),
		Limits:     soap.Limits{TrustedBytes: maxSubmission},
		Trusted:    o.Submits,
	}
}

// RegistryOperations returns ITI-18, ITI-42 and ITI-61 as rows for a soap.Server.
func RegistryOperations(registry Registry, authenticate Authenticator) []soap.Operation {
	register := func(id string, purpose metadata.Purpose) soap.Operation {
		return TransactionOf(id).Operation(authenticate, func(ctx context.Context, caller xua.Caller, request *soap.Request) (*soap.Response, error) {
			submission, err := metadata.ParseSubmission(request.Payload)
			if err != nil {
				return nil, malformed(err.Error())
			}
			return submitted(registry.Register(ctx, caller, purpose, submission), metadata.RegistryError)
		})
	}
	return []soap.Operation{
		TransactionOf(ITI18).Operation(authenticate, func(ctx context.Context, caller xua.Caller, request *soap.Request) (*soap.Response, error) {
			return answerQuery(ctx, registry, caller, request)
		}),
		register(ITI42, metadata.Register),
		register(ITI61, metadata.RegisterOnDemand),
	}
}

// answerQuery answers a stored query. Whatever is wrong with it is told in an AdhocQueryResponse.
// ITI TF-2: 3.18.4.1.3
func answerQuery(ctx context.Context, registry Registry, caller xua.Caller, request *soap.Request) (*soap.Response, error) {
	q, errs, err := query.ParseRequest(request.Payload)
	if err != nil {
		return nil, malformed(err.Error())
	}
	answer, as := &query.Response{Errors: errs}, query.ObjectRef
	var cause error
	if q != nil {
		var fault *soap.Fault
		got, err := registry.Query(ctx, caller, q)
		if errs, fault, cause = told(err, metadata.RegistryError); fault != nil {
			return nil, fault
		}
		if answer.Errors = errs; err == nil && got != nil {
			answer, as = got, q.Return
		}
	}
	return &soap.Response{Payload: query.AppendResponse(nil, answer, as), Cause: cause}, nil
}

// submitted is the answer to a submission that the backend has answered with err. There is no PartialSuccess.
// ITI TF-3: Table 4.2.4.2-1
func submitted(err error, code ErrorCode) (*soap.Response, error) {
	errs, fault, cause := told(err, code)
	if fault != nil {
		return nil, fault
	}
	status := Success
	if errs.Severity() == SeverityError {
		status = Failure
	}
	return &soap.Response{Payload: metadata.AppendRegistryResponse(nil, status, errs), Cause: cause}, nil
}
