package xds

import (
	"bufio"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"collimate/internal/sharedfiles"
	"collimate/soap"
)

// Messages of other people's making, from specifications and from the test data of peers.

// Bodies of requests, templates of the IHE toolkit among them.
func TestForeignRequestBodies(t *testing.T) {
	tests := []struct {
		folder, file string
		requests     int
		status       Status
	}{
		{"iti43", "openxds-RetrieveDocumentSetRequest.xml", 1, Success},
		{"iti43", "tk2-12028_retrieve-retrieve.xml", 1, Success},
		{"iti43", "tk2-12335_retrieve-retrieve.xml", 1, Success},
		{"iti43", "tk2-15812_Retrieve_OD-Retrieve_1.xml", 1, Success},
		{"iti43", "tk2-15816_Retrieve-retrieve_bad_doc_uid.xml", 1, Failure},
		{"iti43-initiating-gateway", "tk2-15809_OneDocRetrieve-retrieve.xml", 1, Success},
		{"iti43-initiating-gateway", "tk2-15809_TwoDocRetrieve-retrieve.xml", 2, Success},
	}
	for _, test := range tests {
		payload := closedPattern.ReplaceAllString(string(sharedfiles.Read(t, "ihe", "vectors", test.folder, test.file)), "1.2.3")
		asked, fault := parseRetrieveRequest(parse(t, payload))
		if fault != nil || len(asked) != test.requests {
			t.Errorf("%s: %d requests, fault %v", test.file, len(asked), fault)
			continue
		}
		m := &memory{documents: map[string]string{"1.2.3": "x", "1.3.6.1.4.1.21367.2010.1.2.110.1260801017357.8": "y"}, mimeType: "a/b"}
		response, err := ask(t, m, payload)
		if err != nil || !strings.Contains(string(response.Payload), ` status="`+string(test.status)+`"`) {
			t.Errorf("%s: error %v, want status %s in %s", test.file, err, test.status, response.Payload)
		}
	}
}

// post sends a message to a Document Repository and returns the answer.
func post(t *testing.T, contentType, body string) (status int, answer string) {
	t.Helper()
	h := NewRepositoryHandler(&memory{documents: map[string]string{"1.42.20101110141555.15": "text"}, mimeType: "text/plain"}, nil, nil, Options{})
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
	r.Header.Set("Content-Type", contentType)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Code, w.Body.String()
}

// Envelopes of requests.
func TestForeignRequests(t *testing.T) {
	tests := []struct {
		folder, file string
		status       int
		contains     string
	}{
		// A security header with an assertion. That the repository is told is what the Failure shows.
		{"iti43", "epd-ITI-43_request_raw.xml", 200, "XDSDocumentUniqueIdError"},
		// Its identifiers are abbreviated with dots and so are no OIDs.
		{"iti43", "tk2-msg-soap-ret-req.xml", 200, "XDSUnknownRepositoryId"},
		{"iti43", "xcads-iti43-iti40-request.xml", 400, "ActionNotSupported"},
		{"negative-soap", "tk2-msg-empty-soap-wrapper.xml", 400, "Fault"},
		{"negative-soap", "tk2-msg-soap-pnr-soap-order.xml", 400, "Fault"},
		{"negative-iti41", "tk2-msg-soap-noaction-pnr.xml", 400, "MessageAddressingHeaderRequired"},
	}
	for _, test := range tests {
		envelope := string(sharedfiles.Read(t, "ihe", "vectors", test.folder, test.file))
		body := "--b\r\nContent-Type: application/xop+xml\r\n\r\n" + envelope + "\r\n--b--\r\n"
		status, answer := post(t, "multipart/related; boundary=b", body)
		if status != test.status || !strings.Contains(answer, test.contains) {
			t.Errorf("%s: HTTP %d, want %d and %s: %s", test.file, status, test.status, test.contains, answer)
		}
	}
}

