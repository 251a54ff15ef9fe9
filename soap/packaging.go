package soap

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"collimate/soap/mtom"
	"collimate/xmlsec"
)

const (
	typeSimple = "application/soap+xml"
	typeOld    = "text/xml" // SOAP 1.1
)

// unsupportedType is the fault for a Content-Type that is no packaging of SOAP 1.2.
type unsupportedType struct{ error }

// parser parses envelopes within limits.
type parser struct {
	limits Limits
	// admit is called with the bytes that are going to be parsed, and may wait or refuse; nil lets all pass.
	admit func(bytes int64) error
}

// parse parses an envelope with which so many bytes of attachments came: they will be text of it.
func (p parser) parse(b []byte, attached int64) (*xmlsec.Document, error) {
	if p.admit != nil {
		if err := p.admit(int64(len(b)) + 2*attached); err != nil {
			return nil, err
		}
	}
	return xmlsec.Parse(b, xmlLimits(p.limits.RequestBytes))
}

// readPackage reads an HTTP request body into an envelope, with the attachments, if any, put back into it.
func (p parser) readPackage(body io.Reader, header http.Header) (doc *xmlsec.Document, isMTOM bool, err error) {
	if e := header.Get("Content-Encoding"); e != "" && e != "identity" {
		return nil, false, unsupportedType{errors.New("the request has a Content-Encoding, none is supported")}
	}
	contentType := header.Get("Content-Type")
	ct, err := mtom.ParseContentType(contentType)
	if err != nil {
		return nil, false, unsupportedType{errors.New("the request has no Content-Type that can be read")}
	}
	switch ct.MediaType {
	case typeSimple, typeOld:
		b, err := io.ReadAll(body)
		if err != nil {
			return nil, false, err
		}
		doc, err := p.parse(b, 0)
		// A client of SOAP 1.1 is told so in its own version, which needs its envelope.
		if ct.MediaType == typeOld && (err == nil || isXML(err)) && (doc == nil || doc.Root().Space() != NSEnvelope11) {
			return nil, false, unsupportedType{errors.New("text/xml is SOAP 1.1: use SOAP 1.2, application/soap+xml, in multipart/related where the transaction is MTOM")}
		}
		return doc, false, err
	case "multipart/related":
		doc, err := p.readMTOM(body, contentType)
		return doc, true, err
	}
	return nil, false, unsupportedType{errors.New("the Content-Type is neither multipart/related nor application/soap+xml")}
}

// readMTOM reads all the parts of a request. The root is the part that start names, or the first.
func (p parser) readMTOM(body io.Reader, contentType string) (*xmlsec.Document, error) {
	r, err := mtom.NewReader(body, contentType, mtom.Limits{Parts: p.limits.Parts, HeaderBytes: mtom.DefaultLimits.HeaderBytes})
	if err != nil {
		return nil, err
	}
	start := mtom.CleanID(r.ContentType.Parameters["start"])
	parts := map[string][]byte{}
	var first, root []byte
	var total int64
	for n := 0; ; n++ {
		part, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, err
		}
		b, err := io.ReadAll(part)
		if err != nil {
			return nil, err
		}
		if n == 0 {
			first = b
		}
		if part.ContentID == start && start != "" {
			root = b
		}
		parts[part.ContentID] = b
		total += int64(len(b))
	}
	if root == nil {
		root = first // QUIRK: a start that is absent, or not the Content-ID of any part (ITI TF-2: V.9.3.1)
	}
	doc, err := p.parse(root, total-int64(len(root)))
	if err != nil {
		return nil, err
	}
	// Base64 is a third longer than the parts, which are within RequestBytes.
	whole, err := inline(doc, parts, xmlLimits(2*p.limits.RequestBytes))
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

// speaks12 reports whether a package says that SOAP 1.2 is in it, in so many words: who sends that reads it too,
// whatever has gone wrong with the envelope.
func speaks12(header http.Header) bool {
	ct, err := mtom.ParseContentType(header.Get("Content-Type"))
	if err != nil {
		return false
	}
	info, _, _ := strings.Cut(ct.Parameters["start-info"], ";")
	return ct.MediaType == typeSimple || strings.EqualFold(strings.TrimSpace(info), typeSimple)
}

// packageFault says why a package could not be read.
func packageFault(err error) *Fault {
	var tooLarge *http.MaxBytesError
	var unsupported unsupportedType
	var format *mtom.FormatError
	switch {
	case errors.Is(err, errBusy):
		return busyFault(retryAfter)
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
