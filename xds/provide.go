package xds

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"collimate/soap"
	"collimate/soap/mtom"
	"collimate/xds/metadata"
	"collimate/xmlsec"
	"collimate/xua"
)

// answerProvide answers ITI-41. ITI TF-2: 3.41.4.1.3
func answerProvide(ctx context.Context, recipient Recipient, caller xua.Caller, request *soap.Request) (*soap.Response, error) {
	submission, documents, fault := parseProvide(request.Payload)
	if fault != nil {
		return nil, fault
	}
	// The recipient says first whether the sender may submit at all: only such a one is heard to the end.
	documents.err = submission.CheckDocuments(documents.ids()).Err()
	if fault := documents.attach(request, caller, submission); fault != nil {
		return nil, fault
	}
	err := recipient.Provide(ctx, caller, submission, documents)
	if err == nil && documents.err != io.EOF {
		err = errors.New("the recipient has not read all documents")
	}
	return submitted(err, metadata.RepositoryError)
}

// provided is a Document element of a request.
type provided struct {
	id        string // of its entry, as metadata.NormalID
	node      xmlsec.Node
	contentID string // of its attachment, "" if it stands in the envelope
}

// documents is the Incoming of a request.
type documents struct {
	list        []provided
	attachments *soap.Attachments // nil if all of them stand in the envelope
	pending     map[string]string // ids by Content-ID, of attachments that have not come
	next        int               // in list, of those in the envelope
	err         error             // the end of the stream
}

// parseProvide reads a ProvideAndRegisterDocumentSetRequest. The order of its children does not matter.
func parseProvide(n xmlsec.Node) (*metadata.Objects, *documents, *soap.Fault) {
	submit, err := n.Only(metadata.NSLCM, "SubmitObjectsRequest")
	if err != nil {
		return nil, nil, malformed(err.Error())
	}
	submission, err := metadata.ParseSubmission(submit)
	if err != nil {
		return nil, nil, malformed(err.Error())
	}
	d := &documents{pending: map[string]string{}}
	for child := range n.Elements() {
		switch {
		case child == submit:
			continue
		case !child.Is(NSXDSb, "Document"):
			return nil, nil, malformed("a " + n.Local() + " has a child that is neither SubmitObjectsRequest nor Document")
		case len(d.list) == maxDocuments:
			return nil, nil, malformed(fmt.Sprintf("more than %d Documents in one request", maxDocuments))
		}
		id, _ := child.Attr("", "id")
		one := provided{id: metadata.NormalID(strings.TrimSpace(id)), node: child}
		if one.contentID, err = attachmentOf(child); err != nil {
			return nil, nil, malformed(fmt.Sprintf("Document %d: %v", len(d.list)+1, err))
		}
		if one.contentID != "" {
			if _, twice := d.pending[one.contentID]; twice {
				return nil, nil, malformed("two Documents refer to the same attachment")
			}
			d.pending[one.contentID] = one.id
		}
		d.list = append(d.list, one)
	}
	return submission, d, nil
}

// attachmentOf returns the Content-ID that the xop:Include in a Document refers to, "" if there is none.
func attachmentOf(n xmlsec.Node) (contentID string, err error) {
	for range n.Elements() {
		include, err := n.Only(soap.NSInclude, "Include")
		if err != nil {
			return "", err
		}
		return soap.IncludeID(include)
	}
	return "", nil
}

// ids returns the ids of the documents, in their order.
func (d *documents) ids() []string {
	ids := make([]string, len(d.list))
	for i := range d.list {
		ids[i] = d.list[i].id
	}
	return ids
}

