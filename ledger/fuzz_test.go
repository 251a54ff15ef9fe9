package ledger_test

import (
	"bytes"
	"testing"

	"collimate/ledger"
)

// FuzzParse feeds bytes to Parse. What it accepts must be the one encoding of what it understood.
func FuzzParse(f *testing.F) {
	for _, body := range sampleBodies() {
		f.Add(sign(f, body))
	}
	for _, m := range badMessages(f) {
		f.Add(m.raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		tx, err := ledger.Parse(testChain, raw)
		if err != nil {
			if ledger.CodeOf(err) == "" {
				t.Fatalf("an error without a code: %v", err)
			}
			return
		}
		if tx.Signer == idOf("p1") {
			again := sign(t, tx.Body)
			if !bytes.Equal(again, raw) {
				t.Fatalf("encodes to %x", again)
			}
		}
	})
}

// FuzzPayload feeds payloads under a valid signature to Parse, so that the decoders of the bodies are reached.
// What is accepted must encode to the same bytes, and meet every rule without a panic.
func FuzzPayload(f *testing.F) {
	for _, body := range sampleBodies() {
		f.Add(open(f, sign(f, body)).Payload)
	}
	for _, m := range badPayloads(f) {
		f.Add(open(f, m.raw).Payload)
	}
	key := keyOf("p1")
	template := open(f, sign(f, allow()))
	w := grantedWorld(f)
	f.Fuzz(func(t *testing.T, payload []byte) {
		m := template
		m.Payload = payload
		raw := m.resign(t, key)
		tx, err := ledger.Parse(testChain, raw)
		if err != nil {
			if ledger.CodeOf(err) == "" || ledger.CodeOf(err) == ledger.CodeBadSignature {
				t.Fatalf("got %v", err)
			}
			return
		}
		if again := sign(t, tx.Body); !bytes.Equal(again, raw) {
			t.Fatalf("%x encodes to %x", raw, again)
		}
		if err := ledger.Check(w, tx, w.at); err != nil && ledger.CodeOf(err) == "" {
			t.Fatalf("a rule failed: %v", err)
		}
	})
}
