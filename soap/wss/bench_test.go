package wss

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"strings"
	"testing"
	"time"
)

// forgetful lets the same message in again, for measuring.
type forgetful struct{}

func (forgetful) Remember([32]byte, time.Time) (bool, error) { return true, nil }

// BenchmarkVerify parses and authenticates a request of about 6 KB with 7 references. Compare BenchmarkBareCrypto:
// the one signature verification that it cannot do without.
func BenchmarkVerify(b *testing.B) {
	for _, kind := range []string{"p256", "rsa"} {
		b.Run(kind, func(b *testing.B) {
			message := marshalSigned(b, newIdentity(b, kind, nil), strings.Repeat(testRequest, 10))
			v := newTestVerifier(b, func(c *Config) { c.Replay = forgetful{} })
			b.SetBytes(int64(len(message)))
			b.ReportAllocs()
			for b.Loop() {
				r, err := naiveRequest(message)
				if err != nil {
					b.Fatal(err)
				}
				if _, err := v.Authenticate(context.Background(), r); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkSign(b *testing.B) {
	for _, kind := range []string{"p256", "rsa"} {
		b.Run(kind, func(b *testing.B) {
			signer := newIdentity(b, kind, nil)
			b.ReportAllocs()
			for b.Loop() {
				marshalSigned(b, signer, testRequest)
			}
		})
	}
}

func BenchmarkBareCrypto(b *testing.B) {
	digest := make([]byte, 32)
	b.Run("p256", func(b *testing.B) {
		key := newIdentity(b, "p256", nil).key.(*ecdsa.PrivateKey)
		signature, err := ecdsa.SignASN1(rand.Reader, key, digest)
		if err != nil {
			b.Fatal(err)
		}
		for b.Loop() {
			if !ecdsa.VerifyASN1(&key.PublicKey, digest, signature) {
				b.Fatal("signature is wrong")
			}
		}
	})
	b.Run("rsa", func(b *testing.B) {
		key := newIdentity(b, "rsa", nil).key.(*rsa.PrivateKey)
		signature, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, digest)
		if err != nil {
			b.Fatal(err)
		}
		for b.Loop() {
			if err := rsa.VerifyPKCS1v15(&key.PublicKey, crypto.SHA256, digest, signature); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// TestAllocations: the request of BenchmarkVerify takes at most 100, parsing included.
func TestAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates too")
	}
	for _, kind := range []string{"p256", "rsa"} {
		message := marshalSigned(t, newIdentity(t, kind, nil), strings.Repeat(testRequest, 10))
		v := newTestVerifier(t, func(c *Config) { c.Replay = forgetful{} })
		got := testing.AllocsPerRun(20, func() {
			r, err := naiveRequest(message)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := v.Authenticate(context.Background(), r); err != nil {
				t.Fatal(err)
			}
		})
		if got > 100 {
			t.Errorf("%s: %v allocations, want 100 at most", kind, got)
		}
		t.Logf("%s: %v allocations for %d bytes", kind, got, len(message))
	}
}
