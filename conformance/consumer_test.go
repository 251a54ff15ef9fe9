package conformance

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"
)

func TestConsumerRetrieves(t *testing.T) {
	f := newFixture(t, nil)
	var got bytes.Buffer
	c := &Consumer{HTTP: NewHTTPClient(f.target.ConsumerTLS), Body: func(d Document) io.Writer {
		fmt.Fprintf(&got, "%s %s:", d.DocumentUniqueID, d.MimeType)
		return &got
	}}
	a, err := c.Retrieve(context.Background(), f.target.ConsumerURL, f.target.ref(studyID), f.target.ref(secretID))
	if err != nil {
		t.Fatal(err)
	}
	if want := studyID + " application/zip:PK\x03\x04 a study"; got.String() != want {
		t.Errorf("got %q, want %q", got.String(), want)
	}
	if a.Status != StatusPartialSuccess || len(a.Documents) != 1 || a.Documents[0].Size != 12 || a.Documents[0].Inline {
		t.Errorf("got %+v", a)
	}
	want := RegistryError{codeDocumentUniqueID, codeDocumentUniqueID + ": not available", severityError, secretID}
	if len(a.Errors) != 1 || a.Errors[0] != want {
		t.Errorf("got %+v, want %+v", a.Errors, want)
	}
	if err := a.Success(); err == nil || !strings.Contains(err.Error(), codeDocumentUniqueID) {
		t.Errorf("Success: got %v", err)
	}
	if !bytes.HasPrefix(a.RawEnvelope, []byte("<s:Envelope")) {
		t.Errorf("raw envelope: got %.20q", a.RawEnvelope)
	}
}

func TestConsumerFault(t *testing.T) {
	f := newFixture(t, nil)
	c := &Consumer{HTTP: NewHTTPClient(f.target.SourceTLS)}
	a, err := c.Retrieve(context.Background(), f.target.SourceURL, f.target.ref(studyID)) // unsigned
	var fault *Fault
	if a != nil || !errors.As(err, &fault) || fault.Code != "Sender" || fault.HTTPStatus != http.StatusBadRequest {
		t.Errorf("got %v, %v", a, err)
	}
}

// raw answers every request with the same bytes.
func raw(t *testing.T, contentType, body string, header ...string) string {
	t.Helper()
	ts := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", contentType)
		for i := 0; i+1 < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		io.WriteString(w, body)
	}))
	t.Cleanup(ts.Close)
	return ts.URL
}

// An answer with one document of five bytes, for tests to spoil.
const (
	wholeType     = `multipart/related; boundary="b"; type="application/xop+xml"; start="<r>"; start-info="application/soap+xml"`
	wholeEnvelope = `<s:Envelope xmlns:s="` + nsSOAP + `"><s:Header/><s:Body><x:RetrieveDocumentSetResponse xmlns:x="` + nsXDSB + `"><r:RegistryResponse xmlns:r="` + nsRS + `" status="` + StatusSuccess + `"/><x:DocumentResponse><x:RepositoryUniqueId>1.2</x:RepositoryUniqueId><x:DocumentUniqueId>1.3</x:DocumentUniqueId><x:mimeType>text/plain</x:mimeType><x:Document><i:Include xmlns:i="` + nsXOP + `" href="cid:d"/></x:Document></x:DocumentResponse></x:RetrieveDocumentSetResponse></s:Body></s:Envelope>`
	wholeRoot     = "--b\r\nContent-Type: application/xop+xml; charset=UTF-8; type=\"application/soap+xml\"\r\nContent-Transfer-Encoding: binary\r\nContent-ID: <r>\r\n\r\n" + wholeEnvelope
	wholePart     = "\r\n--b\r\nContent-Type: text/plain\r\nContent-Transfer-Encoding: binary\r\nContent-ID: <d>\r\n\r\nhello"
	wholeBody     = wholeRoot + wholePart + "\r\n--b--\r\n"
)

