package conformance

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/beevik/etree"
	dsig "github.com/russellhaering/goxmldsig"
)

// Identity is a key with its certificate.
type Identity struct {
	Key         crypto.Signer // ECDSA P-256 or P-384, or RSA
	Certificate *x509.Certificate
}

// LoadIdentity reads a PKCS#8 key and a certificate, both PEM.
func LoadIdentity(keyFile, certificateFile string) (Identity, error) {
	var id Identity
	der, err := readPEM(keyFile)
	if err != nil {
		return id, err
	}
	key, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return id, fmt.Errorf("reading key %s: %w", keyFile, err)
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return id, fmt.Errorf("reading key %s: a %T cannot sign", keyFile, key)
	}
	if der, err = readPEM(certificateFile); err != nil {
		return id, err
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return id, fmt.Errorf("reading certificate %s: %w", certificateFile, err)
	}
	return Identity{Key: signer, Certificate: certificate}, nil
}

func readPEM(file string) ([]byte, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(b)
	if block == nil {
		return nil, fmt.Errorf("%s holds no PEM block", file)
	}
	return block.Bytes, nil
}

// SigningConsumer is a Consumer that signs its requests: WS-Security X.509 with the certificate as
// BinarySecurityToken, over Body, Timestamp and every header block, each reference with exclusive C14N and
// SHA-256. WSS X.509 Token Profile 1.1, XML Signature Syntax and Processing.
type SigningConsumer struct {
	Consumer
	Identity
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// Break is the one thing to do wrong; Whole by default.
	Break Breakage
}

// Retrieve is Consumer.Retrieve with a signature.
func (c *SigningConsumer) Retrieve(ctx context.Context, url string, documents ...DocumentRef) (*Answer, error) {
	m := newMessage(url, documents...)
	if err := c.sign(m); err != nil {
		return nil, err
	}
	return c.Consumer.retrieve(ctx, url, m)
}

// The algorithms. RFC 9231, XML Signature
const (
	algExcC14N     = "http://www.w3.org/2001/10/xml-exc-c14n#"
	algSHA1        = "http://www.w3.org/2000/09/xmldsig#sha1"
	algSHA256      = "http://www.w3.org/2001/04/xmlenc#sha256"
	algECDSASHA1   = "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha1"
	algECDSASHA256 = "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256"
	algRSASHA1     = "http://www.w3.org/2000/09/xmldsig#rsa-sha1"
	algRSASHA256   = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"
	algHMACSHA256  = "http://www.w3.org/2001/04/xmldsig-more#hmac-sha256"

	x509v3       = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-x509-token-profile-1.0#X509v3"
	base64Binary = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-soap-message-security-1.0#Base64Binary"
)

// sign adds a wsse:Security header to m, broken as c.Break says. m must not be changed afterwards.
func (c *SigningConsumer) sign(m *message) error {
	if c.Key == nil || c.Certificate == nil {
		return errors.New("the signing consumer has no key or no certificate")
	}
	now := time.Now
	if c.Now != nil {
		now = c.Now
	}
	p := &plan{now: now().UTC(), key: c.Key, certificate: c.Certificate.Raw, hash: crypto.SHA256, omit: map[string]bool{}}
	b := breakages[c.Break]
	if b.before != nil {
		if err := b.before(m, p); err != nil {
			return err
		}
	}
	if p.unsigned {
		return nil
	}
	if err := p.apply(m); err != nil {
		return fmt.Errorf("signing the request: %w", err)
	}
	if b.after != nil {
		b.after(m)
	}
	return nil
}

// plan is what the next signature will be made of. Breakages edit it.
type plan struct {
	now         time.Time
	life        time.Duration // of the Timestamp; signatureLife if zero
	key         crypto.Signer
	certificate []byte // DER
	hash        crypto.Hash
	hmac        bool            // sign with the certificate's bytes as if they were a shared secret
	noTimestamp bool            // leave the Timestamp out
	unsigned    bool            // add no Security header at all
	omit        map[string]bool // local names of what to leave unsigned
}

