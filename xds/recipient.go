package xds

import (
	"context"
	"io"

	"collimate/xds/metadata"
	"collimate/xua"
)

// Recipient takes documents in: ITI-41 Provide and Register Document Set-b, and RAD-68 Provide and Register Imaging
// Document Set, which is ITI-41 with a manifest among the documents. It is the interface that a backend fills.
//
// An error that is metadata.Errors, a *metadata.Error or a *soap.Fault is sent as it is, those that documents returns
// among them; any other is reported to the peer as XDSRepositoryError without its text.
type Recipient interface {
	// Provide takes a submission with all its documents or not at all, and again without effect if it has it
	// already. It reads documents to io.EOF before it takes anything for whole. The submission has been read
	// and not been checked, but for this: documents yields one for each DocumentEntry and no other, or an error.
	// Who may not submit is refused with a *soap.Fault, as nobody listens to what is left of a request then.
	// Warnings are returned as metadata.Errors without an error among them, and the submission is taken all the
	// same.
	Provide(ctx context.Context, caller xua.Caller, submission *metadata.Objects, documents Incoming) error
}

// Incoming yields the documents of a submission, each once: those that stood in the envelope first, then the
// attachments in the order of arrival. They are a stream and are never whole in memory, but for those in the envelope.
type Incoming interface {
	// Next returns the id of the DocumentEntry that the next document belongs to, and its bytes, which can be
	// read until Next is called again. It returns io.EOF after the last document, when the whole message has
	// arrived.
	Next() (id string, bytes io.Reader, err error)
}
