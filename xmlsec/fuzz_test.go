package xmlsec

import (
	"bytes"
	"crypto/ed25519"
	"strings"
	"testing"
)

// FuzzSignature mutates a signed message. Whatever verifies has, in the parts that are covered, what was signed.
func FuzzSignature(f *testing.F) {
	key := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, ed25519.SeedSize)) // the same in each process
	original := signEnvelope(f, key, "to", "action", "body")
	want := map[string]bool{}
	for _, r := range referencesTo(f, "to", "action", "body") {
		want[string(AppendC14N(nil, r.Node, C14NOptions{}))] = true
	}
	want[string(AppendC14N(nil, parse(f, unsignedAssertion).Root(), C14NOptions{}))] = true
	f.Add([]byte(original))
	f.Add([]byte(strings.Replace(original, "2.25.1", "2.25.<!-- -->1", 1)))
	f.Add([]byte(strings.Replace(original, "<s:Header>", `<s:Header><x xmlns="" Id="to"/>`, 1)))
	f.Add([]byte(signEnveloped(f, key, unsignedAssertion)))
	allowed := Algorithms{DER: true, SHA1: true}
	f.Fuzz(func(t *testing.T, message []byte) {
		d, err := Parse(message, Limits{})
		if err != nil {
			return
		}
		for n := range d.Walk() {
			if !n.Is(NamespaceDSig, "Signature") {
				continue
			}
			s, err := ParseMessageSignature(n, allowed, func(n Node) (Node, error) { return n, nil })
			if err != nil {
				continue
			}
			if _, err := s.Verify(key.Public()); err != nil {
				continue
			}
			for _, r := range s.references {
				if got := string(AppendC14N(nil, r.target, r.c14n)); !want[got] {
					t.Errorf("signed: %s", got)
				}
			}
		}
	})
}
