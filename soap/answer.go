package soap

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strconv"

	"collimate/soap/mtom"
)

// refuse answers with a fault on the connection of the request.
func (x *exchange) refuse(f *Fault) {
	x.logFault(f)
	status := f.status()
	var tooLarge *http.MaxBytesError
	if errors.As(f.Err, &tooLarge) {
		status = http.StatusRequestEntityTooLarge
	}
	if f.RetryAfter > 0 {
		x.w.Header().Set("Retry-After", strconv.FormatInt(seconds(f.RetryAfter), 10))
	}
	if f.old {
		x.sendSimple(status, "text/xml; charset=UTF-8", oldFault(f))
		return
	}
	x.send(status, x.faultEnvelope(f), nil)
}

func (x *exchange) logFault(f *Fault) {
	x.log(slog.LevelWarn, "soap request refused", slog.String("code", string(f.Code)),
		slog.String("subcode", f.Subcode.Local), slog.String("reason", f.Reason), slog.Any("err", f.Err))
}

// faultEnvelope is the message that a fault is sent in.
func (x *exchange) faultEnvelope(f *Fault) *Envelope {
	return &Envelope{Action: f.action(), RelatesTo: x.messageID, Payload: appendFault(nil, f), blocks: f.blocks}
}

// answerEnvelope is the message that the answer of an operation is sent in.
func (x *exchange) answerEnvelope(operation *Operation, r *Response) *Envelope {
	e := &Envelope{Action: r.Action, RelatesTo: x.messageID, Payload: r.Payload}
	if e.Action == "" {
		e.Action = operation.ResponseAction
	}
	return e
}

// accept says that the request has been taken and that nothing follows on its connection.
func (x *exchange) accept() {
	x.w.Header().Set("Content-Length", "0")
	x.w.WriteHeader(http.StatusAccepted)
}

// send writes a message in the packaging of the request. r is nil if there are no attachments.
func (x *exchange) send(status int, e *Envelope, r *Response) {
	envelope, err := e.Marshal(nil)
	if err != nil { // only a signer fails
		panic(http.ErrAbortHandler)
	}
	if !x.isMTOM {
		// Not more than this: peers compare it as text. ENG-01 of the IHE toolkit
		x.sendSimple(status, typeSimple+"; charset=UTF-8", envelope)
		return
	}
	d := x.begin()
	x.end(d, x.sendMTOM(d, status, e.Action, envelope, r))
}

// sendSimple writes a message that is an envelope and nothing else.
func (x *exchange) sendSimple(status int, contentType string, envelope []byte) {
	d := x.begin()
	header := x.w.Header()
	header.Set("Content-Type", contentType)
	header.Set("Content-Length", strconv.Itoa(len(envelope)))
	x.w.WriteHeader(status)
	_, err := d.Write(envelope)
	x.end(d, err)
}

func (x *exchange) begin() *deadlineWriter {
	header := x.w.Header()
	header.Set("Cache-Control", "no-store") // answers are about patients
	header.Set("X-Content-Type-Options", "nosniff")
	return newDeadlineWriter(x.w, x.limits.IdleTimeout)
}

// end sends what is left of an answer, and aborts the connection if that fails or something has before.
func (x *exchange) end(d *deadlineWriter, err error) {
	if err == nil {
		err = d.flush()
	}
	if err != nil {
		// The status line is out. The only honest end is one that no peer takes for the end of an answer.
		x.log(slog.LevelError, "soap answer aborted", slog.Any("err", err))
		panic(http.ErrAbortHandler)
	}
}

func (x *exchange) sendMTOM(d *deadlineWriter, status int, action string, envelope []byte, r *Response) error {
	boundary := newBoundary()
	header := x.w.Header()
	header.Set("Content-Type", mtom.FormatContentType(boundary, action))
	if n := mtom.Length(boundary, len(envelope), r.attachments()); n >= 0 {
		header.Set("Content-Length", strconv.FormatInt(n, 10))
	}
	x.w.WriteHeader(status)
	var out io.Writer = d
	if from, ok := x.w.(io.ReaderFrom); ok && x.r.TLS == nil {
		out = fileWriter{d, from}
	}
	return writePackage(out, boundary, envelope, r, d.flush)
}

// attachments is nil for a nil Response, which stands for a fault.
func (r *Response) attachments() []mtom.Part {
	if r == nil {
		return nil
	}
	return r.Attachments
}

// writePackage writes a message in MTOM. flush is called where the peer should have what there is.
func writePackage(out io.Writer, boundary string, envelope []byte, r *Response, flush func() error) error {
	w := mtom.NewWriter(out, boundary)
	if err := w.Root(envelope); err != nil {
		return err
	}
	if attachments := r.attachments(); len(attachments) > 0 {
		// The envelope goes out now: the first attachment may come from far away, and the peer waits.
		if err := flush(); err != nil {
			return err
		}
		if err := writeParts(w, attachments, r.Parts); err != nil {
			return err
		}
	}
	return w.Close()
}

// writeParts writes each attachment exactly once, in the order in which they come.
func writeParts(w *mtom.Writer, attachments []mtom.Part, parts Parts) error {
	sent := make([]bool, len(attachments))
	for n := 0; ; n++ {
		i, bytes, err := parts.Next()
		switch {
		case err == io.EOF && n == len(attachments):
			return nil
		case err == io.EOF:
			return fmt.Errorf("only %d of %d attachments came: %w", n, len(attachments), io.ErrUnexpectedEOF)
		case err != nil:
			return fmt.Errorf("opening attachment %d: %w", n, err)
		case i < 0 || i >= len(sent) || sent[i]:
			return fmt.Errorf("attachment %d came twice, or is not one of %d", i, len(attachments))
		}
		sent[i] = true
		if err := w.Part(attachments[i], bytes); err != nil {
			return fmt.Errorf("writing attachment %d: %w", i, err)
		}
	}
}

// newBoundary returns a boundary of 128 random bits, which no part has in it.
func newBoundary() string {
	var b [16]byte
	rand.Read(b[:]) // never fails
	return "uuid-" + hex.EncodeToString(b[:])
}
