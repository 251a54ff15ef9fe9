package xds

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"

	"collimate/soap"
	"collimate/soap/mtom"
	"collimate/xds/metadata"
	"collimate/xua"
)

// provideRequest returns the payload of an ITI-41 with these Document elements.
func provideRequest(o *metadata.Objects, documents ...string) string {
	return `<x:ProvideAndRegisterDocumentSetRequest xmlns:x="` + NSXDSb + `">` + string(metadata.AppendSubmission(nil, o)) +
		strings.Join(documents, "") + `</x:ProvideAndRegisterDocumentSetRequest>`
}

func documentElement(id, content string) string {
	return `<x:Document id="` + id + `">` + content + `</x:Document>`
}

func includeOf(id string) string { return strings.Replace(includeOne, "cid:1", "cid:"+id, 1) }

// mtomMessage returns a message in MTOM with these parts after the root, each "id|body".
func mtomMessage(t testing.TB, action, payload string, parts ...string) string {
	t.Helper()
	envelope := soap.Envelope{Action: action, MessageID: "urn:uuid:1", Payload: []byte(payload)}
	root, err := envelope.Marshal(nil)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	w := mtom.NewWriter(&b, "b")
	w.Root(root)
	for _, p := range parts {
		id, body, _ := strings.Cut(p, "|")
		w.Part(mtom.Part{ContentID: id, ContentType: "a/b", Size: -1}, strings.NewReader(body))
	}
	w.Close()
	return b.String()
}

// sendTo posts a message to a handler and returns the answer.
func sendTo(h http.Handler, contentType, body string) (status int, answer string) {
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
	r.Header.Set("Content-Type", contentType)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Code, w.Body.String()
}

// outcome says in short what an answer is: the codes of its errors, "" for Success, or the reason of a fault.
func outcome(t testing.TB, status int, answer string) string {
	t.Helper()
	_, envelope, ok := strings.Cut(answer, "<soap:Body>")
	if !ok {
		t.Fatalf("HTTP %d, no answer: %.500s", status, answer)
	}
	body, _, _ := strings.Cut(envelope, "</soap:Body>")
	n := parse(t, body)
	if n.Local() == "Fault" {
		if status < 400 {
			t.Errorf("HTTP %d with a fault", status)
		}
		_, reason, _ := strings.Cut(body, `xml:lang="en">`)
		reason, _, _ = strings.Cut(reason, "<")
		return "fault: " + reason
	}
	if r, ok := n.Child(metadata.NSRS, "RegistryResponse"); ok {
		n = r
	}
	got, errs, err := metadata.ParseStatus(n)
	if err != nil || status != http.StatusOK {
		t.Errorf("HTTP %d, error %v in %s", status, err, body)
	}
	if len(errs) == 0 {
		return ""
	}
	s := codes(errs)
	if got == Success {
		s = "warning " + s
	}
	return s
}

// filler is a part that is too large to be held.
var filler = "filler|" + strings.Repeat("filler", 300_000)

