package xds

import (
	"context"
	"io"

	"collimate/xds/metadata"
	"collimate/xua"
)

// DocumentRequest names one document in a Retrieve Document Set request. ITI TF-2: 3.43.4.1.2
type DocumentRequest struct {
	HomeCommunityID    string // urn:oid:..., empty when the request carried none
	RepositoryUniqueID string // OID, at most 64 characters
	DocumentUniqueID   string // OID or OID^extension, at most 128 characters
}

// Document is one document of an answer. ITI TF-2: 3.43.4.2.2
type Document struct {
	// DocumentRequest is echoed exactly as it was asked.
	DocumentRequest
	// NewRepositoryUniqueID and NewDocumentUniqueID are set for on-demand documents only.
	NewRepositoryUniqueID string
	NewDocumentUniqueID   string
	MimeType              string
	// Size is the number of bytes, or -1 if it is known only at the end.
	Size int64
}

// RetrieveResponse is the answer to a Retrieve Document Set request. Whoever receives one must Close it.
type RetrieveResponse struct {
	// Documents were found, may be read by the caller, and can be sent.
	Documents []Document
	// Errors has one entry for each document asked that is not among Documents, and warnings.
	Errors metadata.Errors
	// Content yields the bytes of Documents; nil when there are none.
	Content Content
}

// Status returns the status of an answer to a retrieve: Success unless there are errors, which warnings are
// not; with errors, PartialSuccess if there are documents. ITI TF-3: Table 4.2.4.2-4
func (r *RetrieveResponse) Status() Status {
	switch {
	case r.Errors.Severity() != SeverityError && len(r.Documents) > 0:
		return Success
	case len(r.Documents) > 0:
		return PartialSuccess
	}
	return Failure
}

// Close releases Content.
func (r *RetrieveResponse) Close() error {
	if r == nil || r.Content == nil {
		return nil
	}
	return r.Content.Close()
}

// Content yields the bytes of each document of an answer exactly once, in the order that suits the holder,
// which for a stream from another gateway is the order of arrival.
type Content interface {
	// Next returns the index in RetrieveResponse.Documents of the next document and its bytes, which must
	// be written before Next is called again. It returns io.EOF after the last document. Writing yields
	// exactly Document.Size bytes if that is known, or an error; a short end is an error.
	Next() (index int, bytes io.WriterTo, err error)
	Close() error
}

// Repository answers ITI-43 Retrieve Document Set. It is the interface that a backend fills.
//
// Retrieve finds, decides and opens all that it can before it returns: whatever can fail politely is an entry
// of RetrieveResponse.Errors. A *Error returned as err refuses the request as a whole; any other err is
// reported to the peer as XDSRepositoryError without its text. The order of Documents is free.
type Repository interface {
	Retrieve(ctx context.Context, caller xua.Caller, requests []DocumentRequest) (*RetrieveResponse, error)
}
