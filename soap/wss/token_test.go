package wss

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"log/slog"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"collimate/keys"
	"collimate/xmlsec"
	"collimate/xua"
)

// TestWSS4J verifies what WSS4J 1.6.19 has signed, in each form in which it refers to the certificate and with the
// STR-Transform over each. The messages are made of our template and a certificate of these tests.
func TestWSS4J(t *testing.T) {
	b, err := os.ReadFile(filepath.Join("testdata", "wss4j", "signer.pem"))
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(b)
	signer, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	id, err := keys.IDOfCertificate(signer)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 11, 21, 7, 38, 30, 0, time.UTC)
	for name, subcode := range map[string]string{ // what is said where nothing is registered; "": accepted
		"bst": "", "x509ki": "", "keyvalue": "", "str-bst": "", "str-x509ki": "",
		"issuerserial": unsupportedToken, "ski": unsupportedToken, "thumbprint": unsupportedToken,
		"str-issuerserial": unsupportedToken, "str-ski": unsupportedToken, "str-thumbprint": unsupportedToken,
		"sha1": unsupportedAlgorithm,
	} {
		t.Run(name, func(t *testing.T) {
			message, err := os.ReadFile(filepath.Join("testdata", "wss4j", name+".xml"))
			if err != nil {
				t.Fatal(err)
			}
			verify := func(message []byte, change func(*Config)) (xua.Caller, error) {
				v := newTestVerifier(t, func(c *Config) {
					c.Now = func() time.Time { return now }
					if change != nil {
						change(c)
					}
				})
				r, err := naiveRequest(message)
				if err != nil {
					t.Fatal(err)
				}
				return v.Authenticate(context.Background(), r)
			}
			_, err = verify(message, nil)
			if subcode != "" {
				wantFault(t, err, subcode, nil)
			} else if err != nil {
				t.Errorf("nothing registered: %v", err)
			}
			known := func(c *Config) {
				c.Certificates = NewCertificates(newIdentity(t, "p256", nil).cert, signer)
				c.Peers = map[keys.ID]Peer{id: {SHA1: true}}
			}
			caller, err := verify(message, known)
			if err != nil {
				t.Fatalf("registered: %v", err)
			}
			if caller.Key.ID != id || caller.Tier != xua.TierA {
				t.Errorf("got %+v, want tier A of %v", caller, id)
			}
			_, err = verify(bytes.Replace(message, []byte("2.25.2"), []byte("2.25.3"), 1), known)
			wantFault(t, err, failedCheck, xmlsec.ErrDigest)
			if strings.HasPrefix(name, "str-") { // the token is a part of what is signed
				str := bytes.Index(message, []byte("#STR-Transform"))
				i := str + bytes.Index(message[str:], []byte("<ds:DigestValue>")) + len("<ds:DigestValue>")
				message[i] ^= 1
				_, err = verify(message, known)
				wantFault(t, err, failedCheck, xmlsec.ErrSignature)
			}
			_, err = verify(message, func(c *Config) { c.Certificates = NewCertificates(newIdentity(t, "p256", nil).cert) })
			if subcode == unsupportedToken {
				wantFault(t, err, tokenUnavailable, nil)
			}
		})
	}
}

