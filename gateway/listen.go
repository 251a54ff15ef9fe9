package gateway

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net/http"

	"collimate/soap"
	"collimate/xds"
	"collimate/xua"
)

// Handler answers what a source answers: ITI-43 signed by the requester, and the openings of grants.
func (s *Source) Handler() (http.Handler, error) {
	authenticate, err := s.authenticator()
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	repository := xds.NewHandler(s, authenticate, xds.Options{URL: s.Endpoints().ITI43})
	repository.Logger, repository.Async = s.config.Logger, s.config.Async
	repository.Limits.IdleTimeout = turnTimeout
	mux.Handle(PathRepository, repository)
	mux.HandleFunc(PathOpenings, s.openings)
	return mux, nil
}

// TLSConfig returns the configuration of the source's listener. The server shows the source's key, to which
// requesters pin it. A client certificate is asked for and may be of anyone: the ledger says who is let in, and
// owners who bring an opening have none.
func (s *Source) TLSConfig() *tls.Config {
	return soap.HardenTLS(&tls.Config{
		ClientAuth:   tls.RequestClientCert,
		Certificates: []tls.Certificate{{Certificate: [][]byte{s.config.Certificate.Raw}, PrivateKey: s.config.Key, Leaf: s.config.Certificate}},
	})
}

// Handler answers what a consumer side answers: ITI-43 as the local XDS consumer sends it, unsigned, over TLS
// with a client certificate of an authority that this organisation trusts.
func (c *Consumer) Handler(url string) http.Handler {
	repository := xds.NewHandler(c, authenticateTLS, xds.Options{URL: url})
	repository.Logger, repository.Async = c.config.Logger, c.config.Async
	return repository
}

// ConsumerTLSConfig returns the configuration of the consumer side's listener: server is the organisation's
// certificate for it, clients are the authorities whose certificates local consumers hold. ITI TF-2: 3.19
func ConsumerTLSConfig(server tls.Certificate, clients *x509.CertPool) (*tls.Config, error) {
	if clients == nil {
		return nil, errors.New("gateway: the consumer side needs the authority of its clients' certificates")
	}
	return soap.HardenTLS(&tls.Config{
		ClientAuth:   tls.RequireAndVerifyClientCert,
		ClientCAs:    clients,
		Certificates: []tls.Certificate{server},
	}), nil
}

// authenticateTLS names the caller by the TLS client certificate that the listener has verified: tier C.
func authenticateTLS(_ context.Context, r *soap.Request) (xua.Caller, error) {
	if r.TLS == nil || len(r.TLS.VerifiedChains) == 0 {
		return xua.Caller{}, &soap.Fault{Code: soap.Sender, Reason: "a TLS client certificate of a trusted authority is required"}
	}
	caller, err := holderOfTLSKey(r)
	caller.Address = host(r.RemoteAddr)
	return caller, err
}
