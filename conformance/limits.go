package conformance

import "time"

// The bounds of what an answer may cost the judge.
const (
	// maxEnvelope bounds the SOAP envelope of an answer, in bytes. Documents may stand inline in it as
	// base64, which existing repositories do with small ones; 16 MiB leaves room for a large report. Imaging
	// studies come as parts, which are not bounded.
	maxEnvelope = 16 << 20
	// maxCodesFile bounds a codes.xml, in bytes; toolkit2's has 100 KiB.
	maxCodesFile = 4 << 20
	// maxImageHead bounds how much of an image is kept to be read, in bytes: all that comes before the pixels.
	maxImageHead = 1 << 20
	// maxDepth bounds the nesting of an answer's XML. An ITI-43 answer is 6 deep.
	maxDepth = 64
	// maxParts bounds the parts of an answer: as many as documents are asked in one request by anyone.
	maxParts = 10_000
	// maxEpilogue bounds what may follow the closing boundary, in bytes, before reading is given up.
	maxEpilogue = 64 << 10
	// maxTail is how much of the end of an answer is kept to find the closing boundary in, in bytes. A
	// boundary has 70 characters at most.
	maxTail = 1 << 10
	// maxErrorBody bounds how much of an HTTP error that is no SOAP message is kept to be shown.
	maxErrorBody = 4 << 10
	// copyBuffer is the buffer of a document's copy, in bytes: large enough that system calls do not show.
	copyBuffer = 256 << 10
	// defaultTimeout bounds one check when Target.Timeout is not set. toolkit2 gives up after 20 s
	// (ENG-03); a check makes up to three exchanges.
	defaultTimeout = 60 * time.Second
	// maxDetail bounds the detail of one failure, in bytes: a screenful.
	maxDetail = 2 << 10
	// maxSchemaTime bounds one run of xmllint.
	maxSchemaTime = 20 * time.Second
	// signatureLife is the life of a signed Timestamp: short of the 5 minutes that receivers accept at most.
	signatureLife = 4 * time.Minute
)

// The sizes of requests that a service must refuse.
const (
	// oversizedEnvelope is far above any ITI-43 request, and far below what would hurt a server that
	// reads it after all, in bytes.
	oversizedEnvelope = 64 << 20
	// excessiveDepth is the nesting at which recursive parsers overflow their stack.
	excessiveDepth = 20_000
)
