package soap

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// NewHTTPServer returns an HTTP server for endpoints that stream: it bounds headers and idle connections, and
// leaves the time that a request or an answer takes to the handler. It speaks HTTP/1.1 only, in which a stream
// has the connection to itself. tlsConfig is nil for plain TCP; it is not changed, but hardened by HardenTLS.
// Serve serves it. A nil logger discards.
func NewHTTPServer(h http.Handler, tlsConfig *tls.Config, logger *slog.Logger) *http.Server {
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	s := &http.Server{
		Protocols:         &protocols,
		ReadHeaderTimeout: headerTimeout,
		IdleTimeout:       keepAlive,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(logger.Handler(), slog.LevelWarn),
	}
	s.Handler = boundBody(s, h)
	if tlsConfig != nil {
		s.TLSConfig = HardenTLS(tlsConfig)
	}
	return s
}

// Serve serves connections of l until ctx ends or l fails; over TLS if the server has a configuration for it.
// When ctx ends it takes no more connections and requests, and lets answers that have begun come to their end.
// What has not after patience is cut, and that is an error. It returns when no connection is left.
func Serve(ctx context.Context, s *http.Server, l net.Listener, patience time.Duration) error {
	served := make(chan error, 1)
	go func() {
		if s.TLSConfig != nil {
			served <- s.ServeTLS(l, "", "")
		} else {
			served <- s.Serve(l)
		}
	}()
	select {
	case err := <-served:
		return errors.Join(fmt.Errorf("serving: %w", err), s.Close())
	case <-ctx.Done():
	}
	bound, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	err := s.Shutdown(bound)
	if err != nil {
		err = errors.Join(fmt.Errorf("answers were cut after %v: %w", patience, err), s.Close())
	}
	if e := <-served; !errors.Is(e, http.ErrServerClosed) {
		err = errors.Join(err, e)
	}
	return err
}

// boundBody bounds the arrival of a body that nobody reads by the time that s gives headers: net/http reads the rest of
// it before it answers, without a deadline of its own. A Server sets its own and takes it away when the body is there.
func boundBody(s *http.Server, h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ContentLength != 0 {
			_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(s.ReadHeaderTimeout))
		}
		h.ServeHTTP(w, r)
	})
}
