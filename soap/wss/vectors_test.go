package wss

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"collimate/internal/sharedfiles"
	"collimate/keys"
)

// TestOtherStacks verifies messages that gSOAP, node-soap, WSS4J, xml-crypto, xmlsec1 and zeep have signed.
func TestOtherStacks(t *testing.T) {
	dir := sharedfiles.Path(t, "vectors", "wss")
	ids := map[string]keys.ID{}
	var certificates []*x509.Certificate
	for _, name := range []string{"rsa", "ec"} {
		b, err := os.ReadFile(filepath.Join(dir, name+".pem"))
		if err != nil {
			t.Skipf("the certificates of the messages are not here: %v", err)
		}
		block, _ := pem.Decode(b)
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		if ids[name], err = keys.IDOfCertificate(certificate); err != nil {
			t.Fatal(err)
		}
		certificates = append(certificates, certificate)
	}
	now := time.Date(2026, 11, 21, 4, 50, 30, 0, time.UTC)
	for _, c := range []struct {
		file, key string
		now       time.Time
		subcode   string // "": accepted
		cause     error
	}{
		{"gsoap-rsa.xml", "rsa", now, "", nil},
		{"gsoap-rsa-mtom.xml", "rsa", now.Add(-20 * time.Minute), "", nil},
		{"nodesoap-wssec.xml", "rsa", now, "", nil},
		{"wss4j-bst.xml", "rsa", now, "", nil},
		{"wss4j-bst-ec.xml", "ec", now, "", nil},
		{"wss4j-x509ki.xml", "rsa", now, "", nil},
		{"xmlcrypto-ec.xml", "ec", now, "", nil},
		{"xmlsec-rsa.xml", "rsa", now, "", nil},
		// Signed well, and too little: the addressing headers are left out.
		{"nodesoap-def.xml", "", now, failedCheck, ErrNotSigned},
		{"zeep-bin-rsa256.xml", "", now, failedCheck, ErrNotSigned},
		{"wss4j-ski.xml", "rsa", now, "", nil},                           // of a certificate that is registered
		{"zeep-bin-rsa-default.xml", "", now, unsupportedAlgorithm, nil}, // SHA-1
	} {
		t.Run(c.file, func(t *testing.T) {
			message, err := os.ReadFile(filepath.Join(dir, c.file))
			if err != nil {
				t.Skipf("the message is not here: %v", err)
			}
			verify := func(message []byte, now time.Time) (keys.ID, error) {
				v := newTestVerifier(t, func(f *Config) {
					f.Now = func() time.Time { return now }
					f.RequireTo, f.Certificates = nil, NewCertificates(certificates...)
				})
				r, err := naiveRequest(message)
				if err != nil {
					t.Fatal(err)
				}
				caller, err := v.Authenticate(context.Background(), r)
				return caller.Key.ID, err
			}
			got, err := verify(message, c.now)
			if c.subcode != "" {
				wantFault(t, err, c.subcode, c.cause)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got != ids[c.key] {
				t.Errorf("got key %v, want %v", got, ids[c.key])
			}
			_, err = verify([]byte(strings.Replace(string(message), "1.3", "1.4", 1)), c.now)
			if err == nil {
				t.Error("accepted with another documentUniqueId")
			}
			_, err = verify(message, c.now.Add(time.Hour))
			wantFault(t, err, messageExpired, ErrExpired)
		})
	}
}
