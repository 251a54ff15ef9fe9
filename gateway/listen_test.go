package gateway_test

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"collimate/gateway"
	"collimate/xds"
)

// elsewhere is another address of this machine.
var elsewhere = &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}

// begin sends a request from elsewhere, or what there is of it.
func (w *world) begin(p party, path string, length int, body string) net.Conn {
	w.t.Helper()
	host := strings.TrimPrefix(strings.TrimSuffix(w.url, gateway.PathRepository), "https://")
	c, err := tls.DialWithDialer(&net.Dialer{LocalAddr: elsewhere}, "tcp", host, &tls.Config{
		InsecureSkipVerify: true, Certificates: []tls.Certificate{*p.tls()},
	})
	w.must(err)
	w.t.Cleanup(func() { c.Close() })
	w.must(c.SetDeadline(time.Now().Add(20 * time.Second)))
	fmt.Fprintf(c, "POST %s HTTP/1.1\r\nHost: x\r\nContent-Type: application/soap+xml\r\nContent-Length: %d\r\n\r\n", path, length)
	io.WriteString(c, body) // fails where the server has heard enough
	return c
}

func (w *world) status(c net.Conn) int {
	w.t.Helper()
	response, err := http.ReadResponse(bufio.NewReader(c), nil)
	w.must(err)
	return response.StatusCode
}

// Requests with much metadata are for submitters, which are known before the first byte of a request.
func TestLargeRequests(t *testing.T) {
	w := newWorld(t, small)
	large := strings.Repeat(" ", 4<<20)
	for _, path := range []string{gateway.PathRepository, gateway.PathRegistry} {
		for _, test := range []struct {
			party
			want int
		}{
			{newParty(t, "stranger"), http.StatusRequestEntityTooLarge}, {w.patient, http.StatusRequestEntityTooLarge},
			{w.ehr, http.StatusBadRequest}, // blanks are no envelope
		} {
			if got := w.status(w.begin(test.party, path, len(large), large)); got != test.want {
				t.Errorf("%s, %s: HTTP %d, want %d", path, test.cert.Subject, got, test.want)
			}
		}
	}
}

// A stranger that holds all that one address may, at whatever path, keeps nobody else out.
func TestHeldByStranger(t *testing.T) {
	w := newWorld(t, small)
	stranger := newParty(t, "stranger")
	const images, submission = 6 << 20, 5 << 19 // the most of each; together more than one address may hold
	var held []net.Conn
	for range 5 {
		held = append(held, w.begin(stranger, gateway.PathImaging, images, strings.Repeat(" ", images-1)))
	}
	held = append(held, w.begin(stranger, gateway.PathRepository, submission, strings.Repeat(" ", submission-1)))
	// Whose bytes come last is refused, and the rest stays.
	answers := make(chan string, len(held))
	for _, c := range held {
		go func() {
			line, err := bufio.NewReader(c).ReadString('\n')
			answers <- fmt.Sprint(line, err)
		}()
	}
	if first := <-answers; !strings.Contains(first, "503") { // or the connections' deadline
		t.Fatalf("a request beyond what one address may hold is answered %q", first)
	}
	if len(answers) > 0 {
		t.Fatalf("more than one request was refused: %q", <-answers)
	}
	got, err := w.retrieve(w.patient, w.document("study"))
	if err != nil || got.status != xds.Success {
		t.Errorf("the patient gets %v %v, error %v", got.status, got.codes, err)
	}
}

// endless is a request that begins well and goes on for longer than anybody should listen.
type endless struct {
	head io.Reader
	sent atomic.Int64
}

func (e *endless) Read(b []byte) (int, error) {
	if n, err := e.head.Read(b); err == nil {
		return n, nil
	}
	if e.sent.Add(int64(len(b))) > 256<<20 {
		return 0, io.EOF
	}
	return len(b), nil
}

// tapped is a transport that keeps a request and sends nothing.
type tapped struct {
	header http.Header
	body   []byte
}

func (c *tapped) RoundTrip(r *http.Request) (*http.Response, error) {
	defer r.Body.Close()
	c.header = r.Header
	c.body, _ = io.ReadAll(r.Body)
	return nil, errors.New("kept")
}

// Anybody can sign. Who may not submit is told so, and is not listened to.
func TestStrangerStreams(t *testing.T) {
	w := newWorld(t, small)
	stranger := newParty(t, "stranger")
	client, tap := w.client(stranger), &tapped{}
	client.SOAP.HTTP = &http.Client{Transport: tap}
	o, documents := w.report("1.2.3.77", "", strings.Repeat("x", 3<<20))
	o.Documents[0].Hash = strings.Repeat("0", 40)
	_, _ = client.Provide(t.Context(), w.url, o, documents)
	body := &endless{head: bytes.NewReader(tap.body[:bytes.LastIndex(tap.body, []byte("\r\n--"))])}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.url, body)
	w.must(err)
	request.Header = tap.header
	response, err := gateway.PinnedClient(stranger.tls(), w.north.id).Transport.RoundTrip(request)
	w.must(err)
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if sent := body.sent.Load(); err != nil || !strings.Contains(string(answer), "may not submit") || !response.Close || sent > 64<<20 {
		t.Errorf("HTTP %d after %d MB, closed %t, error %v: %.1000s", response.StatusCode, sent>>20, response.Close, err, answer)
	}
}
