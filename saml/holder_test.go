package saml

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"math/big"
	"strings"
	"testing"
)

// b64 encodes as base64.
func b64(b []byte) string { return base64.StdEncoding.EncodeToString(b) }

func x509Data(ids ...identity) string {
	s := "<ds:X509Data>"
	for _, i := range ids {
		s += "<ds:X509Certificate>" + i.base64() + "</ds:X509Certificate>"
	}
	return s + "</ds:X509Data>"
}

func rsaValue(modulus, exponent []byte) string {
	return `<ds:KeyValue><ds:RSAKeyValue><ds:Modulus>` + b64(modulus) + `</ds:Modulus><ds:Exponent>` + b64(exponent) + `</ds:Exponent></ds:RSAKeyValue></ds:KeyValue>`
}

func ecValue(curve string, point []byte) string {
	return `<ds:KeyValue><d:ECKeyValue xmlns:d="http://www.w3.org/2009/xmldsig11#"><d:NamedCurve URI="` + curve + `"/><d:PublicKey>` + b64(point) + `</d:PublicKey></d:ECKeyValue></ds:KeyValue>`
}

// ones is a number of n bits, all set.
func ones(n uint) []byte {
	one := big.NewInt(1)
	return new(big.Int).Sub(new(big.Int).Lsh(one, n), one).Bytes()
}

// longest stands for the private key to the longest modulus that is accepted.
type longest struct{ crypto.Signer }

func (longest) Public() crypto.PublicKey {
	return &rsa.PublicKey{N: new(big.Int).SetBytes(ones(maxRSABits)), E: 65537}
}

func derValue(t *testing.T, key crypto.PublicKey) string {
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return `<d:DEREncodedKeyValue xmlns:d="http://www.w3.org/2009/xmldsig11#">` + b64(der) + `</d:DEREncodedKeyValue>`
}

