package xds

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"

	"collimate/soap"
	"collimate/wsdl"
	"collimate/xds/metadata"
	"collimate/xua"
)

// Options of the handlers.
type Options struct {
	// URL is where peers reach the endpoint, for the soap:address of ?wsdl. If it is empty, the address is
	// that which the WSDL was asked at.
	URL string
	// Submits reports whether a peer is one that submits, by its TLS handshake: its requests may have 16 MB of
	// metadata, those of others 1 MB. Nil: nobody is.
	Submits func(*tls.ConnectionState) bool
}

// NewRepositoryHandler returns an http.Handler that answers the transactions of a Document Repository, ITI-43 and, if
// recipient is not nil, ITI-41, and ?wsdl. Its fields may be changed before it serves.
func NewRepositoryHandler(repository Repository, recipient Recipient, authenticate Authenticator, o Options) *soap.Server {
	s := &soap.Server{
		Operations: RepositoryOperations(repository, recipient, authenticate),
		Contract:   wsdl.Handler(wsdl.DocumentRepository, o.URL),
	}
	if recipient == nil {
		s.Contract = wsdl.Handler(wsdl.RetrievingRepository, o.URL)
	} else {
		s.Limits, s.Trusted = soap.Limits{TrustedBytes: maxSubmission, Parts: maxParts}, o.Submits
	}
	return s
}

// RepositoryOperations returns ITI-43 and, if recipient is not nil, ITI-41 as rows for a soap.Server.
func RepositoryOperations(repository Repository, recipient Recipient, authenticate Authenticator) []soap.Operation {
	operations := []soap.Operation{
		TransactionOf(ITI43).Operation(authenticate, func(ctx context.Context, caller xua.Caller, request *soap.Request) (*soap.Response, error) {
			asked, fault := parseRetrieveRequest(request.Payload)
			if fault != nil {
				return nil, fault
			}
			return AnswerRetrieve(asked, func(answerable []DocumentRequest) (*RetrieveResponse, error) {
				return repository.Retrieve(ctx, caller, answerable)
			})
		}),
	}
	if recipient == nil {
		return operations
	}
	return append(operations, TransactionOf(ITI41).Operation(authenticate,
		func(ctx context.Context, caller xua.Caller, request *soap.Request) (*soap.Response, error) {
			return answerProvide(ctx, recipient, caller, request)
		}))
}

// Asked is what a retrieve asks for one document with: a DocumentRequest, or what embeds one.
type Asked interface {
	// Document names the document.
	Document() DocumentRequest
	// Unanswerable returns the error for what cannot name any document, or nil.
	Unanswerable() *Error
}

// AnswerRetrieve answers a request for documents, of ITI-43 or of RAD-69: retrieve is called with what can name
// documents, if there is any, and what it returns is treated as Repository says. ITI TF-2: 3.43.4.1.3
func AnswerRetrieve[R Asked](asked []R, retrieve func(answerable []R) (*RetrieveResponse, error)) (*soap.Response, error) {
	var answerable []R
	var documents []DocumentRequest // of answerable
	var refused metadata.Errors
	for _, r := range asked {
		if e := r.Unanswerable(); e != nil {
			refused = append(refused, e)
		} else {
			answerable, documents = append(answerable, r), append(documents, r.Document())
		}
	}
	answer := &RetrieveResponse{}
	var cause error
	if len(answerable) > 0 {
		got, err := retrieve(answerable)
		if err == nil {
			err = reconcile(documents, got)
		}
		if err != nil {
			got.Close()
			var fault *soap.Fault
			if got, fault, cause = refuseAll(documents, err); fault != nil {
				return nil, fault
			}
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
// since each has to be answered. cause is what the log should have of it, nil if the Repository has decided so.
func refuseAll(asked []DocumentRequest, err error) (answer *RetrieveResponse, fault *soap.Fault, cause error) {
	errs, fault, cause := told(err, RepositoryError)
	all := Error{Code: RepositoryError, Context: "the request could not be processed"}
	if len(errs) > 0 {
		all = *errs[0]
	}
	answer = &RetrieveResponse{}
	for _, r := range asked {
		e := all
		e.Severity, e.Location = SeverityError, r.DocumentUniqueID
		answer.Errors = append(answer.Errors, &e)
	}
	return answer, fault, cause
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
		if e.Severity != SeverityWarning {
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
