package soap

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"collimate/soap/mtom"
	"collimate/xmlsec"
)

// Reply is an answer whose envelope has been read, and whose attachments have not.
type Reply struct {
	Action    string // trimmed
	RelatesTo string
	Doc       *xmlsec.Document
	// Header is zero if there is none. Payload is the only child of Body; each xop:Include in it stands for an
	// attachment.
	Header, Body, Payload xmlsec.Node

	parts *mtom.Reader // nil in simple SOAP
	body  io.ReadCloser
	whole bool
}

// newReply reads the envelope of an answer: all of it in simple SOAP, the first part in MTOM. The packaging
// need not be that of the request, since some stacks send faults as simple SOAP (javaee/metro-jax-ws#1138).
func newReply(response *http.Response) (*Reply, error) {
	reply := &Reply{body: response.Body}
	ct, err := mtom.ParseContentType(response.Header.Get("Content-Type"))
	switch {
	case response.StatusCode == http.StatusAccepted, response.StatusCode >= 300 && response.StatusCode < 400, err != nil:
		return nil, &StatusError{response.StatusCode}
	}
	var root io.Reader
	switch ct.MediaType {
	case typeSimple, "application/xop+xml": // QUIRK: the latter from spring-ws#926
		root = response.Body
		reply.whole = true
	case "multipart/related":
		if reply.parts, err = mtom.NewReader(response.Body, response.Header.Get("Content-Type"), replyLimits()); err != nil {
			return nil, fmt.Errorf("reading the answer: %w", err)
		}
		part, err := reply.parts.Next()
		if err != nil {
			return nil, fmt.Errorf("reading the answer: %w", noEOF(err))
		}
		root = part
	default:
		return nil, &StatusError{response.StatusCode}
	}
	b, err := io.ReadAll(io.LimitReader(root, maxReplyEnvelope+1))
	if err != nil {
		return nil, fmt.Errorf("reading the envelope of the answer: %w", err)
	}
	if len(b) > maxReplyEnvelope {
		return nil, fmt.Errorf("the envelope of the answer has more than %d bytes", maxReplyEnvelope)
	}
	doc, err := xmlsec.Parse(b, xmlLimits(maxReplyEnvelope))
	if err != nil {
		return nil, fmt.Errorf("reading the envelope of the answer: %w", err)
	}
	e, fault := parseEnvelope(doc)
	if fault != nil && !e.payload.Is(NSEnvelope, "Fault") {
		return nil, errors.New("the answer is not as it must be: " + fault.Reason)
	}
	reply.Doc, reply.Header, reply.Body, reply.Payload = doc, e.header, e.body, e.payload
	reply.Action, reply.RelatesTo = e.action, e.relatesTo
	return reply, nil
}

// check refuses an answer that is a fault, or one to another request.
func (r *Reply) check(messageID string) error {
	if r.Payload.Is(NSEnvelope, "Fault") {
		return remoteFault(r.Payload)
	}
	// QUIRK: some peers send no RelatesTo (CONNECT#242).
	if r.RelatesTo != "" && r.RelatesTo != strings.TrimSpace(messageID) {
		return errors.New("the answer relates to another request")
	}
	return nil
}

// Next returns the next attachment, or io.EOF after the last one, when the closing boundary has been read.
func (r *Reply) Next() (*mtom.Part, error) {
	if r.parts == nil {
		return nil, io.EOF
	}
	part, err := r.parts.Next()
	if err == io.EOF {
		r.whole = true
	}
	return part, err
}

// Close gives the connection back if the answer has been read to its end, or nearly, and closes it otherwise.
func (r *Reply) Close() error {
	if r.whole {
		_, _ = io.CopyN(io.Discard, r.body, maxDrain)
	}
	return r.body.Close()
}

// noEOF turns the end of a message where it must not end into an error that is not io.EOF.
func noEOF(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
