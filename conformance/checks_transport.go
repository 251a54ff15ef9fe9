package conformance

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/beevik/etree"
)

// transportChecks look at what lies below and beside SOAP: TLS and the WSDL.
func transportChecks() []Check {
	return []Check{
		{"V.3-WSDL", "GET with ?wsdl returns a WSDL with the operation of ITI-43", "ITI TF-2: V.3.2; WSDL 1.1", onEach(servesWSDL)},
		{"ITI-19.CLIENT", "A consumer without a client certificate gets no answer", "ITI TF-2: 3.19.6.1 (both ends authenticate)", needsClientCertificate},
		{"ITI-19.VERSION", "TLS below 1.2 is refused", "ITI TF-2: 3.19.6.2; RFC 8996", onEachTLS(refusesOldTLS)},
	}
}

func servesWSDL(ctx context.Context, t *Target, s side) error {
	config := t.ConsumerTLS
	if s.url == t.SourceURL {
		config = t.SourceTLS
	}
	return servesOperation(ctx, config, s.url, actionRetrieve)
}

// servesOperation looks for an action in the WSDL of an endpoint.
func servesOperation(ctx context.Context, config *tls.Config, url, action string) error {
	client := NewHTTPClient(config)
	defer client.CloseIdleConnections()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"?wsdl", nil)
	if err != nil {
		return err
	}
	resp, err := client.Do(req)
	if err != nil {
		return expected("a WSDL", err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, maxEnvelope))
	if err != nil {
		return expected("a WSDL", err)
	}
	doc := etree.NewDocument()
	if resp.StatusCode != http.StatusOK || doc.ReadFromBytes(raw) != nil || !is(doc.Root(), "http://schemas.xmlsoap.org/wsdl/", "definitions") {
		return expected("HTTP 200 with wsdl:definitions", fmt.Sprintf("HTTP %d with %.60q", resp.StatusCode, raw))
	}
	if got := resp.Header.Get("Content-Type"); !strings.Contains(got, "xml") {
		return expected("an XML Content-Type", fmt.Sprintf("%q", got))
	}
	for _, e := range doc.FindElements("//operation/input") {
		for _, a := range e.Attr {
			if a.Key == "Action" && a.Value == action {
				return nil
			}
		}
	}
	return expected("an operation whose input has Action "+action, "none")
}

// needsClientCertificate looks at the consumer side only: there, TLS is the one evidence of who asks.
func needsClientCertificate(ctx context.Context, t *Target) error {
	s, err := t.plainSide()
	if err != nil {
		return err
	}
	if t.ConsumerTLS == nil {
		return skip("the target's consumer side has no TLS")
	}
	if err := t.control(ctx, s); err != nil {
		return err
	}
	config := t.ConsumerTLS.Clone()
	config.Certificates, config.GetClientCertificate = nil, nil
	client := NewHTTPClient(config)
	defer client.CloseIdleConnections()
	x, err := send(ctx, client, t.ConsumerURL, newMessage(t.ConsumerURL, t.ref(t.Manifest)), nil)
	if err == nil && x.answer != nil {
		return expected("a refused handshake or an HTTP error", local(x.answer.Status))
	}
	return nil
}

// onEachTLS is onEach for the sides that have TLS.
func onEachTLS(check func(context.Context, *Target, side, *tls.Config) error) func(context.Context, *Target) error {
	return onEach(func(ctx context.Context, t *Target, s side) error {
		config := t.ConsumerTLS
		if s.url == t.SourceURL {
			config = t.SourceTLS
		}
		if config == nil {
			return skip("the target's " + s.name + " has no TLS")
		}
		return check(ctx, t, s, config)
	})
}

func refusesOldTLS(ctx context.Context, _ *Target, s side, config *tls.Config) error {
	u, err := url.Parse(s.url)
	if err != nil {
		return err
	}
	config = config.Clone()
	config.MinVersion, config.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
	if config.ServerName == "" {
		config.ServerName = u.Hostname()
	}
	port := u.Port()
	if port == "" {
		port = "443"
	}
	dialer := &tls.Dialer{NetDialer: &net.Dialer{Timeout: 10 * time.Second}, Config: config}
	conn, err := dialer.DialContext(ctx, "tcp", net.JoinHostPort(u.Hostname(), port))
	if err != nil {
		return nil
	}
	defer conn.Close()
	return expected("TLS 1.2 at least", tls.VersionName(conn.(*tls.Conn).ConnectionState().Version))
}
