package xds

import (
	"strconv"
	"strings"

	"collimate/soap"
	"collimate/soap/mtom"
	"collimate/xmlsec"
)

// contentID names the attachment of a document. It has to be unique in one message only.
func contentID(i int) string { return "document-" + strconv.Itoa(i+1) + "@collimate" }

// mimeType is what a document is labelled with.
func (d *Document) mimeType() string {
	if !isMimeType(d.MimeType) {
		return "application/octet-stream"
	}
	return d.MimeType
}

// attachments describes the documents of an answer as parts of an MTOM message.
func attachments(documents []Document) []mtom.Part {
	parts := make([]mtom.Part, len(documents))
	for i := range documents {
		parts[i] = mtom.Part{ContentID: contentID(i), ContentType: documents[i].mimeType(), Size: documents[i].Size}
	}
	return parts
}

// appendRetrieveResponse serialises a RetrieveDocumentSetResponse, in which an xop:Include stands for each
// document. ITI TF-2: 3.43.4.2.2, 3.43.5
func appendRetrieveResponse(b []byte, r *RetrieveResponse) []byte {
	b = append(b, `<xdsb:RetrieveDocumentSetResponse xmlns:xdsb="`+NSXDSb+`">`...)
	b = appendRegistryResponse(b, r.Status(), r.Errors)
	for i := range r.Documents {
		d := &r.Documents[i]
		b = append(b, `<xdsb:DocumentResponse>`...)
		b = appendIDs(b, d.DocumentRequest)
		// The order is that of the schema, XDS.b_DocumentRepository.xsd.
		b = appendElement(b, "NewRepositoryUniqueId", d.NewRepositoryUniqueID)
		b = appendElement(b, "NewDocumentUniqueId", d.NewDocumentUniqueID)
		b = appendElement(b, "mimeType", d.mimeType())
		b = append(b, `<xdsb:Document><xop:Include xmlns:xop="`+soap.NSInclude+`" href="cid:`+contentID(i)+`"/></xdsb:Document>`...)
		b = append(b, `</xdsb:DocumentResponse>`...)
	}
	return append(b, `</xdsb:RetrieveDocumentSetResponse>`...)
}

// appendRegistryResponse serialises a RegistryResponse. ITI TF-3: 4.2.4.1
func appendRegistryResponse(b []byte, status Status, errors []*Error) []byte {
	b = append(b, `<rs:RegistryResponse xmlns:rs="`+NSRS+`" status="`+string(status)+`"`...)
	if len(errors) == 0 {
		return append(b, `/>`...)
	}
	b = append(b, `><rs:RegistryErrorList highestSeverity="`+string(highestSeverity(errors))+`">`...)
	for _, e := range errors {
		b = append(b, `<rs:RegistryError`...)
		b = appendAttribute(b, "errorCode", string(e.Code))
		b = appendAttribute(b, "codeContext", e.codeContext())
		b = appendAttribute(b, "severity", string(e.severity()))
		if e.Location != "" {
			b = appendAttribute(b, "location", e.Location)
		}
		b = append(b, `/>`...)
	}
	return append(b, `</rs:RegistryErrorList></rs:RegistryResponse>`...)
}

// codeContext returns the sentence with the code name in it, because test tools look for the name there
// (ENG-08 of the IHE toolkit).
func (e *Error) codeContext() string {
	s := strings.TrimSpace(e.Context)
	switch {
	case s == "":
		s = string(e.Code)
	case !strings.Contains(s, string(e.Code)):
		s = string(e.Code) + ": " + s
	}
	if len(s) > maxCodeContext {
		s = strings.ToValidUTF8(s[:maxCodeContext], "")
	}
	return s
}

func appendAttribute(b []byte, name, value string) []byte {
	b = append(b, ` `+name+`="`...)
	b = xmlsec.EscapeAttr(b, strings.TrimSpace(value))
	return append(b, '"')
}
