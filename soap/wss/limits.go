package wss

import "time"

// The limits of this package, with the reason for each.
const (
	// MaxAge is the longest that a message may be under way, whatever its Expires says. Every message has to
	// be remembered that long, so that it cannot be sent twice.
	MaxAge = 5 * time.Minute
	// MaxSkew is the most by which clocks may be allowed to differ; ITI-1 Consistent Time keeps them within a
	// second of each other, and hospitals do not.
	MaxSkew = 5 * time.Minute
	// DefaultSkew is used if Config says nothing.
	DefaultSkew = time.Minute
	// maxCertificateText bounds the base64 text of a certificate; with an 8192-bit RSA key it is about 4 KB.
	maxCertificateText = 16 << 10
	// maxIdentifierText bounds the base64 text of a thumbprint or a subject key identifier: 20 bytes, by custom.
	maxIdentifierText = 128
	// maxSerialDigits bounds a serial number in decimal; RFC 5280 allows 20 bytes, which is 49 digits.
	maxSerialDigits = 60
	// maxDistinguishedName bounds an issuer's name in bytes; with escapes, long ones have some hundred.
	maxDistinguishedName = 4096
	// maxTokenReferences bounds the references beside the signature; SAML stacks write one.
	maxTokenReferences = 4
	// maxCached is how many certificates a generation of the cache holds, about 3 MB of them. A gateway has tens
	// of peers.
	maxCached = 512
	// maxName bounds the display name of a caller in bytes; a subject can fill a certificate.
	maxName = 256
	// maxMessageID bounds wsa:MessageID in bytes. A urn:uuid has 45.
	maxMessageID = 512
	// maxInstant bounds the text of Created and Expires: a date with nanoseconds and an offset has 35 bytes.
	maxInstant = 64
	// DefaultReplayEntries is how many messages MemoryReplay remembers: 800 a second for the longest time
	// that any is remembered, about 40 MB.
	DefaultReplayEntries = 1 << 18
)
