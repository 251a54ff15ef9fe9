package wss

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"errors"
	"math/big"
	"strings"
	"testing"
	"time"

	"collimate/keys"
	"collimate/soap"
	"collimate/xmlsec"
	"collimate/xua"
)

// The clock of these tests stands still.
var testNow = time.Date(2026, 11, 21, 8, 0, 0, 0, time.UTC)

func testClock() time.Time { return testNow }

const (
	testTo     = "https://north.example/xds/iti43"
	testAction = "urn:ihe:iti:2007:RetrieveDocumentSet"
	placeOfSig = "<!--signature-->"
)

// template is a message that is right but for its signature and certificate. The attacks begin from it.
const template = `<?xml version="1.0" encoding="UTF-8"?>
<soap:Envelope xmlns:soap="` + soap.NSEnvelope + `" xmlns:wsa="` + soap.NSAddressing + `" xmlns:wsse="` + soap.NSSecurity +
	`" xmlns:wsu="` + soap.NSUtility + `"><soap:Header><wsa:To wsu:Id="to">` + testTo + `</wsa:To>` +
	`<wsa:Action soap:mustUnderstand="true" wsu:Id="action">` + testAction + `</wsa:Action>` +
	`<wsa:MessageID wsu:Id="mid">urn:uuid:11111111-2222-3333-4444-555555555555</wsa:MessageID>` +
	`<wsa:ReplyTo wsu:Id="replyto"><wsa:Address>` + soap.Anonymous + `</wsa:Address></wsa:ReplyTo>` +
	`<wsse:Security soap:mustUnderstand="true"><wsu:Timestamp wsu:Id="ts"><wsu:Created>2026-11-21T08:00:00.000Z</wsu:Created>` +
	`<wsu:Expires>2026-11-21T08:05:00.000Z</wsu:Expires></wsu:Timestamp><wsse:BinarySecurityToken EncodingType="` + encodingBase64 +
	`" ValueType="` + valueTypeX509v3 + `" wsu:Id="x509">CERTIFICATE</wsse:BinarySecurityToken>` + placeOfSig + `</wsse:Security></soap:Header>` +
	`<soap:Body wsu:Id="body"><xdsb:RetrieveDocumentSetRequest xmlns:xdsb="urn:ihe:iti:xds-b:2007"><xdsb:DocumentRequest>` +
	`<xdsb:RepositoryUniqueId>2.25.1</xdsb:RepositoryUniqueId><xdsb:DocumentUniqueId>2.25.2</xdsb:DocumentUniqueId>` +
	`</xdsb:DocumentRequest></xdsb:RetrieveDocumentSetRequest></soap:Body></soap:Envelope>`

const directKeyInfo = `<wsse:SecurityTokenReference><wsse:Reference URI="#x509" ValueType="` + valueTypeX509v3 + `"/></wsse:SecurityTokenReference>`

// allParts are the seven references of a message that leaves nothing out.
var allParts = []string{"to", "action", "mid", "replyto", "ts", "x509", "body"}

// identity is a key and a certificate for it.
type identity struct {
	key  crypto.Signer
	cert *x509.Certificate
}

func (i identity) base64() string { return base64.StdEncoding.EncodeToString(i.cert.Raw) }

func (i identity) id(t testing.TB) keys.ID {
	t.Helper()
	id, err := keys.IDOfCertificate(i.cert)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// newIdentity makes a self-signed certificate; change may alter it before it is signed.
func newIdentity(t testing.TB, kind string, change func(*x509.Certificate)) identity {
	t.Helper()
	var key crypto.Signer
	var err error
	switch kind {
	case "rsa":
		key, err = rsa.GenerateKey(rand.Reader, 2048)
	case "p256":
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case "p384":
		key, err = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case "p521":
		key, err = ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	case "ed25519":
		key = ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, ed25519.SeedSize)) // the same in each run, for the fuzz corpus
	}
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: "South Hospital"},
		NotBefore:    testNow.Add(-time.Hour),
		NotAfter:     testNow.Add(time.Hour),
		KeyUsage:     x509.KeyUsageDigitalSignature,
	}
	if change != nil {
		change(c)
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return identity{key, cert}
}

// sign puts a signature over the elements with these Ids at the place for it.
func (i identity) sign(t testing.TB, message, keyInfo string, ids ...string) string {
	t.Helper()
	message = strings.ReplaceAll(message, "CERTIFICATE", i.base64())
	keyInfo = strings.ReplaceAll(keyInfo, "CERTIFICATE", i.base64())
	d, err := xmlsec.Parse([]byte(message), xmlsec.Limits{})
	if err != nil {
		t.Fatalf("parsing %.200q: %v", message, err)
	}
	refs, err := d.References(ids...)
	if err != nil {
		t.Fatal(err)
	}
	signature, err := xmlsec.AppendSignature(nil, rand.Reader, i.key, refs, []byte(keyInfo))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Count(message, placeOfSig) != 1 {
		t.Fatal("message has no place for the signature")
	}
	return strings.Replace(message, placeOfSig, string(signature), 1)
}

// naiveRequest reads a message as a careless server would: the first of everything, wherever it stands.
func naiveRequest(message []byte) (*soap.Request, error) {
	d, err := xmlsec.Parse(message, xmlsec.Limits{})
	if err != nil {
		return nil, err
	}
	r := &soap.Request{Doc: d}
	for n := range d.Walk() {
		text := ""
		if n.Space() == soap.NSAddressing {
			text, _ = n.Text()
		}
		switch {
		case n.Is(soap.NSEnvelope, "Header") && r.Header.IsZero():
			r.Header = n
		case n.Is(soap.NSEnvelope, "Body") && n.Parent() == d.Root() && r.Body.IsZero():
			r.Body = n
		case !r.Body.IsZero() && n.Parent() == r.Body && r.Payload.IsZero():
			r.Payload = n
		case n.Is(soap.NSAddressing, "Action") && r.Action == "":
			r.Action = strings.TrimSpace(text)
		case n.Is(soap.NSAddressing, "To") && r.To == "":
			r.To = strings.TrimSpace(text)
		case n.Is(soap.NSAddressing, "MessageID") && r.MessageID == "":
			r.MessageID = text
		}
	}
	return r, nil
}

func newTestVerifier(t testing.TB, change func(*Config)) *Verifier {
	t.Helper()
	c := Config{Now: testClock, Replay: NewMemoryReplay(0, testClock), RequireTo: []string{testTo}}
	if change != nil {
		change(&c)
	}
	v, err := NewVerifier(c)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func authenticate(t testing.TB, v *Verifier, message string) (xua.Caller, error) {
	t.Helper()
	r, err := naiveRequest([]byte(message))
	if err != nil {
		return xua.Caller{}, err
	}
	return v.Authenticate(context.Background(), r)
}

// wantFault checks that err is a fault with this subcode that says nothing but the sentence for it.
func wantFault(t *testing.T, err error, subcode string, cause error) {
	t.Helper()
	var f *soap.Fault
	if !errors.As(err, &f) {
		t.Fatalf("got %v, want a fault", err)
	}
	if f.Code != soap.Sender || f.Subcode != (soap.Name{Space: soap.NSSecurity, Local: subcode}) {
		t.Errorf("got %v, want subcode %s", f, subcode)
	}
	if f.Reason != reason(subcode) || f.Err == nil {
		t.Errorf("got reason %q and cause %v", f.Reason, f.Err)
	}
	if cause != nil && !errors.Is(err, cause) {
		t.Errorf("got cause %v, want %v", f.Err, cause)
	}
}