// TestConsumerTruncated: wherever an answer stops, chunked or not, it is an error that says so.
func TestConsumerTruncated(t *testing.T) {
	c := &Consumer{HTTP: NewHTTPClient(nil)}
	ref := DocumentRef{RepositoryUniqueID: "1.2", DocumentUniqueID: "1.3"}
	_, err := c.Retrieve(context.Background(), raw(t, wholeType, wholeBody), ref)
	var packaging *PackagingError
	if !errors.As(err, &packaging) || len(packaging.Broken) != 2 { // it has no Action and no RelatesTo
		t.Fatalf("the whole answer: %v", err)
	}
	// From the middle of the envelope to the last dash of the closing boundary.
	for cut := len(wholeRoot) / 2; cut < len(wholeBody)-len("\r\n"); cut++ {
		_, err := c.Retrieve(context.Background(), raw(t, wholeType, wholeBody[:cut]), ref)
		if err == nil || errors.As(err, &packaging) {
			t.Fatalf("cut at %d of %d: got %v", cut, len(wholeBody), err)
		}
		if cut > len(wholeRoot)+20 && !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("cut at %d of %d: got %v, want io.ErrUnexpectedEOF", cut, len(wholeBody), err)
		}
	}
}

// TestConsumerAborted: a server that aborts the connection within a document, as ours does when its archive
// fails, is an error and not a short document.
func TestConsumerAborted(t *testing.T) {
	for name, length := range map[string]string{"chunked": "", "with Content-Length": fmt.Sprint(len(wholeBody))} {
		ts := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", wholeType)
			if length != "" {
				w.Header().Set("Content-Length", length)
			}
			io.WriteString(w, wholeRoot+wholePart[:len(wholePart)-2])
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		}))
		var got bytes.Buffer
		c := &Consumer{HTTP: NewHTTPClient(nil), Body: func(Document) io.Writer { return &got }}
		a, err := c.Retrieve(context.Background(), ts.URL, DocumentRef{RepositoryUniqueID: "1.2", DocumentUniqueID: "1.3"})
		ts.Close()
		if !errors.Is(err, io.ErrUnexpectedEOF) || a == nil {
			t.Errorf("%s: got %v, %v after %q, want io.ErrUnexpectedEOF", name, a, err, got.String())
		}
	}
}

