package soap

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"collimate/soap/mtom"
)

// delivery is a message that goes out as an exchange of its own.
type delivery struct {
	route     route
	envelope  Envelope
	isMTOM    bool
	response  *Response // nil for a fault
	operation string
	started   bool // attachments have been asked for
}

// post hands a message to the workers. It returns the fault to answer the request with if that cannot be.
func (x *exchange) post(e *Envelope, r *Response, to route) *Fault {
	e.To, e.MessageID = to.address, newMessageID()
	to.cancel = x.replies.cancel
	err := x.Async.enqueue(&delivery{route: to, envelope: *e, isMTOM: x.isMTOM, response: r, operation: x.operation})
	if err != nil {
		if to.cancel != nil {
			to.cancel()
		}
		f := busyFault(retryAfter)
		f.Err = err
		return f
	}
	return nil
}

// errRefused tells that a receiver has answered with a status that no second attempt will change.
var errRefused = errors.New("the receiver refuses the answer")

// deliver sends a message, with as many attempts as are allowed and can help.
func (a *Async) deliver(d *delivery) {
	ctx, cancel := context.WithTimeout(a.ctx, asyncTotal)
	defer cancel()
	if d.route.cancel != nil {
		defer d.route.cancel()
	}
	if d.response != nil && d.response.Parts != nil {
		defer d.response.Parts.Close()
	}
	pause := a.config.Backoff
	for attempt := 1; ; attempt++ {
		err := a.attempt(ctx, d)
		if err == nil {
			return
		}
		if attempt == a.config.Attempts || d.started || errors.Is(err, errRefused) || ctx.Err() != nil {
			a.config.Logger.LogAttrs(ctx, slog.LevelError, "asynchronous soap answer not sent", slog.String("operation", d.operation),
				slog.String("receiver", d.route.target.Host), slog.Int("attempts", attempt), slog.Any("err", err))
			return
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
		}
		pause *= 4
	}
}

// attempt sends a message once. It is signed anew each time, as a signature has a time in it.
func (a *Async) attempt(ctx context.Context, d *delivery) error {
	envelope, err := d.envelope.Marshal(a.config.Signer)
	if err != nil {
		return fmt.Errorf("signing the answer: %w", err)
	}
	contentType, length := typeSimple+"; charset=UTF-8", int64(len(envelope))
	write := func(w io.Writer) error {
		_, err := w.Write(envelope)
		return err
	}
	if d.isMTOM {
		boundary := newBoundary()
		contentType, length = mtom.FormatContentType(boundary, d.envelope.Action), mtom.Length(boundary, len(envelope), d.response.attachments())
		write = func(w io.Writer) error {
			return writePackage(w, boundary, envelope, d.response, func() error { d.started = true; return nil })
		}
	}
	if length <= writePiece && len(d.response.attachments()) == 0 {
		var b bytes.Buffer
		if err := write(&b); err != nil {
			return err
		}
		return a.send(ctx, d, contentType, length, &b)
	}
	// The attachments are written into the connection as it takes them. The transport reads nothing before the
	// receiver has said that it wants the body, or has not said otherwise for a while.
	r, w := io.Pipe()
	written := make(chan error, 1)
	go func() {
		err := write(w)
		if err == nil {
			w.Close()
		} else {
			w.CloseWithError(fmt.Errorf("writing the answer: %w", err))
		}
		written <- err
	}()
	err = a.send(ctx, d, contentType, length, r)
	r.CloseWithError(io.ErrClosedPipe) // if the receiver did not want all of it
	return errors.Join(err, ignorePipe(<-written, err))
}

// ignorePipe drops the error of writing to a receiver that has not taken all, if it has said why.
func ignorePipe(err, reason error) error {
	if reason != nil && errors.Is(err, io.ErrClosedPipe) {
		return nil
	}
	return err
}

// send posts a body and looks at the status of what comes back.
func (a *Async) send(ctx context.Context, d *delivery, contentType string, length int64, body io.Reader) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, d.route.address, body)
	if err != nil {
		return fmt.Errorf("making the request: %w", err)
	}
	request.ContentLength = length
	request.Header.Set("Content-Type", contentType)
	request.Header.Set("Expect", "100-continue")
	response, err := d.route.client.Do(request)
	if err != nil {
		var whole *url.Error // quotes the address, which is part of a message
		if errors.As(err, &whole) {
			err = whole.Err
		}
		return fmt.Errorf("sending the answer: %w", err)
	}
	defer response.Body.Close()
	_, _ = io.CopyN(io.Discard, response.Body, maxDrain)
	switch code := response.StatusCode; {
	case code >= 200 && code < 300:
		return nil
	case code >= 500, code == http.StatusRequestTimeout, code == http.StatusTooManyRequests:
		return &StatusError{code}
	default:
		return fmt.Errorf("%w: %w", errRefused, &StatusError{code})
	}
}
