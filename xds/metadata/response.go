package metadata

import (
	"errors"

	"collimate/xmlsec"
)

// ResponseStatus is that of a response: of a RegistryResponse, and of what extends it. ITI TF-3: 4.2.4
type ResponseStatus string

// The statuses of a response. PartialSuccess is IHE's own, and has IHE's prefix; submissions do not know it.
const (
	Success        ResponseStatus = "urn:oasis:names:tc:ebxml-regrep:ResponseStatusType:Success"
	PartialSuccess ResponseStatus = "urn:ihe:iti:2007:ResponseStatusType:PartialSuccess"
	Failure        ResponseStatus = "urn:oasis:names:tc:ebxml-regrep:ResponseStatusType:Failure"
)

// AppendRegistryResponse serialises an rs:RegistryResponse. ITI TF-3: 4.2.4.1
func AppendRegistryResponse(b []byte, status ResponseStatus, errs Errors) []byte {
	w := writer{b: b}
	w.start("rs:RegistryResponse")
	w.attribute("xmlns:rs", NSRS)
	w.attribute("status", string(status))
	if len(errs) == 0 {
		w.raw("/>")
		return w.b
	}
	w.raw(">")
	w.errorList(errs)
	w.end("rs:RegistryResponse")
	return w.b
}

// ParseStatus reads the status and the errors of an rs:RegistryResponse, or of a response that extends it, and checks
// that they do not contradict each other. ITI TF-3: Tables 4.2.4.2-1 to 4.2.4.2-4
func ParseStatus(n xmlsec.Node) (ResponseStatus, Errors, error) {
	status := ResponseStatus(attr(n, "status"))
	switch status {
	case Success, PartialSuccess, Failure:
	case "Success": // QUIRK: without the prefix, as in samples of the Technical Framework
		status = Success
	case "urn:oasis:names:tc:ebxml-regrep:ResponseStatusType:PartialSuccess": // QUIRK: dcm4chee-arc-light#1061
		status = PartialSuccess
	default:
		return "", nil, errors.New("the status of the response is missing or not known")
	}
	var errs Errors
	if list, ok := n.Child(NSRS, "RegistryErrorList"); ok {
		var err error
		if errs, err = ParseErrorList(list); err != nil {
			return "", nil, err
		}
	}
	failed := errs.Severity() == SeverityError
	switch {
	case status == Success && failed:
		return "", nil, errors.New("the status is Success, but there are errors")
	case status != Success && !failed:
		return "", nil, errors.New("the status is not Success, but there is no error")
	}
	return status, errs, nil
}
