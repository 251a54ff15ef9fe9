package xds

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"collimate/soap"
	"collimate/xmlsec"
	"collimate/xua"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func parseXML(s string) (xmlsec.Node, error) {
	doc, err := xmlsec.Parse([]byte(s), xmlsec.DefaultLimits)
	if err != nil {
		return xmlsec.Node{}, err
	}
	return doc.Root(), nil
}

// golden compares an answer with testdata/name.xml. In the files each element stands on a line of its own.
func golden(t *testing.T, name, got string) {
	t.Helper()
	got = strings.ReplaceAll(got, "><", ">\n<") + "\n"
	file := filepath.Join("testdata", name+".xml")
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s: got\n%s\nwant\n%s", name, got, want)
	}
}

// answers is what a Document Repository says in each situation; the golden files are the answers.
func answers() []struct {
	name    string
	memory  *memory
	request string
	status  Status
} {
	all := map[string]string{documentOID: "DICM and more", otherOID: "PK"}
	warning := &Error{Code: RepositoryError, Context: "one series is still on tape", Severity: SeverityWarning, Location: documentOID}
	asked := func(documents ...string) string {
		var s string
		for _, d := range documents {
			s += documentRequest("", repositoryOID, d)
		}
		return retrieveRequest(s)
	}
	return []struct {
		name    string
		memory  *memory
		request string
		status  Status
	}{
		{"success", &memory{documents: all, mimeType: "application/dicom"}, asked(documentOID), Success},
		{"success-two", &memory{documents: all, mimeType: "application/zip", size: func(string) int64 { return -1 }}, asked(documentOID, otherOID), Success},
		{"success-same-twice", &memory{documents: all, mimeType: "application/zip"}, asked(documentOID, documentOID), Success},
		{"success-warning", &memory{documents: all, mimeType: "application/dicom", warning: warning}, asked(documentOID), Success},
		{"success-home", &memory{documents: all, mimeType: "application/dicom"},
			retrieveRequest(documentRequest("urn:oid:1.9", repositoryOID, documentOID) + documentRequest("", repositoryOID, otherOID)), Success},
		{"success-odd-type", &memory{documents: all, mimeType: "a/b\r\nX-Evil: 1"}, asked(documentOID), Success},
		{"partial", &memory{documents: all, mimeType: "application/dicom"}, asked("2.25.7", documentOID), PartialSuccess},
		{"partial-warning", &memory{documents: all, mimeType: "application/dicom", warning: warning}, asked(documentOID, "2.25.7"), PartialSuccess},
		{"partial-odd-ids", &memory{documents: all, mimeType: "application/dicom"},
			retrieveRequest(documentRequest("", "north", documentOID) + documentRequest("", repositoryOID, "bad") + documentRequest("home", repositoryOID, documentOID) + documentRequest("", repositoryOID, documentOID)), PartialSuccess},
		{"failure", &memory{}, asked(documentOID, otherOID), Failure},
		{"failure-busy", &memory{fail: fmt.Errorf("asking: %w", &Error{Code: RepositoryBusy, Context: "XDSRepositoryBusy: try again later", Err: errors.New("secret")})}, asked(documentOID, otherOID), Failure},
		{"failure-internal", &memory{fail: errors.New("secret")}, asked(documentOID), Failure},
	}
}

func TestAnswers(t *testing.T) {
	for _, test := range answers() {
		response, err := ask(t, test.memory, test.request)
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		got := string(response.Payload)
		golden(t, test.name, got)
		if !strings.Contains(got, ` status="`+string(test.status)+`"`) {
			t.Errorf("%s: the status is not %s: %s", test.name, test.status, got)
		}
		if strings.Contains(got, "secret") {
			t.Errorf("%s: the cause is told to the peer: %s", test.name, got)
		}
		if want := test.name == "failure-internal"; want != (response.Cause != nil) {
			t.Errorf("%s: cause for the log: %v", test.name, response.Cause)
		}
		if test.status == Failure && (response.Parts != nil || len(response.Attachments) > 0) {
			t.Errorf("%s: a failure has attachments", test.name)
		}
		if test.name == "failure" && test.memory.closed != 1 {
			t.Errorf("%s: the content was closed %d times", test.name, test.memory.closed)
		}
		for _, a := range response.Attachments {
			if strings.ContainsAny(a.ContentType+a.ContentID, "\r\n") {
				t.Errorf("%s: a line break in a part header: %q", test.name, a.ContentType)
			}
		}
	}
}

