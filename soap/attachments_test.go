package soap

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"collimate/soap/mtom"
)

const (
	actionStream = "urn:test:Stream"
	streamAction = `<a:Action>` + actionStream + `</a:Action><a:MessageID>urn:uuid:1</a:MessageID>`
)

// large is a part that is not held.
var large = strings.Repeat("large", maxHeldAttachments/4)

// streaming returns a server with an operation that takes a stream, and those of operations.
func streaming(handle func(context.Context, *Request) (*Response, error)) *Server {
	return &Server{Operations: append(operations(nil), Operation{
		ID: "TEST-3", Action: actionStream, ResponseAction: actionStream + "Response", MTOM: true, Streams: true, Handle: handle,
	})}
}

// taking reads attachments and says what they were.
func taking(got *[]string) func(context.Context, *Request) (*Response, error) {
	return func(_ context.Context, r *Request) (*Response, error) {
		if r.Attachments == nil {
			*got = append(*got, "whole "+string(r.Doc.Bytes()))
			return &Response{Payload: []byte(ask)}, nil
		}
		*got = append(*got, string(r.Doc.Bytes()))
		for {
			id, content, err := r.Attachments.Next()
			if err == io.EOF {
				return &Response{Payload: []byte(ask)}, nil
			}
			if err != nil {
				return nil, fmt.Errorf("reading: %w", err)
			}
			b, err := io.ReadAll(content)
			if err != nil {
				return nil, fmt.Errorf("reading: %w", err)
			}
			*got = append(*got, fmt.Sprintf("%s: %.6s %d", id, b, len(b)))
		}
	}
}

func include(id string) string {
	return `<t><i:Include xmlns:i="` + NSInclude + `" href="cid:` + id + `"/></t>`
}

// Attachments that are too large to be held come as a stream: those before them, too, but for what the Header refers to.
func TestStreamedRequest(t *testing.T) {
	n := len(large)
	header := streamAction + include("0")
	inlined := strings.Replace(header, include("0"), "<t>QUJD</t>", 1)
	for _, test := range []struct {
		name, body string
		want       []string // the document, and the attachments; one sentence if it is a fault
	}{
		{"small ones are held", multipart(envelopeWith(streamAction, include("0")), "ABC"), []string{"whole " + envelopeWith(streamAction, "<t>QUJD</t>")}},
		{"a large one", multipart(envelopeWith(streamAction, include("0")), large), []string{envelopeWith(streamAction, include("0")), fmt.Sprintf("0: largel %d", n)}},
		{"among small ones", multipart(envelopeWith(streamAction, include("0")), "ABC", large, "DE"),
			[]string{envelopeWith(streamAction, include("0")), "0: ABC 3", fmt.Sprintf("1: largel %d", n), "2: DE 2"}},
		{"many that are large together", multipart(envelopeWith(streamAction, ask), large[:400_000], large[:400_000], large[:400_000]),
			[]string{envelopeWith(streamAction, ask), "0: largel 400000", "1: largel 400000", "2: largel 400000"}},
		{"as many as are held", multipart(envelopeWith(streamAction, include("0")), large[:maxHeldAttachments]), nil},
		{"one byte more", multipart(envelopeWith(streamAction, include("0")), large[:maxHeldAttachments+1]),
			[]string{envelopeWith(streamAction, include("0")), fmt.Sprintf("0: largel %d", maxHeldAttachments+1)}},
		{"a certificate in the Header", multipart(envelopeWith(header, include("1")), "ABC", large),
			[]string{envelopeWith(inlined, include("1")), fmt.Sprintf("1: largel %d", n)}},
		{"the root after an attachment", strings.Replace(strings.Replace(multipart("DE", envelopeWith(streamAction, include("x")), large), "<r>", "<x>", 1), "<0>", "<r>", 1),
			[]string{envelopeWith(streamAction, include("x")), "x: DE 2", fmt.Sprintf("1: largel %d", n)}},

		{"a certificate behind the stream", multipart(envelopeWith(strings.Replace(header, "cid:0", "cid:1", 1), ask), large, "ABC"), []string{"an xop:Include cannot be resolved"}},
		{"torn in the stream", strings.TrimSuffix(multipart(envelopeWith(streamAction, ask), large), "large\r\n--b--\r\n"), []string{"the request ends before its closing boundary"}},
		{"torn between attachments", strings.TrimSuffix(multipart(envelopeWith(streamAction, ask), large, "DE"), "\n\r\nDE\r\n--b--\r\n"), []string{"the request ends before its closing boundary"}},
		{"an attachment twice", strings.Replace(multipart(envelopeWith(streamAction, ask), large, "DE"), "<1>", "<0>", 1), []string{"the request is not well-formed MTOM"}},
		{"not for this operation", multipart(envelopeWith(`<a:Action>`+actionMTOM+`</a:Action>`, ask), large, large), []string{"the request has more than"}},
		{"one byte more than is held, not for this operation", multipart(envelopeWith(`<a:Action>`+actionMTOM+`</a:Action>`, ask), large[:maxHeldAttachments+1]), []string{"the request has more than"}},
		{"no operation", multipart(envelopeWith(`<a:Action>x</a:Action>`, ask), large, large), []string{"the request has more than"}},
		{"a large envelope", multipart(envelopeWith(streamAction, ask+strings.Repeat(" ", 3<<20))), []string{"the request has more than"}},
	} {
		var got []string
		w, doc := post(t, streaming(taking(&got)), mtomType, test.body)
		switch {
		case test.want == nil && w.Code == http.StatusOK && len(got) == 1 && strings.HasPrefix(got[0], "whole "):
		case len(test.want) == 1 && !strings.Contains(test.want[0], "<"):
			if s := string(doc.Bytes()); !strings.Contains(s, test.want[0]) || w.Code < 400 {
				t.Errorf("%s: HTTP %d, got %s, want %q", test.name, w.Code, s, test.want)
			}
		case w.Code != http.StatusOK || strings.Join(got, "\n") != strings.Join(test.want, "\n"):
			t.Errorf("%s: HTTP %d, got %.500q, want %.500q", test.name, w.Code, got, test.want)
		}
	}
}