// apply adds the Security header.
func (p *plan) apply(m *message) error {
	if p.life == 0 {
		p.life = signatureLife
	}
	blocks := m.header().ChildElements()
	security := m.header().CreateElement("wsse:Security")
	security.CreateAttr("soap:mustUnderstand", "1")
	token := security.CreateElement("wsse:BinarySecurityToken")
	token.CreateAttr("EncodingType", base64Binary)
	token.CreateAttr("ValueType", x509v3)
	token.CreateAttr("wsu:Id", "id-token")
	token.SetText(base64.StdEncoding.EncodeToString(p.certificate))
	if !p.noTimestamp {
		ts := security.CreateElement("wsu:Timestamp")
		const layout = "2006-01-02T15:04:05.000Z"
		ts.CreateElement("wsu:Created").SetText(p.now.Format(layout))
		ts.CreateElement("wsu:Expires").SetText(p.now.Add(p.life).Format(layout))
		blocks = append(blocks, ts)
	}
	blocks = append(blocks, m.body())

	signature := etree.NewElement("ds:Signature")
	info := signature.CreateElement("ds:SignedInfo")
	algorithm(info, "ds:CanonicalizationMethod", algExcC14N)
	method, digest, err := p.algorithms()
	if err != nil {
		return err
	}
	algorithm(info, "ds:SignatureMethod", method)
	for _, e := range blocks {
		id := "id-" + e.Tag
		if e.SelectAttr("wsu:Id") == nil {
			e.CreateAttr("wsu:Id", id)
		}
		if p.omit[e.Tag] {
			continue
		}
		canonical, err := canonicalise(e)
		if err != nil {
			return err
		}
		reference := info.CreateElement("ds:Reference")
		reference.CreateAttr("URI", "#"+e.SelectAttrValue("wsu:Id", id))
		algorithm(reference.CreateElement("ds:Transforms"), "ds:Transform", algExcC14N)
		algorithm(reference, "ds:DigestMethod", digest)
		h := p.hash.New()
		h.Write(canonical)
		reference.CreateElement("ds:DigestValue").SetText(base64.StdEncoding.EncodeToString(h.Sum(nil)))
	}
	security.AddChild(signature)
	canonical, err := canonicalise(info)
	if err != nil {
		return err
	}
	value, err := p.value(canonical)
	if err != nil {
		return err
	}
	signature.CreateElement("ds:SignatureValue").SetText(base64.StdEncoding.EncodeToString(value))
	str := signature.CreateElement("ds:KeyInfo").CreateElement("wsse:SecurityTokenReference").CreateElement("wsse:Reference")
	str.CreateAttr("URI", "#id-token")
	str.CreateAttr("ValueType", x509v3)
	return nil
}

func algorithm(parent *etree.Element, tag, uri string) {
	parent.CreateElement(tag).CreateAttr("Algorithm", uri)
}

// algorithms returns the URIs of the signature and the digest method.
func (p *plan) algorithms() (method, digest string, err error) {
	sha1 := p.hash == crypto.SHA1
	digest = algSHA256
	if sha1 {
		digest = algSHA1
	}
	if p.hmac {
		return algHMACSHA256, digest, nil
	}
	switch p.key.Public().(type) {
	case *ecdsa.PublicKey:
		if sha1 {
			return algECDSASHA1, digest, nil
		}
		return algECDSASHA256, digest, nil
	case *rsa.PublicKey:
		if sha1 {
			return algRSASHA1, digest, nil
		}
		return algRSASHA256, digest, nil
	}
	return "", "", fmt.Errorf("cannot sign with a %T; want ECDSA or RSA", p.key.Public())
}

// value signs the canonical SignedInfo. ECDSA is r||s of the curve's size each. RFC 9231 section 2.3.6
func (p *plan) value(canonical []byte) ([]byte, error) {
	if p.hmac {
		return hmacSHA256(p.certificate, canonical), nil
	}
	h := p.hash.New()
	h.Write(canonical)
	signature, err := p.key.Sign(rand.Reader, h.Sum(nil), p.hash)
	if err != nil {
		return nil, err
	}
	if pub, ok := p.key.Public().(*ecdsa.PublicKey); ok {
		return rawECDSA(signature, (pub.Params().BitSize+7)/8)
	}
	return signature, nil
}

// canonicalise returns the exclusive canonical form of e. goxmldsig takes the namespaces of an element from the
// element itself and mistakes rebound prefixes, so it gets a copy that declares all of ours, none of which is
// ever bound again; the exclusive form then drops what is not used.
func canonicalise(e *etree.Element) ([]byte, error) {
	c := e.Copy()
	for _, p := range prefixes {
		c.CreateAttr("xmlns:"+p[0], p[1])
	}
	b, err := dsig.MakeC14N10ExclusiveCanonicalizerWithPrefixList("").Canonicalize(c)
	if err != nil {
		return nil, fmt.Errorf("canonicalising %s: %w", e.Tag, err)
	}
	return b, nil
}
