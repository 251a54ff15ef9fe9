package soap

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"collimate/soap/mtom"
	"collimate/xmlsec"
)

// arrival is a message that came to a receiver.
type arrival struct {
	header      http.Header
	doc         *xmlsec.Document
	attachments []string
}

func (a arrival) text(header string) string {
	h, _ := a.doc.Root().Child(NSEnvelope, "Header")
	n, _ := h.Child(NSAddressing, header)
	s, _ := n.Text()
	return s
}

// receiver takes answers. status is what it says to each in turn, 202 when it is used up.
func receiver(t *testing.T, status ...int) (*httptest.Server, chan arrival) {
	t.Helper()
	arrivals := make(chan arrival, 10)
	var mu sync.Mutex
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		code := http.StatusAccepted
		if len(status) > 0 {
			code, status = status[0], status[1:]
		}
		mu.Unlock()
		if code != http.StatusAccepted {
			w.Header().Set("Location", "/elsewhere")
			w.WriteHeader(code) // without having read the body
			return
		}
		a := arrival{header: r.Header}
		var root io.Reader = r.Body
		var parts *mtom.Reader
		if ct := r.Header.Get("Content-Type"); strings.HasPrefix(ct, "multipart/") {
			var err error
			if parts, err = mtom.NewReader(r.Body, ct, mtom.DefaultLimits); err != nil {
				t.Error(err)
				return
			}
			if root, err = parts.Next(); err != nil {
				t.Error(err)
				return
			}
		}
		b, err := io.ReadAll(root)
		if err != nil {
			t.Error(err)
		}
		if a.doc, err = xmlsec.Parse(b, xmlsec.DefaultLimits); err != nil {
			t.Error(err)
			return
		}
		for parts != nil {
			p, err := parts.Next()
			if err == io.EOF {
				break
			}
			if err != nil {
				return // torn
			}
			b, err := io.ReadAll(p)
			if err != nil {
				return
			}
			a.attachments = append(a.attachments, string(b))
		}
		w.WriteHeader(code)
		arrivals <- a
	}))
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, 0)
	server.Start()
	t.Cleanup(server.Close)
	return server, arrivals
}

// knowing answers as operations does, and knows who asks unless the payload is "stranger".
func knowing(parts func() ([]mtom.Part, Parts)) []Operation {
	all := operations(parts)
	for i := range all {
		handle := all[i].Handle
		all[i].Handle = func(ctx context.Context, r *Request) (*Response, error) {
			if what, _ := r.Payload.Text(); !strings.Contains(what, "stranger") {
				r.SetAuthenticated()
			}
			return handle(ctx, r)
		}
	}
	return all
}

