package soap

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"
)

// Inbox is an address that answers may be sent to, and how the receiver there is known.
type Inbox struct {
	// URL is absolute, http or https. One whose path ends in "/" stands for all beneath it. Where it leads is not
	// looked at, so it may be in a private network.
	URL string
	// TLS is what the receiver is shown and checked by; nil is AsyncConfig.TLS.
	TLS *tls.Config
}

// AsyncConfig says which answers are sent to another address than that of the request, and how.
type AsyncConfig struct {
	// Listed are the addresses that may be answered to. Of several that fit, the first counts.
	Listed []Inbox
	// Public also allows any https URL that leads to the public internet.
	Public bool
	// TLS is what receivers are shown and checked by; nil checks them by the authorities of the system.
	TLS *tls.Config
	// Dial connects to listed addresses; nil is a net.Dialer. Others are dialled by nothing but our own.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Signer makes the wsse:Security header of what is sent; nil sends none.
	Signer EnvelopeSigner
	// Queue is how many answers may wait; beyond, requests are refused with HTTP 503. Zero is 64. Each holds
	// what its operation has opened.
	Queue int
	// Workers is how many answers are sent at the same time. Zero is 8.
	Workers int
	// Attempts is how often an answer is tried. Zero is 3. An answer is not tried again once bytes of its
	// attachments have been taken, as they are streams.
	Attempts int
	// Backoff is the pause before the second attempt; each further one is four times as long. Zero is 1 s.
	Backoff time.Duration
	// IdleTimeout is how long a receiver may take nothing, or not answer. Zero is a minute.
	IdleTimeout time.Duration
	// Logger gets one record for each answer that could not be sent; nil discards them.
	Logger *slog.Logger
}

// Async sends answers as new exchanges to the addresses that requests name, as WS-Addressing has it and IHE's
// option of asynchronous web services: the request is answered with HTTP 202, the answer is POSTed with a
// MessageID of its own, with RelatesTo, and To.
//
// An address in a request is a wish of its sender. It is granted only if the operation has authenticated the
// sender (Request.SetAuthenticated), if the address is allowed, and if there is room. Redirects and proxies
// are not followed, and of what the receiver says nothing but the status is looked at, and told to nobody.
//
// One Async may serve several Servers. It is safe for concurrent use, and must be shut down.
type Async struct {
	config  AsyncConfig
	targets targets
	listed  []*http.Client // in the order of AsyncConfig.Listed
	public  *http.Client

	ctx     context.Context // ends when what is under way is cut
	cancel  context.CancelFunc
	workers sync.WaitGroup

	mu     sync.Mutex
	closed bool
	queue  chan *delivery
}

// NewAsync starts the workers.
func NewAsync(c AsyncConfig) (*Async, error) {
	t, err := newTargets(c.Listed, c.Public)
	if err != nil {
		return nil, fmt.Errorf("asynchronous answers: %w", err)
	}
	setDefault(&c.Queue, asyncQueue)
	setDefault(&c.Workers, asyncWorkers)
	setDefault(&c.Attempts, asyncAttempts)
	setDefault(&c.Backoff, asyncBackoff)
	setDefault(&c.IdleTimeout, DefaultLimits.IdleTimeout)
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Dial == nil {
		c.Dial = (&net.Dialer{Timeout: headerTimeout}).DialContext
	}
	a := &Async{config: c, targets: t, queue: make(chan *delivery, c.Queue)}
	for _, r := range c.Listed {
		a.listed = append(a.listed, a.client(c.Dial, cmp.Or(r.TLS, c.TLS)))
	}
	a.public = a.client((&net.Dialer{Timeout: headerTimeout, Control: publicOnly}).DialContext, c.TLS)
	a.ctx, a.cancel = context.WithCancel(context.Background())
	for range c.Workers {
		a.workers.Go(func() {
			for d := range a.queue {
				a.deliver(d)
			}
		})
	}
	return a, nil
}

func setDefault[T int | time.Duration](field *T, value T) {
	if *field <= 0 {
		*field = value
	}
}

