package conformance

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	_ "crypto/sha1" // for the signature that must be refused
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"math/big"
	"time"
)

// Breakage is one thing that is wrong about a signed request, and only one: whatever else a receiver checks
// holds, so that the refusal shows this check at work.
type Breakage string

// The breakages.
const (
	Whole              Breakage = ""                    // nothing is wrong
	TamperedBody       Breakage = "tampered-body"       // the Body was changed after signing
	OtherKey           Breakage = "other-key"           // signed by a key that is not the certificate's
	UnsignedBody       Breakage = "unsigned-body"       // no reference covers the Body
	UnsignedTimestamp  Breakage = "unsigned-timestamp"  // no reference covers the Timestamp
	UnsignedTo         Breakage = "unsigned-to"         // no reference covers wsa:To
	UnsignedAction     Breakage = "unsigned-action"     // no reference covers wsa:Action
	UnsignedMessageID  Breakage = "unsigned-message-id" // no reference covers wsa:MessageID
	UnsignedReplyTo    Breakage = "unsigned-reply-to"   // no reference covers wsa:ReplyTo
	NoTimestamp        Breakage = "no-timestamp"        // there is no Timestamp
	ExpiredTimestamp   Breakage = "expired-timestamp"   // the Timestamp expired an hour ago
	FutureTimestamp    Breakage = "future-timestamp"    // the Timestamp begins in an hour
	StaleTimestamp     Breakage = "stale-timestamp"     // made an hour ago, good for another hour: too old to remember
	WrongTo            Breakage = "wrong-to"            // properly signed, for another address
	DuplicateID        Breakage = "duplicate-id"        // two elements have the Id that the signature names
	WrappedBody        Breakage = "wrapped-body"        // the signed Body was moved away and another put in its place
	NoSignature        Breakage = "no-signature"        // there is no Security header
	SHA1               Breakage = "sha1"                // SHA-1 for digests and signature
	SharedSecret       Breakage = "shared-secret"       // HMAC with the certificate, which everyone has, as secret
	ExpiredCertificate Breakage = "expired-certificate" // the same key in a certificate of last year
)

// breakage edits the plan or the message before signing, or the message after it.
type breakage struct {
	before func(*message, *plan) error
	after  func(*message)
}

var breakages = map[Breakage]breakage{
	TamperedBody:      {after: func(m *message) { addRequest(m.request(), m.asked[0]) }},
	OtherKey:          {before: func(_ *message, p *plan) (err error) { p.key, err = likeKey(p.key); return err }},
	UnsignedBody:      omit("Body"),
	UnsignedTimestamp: omit("Timestamp"),
	UnsignedTo:        omit("To"),
	UnsignedAction:    omit("Action"),
	UnsignedMessageID: omit("MessageID"),
	UnsignedReplyTo:   omit("ReplyTo"),
	NoTimestamp:       {before: func(_ *message, p *plan) error { p.noTimestamp = true; return nil }},
	ExpiredTimestamp:  shift(-time.Hour, signatureLife),
	FutureTimestamp:   shift(time.Hour, signatureLife),
	StaleTimestamp:    shift(-time.Hour, 2*time.Hour),
	WrongTo: {before: func(m *message, _ *plan) error {
		m.addressing("To").SetText("https://elsewhere.example/xds/iti43")
		return nil
	}},
	DuplicateID:  {after: duplicateID},
	WrappedBody:  {after: wrapBody},
	NoSignature:  {before: func(_ *message, p *plan) error { p.unsigned = true; return nil }},
	SHA1:         {before: func(_ *message, p *plan) error { p.hash = crypto.SHA1; return nil }},
	SharedSecret: {before: func(_ *message, p *plan) error { p.hmac = true; return nil }},
	ExpiredCertificate: {before: func(_ *message, p *plan) (err error) {
		p.certificate, err = selfSigned(p.key, p.now.AddDate(-1, 0, 0), p.now.Add(-24*time.Hour))
		return err
	}},
}

func omit(name string) breakage {
	return breakage{before: func(_ *message, p *plan) error { p.omit[name] = true; return nil }}
}

func shift(by, life time.Duration) breakage {
	return breakage{before: func(_ *message, p *plan) error { p.now, p.life = p.now.Add(by), life; return nil }}
}

// duplicateID adds a header block with the Id of the Body. Which of the two the signature covers depends on who
// looks, so a receiver must not go on.
func duplicateID(m *message) {
	e := m.header().CreateElement("xdsb:Note")
	e.CreateAttr("wsu:Id", m.body().SelectAttrValue("wsu:Id", ""))
}

// wrapBody is the classic of signature wrapping: the signed Body lives on in a header that nobody reads, where
// its Id still verifies, and an unsigned Body stands where Bodies are looked for. McIntosh and Austel 2005
func wrapBody(m *message) {
	signed := m.body()
	forged := signed.Copy()
	forged.RemoveAttr("wsu:Id")
	forged.CreateAttr("wsu:Id", "id-forged")
	m.envelope.RemoveChild(signed)
	m.header().CreateElement("xdsb:Wrapper").AddChild(signed)
	m.envelope.AddChild(forged)
}

// likeKey makes a new key of the kind of k.
func likeKey(k crypto.Signer) (crypto.Signer, error) {
	switch pub := k.Public().(type) {
	case *ecdsa.PublicKey:
		return ecdsa.GenerateKey(pub.Curve, rand.Reader)
	case *rsa.PublicKey:
		return rsa.GenerateKey(rand.Reader, pub.N.BitLen())
	}
	return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
}

// selfSigned returns a certificate of that key in DER.
func selfSigned(key crypto.Signer, notBefore, notAfter time.Time) ([]byte, error) {
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "conformance"},
		NotBefore: notBefore, NotAfter: notAfter, KeyUsage: x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("making a certificate: %w", err)
	}
	return der, nil
}

func hmacSHA256(secret, message []byte) []byte {
	h := hmac.New(sha256.New, secret)
	h.Write(message)
	return h.Sum(nil)
}

// rawECDSA turns an ASN.1 signature into r||s, size bytes each.
func rawECDSA(der []byte, size int) ([]byte, error) {
	var v struct{ R, S *big.Int }
	if rest, err := asn1.Unmarshal(der, &v); err != nil || len(rest) > 0 {
		return nil, errors.New("the key returned a malformed ECDSA signature")
	}
	out := make([]byte, 2*size)
	v.R.FillBytes(out[:size])
	v.S.FillBytes(out[size:])
	return out, nil
}