// A signature over the Body holds if the attachments are held: it is over their base64. It does not if they are left, as
// nobody has looked at them; one over their Includes is about nothing, and is for the operation to mistrust.
func TestSignedStream(t *testing.T) {
	for _, left := range []bool{false, true} {
		s := newSealer(t)
		m := signedMessage(t, s)
		m.move("Document", "cid:document", "<document>")
		m.move("BinarySecurityToken", "cid:token", "<token>")
		if left {
			m.parts = append(m.parts, "Content-ID: <large>\r\n\r\n"+large)
		}
		var asked *Request
		var verified error
		server := &Server{Operations: []Operation{{Action: actionMTOM, MTOM: true, Streams: true, Handle: func(_ context.Context, r *Request) (*Response, error) {
			asked, verified = r, s.verify(r)
			return &Response{Payload: []byte(ask)}, nil
		}}}}
		w, _ := post(t, server, m.contentType, m.body())
		if w.Code != http.StatusOK || (asked.Attachments != nil) != left || (verified != nil) != left {
			t.Errorf("left in the stream: %t: HTTP %d, the signature: %v", left, w.Code, verified)
		}
	}
}

// What is streamed is bounded by itself, and not by what is held.
func TestStreamBytes(t *testing.T) {
	body := multipart(envelopeWith(streamAction, ask), strings.Repeat(large, 8))
	var got []string
	s := streaming(taking(&got))
	s.Limits = Limits{HeldBytes: 3 << 20}
	if w, doc := post(t, s, mtomType, body); w.Code != http.StatusOK {
		t.Errorf("HTTP %d: %s", w.Code, doc.Bytes())
	}
	if got := s.gates.held.taken + s.gates.parsed.taken; got != 0 {
		t.Errorf("%d bytes are still held", got)
	}
	s = streaming(taking(&got))
	s.Limits = Limits{StreamBytes: int64(len(body)) - 1}
	if w, doc := post(t, s, mtomType, body); w.Code != http.StatusRequestEntityTooLarge || !strings.Contains(string(doc.Bytes()), "the request has more than") {
		t.Errorf("HTTP %d: %s", w.Code, doc.Bytes())
	}
}

