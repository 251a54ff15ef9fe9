package mtom

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/textproto"
	"net/url"
	"strings"
)

// FormatError tells that a message is not MTOM, or is over a limit.
type FormatError struct{ Msg string }

// Error returns the message.
func (e *FormatError) Error() string { return "mtom: " + e.Msg }

// errTruncated is returned where a message ends before its closing boundary.
var errTruncated = fmt.Errorf("mtom: the message ends before its closing boundary: %w", io.ErrUnexpectedEOF)

// Reader reads the parts of a multipart/related message in order.
type Reader struct {
	// ContentType is that of the message; zero if NewPartsReader has made the Reader.
	ContentType ContentType

	soap   bool // as NewReader has it
	src    io.Reader
	limits Limits
	total  int64 // bytes read from src
	// buf[r:w] has been read from src and not been consumed. err is what src ended with.
	buf  []byte
	r, w int
	full bool // the last read filled buf: there is more to come, and a larger one is worth it
	err  error

	// delimiter ends a part: "\r\n--boundary", or "\n--boundary" if the first line of the message ends so.
	delimiter []byte
	part      *Part // the one being read
	parts     int
	seen      map[string]bool // content ids
	done      bool
}

// NewReader reads up to the first boundary. It returns a *FormatError if contentType or the message is not
// multipart/related.
func NewReader(src io.Reader, contentType string, l Limits) (*Reader, error) {
	ct, err := ParseContentType(contentType)
	if err != nil {
		return nil, err
	}
	if ct.MediaType != "multipart/related" {
		return nil, &FormatError{"Content-Type is not multipart/related"}
	}
	if t, ok := ct.Parameters["type"]; ok && !rootLabel(t) {
		return nil, &FormatError{`Content-Type has a type other than "application/xop+xml"`}
	}
	r, err := newReader(src, ct.Parameters["boundary"], l)
	if err != nil {
		return nil, err
	}
	r.ContentType, r.soap = ct, true
	return r, r.preamble()
}

// NewPartsReader is NewReader for parts that are no SOAP message, such as the instances that answer WADO-RS: they need no
// Content-ID, and there is no end but the closing boundary.
func NewPartsReader(src io.Reader, boundary string, l Limits) (*Reader, error) {
	r, err := newReader(src, boundary, l)
	if err != nil {
		return nil, err
	}
	return r, r.preamble()
}

func newReader(src io.Reader, boundary string, l Limits) (*Reader, error) {
	switch {
	case boundary == "":
		return nil, &FormatError{"Content-Type has no boundary"}
	case len(boundary) > maxBoundary:
		return nil, &FormatError{fmt.Sprintf("the boundary has more than %d characters", maxBoundary)}
	case strings.ContainsAny(boundary, "\r\n"):
		return nil, &FormatError{"the boundary has a line break in it"}
	}
	return &Reader{
		src:       src,
		limits:    l,
		buf:       make([]byte, smallBuffer),
		delimiter: []byte("\r\n--" + boundary),
		seen:      map[string]bool{},
	}, nil
}

// rootLabel reports whether a message may say that its root is of this type.
//
// QUIRK: stacks label an XOP root as the SOAP version that is in it (lpr3-docs#48, gowsdl#229). An envelope of
// SOAP 1.1 is not refused here but by who reads it, and in a form that its sender understands.
func rootLabel(t string) bool {
	media, _, _ := strings.Cut(t, ";")
	switch strings.ToLower(strings.TrimSpace(media)) {
	case "application/xop+xml", "application/soap+xml", "text/xml":
		return true
	}
	return false
}

// preamble skips to the first boundary line. The way in which that line ends is taken for all the lines of the
// message, as mime/multipart does.
func (r *Reader) preamble() error {
	want := r.delimiter[2:]
	for skipped := 0; skipped <= maxPreamble; {
		line, err := r.line(maxPreamble)
		if err != nil {
			return err
		}
		text := bytes.TrimRight(line, " \t\r\n")
		if closing, ok := bytes.CutSuffix(text, []byte("--")); ok && !r.soap && bytes.Equal(closing, want) {
			r.done = true // there are no parts
			return r.epilogue()
		}
		if bytes.Equal(text, want) {
			if !bytes.HasSuffix(line, []byte("\r\n")) {
				r.delimiter = r.delimiter[1:]
			}
			return nil
		}
		skipped += len(line)
	}
	return &FormatError{"the first boundary is missing"}
}

