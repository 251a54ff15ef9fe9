package query

import (
	"errors"
	"strings"

	"collimate/xds/metadata"
	"collimate/xmlsec"
)

// The statuses of a response. PartialSuccess is IHE's own, and has IHE's prefix. ITI TF-3: 4.2.4.2
const (
	statusSuccess = "urn:oasis:names:tc:ebxml-regrep:ResponseStatusType:Success"
	statusPartial = "urn:ihe:iti:2007:ResponseStatusType:PartialSuccess"
	statusFailure = "urn:oasis:names:tc:ebxml-regrep:ResponseStatusType:Failure"
)

// Response is the answer to a query.
type Response struct {
	// Objects are whole objects, or References if ids were asked for; nil if the query failed, which is not the
	// same as finding nothing.
	Objects *metadata.Objects
	Errors  metadata.Errors
}

// Status returns Success unless there are errors, which warnings are not; with errors, PartialSuccess if there
// are Objects, and Failure otherwise. ITI TF-3: Table 4.2.4.2-3
func (r *Response) Status() string {
	switch {
	case r.Objects == nil:
		return statusFailure
	case r.Errors.Severity() == metadata.SeverityError:
		return statusPartial
	}
	return statusSuccess
}

// AppendResponse serialises an AdhocQueryResponse, with whole objects or ids as was asked. The list of objects is
// there even if it is empty, as the schema wants. A failure without an error gets one.
func AppendResponse(b []byte, r *Response, as ReturnType) []byte {
	errs := r.Errors
	if r.Objects == nil && errs.Severity() != metadata.SeverityError {
		unsaid := &metadata.Error{Code: metadata.RegistryError, Context: "the registry could not process the query"}
		errs = append(errs[:len(errs):len(errs)], unsaid)
	}
	b = append(b, `<query:AdhocQueryResponse xmlns:query="`+NSQuery+`" status="`+r.Status()+`">`...)
	b = metadata.AppendErrorList(b, errs)
	objects := r.Objects
	if objects == nil {
		objects = &metadata.Objects{}
	}
	if as == LeafClass {
		b = metadata.AppendAnswer(b, objects)
	} else {
		b = metadata.AppendRefs(b, objects)
	}
	return append(b, `</query:AdhocQueryResponse>`...)
}

// ParseResponse reads an AdhocQueryResponse: whole objects, or references in Objects.Refs. Faults of the objects
// are for Objects.Validate to report.
func ParseResponse(n xmlsec.Node) (*Response, error) {
	if !n.Is(NSQuery, "AdhocQueryResponse") {
		return nil, errors.New("the element is not an AdhocQueryResponse of ebXML RegRep 3.0")
	}
	r := &Response{}
	if list, ok := n.Child(metadata.NSRS, "RegistryErrorList"); ok {
		var err error
		if r.Errors, err = metadata.ParseErrorList(list); err != nil {
			return nil, err
		}
	}
	failed := r.Errors.Severity() == metadata.SeverityError
	status, _ := n.Attr("", "status")
	switch strings.TrimSpace(status) {
	case statusSuccess, "Success": // QUIRK: without the prefix, as in samples of the Technical Framework
		if failed {
			return nil, errors.New("the status is Success, but there are errors")
		}
	case statusPartial, "urn:oasis:names:tc:ebxml-regrep:ResponseStatusType:PartialSuccess": // QUIRK: dcm4chee-arc-light#1061
		if !failed {
			return nil, errors.New("the status is PartialSuccess, but there is no error")
		}
	case statusFailure:
		if !failed {
			return nil, errors.New("the status is Failure, but there is no error")
		}
		return r, nil
	default:
		return nil, errors.New("the status of the AdhocQueryResponse is missing or not known")
	}
	list, ok := n.Child(metadata.NSRIM, "RegistryObjectList")
	if !ok { // QUIRK: left out when it is empty, as in samples of the Technical Framework
		r.Objects = &metadata.Objects{}
		return r, nil
	}
	var err error
	r.Objects, err = metadata.ParseObjects(list)
	return r, err
}
