package gateway

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"

	"collimate/keys"
	"collimate/soap"
	"collimate/soap/wss"
	"collimate/xds"
	"collimate/xua"
)

// Handler answers what a source answers: ITI-43 signed by the requester, and the openings of grants.
func (s *Source) Handler() (http.Handler, error) {
	verifier, err := wss.NewVerifier(wss.Config{
		Now:       s.config.Now,
		Replay:    s.config.Catalog.Replay(s.config.Now),
		RequireTo: []string{s.Endpoints().ITI43},
	})
	if err != nil {
		return nil, err
	}
	failed := &failures{}
	authenticate := func(ctx context.Context, r *soap.Request) (xua.Caller, error) {
		caller, err := authenticateSigned(ctx, verifier, r)
		if err != nil {
			failed.record(ctx, s, r, err)
		}
		return caller, err
	}
	mux := http.NewServeMux()
	repository := xds.NewHandler(s, authenticate, xds.Options{URL: s.Endpoints().ITI43})
	repository.Logger = s.config.Logger
	mux.Handle(PathRepository, repository)
	mux.HandleFunc(PathOpenings, s.openings)
	return mux, nil
}

// authenticateSigned names the caller by the signature of the message: tier A. ITI-19 asks for certificates on
// both sides; whose the client's is does not matter, as the signature binds the message itself. ITI TF-2: 3.19.6
func authenticateSigned(ctx context.Context, v *wss.Verifier, r *soap.Request) (xua.Caller, error) {
	if r.TLS == nil || len(r.TLS.PeerCertificates) == 0 {
		return xua.Caller{}, &soap.Fault{Code: soap.Sender, Reason: "a TLS client certificate is required"}
	}
	caller, err := v.Authenticate(ctx, r)
	caller.Address = host(r.RemoteAddr)
	return caller, err
}

// TLSConfig returns the configuration of the source's listener. The server shows the source's key, to which
// requesters pin it. A client certificate is asked for and may be of anyone: the ledger says who is let in, and
// owners who bring an opening have none.
func (s *Source) TLSConfig() *tls.Config {
	return &tls.Config{
		MinVersion:   tls.VersionTLS12,
		NextProtos:   []string{"http/1.1"},
		ClientAuth:   tls.RequestClientCert,
		Certificates: []tls.Certificate{{Certificate: [][]byte{s.config.Certificate.Raw}, PrivateKey: s.config.Key, Leaf: s.config.Certificate}},
	}
}

// Handler answers what a consumer side answers: ITI-43 as the local XDS consumer sends it, unsigned, over TLS
// with a client certificate of an authority that this organisation trusts.
func (c *Consumer) Handler(url string) http.Handler {
	repository := xds.NewHandler(c, authenticateTLS, xds.Options{URL: url})
	repository.Logger = c.config.Logger
	return repository
}

// ConsumerTLSConfig returns the configuration of the consumer side's listener: server is the organisation's
// certificate for it, clients are the authorities whose certificates local consumers hold. ITI TF-2: 3.19
func ConsumerTLSConfig(server tls.Certificate, clients *x509.CertPool) (*tls.Config, error) {
	if clients == nil {
		return nil, errors.New("gateway: the consumer side needs the authority of its clients' certificates")
	}
	return &tls.Config{
		MinVersion:   tls.VersionTLS12,
		NextProtos:   []string{"http/1.1"},
		ClientAuth:   tls.RequireAndVerifyClientCert,
		ClientCAs:    clients,
		Certificates: []tls.Certificate{server},
	}, nil
}

// authenticateTLS names the caller by the TLS client certificate that the listener has verified: tier C.
func authenticateTLS(_ context.Context, r *soap.Request) (xua.Caller, error) {
	if r.TLS == nil || len(r.TLS.VerifiedChains) == 0 {
		return xua.Caller{}, &soap.Fault{Code: soap.Sender, Reason: "a TLS client certificate of a trusted authority is required"}
	}
	leaf := r.TLS.VerifiedChains[0][0]
	id, err := keys.IDOfCertificate(leaf)
	if err != nil {
		return xua.Caller{}, &soap.Fault{Code: soap.Sender, Reason: "the key of the TLS client certificate is not supported", Err: fmt.Errorf("authenticating the consumer: %w", err)}
	}
	return xua.Caller{Key: keys.Grantee{ID: id}, Tier: xua.TierC, Name: leaf.Subject.String(), Address: host(r.RemoteAddr)}, nil
}
