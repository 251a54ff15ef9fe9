package xdsi

import (
	"fmt"
	"slices"
	"strings"

	"collimate/soap"
	"collimate/xds"
	"collimate/xds/metadata"
	"collimate/xmlsec"
)

// retrieval is a RetrieveImagingDocumentSetRequest.
type retrieval struct {
	requests         []ImagingRequest
	transferSyntaxes []string
}

// image is one image of a request, with what is asked of all.
type image struct {
	ImagingRequest
	anySyntax bool // the request has a transfer syntax
}

// images returns the images of a request.
func (r *retrieval) images() []image {
	images := make([]image, len(r.requests))
	for i := range r.requests {
		images[i] = image{r.requests[i], len(r.transferSyntaxes) > 0}
	}
	return images
}

// Unanswerable implements xds.Asked. That requests of this kind are answered, image by image, and not refused as
// malformed, is what the IHE toolkit wants (ids_2018-4811). Its own error code, XDSIRequestError, which is in no
// standard, is where it looks for it, in the sentence.
func (r image) Unanswerable() *xds.Error {
	wrong := func(what string) *xds.Error {
		return &xds.Error{Code: xds.RepositoryError, Context: "XDSIRequestError: " + what, Location: r.DocumentUniqueID}
	}
	switch {
	case !isUID(r.StudyInstanceUID):
		return wrong("the studyInstanceUID is not a UID")
	case !isUID(r.SeriesInstanceUID):
		return wrong("the seriesInstanceUID is not a UID")
	case !r.anySyntax:
		return wrong("there is no TransferSyntaxUID that is a UID")
	case !isUID(r.DocumentUniqueID):
		return &xds.Error{Code: xds.DocumentUniqueIDError, Context: "the DocumentUniqueId is not a UID", Location: r.DocumentUniqueID}
	}
	return r.DocumentRequest.Unanswerable()
}

// isUID reports whether s has the shape of a UID, at most 64 characters. DICOM PS3.5 9.1
func isUID(s string) bool { return metadata.IsOID(s) }

func malformed(format string, a ...any) *soap.Fault {
	return &soap.Fault{Code: soap.Sender, Reason: fmt.Sprintf(format, a...)}
}

// parseRequest reads a RetrieveImagingDocumentSetRequest. Identifiers are trimmed of blanks; the order of children does
// not matter. RAD TF-3: 4.69.4.1.2
func parseRequest(n xmlsec.Node) (*retrieval, *soap.Fault) {
	r := &retrieval{}
	var list xmlsec.Node
	for child := range n.Elements() {
		switch {
		case child.Is(xds.NSXDSI, "StudyRequest"):
			if fault := r.parseStudy(child); fault != nil {
				return nil, fault
			}
		case child.Is(xds.NSXDSI, "TransferSyntaxUIDList") && list.IsZero():
			list = child
		default:
			return nil, malformed("a %s has a child other than StudyRequests and one TransferSyntaxUIDList", n.Local())
		}
	}
	if len(r.requests) == 0 {
		return nil, malformed("a %s has no StudyRequest", n.Local())
	}
	if list.IsZero() {
		return r, nil
	}
	return r, r.parseTransferSyntaxes(list)
}

func (r *retrieval) parseStudy(n xmlsec.Node) *soap.Fault {
	study, before := uid(n, "studyInstanceUID"), len(r.requests)
	for child := range n.Elements() {
		if !child.Is(xds.NSXDSI, "SeriesRequest") {
			return malformed("a StudyRequest has a child that is not a SeriesRequest")
		}
		if fault := r.parseSeries(study, child); fault != nil {
			return fault
		}
	}
	if len(r.requests) == before {
		return malformed("a StudyRequest has no SeriesRequest")
	}
	return nil
}

