package interop

import (
	"crypto/x509"
	"testing"

	"collimate/keys"
	"collimate/saml"
	"collimate/soap/wss"
)

// policies are what our side has been told about its peers.
var policies = map[string]func(*testing.T, *wss.Config, identities){
	"strict": func(*testing.T, *wss.Config, identities) {},
	"certificate registered": func(_ *testing.T, c *wss.Config, id identities) {
		c.Certificates = wss.NewCertificates(id.of["rsa"].certificate, id.of["ec"].certificate)
	},
	"DER": func(_ *testing.T, c *wss.Config, id identities) {
		c.Peers = map[keys.ID]wss.Peer{id.of["ec"].keyID: {DER: true}}
	},
	"SHA-1": func(_ *testing.T, c *wss.Config, id identities) {
		c.Peers = map[keys.ID]wss.Peer{id.of["rsa"].keyID: {SHA1: true}}
	},
	"issuer trusted": func(t *testing.T, c *wss.Config, id identities) {
		v, err := saml.NewValidator(saml.Config{
			Issuers:   []saml.Issuer{{Name: "urn:example:idp", Certificates: []*x509.Certificate{id.issuer.certificate}}},
			Audiences: []string{"urn:example:affinity-domain"},
			Now:       c.Now,
		})
		if err != nil {
			t.Fatal(err)
		}
		c.SAML = v
	},
}
