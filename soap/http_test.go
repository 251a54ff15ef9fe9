package soap

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"collimate/soap/mtom"
)

// stream is a server whose answer has one attachment of so many pieces, each sent when the test says so.
func stream(pieces int) (*Server, chan struct{}) {
	next := make(chan struct{})
	piece := []byte(strings.Repeat("x", 1<<20))
	return &Server{Operations: operations(func() ([]mtom.Part, Parts) {
		size := int64(pieces * len(piece))
		return []mtom.Part{{ContentID: "a", ContentType: "x/y", Size: size}}, &oneByOne{order: []int{0}, err: io.EOF, closed: new(bool), bodies: []io.WriterTo{
			writerTo(func(w io.Writer) (n int64, err error) {
				for range pieces {
					<-next
					k, err := w.Write(piece)
					if n += int64(k); err != nil {
						return n, err
					}
				}
				return n, nil
			}),
		}}
	})}, next
}

// serving serves h until the returned function is called, whose channel has what Serve says.
func serving(t *testing.T, h http.Handler, patience time.Duration) (url string, stop func(), result chan error) {
	t.Helper()
	return servingAs(t, NewHTTPServer(h, nil, nil), patience)
}

func servingAs(t *testing.T, s *http.Server, patience time.Duration) (url string, stop func(), result chan error) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	t.Cleanup(stop)
	result = make(chan error, 1)
	go func() { result <- Serve(ctx, s, l, patience) }()
	return "http://" + l.Addr().String(), stop, result
}

func mtomRequest() io.Reader {
	return strings.NewReader(multipart(envelopeWith(`<a:Action>`+actionMTOM+`</a:Action>`, ask)))
}

// A stream that has begun comes to its end when the server is stopped; nothing new is taken meanwhile.
func TestServeLetsStreamsFinish(t *testing.T) {
	const pieces = 20
	s, next := stream(pieces)
	url, stop, result := serving(t, s, time.Minute)
	response, err := http.Post(url, mtomType, mtomRequest())
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	next <- struct{}{}
	stop()
	for { // until the listener is closed
		c, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
		if err != nil {
			break
		}
		c.Close()
	}
	go func() {
		for range pieces - 1 {
			next <- struct{}{}
		}
	}()
	n, err := io.Copy(io.Discard, response.Body)
	if err != nil || n != response.ContentLength || n < pieces<<20 {
		t.Errorf("%d bytes of %d, error %v", n, response.ContentLength, err)
	}
	if err := <-result; err != nil {
		t.Errorf("Serve: %v", err)
	}
}

// One that does not end is cut when patience is over, and the client sees that it is torn.
func TestServeCutsAfterPatience(t *testing.T) {
	s, next := stream(2)
	url, stop, result := serving(t, s, 50*time.Millisecond)
	response, err := http.Post(url, mtomType, mtomRequest())
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	next <- struct{}{}
	stop()
	if err := <-result; err == nil {
		t.Error("Serve says nothing of the stream that it has cut")
	}
	if n, err := io.Copy(io.Discard, response.Body); err == nil {
		t.Errorf("the client takes %d bytes of %d for the whole", n, response.ContentLength)
	}
	close(next)
}

func TestServeFails(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	if err := Serve(t.Context(), NewHTTPServer(http.NotFoundHandler(), nil, nil), l, time.Second); err == nil {
		t.Error("a listener that is closed is served")
	}
}

// Headers of a request are bounded, and have to come.
func TestHeaderBytes(t *testing.T) {
	url, _, _ := serving(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}), time.Second)
	// net/http reads some KB more than it is told.
	for _, test := range []struct{ n, want int }{{maxHeaderBytes - 1024, 200}, {maxHeaderBytes + 16<<10, 431}} {
		r, err := http.NewRequest(http.MethodGet, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("X", strings.Repeat("x", test.n))
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != test.want {
			t.Errorf("%d bytes: HTTP %d, want %d", test.n, response.StatusCode, test.want)
		}
	}
	if s := NewHTTPServer(nil, nil, nil); s.ReadHeaderTimeout != headerTimeout || s.ReadTimeout != 0 || s.WriteTimeout != 0 || s.IdleTimeout != keepAlive {
		t.Error("there is a limit on the whole of a request or an answer, or none on its headers")
	}
}

