package serve

import (
	"context"
	"crypto/tls"
	"log/slog"

	"collimate/cmd/collimate/internal/config"
	"collimate/gateway"
	"collimate/keys"
	"collimate/keys/keystore"
	"collimate/soap"
)

// answers prepares what sends answers elsewhere, from a listener that shows own; nil if nowhere is allowed. It is
// shut down by close, which comes after the listeners have ended.
func (o *organisation) answers(to []config.NamedFile, own tls.Certificate, logger *slog.Logger) (*soap.Async, error) {
	if len(to) == 0 {
		return nil, nil
	}
	c := soap.AsyncConfig{TLS: &tls.Config{Certificates: []tls.Certificate{own}}, Logger: logger}
	for _, n := range to {
		inbox := soap.Inbox{URL: n.Name}
		if n.File != "" {
			certificate, err := keystore.LoadCertificate(n.File)
			if err != nil {
				return nil, err
			}
			id, err := keys.IDOfCertificate(certificate)
			if err != nil {
				return nil, err
			}
			inbox.TLS = gateway.PinnedTLS(&own, id)
		}
		c.Listed = append(c.Listed, inbox)
	}
	async, err := soap.NewAsync(c)
	if err != nil {
		return nil, err
	}
	o.onClose(func() error {
		ctx, cancel := context.WithTimeout(context.Background(), shutdownPatience)
		defer cancel()
		return async.Shutdown(ctx)
	})
	return async, nil
}
