package xds

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"collimate/xds/metadata"
	"collimate/xmlsec"
)

// body is where the bytes of a document are: in the envelope, or in an attachment.
type body struct {
	inline    []byte
	contentID string // "" if inline
}

// retrieveReply is a parsed RetrieveDocumentSetResponse. bodies goes with documents.
type retrieveReply struct {
	status    Status
	errors    metadata.Errors
	documents []Document
	bodies    []body
}

// parseRetrieveResponse reads a RetrieveDocumentSetResponse. ITI TF-2: 3.43.4.2.2
func parseRetrieveResponse(n xmlsec.Node) (*retrieveReply, error) {
	registry, err := n.Only(registryResponse.Space, registryResponse.Local)
	if err != nil {
		return nil, err
	}
	a := &retrieveReply{}
	if a.status, a.errors, err = metadata.ParseStatus(registry); err != nil {
		return nil, err
	}
	for child := range n.Elements() {
		switch {
		case child == registry:
			continue
		case !child.Is(NSXDSb, "DocumentResponse"):
			return nil, fmt.Errorf("a %s has a child that is neither RegistryResponse nor DocumentResponse", n.Local())
		case len(a.documents) == maxDocuments:
			return nil, fmt.Errorf("more than %d DocumentResponses", maxDocuments)
		}
		if err := a.parseDocumentResponse(child); err != nil {
			return nil, fmt.Errorf("DocumentResponse %d: %w", len(a.documents)+1, err)
		}
	}
	return a, a.consistent()
}

func (a *retrieveReply) parseDocumentResponse(n xmlsec.Node) error {
	var d Document
	var content xmlsec.Node
	fields := map[string]*string{
		"HomeCommunityId": &d.HomeCommunityID, "RepositoryUniqueId": &d.RepositoryUniqueID, "DocumentUniqueId": &d.DocumentUniqueID,
		"NewRepositoryUniqueId": &d.NewRepositoryUniqueID, "NewDocumentUniqueId": &d.NewDocumentUniqueID, "mimeType": &d.MimeType,
	}
	for child := range n.Elements() {
		field, known := fields[child.Local()]
		switch {
		case child.Is(NSXDSb, "Document") && content.IsZero():
			content = child
		case known && child.Space() == NSXDSb && *field == "":
			text, err := child.Text()
			if err != nil {
				return fmt.Errorf("%s: %w", child.Local(), err)
			}
			*field = strings.TrimSpace(text)
		default:
			return errors.New("an element is repeated or not known")
		}
	}
	if d.RepositoryUniqueID == "" || d.DocumentUniqueID == "" || d.MimeType == "" || content.IsZero() {
		return errors.New("RepositoryUniqueId, DocumentUniqueId, mimeType or Document is missing")
	}
	if len(d.NewRepositoryUniqueID) > maxOID || len(d.NewDocumentUniqueID) > maxDocumentUniqueID {
		return errors.New("an identifier is too long")
	}
	b, err := parseBody(content)
	if err != nil {
		return fmt.Errorf("Document: %w", err)
	}
	d.Size = -1
	if b.contentID == "" {
		d.Size = int64(len(b.inline))
	}
	a.documents, a.bodies = append(a.documents, d), append(a.bodies, b)
	return nil
}

// parseBody reads the content of a Document element, which is base64 or one xop:Include. ITI TF-2: V.8.2
func parseBody(n xmlsec.Node) (body, error) {
	id, err := attachmentOf(n)
	if id != "" || err != nil {
		return body{contentID: id}, err
	}
	bytes, err := decode(n)
	if err != nil {
		return body{}, err
	}
	if len(bytes) == 0 {
		return body{}, errors.New("it is empty")
	}
	return body{inline: bytes}, nil
}

// decode returns the base64 that an element holds, as bytes.
func decode(n xmlsec.Node) ([]byte, error) {
	text, err := n.Text()
	if err != nil {
		return nil, err
	}
	b, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(text), ""))
	if err != nil {
		return nil, errors.New("the content is not base64")
	}
	return b, nil
}

// consistent compares the status with the documents that follow it. ITI TF-3: Table 4.2.4.2-4
func (a *retrieveReply) consistent() error {
	switch {
	case a.status == Success && len(a.documents) == 0:
		return errors.New("the status is Success, but there is no document")
	case a.status == Failure && len(a.documents) > 0:
		return errors.New("the status is Failure, but there are documents")
	}
	return nil
}

// match compares the answer with the request: identifiers have to be echoed exactly, HomeCommunityId among
// them, and each document answered or refused. An error whose location is none of the documents asked (peers
// leave it empty, or put a community there) is taken for each document that has no error of its own; what the
// peer does not answer at all gets an error here.
func (a *retrieveReply) match(requests []DocumentRequest) error {
	asked := map[string]bool{}
	for _, r := range requests {
		asked[r.DocumentUniqueID] = true
	}
	var located, strays []*Error
	for _, e := range a.errors {
		if e.Severity != SeverityWarning && !asked[e.Location] {
			strays = append(strays, e)
		} else {
			located = append(located, e)
		}
	}
	answer := &RetrieveResponse{Documents: a.documents, Errors: located, Content: noContent{}}
	if err := reconcile(requests, answer); err != nil {
		return fmt.Errorf("the answer does not fit the request: %w", err)
	}
	a.errors = answer.Errors
	for i, e := range a.errors[len(located):] { // those that reconcile has added
		if len(strays) > 0 {
			stray := strays[min(i, len(strays)-1)]
			e.Code, e.Context = stray.Code, stray.Context
		}
	}
	return nil
}
