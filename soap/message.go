package soap

import (
	"context"
	"crypto/tls"
	"io"

	"collimate/soap/mtom"
	"collimate/xmlsec"
)

// Request is a request that has the right shape: one Header at most, one Body with one child, one wsa:Action.
// Nothing in it is authenticated.
type Request struct {
	// Action and To are trimmed of blanks; MessageID is byte for byte as it came. ITI TF-2: V.3.2.2
	Action, MessageID, To string
	// Doc is the envelope with each xop:Include replaced by the base64 that it stands for, because that is
	// what signatures are computed over; those in the Body are left if there are Attachments. ITI TF-2: V.8.2
	Doc *xmlsec.Document
	// Header is zero if there is none. Payload is the only child of Body.
	Header, Body, Payload xmlsec.Node
	// Attachments are the parts that Body refers to, if the operation streams and the request had more of them
	// than are held; else nil, and they are in Doc. No signature of the envelope is about their bytes.
	Attachments *Attachments
	// MTOM tells the packaging that the request came in.
	MTOM bool
	// TLS is the state of the connection, nil over plain TCP.
	TLS *tls.ConnectionState
	// ReplyTo is where the answer goes, as the request has it, if not to the connection of the request; else empty.
	ReplyTo string
	// RemoteAddr is host:port of the peer, for logs and audit.
	RemoteAddr string

	authenticated bool
}

// SetAuthenticated records that the operation knows who sent the request. Before that nothing is sent to the
// addresses in wsa:ReplyTo and wsa:FaultTo: they are a stranger's.
func (r *Request) SetAuthenticated() { r.authenticated = true }

// Response is the answer of an Operation.
type Response struct {
	// Action is the wsa:Action of the answer; empty means Operation.ResponseAction.
	Action string
	// Payload is the child of Body, serialised, with all its namespaces declared in itself.
	Payload []byte
	// Attachments describes what Parts yields; Payload refers to each by an xop:Include of its ContentID.
	Attachments []mtom.Part
	// Parts yields the bytes of the attachments; nil when there are none. The server closes it.
	Parts Parts
	// Cause is why the answer is a refusal, for the log of this side; the peer does not see it.
	Cause error
}

// Parts yields each attachment exactly once, in any order.
type Parts interface {
	// Next returns the index in Response.Attachments of the next part and its bytes, which must be written
	// before Next is called again. It returns io.EOF after the last one.
	Next() (index int, bytes io.WriterTo, err error)
	Close() error
}

// Operation is one row of the dispatch table of a Server.
type Operation struct {
	ID             string // "ITI-43"
	Action         string
	ResponseAction string
	// MTOM tells the packaging of the transaction, both ways.
	MTOM bool
	// Streams tells that a request may have attachments that are not to be held in memory: see
	// Request.Attachments. It goes with MTOM.
	Streams bool
	// Handle answers a request. An error that is a *Fault is sent; any other error becomes a Receiver fault
	// that says nothing of it.
	Handle func(context.Context, *Request) (*Response, error)
}