func point(t *testing.T, key crypto.PublicKey) []byte {
	b, err := key.(*ecdsa.PublicKey).Bytes()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

const (
	oidP256 = "urn:oid:1.2.840.10045.3.1.7"
	oidP384 = "urn:oid:1.3.132.0.34"
	oidP521 = "urn:oid:1.3.132.0.35"
)

func TestHolderOfKey(t *testing.T) {
	idp := newIdentity(t, "p256", "idp")
	r, p256, p384, ed := newIdentity(t, "rsa", "holder"), newIdentity(t, "p256", "holder"), newIdentity(t, "p384", "holder"), newIdentity(t, "ed25519", "holder")
	thief := newIdentity(t, "p256", "thief")
	n := r.key.Public().(*rsa.PublicKey).N.Bytes()
	e := []byte{1, 0, 1}
	for _, c := range []struct {
		name, keyInfo string
		want          identity
	}{
		{"certificate", x509Data(p256), p256},
		{"certificate among other things", `<ds:KeyName>x</ds:KeyName><ds:X509Data><ds:X509SubjectName>CN=x</ds:X509SubjectName><ds:X509Certificate>` + p256.base64() + `</ds:X509Certificate></ds:X509Data>`, p256},
		{"certificate RSA", x509Data(r), r},
		{"certificate Ed25519", x509Data(ed), ed},
		{"key value RSA", rsaValue(n, e), r},
		{"key value RSA, leading zero", rsaValue(append([]byte{0}, n...), e), r},
		{"key value RSA, longest", rsaValue(ones(maxRSABits), e), identity{key: longest{}}},
		{"key value RSA, broken lines", strings.Replace(rsaValue(n, e), b64(n)[:60], b64(n)[:60]+"\n\t", 1), r},
		{"key value P-256", ecValue(oidP256, point(t, p256.key.Public())), p256},
		{"key value P-384", ecValue(oidP384, point(t, p384.key.Public())), p384},
		{"DER Ed25519", derValue(t, ed.key.Public()), ed},
		{"DER RSA", derValue(t, r.key.Public()), r},
		{"certificate and key value that agree", x509Data(r) + rsaValue(n, e), r},
	} {
		t.Run(c.name, func(t *testing.T) {
			a, err := validate(t, newTestValidator(t, idp, nil), idp.issue(t, swap(bearerConfirmation, holderConfirmation(c.keyInfo))))
			if err != nil {
				t.Fatal(err)
			}
			if a.Method != HolderOfKey || !a.HeldBy(c.want.key.Public()) {
				t.Errorf("got method %v, key %v", a.Method, a.HolderKey)
			}
			if a.HeldBy(thief.key.Public()) || a.HeldBy(nil) || a.HeldBy(idp.key.Public()) {
				t.Error("held by another key")
			}
			if got, want := a.HolderCertificate != nil, strings.Contains(c.keyInfo, "X509Certificate"); got != want {
				t.Errorf("got a certificate %v, want %v", got, want)
			}
			if a.HolderCertificate != nil && !a.HolderCertificate.Equal(c.want.certificate) {
				t.Error("got another certificate")
			}
		})
	}
	t.Run("bearer is held by nobody", func(t *testing.T) {
		a, err := validate(t, newTestValidator(t, idp, nil), idp.issue(t))
		if err != nil {
			t.Fatal(err)
		}
		if a.HolderKey = p256.key.Public(); a.HeldBy(p256.key.Public()) {
			t.Error("a bearer assertion is held by a key")
		}
	})
}

func TestHolderRefused(t *testing.T) {
	r, p256, p521 := newIdentity(t, "rsa", "holder"), newIdentity(t, "p256", "holder"), newIdentity(t, "p521", "holder")
	n := r.key.Public().(*rsa.PublicKey).N
	e := []byte{1, 0, 1}
	off := point(t, p256.key.Public())
	off[64] ^= 1
	even := new(big.Int).Add(n, big.NewInt(1))
	var rules []rule
	for _, c := range []struct{ name, keyInfo string }{
		{"nothing", ""},
		{"only a name", `<ds:KeyName>holder</ds:KeyName>`},
		{"only the subject of a certificate", `<ds:X509Data><ds:X509SubjectName>CN=x</ds:X509SubjectName></ds:X509Data>`},
		{"reference to elsewhere", `<ds:RetrievalMethod URI="#x"/>`},
		{"key without KeyValue", strings.NewReplacer("<ds:KeyValue>", "", "</ds:KeyValue>", "").Replace(rsaValue(n.Bytes(), e))},
		{"two certificates", x509Data(p256, r)},
		{"one certificate twice", x509Data(p256, p256)},
		{"certificates in two X509Data", x509Data(p256) + x509Data(r)},
		{"certificate and another key value", x509Data(p256) + rsaValue(n.Bytes(), e)},
		{"two key values", rsaValue(n.Bytes(), e) + ecValue(oidP256, point(t, p256.key.Public()))},
		{"certificate that is none", `<ds:X509Data><ds:X509Certificate>MIIB</ds:X509Certificate></ds:X509Data>`},
		{"certificate not base64", `<ds:X509Data><ds:X509Certificate>!</ds:X509Certificate></ds:X509Data>`},
		{"certificate on P-521", x509Data(p521)},
		{"KeyValue empty", `<ds:KeyValue/>`},
		{"KeyValue with two", `<ds:KeyValue><ds:RSAKeyValue/><ds:RSAKeyValue/></ds:KeyValue>`},
		{"KeyValue with two that would do", strings.Replace(rsaValue(n.Bytes(), e), "</ds:RSAKeyValue>", "</ds:RSAKeyValue>"+strings.NewReplacer("<ds:KeyValue>", "", "</ds:KeyValue>", "").Replace(rsaValue(n.Bytes(), e)), 1)},
		{"KeyValue DSA", `<ds:KeyValue><ds:DSAKeyValue/></ds:KeyValue>`},
		{"RSA modulus missing", `<ds:KeyValue><ds:RSAKeyValue><ds:Exponent>AQAB</ds:Exponent></ds:RSAKeyValue></ds:KeyValue>`},
		{"RSA exponent missing", strings.Replace(rsaValue(n.Bytes(), e), "<ds:Exponent>AQAB</ds:Exponent>", "", 1)},
		{"RSA modulus no base64", strings.Replace(rsaValue(n.Bytes(), e), b64(n.Bytes()), "testModulus!", 1)},
		{"RSA exponent no base64", strings.Replace(rsaValue(n.Bytes(), e), "AQAB", "testExponent!", 1)},
		{"RSA modulus of 2047 bits", rsaValue(ones(2047), e)},
		{"RSA modulus of 8193 bits", rsaValue(ones(8193), e)},
		{"RSA modulus even", rsaValue(even.Bytes(), e)},
		{"RSA exponent 1", rsaValue(n.Bytes(), []byte{1})},
		{"RSA exponent even", rsaValue(n.Bytes(), []byte{1, 0, 0})},
		{"RSA exponent 0", rsaValue(n.Bytes(), nil)},
		{"RSA exponent of 32 bits", rsaValue(n.Bytes(), []byte{0x80, 0, 0, 1})},
		{"EC curve missing", strings.Replace(ecValue(oidP256, off), `<d:NamedCurve URI="`+oidP256+`"/>`, "", 1)},
		{"EC curve P-521", ecValue(oidP521, point(t, p521.key.Public()))},
		{"EC point missing", `<ds:KeyValue><d:ECKeyValue xmlns:d="http://www.w3.org/2009/xmldsig11#"><d:NamedCurve URI="` + oidP256 + `"/></d:ECKeyValue></ds:KeyValue>`},
		{"EC point off the curve", ecValue(oidP256, off)},
		{"EC point of another curve", ecValue(oidP384, point(t, p256.key.Public()))},
		{"EC point no base64", strings.Replace(ecValue(oidP256, off), b64(off), "!", 1)},
		{"EC in the old namespace", strings.ReplaceAll(ecValue(oidP256, point(t, p256.key.Public())), "2009/xmldsig11#", "2001/04/xmldsig-more#")},
		{"DER no base64", `<d:DEREncodedKeyValue xmlns:d="http://www.w3.org/2009/xmldsig11#">!</d:DEREncodedKeyValue>`},
		{"DER no key", `<d:DEREncodedKeyValue xmlns:d="http://www.w3.org/2009/xmldsig11#">MAA=</d:DEREncodedKeyValue>`},
	} {
		rules = append(rules, rule{c.name, swap(bearerConfirmation, holderConfirmation(c.keyInfo)), nil, Confirmation})
	}
	two := holderConfirmation(x509Data(p256))
	two = strings.Replace(two, `</ds:KeyInfo>`, `</ds:KeyInfo><ds:KeyInfo xmlns:ds="http://www.w3.org/2000/09/xmldsig#">`+x509Data(r)+`</ds:KeyInfo>`, 1)
	rules = append(rules, rule{"two KeyInfos", swap(bearerConfirmation, two), nil, Confirmation})
	runRules(t, rules)
}