// Next skips what is left of the present part and returns the next one, or io.EOF after the closing boundary.
func (r *Reader) Next() (*Part, error) {
	if r.part != nil {
		if _, err := r.part.WriteTo(io.Discard); err != nil {
			return nil, err
		}
		r.part = nil
	}
	if r.done {
		return nil, io.EOF
	}
	// QUIRK: a last boundary without its "--" (ITI TF-2: V.9.3.2). If the end of a torn message looks so, a part
	// that the envelope refers to is missing.
	if r.soap && r.parts > 0 && r.fill(1) == 0 && r.err == io.EOF {
		r.done = true
		return nil, io.EOF
	}
	if r.parts++; r.parts > r.limits.Parts {
		return nil, &FormatError{fmt.Sprintf("more than %d parts", r.limits.Parts)}
	}
	header, err := r.header()
	if err != nil {
		return nil, err
	}
	switch e := strings.ToLower(header.Get("Content-Transfer-Encoding")); e {
	case "", "binary", "8bit", "7bit":
	default:
		// The bytes would have to be decoded; no MTOM peer sends this, and a wrong guess alters a document.
		return nil, &FormatError{"a part has a Content-Transfer-Encoding other than binary, 8bit or 7bit"}
	}
	p := &Part{ContentType: header.Get("Content-Type"), ContentID: CleanID(header.Get("Content-Id")), Size: -1, r: r}
	r.part = p
	if !r.soap {
		return p, nil
	}
	if p.ContentID == "" && r.parts > 1 {
		return nil, &FormatError{"a part has no Content-ID"}
	}
	if r.seen[p.ContentID] {
		return nil, &FormatError{"two parts have the same Content-ID"}
	}
	r.seen[p.ContentID] = true
	return p, nil
}

// header reads the headers of a part and the empty line after them.
func (r *Reader) header() (textproto.MIMEHeader, error) {
	h := textproto.MIMEHeader{}
	var last string
	for left := r.limits.HeaderBytes; ; {
		line, err := r.line(left)
		if err != nil {
			return nil, err
		}
		left -= len(line)
		text := strings.TrimRight(string(line), " \t\r\n") // QUIRK: lines end with blanks (tk2-http-mtom-pnr)
		if text == "" {
			return h, nil
		}
		if text[0] == ' ' || text[0] == '\t' { // QUIRK: folded lines. RFC 5322 section 2.2.3
			if last == "" {
				return nil, &FormatError{"the headers of a part begin with a folded line"}
			}
			h.Set(last, h.Get(last)+" "+strings.TrimLeft(text, " \t"))
			continue
		}
		name, value, ok := strings.Cut(text, ":")
		if !ok || name == "" || strings.ContainsAny(name, " \t") {
			return nil, &FormatError{"a part has a header line without a name"}
		}
		last = textproto.CanonicalMIMEHeaderKey(name)
		if _, twice := h[last]; twice {
			return nil, &FormatError{"a part has a header twice"}
		}
		h.Set(last, strings.TrimSpace(value))
	}
}

// line returns the next line with its end, which must come within limit bytes. It is valid until the next read.
func (r *Reader) line(limit int) ([]byte, error) {
	for n := 0; ; {
		if i := bytes.IndexByte(r.buf[r.r+n:r.w], '\n'); i >= 0 && n+i < limit {
			line := r.buf[r.r : r.r+n+i+1]
			r.r += len(line)
			return line, nil
		}
		if n = r.w - r.r; n >= limit {
			return nil, &FormatError{fmt.Sprintf("a line or the headers of a part have more than %d bytes", limit)}
		}
		if r.fill(n+1) <= n {
			return nil, r.ended()
		}
	}
}

// fill tries to have at least n bytes in the buffer, n being far less than its size, and returns how many
// there are. It reads no more often than needed, so that a slow peer's bytes pass on as they come.
func (r *Reader) fill(n int) int {
	for empty := 0; r.w-r.r < n && r.err == nil; {
		if r.r > 0 { // what is left is less than n, so this moves little
			r.w = copy(r.buf, r.buf[r.r:r.w])
			r.r = 0
		}
		if r.full && len(r.buf) < bufferSize {
			r.buf = append(make([]byte, 0, bufferSize), r.buf[:r.w]...)[:bufferSize]
		}
		k, err := r.src.Read(r.buf[r.w:])
		if r.total += int64(k); r.limits.Bytes > 0 && r.total > r.limits.Bytes {
			r.err = &FormatError{fmt.Sprintf("the message has more than %d bytes", r.limits.Bytes)}
			break
		}
		r.w += k
		r.full = r.w == len(r.buf)
		r.err = err
		if empty++; k > 0 {
			empty = 0
		} else if empty > 100 && err == nil {
			r.err = io.ErrNoProgress
		}
	}
	return r.w - r.r
}

// ended is the error for a message that ends where it must not.
func (r *Reader) ended() error {
	if errors.Is(r.err, io.EOF) {
		return errTruncated
	}
	return fmt.Errorf("mtom: reading the message: %w", r.err)
}

// CleanID returns the Content-ID that a header, a start parameter or a cid URL stands for: without angle brackets
// and percent-encoding. Those of a message are compared in this form.
//
// QUIRK: peers write one place with brackets and the other without (spec-iti43-response-mtom-optimised), and
// percent-encode none (Axis2), the URL (WCF), or the header too (CXF).
func CleanID(id string) string {
	id = strings.TrimSpace(id)
	if strings.HasPrefix(id, "<") && strings.HasSuffix(id, ">") && len(id) >= 2 {
		id = id[1 : len(id)-1]
	}
	if plain, err := url.PathUnescape(id); err == nil {
		return plain
	}
	return id
}
