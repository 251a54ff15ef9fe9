package xds

import (
	"context"
	"fmt"
	"io"
	"strings"
	"testing"

	"collimate/soap"
	"collimate/xmlsec"
	"collimate/xua"
)

const (
	repositoryOID = "2.25.1"
	documentOID   = "2.25.42"
	otherOID      = "2.25.43"
)

// memory is a Repository in memory: documents by their DocumentUniqueId.
type memory struct {
	documents map[string]string
	mimeType  string
	size      func(content string) int64 // what is claimed; nil: the truth
	reverse   bool                       // Content yields the last document first
	warning   *Error                     // added to each answer
	fail      error                      // refuses all
	tear      bool                       // the last document ends early, with an error
	asked     []DocumentRequest
	caller    xua.Caller
	closed    int
}

func (m *memory) Retrieve(_ context.Context, caller xua.Caller, requests []DocumentRequest) (*RetrieveResponse, error) {
	m.asked, m.caller = requests, caller
	if m.fail != nil {
		return nil, m.fail
	}
	r := &RetrieveResponse{}
	c := &memoryContent{m: m}
	for _, q := range requests {
		content, ok := m.documents[q.DocumentUniqueID]
		if !ok {
			r.Errors = append(r.Errors, &Error{Code: DocumentUniqueIDError, Context: "the document is not available", Location: q.DocumentUniqueID})
			continue
		}
		d := Document{DocumentRequest: q, MimeType: m.mimeType, Size: int64(len(content))}
		if m.size != nil {
			d.Size = m.size(content)
		}
		r.Documents = append(r.Documents, d)
		c.bodies = append(c.bodies, content)
	}
	if m.warning != nil {
		r.Errors = append(r.Errors, m.warning)
	}
	r.Content = c
	return r, nil
}

type memoryContent struct {
	m      *memory
	bodies []string
	next   int
}

func (c *memoryContent) Next() (int, io.WriterTo, error) {
	if c.next == len(c.bodies) {
		return 0, nil, io.EOF
	}
	i := c.next
	if c.m.reverse {
		i = len(c.bodies) - 1 - i
	}
	c.next++
	if c.m.tear && c.next == len(c.bodies) {
		return i, tornDocument(c.bodies[i]), nil
	}
	return i, document(c.bodies[i]), nil
}

func (c *memoryContent) Close() error { c.m.closed++; return nil }

// document is copied from a reader, as archives do it.
type document string

func (d document) WriteTo(w io.Writer) (int64, error) {
	return io.Copy(w, struct{ io.Reader }{strings.NewReader(string(d))})
}

// tornDocument writes half of itself and fails.
type tornDocument string

func (d tornDocument) WriteTo(w io.Writer) (int64, error) {
	n, err := io.WriteString(w, string(d[:len(d)/2]))
	if err == nil {
		err = fmt.Errorf("reading the archive: %w", io.ErrUnexpectedEOF)
	}
	return int64(n), err
}

// parse parses a test document.
func parse(t testing.TB, s string) xmlsec.Node {
	t.Helper()
	doc, err := xmlsec.Parse([]byte(s), xmlsec.DefaultLimits)
	if err != nil {
		t.Fatal(err)
	}
	return doc.Root()
}

// ask has the operation answer a request payload, without HTTP.
func ask(t testing.TB, m *memory, payload string) (*soap.Response, error) {
	t.Helper()
	operation := RepositoryOperations(m, nil, func(context.Context, *soap.Request) (xua.Caller, error) {
		return xua.Caller{Tier: xua.TierC, Name: "somebody"}, nil
	})[0]
	return operation.Handle(t.Context(), &soap.Request{Payload: parse(t, payload), MTOM: true})
}
