package xmlsec

import (
	"bytes"
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"strings"
	"testing"
)

var b64 = base64.StdEncoding.EncodeToString

func rsaValue(modulus, exponent []byte) string {
	return `<ds:KeyValue xmlns:ds="` + NamespaceDSig + `"><ds:RSAKeyValue><ds:Modulus>` + b64(modulus) + `</ds:Modulus><ds:Exponent>` +
		b64(exponent) + `</ds:Exponent></ds:RSAKeyValue></ds:KeyValue>`
}

func ecValue(curve string, point []byte) string {
	return `<ds:KeyValue xmlns:ds="` + NamespaceDSig + `"><d:ECKeyValue xmlns:d="` + NamespaceDSig11 + `"><d:NamedCurve URI="urn:oid:` + curve +
		`"/><d:PublicKey>` + b64(point) + `</d:PublicKey></d:ECKeyValue></ds:KeyValue>`
}

func derValue(t testing.TB, key crypto.PublicKey) string {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return `<d:DEREncodedKeyValue xmlns:d="` + NamespaceDSig11 + `">` + b64(der) + `</d:DEREncodedKeyValue>`
}

func pointOf(t testing.TB, key crypto.PublicKey) []byte {
	t.Helper()
	b, err := key.(*ecdsa.PublicKey).Bytes()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

const (
	oidP256 = "1.2.840.10045.3.1.7"
	oidP384 = "1.3.132.0.34"
	oidP521 = "1.3.132.0.35"
)

func TestParseKeyValue(t *testing.T) {
	r, p256, p384, ed := newKey(t, "rsa").Public(), newKey(t, "p256").Public(), newKey(t, "p384").Public(), newKey(t, "ed25519").Public()
	n, e := r.(*rsa.PublicKey).N.Bytes(), []byte{1, 0, 1}
	for _, c := range []struct {
		name, xml string
		want      crypto.PublicKey
	}{
		{"RSA", rsaValue(n, e), r},
		{"RSA, leading zeros", rsaValue(append([]byte{0}, n...), append([]byte{0}, e...)), r},
		{"RSA, broken lines", strings.Replace(rsaValue(n, e), b64(n)[:60], "\n"+b64(n)[:60]+"\n\t", 1), r},
		{"RSA, smallest exponent", rsaValue(n, []byte{3}), &rsa.PublicKey{N: r.(*rsa.PublicKey).N, E: 3}},
		{"RSA, largest exponent", rsaValue(n, []byte{0x7f, 0xff, 0xff, 0xff}), &rsa.PublicKey{N: r.(*rsa.PublicKey).N, E: 1<<31 - 1}},
		{"P-256", ecValue(oidP256, pointOf(t, p256)), p256},
		{"P-384", ecValue(oidP384, pointOf(t, p384)), p384},
		{"DER RSA", derValue(t, r), r},
		{"DER P-256", derValue(t, p256), p256},
		{"DER Ed25519", derValue(t, ed), ed},
	} {
		got, err := ParseKeyValue(parse(t, c.xml).Root())
		if err != nil || !got.(interface{ Equal(crypto.PublicKey) bool }).Equal(c.want) {
			t.Errorf("%s: got %v, %v", c.name, got, err)
		}
	}
}

func TestParseKeyValueRefuses(t *testing.T) {
	r, p256, p521 := newKey(t, "rsa").Public(), newKey(t, "p256").Public(), newKey(t, "p521").Public()
	x25519, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	n, e := r.(*rsa.PublicKey).N.Bytes(), []byte{1, 0, 1}
	off := pointOf(t, p256)
	off[64] ^= 1
	even := bytes.Clone(n)
	even[len(even)-1] &^= 1
	good := ecValue(oidP256, pointOf(t, p256))
	two := strings.Replace(rsaValue(n, e), "</ds:KeyValue>", strings.SplitAfterN(rsaValue(n, e), ">", 2)[1], 1)
	for _, c := range []struct {
		name, xml string
		want      error
	}{
		{"another element", `<KeyValue/>`, ErrMalformed},
		{"empty", `<KeyValue xmlns="` + NamespaceDSig + `"/>`, ErrMalformed},
		{"two values", two, ErrMalformed},
		{"DSA", `<KeyValue xmlns="` + NamespaceDSig + `"><DSAKeyValue/></KeyValue>`, ErrAlgorithm},
		{"EC in the old namespace", strings.ReplaceAll(good, NamespaceDSig11, "http://www.w3.org/2001/04/xmldsig-more#"), ErrAlgorithm},
		{"no Modulus", strings.ReplaceAll(rsaValue(n, e), "Modulus", "Module"), ErrMalformed},
		{"no Exponent", strings.ReplaceAll(rsaValue(n, e), "Exponent", "Power"), ErrMalformed},
		{"two exponents", strings.Replace(rsaValue(n, e), "<ds:Exponent>", "<ds:Exponent>AQAB</ds:Exponent><ds:Exponent>", 1), ErrMalformed},
		{"modulus not base64", strings.Replace(rsaValue(n, e), "<ds:Modulus>", "<ds:Modulus>!", 1), ErrMalformed},
		{"modulus longer than any", rsaValue(bytes.Repeat([]byte{0xff}, maxKeyText), e), ErrMalformed},
		{"modulus even", rsaValue(even, e), ErrMalformed},
		{"modulus 0", rsaValue(nil, e), ErrMalformed},
		{"exponent 0", rsaValue(n, nil), ErrMalformed},
		{"exponent 1", rsaValue(n, []byte{1}), ErrMalformed},
		{"exponent even", rsaValue(n, []byte{1, 0, 0}), ErrMalformed},
		{"exponent of 32 bits", rsaValue(n, []byte{0x80, 0, 0, 1}), ErrMalformed},
		{"exponent as long as the modulus", rsaValue(n, n), ErrMalformed},
		{"no curve", strings.ReplaceAll(good, "NamedCurve", "Curve"), ErrMalformed},
		{"curve without a name", strings.Replace(good, "URI=", "URL=", 1), ErrAlgorithm},
		{"P-521", ecValue(oidP521, pointOf(t, p521)), ErrAlgorithm},
		{"no point", strings.ReplaceAll(good, "PublicKey", "Key"), ErrMalformed},
		{"point off the curve", ecValue(oidP256, off), ErrMalformed},
		{"point of another curve", ecValue(oidP384, pointOf(t, p256)), ErrMalformed},
		{"point compressed", ecValue(oidP256, append([]byte{2}, off[1:33]...)), ErrMalformed},
		{"point of no length", ecValue(oidP256, nil), ErrMalformed},
		{"DER not base64", `<d:DEREncodedKeyValue xmlns:d="` + NamespaceDSig11 + `">!</d:DEREncodedKeyValue>`, ErrMalformed},
		{"DER of nothing", `<d:DEREncodedKeyValue xmlns:d="` + NamespaceDSig11 + `">MAA=</d:DEREncodedKeyValue>`, ErrMalformed},
		{"DER P-521", derValue(t, p521), ErrAlgorithm},
		{"DER X25519", derValue(t, x25519.PublicKey()), ErrAlgorithm},
	} {
		if got, err := ParseKeyValue(parse(t, c.xml).Root()); !errors.Is(err, c.want) || got != nil {
			t.Errorf("%s: got %v, %v, want %v", c.name, got, err, c.want)
		}
	}
}

// FuzzParseKeyValue: whatever key comes out can be written again, and tried by Verify.
func FuzzParseKeyValue(f *testing.F) {
	p256, ed := newKey(f, "p256").Public(), newKey(f, "ed25519").Public()
	f.Add([]byte(rsaValue(bytes.Repeat([]byte{0xff}, 256), []byte{1, 0, 1})))
	f.Add([]byte(ecValue(oidP256, pointOf(f, p256))))
	f.Add([]byte(derValue(f, p256)))
	f.Add([]byte(derValue(f, ed)))
	f.Fuzz(func(t *testing.T, b []byte) {
		d, err := Parse(b, Limits{})
		if err != nil {
			return
		}
		key, err := ParseKeyValue(d.Root())
		if err != nil {
			if key != nil || !errors.Is(err, ErrMalformed) && !errors.Is(err, ErrAlgorithm) {
				t.Fatalf("got %v, %v", key, err)
			}
			return
		}
		if _, err := x509.MarshalPKIXPublicKey(key); err != nil {
			t.Fatal(err)
		}
		for _, s := range []scheme{{familyRSA, crypto.SHA256}, {familyPSS, crypto.SHA256}, {familyECDSA, crypto.SHA256}, {familyEd25519, 0}} {
			_ = s.verify(key, make([]byte, 32), make([]byte, ed25519.SignatureSize), true) // does not panic
		}
	})
}
