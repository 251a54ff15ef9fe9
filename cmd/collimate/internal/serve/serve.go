// Package serve runs one organisation: a ledger node and, beside it, the source side of a gateway, the consumer
// side, or both, as the configuration says.
//
// It only wires: what each part does is in its own package. Listeners are opened first, so that an occupied port
// is told before anything else happens; parts are started from the ground up and stopped from the top down, and
// a stream that has begun may finish, within shutdownPatience.
package serve

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"syscall"
	"time"

	"collimate/cmd/collimate/internal/admin"
	"collimate/cmd/collimate/internal/config"
	"collimate/gateway"
	"collimate/soap"

	"golang.org/x/sync/errgroup"
)

const (
	// shutdownPatience is how long streams that have begun may take to finish after the signal to stop.
	shutdownPatience = 30 * time.Second
	// maxConnections bounds each listener, and maxConnectionsPerHost what one address may hold of it: an integration
	// engine with a stream for each of its users fits, and no single machine can keep the others out.
	maxConnections        = 1024
	maxConnectionsPerHost = 256
	// adminHeaderTimeout bounds the headers of a command; it comes from this machine.
	adminHeaderTimeout = 5 * time.Second
)

// Listener is an address at which the server answers.
type Listener struct {
	What string // for a person
	URL  string
}

// server is one listener, and what serves it until its context ends.
type server struct {
	Listener
	listen net.Listener
	serve  func(context.Context, net.Listener) error
}

// overHTTP serves HTTP, and lets streams that have begun finish.
func overHTTP(h *http.Server) func(context.Context, net.Listener) error {
	return func(ctx context.Context, l net.Listener) error {
		return soap.Serve(ctx, h, soap.LimitListener(l, maxConnections, maxConnectionsPerHost), shutdownPatience)
	}
}

// Run runs the organisation until ctx is done or a part fails. It calls ready when every listener answers.
func Run(ctx context.Context, c *config.Config, logger *slog.Logger, ready func([]Listener)) (err error) {
	if err := os.MkdirAll(c.Organisation.Data, 0o700); err != nil {
		return fmt.Errorf("preparing the data directory: %w", err)
	}
	o := &organisation{config: c, logger: logger}
	var servers []*server
	defer func() { // also after an early error
		for _, s := range servers {
			err = errors.Join(err, ignoreClosed(s.listen.Close()))
		}
		err = errors.Join(err, o.close())
	}()
	listen := func(what, key, address, url string) (*server, error) {
		l, err := net.Listen("tcp", address)
		if errors.Is(err, syscall.EADDRINUSE) {
			return nil, fmt.Errorf("%s: %s is in use by another program", key, address)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", key, err)
		}
		s := &server{Listener: Listener{What: what, URL: url}, listen: l}
		servers = append(servers, s)
		return s, nil
	}

	var source, receiver, consumer, door *server
	if c.Has(config.RoleSource) {
		if source, err = listen("source, repository", "source.listen", c.Source.Listen, c.Source.URL+gateway.PathRepository); err != nil {
			return err
		}
	}
	if c.Has(config.RoleSource) && c.Receiver.Listen != "" {
		if receiver, err = listen("receiver, C-STORE", "receiver.listen", c.Receiver.Listen, c.Receiver.AETitle+" at "+c.Receiver.Listen); err != nil {
			return err
		}
	}
	if c.Has(config.RoleConsumer) {
		if consumer, err = listen("consumer, repository", "consumer.listen", c.Consumer.Listen, c.Consumer.URL+gateway.PathRepository); err != nil {
			return err
		}
	}
	if door, err = listen("admin", "admin.listen", c.Admin.Listen, ""); err != nil {
		return err
	}
	door.URL = "http://" + door.listen.Addr().String()

	if err := o.start(ctx); err != nil {
		return err
	}
	if source != nil {
		h, err := o.sourceServer()
		if err != nil {
			return err
		}
		source.serve = overHTTP(h)
	}
	if receiver != nil {
		receiver.serve = o.archive.Receiver.Serve
	}
	if consumer != nil {
		h, err := o.consumerServer()
		if err != nil {
			return err
		}
		consumer.serve = overHTTP(h)
	}
	operations := admin.NewDoor(c.Organisation.Data, o)
	door.serve = overHTTP(&http.Server{Handler: operations, ReadHeaderTimeout: adminHeaderTimeout, ErrorLog: slog.NewLogLogger(logger.Handler(), slog.LevelWarn)})
	if err := operations.Open(door.URL); err != nil {
		return fmt.Errorf("opening the door for commands: %w", err)
	}
	defer func() { err = errors.Join(err, operations.Close()) }()

	listeners := []Listener{{What: "ledger API, /healthz", URL: c.NodeURL()}}
	for _, s := range servers {
		listeners = append(listeners, s.Listener)
		if s == source {
			listeners = append(listeners, Listener{"source, registry", c.Source.URL + gateway.PathRegistry}, Listener{"source, images", c.Source.URL + gateway.PathImaging})
		}
	}
	ready(listeners)
	return serveAll(ctx, servers, o, logger)
}

// serveAll serves until ctx is done or something fails, and then lets streams finish.
func serveAll(ctx context.Context, servers []*server, o *organisation, logger *slog.Logger) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, s := range servers {
		group.Go(func() error {
			if err := s.serve(ctx, s.listen); err != nil {
				return fmt.Errorf("serving %s: %w", s.What, err)
			}
			return nil
		})
	}
	if o.watcher != nil && o.config.Publishing.Watch {
		group.Go(func() error { return o.watcher.Run(ctx) })
	}
	group.Go(func() error { return o.watchNode(ctx) })
	group.Go(func() error {
		<-ctx.Done()
		logger.Info("stopping", "patience", shutdownPatience.String())
		return nil
	})
	if err := group.Wait(); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

func ignoreClosed(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// sourceServer is the source side of the gateway.
func (o *organisation) sourceServer() (*http.Server, error) {
	h, err := o.source.Handler()
	if err != nil {
		return nil, fmt.Errorf("preparing the source: %w", err)
	}
	return soap.NewHTTPServer(h, o.source.TLSConfig(), o.logger), nil
}

// consumerServer is the consumer side of the gateway.
func (o *organisation) consumerServer() (*http.Server, error) {
	certificate, err := o.config.ConsumerCertificate()
	if err != nil {
		return nil, fmt.Errorf("consumer.certificate: %w", err)
	}
	clients, err := o.config.ClientCAs()
	if err != nil {
		return nil, fmt.Errorf("consumer.client_ca: %w", err)
	}
	tlsConfig, err := gateway.ConsumerTLSConfig(certificate, clients)
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle(gateway.PathRepository, o.consumer.Handler(o.config.Consumer.URL+gateway.PathRepository))
	return soap.NewHTTPServer(mux, tlsConfig, o.logger), nil
}
