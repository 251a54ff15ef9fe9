package saml

import "time"

// The limits of this package, with the reason for each.
const (
	// MaxSkew is the most by which the clocks of an issuer and ours may be allowed to differ, as for messages.
	MaxSkew = 5 * time.Minute
	// DefaultSkew is used if Config says nothing.
	DefaultSkew = time.Minute
	// MaxLifetime is the longest that an assertion may be valid, from NotBefore to NotOnOrAfter: a working day
	// and the night. Swiss identity providers go up to 17 hours. What is stolen can be used that long, and what
	// may be used once has to be remembered that long.
	MaxLifetime = 24 * time.Hour
	// MaxCertificates is how many certificates an issuer may have: each may cost one verification. While an
	// issuer changes its key it has two.
	MaxCertificates = 8

	// maxBytes bounds an assertion; the largest that we have seen, with a decision statement and a
	// certificate, has 11 KB.
	maxBytes = 128 << 10
	// maxID bounds ID in bytes. A UUID with a prefix has about 50.
	maxID = 256
	// maxText bounds each name, URI and attribute value that is read, in bytes. Values of attributes that are
	// not known are bounded by maxBytes alone.
	maxText = 1024
	// maxInstant bounds a time: a date with nanoseconds has 30 bytes.
	maxInstant = 40
	// maxStatements counts statements of all kinds.
	maxStatements = 16
	// maxAttributes counts attributes over all statements; 20 are common.
	maxAttributes = 128
	// maxValues counts the values that are read, over all attributes.
	maxValues = 256
	// maxAudiences counts audiences over all restrictions.
	maxAudiences = 64
	// maxCertificateText bounds the base64 text of the holder's certificate; with an 8192-bit RSA key it has about
	// 4 KB.
	maxCertificateText = 16 << 10
	// minRSABits and maxRSABits bound an RSA modulus, as the keys of callers are bounded.
	minRSABits = 2048
	maxRSABits = 8192
)
