package soap

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
)

// HardenTLS returns a copy of a configuration that speaks TLS 1.2 and 1.3 only, with the cipher suites and
// groups that BCP 195 recommends, and HTTP/1.1 only, in which a stream has the connection to itself. What
// GetConfigForClient returns is treated likewise.
//
// ITI-19 also names the DHE suites of AES-GCM, which Go does not have; every peer that has them has the ECDHE
// ones too. The suites of TLS 1.3 cannot be chosen, and are all good. ITI TF-2: 3.19.6.2.3, RFC 9325 section 4
func HardenTLS(c *tls.Config) *tls.Config {
	c = c.Clone()
	c.MinVersion = max(c.MinVersion, tls.VersionTLS12)
	if c.MaxVersion < tls.VersionTLS12 {
		c.MaxVersion = 0
	}
	c.CipherSuites = cipherSuites()
	c.CurvePreferences = groups()
	c.NextProtos = []string{"http/1.1"}
	c.Renegotiation = tls.RenegotiateNever
	// Go begins each connection with records of one packet, for who reads as they come. Nobody reads a document so.
	c.DynamicRecordSizingDisabled = true
	if choose := c.GetConfigForClient; choose != nil {
		c.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
			chosen, err := choose(hello)
			if chosen == nil || err != nil {
				return nil, err
			}
			return HardenTLS(chosen), nil
		}
	}
	return c
}

// cipherSuites are those for TLS 1.2. RFC 9325 section 4.2
func cipherSuites() []uint16 {
	return []uint16{
		tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
		tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
		tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
		tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
	}
}

// groups are those for key exchange, the hybrid post-quantum one first: what is recorded today should not be
// read in twenty years, when the patient is still alive. RFC 9325 section 4.2.1
func groups() []tls.CurveID {
	return []tls.CurveID{tls.X25519MLKEM768, tls.X25519, tls.CurveP256, tls.CurveP384}
}

// NodeAuthentication is ITI-19 Authenticate Node: mutual TLS between machines that know each other, by an
// authority, by the key itself, or by either. A peer is let in if one of them knows it.
//
// Certificates need no particular attributes, and names are not compared with host names unless ServerName asks
// for it, as ITI-19 has it. ITI TF-2: 3.19.6.1.3
type NodeAuthentication struct {
	// Certificate is our own, with its private key.
	Certificate tls.Certificate
	// Authorities vouch for peers: a chain up to one of them is wanted, in which all dates are right.
	Authorities *x509.CertPool
	// Pinned are certificates of peers. What counts is their key, so that a renewal changes nothing; names,
	// issuers and dates are not looked at.
	Pinned []*x509.Certificate
	// ServerName, if it is not empty, is the DNS name or IP address that a client wants in the certificate of a
	// server which an authority vouches for. RFC 9525
	ServerName string
}

// ErrNode is returned by a handshake whose peer neither an authority vouches for nor a pin names.
var ErrNode = errors.New("the certificate of the peer is neither pinned nor of a trusted authority")

// Server returns the configuration of a listener, which wants a certificate of its clients.
func (n NodeAuthentication) Server() (*tls.Config, error) {
	c, err := n.config()
	if err != nil {
		return nil, err
	}
	c.ClientAuth = tls.RequireAnyClientCert // VerifyConnection says which
	c.VerifyConnection = func(s tls.ConnectionState) error { return n.verify(s, "") }
	if len(n.Pinned) == 0 {
		c.ClientCAs = n.Authorities // named to clients, so that they find the right certificate; a pinned one may be of any issuer
	}
	return c, nil
}

// Client returns the configuration of a client.
func (n NodeAuthentication) Client() (*tls.Config, error) {
	c, err := n.config()
	if err != nil {
		return nil, err
	}
	// The name is not compared and a pinned certificate has no chain. VerifyConnection is the whole check.
	c.InsecureSkipVerify = true
	c.ServerName = n.ServerName
	c.VerifyConnection = func(s tls.ConnectionState) error { return n.verify(s, n.ServerName) }
	return c, nil
}

func (n NodeAuthentication) config() (*tls.Config, error) {
	switch {
	case len(n.Certificate.Certificate) == 0 || n.Certificate.PrivateKey == nil:
		return nil, errors.New("node authentication: a certificate of our own with its private key is needed")
	case n.Authorities == nil && len(n.Pinned) == 0:
		return nil, errors.New("node authentication: an authority or a pinned certificate is needed, or nobody could connect")
	}
	return HardenTLS(&tls.Config{Certificates: []tls.Certificate{n.Certificate}}), nil
}

// verify is the VerifyConnection of both sides, which is called for resumed sessions too. An empty name is not
// looked at.
func (n NodeAuthentication) verify(s tls.ConnectionState, name string) error {
	if len(s.PeerCertificates) == 0 {
		return ErrNode
	}
	leaf := s.PeerCertificates[0]
	for _, pinned := range n.Pinned {
		if bytes.Equal(leaf.RawSubjectPublicKeyInfo, pinned.RawSubjectPublicKeyInfo) {
			return nil // the handshake has proven that the peer holds the key
		}
	}
	if n.Authorities == nil {
		return ErrNode
	}
	intermediates := x509.NewCertPool()
	for _, c := range s.PeerCertificates[1:] {
		intermediates.AddCert(c)
	}
	_, err := leaf.Verify(x509.VerifyOptions{
		Roots: n.Authorities, Intermediates: intermediates, DNSName: name, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
	})
	if err != nil {
		return errors.Join(ErrNode, err)
	}
	return nil
}
