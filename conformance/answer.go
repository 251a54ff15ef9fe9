package conformance

import (
	"encoding/base64"
	"fmt"
	"strings"

	"github.com/beevik/etree"
)

// DocumentRef names one document in a request. ITI TF-2: 3.43.4.1.2
type DocumentRef struct {
	HomeCommunityID    string // urn:oid:..., left out of the message when empty
	RepositoryUniqueID string
	DocumentUniqueID   string
}

// Document is one DocumentResponse. Its bytes have gone to Consumer.Body. ITI TF-2: 3.43.4.2.2
type Document struct {
	DocumentRef
	NewRepositoryUniqueID string
	NewDocumentUniqueID   string
	MimeType              string
	// Inline says that the bytes stood in the envelope as base64 rather than in a part of their own.
	Inline bool
	// Size is the number of bytes delivered. It is 0 while Consumer.Body is asked for a writer.
	Size int64

	cid    string // the Content-ID that xop:Include names, unescaped
	inline []byte // decoded base64
	got    bool   // the bytes have been delivered
}

// RegistryError is one entry of the RegistryErrorList. ITI TF-3: 4.2.4.1
type RegistryError struct {
	Code     string // errorCode
	Context  string // codeContext
	Severity string // the whole URN
	Location string // in ITI-43 the DocumentUniqueId
}

// Answer is a RetrieveDocumentSetResponse, or another answer with a status and errors.
type Answer struct {
	Status    string // the whole URN: StatusSuccess, StatusFailure, StatusPartialSuccess, or what came
	Errors    []RegistryError
	Documents []Document
	// RawEnvelope is the SOAP envelope as it came, without the parts.
	RawEnvelope []byte
}

// readAnswer reads the element that answers as leniently as can be done without guessing: names and order
// are for the rules to judge. It returns an error where bytes would be lost.
func readAnswer(payload *etree.Element) (*Answer, error) {
	a := &Answer{}
	if rr := registryResponse(payload); rr != nil {
		a.Status = rr.SelectAttrValue("status", "")
		for _, e := range children(child(rr, nsRS, "RegistryErrorList"), nsRS, "RegistryError") {
			a.Errors = append(a.Errors, RegistryError{
				Code:     e.SelectAttrValue("errorCode", ""),
				Context:  e.SelectAttrValue("codeContext", ""),
				Severity: e.SelectAttrValue("severity", ""),
				Location: e.SelectAttrValue("location", ""),
			})
		}
	}
	for i, e := range children(payload, nsXDSB, "DocumentResponse") {
		d := Document{
			DocumentRef: DocumentRef{
				HomeCommunityID:    childText(e, nsXDSB, "HomeCommunityId"),
				RepositoryUniqueID: childText(e, nsXDSB, "RepositoryUniqueId"),
				DocumentUniqueID:   childText(e, nsXDSB, "DocumentUniqueId"),
			},
			NewRepositoryUniqueID: childText(e, nsXDSB, "NewRepositoryUniqueId"),
			NewDocumentUniqueID:   childText(e, nsXDSB, "NewDocumentUniqueId"),
			MimeType:              childText(e, nsXDSB, "mimeType"),
		}
		if err := d.readContent(child(e, nsXDSB, "Document")); err != nil {
			return nil, fmt.Errorf("document %d of the answer: %w", i+1, err)
		}
		a.Documents = append(a.Documents, d)
	}
	return a, nil
}

// readContent finds out where the bytes of a document are. VAL-MTOM-01
func (d *Document) readContent(e *etree.Element) error {
	if e == nil {
		d.Inline = true // IPF-19 says that it must be there; there are no bytes to lose
		return nil
	}
	includes := children(e, nsXOP, "Include")
	switch len(includes) {
	case 1:
		id, err := unescapeCID(includes[0].SelectAttrValue("href", ""))
		d.cid = id
		return err
	case 0:
		d.Inline = true
		text := strings.Join(strings.Fields(e.Text()), "")
		var err error
		if d.inline, err = base64.StdEncoding.DecodeString(text); err != nil {
			return fmt.Errorf("its inline content is not base64: %w", err)
		}
		return nil
	}
	return fmt.Errorf("it has %d xop:Include, want one at most", len(includes))
}

// Fault is a SOAP fault as it came. It implements error.
type Fault struct {
	HTTPStatus int
	Code       string // local name: Sender, Receiver, VersionMismatch, MustUnderstand
	Subcode    string // local name of the first subcode, if any
	Reason     string
}

// Error names the code, the subcode and the reason.
func (f *Fault) Error() string {
	code := f.Code
	if f.Subcode != "" {
		code += "/" + f.Subcode
	}
	return fmt.Sprintf("SOAP fault %s (HTTP %d): %s", code, f.HTTPStatus, f.Reason)
}

// readFault reads a SOAP 1.2 fault, or a 1.1 fault, which is the answer to a 1.1 message. SOAP 1.2 part 1: 5.4
func readFault(e *etree.Element, httpStatus int) *Fault {
	if e.NamespaceURI() == nsSOAP11 {
		return &Fault{HTTPStatus: httpStatus, Code: local(textOf(e.SelectElement("faultcode"))), Reason: textOf(e.SelectElement("faultstring"))}
	}
	code := child(e, nsSOAP, "Code")
	return &Fault{
		HTTPStatus: httpStatus,
		Code:       local(childText(code, nsSOAP, "Value")),
		Subcode:    local(childText(child(code, nsSOAP, "Subcode"), nsSOAP, "Value")),
		Reason:     childText(child(e, nsSOAP, "Reason"), nsSOAP, "Text"),
	}
}
