package wss

import (
	"crypto"
	"crypto/x509"
	"fmt"
	"strings"
	"sync"
	"time"

	"collimate/keys"
	"collimate/soap"
	"collimate/xmlsec"
)

// party is a key that a message is said to be from, and the certificate that names its holder. A message may
// bring a bare key, and then there is no certificate.
type party struct {
	key         crypto.PublicKey
	id          keys.ID
	certificate *x509.Certificate
	name        string
}

func certified(c *x509.Certificate) (*party, *soap.Fault) {
	id, err := keys.IDOfCertificate(c)
	if err != nil {
		return nil, fault(invalidToken, err)
	}
	return &party{key: c.PublicKey, id: id, certificate: c, name: displayName(c)}, nil
}

func uncertified(key crypto.PublicKey) (*party, *soap.Fault) {
	id, err := keys.IDOf(key)
	if err != nil {
		return nil, fault(invalidToken, err)
	}
	return &party{key: key, id: id}, nil
}

// check wants a certificate, if there is one, that is valid now and is meant for signatures. Who issued it does
// not matter: the ledger names keys.
func (p *party) check(now time.Time) *soap.Fault {
	c := p.certificate
	switch {
	case c == nil:
		return nil
	case now.Before(c.NotBefore):
		return faultf(invalidToken, "certificate is not valid yet")
	case now.After(c.NotAfter):
		return faultf(invalidToken, "certificate has expired")
	case c.KeyUsage != 0 && c.KeyUsage&(x509.KeyUsageDigitalSignature|x509.KeyUsageContentCommitment) == 0:
		return faultf(invalidToken, "certificate is not for signatures")
	case len(c.UnhandledCriticalExtensions) > 0:
		return faultf(invalidToken, "certificate has a critical extension that is not known")
	}
	return nil
}

// displayName is the subject, cut to maxName.
func displayName(c *x509.Certificate) string {
	name := c.Subject.String()
	if len(name) > maxName {
		name = name[:maxName]
	}
	return strings.ToValidUTF8(name, "")
}

// partyCache keeps the parties of certificates as messages spell them, so that the few peers of a gateway have
// theirs parsed once. It is two generations: when the younger is full it becomes the older, and what was not
// asked for meanwhile is gone. Anybody can fill it, and all that is lost by that is time.
type partyCache struct {
	mu           sync.Mutex
	young, older map[string]*party
}

func (c *partyCache) get(text string) *party {
	c.mu.Lock()
	defer c.mu.Unlock()
	if p := c.young[text]; p != nil {
		return p
	}
	p := c.older[text]
	if p != nil {
		c.put(text, p)
	}
	return p
}

func (c *partyCache) add(text string, p *party) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.put(strings.Clone(text), p) // a clone, as text is a part of a message
}

func (c *partyCache) put(text string, p *party) {
	if c.young == nil || len(c.young) >= maxCached {
		c.young, c.older = make(map[string]*party), c.young
	}
	c.young[text] = p
}

// party reads the certificate whose base64 is the text of n.
func (v *Verifier) party(n xmlsec.Node) (*party, *soap.Fault) {
	text, err := n.Text()
	if err != nil {
		return nil, fault(invalidToken, err)
	}
	if p := v.cache.get(text); p != nil {
		return p, nil
	}
	der, err := xmlsec.DecodeBase64(n, maxCertificateText)
	if err != nil {
		return nil, fault(invalidToken, err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fault(invalidToken, fmt.Errorf("parsing the certificate: %w", err))
	}
	p, f := certified(certificate)
	if f == nil {
		v.cache.add(text, p)
	}
	return p, f
}
