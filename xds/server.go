package xds

import (
	"context"
	"errors"
	"fmt"

	"collimate/soap"
	"collimate/wsdl"
	"collimate/xua"
)

// Authenticator says who sends a request. An error that is a *soap.Fault is sent as it is. A nil Authenticator
// finds nobody.
type Authenticator = func(context.Context, *soap.Request) (xua.Caller, error)

// Options of NewHandler.
type Options struct {
	// URL is where peers reach the endpoint, for the soap:address of ?wsdl. If it is empty, the address is
	// that which the WSDL was asked at.
	URL string
}

// NewHandler returns an http.Handler that answers the transactions of a Document Repository, ITI-43 on MTOM,
// and ?wsdl. Logger and Limits may be set before it serves.
func NewHandler(repository Repository, authenticate Authenticator, o Options) *soap.Server {
	return &soap.Server{
		Operations: []soap.Operation{RepositoryOperation(repository, authenticate)},
		Contract:   wsdl.Handler(o.URL),
	}
}

// RepositoryOperation returns ITI-43 as a row for a soap.Server.
func RepositoryOperation(repository Repository, authenticate Authenticator) soap.Operation {
	t := transaction(ITI43)
	return soap.Operation{
		ID: t.ID, Action: t.Action, ResponseAction: t.ResponseAction, MTOM: t.MTOM,
		Handle: func(ctx context.Context, request *soap.Request) (*soap.Response, error) {
			var caller xua.Caller
			if authenticate != nil {
				var err error
				if caller, err = authenticate(ctx, request); err != nil {
					return nil, err
				}
				request.SetAuthenticated() // so the answer may go where the request says
			}
			return retrieve(ctx, repository, caller, request)
		},
	}
}

// retrieve answers a Retrieve Document Set request. ITI TF-2: 3.43.4.1.3
func retrieve(ctx context.Context, repository Repository, caller xua.Caller, request *soap.Request) (*soap.Response, error) {
	asked, fault := parseRetrieveRequest(request.Payload)
	if fault != nil {
		return nil, fault
	}
	var answerable []DocumentRequest
	var refused []*Error
	for _, r := range asked {
		if e := unanswerable(r); e != nil {
			refused = append(refused, e)
		} else {
			answerable = append(answerable, r)
		}
	}
	answer := &RetrieveResponse{}
	var cause error
	if len(answerable) > 0 {
		got, err := repository.Retrieve(ctx, caller, answerable)
		if err == nil {
			err = reconcile(answerable, got)
		}
		if err != nil {
			got.Close()
			got, cause = refuseAll(answerable, err)
		}
		answer = got
	}
	answer.Errors = append(refused, answer.Errors...)
	if len(answer.Documents) == 0 {
		answer.Close()
		answer.Content = nil
	}
	response := &soap.Response{
		Payload:     appendRetrieveResponse(nil, answer),
		Attachments: attachments(answer.Documents),
		Cause:       cause,
	}
	if answer.Content != nil {
		response.Parts = answer.Content
	}
	return response, nil
}

// refuseAll is the answer when a Repository refuses a request as a whole: the same error for each document,
// since each has to be answered. It is the one place where errors become codes. cause is what the log should
// have of it, nil if the Repository has decided so.
func refuseAll(asked []DocumentRequest, err error) (answer *RetrieveResponse, cause error) {
	all := &Error{Code: RepositoryError, Context: "the repository could not process the request"}
	if !errors.As(err, &all) {
		cause = err
	}
	answer = &RetrieveResponse{}
	for _, r := range asked {
		e := *all
		e.Severity, e.Location = SeverityError, r.DocumentUniqueID
		answer.Errors = append(answer.Errors, &e)
	}
	return answer, cause
}

// reconcile compares an answer with what was asked. A document that was not asked is an error, as is one
// without bytes; a document that is neither answered nor refused gets a RegistryError.
func reconcile(asked []DocumentRequest, answer *RetrieveResponse) error {
	if answer == nil {
		return errors.New("the repository has no answer")
	}
	if len(answer.Documents) > 0 && answer.Content == nil {
		return errors.New("the repository has documents without their bytes")
	}
	pending := map[DocumentRequest]int{}
	for _, r := range asked {
		pending[r]++
	}
	for i := range answer.Documents {
		if r := answer.Documents[i].DocumentRequest; pending[r] > 0 {
			pending[r]--
		} else {
			return fmt.Errorf("the repository answered with a document that was not asked, number %d", i)
		}
	}
	refused := map[string]int{}
	for _, e := range answer.Errors {
		if e.severity() == SeverityError {
			refused[e.Location]++
		}
	}
	for _, r := range asked {
		if pending[r] == 0 {
			continue
		}
		pending[r]--
		if refused[r.DocumentUniqueID] > 0 {
			refused[r.DocumentUniqueID]--
			continue
		}
		answer.Errors = append(answer.Errors, &Error{
			Code: RepositoryError, Context: "the repository has no answer for the document", Location: r.DocumentUniqueID,
		})
	}
	return nil
}
