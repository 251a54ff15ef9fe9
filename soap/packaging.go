package soap

import (
	"errors"
	"fmt"
	"io"
	"net/http"

	"collimate/soap/mtom"
	"collimate/xmlsec"
)

const typeSimple = "application/soap+xml"

// unsupportedType is the fault for a Content-Type that is no packaging of SOAP 1.2.
type unsupportedType struct{ error }

// readPackage reads an HTTP request body into an envelope, with the attachments, if any, put back into it.
func readPackage(body io.Reader, header http.Header, l Limits) (doc *xmlsec.Document, isMTOM bool, err error) {
	if e := header.Get("Content-Encoding"); e != "" && e != "identity" {
		return nil, false, unsupportedType{errors.New("the request has a Content-Encoding, none is supported")}
	}
	contentType := header.Get("Content-Type")
	ct, err := mtom.ParseContentType(contentType)
	if err != nil {
		return nil, false, unsupportedType{errors.New("the request has no Content-Type that can be read")}
	}
	switch ct.MediaType {
	case typeSimple:
		b, err := io.ReadAll(body)
		if err != nil {
			return nil, false, err
		}
		doc, err := xmlsec.Parse(b, xmlLimits(l.RequestBytes))
		return doc, false, err
	case "multipart/related":
		doc, err := readMTOM(body, contentType, l)
		return doc, true, err
	case "text/xml":
		return nil, false, unsupportedType{errors.New("text/xml is SOAP 1.1: use SOAP 1.2, application/soap+xml, in multipart/related where the transaction is MTOM")}
	}
	return nil, false, unsupportedType{errors.New("the Content-Type is neither multipart/related nor application/soap+xml")}
}

// readMTOM reads all the parts of a request. The root is the part that start names, or the first.
func readMTOM(body io.Reader, contentType string, l Limits) (*xmlsec.Document, error) {
	r, err := mtom.NewReader(body, contentType, mtom.Limits{Parts: l.Parts, HeaderBytes: mtom.DefaultLimits.HeaderBytes})
	if err != nil {
		return nil, err
	}
	start := mtom.TrimID(r.ContentType.Parameters["start"])
	parts := map[string][]byte{}
	var first, root []byte
	for n := 0; ; n++ {
		p, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, err
		}
		b, err := io.ReadAll(p)
		if err != nil {
			return nil, err
		}
		if n == 0 {
			first = b
		}
		if p.ContentID == start && start != "" {
			root = b
		}
		parts[p.ContentID] = b
	}
	if root == nil {
		root = first // QUIRK: a start that is absent, or not the Content-ID of any part (ITI TF-2: V.9.3.1)
	}
	doc, err := xmlsec.Parse(root, xmlLimits(l.RequestBytes))
	if err != nil {
		return nil, err
	}
	// Base64 is a third longer than the parts, which are within RequestBytes.
	whole, err := inline(doc, parts, xmlLimits(2*l.RequestBytes))
	if err != nil && !isXML(err) {
		return nil, fmt.Errorf("%w: %w", errInclude, err)
	}
	return whole, err
}

func isXML(err error) bool {
	var syntax *xmlsec.SyntaxError
	var limit *xmlsec.LimitError
	return errors.As(err, &syntax) || errors.As(err, &limit)
}

// packageFault says why a package could not be read.
func packageFault(err error) *Fault {
	var tooLarge *http.MaxBytesError
	var unsupported unsupportedType
	var format *mtom.FormatError
	switch {
	case errors.As(err, &tooLarge):
		return senderFault(fmt.Sprintf("the request has more than %d bytes", tooLarge.Limit), err)
	case errors.As(err, &unsupported):
		return senderFault(unsupported.Error(), nil)
	case errors.As(err, &format):
		return senderFault("the request is not well-formed MTOM: "+format.Msg, err)
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return senderFault("the request ends before its closing boundary", err)
	case errors.Is(err, errInclude):
		return senderFault("an xop:Include cannot be resolved: it needs an href with cid:, a part of its own, and to be the only child of its element", err)
	case isXML(err):
		return xmlFault(err)
	}
	return senderFault("the request cannot be read", err)
}
