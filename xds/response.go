package xds

import (
	"strconv"

	"collimate/soap"
	"collimate/soap/mtom"
	"collimate/xds/metadata"
)

// contentID names the attachment of a document. It has to be unique in one message only.
func contentID(i int) string { return "document-" + strconv.Itoa(i+1) + "@collimate" }

// include is what stands for a document that is an attachment.
func include(i int) string {
	return `<xop:Include xmlns:xop="` + soap.NSInclude + `" href="cid:` + contentID(i) + `"/>`
}

// partType is the media type that the part of a document is labelled with.
func partType(mimeType string) string {
	if !isMimeType(mimeType) {
		return "application/octet-stream"
	}
	return mimeType
}

// attachments describes the documents of an answer as parts of an MTOM message.
func attachments(documents []Document) []mtom.Part {
	parts := make([]mtom.Part, len(documents))
	for i := range documents {
		parts[i] = mtom.Part{ContentID: contentID(i), ContentType: partType(documents[i].MimeType), Size: documents[i].Size}
	}
	return parts
}

// appendRetrieveResponse serialises a RetrieveDocumentSetResponse, in which an xop:Include stands for each
// document. ITI TF-2: 3.43.4.2.2, 3.43.5
func appendRetrieveResponse(b []byte, r *RetrieveResponse) []byte {
	b = append(b, `<xdsb:RetrieveDocumentSetResponse xmlns:xdsb="`+NSXDSb+`">`...)
	b = metadata.AppendRegistryResponse(b, r.Status(), r.Errors)
	for i := range r.Documents {
		d := &r.Documents[i]
		b = append(b, `<xdsb:DocumentResponse>`...)
		b = appendIDs(b, d.DocumentRequest)
		// The order is that of the schema, XDS.b_DocumentRepository.xsd.
		b = appendElement(b, "NewRepositoryUniqueId", d.NewRepositoryUniqueID)
		b = appendElement(b, "NewDocumentUniqueId", d.NewDocumentUniqueID)
		b = appendElement(b, "mimeType", partType(d.MimeType))
		b = append(b, `<xdsb:Document>`+include(i)+`</xdsb:Document>`...)
		b = append(b, `</xdsb:DocumentResponse>`...)
	}
	return append(b, `</xdsb:RetrieveDocumentSetResponse>`...)
}