// Each message comes once as one that is held whole, and once as a stream, as there is an attachment before the others
// that nothing refers to and that is too large.
func TestProvide(t *testing.T) {
	hashed := entry(1)
	hashed.Hash = strings.Repeat("0", 40)
	missized := entry(1)
	missized.Size = "4"
	right := entry(1)
	right.Hash, right.Size = "3C01BDBB26F358BAB27F267924AA2C9A03FCFDB8", "3" // of ABC
	one := func(e metadata.DocumentEntry, content string, parts ...string) []string {
		return append([]string{provideRequest(submission(1, e), documentElement("Document1", content))}, parts...)
	}
	two := func(documents string, parts ...string) []string {
		return append([]string{provideRequest(submission(1, entry(1), entry(2)), documents)}, parts...)
	}
	first, second := documentElement("Document1", includeOf("a")), documentElement("Document2", includeOf("b"))
	tests := []struct {
		name    string
		message []string // payload, and parts
		want    string   // codes, or the beginning of what outcome returns for a fault
	}{
		{"inline", one(entry(1), "QUJD"), ""},
		{"inline with blanks", one(entry(1), "\n QU\n JD "), ""},
		{"attached", one(entry(1), includeOf("a"), "a|ABC"), ""},
		{"attached, blanks around the Include", one(entry(1), "\n "+includeOf("a")+"\n", "a|ABC"), ""},
		{"percent-encoded", one(entry(1), includeOf("a%40urn%3Ab"), "a@urn:b|ABC"), ""},
		{"with hash and size", one(right, includeOf("a"), "a|ABC"), ""},
		{"one inline, one attached", two(first+documentElement("Document2", "REVG"), "a|ABC"), ""},
		{"in another order", two(second+first, "a|ABC", "b|DEF"), ""},
		{"parts in another order", two(first+second, "b|DEF", "a|ABC"), ""},
		{"an attachment that no Document refers to", one(entry(1), includeOf("a"), "x|ABC", "a|ABC", "y|ABC"), ""},
		{"documents before the metadata", []string{strings.Replace(provideRequest(submission(1, entry(1))), `">`, `">`+documentElement("Document1", "QUJD"), 1)}, ""},
		{"id in upper case", []string{strings.ReplaceAll(provideRequest(submission(1, entry(1)), documentElement("URN:UUID:11111111-2222-4333-8444-ABCDEFABCDEF", "QUJD")),
			`"Document1"`, `"urn:uuid:11111111-2222-4333-8444-abcdefabcdef"`)}, ""},

		{"another hash", one(hashed, includeOf("a"), "a|ABC"), "XDSRepositoryMetadataError"},
		{"another size", one(missized, "QUJD"), "XDSRepositoryMetadataError"},
		{"no document", two(first, "a|ABC"), "XDSMissingDocument"},
		{"no documents at all", two(""), "XDSMissingDocument"},
		{"no entry", one(entry(2), "QUJD"), "XDSMissingDocument XDSMissingDocumentMetadata"},
		{"one document too many", []string{provideRequest(submission(1, entry(1)), first+second), "a|ABC", "b|DEF"}, "XDSMissingDocumentMetadata"},
		{"a document without id", []string{provideRequest(submission(1, entry(1)), first+documentElement("", "QUJD")), "a|ABC"}, "XDSMissingDocumentMetadata"},
		{"the same id twice", two(first+second+documentElement("Document1", "QUJD"), "a|ABC", "b|DEF"), "XDSRepositoryMetadataError"},
		{"an empty document", one(entry(1), ""), "XDSRepositoryError"},
		{"an empty attachment", one(entry(1), includeOf("a"), "a|"), "XDSRepositoryError"},
		{"what the metadata lack", one(metadata.DocumentEntry{Object: metadata.Object{ID: "Document1"}, Type: metadata.Stable}, "QUJD"), "XDSRepositoryMetadataError"},

		{"a missing attachment", two(first+second, "a|ABC"), "fault: a"},
		{"two documents in one attachment", two(first+documentElement("Document2", includeOf("a")), "a|ABC"), "fault: "},
		{"two documents in one attachment, as written in two ways", two(first+documentElement("Document2", includeOf("%61")), "a|ABC"), "fault: "},
		{"an attachment twice", one(entry(1), includeOf("a"), "a|ABC", "a|ABC"), "fault: the request is not well-formed MTOM"},
		{"not base64", one(entry(1), "!!"), "fault: Document 1: the content is not base64"},
		{"Include without href", one(entry(1), strings.Replace(includeOne, "href", "ref", 1)), "fault: "},
		{"Include of a URL", one(entry(1), strings.Replace(includeOne, "cid:", "http:", 1)), "fault: "},
		{"two Includes", one(entry(1), includeOf("a")+includeOf("b"), "a|ABC", "b|DEF"), "fault: "},
		{"another element in a Document", one(entry(1), "<y/>"), "fault: Document 1"},
		{"another child", two(first + "<y/>"), "fault: a"},
		{"no metadata", []string{`<x:ProvideAndRegisterDocumentSetRequest xmlns:x="` + NSXDSb + `"/>`}, "fault: "},
		{"another message", []string{retrieveRequest(documentRequest("", "1.2", "1.3"))}, "fault: the child of Body is not a ProvideAndRegisterDocumentSetRequest"},
		{"a registration", []string{string(metadata.AppendSubmission(nil, submission(1)))}, "fault: the child of Body is not a ProvideAndRegisterDocumentSetRequest"},
		{"too many documents", []string{provideRequest(submission(1, entry(1)), strings.Repeat(`<x:Document id="a"/>`, maxDocuments+1))}, "fault: more than 16384 Documents"},
	}
	for _, test := range tests {
		for _, stream := range []bool{false, true} {
			name, parts := test.name, test.message[1:]
			if stream {
				name, parts = name+", as a stream", append([]string{filler}, parts...)
			}
			r := newReference()
			var streamed bool
			h := NewRepositoryHandler(r, r, func(_ context.Context, q *soap.Request) (xua.Caller, error) {
				streamed = q.Attachments != nil
				return xua.Caller{}, nil
			}, Options{})
			status, answer := sendTo(h, mtom.FormatContentType("b", "urn:x"), mtomMessage(t, TransactionOf(ITI41).Action, test.message[0], parts...))
			got := outcome(t, status, answer)
			if fault := strings.HasPrefix(test.want, "fault"); fault && !strings.HasPrefix(got, test.want) || !fault && got != test.want {
				t.Errorf("%s: got %q, want %q", name, got, test.want)
			}
			if status == http.StatusOK && streamed != stream {
				t.Errorf("%s: a stream: %t", name, streamed)
			}
			if n := len(r.objects.Documents); test.want != "" && n > 0 {
				t.Errorf("%s: %d documents are registered", name, n)
			}
			if test.want == "" && string(r.contents["1.2.840.5.1"]) != "ABC" {
				t.Errorf("%s: the document is %q", name, r.contents["1.2.840.5.1"])
			}
		}
	}

	whole := mtomMessage(t, TransactionOf(ITI41).Action, one(entry(1), includeOf("a"))[0], filler, "a|ABC")
	for _, cut := range []int{10, len("\r\n--b--\r\n"), len("C\r\n--b--\r\n"), 1000} {
		r := newReference()
		status, answer := sendTo(NewRepositoryHandler(r, r, nil, Options{}), mtom.FormatContentType("b", "urn:x"), whole[:len(whole)-cut])
		if got := outcome(t, status, answer); got != "fault: the request ends before its closing boundary" || len(r.objects.Documents) > 0 {
			t.Errorf("torn by %d bytes: got %q, %d documents are registered", cut, got, len(r.objects.Documents))
		}
	}
}

