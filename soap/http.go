package soap

import (
	"crypto/tls"
	"log/slog"
	"net/http"
)

// NewHTTPServer returns an HTTP server for endpoints that stream: it bounds headers and idle connections, and
// leaves the time that a request or an answer takes to the handler. It speaks HTTP/1.1 only, in which a stream
// has the connection to itself; TLS is 1.2 or later. tlsConfig is nil for plain TCP, and is not changed; serve
// with ServeTLS(listener, "", "") otherwise. A nil logger discards.
func NewHTTPServer(h http.Handler, tlsConfig *tls.Config, logger *slog.Logger) *http.Server {
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	s := &http.Server{
		Handler:           h,
		Protocols:         &protocols,
		ReadHeaderTimeout: headerTimeout,
		IdleTimeout:       keepAlive,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(logger.Handler(), slog.LevelWarn),
	}
	if tlsConfig != nil {
		s.TLSConfig = tlsConfig.Clone()
		s.TLSConfig.MinVersion = max(s.TLSConfig.MinVersion, tls.VersionTLS12)
		s.TLSConfig.NextProtos = []string{"http/1.1"}
	}
	return s
}