// The request of the Technical Framework, as it is on the wire.
func TestSpecificationRequest(t *testing.T) {
	raw := string(sharedfiles.Read(t, "ihe", "vectors", "mtom-http", "spec-iti43-request-mtom.http"))
	// The head has no Content-Length: what follows it is the body.
	head, body, _ := strings.Cut(raw, "\r\n\r\n")
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(head + "\r\n\r\n")))
	if err != nil {
		t.Fatal(err)
	}
	status, answer := post(t, r.Header.Get("Content-Type"), body)
	for _, want := range []string{
		string(Success), "<wsa:RelatesTo>urn:uuid:3448B7F8EA6E8B9DFC1289514997508</wsa:RelatesTo>",
		"<xdsb:RepositoryUniqueId>1.19.6.24.109.42.1.5</xdsb:RepositoryUniqueId><xdsb:DocumentUniqueId>1.42.20101110141555.15</xdsb:DocumentUniqueId><xdsb:mimeType>text/plain</xdsb:mimeType>",
	} {
		if status != http.StatusOK || !strings.Contains(answer, want) {
			t.Errorf("HTTP %d, want %s in %s", status, want, answer)
		}
	}
}

// The answer of the Technical Framework, with variants that its other samples have.
func TestSpecificationResponse(t *testing.T) {
	raw := string(sharedfiles.Read(t, "ihe", "vectors", "mtom-http", "spec-iti43-response-mtom-optimised.http"))
	head, body, _ := strings.Cut(raw, "\r\n\r\n")
	r, err := http.ReadResponse(bufio.NewReader(strings.NewReader(head+"\r\n\r\n")), nil)
	if err != nil {
		t.Fatal(err)
	}
	contentType := r.Header.Get("Content-Type")
	asked := []DocumentRequest{{RepositoryUniqueID: "1.19.6.24.109.42.1.5", DocumentUniqueID: "1.42.20101110141555.15"}}
	// It relates to the request of the Technical Framework, not to ours.
	body = strings.Replace(body, "<wsa:RelatesTo>urn:uuid:3448B7F8EA6E8B9DFC1289514997508</wsa:RelatesTo>", "", 1)
	tests := []struct{ name, contentType, body string }{
		{"as printed", contentType, body},
		{"start that differs", strings.Replace(contentType, "0.urn:uuid:E9", "0.urn:uuidE9", 1), body},
		{"no final dashes", contentType, strings.TrimSuffix(body, "--\r\n") + "\r\n"},
		{"stray quotation mark", contentType, strings.Replace(body, "Content-Type: text/plain", `Content-Type: text/plain"`, 1)},
	}
	for _, test := range tests {
		client := &Client{SOAP: &soap.Client{HTTP: &http.Client{Transport: canned{test.contentType, test.body}}}}
		response, err := client.Retrieve(t.Context(), "http://peer/", asked)
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		got, err := collect(response)
		if err != nil || got[0] != "Example document text." || response.Documents[0].MimeType != "text/plain" {
			t.Errorf("%s: got %q, error %v", test.name, got[0], err)
		}
	}
}

// Answers of peers, as simple SOAP: their documents stand in the envelope.
func TestForeignAnswerEnvelopes(t *testing.T) {
	envelope := string(sharedfiles.Read(t, "ihe", "vectors", "iti43", "wxdsb-retrieve_res.xml"))
	envelope = regexp.MustCompile(`(?s)<RelatesTo.*</RelatesTo>`).ReplaceAllString(envelope, "")
	client := &Client{SOAP: &soap.Client{HTTP: &http.Client{Transport: canned{"application/soap+xml", envelope}}}}
	response, err := client.Retrieve(t.Context(), "http://peer/", []DocumentRequest{{
		"urn:oid:2.16.840.1.113883.2.9.2.999", "2.16.840.1.113883.2.9.2.999.4.5.113883", "urn:uuid:c3fcbf0e-9765-4f5b-abaa-b37ac8ff05a5",
	}})
	if err != nil {
		t.Fatal(err)
	}
	got, err := collect(response)
	if err != nil || !strings.HasPrefix(got[0], `<?xml version="1.0"?>`) || int64(len(got[0])) != response.Documents[0].Size {
		t.Errorf("error %v, document of %d bytes", err, len(got[0]))
	}

	// Its namespaces were taken out for print.
	client.SOAP.HTTP.Transport = canned{"application/soap+xml", string(sharedfiles.Read(t, "ihe", "vectors", "iti43", "epd-ITI-43_response.xml"))}
	if _, err := client.Retrieve(t.Context(), "http://peer/", requests(documentOID)); err == nil {
		t.Error("an answer with prefixes that are not declared is accepted")
	}
}