// A signature over the Body does not cover what is streamed: then the hashes, which it covers, have to be there.
func TestSignedStream(t *testing.T) {
	hashed := entry(1)
	hashed.Hash = "3c01bdbb26f358bab27f267924aa2c9a03fcfdb8"
	for _, test := range []struct {
		name  string
		entry metadata.DocumentEntry
		tier  xua.Tier
		parts []string
		want  string
	}{
		{"held", entry(1), xua.TierA, []string{"a|ABC"}, ""},
		{"streamed", entry(1), xua.TierA, []string{"a|ABC", filler}, "fault: a signed request of this size needs the hash of each document in its metadata"},
		{"streamed with hash", hashed, xua.TierA, []string{"a|ABC", filler}, ""},
		{"streamed with the hash of another", hashed, xua.TierA, []string{"a|ABD", filler}, "XDSRepositoryMetadataError"},
		{"not signed", entry(1), xua.TierB, []string{"a|ABC", filler}, ""},
	} {
		r := newReference()
		h := NewRepositoryHandler(r, r, func(context.Context, *soap.Request) (xua.Caller, error) { return xua.Caller{Tier: test.tier}, nil }, Options{})
		payload := provideRequest(submission(1, test.entry), documentElement("Document1", includeOf("a")))
		status, answer := sendTo(h, mtom.FormatContentType("b", "urn:x"), mtomMessage(t, TransactionOf(ITI41).Action, payload, test.parts...))
		if got := outcome(t, status, answer); got != test.want {
			t.Errorf("%s: got %q, want %q", test.name, got, test.want)
		}
	}
}

// recipient is a Recipient that does what it is told to.
type recipient func(Incoming) error

func (f recipient) Provide(_ context.Context, _ xua.Caller, _ *metadata.Objects, documents Incoming) error {
	return f(documents)
}

// Who may submit is asked first: what is wrong with a submission is told to them only, as the rest of their stream is read.
func TestProvideRefused(t *testing.T) {
	refused := recipient(func(Incoming) error { return &soap.Fault{Code: soap.Sender, Reason: "no"} })
	taken := recipient(func(d Incoming) error { _, err := drain(d); return err })
	unread := recipient(func(Incoming) error { return nil })
	body := mtomMessage(t, TransactionOf(ITI41).Action, provideRequest(submission(1, entry(1))), filler)
	for _, test := range []struct {
		recipient
		want string
	}{{refused, "fault: no"}, {taken, "XDSMissingDocument"}, {unread, "XDSRepositoryError"}} {
		status, answer := sendTo(NewRepositoryHandler(nil, test.recipient, nil, Options{}), mtom.FormatContentType("b", "urn:x"), body)
		if got := outcome(t, status, answer); got != test.want {
			t.Errorf("got %q, want %q", got, test.want)
		}
	}
}

