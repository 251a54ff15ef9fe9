package xmlsec

import (
	"crypto"
	_ "crypto/sha1" // linked in for crypto.Hash.New
	_ "crypto/sha256"
	_ "crypto/sha512"
	"fmt"
	"slices"
)

// The namespaces of XML Signature, and the identifiers of the algorithms that this package knows.
const (
	NamespaceDSig   = "http://www.w3.org/2000/09/xmldsig#"
	NamespaceDSig11 = "http://www.w3.org/2009/xmldsig11#"

	// ExclusiveC14N is both the algorithm and the namespace of InclusiveNamespaces.
	ExclusiveC14N             = "http://www.w3.org/2001/10/xml-exc-c14n#"
	ExclusiveC14NWithComments = "http://www.w3.org/2001/10/xml-exc-c14n#WithComments"
	EnvelopedSignature        = "http://www.w3.org/2000/09/xmldsig#enveloped-signature"
	// STRTransform is of WSS SOAP Message Security 1.1, section 8.3; see ParseMessageSignature.
	STRTransform = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-soap-message-security-1.0#STR-Transform"

	SHA256 = "http://www.w3.org/2001/04/xmlenc#sha256"
	SHA384 = "http://www.w3.org/2001/04/xmldsig-more#sha384"
	SHA512 = "http://www.w3.org/2001/04/xmlenc#sha512"

	// RSA PKCS #1 v1.5. RFC 9231, section 2.3.2 and 2.3.3
	RSASHA256 = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"
	RSASHA384 = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha384"
	RSASHA512 = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha512"
	// RSA PSS; mask and message have one hash, and the salt is as long as it. RFC 9231, section 2.3.10
	PSSSHA256 = "http://www.w3.org/2007/05/xmldsig-more#sha256-rsa-MGF1"
	PSSSHA384 = "http://www.w3.org/2007/05/xmldsig-more#sha384-rsa-MGF1"
	PSSSHA512 = "http://www.w3.org/2007/05/xmldsig-more#sha512-rsa-MGF1"

	ECDSASHA256 = "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256"
	ECDSASHA384 = "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha384"
	ECDSASHA512 = "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha512"
	Ed25519     = "http://www.w3.org/2021/04/xmldsig-more#eddsa-ed25519" // RFC 9231, section 2.3.12

	// SHA-1 is broken for signatures: accepted only with Algorithms.SHA1, and never made.
	SHA1      = "http://www.w3.org/2000/09/xmldsig#sha1"
	RSASHA1   = "http://www.w3.org/2000/09/xmldsig#rsa-sha1"
	ECDSASHA1 = "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha1"
)

// Algorithms is an allow-list. The zero value allows all that the package knows, but for what the two switches
// say; they are for one peer that cannot do better, not for all.
type Algorithms struct {
	// Signatures are identifiers such as ECDSASHA256; an empty list allows all.
	Signatures []string
	// Digests are identifiers such as SHA256; an empty list allows all.
	Digests []string
	// DER accepts ECDSA signature values in DER beside the r and s side by side that RFC 4050 asks for. gSOAP
	// and goxmldsig write DER.
	DER bool
	// SHA1 accepts SHA-1 in digests and signatures. Verified.SHA1 reports where it was needed.
	SHA1 bool
}

// scheme is what a signature algorithm identifier means.
type scheme struct {
	family family
	hash   crypto.Hash // 0 for Ed25519, which hashes by itself
}

type family uint8

const (
	familyRSA family = iota + 1
	familyPSS
	familyECDSA
	familyEd25519
)

func signatureScheme(algorithm string) (scheme, bool) {
	switch algorithm {
	case RSASHA256:
		return scheme{familyRSA, crypto.SHA256}, true
	case RSASHA384:
		return scheme{familyRSA, crypto.SHA384}, true
	case RSASHA512:
		return scheme{familyRSA, crypto.SHA512}, true
	case RSASHA1:
		return scheme{familyRSA, crypto.SHA1}, true
	case PSSSHA256:
		return scheme{familyPSS, crypto.SHA256}, true
	case PSSSHA384:
		return scheme{familyPSS, crypto.SHA384}, true
	case PSSSHA512:
		return scheme{familyPSS, crypto.SHA512}, true
	case ECDSASHA256:
		return scheme{familyECDSA, crypto.SHA256}, true
	case ECDSASHA384:
		return scheme{familyECDSA, crypto.SHA384}, true
	case ECDSASHA512:
		return scheme{familyECDSA, crypto.SHA512}, true
	case ECDSASHA1:
		return scheme{familyECDSA, crypto.SHA1}, true
	case Ed25519:
		return scheme{familyEd25519, 0}, true
	}
	return scheme{}, false
}

func digestHash(algorithm string) (crypto.Hash, bool) {
	switch algorithm {
	case SHA256:
		return crypto.SHA256, true
	case SHA384:
		return crypto.SHA384, true
	case SHA512:
		return crypto.SHA512, true
	case SHA1:
		return crypto.SHA1, true
	}
	return 0, false
}

func (a Algorithms) signature(algorithm string) (scheme, error) {
	s, ok := signatureScheme(algorithm)
	if !ok || s.hash == crypto.SHA1 && !a.SHA1 || len(a.Signatures) > 0 && !slices.Contains(a.Signatures, algorithm) {
		return scheme{}, fmt.Errorf("signature method: %w", ErrAlgorithm)
	}
	return s, nil
}

func (a Algorithms) digest(algorithm string) (crypto.Hash, error) {
	h, ok := digestHash(algorithm)
	if !ok || h == crypto.SHA1 && !a.SHA1 || len(a.Digests) > 0 && !slices.Contains(a.Digests, algorithm) {
		return 0, fmt.Errorf("digest method: %w", ErrAlgorithm)
	}
	return h, nil
}
