package xds

import (
	"fmt"
	"strings"

	"collimate/soap"
	"collimate/xds/metadata"
	"collimate/xmlsec"
)

// parseRetrieveRequest reads a RetrieveDocumentSetRequest. The texts are trimmed: peers send blanks and line
// breaks around identifiers. The order of the children of a DocumentRequest does not matter, since real
// messages violate it. ITI TF-2: 3.43.4.1.2
func parseRetrieveRequest(n xmlsec.Node) ([]DocumentRequest, *soap.Fault) {
	var requests []DocumentRequest
	for child := range n.Elements() {
		if !child.Is(NSXDSb, "DocumentRequest") {
			return nil, malformed("a " + n.Local() + " has a child that is not a DocumentRequest")
		}
		if len(requests) == maxDocumentRequests {
			return nil, malformed(fmt.Sprintf("more than %d DocumentRequests in one request", maxDocumentRequests))
		}
		r, fault := ParseDocumentRequest(child)
		if fault != nil {
			return nil, fault
		}
		requests = append(requests, r)
	}
	if len(requests) == 0 {
		return nil, malformed("a " + n.Local() + " has no DocumentRequest")
	}
	return requests, nil
}

// ParseDocumentRequest reads an xdsb:DocumentRequest, of ITI-43 or of RAD-69.
func ParseDocumentRequest(n xmlsec.Node) (DocumentRequest, *soap.Fault) {
	var r DocumentRequest
	fields := []struct {
		name     string
		value    *string
		limit    int
		required bool
		seen     bool
	}{
		{"HomeCommunityId", &r.HomeCommunityID, maxHomeCommunityID, false, false},
		{"RepositoryUniqueId", &r.RepositoryUniqueID, maxOID, true, false},
		{"DocumentUniqueId", &r.DocumentUniqueID, maxDocumentUniqueID, true, false},
	}
children:
	for child := range n.Elements() {
		for i := range fields {
			f := &fields[i]
			if !child.Is(NSXDSb, f.name) {
				continue
			}
			if f.seen {
				return r, malformed("a DocumentRequest has " + f.name + " twice")
			}
			f.seen = true
			text, err := child.Text()
			if err != nil {
				return r, malformed(f.name + " has child elements, a text is expected")
			}
			if *f.value = strings.TrimSpace(text); len(*f.value) > f.limit {
				return r, malformed(fmt.Sprintf("%s has more than %d characters", f.name, f.limit))
			}
			continue children
		}
		return r, malformed("a DocumentRequest has a child other than HomeCommunityId, RepositoryUniqueId and DocumentUniqueId")
	}
	for _, f := range fields {
		if f.required && *f.value == "" {
			return r, malformed("a DocumentRequest has no " + f.name)
		}
	}
	return r, nil
}

// Document implements Asked.
func (r DocumentRequest) Document() DocumentRequest { return r }

// Unanswerable implements Asked: identifiers of another form than they must have name nothing.
func (r DocumentRequest) Unanswerable() *Error {
	switch {
	case r.HomeCommunityID != "" && !isHomeCommunityID(r.HomeCommunityID):
		return &Error{Code: UnknownCommunity, Context: "the HomeCommunityId is not a urn:oid", Location: r.DocumentUniqueID}
	case !metadata.IsOID(r.RepositoryUniqueID):
		return &Error{Code: UnknownRepositoryID, Context: "the RepositoryUniqueId is not an OID", Location: r.DocumentUniqueID}
	case !isDocumentUniqueID(r.DocumentUniqueID):
		return &Error{Code: DocumentUniqueIDError, Context: "the DocumentUniqueId is not an OID, an OID with an extension, or a URN", Location: r.DocumentUniqueID}
	}
	return nil
}

// appendRetrieveRequest serialises a RetrieveDocumentSetRequest.
func appendRetrieveRequest(b []byte, requests []DocumentRequest) []byte {
	b = append(b, `<xdsb:RetrieveDocumentSetRequest xmlns:xdsb="`+NSXDSb+`">`...)
	for _, r := range requests {
		b = AppendDocumentRequest(b, r)
	}
	return append(b, `</xdsb:RetrieveDocumentSetRequest>`...)
}

// AppendDocumentRequest serialises a DocumentRequest, in a scope where the prefix xdsb is declared.
func AppendDocumentRequest(b []byte, r DocumentRequest) []byte {
	b = append(b, `<xdsb:DocumentRequest>`...)
	b = appendIDs(b, r)
	return append(b, `</xdsb:DocumentRequest>`...)
}

// appendIDs serialises the identifiers of a document, in a request and, the same, in its answer.
func appendIDs(b []byte, r DocumentRequest) []byte {
	b = appendElement(b, "HomeCommunityId", r.HomeCommunityID)
	b = appendElement(b, "RepositoryUniqueId", r.RepositoryUniqueID)
	return appendElement(b, "DocumentUniqueId", r.DocumentUniqueID)
}

// appendElement serialises an xdsb element that holds text, or nothing if the text is empty.
func appendElement(b []byte, name, text string) []byte {
	if text = strings.TrimSpace(text); text == "" {
		return b
	}
	b = append(b, `<xdsb:`+name+`>`...)
	b = xmlsec.EscapeText(b, text)
	return append(b, `</xdsb:`+name+`>`...)
}