// counted counts what has been read.
type counted struct {
	io.Reader
	n int
}

func (c *counted) Read(b []byte) (int, error) {
	n, err := c.Reader.Read(b)
	c.n += n
	return n, err
}

// timed is a recorder with read deadlines.
type timed struct {
	*httptest.ResponseRecorder
	deadline time.Time
}

func (w *timed) SetReadDeadline(t time.Time) error {
	w.deadline = t
	return nil
}

// Somebody who is known and answered is heard out. Who is refused, or is a stranger, is heard for a moment, enough for
// one document, and then cut.
func TestRest(t *testing.T) {
	study := multipart(envelopeWith(streamAction, ask), strings.Repeat(large, 8), "DE")
	document := multipart(envelopeWith(streamAction, ask), large, large[:1000])
	for _, test := range []struct {
		name           string
		known, refused bool
		body           string
		whole          bool
	}{
		{"known and answered", true, false, study, true},
		{"known and refused", true, true, study, false},
		{"a stranger", false, false, study, false},
		{"a stranger, refused", false, true, study, false},
		{"known and refused, one document", true, true, document, true},
	} {
		s := streaming(func(_ context.Context, r *Request) (*Response, error) {
			if test.known {
				r.SetAuthenticated()
			}
			if test.refused {
				return nil, &Fault{Code: Sender, Reason: "no"}
			}
			return &Response{Payload: []byte(ask)}, nil
		})
		src := &counted{Reader: strings.NewReader(test.body)}
		r := httptest.NewRequest(http.MethodPost, "/", src)
		r.Header.Set("Content-Type", mtomType)
		w := &timed{ResponseRecorder: httptest.NewRecorder()}
		s.ServeHTTP(w, r)
		if refused := w.Code == http.StatusBadRequest; refused != test.refused {
			t.Errorf("%s: HTTP %d", test.name, w.Code)
		}
		if test.whole {
			if src.n != len(test.body) || w.Header().Get("Connection") != "" {
				t.Errorf("%s: %d bytes of %d were read, Connection %q", test.name, src.n, len(test.body), w.Header().Get("Connection"))
			}
			continue
		}
		if src.n > maxHeldAttachments+maxReadAhead+refusedBytes || w.Header().Get("Connection") != "close" {
			t.Errorf("%s: %d bytes of %d were read, Connection %q", test.name, src.n, len(test.body), w.Header().Get("Connection"))
		}
		if left := time.Until(w.deadline); left > refusedTimeout {
			t.Errorf("%s: net/http may read for %v", test.name, left)
		}
	}
}

// Each piece of a stream has its time, which the reader's own does not count against.
func TestPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const timeout = 30 * time.Second
		var deadline time.Time
		p := newPace(timeout, func(t time.Time) error { deadline = t; return nil })
		read := func(n int, takes time.Duration) {
			t.Helper()
			if got, err := p.read(slow{takes}, make([]byte, n)); got != n || err != nil {
				t.Fatalf("read %d, %v", got, err)
			}
		}
		read(1, 20*time.Second)
		time.Sleep(time.Hour) // the reader is busy
		read(1, 9*time.Second)
		read(1, 0)
		if left := time.Until(deadline); left != time.Second {
			t.Errorf("%v are left of a piece that has taken 29 s so far", left)
		}
		read(readPiece-3, 0)
		read(1, 0)
		if left := time.Until(deadline); left != timeout {
			t.Errorf("the next piece has %v", left)
		}
	})
}

// slow fills what it is given, in its time.
type slow struct{ takes time.Duration }

func (s slow) Read(b []byte) (int, error) {
	time.Sleep(s.takes)
	return len(b), nil
}

