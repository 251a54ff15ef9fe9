package wss

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/base64"
	"strings"
	"testing"

	"collimate/soap"
	"collimate/xmlsec"

	"github.com/beevik/etree"
	dsig "github.com/russellhaering/goxmldsig"
	"github.com/russellhaering/goxmldsig/etreeutils"
)

const testRequest = `<xdsb:DocumentRequest><xdsb:RepositoryUniqueId>2.25.1</xdsb:RepositoryUniqueId></xdsb:DocumentRequest>`

func newTestSigner(t testing.TB, i identity) *Signer {
	t.Helper()
	s, err := NewSigner(i.key, i.cert, testClock, nil)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// marshalSigned makes a message that asks for documents, as a client does.
func marshalSigned(t testing.TB, i identity, documents string) []byte {
	t.Helper()
	payload := `<xdsb:RetrieveDocumentSetRequest xmlns:xdsb="urn:ihe:iti:xds-b:2007">` + documents + `</xdsb:RetrieveDocumentSetRequest>`
	e := soap.Envelope{Action: testAction, To: testTo, MessageID: "urn:uuid:1", ReplyTo: soap.Anonymous, Payload: []byte(payload)}
	b, err := e.Marshal(newTestSigner(t, i))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestSigner(t *testing.T) {
	for _, kind := range []string{"rsa", "p256", "p384", "ed25519"} {
		t.Run(kind, func(t *testing.T) {
			signer := newIdentity(t, kind, nil)
			message := marshalSigned(t, signer, testRequest)
			caller, err := authenticate(t, newTestVerifier(t, nil), string(message))
			if err != nil {
				t.Fatal(err)
			}
			if caller.Key.ID != signer.id(t) {
				t.Errorf("got caller %v, want %v", caller.Key, signer.id(t))
			}
			if got, want := strings.Count(string(message), "<ds:Reference "), 7; got != want {
				t.Errorf("got %d references, want %d", got, want)
			}
		})
	}
}

func TestSignerRefuses(t *testing.T) {
	a, b, curve := newIdentity(t, "p256", nil), newIdentity(t, "p256", nil), newIdentity(t, "p521", nil)
	if _, err := NewSigner(a.key, b.cert, nil, nil); err == nil {
		t.Error("a certificate for another key is taken")
	}
	if _, err := NewSigner(curve.key, curve.cert, nil, nil); err == nil {
		t.Error("a key on P-521 is taken")
	}
	s := newTestSigner(t, a)
	for name, c := range map[string]struct {
		envelope string
		ids      []string
	}{
		"not XML":          {"<a", nil},
		"unknown Id":       {"<a/>", []string{"body"}},
		"duplicate Id":     {`<a Id="body"><b Id="body"/></a>`, []string{"body"}},
		"an Id of our own": {`<a Id="` + idTimestamp + `"/>`, nil},
	} {
		if _, err := s.SecurityHeader([]byte(c.envelope), c.ids); err == nil {
			t.Errorf("%s: a header is made", name)
		}
	}
}

// TestSignerAgainstGoxmldsig has etree and goxmldsig's canonicaliser check what the Signer makes: an
// implementation that shares nothing with ours but the standard.
func TestSignerAgainstGoxmldsig(t *testing.T) {
	signer := newIdentity(t, "rsa", nil)
	d := etree.NewDocument()
	if err := d.ReadFromBytes(marshalSigned(t, signer, testRequest)); err != nil {
		t.Fatal(err)
	}
	canonical := func(e *etree.Element) []byte {
		t.Helper()
		around, err := etreeutils.NSBuildParentContext(e)
		if err != nil {
			t.Fatal(err)
		}
		alone, err := etreeutils.NSDetatch(around, e)
		if err != nil {
			t.Fatal(err)
		}
		b, err := dsig.MakeC14N10ExclusiveCanonicalizerWithPrefixList("").Canonicalize(alone)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	decode := func(e *etree.Element) []byte {
		t.Helper()
		b, err := base64.StdEncoding.DecodeString(e.Text())
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	info := d.FindElement("//SignedInfo")
	if err := signer.cert.CheckSignature(x509.SHA256WithRSA, canonical(info), decode(d.FindElement("//SignatureValue"))); err != nil {
		t.Errorf("SignedInfo: %v", err)
	}
	references := info.SelectElements("Reference")
	if len(references) != 7 {
		t.Errorf("got %d references, want 7", len(references))
	}
	for _, r := range references {
		id := r.SelectAttrValue("URI", "")[1:]
		target := d.FindElement("//[@wsu:Id='" + id + "']")
		if target == nil {
			t.Fatalf("no element %s", id)
		}
		h := crypto.SHA256.New()
		h.Write(canonical(target))
		if got := h.Sum(nil); !bytes.Equal(got, decode(r.SelectElement("DigestValue"))) {
			t.Errorf("digest of %s differs", id)
		}
	}
}

// TestSignedBytesAreSentBytes: SignedInfo is written in canonical form.
func TestSignedBytesAreSentBytes(t *testing.T) {
	message := marshalSigned(t, newIdentity(t, "ed25519", nil), testRequest)
	d, err := xmlsec.Parse(message, xmlsec.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	for n := range d.Walk() {
		if n.Is(xmlsec.NamespaceDSig, "SignedInfo") {
			start, end := n.Range()
			if got := xmlsec.AppendC14N(nil, n, xmlsec.C14NOptions{}); !bytes.Equal(got, message[start:end]) {
				t.Errorf("sent\n%s\ncanonical\n%s", message[start:end], got)
			}
			return
		}
	}
	t.Error("no SignedInfo")
}