func newAsync(t *testing.T, c AsyncConfig) *Async {
	t.Helper()
	if c.Backoff == 0 {
		c.Backoff = time.Millisecond
	}
	a, err := NewAsync(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return a
}

func to(header, address string) string {
	return `<a:` + header + `><a:Address>` + address + `</a:Address></a:` + header + `>`
}

// raw posts a request and returns the answer as it is.
func raw(h http.Handler, contentType, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
	r.Header.Set("Content-Type", contentType)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestAsync(t *testing.T) {
	server, arrivals := receiver(t)
	s := &Server{Operations: knowing(nil), Async: newAsync(t, AsyncConfig{Listed: []Inbox{{URL: server.URL + "/"}}})}
	address := server.URL + "/replies?id=1"
	w := raw(s, typeSimple, envelopeWith(simpleAction+to("ReplyTo", server.URL+"/replies"), ask))
	if w.Code != http.StatusAccepted || w.Body.Len() > 0 {
		t.Errorf("the request is answered with HTTP %d %s", w.Code, w.Body)
	}
	a := <-arrivals
	if a.text("To") != server.URL+"/replies" || a.text("RelatesTo") != "urn:uuid:1" || a.text("Action") != actionSimple+"Response" || !strings.HasPrefix(a.text("MessageID"), "urn:uuid:") || a.text("MessageID") == "urn:uuid:1" {
		t.Errorf("the answer is %s", a.doc.Bytes())
	}
	// A query is part of an address, and this one is not listed.
	if w := raw(s, typeSimple, envelopeWith(simpleAction+to("ReplyTo", address), ask)); w.Code != http.StatusBadRequest {
		t.Errorf("with a query: HTTP %d", w.Code)
	}
}

func TestAsyncAttachments(t *testing.T) {
	server, arrivals := receiver(t)
	var closed bool
	document := strings.Repeat("0123456789", 300_000)
	s := &Server{Async: newAsync(t, AsyncConfig{Listed: []Inbox{{URL: server.URL}}}), Operations: knowing(func() ([]mtom.Part, Parts) {
		return []mtom.Part{{ContentID: "a", ContentType: "x/y", Size: int64(len(document))}}, &oneByOne{order: []int{0}, err: io.EOF, closed: &closed, bodies: []io.WriterTo{strings.NewReader(document)}}
	})}
	header := `<a:Action>` + actionMTOM + `</a:Action><a:MessageID>m</a:MessageID>` + to("ReplyTo", server.URL)
	if w := raw(s, mtomType, multipart(envelopeWith(header, ask))); w.Code != http.StatusAccepted {
		t.Fatalf("HTTP %d %s", w.Code, w.Body)
	}
	a := <-arrivals
	if len(a.attachments) != 1 || a.attachments[0] != document || a.header.Get("Content-Length") == "" {
		t.Errorf("%d attachments, header %v", len(a.attachments), a.header)
	}
	if err := s.Async.Shutdown(t.Context()); err != nil || !closed {
		t.Errorf("shutdown: %v, attachments closed %t", err, closed)
	}
}

// Where answers and faults go, by what the request says. "back" is the connection of the request.
func TestAsyncRoutes(t *testing.T) {
	server, arrivals := receiver(t)
	here := server.URL + "/"
	tests := []struct {
		name, header, payload string
		status                int
		arrives               string // Action of what comes to the receiver
		subcode               string
	}{
		{"nothing said", "", ask, 200, "", ""},
		{"anonymous", to("ReplyTo", Anonymous) + to("FaultTo", Anonymous), ask, 200, "", ""},
		{"away", to("ReplyTo", here), ask, 202, actionSimple + "Response", ""},
		{"nobody", to("ReplyTo", None), ask, 202, "", ""},
		{"nobody, but a fault", to("ReplyTo", None), "<t>fault</t>", 400, "", "FailedCheck"},
		{"fault away", to("FaultTo", here), "<t>fault</t>", 202, actionFault, ""},
		{"fault away, answer here", to("FaultTo", here), ask, 200, "", ""},
		{"fault follows the answer", to("ReplyTo", here), "<t>fault</t>", 202, actionFault, ""},
		{"fault stays here", to("ReplyTo", here) + to("FaultTo", Anonymous), "<t>fault</t>", 400, "", "FailedCheck"},
		{"answer of a stranger", to("ReplyTo", here), "<t>stranger</t>", 400, "", "OnlyAnonymousAddressSupported"},
		{"not listed", to("ReplyTo", "https://127.0.0.1/"), ask, 400, "", "InvalidAddress"},
		{"fault to an address that is not listed", to("FaultTo", "https://127.0.0.1/"), ask, 400, "", "InvalidAddress"},
		{"reference parameters", `<a:ReplyTo><a:Address>` + here + `</a:Address><a:ReferenceParameters><x/></a:ReferenceParameters></a:ReplyTo>`, ask, 400, "", "InvalidEPR"},
	}
	s := &Server{Operations: knowing(nil), Async: newAsync(t, AsyncConfig{Listed: []Inbox{{URL: here}}})}
	for _, test := range tests {
		w := raw(s, typeSimple, envelopeWith(simpleAction+test.header, test.payload))
		if w.Code != test.status || !strings.Contains(w.Body.String(), test.subcode) {
			t.Errorf("%s: HTTP %d %s", test.name, w.Code, w.Body)
		}
		if test.arrives == "" {
			continue
		}
		if a := <-arrivals; a.text("Action") != test.arrives || a.text("RelatesTo") != "urn:uuid:1" {
			t.Errorf("%s: got %s", test.name, a.doc.Bytes())
		}
	}
	if len(arrivals) > 0 {
		t.Errorf("%d messages came that should not have", len(arrivals))
	}
	// A fault of a stranger is told to the stranger, not to an address of his choice.
	stranger := &Server{Operations: operations(nil), Async: s.Async}
	if w := raw(stranger, typeSimple, envelopeWith(simpleAction+to("ReplyTo", here), "<t>fault</t>")); w.Code != http.StatusBadRequest || !strings.Contains(w.Body.String(), "FailedCheck") {
		t.Errorf("fault of a stranger: HTTP %d %s", w.Code, w.Body)
	}
	header := `<a:Action>` + actionSimple + `</a:Action>` + to("ReplyTo", here)
	if w := raw(s, typeSimple, envelopeWith(header, ask)); w.Code != http.StatusBadRequest || !strings.Contains(w.Body.String(), headerRequired) {
		t.Errorf("without MessageID: HTTP %d %s", w.Code, w.Body)
	}
}

// What is tried again, and how often.
func TestAsyncRetry(t *testing.T) {
	document := strings.Repeat("x", 3<<20)
	tests := []struct {
		name    string
		status  []int
		arrives bool
		left    int // attempts that were not needed
	}{
		{"at once", nil, true, 0},
		{"third attempt", []int{503, 500}, true, 0},
		{"three failures", []int{503, 500, 429, 202}, false, 1},
		{"refused", []int{400, 202}, false, 1},
		{"redirected", []int{307, 202}, false, 1},
	}
	for _, mtomAnswer := range []bool{false, true} {
		for _, test := range tests {
			var log bytes.Buffer
			var calls atomic.Int32
			server, arrivals := receiver(t, test.status...)
			inner := server.Config.Handler
			server.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { calls.Add(1); inner.ServeHTTP(w, r) })
			a := newAsync(t, AsyncConfig{Listed: []Inbox{{URL: server.URL}}, Logger: slog.New(slog.NewTextHandler(&log, nil))})
			s := &Server{Async: a, Operations: knowing(func() ([]mtom.Part, Parts) {
				return []mtom.Part{{ContentID: "a", ContentType: "x/y", Size: int64(len(document))}}, &oneByOne{order: []int{0}, err: io.EOF, closed: new(bool), bodies: []io.WriterTo{strings.NewReader(document)}}
			})}
			action, contentType, pack := actionSimple, typeSimple, func(e string) string { return e }
			if mtomAnswer {
				action, contentType, pack = actionMTOM, mtomType, func(e string) string { return multipart(e) }
			} else {
				s.Operations = knowing(nil)
			}
			header := `<a:Action>` + action + `</a:Action><a:MessageID>m</a:MessageID>` + to("ReplyTo", server.URL)
			if w := raw(s, contentType, pack(envelopeWith(header, ask))); w.Code != http.StatusAccepted {
				t.Fatalf("HTTP %d %s", w.Code, w.Body)
			}
			if err := a.Shutdown(t.Context()); err != nil {
				t.Fatal(err)
			}
			if (len(arrivals) == 1) != test.arrives || (log.Len() == 0) != test.arrives {
				t.Errorf("mtom %t, %s: %d arrived, log %s", mtomAnswer, test.name, len(arrivals), log.String())
			}
			want := len(test.status) - test.left
			if test.arrives {
				want++
			}
			if got := int(calls.Load()); got != want {
				t.Errorf("mtom %t, %s: %d attempts, want %d", mtomAnswer, test.name, got, want)
			}
		}
	}
}

// Once attachments have been taken there is no second attempt: they are streams, and the first part of one is
// gone.
func TestAsyncNoRetryOfStreams(t *testing.T) {
	var calls atomic.Int32
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		calls.Add(1)
		io.CopyN(io.Discard, r.Body, 1<<20)
		panic(http.ErrAbortHandler)
	}))
	server.Start()
	defer server.Close()
	var closed bool
	a := newAsync(t, AsyncConfig{Listed: []Inbox{{URL: server.URL}}})
	s := &Server{Async: a, Operations: knowing(func() ([]mtom.Part, Parts) {
		size := int64(64 << 20) // more than the buffers between here and there
		return []mtom.Part{{ContentID: "a", ContentType: "x/y", Size: size}}, &oneByOne{order: []int{0}, err: io.EOF, closed: &closed, bodies: []io.WriterTo{
			writerTo(func(w io.Writer) (int64, error) { return io.Copy(w, &endless{size}) }),
		}}
	})}
	header := `<a:Action>` + actionMTOM + `</a:Action><a:MessageID>m</a:MessageID>` + to("ReplyTo", server.URL)
	if w := raw(s, mtomType, multipart(envelopeWith(header, ask))); w.Code != http.StatusAccepted {
		t.Fatalf("HTTP %d %s", w.Code, w.Body)
	}
	if err := a.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	if calls.Load() != 1 || !closed {
		t.Errorf("%d attempts, attachments closed %t", calls.Load(), closed)
	}
}

