package xmlsec

import (
	"crypto"
	"fmt"
	"strings"
)

// Signature is a ds:Signature element whose form is acceptable. Nothing is verified yet.
type Signature struct {
	node        Node
	signedInfo  Node
	c14n        C14NOptions
	algorithm   string
	scheme      scheme
	der, sha1   bool
	value       []byte
	keyInfo     Node
	references  []reference
	allowed     Algorithms
	dereference Dereference
}

type reference struct {
	id     string // without "#"
	named  Node   // the element that the URI names
	target Node   // what is digested: named, or the token that it stands for
	hash   crypto.Hash
	c14n   C14NOptions
	digest []byte
}

// Dereference returns the security token that a wsse:SecurityTokenReference stands for: an element of the same
// document, or of another one that was made for the purpose because the token is not in the message.
type Dereference func(reference Node) (Node, error)

// ParseSignature reads a ds:Signature and resolves its references, without any cryptography.
//
// The form is narrow: SignedInfo, SignatureValue, KeyInfo or none, and nothing else; exclusive canonicalisation, each
// reference a "#Id" with exactly one canonicalisation transform, after an optional enveloped-signature
// transform. Targets must not lie in one another, so that verifying reads no byte twice, nor in the signature;
// only the parent of the signature may contain it, under the enveloped-signature transform.
//
// Errors wrap ErrMalformed, ErrAlgorithm or ErrReference.
func ParseSignature(n Node, allowed Algorithms) (*Signature, error) {
	return ParseMessageSignature(n, allowed, nil)
}

// ParseMessageSignature is ParseSignature for WS-Security, where a reference may name a
// wsse:SecurityTokenReference and sign the token behind it, by the STR-Transform. Targets, and what Verified
// covers, are then the token. Errors of dereference are returned wrapped. If it is nil, the transform is
// refused.
func ParseMessageSignature(n Node, allowed Algorithms, dereference Dereference) (*Signature, error) {
	if !n.Is(NamespaceDSig, "Signature") {
		return nil, fmt.Errorf("not a ds:Signature: %w", ErrMalformed)
	}
	if err := n.Document().index(); err != nil {
		return nil, err
	}
	s := &Signature{node: n, allowed: allowed, der: allowed.DER, dereference: dereference}
	s.keyInfo, _ = n.Child(NamespaceDSig, "KeyInfo")
	parts, names := [3]Node{}, []string{"SignedInfo", "SignatureValue", "KeyInfo"}
	if s.keyInfo.IsZero() {
		names = names[:2]
	}
	if err := children(n, parts[:], names...); err != nil {
		return nil, err
	}
	s.signedInfo = parts[0]
	var err error
	if s.value, err = base64Text(parts[1], maxSignatureText); err != nil {
		return nil, err
	}
	if err := s.parseSignedInfo(); err != nil {
		return nil, err
	}
	return s, s.checkTargets()
}

// ParseEnvelopedSignature reads the one ds:Signature that is a child of n, and wants it to be over n and
// nothing else, which it names by its ID attribute (SAML 2.0 Core, section 5.4). When it verifies, Verified
// covers n, which is to say all that n holds but the signature itself.
func ParseEnvelopedSignature(n Node, allowed Algorithms) (*Signature, error) {
	element, err := n.Only(NamespaceDSig, "Signature")
	if err != nil {
		return nil, fmt.Errorf("enveloped signature: %w: %w", ErrMalformed, err)
	}
	s, err := ParseSignature(element, allowed)
	if err != nil {
		return nil, err
	}
	id, _ := n.Attr("", "ID")
	if r := s.references[0]; len(s.references) != 1 || r.target != n || r.id != id || r.c14n.omit != element {
		return nil, fmt.Errorf("signature is not over the element that it stands in: %w", ErrReference)
	}
	return s, nil
}

