package xds

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"collimate/soap"
	"collimate/soap/mtom"
	"collimate/xua"
)

// repository starts a Document Repository over TLS, as it is served.
func repository(t testing.TB, r Repository) (*Client, string) {
	t.Helper()
	h := NewRepositoryHandler(r, nil, func(_ context.Context, q *soap.Request) (xua.Caller, error) {
		if q.TLS == nil || q.MessageID == "" || q.To == "" {
			return xua.Caller{}, &soap.Fault{Code: soap.Sender, Reason: "no TLS, or no addressing"}
		}
		return xua.Caller{Tier: xua.TierC}, nil
	}, Options{})
	server := httptest.NewUnstartedServer(nil)
	server.Config = soap.NewHTTPServer(h, &tls.Config{}, nil)
	server.TLS = server.Config.TLSConfig
	server.StartTLS()
	t.Cleanup(server.Close)
	return &Client{SOAP: &soap.Client{HTTP: server.Client()}}, server.URL
}

// collect reads the documents of an answer by their number.
func collect(r *RetrieveResponse) (map[int]string, error) {
	defer r.Close()
	got := map[int]string{}
	for r.Content != nil {
		i, from, err := r.Content.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return got, err
		}
		var b bytes.Buffer
		if _, err := from.WriteTo(&b); err != nil {
			return got, err
		}
		got[i] = b.String()
	}
	return got, nil
}

func requests(documents ...string) []DocumentRequest {
	var r []DocumentRequest
	for _, d := range documents {
		r = append(r, DocumentRequest{RepositoryUniqueID: repositoryOID, DocumentUniqueID: d})
	}
	return r
}

func TestRetrieve(t *testing.T) {
	all := map[string]string{documentOID: strings.Repeat("DICM\r\n--uuid-", 100_000), otherOID: "PK", "2.25.44": ""}
	homed := requests(documentOID)
	homed[0].HomeCommunityID = "urn:oid:1.9"
	tests := []struct {
		name   string
		memory *memory
		asked  []DocumentRequest
		errors string
	}{
		{"one", &memory{documents: all}, requests(documentOID), ""},
		{"two", &memory{documents: all}, requests(documentOID, otherOID), ""},
		{"two in the order of arrival", &memory{documents: all, reverse: true}, requests(documentOID, otherOID), ""},
		{"sizes unknown", &memory{documents: all, size: func(string) int64 { return -1 }}, requests(documentOID, otherOID), ""},
		{"the same twice", &memory{documents: all}, requests(documentOID, documentOID), ""},
		{"home community", &memory{documents: all}, homed, ""},
		{"an empty document", &memory{documents: all}, requests("2.25.44"), ""},
		{"partial", &memory{documents: all}, requests(documentOID, "2.25.7"), "XDSDocumentUniqueIdError at 2.25.7"},
		{"failure", &memory{}, requests(documentOID, otherOID), "XDSDocumentUniqueIdError at 2.25.42, XDSDocumentUniqueIdError at 2.25.43"},
		{"busy", &memory{fail: &Error{Code: RepositoryBusy}}, requests(documentOID), "XDSRepositoryBusy at 2.25.42"},
		{"warning", &memory{documents: all, warning: &Error{Code: RepositoryError, Severity: SeverityWarning, Location: documentOID}}, requests(documentOID), "XDSRepositoryError at 2.25.42"},
	}
	for _, test := range tests {
		test.memory.mimeType = "application/dicom"
		client, url := repository(t, test.memory)
		response, err := client.Retrieve(t.Context(), url, test.asked)
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		got, err := collect(response)
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
		}
		if len(got) != len(response.Documents) {
			t.Errorf("%s: %d documents announced, %d came", test.name, len(response.Documents), len(got))
		}
		for i, d := range response.Documents {
			if got[i] != all[d.DocumentUniqueID] || d.MimeType != "application/dicom" {
				t.Errorf("%s: document %d of type %s has %d bytes that are not what was stored", test.name, i, d.MimeType, len(got[i]))
			}
			if d.HomeCommunityID != test.asked[0].HomeCommunityID {
				t.Errorf("%s: home community %q, want %q", test.name, d.HomeCommunityID, test.asked[0].HomeCommunityID)
			}
		}
		var errs []string
		for _, e := range response.Errors {
			errs = append(errs, string(e.Code)+" at "+e.Location)
		}
		if got := strings.Join(errs, ", "); got != test.errors {
			t.Errorf("%s: errors %q, want %q", test.name, got, test.errors)
		}
	}
}