// drain reads all documents.
func drain(documents Incoming) (n int64, err error) {
	for {
		_, content, err := documents.Next()
		if err == io.EOF {
			return n, nil
		}
		if err != nil {
			return n, err
		}
		k, err := io.Copy(io.Discard, content)
		if n += k; err != nil {
			return n, err
		}
	}
}

// What a recipient returns is what the source gets, and no more than it may know.
func TestRecipientErrors(t *testing.T) {
	secret := errors.New("secret")
	drained := func(err error) recipient {
		return func(d Incoming) error {
			if _, err := drain(d); err != nil {
				return err
			}
			return err
		}
	}
	for _, test := range []struct {
		name  string
		f     recipient
		want  string
		cause bool
	}{
		{"nothing", drained(nil), "", false},
		{"errors", drained(fmt.Errorf("asking: %w", metadata.Errors{{Code: metadata.RegistryBusy, Err: secret}})), "XDSRegistryBusy", false},
		{"one error", drained(fmt.Errorf("asking: %w", &Error{Code: metadata.RepositoryOutOfResources})), "XDSRepositoryOutOfResources", false},
		{"a fault", drained(&soap.Fault{Code: soap.Sender, Reason: "no", Err: secret}), "fault: no", false},
		{"warnings", drained(metadata.Errors{{Code: metadata.ExtraMetadataNotSaved, Severity: SeverityWarning}}), "warning XDSExtraMetadataNotSaved", false},
		{"no errors as an error", drained(metadata.Errors(nil)), "", false},
		{"another error", drained(secret), "XDSRepositoryError", true},
		{"documents left unread", func(Incoming) error { return nil }, "XDSRepositoryError", true},
		{"a document left unread", func(d Incoming) error { _, _, err := d.Next(); return err }, "XDSRepositoryError", true},
	} {
		operation := RepositoryOperations(nil, test.f, nil)[1]
		request := &soap.Request{Payload: parse(t, provideRequest(submission(1, entry(1)), documentElement("Document1", "QUJD"))), MTOM: true}
		response, err := operation.Handle(t.Context(), request)
		var fault *soap.Fault
		switch {
		case errors.As(err, &fault):
			if got := "fault: " + fault.Reason; got != test.want {
				t.Errorf("%s: got %q, want %q", test.name, got, test.want)
			}
			continue
		case err != nil:
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		if got := outcome(t, http.StatusOK, "<soap:Body>"+string(response.Payload)+"</soap:Body>"); got != test.want {
			t.Errorf("%s: got %q, want %q", test.name, got, test.want)
		}
		if (response.Cause != nil) != test.cause || strings.Contains(string(response.Payload), "secret") {
			t.Errorf("%s: cause for the log %v, answer %s", test.name, response.Cause, response.Payload)
		}
	}
}

// incoming is an Incoming of one's own.
type incoming func() (string, io.Reader, error)

func (f incoming) Next() (string, io.Reader, error) { return f() }

// A source that fails sends nothing that could be taken for whole.
func TestTornSubmissions(t *testing.T) {
	c := newCommunity(t)
	broken := errors.New("the disk is broken")
	contents := map[string]string{"Document1": "first", "Document2": "second", "x": "x"}
	sized := entry(1)
	sized.Size = "6"
	for _, test := range []struct {
		name      string
		first     metadata.DocumentEntry
		documents Incoming
		want      string
	}{
		{"a document is missing", entry(1), &batch{[]string{"Document1"}, contents}, "1 documents of the submission did not come"},
		{"a document too many", entry(1), &batch{[]string{"Document1", "Document2", "x"}, contents}, "without an entry"},
		{"a document twice", entry(1), &batch{[]string{"Document1", "Document1"}, contents}, "came twice"},
		{"another size", sized, &batch{[]string{"Document1", "Document2"}, contents}, "5 bytes, 6 were declared"},
		{"an error", entry(1), incoming(func() (string, io.Reader, error) { return "", nil, broken }), "broken"},
		{"an error in a document", entry(1), incoming(func() (string, io.Reader, error) {
			return "Document1", io.MultiReader(strings.NewReader(strings.Repeat("x", 3<<20)), failing{broken}), nil
		}), "broken"},
	} {
		_, err := c.client.Provide(t.Context(), c.repository, submission(1, test.first, entry(2)), test.documents)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: error %v, want %q", test.name, err, test.want)
		}
	}
	if n := len(c.objects.Documents); n > 0 {
		t.Errorf("%d documents are registered", n)
	}
}

