package wss

import (
	"crypto/sha1" // identifies certificates here, and signs nothing
	"crypto/x509"
	"encoding/asn1"
	"math/big"
	"slices"
)

// CertificateReference names a certificate that is not in the message, in one of three ways.
type CertificateReference struct {
	// Thumbprint is the SHA-1 of the certificate in DER: 20 bytes, or none.
	Thumbprint []byte
	// SubjectKeyID is the subject key identifier, or none.
	SubjectKeyID []byte
	// Issuer and Serial are the distinguished name of the issuer, in the form of RFC 4514, and the serial
	// number; or "" and nil.
	Issuer string
	Serial *big.Int
}

// Registered finds certificates that messages refer to without holding them.
type Registered interface {
	// Find returns the certificates that r may mean. More than one is no error as long as they are for one key, as
	// when a certificate has been renewed.
	Find(r CertificateReference) []*x509.Certificate
}

// Certificates is a Registered that does not change. Make it with NewCertificates; the zero value holds none.
type Certificates struct {
	byThumbprint map[[sha1.Size]byte][]*x509.Certificate
	byKeyID      map[string][]*x509.Certificate
	bySerial     map[string][]*x509.Certificate
}

// NewCertificates returns a Registered that holds these certificates.
func NewCertificates(certificates ...*x509.Certificate) *Certificates {
	c := &Certificates{
		byThumbprint: make(map[[sha1.Size]byte][]*x509.Certificate),
		byKeyID:      make(map[string][]*x509.Certificate),
		bySerial:     make(map[string][]*x509.Certificate),
	}
	for _, cert := range certificates {
		thumbprint := sha1.Sum(cert.Raw)
		c.byThumbprint[thumbprint] = append(c.byThumbprint[thumbprint], cert)
		id := string(subjectKeyID(cert))
		c.byKeyID[id] = append(c.byKeyID[id], cert)
		serial := cert.SerialNumber.String()
		c.bySerial[serial] = append(c.bySerial[serial], cert)
	}
	return c
}

// Find implements Registered.
func (c *Certificates) Find(r CertificateReference) []*x509.Certificate {
	switch {
	case c == nil:
		return nil
	case len(r.Thumbprint) == sha1.Size:
		return c.byThumbprint[[sha1.Size]byte(r.Thumbprint)]
	case len(r.SubjectKeyID) > 0:
		return c.byKeyID[string(r.SubjectKeyID)]
	case r.Serial != nil:
		var found []*x509.Certificate
		for _, cert := range c.bySerial[r.Serial.String()] {
			if r.matches(cert) {
				found = append(found, cert)
			}
		}
		return found
	}
	return nil
}

// matches reports whether c is what r names, by all that r says.
func (r CertificateReference) matches(c *x509.Certificate) bool {
	if r.Thumbprint != nil {
		thumbprint := sha1.Sum(c.Raw)
		if !slices.Equal(r.Thumbprint, thumbprint[:]) {
			return false
		}
	}
	if r.SubjectKeyID != nil && !slices.Equal(r.SubjectKeyID, subjectKeyID(c)) {
		return false
	}
	return r.Serial == nil || r.Serial.Cmp(c.SerialNumber) == 0 && isName(r.Issuer, c.RawIssuer)
}

// subjectKeyID returns the extension, or else what it would be by RFC 5280, section 4.2.1.2, method 1, which is
// how other stacks identify a certificate that has none.
func subjectKeyID(c *x509.Certificate) []byte {
	if len(c.SubjectKeyId) > 0 {
		return c.SubjectKeyId
	}
	var spki struct {
		Algorithm asn1.RawValue
		Key       asn1.BitString
	}
	if _, err := asn1.Unmarshal(c.RawSubjectPublicKeyInfo, &spki); err != nil {
		return nil
	}
	id := sha1.Sum(spki.Key.RightAlign())
	return id[:]
}