// Answers are signed, with all that is about where they go.
func TestAsyncSigned(t *testing.T) {
	server, arrivals := receiver(t)
	var sign signer
	a := newAsync(t, AsyncConfig{Listed: []Inbox{{URL: server.URL}}, Signer: &sign})
	raw(&Server{Operations: knowing(nil), Async: a}, typeSimple, envelopeWith(simpleAction+to("ReplyTo", server.URL), ask))
	<-arrivals
	if got, want := strings.Join(sign.ids, " "), "id-action id-messageid id-relatesto id-to id-body"; got != want {
		t.Errorf("ids %s, want %s", got, want)
	}
}

// A receiver over TLS has to be who it should be.
func TestAsyncTLS(t *testing.T) {
	plain, arrivals := receiver(t)
	server := httptest.NewUnstartedServer(plain.Config.Handler)
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, 0)
	server.StartTLS()
	defer server.Close()
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	right, wrong := &tls.Config{RootCAs: roots}, &tls.Config{RootCAs: x509.NewCertPool()}
	in, other := server.URL+"/in", server.URL+"/other"
	for _, test := range []struct {
		name   string
		shared *tls.Config
		listed []Inbox
		ok     bool
	}{
		{"checked by the system", nil, []Inbox{{URL: in}}, false},
		{"checked as all are", right, []Inbox{{URL: in}}, true},
		{"checked for itself", wrong, []Inbox{{URL: in, TLS: right}}, true},
		{"checked for itself only", right, []Inbox{{URL: in, TLS: wrong}}, false},
		{"checked as its neighbour is not", nil, []Inbox{{URL: other, TLS: wrong}, {URL: in, TLS: right}}, true},
		{"not checked as its neighbour is", nil, []Inbox{{URL: other, TLS: right}, {URL: in, TLS: wrong}}, false},
	} {
		var log bytes.Buffer
		a := newAsync(t, AsyncConfig{Listed: test.listed, TLS: test.shared, Attempts: 1, Logger: slog.New(slog.NewTextHandler(&log, nil))})
		raw(&Server{Operations: knowing(nil), Async: a}, typeSimple, envelopeWith(simpleAction+to("ReplyTo", in), ask))
		if err := a.Shutdown(t.Context()); err != nil {
			t.Fatal(err)
		}
		arrived := len(arrivals) == 1
		if arrived != test.ok || (log.Len() == 0) != test.ok {
			t.Errorf("%s: arrived %t, log %s", test.name, arrived, log.String())
		}
		if arrived {
			<-arrivals
		}
	}
}