// TestTokenReferences signs with each kind of key and refers to it in each way.
func TestTokenReferences(t *testing.T) {
	noToken := strings.Replace(template, tokenBlock, "", 1)
	for _, kind := range []string{"rsa", "p256", "p384", "ed25519"} {
		signer := newIdentity(t, kind, func(c *x509.Certificate) {
			c.Subject = pkix.Name{CommonName: `South, "Hospital" + é`, Organization: []string{"O"}, Country: []string{"CH"}}
			c.SerialNumber, _ = new(big.Int).SetString("85968058272638546416180", 10)
		})
		renewed := identity{signer.key, renew(t, signer)}
		encode := base64.StdEncoding.EncodeToString
		serial := func(name string) string {
			return x509Data("<ds:X509IssuerSerial><ds:X509IssuerName>" + name + "</ds:X509IssuerName><ds:X509SerialNumber>85968058272638546416180</ds:X509SerialNumber></ds:X509IssuerSerial>")
		}
		name := `CN=South\, \"Hospital\" \+ é,O=O,C=CH`
		references := map[string]string{
			"KeyIdentifier":      keyIdentifier(valueTypeX509v3),
			"ski":                keyIdentifierOf(valueTypeSKI, subjectKeyID(signer.cert)),
			"thumbprint":         keyIdentifierOf(valueTypeThumbprint, thumbprint(signer.cert)),
			"issuer and serial":  str(serial(name)),
			"without STR":        serial(name),
			"quoted issuer":      serial(`cn="South, \"Hospital\" + é" , o=O ; c=ch`),
			"issuer by OID":      serial(`2.5.4.3=South\2C \22Hospital\22 \2B \C3\A9,OID.2.5.4.10=O,2.5.4.6=#13024348`),
			"X509SKI":            x509Data("<ds:X509SKI>" + encode(subjectKeyID(signer.cert)) + "</ds:X509SKI>"),
			"certificate":        x509Data("<ds:X509Certificate>CERTIFICATE</ds:X509Certificate>"),
			"certificate, names": x509Data("<ds:X509Certificate>CERTIFICATE</ds:X509Certificate>" + strings.TrimSuffix(strings.TrimPrefix(serial(name), "<ds:X509Data>"), "</ds:X509Data>")),
			"embedded":           str("<wsse:Embedded>" + tokenBlock + "</wsse:Embedded>"),
			"DER":                `<d:DEREncodedKeyValue xmlns:d="` + xmlsec.NamespaceDSig11 + `">` + encode(signer.cert.RawSubjectPublicKeyInfo) + "</d:DEREncodedKeyValue>",
			"KeyValue":           keyValueOf(t, signer),
		}
		for form, reference := range references {
			if reference == "" {
				continue
			}
			t.Run(kind+" "+form, func(t *testing.T) {
				v := newTestVerifier(t, func(c *Config) { c.Certificates = NewCertificates(renewed.cert, signer.cert) })
				caller, err := authenticate(t, v, signer.sign(t, noToken, reference, without("x509")...))
				if err != nil {
					t.Fatal(err)
				}
				if caller.Key.ID != signer.id(t) {
					t.Errorf("got key %v, want %v", caller.Key, signer.id(t))
				}
			})
		}
	}
}

// renew makes a certificate for the same key and name that has expired.
func renew(t testing.TB, i identity) *x509.Certificate {
	t.Helper()
	c := *i.cert
	c.NotBefore, c.NotAfter, c.SubjectKeyId = testNow.Add(-2*time.Hour), testNow.Add(-time.Hour), i.cert.SubjectKeyId
	der, err := x509.CreateCertificate(rand.Reader, &c, &c, i.key.Public(), i.key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

func keyValueOf(t testing.TB, i identity) string {
	t.Helper()
	encode := base64.StdEncoding.EncodeToString
	switch k := i.key.Public().(type) {
	case *rsa.PublicKey:
		return "<ds:KeyValue><ds:RSAKeyValue><ds:Modulus>" + encode(k.N.Bytes()) + "</ds:Modulus><ds:Exponent>AQAB</ds:Exponent></ds:RSAKeyValue></ds:KeyValue>"
	case *ecdsa.PublicKey:
		oid := map[int]string{256: "1.2.840.10045.3.1.7", 384: "1.3.132.0.34"}[k.Params().BitSize]
		point, err := k.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		return `<ds:KeyValue><d:ECKeyValue xmlns:d="` + xmlsec.NamespaceDSig11 + `"><d:NamedCurve URI="urn:oid:` + oid + `"/><d:PublicKey>` + encode(point) + "</d:PublicKey></d:ECKeyValue></ds:KeyValue>"
	case ed25519.PublicKey:
		return "" // has none
	}
	t.Fatal("kind of key")
	return ""
}

// What is wrong with a key is for xmlsec to find; here it becomes a fault.
func TestKeyValueRefuses(t *testing.T) {
	signer := newIdentity(t, "p256", nil)
	noToken := strings.Replace(template, tokenBlock, "", 1)
	rsaOf := func(modulus int) string {
		n := base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{0xff}, modulus))
		return "<ds:KeyValue><ds:RSAKeyValue><ds:Modulus>" + n + "</ds:Modulus><ds:Exponent>AQAB</ds:Exponent></ds:RSAKeyValue></ds:KeyValue>"
	}
	for _, c := range []struct{ name, reference, subcode string }{
		{"another curve", `<ds:KeyValue><d:ECKeyValue xmlns:d="` + xmlsec.NamespaceDSig11 + `"><d:NamedCurve URI="urn:oid:1.3.132.0.10"/></d:ECKeyValue></ds:KeyValue>`, unsupportedToken},
		{"no modulus", "<ds:KeyValue><ds:RSAKeyValue/></ds:KeyValue>", invalidToken},
		{"DER of nothing", `<d:DEREncodedKeyValue xmlns:d="` + xmlsec.NamespaceDSig11 + `">AAAA</d:DEREncodedKeyValue>`, invalidToken},
		{"RSA of 1024 bits", rsaOf(128), invalidToken},
		{"RSA of 8200 bits", rsaOf(1025), invalidToken},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := authenticate(t, newTestVerifier(t, nil), signer.sign(t, noToken, c.reference, without("x509")...))
			wantFault(t, err, c.subcode, nil)
		})
	}
}

