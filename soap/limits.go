package soap

import (
	"time"

	"collimate/soap/mtom"
	"collimate/xmlsec"
)

// Limits bounds what a Server takes in. A zero field takes its value from DefaultLimits.
type Limits struct {
	// RequestBytes is the most bytes of an HTTP request body, packaging and attachments included. They are
	// held in memory.
	RequestBytes int64
	// Parts is the most parts of an MTOM request.
	Parts int
	// ReadTimeout is how long a request body may take to arrive.
	ReadTimeout time.Duration
	// IdleTimeout is how long the peer may take nothing of an answer. There is no limit on the whole.
	IdleTimeout time.Duration
}

// DefaultLimits suits the transactions that retrieve: a request with 1,024 documents has 350 KB, a SAML
// assertion 10 to 50 KB. MTOM stacks put certificates and signatures of the header into parts of their own,
// of which there are less than ten.
var DefaultLimits = Limits{
	RequestBytes: 1 << 20,
	Parts:        32,
	ReadTimeout:  30 * time.Second,
	IdleTimeout:  60 * time.Second,
}

func (l Limits) withDefaults() Limits {
	if l.RequestBytes <= 0 {
		l.RequestBytes = DefaultLimits.RequestBytes
	}
	if l.Parts <= 0 {
		l.Parts = DefaultLimits.Parts
	}
	if l.ReadTimeout <= 0 {
		l.ReadTimeout = DefaultLimits.ReadTimeout
	}
	if l.IdleTimeout <= 0 {
		l.IdleTimeout = DefaultLimits.IdleTimeout
	}
	return l
}

const (
	// maxReplyEnvelope bounds the envelope of an answer that a Client reads. Small documents may stand in it
	// as base64; large ones are attachments, which are not bounded.
	maxReplyEnvelope = 16 << 20
	// maxAddress bounds a wsa:Action, wsa:To or wsa:MessageID. A MessageID is sent back and remembered.
	maxAddress = 1024
	// maxHeaderBlocks bounds the children of a Header: real ones have up to a dozen.
	maxHeaderBlocks = 64
	// maxDrain is how much of an answer a Client reads away to keep the connection for the next call.
	maxDrain = 64 << 10
	// writePiece is how much is handed to the connection under one deadline: at one piece in an IdleTimeout
	// of a minute, a peer that takes 17 KB/s is still served.
	writePiece = 1 << 20
)

// The limits of an HTTP server. The rest is bounded by Limits, message by message.
const (
	headerTimeout  = 10 * time.Second
	keepAlive      = 2 * time.Minute
	maxHeaderBytes = 64 << 10 // ordinary requests have 1 KB
)

// bytesPerNode is how densely an envelope may be packed, at the most: real ones have a node in 30 bytes. A node
// takes ten times that in memory, and nobody has been authenticated when it is made.
const bytesPerNode = 16

// xmlLimits bounds an envelope of n bytes at most. SOAP has no processing instructions (SOAP 1.2 Part 1
// section 5).
func xmlLimits(n int64) xmlsec.Limits {
	l := xmlsec.DefaultLimits
	l.MaxBytes = int(n)
	l.MaxNodes = min(l.MaxNodes, int(n)/bytesPerNode)
	l.NoProcessingInstructions = true
	return l
}

// replyLimits bounds the parts of an answer.
func replyLimits() mtom.Limits { return mtom.DefaultLimits }
