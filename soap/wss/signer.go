package wss

import (
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"io"
	"time"

	"collimate/keys"
	"collimate/soap"
	"collimate/xmlsec"
)

// The Ids of the parts that a Signer adds to an envelope.
const (
	idTimestamp = "id-timestamp"
	idToken     = "id-x509"
)

// timestampLayout is xs:dateTime in UTC with milliseconds, as other stacks write it.
const timestampLayout = "2006-01-02T15:04:05.000Z"

// Signer makes wsse:Security headers with one key. It implements soap.EnvelopeSigner.
type Signer struct {
	key         crypto.Signer
	certificate string // base64 of the DER
	now         func() time.Time
	random      io.Reader
}

var _ soap.EnvelopeSigner = (*Signer)(nil)

// NewSigner returns a Signer. The certificate must be for the key, and the key one that keys.Supported accepts.
// A nil clock is time.Now and a nil source of randomness crypto/rand.Reader.
func NewSigner(key crypto.Signer, certificate *x509.Certificate, now func() time.Time, random io.Reader) (*Signer, error) {
	id, err := keys.IDOf(key.Public())
	if err != nil {
		return nil, fmt.Errorf("signing requests: %w", err)
	}
	certified, err := keys.IDOfCertificate(certificate)
	if err != nil {
		return nil, fmt.Errorf("signing requests: %w", err)
	}
	if id != certified {
		return nil, fmt.Errorf("signing requests: the certificate is for key %v and the private key is %v", certified, id)
	}
	if now == nil {
		now = time.Now
	}
	if random == nil {
		random = rand.Reader
	}
	return &Signer{key, base64.StdEncoding.EncodeToString(certificate.Raw), now, random}, nil
}

// SecurityHeader returns a wsse:Security element with a Timestamp of five minutes, the certificate as a
// BinarySecurityToken, and a signature over both and over the elements of the envelope that ids name.
//
// The token is signed because gSOAP insists; the element declares every prefix that it uses, so that it can be
// put into any Header.
func (s *Signer) SecurityHeader(envelope []byte, ids []string) ([]byte, error) {
	document, err := xmlsec.Parse(envelope, xmlsec.Limits{})
	if err != nil {
		return nil, fmt.Errorf("signing the envelope: %w", err)
	}
	references, err := document.References(ids...)
	if err != nil {
		return nil, fmt.Errorf("signing the envelope: %w", err)
	}
	for _, own := range []string{idTimestamp, idToken} {
		if _, err := document.References(own); err == nil {
			return nil, fmt.Errorf("signing the envelope: it has an element with the Id %q already", own)
		}
	}
	open := s.appendOpen(make([]byte, 0, 8<<10))
	// The same bytes, closed, are a document of their own, in which the Timestamp and the token have the
	// canonical form that they will have in the envelope.
	added, err := xmlsec.Parse(append(open[:len(open):len(open)], closeSecurity...), xmlsec.Limits{})
	if err != nil {
		return nil, fmt.Errorf("signing the Timestamp: %w", err)
	}
	own, err := added.References(idTimestamp, idToken)
	if err != nil {
		return nil, fmt.Errorf("signing the Timestamp: %w", err)
	}
	header, err := xmlsec.AppendSignature(open, s.random, s.key, append(references, own...), []byte(keyInfo))
	if err != nil {
		return nil, fmt.Errorf("signing the envelope: %w", err)
	}
	return append(header, closeSecurity...), nil
}

const (
	closeSecurity = `</wsse:Security>`
	keyInfo       = `<wsse:SecurityTokenReference><wsse:Reference URI="#` + idToken + `" ValueType="` + valueTypeX509v3 +
		`"></wsse:Reference></wsse:SecurityTokenReference>`
)

// appendOpen writes the Security element up to where the signature goes.
func (s *Signer) appendOpen(b []byte) []byte {
	created := s.now().UTC()
	b = append(b, `<wsse:Security xmlns:wsse="`+soap.NSSecurity+`" xmlns:wsu="`+soap.NSUtility+
		`" xmlns:soap="`+soap.NSEnvelope+`" soap:mustUnderstand="true"><wsu:Timestamp wsu:Id="`+idTimestamp+`"><wsu:Created>`...)
	b = created.AppendFormat(b, timestampLayout)
	b = append(b, `</wsu:Created><wsu:Expires>`...)
	b = created.Add(MaxAge).AppendFormat(b, timestampLayout)
	b = append(b, `</wsu:Expires></wsu:Timestamp><wsse:BinarySecurityToken EncodingType="`+encodingBase64+
		`" ValueType="`+valueTypeX509v3+`" wsu:Id="`+idToken+`">`...)
	b = append(b, s.certificate...)
	return append(b, `</wsse:BinarySecurityToken>`...)
}
