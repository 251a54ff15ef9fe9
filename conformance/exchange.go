package conformance

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"time"

	"github.com/beevik/etree"
)

// exchange is one request and all that came back, except the bytes of documents.
type exchange struct {
	sent    *message
	status  int
	header  http.Header
	length  int64 // Content-Length, -1 if the answer had none
	read    int64 // bytes of the entity
	media   string
	params  map[string]string // of the Content-Type
	parts   []part            // of a multipart answer, the root first
	after   int               // bytes after the closing boundary
	raw     []byte            // the envelope, or the start of whatever came instead
	root    *etree.Element    // the Envelope, nil if raw is not XML
	fault   *Fault            // set if the Body holds one
	answer  *Answer           // set if the Body holds the element that answers
	elapsed time.Duration
}

// part is one body part of a multipart answer.
type part struct {
	header textproto.MIMEHeader
	size   int64
}

// HTTPError is an answer that is no SOAP message.
type HTTPError struct {
	Status      int
	ContentType string
	Body        string // its start
}

// Error names the status and shows the start of the body.
func (e *HTTPError) Error() string {
	return fmt.Sprintf("HTTP %d with %q instead of a SOAP message: %.200q", e.Status, e.ContentType, e.Body)
}

// send posts a message and reads the answer to its end. Documents go to deliver as they come. The exchange is
// nil only if no HTTP answer came; an error beside an exchange says that the answer broke off or cannot be read.
func send(ctx context.Context, client *http.Client, url string, m *message, deliver func(Document) io.Writer) (*exchange, error) {
	if client == nil {
		return nil, errors.New("the consumer has no HTTP client; make one with NewHTTPClient")
	}
	contentType, body, err := m.encode()
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, body)
	if err != nil {
		return nil, fmt.Errorf("building the request: %w", err)
	}
	req.Header.Set("Content-Type", contentType)
	for name, value := range m.wrap.header {
		req.Header.Set(name, value)
	}
	start := time.Now()
	resp, err := client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("sending the request: %w", err)
	}
	defer resp.Body.Close()
	x := &exchange{sent: m, status: resp.StatusCode, header: resp.Header, length: resp.ContentLength}
	err = x.readEntity(resp.Body, deliver)
	x.elapsed = time.Since(start)
	return x, err
}

// readEntity reads the answer, multipart or not, to its end.
func (x *exchange) readEntity(body io.Reader, deliver func(Document) io.Writer) error {
	counted := &counter{r: body}
	defer func() { x.read = counted.n }()
	var err error
	// A Content-Type that cannot be parsed is for the rules to complain about; one with a stray semicolon
	// at its end, which real repositories send, parses.
	x.media, x.params, err = mime.ParseMediaType(x.header.Get("Content-Type"))
	if err != nil && !errors.Is(err, mime.ErrInvalidMediaParameter) {
		x.media, x.params = "", nil
	}
	switch x.media {
	case mediaMultipart:
		return x.readParts(counted, deliver)
	case mediaSOAP, mediaXOP, "text/xml", "application/xml":
		if err := x.readEnvelope(counted); err != nil {
			return err
		}
		return x.deliverInline(deliver)
	}
	x.raw, err = io.ReadAll(io.LimitReader(counted, maxErrorBody))
	return err
}

