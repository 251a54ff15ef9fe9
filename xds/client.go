package xds

import (
	"context"
	"fmt"
	"io"

	"collimate/soap"
)

// Client sends ITI-43 Retrieve Document Set to a Document Repository.
type Client struct {
	// SOAP sends, and signs if it has a signer. Nil sends unsigned by http.DefaultClient.
	SOAP *soap.Client
}

// Retrieve asks the repository at url for documents. It returns when the status and the errors have arrived,
// before the documents, which are streamed from Content in the order of arrival. ctx holds until the response
// is closed.
//
// Each document asked is among Documents or has an entry in Errors; an answer that does not fit the request is
// an error. A document's Size is -1 unless it stood in the envelope. A fault is a *soap.RemoteFault. Content
// ends with io.EOF only if every document came whole and the message was closed; a torn one is an error that
// wraps io.ErrUnexpectedEOF.
func (c *Client) Retrieve(ctx context.Context, url string, requests []DocumentRequest) (*RetrieveResponse, error) {
	if n := len(requests); n == 0 || n > maxDocumentRequests {
		return nil, fmt.Errorf("%d documents in one request, want 1 to %d", n, maxDocumentRequests)
	}
	for i, r := range requests {
		if e := unanswerable(r); e != nil {
			return nil, fmt.Errorf("document %d of the request: %s", i+1, e.Context)
		}
	}
	client := c.SOAP
	if client == nil {
		client = &soap.Client{}
	}
	t := transaction(ITI43)
	reply, err := client.Call(ctx, url, soap.Envelope{
		Action: t.Action, MTOM: t.MTOM, Payload: appendRetrieveRequest(nil, requests),
	})
	if err != nil {
		return nil, err
	}
	response, err := readReply(reply, requests)
	if err != nil {
		reply.Close()
		return nil, fmt.Errorf("reading the answer to %s: %w", t.Name, err)
	}
	return response, nil
}

func readReply(reply *soap.Reply, requests []DocumentRequest) (*RetrieveResponse, error) {
	if want := transaction(ITI43).ResponseAction; reply.Action != want {
		return nil, fmt.Errorf("the wsa:Action of the answer is not %s", want)
	}
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