func (r *retrieval) parseSeries(study string, n xmlsec.Node) *soap.Fault {
	series, before := uid(n, "seriesInstanceUID"), len(r.requests)
	for child := range n.Elements() {
		switch {
		case !child.Is(xds.NSXDSb, "DocumentRequest"):
			return malformed("a SeriesRequest has a child that is not a DocumentRequest in namespace %s", xds.NSXDSb)
		case len(r.requests) == maxImages:
			return malformed("more than %d DocumentRequests in one request", maxImages)
		}
		d, fault := xds.ParseDocumentRequest(child)
		if fault != nil {
			return fault
		}
		r.requests = append(r.requests, ImagingRequest{study, series, d})
	}
	if len(r.requests) == before {
		return malformed("a SeriesRequest has no DocumentRequest")
	}
	return nil
}

// uid returns an attribute without blanks around it, as peers send them.
func uid(n xmlsec.Node, name string) string {
	value, _ := n.Attr("", name)
	return strings.TrimSpace(value)
}

// parseTransferSyntaxes reads the list, and leaves out what is no UID or stands in it twice.
func (r *retrieval) parseTransferSyntaxes(n xmlsec.Node) *soap.Fault {
	count := 0
	for child := range n.Elements() {
		if count++; count > maxTransferSyntaxes {
			return malformed("more than %d TransferSyntaxUIDs in one request", maxTransferSyntaxes)
		}
		text, err := child.Text()
		if !child.Is(xds.NSXDSI, "TransferSyntaxUID") || err != nil {
			return malformed("a TransferSyntaxUIDList has a child that is not a TransferSyntaxUID with a text")
		}
		if text = strings.TrimSpace(text); isUID(text) && !slices.Contains(r.transferSyntaxes, text) {
			r.transferSyntaxes = append(r.transferSyntaxes, text)
		}
	}
	return nil
}

// appendRequest serialises a RetrieveImagingDocumentSetRequest, in which images of one study or series that follow each
// other stand together.
func appendRequest(b []byte, r *retrieval) []byte {
	b = append(b, `<iherad:RetrieveImagingDocumentSetRequest xmlns:iherad="`+xds.NSXDSI+`" xmlns:xdsb="`+xds.NSXDSb+`">`...)
	for i, image := range r.requests {
		var before, after ImagingRequest
		if i > 0 {
			before = r.requests[i-1]
		}
		if i+1 < len(r.requests) {
			after = r.requests[i+1]
		}
		newStudy := i == 0 || before.StudyInstanceUID != image.StudyInstanceUID
		newSeries := newStudy || before.SeriesInstanceUID != image.SeriesInstanceUID
		lastOfStudy := i+1 == len(r.requests) || after.StudyInstanceUID != image.StudyInstanceUID
		lastOfSeries := lastOfStudy || after.SeriesInstanceUID != image.SeriesInstanceUID
		if newStudy {
			b = appendStart(b, "StudyRequest", "studyInstanceUID", image.StudyInstanceUID)
		}
		if newSeries {
			b = appendStart(b, "SeriesRequest", "seriesInstanceUID", image.SeriesInstanceUID)
		}
		b = xds.AppendDocumentRequest(b, image.DocumentRequest)
		if lastOfSeries {
			b = append(b, `</iherad:SeriesRequest>`...)
		}
		if lastOfStudy {
			b = append(b, `</iherad:StudyRequest>`...)
		}
	}
	b = append(b, `<iherad:TransferSyntaxUIDList>`...)
	for _, uid := range r.transferSyntaxes {
		b = append(b, `<iherad:TransferSyntaxUID>`...)
		b = xmlsec.EscapeText(b, uid)
		b = append(b, `</iherad:TransferSyntaxUID>`...)
	}
	return append(b, `</iherad:TransferSyntaxUIDList></iherad:RetrieveImagingDocumentSetRequest>`...)
}

func appendStart(b []byte, element, attribute, value string) []byte {
	b = append(b, `<iherad:`+element+` `+attribute+`="`...)
	b = xmlsec.EscapeAttr(b, value)
	return append(b, `">`...)
}