// readParts reads a multipart answer. The root part comes first, whatever the start parameter says: a consumer
// that streams has no other choice, and every known repository sends it so.
func (x *exchange) readParts(body *counter, deliver func(Document) io.Writer) error {
	if x.params["boundary"] == "" {
		return errors.New("the answer is multipart/related without a boundary parameter")
	}
	closing := "--" + x.params["boundary"] + "--"
	buffer := make([]byte, copyBuffer)
	parts := multipart.NewReader(body, x.params["boundary"])
	for {
		p, err := parts.NextRawPart()
		if err == io.EOF { // exactly, for a wrapped one means that the closing boundary is missing
			break
		}
		if err != nil {
			// A header that ends in the middle is called malformed by the library; the cause is the end.
			if body.ended && body.after(closing) == maxTail {
				err = io.ErrUnexpectedEOF
			}
			return fmt.Errorf("after %d parts of the answer, looking for the next boundary: %w", len(x.parts), unexpected(err))
		}
		if len(x.parts) == maxParts {
			return fmt.Errorf("the answer has more than %d parts", maxParts)
		}
		var size int64
		if len(x.parts) == 0 {
			if err = x.readEnvelope(p); err == nil {
				err = x.deliverInline(deliver)
			}
			size = int64(len(x.raw))
		} else {
			size, err = x.deliverPart(p, deliver, buffer)
		}
		x.parts = append(x.parts, part{header: p.Header, size: size})
		if err != nil {
			return fmt.Errorf("part %d of the answer: %w", len(x.parts), err)
		}
	}
	if len(x.parts) == 0 {
		return errors.New("the multipart answer has no part")
	}
	// Reading to the end makes net/http compare the bytes with Content-Length, or look for the last chunk.
	var err error
	if _, err = io.Copy(io.Discard, io.LimitReader(body, maxEpilogue)); err != nil {
		return fmt.Errorf("after the closing boundary: %w", unexpected(err))
	}
	// The library takes a stream that ends after any boundary for a whole one, so look for ourselves.
	if x.after = body.after(closing); x.after == maxTail {
		return fmt.Errorf("the answer does not end with the closing boundary: %w", io.ErrUnexpectedEOF)
	}
	return x.missing()
}

// readEnvelope reads and parses the envelope and what its Body holds.
func (x *exchange) readEnvelope(r io.Reader) error {
	raw, err := io.ReadAll(io.LimitReader(r, maxEnvelope+1))
	x.raw = raw
	if err != nil {
		return fmt.Errorf("reading the envelope: %w", unexpected(err))
	}
	if len(raw) > maxEnvelope {
		return fmt.Errorf("the envelope is larger than %d bytes", maxEnvelope)
	}
	doc := etree.NewDocument()
	doc.ReadSettings = etree.ReadSettings{ValidateInput: true, PreserveDuplicateAttrs: true, MaxDepth: maxDepth}
	// White space may follow the root, which etree's validation does not know.
	if err := doc.ReadFromBytes(bytes.TrimSpace(raw)); err != nil || doc.Root() == nil {
		return fmt.Errorf("the envelope is not well-formed XML (HTTP %d): %w", x.status, errors.Join(err))
	}
	x.root = doc.Root()
	payload := x.payload()
	switch {
	case is(payload, nsSOAP, "Fault"), is(payload, nsSOAP11, "Fault"):
		x.fault = readFault(payload, x.status)
	case is(payload, x.sent.tx.space, x.sent.tx.response):
		if x.answer, err = readAnswer(payload); err != nil {
			return err
		}
		x.answer.RawEnvelope = raw
	}
	return nil
}

// deliverInline hands over the documents that stand in the envelope.
func (x *exchange) deliverInline(deliver func(Document) io.Writer) error {
	if x.answer == nil {
		return nil
	}
	for i := range x.answer.Documents {
		d := &x.answer.Documents[i]
		if !d.Inline {
			continue
		}
		n, err := destination(deliver, *d).Write(d.inline)
		d.Size, d.got, d.inline = int64(n), true, nil
		if err != nil {
			return fmt.Errorf("writing document %d: %w", i+1, err)
		}
	}
	return nil
}

// deliverPart hands over the document whose xop:Include names p. A part that nothing names is read over.
func (x *exchange) deliverPart(p *multipart.Part, deliver func(Document) io.Writer, buffer []byte) (int64, error) {
	id := unbracket(p.Header.Get("Content-ID"))
	if x.answer != nil && id != "" {
		for i := range x.answer.Documents {
			d := &x.answer.Documents[i]
			if d.Inline || d.got || d.cid != id {
				continue
			}
			n, err := io.CopyBuffer(struct{ io.Writer }{destination(deliver, *d)}, p, buffer)
			d.Size = n
			if err != nil {
				return n, fmt.Errorf("document %d broke off after %d bytes: %w", i+1, n, unexpected(err))
			}
			d.got = true
			return n, nil
		}
	}
	n, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, p, buffer)
	return n, unexpected(err)
}

