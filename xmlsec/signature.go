package xmlsec

import (
	"crypto"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
)

// Signature is a ds:Signature element whose form is acceptable. Nothing is verified yet.
type Signature struct {
	node       Node
	signedInfo Node
	c14n       C14NOptions
	algorithm  string
	scheme     scheme
	value      []byte
	keyInfo    Node
	references []reference
	ids        map[string]Node
}

type reference struct {
	target Node
	hash   crypto.Hash
	c14n   C14NOptions
	digest []byte
}

// ParseSignature reads a ds:Signature and resolves its references, without any cryptography.
//
// The form is narrow: SignedInfo, SignatureValue, KeyInfo and nothing else, exclusive canonicalisation, each
// reference a "#Id" with exactly one canonicalisation transform, after an optional enveloped-signature
// transform. Targets must not lie in one another or in the signature, so that verifying reads no byte twice.
//
// Errors wrap ErrMalformed, ErrAlgorithm or ErrReference.
func ParseSignature(n Node, allowed Algorithms) (*Signature, error) {
	if !n.Is(NamespaceDSig, "Signature") {
		return nil, fmt.Errorf("not a ds:Signature: %w", ErrMalformed)
	}
	ids, err := n.Document().index()
	if err != nil {
		return nil, err
	}
	s := &Signature{node: n, ids: ids}
	parts, err := children(n, "SignedInfo", "SignatureValue", "KeyInfo")
	if err != nil {
		return nil, err
	}
	s.signedInfo, s.keyInfo = parts[0], parts[2]
	if s.value, err = base64Text(parts[1], maxSignatureText); err != nil {
		return nil, err
	}
	if err := s.parseSignedInfo(allowed); err != nil {
		return nil, err
	}
	return s, s.checkTargets()
}

func (s *Signature) parseSignedInfo(allowed Algorithms) error {
	parts := slices.AppendSeq(make([]Node, 0, 12), s.signedInfo.Elements())
	if len(parts) < 3 || !parts[0].Is(NamespaceDSig, "CanonicalizationMethod") ||
		!parts[1].Is(NamespaceDSig, "SignatureMethod") {
		return fmt.Errorf("SignedInfo: %w", ErrMalformed)
	}
	if len(parts)-2 > maxReferences {
		return fmt.Errorf("more than %d references: %w", maxReferences, ErrMalformed)
	}
	var err error
	if s.c14n, err = parseC14N(parts[0]); err != nil {
		return err
	}
	if s.algorithm, err = algorithmOf(parts[1]); err != nil {
		return err
	}
	if s.scheme, err = allowed.signature(s.algorithm); err != nil {
		return err
	}
	s.references = make([]reference, 0, len(parts)-2)
	for _, part := range parts[2:] {
		r, err := s.parseReference(part, allowed)
		if err != nil {
			return err
		}
		s.references = append(s.references, r)
	}
	return nil
}

func (s *Signature) parseReference(n Node, allowed Algorithms) (r reference, err error) {
	if !n.Is(NamespaceDSig, "Reference") {
		return r, fmt.Errorf("SignedInfo: %w", ErrMalformed)
	}
	parts, err := children(n, "Transforms", "DigestMethod", "DigestValue")
	if err != nil {
		return r, err
	}
	uri, _ := n.Attr("", "URI")
	if r.target, err = resolve(s.ids, uri); err != nil {
		return r, err
	}
	if r.c14n, err = s.parseTransforms(parts[0]); err != nil {
		return r, err
	}
	algorithm, err := algorithmOf(parts[1])
	if err != nil {
		return r, err
	}
	if r.hash, err = allowed.digest(algorithm); err != nil {
		return r, err
	}
	r.digest, err = base64Text(parts[2], maxDigestText)
	return r, err
}

// parseTransforms accepts one exclusive canonicalisation. The enveloped-signature transform before it changes
// nothing for a detached reference, but node-soap always writes it.
func (s *Signature) parseTransforms(n Node) (C14NOptions, error) {
	var omit Node
	var c14n []Node
	for t := range n.Elements() {
		if !t.Is(NamespaceDSig, "Transform") || len(c14n) > 0 {
			return C14NOptions{}, fmt.Errorf("transforms after canonicalisation: %w", ErrMalformed)
		}
		if a, _ := t.Attr("", "Algorithm"); a == EnvelopedSignature && omit.IsZero() {
			if _, err := algorithmOf(t); err != nil {
				return C14NOptions{}, err
			}
			omit = s.node
			continue
		}
		c14n = append(c14n, t)
	}
	if len(c14n) == 0 {
		return C14NOptions{}, fmt.Errorf("reference without a canonicalisation transform: %w", ErrMalformed)
	}
	o, err := parseC14N(c14n[0])
	o.omit = omit
	return o, err
}

// parseC14N reads a CanonicalizationMethod, or a Transform that is one.
func parseC14N(n Node) (o C14NOptions, err error) {
	switch a, _ := n.Attr("", "Algorithm"); a {
	case ExclusiveC14N:
	case ExclusiveC14NWithComments:
		o.Comments = true
	default:
		return o, fmt.Errorf("transform or canonicalisation: %w", ErrAlgorithm)
	}
	for i, c := range slices.Collect(n.Elements()) {
		if i > 0 || !c.Is(ExclusiveC14N, "InclusiveNamespaces") {
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
		if s.node.contains(r.target) {
			return fmt.Errorf("signature covers a part of itself: %w", ErrReference)
		}
		for _, other := range s.references[:i] {
			if r.target.contains(other.target) || other.target.contains(r.target) {
				return fmt.Errorf("referenced elements overlap: %w", ErrReference)
			}
		}
	}
	return nil
}

// KeyInfo returns the ds:KeyInfo element, whose content the caller turns into a key.
func (s *Signature) KeyInfo() Node { return s.keyInfo }

// Resolve finds the element that a URI of the form "#id" names, by the same index as the references. The
// error wraps ErrReference.
func (s *Signature) Resolve(uri string) (Node, error) { return resolve(s.ids, uri) }

// Targets returns the referenced elements. Check where they stand before paying for Verify.
func (s *Signature) Targets() []Node {
	targets := make([]Node, len(s.references))
	for i, r := range s.references {
		targets[i] = r.target
	}
	return targets
}

// children returns the child elements of n, which must be exactly these, in this order.
func children(n Node, locals ...string) ([]Node, error) {
	found := make([]Node, 0, len(locals))
	for c := range n.Elements() {
		if len(found) == len(locals) || !c.Is(NamespaceDSig, locals[len(found)]) {
			return nil, fmt.Errorf("content of %s: %w", n.Local(), ErrMalformed)
		}
		found = append(found, c)
	}
	if len(found) != len(locals) {
		return nil, fmt.Errorf("content of %s: %w", n.Local(), ErrMalformed)
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

// DecodeBase64 returns the decoded text of n, white space ignored, if the text has at most limit bytes. The
// error wraps ErrMalformed.
func DecodeBase64(n Node, limit int) ([]byte, error) { return base64Text(n, limit) }

func base64Text(n Node, limit int) ([]byte, error) {
	text, err := n.Text()
	if err != nil {
		return nil, fmt.Errorf("%s: %w: %w", n.Local(), ErrMalformed, err)
	}
	if len(text) > limit {
		return nil, fmt.Errorf("%s is longer than %d: %w", n.Local(), limit, ErrMalformed)
	}
	if strings.ContainsAny(text, " \t\r\n") {
		text = strings.Join(strings.Fields(text), "")
	}
	b, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil {
		return nil, fmt.Errorf("%s is not base64: %w", n.Local(), ErrMalformed)
	}
	return b, nil
}