// wrongStore finds a certificate whatever is asked for.
type wrongStore []*x509.Certificate

func (w wrongStore) Find(CertificateReference) []*x509.Certificate { return w }

func TestRegistered(t *testing.T) {
	a, b := newIdentity(t, "p256", nil), newIdentity(t, "p384", nil)
	noToken := strings.Replace(template, tokenBlock, "", 1)
	message := a.sign(t, noToken, keyIdentifierOf(valueTypeSKI, subjectKeyID(a.cert)), without("x509")...)
	for name, store := range map[string]Registered{
		"none":                  NewCertificates(),
		"zero":                  &Certificates{},
		"another":               NewCertificates(b.cert),
		"several keys":          wrongStore{a.cert, b.cert},
		"one that is not meant": wrongStore{b.cert},
	} {
		_, err := authenticate(t, newTestVerifier(t, func(c *Config) { c.Certificates = store }), message)
		t.Run(name, func(t *testing.T) { wantFault(t, err, tokenUnavailable, nil) })
	}
	if got := NewCertificates(a.cert).Find(CertificateReference{}); got != nil {
		t.Errorf("a reference that says nothing finds %d certificates", len(got))
	}
	if got := (*Certificates)(nil).Find(CertificateReference{SubjectKeyID: []byte{1}}); got != nil {
		t.Errorf("no store finds %d certificates", len(got))
	}
}

func TestDistinguishedNames(t *testing.T) {
	c := newIdentity(t, "p256", func(c *x509.Certificate) {
		c.Subject = pkix.Name{CommonName: "Süd  Hospital", Organization: []string{"A, B"}, Country: []string{"CH"}}
	}).cert
	for text, want := range map[string]bool{
		`CN=Süd  Hospital,O=A\, B,C=CH`:      true,
		`CN=SÜD hospital, O="A, B", C=ch`:    true,
		`CN=S\C3\BCd Hospital,O=A\2C B,C=CH`: true,
		`C=CH,O=A\, B,CN=Süd Hospital`:       false, // another order is another name
		`CN=Süd Hospital,O=A,C=CH`:           false,
		`CN=Süd Hospital,O=A\, B`:            false,
		`CN=Süd Hospital,O=A\, B,C=CH,C=CH`:  false,
		`CN=Süd Hospital+O=A\, B,C=CH`:       false,
		`CN=Süd Hospital,O=A\, B,C=`:         false,
		`CN=Süd Hospital,O=A\, B,C=CH,`:      false,
		`CN=Süd Hospital,O="A, B,C=CH`:       false,
		`CN=Süd Hospital,O=A\, B,C=CH\`:      false,
		`CN=#zz,O=A\, B,C=CH`:                false,
		``:                                   false,
		strings.Repeat("CN=x,", 2000):        false,
	} {
		if got := isName(text, c.RawSubject); got != want {
			t.Errorf("%q: got %v, want %v", text, got, want)
		}
	}
	if isName("CN=x", []byte("not DER")) {
		t.Error("a name is what is no name")
	}
}

