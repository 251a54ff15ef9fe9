package gateway

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net/http"
	"slices"

	"collimate/keys"
	"collimate/soap"
	"collimate/xds"
	"collimate/xds/xdsi"
	"collimate/xua"
)

// Handler answers what a source answers: as a Document Repository, a Document Registry and an Imaging Document Source, and
// the openings of grants.
func (s *Source) Handler() (http.Handler, error) {
	mux, gates := http.NewServeMux(), soap.NewGates(soap.DefaultLimits)
	for path, handler := range map[string]func(xds.Authenticator, xds.Options) *soap.Server{
		PathRepository: func(a xds.Authenticator, o xds.Options) *soap.Server {
			return xds.NewRepositoryHandler(s, s.recipient(), a, o)
		},
		PathRegistry: func(a xds.Authenticator, o xds.Options) *soap.Server { return xds.NewRegistryHandler(s, a, o) },
		PathImaging:  func(a xds.Authenticator, o xds.Options) *soap.Server { return xdsi.NewHandler(s, a, o) },
	} {
		authenticate, err := s.authenticator(path)
		if err != nil {
			return nil, err
		}
		server := handler(authenticate, xds.Options{URL: s.config.URL + path, Submits: s.showsSubmitter})
		server.Logger, server.Async, server.Gates = s.config.Logger, s.config.Async, gates
		server.Limits.IdleTimeout = turnTimeout
		mux.Handle(path, server)
	}
	mux.HandleFunc(PathOpenings, s.openings)
	return mux, nil
}

// showsSubmitter reports whether a peer has shown the key of a submitter in TLS. One that signs only is known when its
// request has been read, and has to do with less of it.
func (s *Source) showsSubmitter(state *tls.ConnectionState) bool {
	if state == nil || len(state.PeerCertificates) == 0 {
		return false
	}
	id, err := keys.IDOfCertificate(state.PeerCertificates[0])
	return err == nil && slices.Contains(s.config.Submitters, id)
}

// recipient returns who takes documents in, nil if nobody does.
func (s *Source) recipient() xds.Recipient {
	if s.config.Documents == nil {
		return nil
	}
	return s
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
	repository := xds.NewRepositoryHandler(c, nil, authenticateTLS, xds.Options{URL: url})
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
