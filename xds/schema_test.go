package xds

import (
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"collimate/internal/sharedfiles"
	"collimate/soap"
	"collimate/xds/metadata"
	"collimate/xds/query"
)

var includePattern = regexp.MustCompile(`<xop:Include [^>]*href="cid:document-(\d+)@collimate"/>`)

// Every message that we send is valid against the official schema and against our own, once the documents
// stand in it as base64: a schema knows nothing of xop:Include.
func TestValid(t *testing.T) {
	xmllint, err := exec.LookPath("xmllint")
	if err != nil {
		t.Skip("xmllint is not installed")
	}
	official := []string{sharedfiles.Path(t, "ihe", "schemas", "toolkit2", "v3", "XDS.b_DocumentRepository.xsd")}
	ours := []string{filepath.Join("..", "wsdl", "XDS.b_DocumentRepository.xsd"), filepath.Join("..", "wsdl", "query.xsd")}
	messages := map[string]string{
		"retrieve": string(appendRetrieveRequest(nil, []DocumentRequest{{"", "1.2", "1.3"}, {"urn:oid:1", "1.2", "1.3^x"}})),
		"query":    string(query.AppendRequest(nil, findDocuments())),
		"register": string(metadata.AppendSubmission(nil, registrable(submission(1, entry(1), entry(2))))),
		"provide":  includePattern.ReplaceAllString(string(appendProvide(nil, submission(1, entry(1), entry(2)))), "QUJD"),
	}
	failed := metadata.Errors{{Code: metadata.RegistryBusy, Context: `a "b" <c>`, Location: "Document 1"}}
	warned := metadata.Errors{{Code: metadata.ExtraMetadataNotSaved, Severity: SeverityWarning}}
	objects := registrable(submission(1, entry(1), entry(2)))
	objects.Resolve(newReference().newID)
	for name, said := range map[string]*said{
		"nothing": {response: &query.Response{Objects: &metadata.Objects{}}}, "success": {response: &query.Response{Objects: objects}},
		"failure": {err: failed}, "warning": {err: warned}, "partial": {response: &query.Response{Objects: objects, Errors: failed}}, "internal": {err: errors.New("secret")},
	} {
		whole := findDocuments()
		refs := *whole
		refs.Return = query.ObjectRef
		operations := RegistryOperations(said, nil)
		for i, request := range []string{string(query.AppendRequest(nil, whole)), string(query.AppendRequest(nil, &refs)), messages["register"], messages["register"]} {
			response, err := operations[max(0, i-1)].Handle(t.Context(), &soap.Request{Payload: parse(t, request)})
			if err != nil {
				t.Fatal(err)
			}
			messages[fmt.Sprintf("answer to %s, %d: %s", operations[max(0, i-1)].ID, i, name)] = string(response.Payload)
		}
		response, err := RepositoryOperations(nil, recipient(func(d Incoming) error { drain(d); return said.err }), nil)[1].Handle(t.Context(),
			&soap.Request{Payload: parse(t, provideRequest(submission(1, entry(1)), documentElement("Document1", "QUJD")))})
		if err != nil {
			t.Fatal(err)
		}
		messages["answer to ITI-41: "+name] = string(response.Payload)
	}
	for _, test := range answers() {
		response, err := ask(t, test.memory, test.request)
		if err != nil {
			t.Fatal(err)
		}
		messages[test.name] = inlined(t, response)
	}
	onDemand := Document{DocumentRequest: DocumentRequest{RepositoryUniqueID: "1.2", DocumentUniqueID: "1.3"}, NewRepositoryUniqueID: "1.4", NewDocumentUniqueID: "1.5", MimeType: "a/b"}
	messages["on-demand"] = includePattern.ReplaceAllString(string(appendRetrieveResponse(nil, &RetrieveResponse{Documents: []Document{onDemand}})), "QUJD")

	validate := func(schema, message string) (string, error) {
		file := filepath.Join(t.TempDir(), "message.xml")
		if err := os.WriteFile(file, []byte(message), 0o600); err != nil {
			t.Fatal(err)
		}
		out, err := exec.CommandContext(t.Context(), xmllint, "--nonet", "--noout", "--schema", schema, file).CombinedOutput()
		return string(out), err
	}
	for name, message := range messages {
		for _, schemas := range [][]string{official, ours} {
			schema := schemas[0]
			if len(schemas) > 1 && strings.Contains(message[:20], "query:") {
				schema = schemas[1]
			}
			if out, err := validate(schema, message); err != nil {
				t.Errorf("%s is not valid against %s: %v\n%s\n%s", name, schema, err, out, message)
			}
			// One element, and the schema is wrong about it.
			for _, element := range []string{"xdsb:RepositoryUniqueId", "rim:AdhocQuery", "rim:RegistryObjectList", "rs:RegistryResponse"} {
				if wrong := strings.ReplaceAll(message, element, element+"X"); wrong != message {
					if _, err := validate(schema, wrong); err == nil {
						t.Errorf("%s: %s accepts an element that is not in it: this test cannot fail", name, schema)
					}
				}
			}
		}
	}
}

// inlined returns the payload of an answer with its attachments in it.
func inlined(t *testing.T, response *soap.Response) string {
	t.Helper()
	bodies := map[int]string{}
	for response.Parts != nil {
		i, from, err := response.Parts.Next()
		if err != nil {
			break
		}
		var b strings.Builder
		if _, err := from.WriteTo(&b); err != nil {
			t.Fatal(err)
		}
		bodies[i] = b.String()
	}
	return includePattern.ReplaceAllStringFunc(string(response.Payload), func(include string) string {
		n, _ := strconv.Atoi(includePattern.FindStringSubmatch(include)[1])
		return base64.StdEncoding.EncodeToString([]byte(bodies[n-1]))
	})
}