func TestConsumerAnswers(t *testing.T) {
	simple := strings.Replace(wholeEnvelope, `<i:Include xmlns:i="`+nsXOP+`" href="cid:d"/>`, "aGVs\n bG8=", 1)
	for _, c := range []struct {
		name, contentType, body string
		want                    string // in the error
		got                     string // bytes delivered
	}{
		{"whole", wholeType, wholeBody, "ENG-02", "hello"},
		{"inline", mediaSOAP, simple, "ENG-01: expected MTOM", "hello"},
		{"inline in multipart", wholeType, strings.Replace(wholeRoot, wholeEnvelope, simple, 1) + "\r\n--b--", "ENG-02", "hello"},
		{"bad base64", mediaSOAP, strings.Replace(simple, "aGVs", "*", 1), "not base64", ""},
		{"two includes", wholeType, strings.Replace(wholeBody, "</x:Document>", `<i:Include xmlns:i="`+nsXOP+`" href="cid:d"/></x:Document>`, 1), "2 xop:Include", ""},
		{"no part", wholeType, wholeRoot + "\r\n--b--", `refers to part "d", which never came`, ""},
		{"other part", wholeType, strings.Replace(wholeBody, "Content-ID: <d>", "Content-ID: <e>", 1), `refers to part "d", which never came`, ""},
		{"href without cid", wholeType, strings.Replace(wholeBody, "cid:d", "d", 1), "want cid: before", ""},
		{"no boundary", "multipart/related", wholeBody, "without a boundary", ""},
		{"no part at all", wholeType, "--b--", "no part", ""},
		{"ends after a boundary", wholeType, wholeRoot + wholePart + "\r\n--b\r\n", "does not end with the closing boundary", "hello"},
		{"long epilogue", wholeType, wholeBody + strings.Repeat("x", maxTail), "does not end with the closing boundary", "hello"},
		{"short epilogue", wholeType, wholeBody + "x", "V.9.3-CLOSE: expected nothing after the closing boundary, got 3 bytes", "hello"},
		{"most parts", wholeType, wholeRoot + wholePart + strings.Repeat("\r\n--b\r\n\r\n", maxParts-2) + "\r\n--b--", "VAL-MTOM-01", "hello"},
		{"too many parts", wholeType, wholeRoot + wholePart + strings.Repeat("\r\n--b\r\n\r\n", maxParts-1) + "\r\n--b--", "more than", "hello"},
		{"not SOAP", "text/html", "<h1>teapot</h1>", `HTTP 200 with "text/html" instead of a SOAP message: "<h1>teapot</h1>"`, ""},
		{"other payload", mediaSOAP, strings.ReplaceAll(simple, "RetrieveDocumentSetResponse", "Other"), "Body holds <Other>", ""},
		{"not XML", mediaSOAP, "<a>", "not well-formed", ""},
		{"too deep", mediaSOAP, strings.Repeat("<a>", maxDepth+2) + strings.Repeat("</a>", maxDepth+2), "not well-formed", ""},
		{"too large", mediaSOAP, strings.Repeat(" ", maxEnvelope+1), "larger than", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got bytes.Buffer
			consumer := &Consumer{HTTP: NewHTTPClient(nil), Body: func(Document) io.Writer { return &got }}
			_, err := consumer.Retrieve(context.Background(), raw(t, c.contentType, c.body), DocumentRef{RepositoryUniqueID: "1.2", DocumentUniqueID: "1.3"})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q in it", err, c.want)
			}
			if got.String() != c.got {
				t.Errorf("got %q, want %q", got.String(), c.got)
			}
		})
	}
}

// TestConsumerCancelled: a context that ends within a document is told apart from an answer that is whole.
func TestConsumerCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	release := make(chan struct{})
	ts := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", wholeType)
		io.WriteString(w, wholeRoot+wholePart)
		w.(http.Flusher).Flush()
		<-release
	}))
	defer ts.Close()
	defer close(release)
	c := &Consumer{HTTP: NewHTTPClient(nil), Body: func(Document) io.Writer { cancel(); return io.Discard }}
	_, err := c.Retrieve(ctx, ts.URL, DocumentRef{RepositoryUniqueID: "1.2", DocumentUniqueID: "1.3"})
	if !errors.Is(err, context.Canceled) || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("got %v, want both context.Canceled and io.ErrUnexpectedEOF", err)
	}
}

// TestConsumerWriterFails: an error of the caller's writer comes back, and nothing hangs.
func TestConsumerWriterFails(t *testing.T) {
	full := errors.New("disk full")
	c := &Consumer{HTTP: NewHTTPClient(nil), Body: func(Document) io.Writer { return failing{full} }}
	if _, err := c.Retrieve(context.Background(), raw(t, wholeType, wholeBody), DocumentRef{}); !errors.Is(err, full) {
		t.Errorf("got %v, want %v", err, full)
	}
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }

func TestConsumerNeedsClient(t *testing.T) {
	if _, err := new(Consumer).Retrieve(context.Background(), "http://localhost", DocumentRef{}); err == nil {
		t.Error("want an error")
	}
}