// attach says where the attachments come from.
func (d *documents) attach(request *soap.Request, caller xua.Caller, submission *metadata.Objects) *soap.Fault {
	d.attachments = request.Attachments
	if d.attachments == nil {
		if len(d.pending) > 0 {
			return malformed("a Document refers to an attachment that is not there")
		}
		return nil
	}
	// The signature is over the Body as it stands, without these documents: it covers them by their hashes only.
	for i := range submission.Documents {
		if caller.Tier == xua.TierA && submission.Documents[i].Hash == "" {
			return malformed("a signed request of this size needs the hash of each document in its metadata")
		}
	}
	return nil
}

// Next implements Incoming.
func (d *documents) Next() (string, io.Reader, error) {
	if d.err != nil {
		return "", nil, d.err
	}
	id, content, err := d.following()
	if err == nil {
		// Clients that have lost a document send an empty one. (DirectProject/nhin-d#220)
		r := bufio.NewReader(content)
		if _, err = r.Peek(1); err == nil {
			return id, r, nil
		}
		if err == io.EOF {
			err = &Error{Code: metadata.RepositoryError, Context: "a document is empty"}
		}
	}
	d.err = err
	return "", nil, err
}

// following returns the next document, which may be empty.
func (d *documents) following() (id string, content io.Reader, err error) {
	for d.next < len(d.list) {
		one := d.list[d.next]
		d.next++
		if one.contentID != "" {
			continue
		}
		b, err := decode(one.node)
		if err != nil {
			return "", nil, malformed(fmt.Sprintf("Document %d: %v", d.next, err))
		}
		return one.id, bytes.NewReader(b), nil
	}
	for d.attachments != nil {
		contentID, content, err := d.attachments.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return "", nil, err
		}
		if id, ok := d.pending[contentID]; ok { // else it is no part of the message. XOP 1.0 section 2.1
			delete(d.pending, contentID)
			return id, content, nil
		}
	}
	if len(d.pending) > 0 {
		return "", nil, malformed("a Document refers to an attachment that is not there")
	}
	return "", nil, io.EOF
}

// provision makes the parts of an ITI-41 request.
type provision struct {
	submission *metadata.Objects
	documents  Incoming
	indices    map[string]int // in submission.Documents by id, of documents that have not been sent
}

func newProvision(submission *metadata.Objects, documents Incoming) *provision {
	p := &provision{submission, documents, map[string]int{}}
	for i := range submission.Documents {
		p.indices[submission.Documents[i].ID] = i
	}
	return p
}

// next returns the next document as an attachment.
func (p *provision) next() (mtom.Part, io.Reader, error) {
	id, content, err := p.documents.Next()
	switch {
	case err == io.EOF && len(p.indices) > 0:
		err = fmt.Errorf("%d documents of the submission did not come: %w", len(p.indices), io.ErrUnexpectedEOF)
	case err == nil:
		i, ok := p.indices[id]
		if ok {
			delete(p.indices, id)
			return mtom.Part{ContentID: contentID(i), ContentType: partType(p.submission.Documents[i].MimeType), Size: p.size(i)}, content, nil
		}
		err = errors.New("there is a document without an entry in the submission, or one that came twice")
	}
	return mtom.Part{}, nil, err
}

// size returns the size of a document as its entry has it, or -1.
func (p *provision) size(i int) int64 {
	n, err := strconv.ParseInt(p.submission.Documents[i].Size, 10, 64)
	if err != nil {
		return -1
	}
	return n
}

// appendProvide serialises a ProvideAndRegisterDocumentSetRequest, in which an xop:Include stands for each document.
func appendProvide(b []byte, submission *metadata.Objects) []byte {
	b = append(b, `<xdsb:ProvideAndRegisterDocumentSetRequest xmlns:xdsb="`+NSXDSb+`">`...)
	b = metadata.AppendSubmission(b, submission)
	for i := range submission.Documents {
		b = append(b, `<xdsb:Document id="`...)
		b = xmlsec.EscapeAttr(b, submission.Documents[i].ID)
		b = append(b, `">`+include(i)+`</xdsb:Document>`...)
	}
	return append(b, `</xdsb:ProvideAndRegisterDocumentSetRequest>`...)
}