// Whatever breaks after the first byte, the reader learns of it.
func TestTornAnswers(t *testing.T) {
	all := map[string]string{documentOID: strings.Repeat("x", 1<<20), otherOID: "PK"}
	tests := []struct {
		name   string
		memory *memory
	}{
		{"the archive fails in the last document", &memory{documents: all, tear: true}},
		{"the archive fails, size unknown", &memory{documents: all, tear: true, size: func(string) int64 { return -1 }}},
		{"a document shorter than declared", &memory{documents: all, size: func(s string) int64 { return int64(len(s)) + 1 }}},
		{"a document longer than declared", &memory{documents: all, size: func(s string) int64 { return int64(len(s)) - 1 }}},
	}
	for _, test := range tests {
		test.memory.mimeType = "a/b"
		client, url := repository(t, test.memory)
		response, err := client.Retrieve(t.Context(), url, requests(documentOID, otherOID))
		if err == nil {
			_, err = collect(response)
		}
		if !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%s: error %v, want io.ErrUnexpectedEOF", test.name, err)
		}
	}
}

func TestFaultsOverHTTP(t *testing.T) {
	client, url := repository(t, &memory{})
	// A request that our own client would not send.
	_, err := client.SOAP.Call(t.Context(), url, soap.Envelope{Action: TransactionOf(ITI43).Action, MTOM: true, Payload: []byte(`<x/>`)})
	var fault *soap.RemoteFault
	if !errors.As(err, &fault) || fault.Code != soap.Sender || !strings.Contains(fault.Reason, "RetrieveDocumentSetRequest") {
		t.Errorf("error %v", err)
	}
	_, err = client.SOAP.Call(t.Context(), url, soap.Envelope{Action: TransactionOf(ITI43).Action, Payload: appendRetrieveRequest(nil, requests(documentOID))})
	if !errors.As(err, &fault) || !strings.Contains(fault.Reason, "ITI-43 uses MTOM") {
		t.Errorf("as simple SOAP: error %v", err)
	}
	for _, bad := range [][]DocumentRequest{nil, make([]DocumentRequest, maxDocumentRequests+1), requests("bad"), {{RepositoryUniqueID: "north", DocumentUniqueID: documentOID}}} {
		if _, err := client.Retrieve(t.Context(), url, bad); err == nil {
			t.Errorf("a request of %d documents that nobody can answer is sent", len(bad))
		}
	}
}

// ?wsdl has the operations of the endpoint, and the address that it was asked at.
func TestContract(t *testing.T) {
	r := newReference()
	for name, test := range map[string]struct {
		handler *soap.Server
		has     []string // transactions; it has no other
	}{
		"registry":             {NewRegistryHandler(r, nil, Options{}), []string{ITI18, ITI42, ITI61}},
		"repository":           {NewRepositoryHandler(r, r, nil, Options{}), []string{ITI41, ITI43}},
		"retrieving":           {NewRepositoryHandler(r, nil, nil, Options{}), []string{ITI43}},
		"with its own address": {NewRepositoryHandler(r, nil, nil, Options{URL: "http://example.com/x?wsdl"}), []string{ITI43}},
	} {
		w := httptest.NewRecorder()
		test.handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/x?wsdl", nil))
		answer := w.Body.String()
		if w.Code != http.StatusOK || !strings.Contains(answer, `location="http://example.com/x`) {
			t.Errorf("%s: HTTP %d: %s", name, w.Code, answer)
		}
		var offered []string
		for _, o := range test.handler.Operations {
			offered = append(offered, o.ID)
		}
		if slices.Sort(offered); !slices.Equal(offered, test.has) {
			t.Errorf("%s: offers %v, want %v", name, offered, test.has)
		}
		for _, row := range Transactions() {
			if got, want := strings.Contains(answer, `wsaw:Action="`+row.Action+`"`), slices.Contains(test.has, row.ID); got != want {
				t.Errorf("%s: %s is in the WSDL: %t, want %t", name, row.ID, got, want)
			}
		}
	}
}

// canned is a transport that answers with one message, in steps as small as can be.
type canned struct{ contentType, body string }

func (c canned) RoundTrip(r *http.Request) (*http.Response, error) {
	io.Copy(io.Discard, r.Body)
	r.Body.Close()
	return &http.Response{
		StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {c.contentType}}, Request: r,
		Body: io.NopCloser(iotest.OneByteReader(strings.NewReader(c.body))),
	}, nil
}