type failing struct{ error }

func (f failing) Read([]byte) (int, error) { return 0, f.error }

// zeros is so many bytes.
type zeros struct{ left int64 }

func (z *zeros) Read(b []byte) (int, error) {
	if z.left == 0 {
		return 0, io.EOF
	}
	n := int(min(int64(len(b)), z.left))
	clear(b[:n])
	z.left -= int64(n)
	return n, nil
}

// A document of 500 MB passes through client and server, and no more than some buffers of it are in memory.
func TestProvideMemory(t *testing.T) {
	const size, bound = 500 << 20, 24 << 20
	var peak uint64
	measure := func() {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		peak = max(peak, m.HeapAlloc)
	}
	var got int64
	take := recipient(func(documents Incoming) error {
		for {
			_, content, err := documents.Next()
			if err == io.EOF {
				return nil
			}
			if err != nil {
				return err
			}
			for {
				n, err := io.CopyN(io.Discard, content, 32<<20)
				got += n
				measure()
				if err == io.EOF {
					break
				}
				if err != nil {
					return err
				}
			}
		}
	})
	server := httptest.NewServer(NewRepositoryHandler(nil, take, nil, Options{}))
	defer server.Close()
	sent := false
	one := incoming(func() (string, io.Reader, error) {
		if sent {
			return "", nil, io.EOF
		}
		sent = true
		return "Document1", &zeros{size}, nil
	})
	runtime.GC()
	measure()
	before := peak
	if _, err := new(Client).Provide(t.Context(), server.URL, submission(1, entry(1)), one); err != nil {
		t.Fatal(err)
	}
	if got != size {
		t.Errorf("%d bytes came, want %d", got, size)
	}
	if used := peak - before; used > bound {
		t.Errorf("%d MB in memory", used>>20)
	}
	t.Logf("%.1f MB in memory at the most", float64(peak-before)/(1<<20))
}

// BenchmarkProvide is an ITI-41 of one document of 64 MiB over TLS on loopback, both ends.
func BenchmarkProvide(b *testing.B) {
	const size = 64 << 20
	server := httptest.NewTLSServer(NewRepositoryHandler(nil, recipient(func(d Incoming) error { _, err := drain(d); return err }), nil, Options{}))
	defer server.Close()
	client := &Client{SOAP: &soap.Client{HTTP: server.Client()}}
	b.SetBytes(size)
	b.ReportAllocs()
	for b.Loop() {
		sent := false
		if _, err := client.Provide(b.Context(), server.URL, submission(1, entry(1)), incoming(func() (string, io.Reader, error) {
			if sent {
				return "", nil, io.EOF
			}
			sent = true
			return "Document1", &zeros{size}, nil
		})); err != nil {
			b.Fatal(err)
		}
	}
}

// FuzzProvide: whatever is understood is sent on as the same.
func FuzzProvide(f *testing.F) {
	f.Add(provideRequest(submission(1, entry(1), entry(2)), documentElement("Document1", "QUJD"), documentElement("Document2", includeOf("a%40b"))))
	f.Add(provideRequest(submission(1), documentElement("x", includeOf("a")), documentElement("", "!")))
	f.Fuzz(func(t *testing.T, s string) {
		n, err := parseXML(s)
		if err != nil || n.Local() != "ProvideAndRegisterDocumentSetRequest" {
			return
		}
		o, documents, fault := parseProvide(n)
		if fault != nil {
			if fault.Reason == "" {
				t.Fatal("no reason")
			}
			return
		}
		if len(o.CheckDocuments(documents.ids())) > 0 {
			return
		}
		documents.pending = nil // as if their attachments were there
		if _, err := drain(documents); err != nil {
			var fault *soap.Fault
			var e *Error
			if !errors.As(err, &fault) && !errors.As(err, &e) {
				t.Fatalf("the source is not told of %v", err)
			}
		}
		_, again, fault := parseProvide(parse(t, string(appendProvide(nil, o))))
		if fault != nil || len(again.list) != len(o.Documents) || len(again.pending) != len(o.Documents) {
			t.Fatalf("%d documents became %d, fault %v", len(o.Documents), len(again.list), fault)
		}
	})
}