func (s *Signature) parseSignedInfo() error {
	// SignedInfo is CanonicalizationMethod, SignatureMethod, Reference+.
	count := 0
	for range s.signedInfo.Elements() {
		count++
	}
	if count < 3 {
		return fmt.Errorf("SignedInfo: %w", ErrMalformed)
	}
	if count-2 > maxReferences {
		return fmt.Errorf("more than %d references: %w", maxReferences, ErrMalformed)
	}
	s.references = make([]reference, count-2)
	i := 0
	for part := range s.signedInfo.Elements() {
		var err error
		switch {
		case i == 0 && part.Is(NamespaceDSig, "CanonicalizationMethod"):
			s.c14n, err = parseC14N(part)
		case i == 1 && part.Is(NamespaceDSig, "SignatureMethod"):
			err = s.parseMethod(part)
		case i >= 2 && part.Is(NamespaceDSig, "Reference"):
			err = s.parseReference(part, &s.references[i-2])
		default:
			err = fmt.Errorf("SignedInfo: %w", ErrMalformed)
		}
		if err != nil {
			return err
		}
		i++
	}
	return nil
}

func (s *Signature) parseMethod(n Node) (err error) {
	if s.algorithm, err = algorithmOf(n); err != nil {
		return err
	}
	s.scheme, err = s.allowed.signature(s.algorithm)
	s.sha1 = s.sha1 || s.scheme.hash == crypto.SHA1
	return err
}

func (s *Signature) parseReference(n Node, r *reference) error {
	var parts [3]Node
	if err := children(n, parts[:], "Transforms", "DigestMethod", "DigestValue"); err != nil {
		return err
	}
	uri, _ := n.Attr("", "URI")
	var err error
	if r.named, err = n.Document().Resolve(uri); err != nil {
		return err
	}
	r.id, r.target = uri[1:], r.named
	if err := s.parseTransforms(parts[0], r); err != nil {
		return err
	}
	algorithm, err := algorithmOf(parts[1])
	if err != nil {
		return err
	}
	if r.hash, err = s.allowed.digest(algorithm); err != nil {
		return err
	}
	s.sha1 = s.sha1 || r.hash == crypto.SHA1
	r.digest, err = base64Text(parts[2], maxDigestText)
	return err
}

// parseTransforms accepts one exclusive canonicalisation. The enveloped-signature transform before it changes
// nothing for a detached reference, but node-soap always writes it.
func (s *Signature) parseTransforms(n Node, r *reference) error {
	var omit Node
	done := false
	for t := range n.Elements() {
		if !t.Is(NamespaceDSig, "Transform") || done {
			return fmt.Errorf("transforms after canonicalisation: %w", ErrMalformed)
		}
		var err error
		switch algorithm, _ := t.Attr("", "Algorithm"); {
		case algorithm == EnvelopedSignature && omit.IsZero():
			_, err = algorithmOf(t)
			omit = s.node
		case algorithm == STRTransform && omit.IsZero() && s.dereference != nil:
			err = s.parseSTRTransform(t, r)
			done = true
		default:
			r.c14n, err = parseC14N(t)
			done = true
		}
		if err != nil {
			return err
		}
	}
	if !done {
		return fmt.Errorf("reference without a canonicalisation transform: %w", ErrMalformed)
	}
	r.c14n.omit = omit
	return nil
}

// parseSTRTransform reads the STR-Transform, whose canonicalisation is a parameter. WSS SOAP Message Security
// 1.1, section 8.3
func (s *Signature) parseSTRTransform(n Node, r *reference) error {
	parameters, err := onlyChild(n, namespaceWSSE, "TransformationParameters")
	if err != nil {
		return err
	}
	method, err := onlyChild(parameters, NamespaceDSig, "CanonicalizationMethod")
	if err != nil {
		return err
	}
	if r.c14n, err = parseC14N(method); err != nil {
		return err
	}
	r.c14n.emptyDefault = true
	if !r.named.Is(namespaceWSSE, "SecurityTokenReference") {
		return fmt.Errorf("STR-Transform of another element: %w", ErrReference)
	}
	if r.target, err = s.dereference(r.named); err != nil {
		return fmt.Errorf("token of the STR-Transform: %w", err)
	}
	if r.target.IsZero() {
		return fmt.Errorf("token of the STR-Transform: %w", ErrReference)
	}
	return nil
}

