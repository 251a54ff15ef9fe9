package query

import (
	"errors"

	"collimate/xds/metadata"
	"collimate/xmlsec"
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
func (r *Response) Status() metadata.ResponseStatus {
	switch {
	case r.Objects == nil:
		return metadata.Failure
	case r.Errors.Severity() == metadata.SeverityError:
		return metadata.PartialSuccess
	}
	return metadata.Success
}

// AppendResponse serialises an AdhocQueryResponse, with whole objects or ids as was asked. The list of objects is
// there even if it is empty, as the schema wants. A failure without an error gets one.
func AppendResponse(b []byte, r *Response, as ReturnType) []byte {
	errs := r.Errors
	if r.Objects == nil && errs.Severity() != metadata.SeverityError {
		unsaid := &metadata.Error{Code: metadata.RegistryError, Context: "the registry could not process the query"}
		errs = append(errs[:len(errs):len(errs)], unsaid)
	}
	b = append(b, `<query:AdhocQueryResponse xmlns:query="`+NSQuery+`" status="`+string(r.Status())+`">`...)
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
	status, errs, err := metadata.ParseStatus(n)
	if err != nil {
		return nil, err
	}
	r := &Response{Errors: errs}
	if status == metadata.Failure {
		return r, nil
	}
	list, ok := n.Child(metadata.NSRIM, "RegistryObjectList")
	if !ok { // QUIRK: left out when it is empty, as in samples of the Technical Framework
		r.Objects = &metadata.Objects{}
		return r, nil
	}
	r.Objects, err = metadata.ParseObjects(list)
	return r, err
}