// How peers put a request on the wire: Axis2 and CXF in chunks, .NET after a 100 Continue, Axis2 with a folded
// Content-Type.
func TestWireVariants(t *testing.T) {
	envelope := multipart(envelopeWith(`<a:Action>`+actionMTOM+`</a:Action>`, ask))
	const start = "POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
	length := fmt.Sprintf("Content-Length: %d\r\n", len(envelope))
	chunks := fmt.Sprintf("%x\r\n%s\r\n%x;ext=1\r\n%s\r\n0\r\n\r\n", 10, envelope[:10], len(envelope)-10, envelope[10:])
	tests := []struct{ name, head, body string }{
		{"Content-Length", "Content-Type: " + mtomType + "\r\n" + length, envelope},
		{"chunked", "Content-Type: " + mtomType + "\r\nTransfer-Encoding: chunked\r\n", chunks},
		{"100-continue", "Expect: 100-continue\r\nContent-Type: " + mtomType + "\r\n" + length, envelope},
		{"folded Content-Type", "Content-Type: " + strings.ReplaceAll(mtomType, "; ", ";\r\n\t") + "\r\n" + length, envelope},
		{"SOAPAction of SOAP 1.1", "SOAPAction: \"urn:other\"\r\nContent-Type: " + mtomType + "\r\n" + length, envelope},
	}
	url, _, _ := serving(t, &Server{Operations: operations(nil)}, time.Second)
	for _, test := range tests {
		c, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		r := bufio.NewReader(c)
		fmt.Fprint(c, start+test.head+"\r\n")
		if test.name == "100-continue" {
			if line, err := r.ReadString('\n'); err != nil || !strings.Contains(line, " 100 ") {
				t.Errorf("%s: %q, %v", test.name, line, err)
			}
			if _, err := r.ReadString('\n'); err != nil {
				t.Error(err)
			}
		}
		fmt.Fprint(c, test.body)
		response, err := http.ReadResponse(r, nil)
		if err != nil || response.StatusCode != http.StatusOK {
			t.Errorf("%s: %v, %v", test.name, response, err)
		}
	}
}

// So many connections are open at the same time, and so many of one host.
func TestLimitListener(t *testing.T) {
	open := func(total, perHost int) (string, net.Listener) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		limited := LimitListener(l, total, perHost)
		s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "served") })}
		go s.Serve(limited)
		t.Cleanup(func() { s.Close() })
		return l.Addr().String(), limited
	}
	// get returns what a connection says to a request, "" if it is closed.
	get := func(c net.Conn) string {
		fmt.Fprint(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		response, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			return ""
		}
		b, _ := io.ReadAll(response.Body)
		return string(b)
	}
	dial := func(address string) net.Conn {
		c, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c
	}

	address, _ := open(10, 2)
	a, b := dial(address), dial(address)
	if get(a) != "served" || get(b) != "served" {
		t.Error("two connections of one host are not served")
	}
	if got := get(dial(address)); got != "" {
		t.Errorf("the third connection of one host: %q", got)
	}
	a.Close()
	for deadline := time.Now().Add(10 * time.Second); get(dial(address)) == ""; { // until the server has seen it
		if time.Now().After(deadline) {
			t.Fatal("the place of a connection that was closed stays taken")
		}
	}

	address, l := open(1, 0)
	first := dial(address)
	if get(first) != "served" {
		t.Error("the first connection is not served")
	}
	second, answer := dial(address), make(chan string, 1)
	go func() { answer <- get(second) }()
	select {
	case got := <-answer:
		t.Errorf("the second connection is served beside the first: %q", got)
	case <-time.After(50 * time.Millisecond):
	}
	first.Close()
	if got := <-answer; got != "served" {
		t.Errorf("when the first is closed, the second has %q", got)
	}
	accepted := make(chan error, 1)
	go func() { // waits for a place
		_, err := l.Accept()
		accepted <- err
	}()
	l.Close()
	if err := <-accepted; err == nil {
		t.Error("Accept after Close")
	}
}

// All addresses of one IPv6 site are one host.
func TestHostOf(t *testing.T) {
	if hostOf("[2001:db8:1:2:3::4]:1") != hostOf("[2001:db8:1:2::5]:2") || hostOf("[2001:db8:1:2::1]:1") == hostOf("[2001:db8:1:3::1]:1") {
		t.Error("hosts are not told apart by the first 64 bits")
	}
	if hostOf("192.0.2.1:1") != hostOf("[::ffff:192.0.2.1]:2") || hostOf("192.0.2.1:1") == hostOf("192.0.2.2:1") {
		t.Error("IPv4 hosts are not told apart")
	}
	if hostOf("@").IsValid() {
		t.Error("a socket without an address has one")
	}
}