// missing returns an error if a document was announced and its bytes never came.
func (x *exchange) missing() error {
	if x.answer == nil {
		return nil
	}
	for i, d := range x.answer.Documents {
		if !d.got {
			return fmt.Errorf("document %d of the answer refers to part %q, which never came: %w", i+1, d.cid, io.ErrUnexpectedEOF)
		}
	}
	return nil
}

// payload returns the first child element of the Body, nil if there is none.
func (x *exchange) payload() *etree.Element {
	for _, space := range []string{nsSOAP, nsSOAP11} {
		if b := elements(child(x.root, space, "Body")); len(b) > 0 {
			return b[0]
		}
	}
	return nil
}

// registryResponse returns the element that has the status and the error list: a RegistryResponse, or the
// AdhocQueryResponse, which is one by extension. Nil if there is none.
func (x *exchange) registryResponse() *etree.Element { return registryResponse(x.payload()) }

func registryResponse(payload *etree.Element) *etree.Element {
	if is(payload, nsXDSB, "RetrieveDocumentSetResponse") {
		return child(payload, nsRS, "RegistryResponse")
	}
	return payload
}

// addressing returns the WS-Addressing header blocks of that name.
func (x *exchange) addressing(name string) []*etree.Element {
	return children(child(x.root, nsSOAP, "Header"), nsWSA, name)
}

// multipart reports whether the answer is MTOM-packaged.
func (x *exchange) multipart() bool { return x.media == mediaMultipart }

// outcome returns nil if the element that answers came, else what came as an error.
func (x *exchange) outcome() error {
	switch {
	case x.fault != nil:
		return x.fault
	case x.answer != nil:
		return nil
	case x.root != nil:
		return fmt.Errorf("HTTP %d with an envelope whose Body holds %s", x.status, describe(x.payload()))
	}
	return &HTTPError{Status: x.status, ContentType: x.header.Get("Content-Type"), Body: string(x.raw[:min(len(x.raw), maxErrorBody)])}
}

// describe names an element for a person.
func describe(e *etree.Element) string {
	if e == nil {
		return "no element"
	}
	return fmt.Sprintf("<%s> of namespace %q", e.Tag, e.NamespaceURI())
}

// destination returns where the bytes of d go; nowhere if the caller does not want them.
func destination(deliver func(Document) io.Writer, d Document) io.Writer {
	if deliver != nil {
		d.inline = nil
		if w := deliver(d); w != nil {
			return w
		}
	}
	return io.Discard
}

// unexpected turns the end of the stream, where more must come, into io.ErrUnexpectedEOF.
func unexpected(err error) error {
	if errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// counter counts the bytes that are read through it, and keeps the last of them. Whatever stops it before the end
// of the stream is io.ErrUnexpectedEOF, along with its cause.
type counter struct {
	r     io.Reader
	n     int64
	tail  []byte // at most maxTail
	ended bool   // r has come to its end
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	last := p[max(0, n-maxTail):n]
	if over := len(c.tail) + len(last) - maxTail; over > 0 {
		c.tail = c.tail[:copy(c.tail, c.tail[over:])]
	}
	c.tail = append(c.tail, last...)
	c.ended = c.ended || err == io.EOF
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		err = fmt.Errorf("%w: %w", io.ErrUnexpectedEOF, err) // a reset connection, a context that ended
	}
	return n, err
}

// after returns the number of bytes after the last mark, maxTail if it is further back than that. It is needed
// because multipart.Reader reads ahead and does not tell how far.
func (c *counter) after(mark string) int {
	i := bytes.LastIndex(c.tail, []byte(mark))
	if i < 0 {
		return maxTail
	}
	return len(c.tail) - i - len(mark)
}
