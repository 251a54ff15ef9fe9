package xmlsec

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// envelope is a message with three parts to sign and a place for the signature.
const envelope = `<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:wsa="http://www.w3.org/2005/08/addressing" ` +
	`xmlns:wsu="` + namespaceWSU + `"><s:Header><wsa:To wsu:Id="to">https://north.example/xds</wsa:To>` +
	`<wsa:Action wsu:Id="action">urn:ihe:iti:2007:RetrieveDocumentSet</wsa:Action><!--signature--></s:Header>` +
	`<s:Body wsu:Id="body"><r:Request xmlns:r="urn:ihe:iti:xds-b:2007"><r:Id>2.25.1</r:Id></r:Request></s:Body></s:Envelope>`

// signEnvelope puts a signature over the elements with these Ids into envelope.
func signEnvelope(t testing.TB, key crypto.Signer, ids ...string) string {
	t.Helper()
	d, err := Parse([]byte(envelope), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	refs, err := d.References(ids...)
	if err != nil {
		t.Fatal(err)
	}
	signature, err := AppendSignature(nil, rand.Reader, key, refs, []byte(`<ds:KeyName>k</ds:KeyName>`))
	if err != nil {
		t.Fatal(err)
	}
	return strings.Replace(envelope, "<!--signature-->", string(signature), 1)
}

func sampleMessage(t testing.TB) []byte {
	return []byte(signEnvelope(t, newKey(t, "ed25519"), "to", "action", "body"))
}

func newKey(t testing.TB, kind string) crypto.Signer {
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
		_, key, err = ed25519.GenerateKey(rand.Reader)
	}
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// parseSigned returns the signature of a message and the document it is in.
func parseSigned(t testing.TB, message string) (*Document, *Signature, error) {
	t.Helper()
	d, err := Parse([]byte(message), Limits{})
	if err != nil {
		t.Fatalf("parsing %.200q: %v", message, err)
	}
	for n := range d.Walk() {
		if n.Is(NamespaceDSig, "Signature") {
			s, err := ParseSignature(n, Algorithms{})
			return d, s, err
		}
	}
	t.Fatal("no signature in the message")
	return nil, nil, nil
}

func writePublicKey(t testing.TB, pub crypto.PublicKey) string {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(pub)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "key.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}
