package xds

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"collimate/soap"
	"collimate/soap/mtom"
	"collimate/xds/metadata"
	"collimate/xds/query"
	"collimate/xua"
)

// said is a Registry that answers everything with an error, or a response.
type said struct {
	err      error
	response *query.Response
	purpose  metadata.Purpose
	caller   xua.Caller
}

func (s *said) Register(_ context.Context, caller xua.Caller, purpose metadata.Purpose, _ *metadata.Objects) error {
	s.caller, s.purpose = caller, purpose
	return s.err
}

func (s *said) Query(_ context.Context, caller xua.Caller, _ *query.Query) (*query.Response, error) {
	s.caller = caller
	return s.response, s.err
}

// What a registry returns is what the peer gets, and no more than it may know.
func TestRegistryErrors(t *testing.T) {
	secret := errors.New("secret")
	warning := metadata.Errors{{Code: metadata.ExtraMetadataNotSaved, Severity: SeverityWarning}}
	for _, test := range []struct {
		name             string
		said             said
		register, search string // outcome
		cause            bool
	}{
		{"nothing", said{response: &query.Response{Objects: &metadata.Objects{}}}, "", "", false},
		{"errors", said{err: fmt.Errorf("asking: %w", metadata.Errors{{Code: metadata.RegistryBusy, Err: secret}})}, "XDSRegistryBusy", "XDSRegistryBusy", false},
		{"one error", said{err: &Error{Code: metadata.TooManyResults}}, "XDSTooManyResults", "XDSTooManyResults", false},
		{"a fault", said{err: &soap.Fault{Code: soap.Sender, Reason: "no", Err: secret}}, "fault: no", "fault: no", false},
		{"another error", said{err: secret}, "XDSRegistryError", "XDSRegistryError", true},
		{"warnings", said{err: warning}, "warning XDSExtraMetadataNotSaved", "XDSExtraMetadataNotSaved XDSRegistryError", false},
		{"warnings and results", said{response: &query.Response{Objects: &metadata.Objects{}, Errors: warning}}, "", "warning XDSExtraMetadataNotSaved", false},
		{"no answer", said{}, "", "XDSRegistryError", false},
	} {
		operations := RegistryOperations(&test.said, func(context.Context, *soap.Request) (xua.Caller, error) { return xua.Caller{Name: "somebody"}, nil })
		for i, payload := range []string{
			string(query.AppendRequest(nil, findDocuments())), string(metadata.AppendSubmission(nil, submission(1))), string(metadata.AppendSubmission(nil, submission(1))),
		} {
			want := test.register
			if i == 0 {
				want = test.search
			}
			response, err := operations[i].Handle(t.Context(), &soap.Request{Payload: parse(t, payload)})
			var fault *soap.Fault
			if errors.As(err, &fault) {
				if got := "fault: " + fault.Reason; got != want {
					t.Errorf("%s, %s: got %q, want %q", test.name, operations[i].ID, got, want)
				}
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := outcome(t, http.StatusOK, "<soap:Body>"+string(response.Payload)+"</soap:Body>"); got != want {
				t.Errorf("%s, %s: got %q, want %q", test.name, operations[i].ID, got, want)
			}
			if (response.Cause != nil) != test.cause || strings.Contains(string(response.Payload), "secret") {
				t.Errorf("%s, %s: cause for the log %v, answer %s", test.name, operations[i].ID, response.Cause, response.Payload)
			}
			if want := []metadata.Purpose{0, metadata.Register, metadata.RegisterOnDemand}[i]; test.said.purpose != want || test.said.caller.Name != "somebody" {
				t.Errorf("%s, %s: purpose %d of %+v", test.name, operations[i].ID, test.said.purpose, test.said.caller)
			}
		}
	}
}

// What is not the message of its transaction is refused as such, whatever the transaction.
func TestMalformedPayloads(t *testing.T) {
	r := newReference()
	good := map[string]string{
		ITI18: string(query.AppendRequest(nil, findDocuments())),
		ITI41: provideRequest(submission(1, entry(1)), documentElement("Document1", "QUJD")),
		ITI42: string(metadata.AppendSubmission(nil, registrable(submission(2, entry(2))))),
		ITI43: retrieveRequest(documentRequest("", "1.2", "1.3")),
	}
	good[ITI61] = strings.NewReplacer(string(metadata.Stable), string(metadata.OnDemand)).Replace(good[ITI42])
	for _, operation := range append(RegistryOperations(r, nil), RepositoryOperations(r, r, nil)...) {
		row := TransactionOf(operation.ID)
		if operation.Action != row.Action || operation.ResponseAction != row.ResponseAction || operation.MTOM != row.MTOM || operation.Streams != row.Streams {
			t.Errorf("%s: %+v is not what the table says", row.ID, operation)
		}
		for name, payload := range map[string]string{
			"another element":   `<x xmlns="` + row.Request.Space + `"/>`,
			"another namespace": strings.ReplaceAll(good[row.ID], row.Request.Space, "urn:x"),
			"empty":             `<` + row.Request.Local + ` xmlns="` + row.Request.Space + `"/>`,
			"the answer":        `<` + row.Response.Local + ` xmlns="` + row.Response.Space + `"/>`,
		} {
			_, err := operation.Handle(t.Context(), &soap.Request{Payload: parse(t, payload), MTOM: row.MTOM})
			var fault *soap.Fault
			if !errors.As(err, &fault) || fault.Code != soap.Sender || fault.Reason == "" {
				t.Errorf("%s, %s: error %v, want a fault", row.ID, name, err)
			}
		}
		if _, err := operation.Handle(t.Context(), &soap.Request{Payload: parse(t, good[row.ID]), MTOM: row.MTOM}); err != nil {
			t.Errorf("%s: %v", row.ID, err)
		}

		// In the other packaging, and not as XML.
		h := NewRegistryHandler(r, nil, Options{})
		if row.Actor == "DocumentRepository" {
			h = NewRepositoryHandler(r, r, nil, Options{})
		}
		envelope, err := (&soap.Envelope{Action: row.Action, Payload: []byte(good[row.ID])}).Marshal(nil)
		if err != nil {
			t.Fatal(err)
		}
		contentType, body, want := "application/soap+xml", string(envelope), "uses MTOM"
		if !row.MTOM {
			contentType, body, want = mtom.FormatContentType("b", "urn:x"), mtomMessage(t, row.Action, good[row.ID]), "uses simple SOAP"
		}
		status, answer := sendTo(h, contentType, body)
		if got := outcome(t, status, answer); !strings.Contains(got, row.ID+" "+want) {
			t.Errorf("%s, in the other packaging: got %q", row.ID, got)
		}
		status, answer = sendTo(h, contentType, strings.Replace(body, "</soap:Body>", "", 1))
		if got := outcome(t, status, answer); !strings.Contains(got, "not well-formed") {
			t.Errorf("%s, torn: got %q", row.ID, got)
		}
	}
}

// Answers that do not fit are errors.
func TestClientAnswers(t *testing.T) {
	failure := string(metadata.AppendRegistryResponse(nil, Failure, metadata.Errors{{Code: metadata.RegistryError}}))
	for _, test := range []struct{ name, action, payload, want string }{
		{"success", "", string(metadata.AppendRegistryResponse(nil, Success, nil)), "<nil>"},
		{"failure", "", failure, "XDSRegistryError"},
		{"partial", "", strings.Replace(failure, string(Failure), string(PartialSuccess), 1), "reading the answer to RegisterDocumentSet-b: the status is PartialSuccess, which submissions do not have"},
		{"failure without errors", "", string(metadata.AppendRegistryResponse(nil, Failure, nil)), "reading the answer to RegisterDocumentSet-b: the status is not Success, but there is no error"},
		{"another element", "", `<AdhocQueryResponse xmlns="` + query.NSQuery + `"/>`, "reading the answer to RegisterDocumentSet-b: the child of Body is not a RegistryResponse"},
		{"another action", "urn:x", failure, "reading the answer to RegisterDocumentSet-b: the wsa:Action of the answer is not urn:ihe:iti:2007:RegisterDocumentSet-bResponse"},
	} {
		if test.action == "" {
			test.action = TransactionOf(ITI42).ResponseAction
		}
		b, err := (&soap.Envelope{Action: test.action, Payload: []byte(test.payload)}).Marshal(nil)
		if err != nil {
			t.Fatal(err)
		}
		client := &Client{SOAP: &soap.Client{HTTP: &http.Client{Transport: canned{"application/soap+xml", string(b)}}}}
		_, err = client.Register(t.Context(), "http://peer/", metadata.Register, submission(1))
		if got := codes(err); got != test.want {
			t.Errorf("%s: got %q, want %q", test.name, got, test.want)
		}
	}
}
