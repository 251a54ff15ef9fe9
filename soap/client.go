package soap

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"collimate/soap/mtom"
)

// Client sends requests and reads the answers as streams. The zero Client is usable.
type Client struct {
	// HTTP sends; nil is http.DefaultClient. It should have no Timeout, which would be one on the whole of an
	// answer; the wait for the beginning is bounded by its transport's ResponseHeaderTimeout.
	HTTP *http.Client
	// Signer makes the wsse:Security header; nil sends none.
	Signer EnvelopeSigner
	// IdleTimeout is how long the peer may send nothing in the middle of an answer. Zero is a minute.
	IdleTimeout time.Duration
}

// StatusError tells that a peer answered with an HTTP status and without a SOAP message.
type StatusError struct{ Code int }

// Error returns the message.
func (e *StatusError) Error() string {
	return fmt.Sprintf("the peer answered HTTP %d %s and no SOAP message", e.Code, http.StatusText(e.Code))
}

// Call sends an envelope to url and reads the envelope of the answer; its attachments are read from the Reply,
// which the caller must Close. An empty To is url, an empty MessageID a new one, an empty ReplyTo anonymous.
// A fault of the peer is returned as a *RemoteFault. Call returns only after the envelope has arrived; ctx
// holds until the Reply is closed. e.Attachments is not called any more when Call has returned an error or the Reply
// has been closed.
func (c *Client) Call(ctx context.Context, url string, e Envelope) (*Reply, error) {
	if e.To == "" {
		e.To = url
	}
	if e.MessageID == "" {
		e.MessageID = newMessageID()
	}
	if e.ReplyTo == "" {
		e.ReplyTo = Anonymous
	}
	envelope, err := e.Marshal(c.Signer)
	if err != nil {
		return nil, fmt.Errorf("signing the request: %w", err)
	}
	contentType := typeSimple + "; charset=UTF-8"
	var body io.Reader = bytes.NewReader(envelope)
	var sent *sending
	switch boundary := newBoundary(); {
	case e.MTOM && e.Attachments != nil:
		contentType = mtom.FormatContentType(boundary, e.Action)
		sent = &sending{Reader: mtom.NewStream(boundary, envelope, e.Attachments), done: make(chan struct{})}
		body = sent
	case e.MTOM:
		contentType = mtom.FormatContentType(boundary, e.Action)
		var b bytes.Buffer
		w := mtom.NewWriter(&b, boundary)
		w.Root(envelope)
		w.Close() // a bytes.Buffer takes everything
		body = bytes.NewReader(b.Bytes())
	}

	ctx, cancel := context.WithCancelCause(ctx)
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, body)
	if err != nil {
		cancel(nil)
		return nil, fmt.Errorf("making the request: %w", err)
	}
	request.Header.Set("Content-Type", contentType)
	client := c.HTTP
	if client == nil {
		client = http.DefaultClient
	}
	response, err := client.Do(request)
	if err != nil {
		cancel(nil)
		sent.wait()
		return nil, fmt.Errorf("sending the request: %w", err)
	}
	idle := c.IdleTimeout
	if idle <= 0 {
		idle = DefaultLimits.IdleTimeout
	}
	response.Body = newIdleBody(ctx, cancel, response.Body, idle, sent)
	reply, err := newReply(response)
	if err == nil {
		err = reply.check(e.MessageID)
	}
	if err != nil {
		response.Body.Close()
		return nil, err
	}
	return reply, nil
}

// sending is a request body that is a stream. The transport may go on reading it when the answer is there, and closes it
// when it does not.
type sending struct {
	io.Reader
	once sync.Once
	done chan struct{}
}

// Close implements io.Closer.
func (s *sending) Close() error {
	s.once.Do(func() { close(s.done) })
	return nil
}

// wait returns when nothing more is read. There is nothing to wait for if s is nil.
func (s *sending) wait() {
	if s != nil {
		<-s.done
	}
}

// newMessageID returns a random UUID as a URN. RFC 9562 section 5.4
func newMessageID() string {
	var u [16]byte
	rand.Read(u[:]) // never fails
	u[6] = u[6]&0x0f | 0x40
	u[8] = u[8]&0x3f | 0x80
	return fmt.Sprintf("urn:uuid:%x-%x-%x-%x-%x", u[:4], u[4:6], u[6:8], u[8:10], u[10:])
}
