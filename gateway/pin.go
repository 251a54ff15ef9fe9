package gateway

import (
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"slices"
	"time"

	"collimate/keys"
	"collimate/soap"
)

// ErrPin is returned by a TLS handshake whose peer does not hold the pinned key.
var ErrPin = errors.New("the peer's TLS key is not the key on the ledger")

// PinnedTLS returns a client configuration that accepts exactly a server whose certificate holds one of the keys,
// whatever its names, issuer and dates: the ledger vouches for the key, no authority is needed. A source has one
// key, and for a while two after it was rotated: see ledger.SourceRecord.TLSKeys. own is presented when the server
// asks for a certificate; it may be nil.
func PinnedTLS(own *tls.Certificate, pins ...keys.ID) *tls.Config {
	c := &tls.Config{
		// The chain and the name are not looked at; VerifyConnection below, which also runs on resumed
		// sessions, is the whole check.
		InsecureSkipVerify: true,
		VerifyConnection: func(s tls.ConnectionState) error {
			if len(s.PeerCertificates) == 0 {
				return ErrPin
			}
			got, err := keys.IDOfCertificate(s.PeerCertificates[0])
			if err != nil || !slices.Contains(pins, got) {
				return ErrPin
			}
			return nil
		},
	}
	if own != nil {
		c.Certificates = []tls.Certificate{*own}
	}
	return soap.HardenTLS(c)
}

// PinnedClient returns an HTTP client for a server whose certificate holds one of the keys. It follows no redirects. There is no limit on the length of an answer in time, since studies are long; the wait for its
// beginning is bounded.
func PinnedClient(own *tls.Certificate, pins ...keys.ID) *http.Client {
	dialer := &net.Dialer{Timeout: upstreamDialTimeout}
	return &http.Client{
		Transport: &http.Transport{
			DialContext:           dialer.DialContext,
			TLSClientConfig:       PinnedTLS(own, pins...),
			TLSHandshakeTimeout:   upstreamDialTimeout,
			ResponseHeaderTimeout: upstreamHeaderTimeout,
			IdleConnTimeout:       90 * time.Second,
			MaxIdleConnsPerHost:   8,
			ReadBufferSize:        64 << 10,
			DisableCompression:    true,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}
