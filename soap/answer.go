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
	"collimate/xmlsec"
)

// refuse answers with a fault.
func (x *exchange) refuse(f *Fault) {
	x.log(slog.LevelWarn, "soap request refused", slog.String("code", string(f.Code)),
		slog.String("subcode", f.Subcode.Local), slog.String("reason", f.Reason), slog.Any("err", f.Err))
	status := f.status()
	var tooLarge *http.MaxBytesError
	if errors.As(f.Err, &tooLarge) {
		status = http.StatusRequestEntityTooLarge
	}
	e := Envelope{Action: f.action(), RelatesTo: x.messageID, Payload: appendFault(nil, f)}
	x.send(status, &e, nil)
}

// appendFault serialises a fault. SOAP 1.2 Part 1 section 5.4
func appendFault(b []byte, f *Fault) []byte {
	b = append(b, `<soap:Fault xmlns:soap="`+NSEnvelope+`"><soap:Code><soap:Value>soap:`...)
	b = append(b, f.Code...)
	b = append(b, `</soap:Value>`...)
	if !f.Subcode.IsZero() {
		b = append(b, `<soap:Subcode><soap:Value xmlns:sub="`...)
		b = xmlsec.EscapeAttr(b, f.Subcode.Space)
		b = append(b, `">sub:`...)
		b = xmlsec.EscapeText(b, f.Subcode.Local)
		b = append(b, `</soap:Value></soap:Subcode>`...)
	}
	b = append(b, `</soap:Code><soap:Reason><soap:Text xml:lang="en">`...)
	b = xmlsec.EscapeText(b, f.Reason)
	return append(b, `</soap:Text></soap:Reason></soap:Fault>`...)
}

// answer sends the answer of an operation.
func (x *exchange) answer(operation *Operation, r *Response) {
	e := Envelope{Action: r.Action, RelatesTo: x.messageID, Payload: r.Payload}
	if e.Action == "" {
		e.Action = operation.ResponseAction
	}
	if !x.isMTOM && len(r.Attachments) > 0 {
		x.refuse(&Fault{Code: Receiver, Reason: "the request could not be processed", Err: errors.New("an answer in simple SOAP has attachments")})
		return
	}
	x.send(http.StatusOK, &e, r)
}

// send writes a message in the packaging of the request. r is nil if there are no attachments.
func (x *exchange) send(status int, e *Envelope, r *Response) {
	envelope, err := e.Marshal(nil)
	if err != nil { // only a signer fails
		panic(http.ErrAbortHandler)
	}
	header := x.w.Header()
	header.Set("Cache-Control", "no-store") // answers are about patients
	header.Set("X-Content-Type-Options", "nosniff")
	d := newDeadlineWriter(x.w, x.limits.IdleTimeout)
	if !x.isMTOM {
		// Not more than this: peers compare it as text. ENG-01 of the IHE toolkit
		header.Set("Content-Type", typeSimple+"; charset=UTF-8")
		header.Set("Content-Length", strconv.Itoa(len(envelope)))
		x.w.WriteHeader(status)
		_, err = d.Write(envelope)
	} else {
		err = x.sendMTOM(d, status, e.Action, envelope, r)
	}
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
	var attachments []mtom.Part
	if r != nil {
		attachments = r.Attachments
	}
	header := x.w.Header()
	header.Set("Content-Type", mtom.FormatContentType(boundary, action))
	if n := mtom.Length(boundary, len(envelope), attachments); n >= 0 {
		header.Set("Content-Length", strconv.FormatInt(n, 10))
	}
	x.w.WriteHeader(status)
	var out io.Writer = d
	if from, ok := x.w.(io.ReaderFrom); ok && x.r.TLS == nil {
		out = fileWriter{d, from}
	}
	w := mtom.NewWriter(out, boundary)
	if err := w.Root(envelope); err != nil {
		return err
	}
	if len(attachments) > 0 {
		// The envelope goes out now: the first attachment may come from far away, and the peer waits.
		if err := d.flush(); err != nil {
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
