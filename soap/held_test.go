package soap

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// A body that is announced and does not come holds its connection for a bounded time, whatever the request is: net/http
// waits for the rest of a body before it answers.
func TestBodyThatDoesNotCome(t *testing.T) {
	whole := multipart(envelopeWith(`<a:Action>`+actionMTOM+`</a:Action>`, ask))
	for name, request := range map[string]string{
		"another media type":    "POST / HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\nContent-Length: 100\r\n\r\n",
		"more than the package": fmt.Sprintf("POST / HTTP/1.1\r\nHost: x\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s", mtomType, 100+len(whole), whole),
		"another method":        "PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n",
		"nothing at all":        "POST / HTTP/1.1\r\nHost: x\r\nContent-Type: " + mtomType + "\r\nContent-Length: 100\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := &Server{Operations: operations(nil), Limits: Limits{ReadTimeout: time.Second, IdleTimeout: time.Second}}
			s := NewHTTPServer(h, nil, nil)
			s.ReadHeaderTimeout = time.Second
			url, _, _ := servingAs(t, s, time.Second)
			c, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if _, err := fmt.Fprint(c, request); err != nil {
				t.Fatal(err)
			}
			if err := c.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
				t.Fatal(err)
			}
			_, err = http.ReadResponse(bufio.NewReader(c), nil)
			if late, ok := err.(net.Error); ok && late.Timeout() {
				t.Error("the connection is held on")
			}
		})
	}
}
