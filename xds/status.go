package xds

// Status is that of a RegistryResponse. ITI TF-3: 4.2.4.2
type Status string

// The statuses. PartialSuccess is IHE's own, and has IHE's prefix.
const (
	Success        Status = "urn:oasis:names:tc:ebxml-regrep:ResponseStatusType:Success"
	PartialSuccess Status = "urn:ihe:iti:2007:ResponseStatusType:PartialSuccess"
	Failure        Status = "urn:oasis:names:tc:ebxml-regrep:ResponseStatusType:Failure"
)

// Status returns the status of an answer to a retrieve: Success unless there are errors, which warnings are
// not; with errors, PartialSuccess if there are documents. ITI TF-3: Table 4.2.4.2-4
func (r *RetrieveResponse) Status() Status {
	switch {
	case highestSeverity(r.Errors) != SeverityError && len(r.Documents) > 0:
		return Success
	case len(r.Documents) > 0:
		return PartialSuccess
	}
	return Failure
}

// highestSeverity returns the severity of a list of errors, or "" for none.
func highestSeverity(errors []*Error) Severity {
	var highest Severity
	for _, e := range errors {
		if e.severity() == SeverityError {
			return SeverityError
		}
		highest = SeverityWarning
	}
	return highest
}

func (e *Error) severity() Severity {
	if e.Severity == "" {
		return SeverityError
	}
	return e.Severity
}
