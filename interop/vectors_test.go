package interop

import (
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/beevik/etree"

	"collimate/internal/sharedfiles"
	"collimate/keys"
)

// vector is a message that a stack has signed once.
type vector struct {
	file, key string
	policy    string
	now       time.Time
	want      outcome
}

// signingDay is when the messages were signed.
var signingDay = time.Date(2026, 11, 21, 4, 50, 30, 0, time.UTC)

var vectors = []vector{
	{"gsoap-rsa.xml", "rsa", "strict", signingDay, yes},
	{"gsoap-rsa-mtom.xml", "rsa", "strict", signingDay.Add(-20 * time.Minute), yes},
	{"nodesoap-wssec.xml", "rsa", "strict", signingDay, yes},
	{"nodesoap-def.xml", "rsa", "strict", signingDay, unsignedHeaders},
	{"wss4j-bst.xml", "rsa", "strict", signingDay, yes},
	{"wss4j-bst-ec.xml", "ec", "strict", signingDay, yes},
	{"wss4j-x509ki.xml", "rsa", "strict", signingDay, yes},
	{"wss4j-ski.xml", "rsa", "strict", signingDay, notRegistered},
	{"wss4j-ski.xml", "rsa", "certificate registered", signingDay, yes},
	{"xmlcrypto-ec.xml", "ec", "strict", signingDay, yes},
	{"xmlsec-rsa.xml", "rsa", "strict", signingDay, yes},
	{"zeep-bin-rsa256.xml", "rsa", "strict", signingDay, zeepHeaders},
	{"zeep-bin-rsa-default.xml", "rsa", "strict", signingDay, sha1},
	{"zeep-bin-rsa-default.xml", "rsa", "SHA-1", signingDay, zeepHeaders},
}

// TestVectors sends the messages in ../shared/vectors/wss to a server whose clock stands still. It needs no peers.
func TestVectors(t *testing.T) {
	dir := sharedfiles.Path(t, "vectors", "wss")
	id := newIdentities(t)
	signers := identities{of: map[string]identity{}, server: id.server, issuer: id.issuer, pool: id.pool, ca: id.ca}
	for _, name := range []string{"rsa", "ec"} {
		signers.of[name] = readIdentity(t, filepath.Join(dir, name+".pem"))
	}
	for _, v := range vectors {
		t.Run(v.file+" "+v.policy, func(t *testing.T) {
			body, err := os.ReadFile(filepath.Join(dir, v.file))
			if err != nil {
				t.Fatal(err)
			}
			doc := etree.NewDocument()
			if err := doc.ReadFromBytes(body); err != nil {
				t.Fatal(err)
			}
			d := open(t, signers, func() time.Time { return v.now }, true)
			d.client = id.client()
			got := d.send(t, d.base+endpoint(v.policy, false), doc.FindElement("//MessageID").Text(), message{simpleType, body})
			v.want.judge(t, got.err)
			if got.err == nil && got.caller.Key.ID != signers.of[v.key].keyID {
				t.Errorf("the caller is %v, want %v", got.caller.Key.ID, signers.of[v.key].keyID)
			}
		})
	}
}

// readIdentity reads a certificate whose key is not here.
func readIdentity(t *testing.T, name string) identity {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(b)
	if block == nil {
		t.Fatalf("%s holds no certificate", name)
	}
	certificate, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	id, err := keys.IDOfCertificate(certificate)
	if err != nil {
		t.Fatal(err)
	}
	return identity{certificate: certificate, keyID: id}
}
