package xds

import (
	"encoding/base64"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"collimate/soap"
)

var includePattern = regexp.MustCompile(`<xop:Include [^>]*href="cid:document-(\d+)@collimate"/>`)

// Every message that we send is valid against the official schema and against our own, once the documents
// stand in it as base64: a schema knows nothing of xop:Include.
func TestValid(t *testing.T) {
	xmllint, err := exec.LookPath("xmllint")
	if err != nil {
		t.Skip("xmllint is not installed")
	}
	schemas := map[string]string{
		"official": shared(t, "ihe", "schemas", "toolkit2", "v3", "XDS.b_DocumentRepository.xsd"),
		"ours":     filepath.Join("..", "wsdl", "XDS.b_DocumentRepository.xsd"),
	}
	messages := map[string]string{
		"request": string(appendRetrieveRequest(nil, []DocumentRequest{{"", "1.2", "1.3"}, {"urn:oid:1", "1.2", "1.3^x"}})),
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
	for by, schema := range schemas {
		for name, message := range messages {
			if out, err := validate(schema, message); err != nil {
				t.Errorf("%s is not valid against the %s schema: %v\n%s\n%s", name, by, err, out, message)
			}
		}
		wrong := strings.Replace(messages["success"], "xdsb:mimeType", "xdsb:MimeType", 2)
		if _, err := validate(schema, wrong); err == nil {
			t.Errorf("the %s schema accepts an element that is not in it: this test cannot fail", by)
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
