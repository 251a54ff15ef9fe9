package soap

import (
	"time"

	"collimate/soap/mtom"
	"collimate/xmlsec"
)

// Limits bounds what a Server takes in. A zero field takes its value from DefaultLimits.
type Limits struct {
	// RequestBytes is the most bytes of an HTTP request body, packaging and attachments included. They are held in
	// memory. If an operation of the Server streams, attachments do not count; those to its other operations are 1 MB
	// at the most.
	RequestBytes int64
	// TrustedBytes is RequestBytes for the peers that Server.Trusted names, if it is more.
	TrustedBytes int64
	// StreamBytes is the most bytes of an HTTP request body to an operation that streams.
	StreamBytes int64
	// Parts is the most parts of an MTOM request.
	Parts int
	// ReadTimeout is how long a request body may take to arrive, as far as it is held in memory, and then each MB of
	// attachments that are streamed. There is no limit on the whole.
	ReadTimeout time.Duration
	// IdleTimeout is how long the peer may take nothing of an answer. There is no limit on the whole.
	IdleTimeout time.Duration

	// Exchanges is the most requests that are being read, decided or answered at the same time.
	Exchanges int
	// HeldBytes is the most bytes of request bodies that are held at the same time, over all requests. One address
	// has a quarter of it, or one request.
	HeldBytes int64
	// ParsedBytes is the most bytes of envelopes that are parsed and being decided at the same time. A parse
	// tree takes up to ten times its envelope, and counts until the operation has given its answer.
	ParsedBytes int64
	// BusyTimeout is how long a request waits for its turn before it is refused with HTTP 503.
	BusyTimeout time.Duration
}

// DefaultLimits suits the transactions that retrieve: a request with 1,024 documents has 350 KB, a SAML
// assertion 10 to 50 KB. MTOM stacks put certificates and signatures of the header into parts of their own,
// of which there are less than ten. A stream may be a study of the largest kind. At the worst, all requests to Servers
// that share their Gates take 128 MB of bodies and 320 MB of trees together; of ordinary ones, of 6 KB each, thousands
// fit.
var DefaultLimits = Limits{
	RequestBytes: 1 << 20,
	StreamBytes:  64 << 30,
	Parts:        32,
	ReadTimeout:  30 * time.Second,
	IdleTimeout:  60 * time.Second,
	Exchanges:    1024,
	HeldBytes:    128 << 20,
	ParsedBytes:  32 << 20,
	BusyTimeout:  5 * time.Second,
}

func (l Limits) withDefaults() Limits {
	if l.RequestBytes <= 0 {
		l.RequestBytes = DefaultLimits.RequestBytes
	}
	if l.StreamBytes <= 0 {
		l.StreamBytes = DefaultLimits.StreamBytes
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
	if l.Exchanges <= 0 {
		l.Exchanges = DefaultLimits.Exchanges
	}
	if l.HeldBytes <= 0 {
		l.HeldBytes = DefaultLimits.HeldBytes
	}
	if l.ParsedBytes <= 0 {
		l.ParsedBytes = DefaultLimits.ParsedBytes
	}
	if l.BusyTimeout <= 0 {
		l.BusyTimeout = DefaultLimits.BusyTimeout
	}
	return l
}

const (
	// maxReplyEnvelope bounds the envelope of an answer that a Client reads. Small documents may stand in it
	// as base64; large ones are attachments, which are not bounded.
	maxReplyEnvelope = 16 << 20
	// maxHeldAttachments is how many bytes of attachments of a request are put back into its envelope before the
	// rest is left in the stream, if the operation streams: manifests and small reports, of which a signature
	// over the Body can be checked, and what the Header refers to.
	maxHeldAttachments = 1 << 20
	// maxReadAhead is what may be in the buffers of a stream beyond that.
	maxReadAhead = 512 << 10
	// readPiece is how much of a stream has to arrive in each ReadTimeout: in 30 seconds, a peer that sends 35 KB/s is
	// still heard.
	readPiece = 1 << 20
	// refusedBytes and refusedTimeout bound what is read of a stream that is refused, for its sender to hear why: one
	// document, and no study.
	refusedBytes   = 1 << 20
	refusedTimeout = 3 * time.Second
	// hostPart is which part of HeldBytes one address may have.
	hostPart = 4
	// maxAddress bounds a wsa:Action, wsa:To or wsa:MessageID. A MessageID is sent back and remembered.
	maxAddress = 1024
	// maxHeaderBlocks bounds the children of a Header: real ones have up to a dozen.
	maxHeaderBlocks = 64
	// maxDrain is how much of an answer a Client reads away to keep the connection for the next call.
	maxDrain = 64 << 10
	// writePiece is how much is handed to the connection under one deadline: at one piece in an IdleTimeout
	// of a minute, a peer that takes 17 KB/s is still served.
	writePiece = 1 << 20
	// maxPiece is what pieces of a file grow to, as each ends in a segment that is not full, and costs system calls.
	// They double for a peer that has taken quickPieces of them, more than the buffers on the way hold, and each in
	// less than a quickPart of the IdleTimeout: such a peer has to become 32 times slower to be cut.
	maxPiece    = 4 << 20
	quickPieces = 16
	quickPart   = 64
	// retryAfter is when a peer that found the endpoint busy is asked to come back: requests are decided in
	// milliseconds, and a crowd of them is over soon.
	retryAfter = 2 * time.Second
)

// The limits of an HTTP server. The rest is bounded by Limits, message by message.
const (
	headerTimeout  = 10 * time.Second
	keepAlive      = 2 * time.Minute
	maxHeaderBytes = 64 << 10 // ordinary requests have 1 KB
)

// The limits of asynchronous answers, where AsyncConfig says nothing else.
const (
	// asyncQueue is how many may wait: each holds what its operation has opened, files among it.
	asyncQueue = 64
	// asyncWorkers is how many are sent at the same time: a few fill any line.
	asyncWorkers = 8
	// asyncAttempts and asyncBackoff, 1 s and then 4 s, get over a restart of the receiver, and no longer
	// failure: the requester asks again.
	asyncAttempts = 3
	asyncBackoff  = time.Second
	// asyncTotal bounds one delivery with all its attempts: a receiver that takes one byte a minute would have
	// its worker for ever. 4 GB at 10 Mbit/s take 54 minutes.
	asyncTotal = time.Hour
	// asyncContinue is how long a receiver may take to say that it wants the body, before it gets it unasked.
	asyncContinue = 2 * time.Second
	// asyncBuffer is that of one write; TLS is at its fastest from about 128 KiB on.
	asyncBuffer = 256 << 10
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
