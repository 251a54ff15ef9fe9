package soap

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"time"
)

// Server answers SOAP requests over HTTP by a table of operations. It is an http.Handler for one endpoint.
// Its fields must not be changed once it serves.
type Server struct {
	// Operations is the dispatch table; Action is the key.
	Operations []Operation
	// Contract answers GET requests, such as ?wsdl; nil refuses them.
	Contract http.Handler
	// Logger gets one record for each request that is refused or torn; nil discards them. What is logged is
	// codes, reasons and causes, never parts of a message.
	Logger *slog.Logger
	// Limits bounds what is taken in; zero fields have useful values.
	Limits Limits
	// Async sends answers to the addresses that requests name in wsa:ReplyTo and wsa:FaultTo. Nil sends them
	// on the connection of the request only, and refuses requests that ask for anything else.
	Async *Async

	start                   sync.Once
	limits                  Limits
	exchanges, held, parsed *gate
}

// exchange is one request and its answer.
type exchange struct {
	*Server
	w http.ResponseWriter
	r *http.Request

	isMTOM         bool   // packaging of the request, and so of the answer
	messageID      string // of the request, once it is known
	operation      string // ID of the operation, once it is known
	replies, fault route  // where the answer goes, or a fault

	parsing int64 // what has been taken of the gate for parse trees
}

// ServeHTTP implements http.Handler. A failure after the first byte of an answer aborts the connection by
// panicking with http.ErrAbortHandler, as net/http asks.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.Method == http.MethodPost:
		s.start.Do(func() {
			s.limits = s.Limits.withDefaults()
			s.exchanges, s.held, s.parsed = newGate(int64(s.limits.Exchanges)), newGate(s.limits.HeldBytes), newGate(s.limits.ParsedBytes)
		})
		x := &exchange{Server: s, w: w, r: r}
		x.serve()
	case s.Contract != nil && (r.Method == http.MethodGet || r.Method == http.MethodHead):
		s.Contract.ServeHTTP(w, r)
	default:
		w.Header().Set("Allow", http.MethodPost)
		http.Error(w, "this is a SOAP 1.2 endpoint: use POST", http.StatusMethodNotAllowed)
	}
}

func (x *exchange) serve() {
	n, err := x.exchanges.enter(x.r.Context(), 1, x.limits.BusyTimeout)
	if err != nil {
		x.refuse(busyFault(retryAfter))
		return
	}
	defer x.exchanges.leave(n)
	operation, response, fault := x.decide()
	if response != nil && response.Parts != nil {
		defer func() {
			if response != nil {
				response.Parts.Close()
			}
		}()
	}
	switch {
	case fault != nil && x.fault.away():
		if refused := x.post(x.faultEnvelope(fault), nil, x.fault); refused != nil {
			x.refuse(fault)
			return
		}
		x.logFault(fault)
		x.accept()
	case fault != nil:
		x.refuse(fault)
	case x.replies.none:
		x.accept()
	case x.replies.away():
		if refused := x.post(x.answerEnvelope(operation, response), response, x.replies); refused != nil {
			x.refuse(refused)
			return
		}
		response = nil // the delivery closes it
		x.accept()
	default:
		x.send(http.StatusOK, x.answerEnvelope(operation, response), response)
	}
}