// TestConsumerStreams: a document of 1 GiB (64 MiB in short mode) goes through in bounded memory, and each byte.
func TestConsumerStreams(t *testing.T) {
	size := int64(1 << 30)
	if testing.Short() || raceEnabled {
		size = 64 << 20
	}
	ts := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		head, end := wholeRoot+strings.TrimSuffix(wholePart, "hello"), "\r\n--b--\r\n"
		w.Header().Set("Content-Type", wholeType)
		w.Header().Set("Content-Length", fmt.Sprint(int64(len(head))+size+int64(len(end))))
		io.WriteString(w, head)
		io.Copy(w, io.LimitReader(&ramp{}, size))
		io.WriteString(w, end)
	}))
	defer ts.Close()
	sum := &peak{Hash: crc32.NewIEEE()}
	c := &Consumer{HTTP: NewHTTPClient(nil), Body: func(Document) io.Writer { return sum }}
	runtime.GC() // of what other tests have left
	start := time.Now()
	a, err := c.Retrieve(context.Background(), ts.URL, DocumentRef{RepositoryUniqueID: "1.2", DocumentUniqueID: "1.3"})
	elapsed := time.Since(start)
	var packaging *PackagingError
	if err != nil && !errors.As(err, &packaging) {
		t.Fatal(err)
	}
	want := crc32.NewIEEE()
	io.Copy(want, io.LimitReader(&ramp{}, size))
	if a.Documents[0].Size != size || !bytes.Equal(sum.Sum(nil), want.Sum(nil)) {
		t.Errorf("got %d bytes, or others than were sent; want %d", a.Documents[0].Size, size)
	}
	const bound = 32 << 20
	if sum.heap > bound {
		t.Errorf("the heap grew to %d bytes, want at most %d", sum.heap, int64(bound))
	}
	t.Logf("%d MiB in %v with CRC-32, heap at most %.1f MiB", size>>20, elapsed.Round(time.Millisecond), float64(sum.heap)/(1<<20))
}

// ramp is an endless source of bytes with a period of 251, a prime, so that blocks that are lost, doubled or moved
// show.
type ramp struct{ at int }

var rampTable = func() []byte {
	b := make([]byte, 251*1024)
	for i := range b {
		b[i] = byte(i % 251)
	}
	return b
}()

func (r *ramp) Read(p []byte) (int, error) {
	n := copy(p, rampTable[r.at%251:])
	r.at += n
	return n, nil
}

// peak hashes, and looks at the heap every 16 MiB.
type peak struct {
	hash.Hash
	n    int64
	heap uint64
}

func (p *peak) Write(b []byte) (int, error) {
	if p.n>>24 != (p.n+int64(len(b)))>>24 {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		p.heap = max(p.heap, m.HeapAlloc)
	}
	p.n += int64(len(b))
	return p.Hash.Write(b)
}

// FuzzAnswer: whatever a server sends, reading it ends, without a panic and within its bounds.
func FuzzAnswer(f *testing.F) {
	f.Add(wholeType, wholeBody)
	f.Add(mediaSOAP, wholeEnvelope)
	f.Add(mediaSOAP, `<s:Envelope xmlns:s="`+nsSOAP+`"><s:Body><s:Fault><s:Code><s:Value>s:Sender</s:Value></s:Code></s:Fault></s:Body></s:Envelope>`)
	f.Add(`multipart/related; boundary=b; start=";`, "--b\r\n\r\n<a/>\r\n--b--")
	f.Fuzz(func(t *testing.T, contentType, body string) {
		ref := DocumentRef{RepositoryUniqueID: "1.2", DocumentUniqueID: "1.3"}
		x := &exchange{sent: newMessage("http://localhost", ref), status: 200, header: http.Header{"Content-Type": {contentType}}, length: -1}
		var n int64
		err := x.readEntity(strings.NewReader(body), func(Document) io.Writer { return io.Discard })
		if x.outcome() != nil || err != nil {
			return
		}
		for _, d := range x.answer.Documents {
			n += d.Size
		}
		if n > int64(len(body)) {
			t.Errorf("%d bytes of documents came out of %d", n, len(body))
		}
		for _, r := range rules {
			r.judge(x)
		}
	})
}
