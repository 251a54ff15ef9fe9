package mtom

import (
	"fmt"
	"io"
	"math"
	"sync"
	"syscall"
)

// rootID is the Content-ID of the root part.
const rootID = "root@collimate"

// The parts of a Content-Type that peers compare as text. ITI TF-2: V.9.3, and facts of the field: a type, a
// start and a start-info have to be there, and start-info has to be SOAP 1.2's.
const (
	rootType   = `application/xop+xml; charset=UTF-8; type="application/soap+xml"`
	typeFormat = `multipart/related; boundary="%s"; type="application/xop+xml"; start="<` + rootID + `>"; start-info="application/soap+xml"; action="%s"`
)

// SizeError tells that a part yielded another number of bytes than was declared.
type SizeError struct {
	Declared, Got int64 // Got is Declared+1 for any number above Declared
}

// Error returns the message.
func (e *SizeError) Error() string {
	if e.Got > e.Declared {
		return fmt.Sprintf("mtom: a part has more than the %d bytes declared", e.Declared)
	}
	return fmt.Sprintf("mtom: a part has %d bytes, %d were declared", e.Got, e.Declared)
}

// Writer writes a message: Root, then Part for each attachment, then Close. After an error the message is
// torn, and the connection has to be given up.
type Writer struct {
	w        io.Writer
	boundary string
	err      error
}

// NewWriter returns a Writer to w. The boundary has 1 to 70 letters, digits and "-", and must be of enough
// randomness not to occur in any part. If w is an io.ReaderFrom, parts that are copied from an *os.File are
// handed to it, so that the kernel can send them.
func NewWriter(w io.Writer, boundary string) *Writer { return &Writer{w: w, boundary: boundary} }

// FormatContentType returns the Content-Type of a message. The action must not hold a quotation mark, a
// backslash or a control character.
func FormatContentType(boundary, action string) string {
	return fmt.Sprintf(typeFormat, boundary, action)
}

// Length returns the exact number of bytes of a message with an envelope of so many bytes and these parts, or
// -1 if the size of a part is not known.
func Length(boundary string, envelope int, parts []Part) int64 {
	n := int64(len(head(boundary, false, rootID, rootType)) + envelope + len(tail(boundary)))
	for _, p := range parts {
		if p.Size < 0 {
			return -1
		}
		n += int64(len(head(boundary, true, p.ContentID, p.ContentType))) + p.Size
	}
	return n
}

func head(boundary string, crlf bool, id, contentType string) string {
	s := "--" + boundary + "\r\nContent-Type: " + contentType + "\r\nContent-Transfer-Encoding: binary\r\nContent-ID: <" + id + ">\r\n\r\n"
	if crlf {
		return "\r\n" + s
	}
	return s
}

func tail(boundary string) string { return "\r\n--" + boundary + "--\r\n" }

// Root writes the root part.
func (w *Writer) Root(envelope []byte) error {
	w.write([]byte(head(w.boundary, false, rootID, rootType)))
	w.write(envelope)
	return w.err
}

// Part writes an attachment. The ContentID and ContentType of p must not hold line breaks. It returns a
// *SizeError if p.Size is known and bytes yields another number; none above p.Size is ever written.
func (w *Writer) Part(p Part, bytes io.WriterTo) error {
	w.write([]byte(head(w.boundary, true, p.ContentID, p.ContentType)))
	if w.err != nil {
		return w.err
	}
	pw := &partWriter{w: w.w, size: p.Size}
	_, err := bytes.WriteTo(pw)
	switch {
	case pw.err != nil: // whoever wrote may have swallowed or wrapped it
		w.err = pw.err
	case err != nil:
		w.err = err
	case p.Size >= 0 && pw.n != p.Size:
		w.err = &SizeError{Declared: p.Size, Got: pw.n}
	}
	return w.err
}

// Close writes the closing boundary.
func (w *Writer) Close() error {
	w.write([]byte(tail(w.boundary)))
	return w.err
}

func (w *Writer) write(b []byte) {
	if w.err == nil {
		_, w.err = w.w.Write(b)
	}
}

// partWriter counts the bytes of a part and lets no byte beyond its size pass.
type partWriter struct {
	w    io.Writer
	size int64 // -1: not known
	n    int64
	err  error
}

// Write implements io.Writer.
func (p *partWriter) Write(b []byte) (int, error) {
	if p.err != nil {
		return 0, p.err
	}
	if p.size >= 0 && int64(len(b)) > p.size-p.n {
		p.err = &SizeError{Declared: p.size, Got: p.size + 1}
		return 0, p.err
	}
	n, err := p.w.Write(b)
	p.n += int64(n)
	p.err = err
	return n, err
}

// buffers holds what copies go through, so that a gateway with many streams does not allocate one for each.
var buffers = sync.Pool{New: func() any { b := make([]byte, bufferSize); return &b }}

// ReadFrom implements io.ReaderFrom: it copies with a large buffer, or lets the kernel do it where that can be.
func (p *partWriter) ReadFrom(src io.Reader) (int64, error) {
	if p.err != nil {
		return 0, p.err
	}
	if rf, ok := p.w.(io.ReaderFrom); ok && p.size >= 0 && IsFile(src) {
		return p.sendFile(rf, src)
	}
	buffer := buffers.Get().(*[]byte)
	defer buffers.Put(buffer)
	// The struct hides ReadFrom, or CopyBuffer would come back here.
	return io.CopyBuffer(struct{ io.Writer }{p}, struct{ io.Reader }{src}, *buffer)
}

// IsFile reports whether src is a file, or the beginning of one as io.CopyN makes it: that is what sendfile
// can take.
func IsFile(src io.Reader) bool {
	if l, ok := src.(*io.LimitedReader); ok {
		src = l.R
	}
	// io.Copy does not pass on an *os.File but a type of package os around it.
	_, ok := src.(interface {
		io.Seeker
		syscall.Conn
	})
	return ok
}

// sendFile has w read from a file, and not more than there is room for. Each layer wraps the file in one
// io.LimitedReader of its own and unwraps that of the layer above, as sendfile takes one but not two.
func (p *partWriter) sendFile(w io.ReaderFrom, src io.Reader) (int64, error) {
	room := p.size - p.n
	file, want := src, int64(math.MaxInt64)
	outer, limited := src.(*io.LimitedReader)
	if limited {
		file, want = outer.R, outer.N
	}
	n, err := w.ReadFrom(&io.LimitedReader{R: file, N: min(want, room)})
	if limited {
		outer.N -= n
	}
	p.n += n
	if err == nil && n == room && want > room {
		var more [1]byte
		if k, _ := file.Read(more[:]); k > 0 {
			err = &SizeError{Declared: p.size, Got: p.size + 1}
		}
	}
	p.err = err
	return n, err
}
