package soap

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
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
}

// exchange is one request and its answer.
type exchange struct {
	*Server
	w      http.ResponseWriter
	r      *http.Request
	limits Limits

	isMTOM    bool   // packaging of the request, and so of the answer
	messageID string // of the request, once it is known
	operation string // ID of the operation, once it is known
}

// ServeHTTP implements http.Handler. A failure after the first byte of an answer aborts the connection by
// panicking with http.ErrAbortHandler, as net/http asks.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.Method == http.MethodPost:
		x := &exchange{Server: s, w: w, r: r, limits: s.Limits.withDefaults()}
		x.serve()
	case s.Contract != nil && (r.Method == http.MethodGet || r.Method == http.MethodHead):
		s.Contract.ServeHTTP(w, r)
	default:
		w.Header().Set("Allow", http.MethodPost)
		http.Error(w, "this is a SOAP 1.2 endpoint: use POST", http.StatusMethodNotAllowed)
	}
}

func (x *exchange) serve() {
	operation, request, fault := x.read()
	if fault != nil {
		x.refuse(fault)
		return
	}
	response, err := operation.Handle(x.r.Context(), request)
	if err == nil && response == nil {
		err = errors.New("the operation has no answer")
	}
	if err != nil {
		fault := &Fault{Code: Receiver, Reason: "the request could not be processed", Err: err}
		errors.As(err, &fault)
		x.refuse(fault)
		return
	}
	if response.Parts != nil {
		defer response.Parts.Close()
	}
	if response.Cause != nil {
		x.log(slog.LevelWarn, "soap request refused by its operation", slog.Any("err", response.Cause))
	}
	x.answer(operation, response)
}

// read takes a request in, up to the operation that is to answer it.
func (x *exchange) read() (*Operation, *Request, *Fault) {
	control := http.NewResponseController(x.w)
	// A writer that knows no deadlines, as in tests, has none.
	_ = control.SetReadDeadline(time.Now().Add(x.limits.ReadTimeout))
	body := http.MaxBytesReader(x.w, x.r.Body, x.limits.RequestBytes)
	doc, isMTOM, err := readPackage(body, x.r.Header, x.limits)
	_ = control.SetReadDeadline(time.Time{})
	if err != nil {
		return nil, nil, packageFault(err)
	}
	x.isMTOM = isMTOM
	e, fault := parseEnvelope(doc)
	x.messageID = e.messageID
	if fault != nil {
		return nil, nil, fault
	}
	operation := x.find(e.action)
	if operation == nil {
		return nil, nil, addressingFault("ActionNotSupported", "this endpoint has no operation for the wsa:Action of the request")
	}
	x.operation = operation.ID
	if fault := e.understood(); fault != nil {
		return nil, nil, fault
	}
	if e.reply != "" && e.reply != Anonymous {
		return nil, nil, addressingFault("OnlyAnonymousAddressSupported", "wsa:ReplyTo is not "+Anonymous+": answers are sent on the connection of the request only")
	}
	// ITI TF-2: V.8.1
	switch {
	case operation.MTOM && !isMTOM:
		return nil, nil, senderFault("the transaction "+operation.ID+" uses MTOM: send multipart/related with type application/xop+xml, not simple SOAP", nil)
	case !operation.MTOM && isMTOM:
		return nil, nil, senderFault("the transaction "+operation.ID+" uses simple SOAP: send application/soap+xml, not MTOM", nil)
	}
	return operation, &Request{
		Action: e.action, MessageID: e.messageID, To: e.to,
		Doc: doc, Header: e.header, Body: e.body, Payload: e.payload,
		MTOM: isMTOM, TLS: x.r.TLS, RemoteAddr: x.r.RemoteAddr,
	}, nil
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
