package serve

import (
	"strings"

	"collimate/cmd/collimate/internal/config"
	"collimate/gateway"
	"collimate/keys"
	"collimate/keys/keystore"
	"collimate/saml"
	"collimate/soap/wss"
	"collimate/xua"
)

// requesters loads whose requests the source accepts. Several entries of one issuer are its certificates, as while
// it changes its key.
func requesters(c *config.Config) (gateway.Requesters, error) {
	r := gateway.Requesters{
		MinTier:   map[string]xua.Tier{"A": xua.TierA, "B": xua.TierB, "C": xua.TierC}[c.Requesters.MinTier],
		Audiences: c.Requesters.Audiences,
		Peers:     map[keys.ID]wss.Peer{},

		Roles:         codes(c.Requesters.Roles),
		PurposesOfUse: codes(c.Requesters.Purposes),
	}
	byName := map[string]int{}
	for _, i := range c.Requesters.Issuers {
		certificate, err := keystore.LoadCertificate(i.File)
		if err != nil {
			return r, err
		}
		at, known := byName[i.Name]
		if !known {
			at = len(r.Issuers)
			byName[i.Name], r.Issuers = at, append(r.Issuers, saml.Issuer{Name: i.Name})
		}
		r.Issuers[at].Certificates = append(r.Issuers[at].Certificates, certificate)
	}
	for _, file := range c.Requesters.Certificates {
		certificate, err := keystore.LoadCertificate(file)
		if err != nil {
			return r, err
		}
		r.Certificates = append(r.Certificates, certificate)
	}
	if err := allow(r.Peers, c.Requesters.AllowDER, func(p *wss.Peer) { p.DER = true }); err != nil {
		return r, err
	}
	return r, allow(r.Peers, c.Requesters.AllowSHA1, func(p *wss.Peer) { p.SHA1 = true })
}

// codes reads codes written CODE^^SYSTEM, which the configuration has checked.
func codes(texts []string) (all []xua.Code) {
	for _, text := range texts {
		code, system, _ := strings.Cut(text, "^^")
		all = append(all, xua.Code{Code: code, System: system})
	}
	return all
}

// allow widens what the peers with these KeyIDs may use.
func allow(peers map[keys.ID]wss.Peer, ids []string, widen func(*wss.Peer)) error {
	for _, text := range ids {
		id, err := keys.ParseID(text)
		if err != nil {
			return err
		}
		p := peers[id]
		widen(&p)
		peers[id] = p
	}
	return nil
}
