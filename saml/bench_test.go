package saml

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"testing"

	"collimate/xmlsec"
)

// BenchmarkValidate decides about an assertion of about 4 KB that has been parsed with its message. Compare
// BenchmarkBareCrypto: the one verification that it cannot do without.
func BenchmarkValidate(b *testing.B) {
	for _, kind := range []string{"rsa", "p256"} {
		b.Run(kind, func(b *testing.B) {
			idp := newIdentity(b, kind, "idp")
			v, n := newTestValidator(b, idp, nil), parse(b, idp.issue(b))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := v.Validate(n); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkParseAndValidate(b *testing.B) {
	idp := newIdentity(b, "p256", "idp")
	v, message := newTestValidator(b, idp, nil), []byte(idp.issue(b))
	b.SetBytes(int64(len(message)))
	b.ReportAllocs()
	for b.Loop() {
		d, err := xmlsec.Parse(message, xmlsec.Limits{})
		if err != nil {
			b.Fatal(err)
		}
		if _, err := v.Validate(d.Root()); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkRefuse is what the worst that can be refused costs: eight certificates, none of which is the signer's.
func BenchmarkRefuse(b *testing.B) {
	idp, stranger := newIdentity(b, "p256", "idp"), newIdentity(b, "p256", "stranger")
	v := newTestValidator(b, idp, func(c *Config) {
		for len(c.Issuers[0].Certificates) < MaxCertificates {
			c.Issuers[0].Certificates = append(c.Issuers[0].Certificates, idp.certificate)
		}
	})
	n := parse(b, stranger.issue(b))
	for b.Loop() {
		if _, err := v.Validate(n); err == nil {
			b.Fatal("accepted")
		}
	}
}

func BenchmarkBareCrypto(b *testing.B) {
	digest := make([]byte, 32)
	b.Run("rsa", func(b *testing.B) {
		key := newIdentity(b, "rsa", "idp").key.(*rsa.PrivateKey)
		value, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, digest)
		if err != nil {
			b.Fatal(err)
		}
		for b.Loop() {
			if err := rsa.VerifyPKCS1v15(&key.PublicKey, crypto.SHA256, digest, value); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("p256", func(b *testing.B) {
		key := newIdentity(b, "p256", "idp").key.(*ecdsa.PrivateKey)
		value, err := ecdsa.SignASN1(rand.Reader, key, digest)
		if err != nil {
			b.Fatal(err)
		}
		for b.Loop() {
			if !ecdsa.VerifyASN1(&key.PublicKey, digest, value) {
				b.Fatal("signature is wrong")
			}
		}
	})
}
