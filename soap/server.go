package soap

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"time"

	"collimate/xmlsec"
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
	// Gates are those that are shared with other Servers; nil gives this one its own, as Limits says.
	Gates *Gates
	// Trusted reports, before anything of a request is read, whether a peer may send Limits.TrustedBytes. Nil: nobody may.
	Trusted func(*tls.ConnectionState) bool
	// Async sends answers to the addresses that requests name in wsa:ReplyTo and wsa:FaultTo. Nil sends them
	// on the connection of the request only, and refuses requests that ask for anything else.
	Async *Async

	start  sync.Once
	limits Limits
	gates  *Gates
}

// exchange is one request and its answer.
type exchange struct {
	*Server
	w      http.ResponseWriter
	r      *http.Request
	limits Limits // for this peer

	isMTOM         bool   // packaging of the request, and so of the answer
	messageID      string // of the request, once it is known
	operation      string // ID of the operation, once it is known
	replies, fault route  // where the answer goes, or a fault

	parsing int64 // what has been taken of the gate for parse trees

	body  *heldReader
	left  *Attachments // those that the operation was handed as a stream
	known bool         // the operation has authenticated the sender
}

// ServeHTTP implements http.Handler. A failure after the first byte of an answer aborts the connection by
// panicking with http.ErrAbortHandler, as net/http asks.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.Method == http.MethodPost:
		s.start.Do(func() {
			s.limits = s.Limits.withDefaults()
			if s.gates = s.Gates; s.gates == nil {
				s.gates = NewGates(s.limits)
			}
		})
		x := &exchange{Server: s, w: w, r: r, limits: s.limits}
		if s.Trusted != nil && s.Trusted(r.TLS) {
			x.limits.RequestBytes = max(x.limits.RequestBytes, x.limits.TrustedBytes)
		}
		x.serve()
	case s.Contract != nil && (r.Method == http.MethodGet || r.Method == http.MethodHead):
		s.Contract.ServeHTTP(w, r)
	default:
		w.Header().Set("Allow", http.MethodPost)
		http.Error(w, "this is a SOAP 1.2 endpoint: use POST", http.StatusMethodNotAllowed)
	}
}

func (x *exchange) serve() {
	n, err := x.gates.exchanges.enter(x.r.Context(), 1, x.limits.BusyTimeout)
	if err != nil {
		x.refuse(busyFault(retryAfter))
		return
	}
	defer x.gates.exchanges.leave(n)
	operation, response, fault := x.decide()
	if response != nil && response.Parts != nil {
		defer func() {
			if response != nil {
				response.Parts.Close()
			}
		}()
	}
	x.hearOut(fault != nil)
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
// done, before anything else is read and before the first byte of the answer. x.fault says where a fault goes.
func (x *exchange) decide() (*Operation, *Response, *Fault) {
	x.body = x.newBody()
	defer x.body.release()
	defer func() { x.gates.parsed.leave(x.parsing) }()
	operation, request, route, fault := x.read(x.body)
	if fault != nil {
		return nil, nil, fault
	}
	ctx := x.r.Context()
	if x.replies.away() {
		ctx, x.replies.cancel = x.Async.detach(ctx)
	}
	response, err := operation.Handle(ctx, request)
	x.left, x.known = request.Attachments, request.authenticated
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

// hearOut reads what the operation has left of a stream: a peer that is still sending does not hear the answer. Who is
// refused, or is a stranger, is listened to for a moment only, and loses the connection.
func (x *exchange) hearOut(refused bool) {
	switch {
	case x.left == nil:
		return
	case x.known && !refused:
		_ = x.left.rest()
		return
	}
	control := http.NewResponseController(x.w)
	_ = control.SetReadDeadline(time.Now().Add(min(refusedTimeout, x.body.pace.left))) // for net/http, too, which reads a little more
	if _, err := io.CopyN(io.Discard, x.body.Reader, refusedBytes); err == io.EOF {
		_ = control.SetReadDeadline(time.Time{})
		return
	}
	x.w.Header().Set("Connection", "close")
}

// newBody is the body of the request, within the limits.
func (x *exchange) newBody() *heldReader {
	hold := x.limits.RequestBytes
	limit := hold
	if x.streams() {
		hold += maxHeldAttachments + maxReadAhead
		limit = max(hold, x.limits.StreamBytes)
	}
	return &heldReader{Reader: http.MaxBytesReader(x.w, x.r.Body, limit), gates: x.gates, host: hostOf(x.r.RemoteAddr), limit: hold}
}

// read takes a request in, up to the operation that is to answer it. faults is where a fault of it goes.
func (x *exchange) read(body *heldReader) (o *Operation, r *Request, faults route, f *Fault) {
	control := http.NewResponseController(x.w)
	// A writer that knows no deadlines, as in tests, has none.
	_ = control.SetReadDeadline(time.Now().Add(x.limits.ReadTimeout))
	p := parser{limits: x.limits, admit: x.admit}
	if x.streams() {
		p.streams = x.takesStream
	}
	pack, err := p.readPackage(body, x.r.Header)
	switch {
	case err != nil:
	case pack.left != nil:
		// net/http takes the last deadline away when all has come.
		body.pace = newPace(x.limits.ReadTimeout, control.SetReadDeadline)
	default: // what follows the package, too: net/http would wait for it without a deadline
		_, err = io.Copy(io.Discard, body)
	}
	if err != nil {
		return nil, nil, route{}, packageFault(err) // the deadline stays, for net/http's own reading of the rest
	}
	if pack.left == nil {
		_ = control.SetReadDeadline(time.Time{})
	}
	x.isMTOM = pack.isMTOM
	e, fault := parseEnvelope(pack.doc)
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
	case operation.MTOM && !x.isMTOM:
		return nil, nil, route{}, senderFault("the transaction "+operation.ID+" uses MTOM: send multipart/related with type application/xop+xml, not simple SOAP", nil)
	case !operation.MTOM && x.isMTOM:
		return nil, nil, route{}, senderFault("the transaction "+operation.ID+" uses simple SOAP: send application/soap+xml, not MTOM", nil)
	}
	if x.replies, faults, fault = x.Async.routes(&e); fault != nil {
		return nil, nil, route{}, fault
	}
	return operation, &Request{
		Action: e.action, MessageID: e.messageID, To: e.to,
		Doc: pack.doc, Header: e.header, Body: e.body, Payload: e.payload, Attachments: pack.left,
		MTOM: x.isMTOM, TLS: x.r.TLS, ReplyTo: x.replies.address, RemoteAddr: x.r.RemoteAddr,
	}, faults, nil
}

// admit waits until there is room for a parse tree.
func (x *exchange) admit(bytes int64) error {
	n, err := x.gates.parsed.enter(x.r.Context(), bytes, x.limits.BusyTimeout)
	x.parsing += n
	return err
}

// streams reports whether any operation takes a stream, and takesStream whether that of an envelope does.
func (s *Server) streams() bool {
	return slices.ContainsFunc(s.Operations, func(o Operation) bool { return o.Streams })
}

func (s *Server) takesStream(doc *xmlsec.Document) bool {
	e, fault := parseEnvelope(doc)
	o := s.find(e.action)
	return fault == nil && o != nil && o.Streams
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