const namespaceWSSE = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"

// parseC14N reads a CanonicalizationMethod, or a Transform that is one.
func parseC14N(n Node) (o C14NOptions, err error) {
	switch a, _ := n.Attr("", "Algorithm"); a {
	case ExclusiveC14N:
	case ExclusiveC14NWithComments:
		o.Comments = true
	default:
		return o, fmt.Errorf("transform or canonicalisation: %w", ErrAlgorithm)
	}
	parameters := 0
	for c := range n.Elements() {
		if parameters++; parameters > 1 || !c.Is(ExclusiveC14N, "InclusiveNamespaces") {
			return o, fmt.Errorf("canonicalisation parameters: %w", ErrMalformed)
		}
		list, _ := c.Attr("", "PrefixList")
		if o.InclusivePrefixes = strings.Fields(list); len(o.InclusivePrefixes) > maxPrefixes {
			return o, fmt.Errorf("PrefixList of more than %d prefixes: %w", maxPrefixes, ErrMalformed)
		}
	}
	return o, nil
}

// checkTargets refuses targets that overlap: the work of verifying stays within one pass over the document.
func (s *Signature) checkTargets() error {
	for i, r := range s.references {
		if s.node.contains(r.target) && r.target == r.named {
			return fmt.Errorf("signature covers a part of itself: %w", ErrReference)
		}
		// Further out, leaving the signature out would leave out whatever stands around it unnoticed.
		if r.target.contains(s.node) && (r.c14n.omit.IsZero() || r.target != s.node.Parent()) {
			return fmt.Errorf("signature covers what it stands in: %w", ErrReference)
		}
		for _, other := range s.references[:i] {
			if r.target.contains(other.target) || other.target.contains(r.target) {
				return fmt.Errorf("referenced elements overlap: %w", ErrReference)
			}
		}
	}
	return nil
}

// KeyInfo returns the ds:KeyInfo element, zero if there is none. It is the sender's hint at the key, and no more:
// which key may sign is for the caller to know.
func (s *Signature) KeyInfo() Node { return s.keyInfo }

// Resolve finds the element that a URI of the form "#id" names, by the same index as the references. The
// error wraps ErrReference.
func (s *Signature) Resolve(uri string) (Node, error) { return s.node.d.Resolve(uri) }

// Targets returns the referenced elements. Check where they stand before paying for Verify.
func (s *Signature) Targets() []Node {
	targets := make([]Node, len(s.references))
	for i, r := range s.references {
		targets[i] = r.target
	}
	return targets
}

// children finds the child elements of n, which must be exactly these, in this order.
func children(n Node, found []Node, locals ...string) error {
	i := 0
	for c := range n.Elements() {
		if i == len(locals) || !c.Is(NamespaceDSig, locals[i]) {
			return fmt.Errorf("content of %s: %w", n.Local(), ErrMalformed)
		}
		found[i] = c
		i++
	}
	if i != len(locals) {
		return fmt.Errorf("content of %s: %w", n.Local(), ErrMalformed)
	}
	return nil
}

// onlyChild returns the single child element of n, which must have that name.
func onlyChild(n Node, space, local string) (found Node, err error) {
	for c := range n.Elements() {
		if !found.IsZero() || !c.Is(space, local) {
			return Node{}, fmt.Errorf("content of %s: %w", n.Local(), ErrMalformed)
		}
		found = c
	}
	if found.IsZero() {
		return Node{}, fmt.Errorf("content of %s: %w", n.Local(), ErrMalformed)
	}
	return found, nil
}

// algorithmOf reads the Algorithm of an element that must have no parameters, such as HMACOutputLength.
func algorithmOf(n Node) (string, error) {
	for range n.Elements() {
		return "", fmt.Errorf("parameters of %s: %w", n.Local(), ErrMalformed)
	}
	a, _ := n.Attr("", "Algorithm")
	return a, nil
}