// FuzzDistinguishedName: whatever the text, it is read or refused.
func FuzzDistinguishedName(f *testing.F) {
	f.Add(`CN=Süd\, "x" \+ \C3\BC,O="A, B" ; C=#13024348+OU=y`)
	c := newIdentity(f, "ed25519", nil).cert
	f.Fuzz(func(t *testing.T, text string) {
		if isName(text, c.RawSubject) && !strings.Contains(strings.ToLower(text), "outh") && !strings.ContainsAny(text, `\#`) {
			t.Errorf("%q is taken for %s", text, c.Subject)
		}
	})
}

// TestPeers lets single peers do what others may not.
func TestPeers(t *testing.T) {
	signer, other := newIdentity(t, "p256", nil), newIdentity(t, "p256", nil)
	message := signer.sign(t, template, directKeyInfo, allParts...)
	before, rest, _ := strings.Cut(message, "<ds:SignatureValue>")
	value, after, _ := strings.Cut(rest, "</ds:SignatureValue>")
	der := before + "<ds:SignatureValue>" + toDER(t, value) + "</ds:SignatureValue>" + after
	sha1Digest := reseal(t, strings.Replace(message, xmlsec.SHA256, xmlsec.SHA1, 1), signer)
	sha1Signature := reseal(t, strings.Replace(message, xmlsec.ECDSASHA256, xmlsec.ECDSASHA1, 1), signer)
	for _, c := range []struct {
		name, message string
		peer          Peer
		subcode       string
		logged        bool
	}{
		{"as it should be", message, Peer{}, "", false},
		{"as it should be, though more is allowed", message, Peer{DER: true, SHA1: true}, "", false},
		{"DER", der, Peer{SHA1: true}, failedCheck, false},
		{"DER, allowed", der, Peer{DER: true}, "", false},
		{"SHA-1 digest", sha1Digest, Peer{DER: true}, unsupportedAlgorithm, false},
		{"SHA-1 digest, allowed", sha1Digest, Peer{SHA1: true}, "", true},
		{"SHA-1 signature", sha1Signature, Peer{DER: true}, unsupportedAlgorithm, false},
		{"SHA-1 signature, allowed", sha1Signature, Peer{SHA1: true}, "", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			var log bytes.Buffer
			verify := func(id keys.ID) error {
				v := newTestVerifier(t, func(config *Config) {
					config.Peers = map[keys.ID]Peer{id: c.peer}
					config.Logger = slog.New(slog.NewTextHandler(&log, nil))
				})
				_, err := authenticate(t, v, c.message)
				return err
			}
			if err := verify(signer.id(t)); c.subcode != "" {
				wantFault(t, err, c.subcode, nil)
			} else if err != nil {
				t.Error(err)
			}
			if got := strings.Contains(log.String(), "SHA-1") && strings.Contains(log.String(), signer.id(t).String()); got != c.logged {
				t.Errorf("logged %q, want a line about SHA-1 and the key: %v", log.String(), c.logged)
			}
			// What one peer may do, another may not.
			if err := verify(other.id(t)); c.message != message && err == nil {
				t.Error("accepted from a peer to whom it is not allowed")
			}
		})
	}
}

func TestPartyCache(t *testing.T) {
	var c partyCache
	p := &party{name: "p"}
	c.add("first", p)
	for i := range maxCached {
		c.add(fmt.Sprint(i), &party{})
		if i%100 == 0 && c.get("first") != p {
			t.Fatalf("forgotten after %d others though it was asked for", i)
		}
	}
	for i := range 3 * maxCached {
		c.add(fmt.Sprint("x", i), &party{})
	}
	if c.get("first") != nil {
		t.Error("never forgotten")
	}
	if n := len(c.young) + len(c.older); n > 2*maxCached {
		t.Errorf("holds %d, want %d at most", n, 2*maxCached)
	}
}
