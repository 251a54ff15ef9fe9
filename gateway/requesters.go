package gateway

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"

	"collimate/keys"
	"collimate/ledger"
	"collimate/saml"
	"collimate/soap"
	"collimate/soap/wss"
	"collimate/xds"
	"collimate/xua"
)

// Requesters says which evidence of who asks a source accepts. The zero value accepts what proves most, a
// signature over the message itself (tier A) by a certificate that the message brings along.
type Requesters struct {
	// MinTier is the weakest evidence that is enough; TierA when zero.
	MinTier xua.Tier
	// Issuers are the identity providers whose SAML assertions are believed (XUA, ITI-40), and Audiences the
	// URIs that assertions must be meant for. Without issuers a message with an assertion is refused.
	Issuers   []saml.Issuer
	Audiences []string
	// Roles and PurposesOfUse, if not empty, are what a person may ask as and for. An assertion must state at least
	// one, and none that is not listed.
	Roles, PurposesOfUse []xua.Code
	// Certificates are those that messages may refer to without holding them.
	Certificates []*x509.Certificate
	// Peers are the few that may sign as others may not, by their keys.
	Peers map[keys.ID]wss.Peer
}

// reasonTier refuses a caller whose evidence is weaker than the source asks for.
const reasonTier ledger.Reason = "tier"

// authenticator returns how a source finds out who asks at one of its paths. A signed request names the path in wsa:To, and
// is good there alone.
func (s *Source) authenticator(path string) (xds.Authenticator, error) {
	r := s.config.Requesters
	replay := s.config.Catalog.Replay(s.config.Now)
	config := wss.Config{
		Now:       s.config.Now,
		Replay:    replay,
		RequireTo: []string{s.config.URL + path},
		Peers:     r.Peers,
		Logger:    s.config.Logger,
	}
	if len(r.Certificates) > 0 {
		config.Certificates = wss.NewCertificates(r.Certificates...)
	}
	if len(r.Issuers) > 0 {
		assertions, err := saml.NewValidator(saml.Config{
			Issuers: r.Issuers, Audiences: r.Audiences, Recipients: config.RequireTo, Now: s.config.Now, OneTime: replay,
			Roles: r.Roles, PurposesOfUse: r.PurposesOfUse,
		})
		if err != nil {
			return nil, fmt.Errorf("gateway: the issuers of assertions: %w", err)
		}
		config.SAML = assertions
	}
	verifier, err := wss.NewVerifier(config)
	if err != nil {
		return nil, fmt.Errorf("gateway: %w", err)
	}
	return func(ctx context.Context, request *soap.Request) (xua.Caller, error) {
		caller, err := s.authenticate(ctx, verifier, request)
		if err != nil {
			s.recordFailure(ctx, path, request, err)
			return xua.Caller{}, err
		}
		caller.Address, caller.ReplyTo = host(request.RemoteAddr), request.ReplyTo
		return caller, nil
	}, nil
}

// authenticate names the caller by the best evidence that a request holds. ITI-19 asks for certificates on both
// sides whatever else there is. ITI TF-2: 3.19.6
func (s *Source) authenticate(ctx context.Context, v *wss.Verifier, r *soap.Request) (xua.Caller, error) {
	if r.TLS == nil || len(r.TLS.PeerCertificates) == 0 {
		return xua.Caller{}, &soap.Fault{Code: soap.Sender, Reason: "a TLS client certificate is required"}
	}
	caller, err := v.Authenticate(ctx, r)
	if !errors.Is(err, wss.ErrNoSecurity) {
		return caller, err
	}
	// The organisation's own systems speak plain XDS, which has no signatures. For what is on the ledger their evidence
	// counts as what it is.
	if now, leaf := s.config.Now(), r.TLS.PeerCertificates[0]; now.Before(leaf.NotBefore) || now.After(leaf.NotAfter) {
		return caller, err
	}
	held, tlsErr := holderOfTLSKey(r)
	if s.config.Requesters.MinTier == xua.TierC || tlsErr == nil && s.submits(held) {
		return held, tlsErr
	}
	return caller, err
}

// holderOfTLSKey names the caller by the key that the TLS handshake has proven: tier C. Whoever issued the
// certificate, it is the key that a grant names.
func holderOfTLSKey(r *soap.Request) (xua.Caller, error) {
	leaf := r.TLS.PeerCertificates[0]
	id, err := keys.IDOfCertificate(leaf)
	if err != nil {
		return xua.Caller{}, &soap.Fault{Code: soap.Sender, Reason: "the key of the TLS client certificate is not supported", Err: err}
	}
	return xua.Caller{Key: keys.Grantee{ID: id}, Tier: xua.TierC, Name: leaf.Subject.String()}, nil
}
