package xmlsec

import "math"

// Limits bound what Parse accepts. A field that is zero takes its value from DefaultLimits.
type Limits struct {
	// MaxBytes is the size of the document in bytes, at most 2 GiB.
	MaxBytes int
	// MaxNodes counts elements, stretches of character data, comments and processing instructions. A node
	// takes 64 bytes of memory.
	MaxNodes int
	// MaxDepth is how deep elements may nest; the root is at depth 1.
	MaxDepth int
	// MaxAttributes counts attributes and namespace declarations of one element.
	MaxAttributes int
	// MaxNamespaces is how many different namespace declarations may be in scope at one element.
	MaxNamespaces int
	// MaxNamespaceURI is the length of one namespace name in bytes.
	MaxNamespaceURI int
	// NoProcessingInstructions refuses them, as SOAP does (SOAP 1.2 part 1, section 5).
	NoProcessingInstructions bool
}

// DefaultLimits suit a SOAP request: the largest that IHE sends without MTOM are submissions of some thousand
// document entries. Do not change them: pass other Limits.
var DefaultLimits = Limits{
	MaxBytes: 8 << 20,
	// A dense ebRIM message has a node per 30 bytes; 200,000 nodes are 6 MB of it and 13 MB of memory.
	MaxNodes: 200_000,
	// Canonicalisation recurses. IHE metadata with a SAML assertion in a SOAP header nests to about 20.
	MaxDepth: 64,
	// Duplicate attributes are found by comparing each with each.
	MaxAttributes: 64,
	// Looking up a prefix walks the declarations in scope, for each element.
	MaxNamespaces: 64,
	// Canonical XML repeats a declaration at each sibling that uses it: a long name declared once and used
	// 100,000 times is how a small document becomes a huge one. OASIS names have 82 characters.
	MaxNamespaceURI: 256,
}

// maxGuess is how many nodes and attributes are made room for before the document is read, by what it looks like: as
// many as a SOAP request of 1 MB may have.
const maxGuess = 64 << 10

// The limits of a signature. They are constants, as no honest peer comes near them.
const (
	// maxReferences: WS-Security peers sign 2 to 10 parts.
	maxReferences = 32
	// maxPrefixes bounds one InclusiveNamespaces PrefixList; WSS4J lists what the envelope declares, 2 to 8.
	maxPrefixes = 32
	// maxSignatureText bounds the base64 text of SignatureValue: an RSA key of 8192 bits has 1,368 characters,
	// and line breaks.
	maxSignatureText = 2048
	// maxDigestText bounds the base64 text of DigestValue: SHA-512 has 88 characters.
	maxDigestText = 128
	// maxKeyText bounds the base64 text of a key, or of a number in it: an RSA key of 8192 bits has about 1,400
	// characters, and line breaks.
	maxKeyText = 4096
	// maxReferenceText bounds an entity or character reference, so that &#x000...041; cannot be a book.
	maxReferenceText = 16
	// maxIDs bounds the identifiers of a document in which a signature is made or looked for: messages have
	// tens, and finding one that stands twice means sorting them.
	maxIDs = 4096
	// The modulus of an RSA key in bits: below, it can be broken; above, one verification is a way to keep a
	// server busy.
	minRSABits = 2048
	maxRSABits = 8192
	// hashBlock is how much canonical XML is gathered before it goes to the digest, so that verifying takes
	// the same memory for a small body and for a large one.
	hashBlock = 32 << 10
)

func (l Limits) withDefaults() Limits {
	set := func(field *int, value int) {
		if *field <= 0 {
			*field = value
		}
	}
	set(&l.MaxBytes, DefaultLimits.MaxBytes)
	set(&l.MaxNodes, DefaultLimits.MaxNodes)
	set(&l.MaxDepth, DefaultLimits.MaxDepth)
	set(&l.MaxAttributes, DefaultLimits.MaxAttributes)
	set(&l.MaxNamespaces, DefaultLimits.MaxNamespaces)
	set(&l.MaxNamespaceURI, DefaultLimits.MaxNamespaceURI)
	l.MaxBytes = min(l.MaxBytes, math.MaxInt32) // offsets are 32-bit
	l.MaxNodes = min(l.MaxNodes, math.MaxInt32)
	return l
}
