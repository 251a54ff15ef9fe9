package xds

import (
	"context"
	"errors"
	"fmt"
	"io"

	"collimate/soap"
	"collimate/xds/metadata"
	"collimate/xds/query"
)

// Client sends the transactions of a Document Consumer, a Document Source and a Document Repository that registers.
type Client struct {
	// SOAP sends, and signs if it has a signer. Nil sends unsigned by http.DefaultClient.
	SOAP *soap.Client
}

// Retrieve asks the repository at url for documents, ITI-43. It returns when the status and the errors have arrived,
// before the documents, which are streamed from Content in the order of arrival. ctx holds until the response
// is closed.
//
// Each document asked is among Documents or has an entry in Errors; an answer that does not fit the request is
// an error. A document's Size is -1 unless it stood in the envelope. A fault is a *soap.RemoteFault. Content
// ends with io.EOF only if every document came whole and the message was closed; a torn one is an error that
// wraps io.ErrUnexpectedEOF.
func (c *Client) Retrieve(ctx context.Context, url string, requests []DocumentRequest) (*RetrieveResponse, error) {
	return SendRetrieve(ctx, c.SOAP, url, TransactionOf(ITI43), appendRetrieveRequest(nil, requests), requests)
}

// SendRetrieve sends a request for documents, of ITI-43 or of RAD-69, and returns the answer as Client.Retrieve does.
// payload is the request, requests are the documents that it asks for.
func SendRetrieve[R Asked](ctx context.Context, client *soap.Client, url string, t Transaction, payload []byte, requests []R) (*RetrieveResponse, error) {
	if n := len(requests); n == 0 || n > maxDocuments {
		return nil, fmt.Errorf("%d documents in one request, want 1 to %d", n, maxDocuments)
	}
	documents := make([]DocumentRequest, len(requests))
	for i, r := range requests {
		if e := r.Unanswerable(); e != nil {
			return nil, fmt.Errorf("document %d of the request: %s", i+1, e.Context)
		}
		documents[i] = r.Document()
	}
	reply, err := t.call(ctx, client, url, soap.Envelope{Payload: payload})
	if err != nil {
		return nil, err
	}
	response, err := readReply(reply, documents)
	if err != nil {
		reply.Close()
		return nil, fmt.Errorf("reading the answer to %s: %w", t.Name, err)
	}
	return response, nil
}

func readReply(reply *soap.Reply, requests []DocumentRequest) (*RetrieveResponse, error) {
	answer, err := parseRetrieveResponse(reply.Payload)
	if err != nil {
		return nil, err
	}
	if err := answer.match(requests); err != nil {
		return nil, err
	}
	content, err := newContent(reply, answer.bodies)
	if err != nil {
		return nil, err
	}
	response := &RetrieveResponse{Documents: answer.documents, Errors: answer.errors}
	if len(response.Documents) > 0 {
		response.Content = content
		return response, nil
	}
	// Nothing is to be streamed: see the message to its end now, and give the connection back.
	if _, _, err := content.Next(); err != io.EOF {
		return nil, err
	}
	reply.Close()
	return response, nil
}

// Query asks the registry at url, ITI-18. A query that fails is a Response without Objects. The objects have been read
// and not been checked: see metadata.Objects.Validate.
func (c *Client) Query(ctx context.Context, url string, q *query.Query) (*query.Response, error) {
	t := TransactionOf(ITI18)
	reply, err := t.call(ctx, c.SOAP, url, soap.Envelope{Payload: query.AppendRequest(nil, q)})
	if err != nil {
		return nil, err
	}
	defer reply.Close()
	response, err := query.ParseResponse(reply.Payload)
	if err != nil {
		return nil, fmt.Errorf("reading the answer to %s: %w", t.Name, err)
	}
	return response, nil
}

// Register submits to the registry at url: ITI-42 if purpose is metadata.Register, ITI-61 if it is
// metadata.RegisterOnDemand. What the registry refuses is an error that is metadata.Errors.
func (c *Client) Register(ctx context.Context, url string, purpose metadata.Purpose, submission *metadata.Objects) (warnings metadata.Errors, err error) {
	id, known := map[metadata.Purpose]string{metadata.Register: ITI42, metadata.RegisterOnDemand: ITI61}[purpose]
	if !known {
		return nil, errors.New("a submission to a registry is for metadata.Register or metadata.RegisterOnDemand")
	}
	return c.submit(ctx, url, TransactionOf(id), soap.Envelope{Payload: metadata.AppendSubmission(nil, submission)})
}

// Provide submits to the repository at url with the documents, ITI-41 and RAD-68. documents yields one for each
// DocumentEntry, by its id, in any order; a size that the entry has is what comes or an error. What the repository
// refuses is an error that is metadata.Errors. documents is not used any more when Provide has returned.
func (c *Client) Provide(ctx context.Context, url string, submission *metadata.Objects, documents Incoming) (warnings metadata.Errors, err error) {
	return c.submit(ctx, url, TransactionOf(ITI41), soap.Envelope{
		Payload: appendProvide(nil, submission), Attachments: newProvision(submission, documents).next,
	})
}

func (c *Client) submit(ctx context.Context, url string, t Transaction, e soap.Envelope) (metadata.Errors, error) {
	reply, err := t.call(ctx, c.SOAP, url, e)
	if err != nil {
		return nil, err
	}
	defer reply.Close()
	status, errs, err := metadata.ParseStatus(reply.Payload)
	switch {
	case err != nil:
		return nil, fmt.Errorf("reading the answer to %s: %w", t.Name, err)
	case status == PartialSuccess:
		return nil, fmt.Errorf("reading the answer to %s: the status is PartialSuccess, which submissions do not have", t.Name)
	case status == Failure:
		return nil, errs
	}
	return errs, nil
}
