package saml

import (
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/beevik/etree"
	dsig "github.com/russellhaering/goxmldsig"

	"collimate/xmlsec"
)

// goxmldsigSign has goxmldsig sign the assertion, which shares no code with xmlsec.
func goxmldsigSign(t testing.TB, i identity, assertion, algorithm string) string {
	t.Helper()
	d := etree.NewDocument()
	if err := d.ReadFromString(assertion); err != nil {
		t.Fatal(err)
	}
	c, err := dsig.NewSigningContext(i.key, [][]byte{i.certificate.Raw})
	if err != nil {
		t.Fatal(err)
	}
	c.Canonicalizer = dsig.MakeC14N10ExclusiveCanonicalizerWithPrefixList("")
	if err := c.SetSignatureMethod(algorithm); err != nil {
		t.Fatal(err)
	}
	signature, err := c.ConstructSignature(d.Root(), true)
	if err != nil {
		t.Fatal(err)
	}
	d.Root().InsertChildAt(1, signature)
	s, err := d.WriteToString()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestGoxmldsigSigns(t *testing.T) {
	for _, c := range []struct {
		kind, algorithm string
		der, sha1       bool
	}{
		{"rsa", dsig.RSASHA256SignatureMethod, false, false},
		{"rsa", dsig.RSASHA384SignatureMethod, false, false},
		{"rsa", dsig.RSASHA512SignatureMethod, false, false},
		{"rsa", dsig.RSASHA1SignatureMethod, false, true},
		{"p256", dsig.ECDSASHA256SignatureMethod, true, false},
		{"p384", dsig.ECDSASHA384SignatureMethod, true, false},
	} {
		t.Run(c.kind+" "+c.algorithm, func(t *testing.T) {
			idp := newIdentity(t, c.kind, "idp")
			message := goxmldsigSign(t, idp, template, c.algorithm)
			v := newTestValidator(t, idp, func(cfg *Config) { cfg.Issuers[0].DER, cfg.Issuers[0].SHA1 = c.der, c.sha1 })
			a, err := validate(t, v, message)
			if err != nil {
				t.Fatal(err)
			}
			if a.SHA1 != c.sha1 || a.Subject.Value != "7601002469191" {
				t.Errorf("got %+v", a)
			}
			_, err = validate(t, v, swap(`7601002469191`, `admin`)(message))
			wantCode(t, err, BadSignature)
			_, err = validate(t, newTestValidator(t, idp, nil), message)
			switch {
			case c.sha1:
				wantCode(t, err, Algorithm)
			case c.der:
				wantCode(t, err, BadSignature)
			case err != nil:
				t.Error(err)
			}
		})
	}
}

// TestGoxmldsigVerifies has goxmldsig judge what our own signer made, so that the tests do not agree with
// themselves alone.
func TestGoxmldsigVerifies(t *testing.T) {
	idp := newIdentity(t, "rsa", "idp")
	d := etree.NewDocument()
	if err := d.ReadFromString(idp.issue(t)); err != nil {
		t.Fatal(err)
	}
	c := dsig.NewDefaultValidationContext(&dsig.MemoryX509CertificateStore{Roots: []*x509.Certificate{idp.certificate}})
	c.Clock = dsig.NewFakeClockAt(testNow)
	if _, err := c.Validate(d.Root()); err != nil {
		t.Error(err)
	}
}

// xmlsec1 runs the tool of libxmlsec in a directory of its own, or skips.
func xmlsec1(t testing.TB, dir string, args ...string) []byte {
	t.Helper()
	if _, err := exec.LookPath("xmlsec1"); err != nil {
		t.Skip("xmlsec1 is not installed: apt-get install xmlsec1")
	}
	cmd := exec.Command("xmlsec1", args...)
	cmd.Dir = dir
	out, err := cmd.Output()
	if err != nil {
		var stderr []byte
		if exit, ok := err.(*exec.ExitError); ok {
			stderr = exit.Stderr
		}
		t.Fatalf("xmlsec1 %v: %v\n%s", args, err, stderr)
	}
	return out
}

func writePEM(t testing.TB, path, kind string, der []byte) {
	t.Helper()
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
}

func privateDER(t testing.TB, key crypto.Signer) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func TestXMLSec1Signs(t *testing.T) {
	for _, c := range []struct{ kind, algorithm, prefixes string }{
		{"rsa", xmlsec.RSASHA256, ""},
		{"rsa", xmlsec.RSASHA512, "xs"},
		{"p256", xmlsec.ECDSASHA256, "xs saml2 #default"},
		{"p384", xmlsec.ECDSASHA384, ""},
	} {
		t.Run(c.kind+" "+c.algorithm, func(t *testing.T) {
			idp, dir := newIdentity(t, c.kind, "idp"), t.TempDir()
			writePEM(t, filepath.Join(dir, "key.pem"), "PRIVATE KEY", privateDER(t, idp.key))
			writePEM(t, filepath.Join(dir, "cert.pem"), "CERTIFICATE", idp.certificate.Raw)
			list := ""
			if c.prefixes != "" {
				list = `<ec:InclusiveNamespaces xmlns:ec="http://www.w3.org/2001/10/xml-exc-c14n#" PrefixList="` + c.prefixes + `"/>`
			}
			blank := `<ds:Signature xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><ds:SignedInfo>` +
				`<ds:CanonicalizationMethod Algorithm="` + xmlsec.ExclusiveC14N + `">` + list + `</ds:CanonicalizationMethod>` +
				`<ds:SignatureMethod Algorithm="` + c.algorithm + `"/><ds:Reference URI="#_a1"><ds:Transforms>` +
				`<ds:Transform Algorithm="` + xmlsec.EnvelopedSignature + `"/><ds:Transform Algorithm="` + xmlsec.ExclusiveC14N + `">` + list + `</ds:Transform></ds:Transforms>` +
				`<ds:DigestMethod Algorithm="` + xmlsec.SHA256 + `"/><ds:DigestValue/></ds:Reference></ds:SignedInfo>` +
				`<ds:SignatureValue/><ds:KeyInfo><ds:X509Data><ds:X509Certificate/></ds:X509Data></ds:KeyInfo></ds:Signature>`
			if err := os.WriteFile(filepath.Join(dir, "a.xml"), []byte(swap(endIssuer, endIssuer+blank)(template)), 0o600); err != nil {
				t.Fatal(err)
			}
			out := xmlsec1(t, dir, "--sign", "--privkey-pem", "key.pem,cert.pem", "--id-attr:ID", Namespace+":Assertion", "a.xml")
			v := newTestValidator(t, idp, nil)
			a, err := validate(t, v, string(out))
			if err != nil {
				t.Fatal(err)
			}
			if a.Person().Name != "Ann Andrews" || !a.Attributes.Roles.Has(testRole) {
				t.Errorf("got %+v", a)
			}
			_, err = validate(t, v, strings.Replace(string(out), `7601002469191`, `admin`, 1))
			wantCode(t, err, BadSignature)
		})
	}
}

func TestXMLSec1Verifies(t *testing.T) {
	for _, kind := range []string{"rsa", "p256", "p384"} {
		idp, dir := newIdentity(t, kind, "idp"), t.TempDir()
		der, err := x509.MarshalPKIXPublicKey(idp.key.Public())
		if err != nil {
			t.Fatal(err)
		}
		writePEM(t, filepath.Join(dir, "key.pem"), "PUBLIC KEY", der)
		if err := os.WriteFile(filepath.Join(dir, "a.xml"), []byte(idp.issue(t)), 0o600); err != nil {
			t.Fatal(err)
		}
		xmlsec1(t, dir, "--verify", "--pubkey-pem", "key.pem", "--id-attr:ID", Namespace+":Assertion", "a.xml")
	}
}