// decide takes a request in and has its operation answer it. Its bytes and its tree are given up when that is
// done, before the first byte of the answer. x.fault says where a fault goes.
func (x *exchange) decide() (*Operation, *Response, *Fault) {
	body := &heldReader{Reader: http.MaxBytesReader(x.w, x.r.Body, x.limits.RequestBytes), gate: x.held}
	defer func() { x.held.leave(body.held) }()
	defer func() { x.parsed.leave(x.parsing) }()
	operation, request, route, fault := x.read(body)
	if fault != nil {
		return nil, nil, fault
	}
	ctx := x.r.Context()
	if x.replies.away() {
		ctx, x.replies.cancel = x.Async.detach(ctx)
	}
	response, err := operation.Handle(ctx, request)
	if err == nil && response == nil {
		err = errors.New("the operation has no answer")
	}
	if request.authenticated {
		x.fault = route
	}
	switch {
	case err != nil:
		fault = &Fault{Code: Receiver, Reason: "the request could not be processed", Err: err}
		errors.As(err, &fault)
	case x.replies.away() && !request.authenticated:
		fault = addressingFault(headerInvalid, onlyAnonymous, "ReplyTo", "answers are sent to another address than "+Anonymous+" for authenticated senders only")
	case !x.isMTOM && len(response.Attachments) > 0:
		fault = &Fault{Code: Receiver, Reason: "the request could not be processed", Err: errors.New("an answer in simple SOAP has attachments")}
	}
	if fault != nil && x.replies.cancel != nil {
		x.replies.cancel()
	}
	if response != nil && response.Cause != nil {
		x.log(slog.LevelWarn, "soap request refused by its operation", slog.Any("err", response.Cause))
	}
	return operation, response, fault
}

// read takes a request in, up to the operation that is to answer it. faults is where a fault of it goes.
func (x *exchange) read(body io.Reader) (o *Operation, r *Request, faults route, f *Fault) {
	control := http.NewResponseController(x.w)
	// A writer that knows no deadlines, as in tests, has none.
	_ = control.SetReadDeadline(time.Now().Add(x.limits.ReadTimeout))
	doc, isMTOM, err := parser{x.limits, x.admit}.readPackage(body, x.r.Header)
	if err == nil { // what follows the package, too: net/http would wait for it without a deadline
		_, err = io.Copy(io.Discard, body)
	}
	if err != nil {
		return nil, nil, route{}, packageFault(err) // the deadline stays, for net/http's own reading of the rest
	}
	_ = control.SetReadDeadline(time.Time{})
	x.isMTOM = isMTOM
	e, fault := parseEnvelope(doc)
	x.messageID = e.messageID
	if fault != nil {
		fault.old = fault.old && !speaks12(x.r.Header)
		return nil, nil, route{}, fault
	}
	operation := x.find(e.action)
	if operation == nil {
		return nil, nil, route{}, unknownAction(e.action)
	}
	x.operation = operation.ID
	// ITI TF-2: V.8.1
	switch {
	case operation.MTOM && !isMTOM:
		return nil, nil, route{}, senderFault("the transaction "+operation.ID+" uses MTOM: send multipart/related with type application/xop+xml, not simple SOAP", nil)
	case !operation.MTOM && isMTOM:
		return nil, nil, route{}, senderFault("the transaction "+operation.ID+" uses simple SOAP: send application/soap+xml, not MTOM", nil)
	}
	if x.replies, faults, fault = x.Async.routes(&e); fault != nil {
		return nil, nil, route{}, fault
	}
	return operation, &Request{
		Action: e.action, MessageID: e.messageID, To: e.to,
		Doc: doc, Header: e.header, Body: e.body, Payload: e.payload,
		MTOM: isMTOM, TLS: x.r.TLS, ReplyTo: x.replies.address, RemoteAddr: x.r.RemoteAddr,
	}, faults, nil
}

// admit waits until there is room for a parse tree.
func (x *exchange) admit(bytes int64) error {
	n, err := x.parsed.enter(x.r.Context(), bytes, x.limits.BusyTimeout)
	x.parsing += n
	return err
}

func (s *Server) find(action string) *Operation {
	for i := range s.Operations {
		if s.Operations[i].Action == action {
			return &s.Operations[i]
		}
	}
	return nil
}

func (x *exchange) log(level slog.Level, message string, attrs ...slog.Attr) {
	if x.Logger == nil {
		return
	}
	attrs = append(attrs, slog.String("operation", x.operation), slog.String("remote", x.r.RemoteAddr))
	x.Logger.LogAttrs(context.WithoutCancel(x.r.Context()), level, message, attrs...)
}
