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
	// streams reports whether the operation that an envelope is for takes attachments as a stream; nil: none does.
	streams func(*xmlsec.Document) bool
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

// pack is a request body that has been read.
type pack struct {
	doc    *xmlsec.Document // with the attachments put back into it, as far as they are not left
	isMTOM bool
	left   *Attachments // nil if the whole body has been read
}

// readPackage reads an HTTP request body into an envelope, with the attachments, if any, put back into it or left.
func (p parser) readPackage(body io.Reader, header http.Header) (pack, error) {
	if e := header.Get("Content-Encoding"); e != "" && e != "identity" {
		return pack{}, unsupportedType{errors.New("the request has a Content-Encoding, none is supported")}
	}
	contentType := header.Get("Content-Type")
	ct, err := mtom.ParseContentType(contentType)
	if err != nil {
		return pack{}, unsupportedType{errors.New("the request has no Content-Type that can be read")}
	}
	switch ct.MediaType {
	case typeSimple, typeOld:
		b, err := io.ReadAll(body)
		if err != nil {
			return pack{}, err
		}
		doc, err := p.parse(b, 0)
		// A client of SOAP 1.1 is told so in its own version, which needs its envelope.
		if ct.MediaType == typeOld && (err == nil || isXML(err)) && (doc == nil || doc.Root().Space() != NSEnvelope11) {
			return pack{}, unsupportedType{errors.New("text/xml is SOAP 1.1: use SOAP 1.2, application/soap+xml, in multipart/related where the transaction is MTOM")}
		}
		return pack{doc: doc}, err
	case "multipart/related":
		return p.readMTOM(body, contentType)
	}
	return pack{}, unsupportedType{errors.New("the Content-Type is neither multipart/related nor application/soap+xml")}
}

// readMTOM reads all the parts of a request, or as many as are held. The root is the part that start names, or the
// first.
func (p parser) readMTOM(body io.Reader, contentType string) (pack, error) {
	r, err := mtom.NewReader(body, contentType, mtom.Limits{Parts: p.limits.Parts, HeaderBytes: mtom.DefaultLimits.HeaderBytes})
	if err != nil {
		return pack{}, err
	}
	start := mtom.CleanID(r.ContentType.Parameters["start"])
	parts := taken{bytes: map[string][]byte{}}
	for n := 0; ; n++ {
		part, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return pack{}, err
		}
		// QUIRK: a start that is absent, or not the Content-ID of any part (ITI TF-2: V.9.3.1)
		isRoot := n == 0 || part.ContentID == start && start != ""
		if isRoot {
			parts.root = part.ContentID
		}
		var b []byte
		if isRoot || p.streams == nil {
			b, err = io.ReadAll(part)
		} else {
			b, err = io.ReadAll(io.LimitReader(part, parts.room()+1))
		}
		if err != nil {
			return pack{}, err
		}
		if !isRoot && p.streams != nil && int64(len(b)) > parts.room() {
			doc, err := p.parse(parts.bytes[parts.root], parts.attached())
			if err != nil {
				return pack{}, err
			}
			if !p.streams(doc) { // nor is anything read while there is a tree
				return pack{}, &http.MaxBytesError{Limit: maxHeldAttachments}
			}
			doc, err = p.inline(doc, parts.bytes, inHeader)
			return pack{doc, true, parts.stream(part, b, r)}, err
		}
		parts.add(part.ContentID, b)
	}
	doc, err := p.parse(parts.bytes[parts.root], parts.attached())
	if err != nil {
		return pack{}, err
	}
	doc, err = p.inline(doc, parts.bytes, nil)
	return pack{doc: doc, isMTOM: true}, err
}

// inline puts parts back into an envelope: those that it refers to, or that it refers to from where only says.
func (p parser) inline(doc *xmlsec.Document, parts map[string][]byte, only func(xmlsec.Node) bool) (*xmlsec.Document, error) {
	// Base64 is a third longer than the parts, which are within RequestBytes.
	whole, err := inline(doc, parts, xmlLimits(2*p.limits.RequestBytes), only)
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