// answerOf returns an ITI-43 answer in MTOM with these parts after the root, each "id|body".
func answerOf(payload string, parts ...string) string {
	envelope := soap.Envelope{Action: TransactionOf(ITI43).ResponseAction, Payload: []byte(payload)}
	root, err := envelope.Marshal(nil)
	if err != nil {
		panic(err)
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

// Real peers send what our server does not.
func TestForeignAnswers(t *testing.T) {
	payload := func(contents ...string) string {
		s := `<RetrieveDocumentSetResponse xmlns="` + NSXDSb + `">` + statusSuccess
		for i, c := range contents {
			s += documentResponse("", repositoryOID, fmt.Sprintf("2.25.%d", 42+i), c)
		}
		return s + `</RetrieveDocumentSetResponse>`
	}
	include := func(id string) string { return strings.Replace(includeOne, "cid:1", "cid:"+id, 1) }
	tests := []struct {
		name, body string
		want       string // the documents, in order; empty if it is an error
	}{
		{"inline", answerOf(payload("QUJD", "REU=")), "ABC DE"},
		{"one of each", answerOf(payload(include("a@b"), "REU="), "a@b|ABC"), "ABC DE"},
		{"percent-encoded, in another order", answerOf(payload(include("a%40b"), include("c")), "c|DE", "a@b|ABC"), "ABC DE"},
		{"blanks around the Include", answerOf(payload("\n  "+include("a")+"\n", "REU="), "a|ABC"), "ABC DE"},
		{"a part is missing", answerOf(payload(include("a"), include("b")), "a|ABC"), ""},
		{"a part that nothing refers to", answerOf(payload(include("a"), "REU="), "a|ABC", "b|x"), ""},
		{"a part for documents in the envelope", answerOf(payload("QUJD", "REU="), "b|x"), ""},
		{"two documents in one part", answerOf(payload(include("a"), include("a")), "a|ABC"), ""},
		{"a part twice", answerOf(payload(include("a"), include("b")), "a|ABC", "a|ABC"), ""},
		{"no closing boundary", strings.TrimSuffix(answerOf(payload(include("a"), "REU="), "a|ABC"), "\r\n--b--\r\n"), ""},
		{"torn in a part", strings.TrimSuffix(answerOf(payload(include("a"), "REU="), "a|ABC"), "C\r\n--b--\r\n"), ""},
		{"another action", strings.Replace(answerOf(payload("QUJD", "REU=")), "RetrieveDocumentSetResponse</wsa", "X</wsa", 1), ""},
	}
	for _, test := range tests {
		client := &Client{SOAP: &soap.Client{HTTP: &http.Client{Transport: canned{mtom.FormatContentType("b", "urn:x"), test.body}}}}
		response, err := client.Retrieve(t.Context(), "http://peer/", requests("2.25.42", "2.25.43"))
		var got map[int]string
		if err == nil {
			got, err = collect(response)
		}
		if test.want == "" {
			if err == nil {
				t.Errorf("%s: accepted", test.name)
			}
			continue
		}
		if err != nil || got[0]+" "+got[1] != test.want {
			t.Errorf("%s: got %q and %q, error %v", test.name, got[0], got[1], err)
		}
	}
}

// A gateway sends on what comes in: Content of a Client is Content of a Server.
func TestThroughGateway(t *testing.T) {
	all := map[string]string{documentOID: strings.Repeat("DICM", 1<<18), otherOID: "PK"}
	far := &memory{documents: all, mimeType: "a/b", reverse: true}
	farClient, farURL := repository(t, far)
	near, nearURL := repository(t, forwarder{farClient, farURL})
	response, err := near.Retrieve(t.Context(), nearURL, requests(documentOID, otherOID))
	if err != nil {
		t.Fatal(err)
	}
	got, err := collect(response)
	if err != nil || got[0] != all[documentOID] || got[1] != all[otherOID] {
		t.Errorf("error %v, documents of %d and %d bytes", err, len(got[0]), len(got[1]))
	}
	// What is torn far away is torn here.
	far.tear = true
	response, err = near.Retrieve(t.Context(), nearURL, requests(documentOID, otherOID))
	if err == nil {
		_, err = collect(response)
	}
	if !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("error %v, want io.ErrUnexpectedEOF", err)
	}
}

type forwarder struct {
	client *Client
	url    string
}

func (f forwarder) Retrieve(ctx context.Context, _ xua.Caller, requests []DocumentRequest) (*RetrieveResponse, error) {
	return f.client.Retrieve(ctx, f.url, requests)
}

// BenchmarkRetrieve is an ITI-43 of one document of 64 MiB over TLS on loopback, both ends.
func BenchmarkRetrieve(b *testing.B) {
	const size = 64 << 20
	client, url := repository(b, &memory{documents: map[string]string{documentOID: strings.Repeat("0123456789abcdef", size/16)}, mimeType: "application/dicom"})
	b.SetBytes(size)
	b.ReportAllocs()
	for b.Loop() {
		response, err := client.Retrieve(b.Context(), url, requests(documentOID))
		if err != nil {
			b.Fatal(err)
		}
		if _, from, err := response.Content.Next(); err != nil {
			b.Fatal(err)
		} else if n, err := from.WriteTo(io.Discard); n != size || err != nil {
			b.Fatal(n, err)
		}
		if _, _, err := response.Content.Next(); err != io.EOF {
			b.Fatal(err)
		}
		response.Close()
	}
}

// BenchmarkRefusal is an ITI-43 that is answered without a document: what a request costs without its bytes.
func BenchmarkRefusal(b *testing.B) {
	client, url := repository(b, &memory{})
	b.ReportAllocs()
	for b.Loop() {
		response, err := client.Retrieve(b.Context(), url, requests(documentOID))
		if err != nil {
			b.Fatal(err)
		}
		response.Close()
	}
}