// script is a Repository that says what it is told to, right or wrong.
type script struct {
	response *RetrieveResponse
	err      error
}

func (s script) Retrieve(context.Context, xua.Caller, []DocumentRequest) (*RetrieveResponse, error) {
	return s.response, s.err
}

// Whatever a backend does, each document asked is answered once, and nothing else.
func TestBrokenBackends(t *testing.T) {
	asked := DocumentRequest{RepositoryUniqueID: repositoryOID, DocumentUniqueID: documentOID}
	foreign := DocumentRequest{RepositoryUniqueID: repositoryOID, DocumentUniqueID: "1.99"}
	home := asked
	home.HomeCommunityID = "urn:oid:1"
	tests := []struct {
		name     string
		response *RetrieveResponse
	}{
		{"no answer", nil},
		{"empty answer", &RetrieveResponse{}},
		{"a document without bytes", &RetrieveResponse{Documents: []Document{{DocumentRequest: asked}}}},
		{"another document", &RetrieveResponse{Documents: []Document{{DocumentRequest: foreign}}, Content: noContent{}}},
		{"a home community that was not asked", &RetrieveResponse{Documents: []Document{{DocumentRequest: home}}, Content: noContent{}}},
		{"a document twice", &RetrieveResponse{Documents: []Document{{DocumentRequest: asked}, {DocumentRequest: asked}}, Content: noContent{}}},
		{"only a warning", &RetrieveResponse{Errors: []*Error{{Code: RepositoryError, Severity: SeverityWarning, Location: documentOID}}}},
	}
	for _, test := range tests {
		operation := RepositoryOperations(script{response: test.response}, nil, nil)[0]
		response, err := operation.Handle(t.Context(), &soap.Request{Payload: parse(t, retrieveRequest(documentRequest("", repositoryOID, documentOID)))})
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		got := string(response.Payload)
		if !strings.Contains(got, string(Failure)) || !strings.Contains(got, `errorCode="XDSRepositoryError"`) || !strings.Contains(got, `location="`+documentOID+`"`) || strings.Contains(got, "DocumentResponse>") {
			t.Errorf("%s: %s", test.name, got)
		}
	}
}

// A document that is asked twice and refused once is answered twice.
func TestRefusedOnce(t *testing.T) {
	once := &RetrieveResponse{Errors: []*Error{{Code: DocumentUniqueIDError, Location: documentOID}}}
	response, err := RepositoryOperations(script{response: once}, nil, nil)[0].Handle(t.Context(), &soap.Request{
		Payload: parse(t, retrieveRequest(strings.Repeat(documentRequest("", repositoryOID, documentOID), 2))),
	})
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(response.Payload), "<rs:RegistryError "); n != 2 {
		t.Errorf("%d RegistryErrors, want 2: %s", n, response.Payload)
	}
}

func TestAuthenticator(t *testing.T) {
	payload := parse(t, retrieveRequest(documentRequest("", repositoryOID, documentOID)))
	m := &memory{documents: map[string]string{documentOID: "x"}, mimeType: "a/b"}
	refused := &soap.Fault{Code: soap.Sender, Subcode: soap.Name{Space: soap.NSSecurity, Local: "FailedCheck"}, Reason: "no"}
	operation := RepositoryOperations(m, nil, func(context.Context, *soap.Request) (xua.Caller, error) { return xua.Caller{}, refused })[0]
	if _, err := operation.Handle(t.Context(), &soap.Request{Payload: payload}); !errors.Is(err, refused) {
		t.Errorf("error %v, want the authenticator's", err)
	}
	if m.asked != nil {
		t.Error("the repository was asked for somebody who is not let in")
	}
	want := xua.Caller{Tier: xua.TierA, Name: "south"}
	operation = RepositoryOperations(m, nil, func(context.Context, *soap.Request) (xua.Caller, error) { return want, nil })[0]
	if _, err := operation.Handle(t.Context(), &soap.Request{Payload: payload}); err != nil || m.caller != want {
		t.Errorf("caller %+v, error %v", m.caller, err)
	}
}
