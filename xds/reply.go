package xds

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"collimate/soap"
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
	errors    []*Error
	documents []Document
	bodies    []body
}

// parseRetrieveResponse reads a RetrieveDocumentSetResponse. ITI TF-2: 3.43.4.2.2
func parseRetrieveResponse(n xmlsec.Node) (*retrieveReply, error) {
	t := transaction(ITI43)
	if !n.Is(t.Namespace, t.Response) {
		return nil, fmt.Errorf("the child of Body is not a %s", t.Response)
	}
	registry, err := n.Only(NSRS, "RegistryResponse")
	if err != nil {
		return nil, err
	}
	a := &retrieveReply{}
	if err := a.parseRegistryResponse(registry); err != nil {
		return nil, err
	}
	for child := range n.Elements() {
		switch {
		case child == registry:
			continue
		case !child.Is(NSXDSb, "DocumentResponse"):
			return nil, fmt.Errorf("a %s has a child that is neither RegistryResponse nor DocumentResponse", t.Response)
		case len(a.documents) == maxDocumentRequests:
			return nil, fmt.Errorf("more than %d DocumentResponses", maxDocumentRequests)
		}
		if err := a.parseDocumentResponse(child); err != nil {
			return nil, fmt.Errorf("DocumentResponse %d: %w", len(a.documents)+1, err)
		}
	}
	return a, a.consistent()
}

// parseRegistryResponse reads status and errors. ITI TF-3: 4.2.4
func (a *retrieveReply) parseRegistryResponse(n xmlsec.Node) error {
	status, _ := n.Attr("", "status")
	switch s := Status(strings.TrimSpace(status)); s {
	case Success, PartialSuccess, Failure:
		a.status = s
	case "urn:oasis:names:tc:ebxml-regrep:ResponseStatusType:PartialSuccess":
		a.status = PartialSuccess // QUIRK: the prefix of ebXML (dcm4chee-arc-light#1061)
	default:
		return errors.New("the status of the RegistryResponse is not known")
	}
	list, ok := n.Child(NSRS, "RegistryErrorList")
	if !ok {
		return nil
	}
	for e := range list.Elements() {
		if !e.Is(NSRS, "RegistryError") {
			return errors.New("a RegistryErrorList has a child that is not a RegistryError")
		}
		if len(a.errors) == maxErrors {
			return fmt.Errorf("more than %d RegistryErrors", maxErrors)
		}
		code, _ := e.Attr("", "errorCode")
		context, _ := e.Attr("", "codeContext")
		severity, _ := e.Attr("", "severity")
		location, _ := e.Attr("", "location")
		// Codes that we do not know are common (dcm4chee-arc-light#4890), and kept.
		x := &Error{Code: ErrorCode(strings.TrimSpace(code)), Context: strings.TrimSpace(context), Severity: SeverityError, Location: strings.TrimSpace(location)}
		if strings.TrimSpace(severity) == string(SeverityWarning) {
			x.Severity = SeverityWarning
		}
		if len(x.Context) > maxCodeContext {
			x.Context = strings.ToValidUTF8(x.Context[:maxCodeContext], "")
		}
		a.errors = append(a.errors, x)
	}
	return nil
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
	for range n.Elements() {
		include, err := n.Only(soap.NSInclude, "Include")
		if err != nil {
			return body{}, err
		}
		id, err := soap.IncludeID(include)
		return body{contentID: id}, err
	}
	text, err := n.Text()
	if err != nil {
		return body{}, err
	}
	bytes, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(text), ""))
	if err != nil {
		return body{}, errors.New("the content is not base64")
	}
	if len(bytes) == 0 {
		return body{}, errors.New("it is empty")
	}
	return body{inline: bytes}, nil
}

// consistent compares the status with what follows it. ITI TF-3: Table 4.2.4.2-4
func (a *retrieveReply) consistent() error {
	failed := highestSeverity(a.errors) == SeverityError
	switch {
	case a.status == Success && failed:
		return errors.New("the status is Success, but there are errors")
	case a.status == Success && len(a.documents) == 0:
		return errors.New("the status is Success, but there is no document")
	case a.status != Success && !failed:
		return errors.New("the status is not Success, but there is no error")
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
		if e.severity() == SeverityError && !asked[e.Location] {
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