// A peer that goes silent in the middle of a stream is given up, and so is one that sends it drop by drop.
func TestStarvedStream(t *testing.T) {
	body := multipart(envelopeWith(streamAction, ask), strings.Repeat(large, 2))
	for name, drops := range map[string]bool{"silent": false, "drop by drop": true} {
		failed := make(chan error, 1)
		s := streaming(func(_ context.Context, r *Request) (*Response, error) {
			_, content, err := r.Attachments.Next()
			if err == nil {
				_, err = io.Copy(io.Discard, content)
			}
			failed <- err
			return nil, err
		})
		s.Limits = Limits{ReadTimeout: 500 * time.Millisecond, IdleTimeout: time.Minute}
		server := httptest.NewServer(s)
		defer server.Close()
		c, err := net.Dial("tcp", server.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		fmt.Fprintf(c, "POST / HTTP/1.1\r\nHost: x\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n", mtomType, len(body))
		io.WriteString(c, body[:len(body)-100_000])
		if drops {
			go func() {
				for err := error(nil); err == nil; time.Sleep(10 * time.Millisecond) {
					_, err = io.WriteString(c, "l")
				}
			}()
		}
		c.SetReadDeadline(time.Now().Add(10 * time.Second))
		response, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		b, _ := io.ReadAll(response.Body)
		var fault *Fault
		if err := <-failed; !strings.Contains(string(b), "the request cannot be read") || !errors.As(err, &fault) || !response.Close {
			t.Errorf("%s: handled as %v, answer %q", name, err, b)
		}
	}
}

// When all has come, the operation may take its time.
func TestSlowAnswer(t *testing.T) {
	const idle = 50 * time.Millisecond
	var got []string
	s := streaming(func(ctx context.Context, r *Request) (*Response, error) {
		response, err := taking(&got)(ctx, r)
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(4 * idle):
			return response, err
		}
	})
	s.Limits = Limits{IdleTimeout: idle}
	server := httptest.NewServer(s)
	defer server.Close()
	for range 2 { // on one connection
		response, err := http.Post(server.URL, mtomType, strings.NewReader(multipart(envelopeWith(streamAction, ask), large)))
		if err != nil {
			t.Fatal(err)
		}
		if io.Copy(io.Discard, response.Body); response.StatusCode != http.StatusOK {
			t.Errorf("HTTP %d", response.StatusCode)
		}
		response.Body.Close()
	}
}