// There is room for so many answers and no more; the rest are asked to come back. Shutdown waits for what has
// been taken, for as long as it may, and takes nothing more.
func TestAsyncBounds(t *testing.T) {
	arrived, release := make(chan struct{}, 10), make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		arrived <- struct{}{}
		<-release
	}))
	defer server.Close()
	a := newAsync(t, AsyncConfig{Listed: []Inbox{{URL: server.URL}}, Queue: 2, Workers: 1})
	s := &Server{Operations: knowing(nil), Async: a}
	request := envelopeWith(simpleAction+to("ReplyTo", server.URL), ask)
	for i := range 4 {
		w := raw(s, typeSimple, request)
		if i == 0 {
			<-arrived // one is under way, two may wait
		}
		if i < 3 && w.Code != http.StatusAccepted {
			t.Errorf("answer %d: HTTP %d %s", i+1, w.Code, w.Body)
		}
		if i == 3 && (w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "") {
			t.Errorf("answer %d: HTTP %d %s", i+1, w.Code, w.Body)
		}
	}
	done := make(chan error)
	go func() { done <- a.Shutdown(context.Background()) }()
	close(release)
	if err := <-done; err != nil {
		t.Error(err)
	}
	if len(arrived) != 2 {
		t.Errorf("%d more answers were sent, want 2", len(arrived))
	}
	if w := raw(s, typeSimple, request); w.Code != http.StatusServiceUnavailable {
		t.Errorf("after the shutdown: HTTP %d", w.Code)
	}
}

func TestAsyncShutdownCuts(t *testing.T) {
	arrived := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		close(arrived)
		<-r.Context().Done()
	}))
	defer server.Close()
	a, err := NewAsync(AsyncConfig{Listed: []Inbox{{URL: server.URL}}})
	if err != nil {
		t.Fatal(err)
	}
	raw(&Server{Operations: knowing(nil), Async: a}, typeSimple, envelopeWith(simpleAction+to("ReplyTo", server.URL), ask))
	<-arrived
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := a.Shutdown(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

// The context of an operation outlives the request if its answer does, and ends with the delivery.
func TestAsyncContext(t *testing.T) {
	server, arrivals := receiver(t)
	var ctx context.Context
	s := &Server{Async: newAsync(t, AsyncConfig{Listed: []Inbox{{URL: server.URL}}}), Operations: []Operation{{
		ID: "TEST-3", Action: actionSimple, Handle: func(c context.Context, r *Request) (*Response, error) {
			ctx = c
			r.SetAuthenticated()
			return &Response{Action: "urn:x", Payload: []byte(ask)}, nil
		},
	}}}
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(envelopeWith(simpleAction+to("ReplyTo", server.URL), ask)))
	gone, cancel := context.WithCancel(t.Context())
	r.Header.Set("Content-Type", typeSimple)
	s.ServeHTTP(httptest.NewRecorder(), r.WithContext(gone))
	cancel()
	<-arrivals
	<-ctx.Done()
}
