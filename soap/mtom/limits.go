package mtom

// Limits bounds what a Reader accepts.
type Limits struct {
	// Parts is the most parts, the root among them.
	Parts int
	// HeaderBytes is the most bytes that the headers of one part may have. Real ones have about 150.
	HeaderBytes int
	// Bytes is the most bytes of the message. Zero is no limit, as a part is a stream.
	Bytes int64
}

// DefaultLimits suits answers: 16,384 documents, a study image by image, are more than any request of ours asks for.
var DefaultLimits = Limits{Parts: 16_385, HeaderBytes: 8 << 10}

const (
	// maxBoundary is that of RFC 2046 section 5.1.1.
	maxBoundary = 70
	// maxContentType bounds the Content-Type of the message. Real ones have about 250 bytes.
	maxContentType = 4 << 10
	// maxPreamble bounds what may stand before the first boundary. Real peers put an empty line there.
	maxPreamble = 4 << 10
	// maxEpilogue bounds what may stand after the closing boundary. Real peers put an empty line there.
	maxEpilogue = 4 << 10
	// bufferSize is that of one read and one write. TLS is at its fastest from about 128 KiB on.
	bufferSize = 256 << 10
	// smallBuffer is what a Reader begins with, as most messages are requests of a few KB. It holds the
	// longest line or header.
	smallBuffer = 16 << 10
)