// What a client streams arrives, whatever its size.
func TestStreamingClient(t *testing.T) {
	var got []string
	server := httptest.NewServer(streaming(taking(&got)))
	defer server.Close()
	contents := []string{"ABC", large, strings.Repeat(large, 3)}
	n := 0
	reply, err := new(Client).Call(t.Context(), server.URL, Envelope{Action: actionStream, MTOM: true, Payload: []byte(ask), Attachments: func() (mtom.Part, io.Reader, error) {
		if n == len(contents) {
			return mtom.Part{}, nil, io.EOF
		}
		n++
		return mtom.Part{ContentID: fmt.Sprint(n), ContentType: "a/b", Size: -1}, iotest.HalfReader(strings.NewReader(contents[n-1])), nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	reply.Close()
	if want := fmt.Sprintf("1: ABC 3\n2: largel %d\n3: largel %d", len(large), 3*len(large)); strings.Join(got[1:], "\n") != want {
		t.Errorf("got %q, want %q", got[1:], want)
	}
}

// spring is zeros, and counts who reads it.
type spring struct{ reads int }

func (e *spring) Read(b []byte) (int, error) {
	e.reads++
	clear(b)
	return len(b), nil
}

// A client that is refused stops sending, and does not touch what it has sent after it has said so.
func TestRefusedStream(t *testing.T) {
	server := httptest.NewServer(streaming(func(context.Context, *Request) (*Response, error) { return nil, &Fault{Code: Sender, Reason: "no"} }))
	defer server.Close()
	source, parts := &spring{}, 0
	reply, err := new(Client).Call(t.Context(), server.URL, Envelope{Action: actionStream, MTOM: true, Payload: []byte(ask), Attachments: func() (mtom.Part, io.Reader, error) {
		parts++
		return mtom.Part{ContentID: "1", ContentType: "a/b", Size: -1}, source, nil
	}})
	if err == nil {
		reply.Close()
		t.Fatal("a refusal is taken for an answer")
	}
	reads := source.reads // the race detector sees who else is there
	if reads == 0 || parts != 1 {
		t.Errorf("%d reads of %d parts", reads, parts)
	}
	// A source that fails is an error of the call, and so is a context that ends.
	broken := errors.New("broken")
	for _, fail := range []io.Reader{iotest.ErrReader(broken), io.MultiReader(strings.NewReader(large), iotest.ErrReader(broken))} {
		_, err := new(Client).Call(t.Context(), server.URL, Envelope{Action: actionStream, MTOM: true, Payload: []byte(ask), Attachments: func() (mtom.Part, io.Reader, error) {
			return mtom.Part{ContentID: "1", ContentType: "a/b", Size: -1}, fail, nil
		}})
		if err == nil || !strings.Contains(err.Error(), "broken") && !strings.Contains(err.Error(), "no") {
			t.Errorf("error %v", err)
		}
	}
	patient := httptest.NewServer(streaming(taking(new([]string))))
	defer patient.Close()
	ctx, cancel := context.WithCancel(t.Context())
	_, err = new(Client).Call(ctx, patient.URL, Envelope{Action: actionStream, MTOM: true, Payload: []byte(ask), Attachments: func() (mtom.Part, io.Reader, error) {
		cancel()
		return mtom.Part{ContentID: "1", ContentType: "a/b", Size: -1}, &spring{}, nil
	}})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

// late is a transport that has the answer at once, and reads the request to its end after that.
type late struct {
	status int
	done   atomic.Bool
}

func (l *late) RoundTrip(r *http.Request) (*http.Response, error) {
	go func() {
		time.Sleep(20 * time.Millisecond) // long enough for who does not wait
		io.Copy(io.Discard, r.Body)
		l.done.Store(true)
		r.Body.Close()
	}()
	if l.status == 0 {
		return nil, errors.New("no connection")
	}
	body := envelopeWith(`<a:Action>urn:x</a:Action>`, ask)
	return &http.Response{StatusCode: l.status, Header: http.Header{"Content-Type": {typeSimple}}, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
}

// Attachments are not touched when the call is over, however it ends.
func TestCallIsOver(t *testing.T) {
	for _, status := range []int{0, http.StatusOK, http.StatusAccepted} {
		l := &late{status: status}
		n := 0
		reply, err := (&Client{HTTP: &http.Client{Transport: l}}).Call(t.Context(), "http://peer/", Envelope{Action: "urn:x", MTOM: true, Payload: []byte(ask), Attachments: func() (mtom.Part, io.Reader, error) {
			n++
			return mtom.Part{}, nil, io.EOF
		}})
		if err == nil {
			reply.Close()
		}
		if !l.done.Load() || n != 1 {
			t.Errorf("HTTP %d: the request is still being sent, error %v", status, err)
		}
	}
}

// FuzzStream: any request is read or refused with a sentence, whatever part of it is left in the stream.
func FuzzStream(f *testing.F) {
	f.Add([]byte(multipart(envelopeWith(streamAction, include("0")), "ABC", "DE")))
	f.Add([]byte(multipart(envelopeWith(streamAction+include("0"), include("1")), "ABC", "DE")))
	f.Fuzz(func(t *testing.T, body []byte) {
		// So much is added to the last part that it is not held.
		body = append(bytes.TrimSuffix(body, []byte("\r\n--b--\r\n")), large...)
		body = append(body, "\r\n--b--\r\n"...)
		s := streaming(nil)
		s.Limits = Limits{Parts: 4}
		pack, err := parser{limits: s.Limits.withDefaults(), streams: s.takesStream}.readMTOM(bytes.NewReader(body), mtomType)
		if err != nil {
			if packageFault(err).Reason == "" {
				t.Fatalf("no reason for %v", err)
			}
			return
		}
		if pack.left == nil {
			return
		}
		var fault *Fault
		if err := pack.left.rest(); err != nil && (!errors.As(err, &fault) || fault.Reason == "") {
			t.Fatalf("the stream ends with %v", err)
		}
	})
}