// client returns a client that goes where it is sent and nowhere else.
func (a *Async) client(dial func(context.Context, string, string) (net.Conn, error), config *tls.Config) *http.Client {
	if config == nil {
		config = &tls.Config{}
	}
	return &http.Client{
		Transport: &http.Transport{
			Proxy: nil,
			DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
				c, err := dial(ctx, network, address)
				if err != nil {
					return nil, err
				}
				return &idleConn{c, a.config.IdleTimeout}, nil
			},
			TLSClientConfig:        HardenTLS(config),
			TLSHandshakeTimeout:    headerTimeout,
			ResponseHeaderTimeout:  a.config.IdleTimeout,
			ExpectContinueTimeout:  asyncContinue,
			MaxResponseHeaderBytes: maxHeaderBytes,
			WriteBufferSize:        asyncBuffer,
			IdleConnTimeout:        keepAlive,
			DisableCompression:     true,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// idleConn gives each write a time of its own.
type idleConn struct {
	net.Conn
	idle time.Duration
}

// Write implements net.Conn.
func (c *idleConn) Write(b []byte) (int, error) {
	if err := c.SetWriteDeadline(time.Now().Add(c.idle)); err != nil {
		return 0, err
	}
	return c.Conn.Write(b)
}

// Shutdown takes no more answers, and waits until those that it has are sent. When ctx ends it cuts what is
// under way and returns an error; it has waited for the workers in any case.
func (a *Async) Shutdown(ctx context.Context) error {
	a.mu.Lock()
	if !a.closed {
		a.closed = true
		close(a.queue)
	}
	a.mu.Unlock()
	done := make(chan struct{})
	go func() {
		a.workers.Wait()
		close(done)
	}()
	var err error
	select {
	case <-done:
	case <-ctx.Done():
		err = fmt.Errorf("asynchronous answers were cut: %w", ctx.Err())
		a.cancel()
		<-done
	}
	a.cancel()
	for _, c := range a.listed {
		c.CloseIdleConnections()
	}
	a.public.CloseIdleConnections()
	return err
}

// errClosed tells that Shutdown has been called.
var errClosed = errors.New("asynchronous answers have been shut down")

// enqueue gives a delivery to the workers, and never waits.
func (a *Async) enqueue(d *delivery) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed {
		return errClosed
	}
	select {
	case a.queue <- d:
		return nil
	default:
		return errBusy
	}
}

// detach returns a context for an operation whose answer outlives its request: it ends when cancel is called,
// or with a.
func (a *Async) detach(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), asyncTotal)
	stop := context.AfterFunc(a.ctx, cancel)
	return ctx, func() { stop(); cancel() }
}

// route is where a message goes. The zero route is the connection of the request.
type route struct {
	none    bool   // to nobody
	address string // as it came
	target  *url.URL
	client  *http.Client
	cancel  context.CancelFunc // of the operation's context; may be nil
}

func (r route) away() bool { return r.target != nil }

// routes reads where the answer to a request is to go, and a fault. A nil Async sends both back.
// WS-Addressing Core 1.0 section 3.4
func (a *Async) routes(e *envelope) (replies, faults route, f *Fault) {
	if replies, f = a.route("ReplyTo", e.replyTo); f != nil {
		return route{}, route{}, f
	}
	if faults, f = a.route("FaultTo", e.faultTo); f != nil {
		if a != nil {
			return route{}, route{}, f
		}
		faults = route{} // QUIRK: a FaultTo that differs is common with those that wait for an answer here (CXF)
	}
	if e.faultTo.address == "" && replies.away() {
		faults = replies
	}
	if (replies.away() || faults.away()) && e.messageID == "" {
		return route{}, route{}, addressingFault(headerRequired, "", "MessageID", "wsa:MessageID is missing, and the answer could not be told apart from others without it")
	}
	return replies, faults, nil
}

func (a *Async) route(header string, e endpoint) (route, *Fault) {
	switch {
	case e.address == "" || e.address == Anonymous:
		return route{}, nil
	case e.address == None:
		return route{none: true}, nil
	case a == nil:
		return route{}, addressingFault(headerInvalid, onlyAnonymous, header, "wsa:"+header+" is not "+Anonymous+": answers are sent on the connection of the request only")
	case e.parameters:
		return route{}, addressingFault(headerInvalid, "InvalidEPR", header, "wsa:"+header+" has reference parameters, which are not sent back: put what tells answers apart into the address")
	}
	target, listed, err := a.targets.find(e.address)
	if err != nil {
		f := addressingFault(headerInvalid, invalidAddress, header, "wsa:"+header+" is not an address that this endpoint sends answers to")
		f.Err = err
		return route{}, f
	}
	client := a.public
	if listed >= 0 {
		client = a.listed[listed]
	}
	return route{address: e.address, target: target, client: client}, nil
}
