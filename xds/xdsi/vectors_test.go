package xdsi

import (
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"collimate/internal/sharedfiles"
	"collimate/soap"
	"collimate/soap/mtom"
	"collimate/xds"
)

func vectors(t testing.TB, folder, suffix string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(sharedfiles.Path(t, "ihe", "vectors", folder))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), suffix) {
			names = append(names, e.Name())
		}
	}
	return names
}

// Requests of other people's making: bodies of the IHE toolkit and what it expects to be sent, and one of dcm4chee as it
// is on the wire. Those that are not listed are to be answered with all their images.
func TestForeignRequests(t *testing.T) {
	want := map[string]string{
		"tk2-ids_2018-4811_case-01_Invalid_RepositoryUID-retrieve-1.xml":                    "XDSUnknownRepositoryId",
		"tk2-ids_2018-4811_case-03_SOP_Instance_UID_not_in_requested_series-retrieve-3.xml": "XDSDocumentUniqueIdError",
		"tk2-ids_2018-4811_case-05_Empty_Study_Instance_UID-retrieve-5.xml":                 "XDSRepositoryError", // XDSIRequestError in the sentence
		"tk2-ids_2018-4811_case-08_Empty_Transfer_Syntax_UID-retrieve-8.xml":                "XDSRepositoryError",
		"tk2-ids_4812_case-3_SOP_Instance_UID_not_in_requested_series-retrieve-3.xml":       "XDSDocumentUniqueIdError",
		"tk2-ids_4812_case-8_Empty_Transfer_Syntax_UID-retrieve-8.xml":                      "XDSRepositoryError",
		"tk2-iig_2018-5404c_Rad69RetrieveRequest-retrieve.xml":                              "XDSUnknownRepositoryId",
	}
	a := &archive{images: map[[3]string]string{}}
	type file struct{ name, contentType, body string }
	var files []file
	take := func(r *retrieval) {
		for _, q := range r.requests {
			a.images[[3]string{q.StudyInstanceUID, q.SeriesInstanceUID, q.DocumentUniqueID}] = "DICM"
			if !slices.Contains(a.locations, q.RepositoryUniqueID) {
				a.locations = append(a.locations, q.RepositoryUniqueID)
			}
		}
		a.syntaxes = append(a.syntaxes, r.transferSyntaxes...)
	}
	for _, folder := range []string{"rad69", "rad69-initiating-gateway"} {
		for _, name := range vectors(t, folder, ".xml") {
			payload := string(sharedfiles.Read(t, "ihe", "vectors", folder, name))
			if strings.Contains(name, "ResponseBody") {
				continue
			}
			files = append(files, file{name, mtom.FormatContentType("b", "urn:x"), message(t, payload)})
			r, fault := parseRequest(parse(t, payload))
			if fault != nil {
				t.Fatalf("%s: %v", name, fault)
			}
			if want[name] == "" {
				take(r)
			}
		}
	}
	raw := string(sharedfiles.Read(t, "ihe", "vectors", "rad69", "dcm4chee-rad69-request-response.txt"))
	contentType := regexp.MustCompile(`Content-Type: (multipart/related[^']*)'`).FindStringSubmatch(raw)[1]
	body := regexp.MustCompile(`(?s)--data-binary '(.*?)'`).FindStringSubmatch(raw)[1]
	payload := regexp.MustCompile(`(?s)<xdsiB:RetrieveImagingDocumentSetRequest.*</xdsiB:RetrieveImagingDocumentSetRequest>`).FindString(body)
	r, fault := parseRequest(parse(t, payload))
	if fault != nil {
		t.Fatal(fault)
	}
	take(r)
	files = append(files, file{"dcm4chee-rad69-request-response.txt", contentType, body})
	for _, f := range files {
		if got, answer := send(t, a, f.contentType, f.body); got != want[f.name] {
			t.Errorf("%s: got %q, want %q: %.1000s", f.name, got, want[f.name], answer)
		}
	}
	if len(files) < 20 {
		t.Errorf("%d requests seen, there are 20", len(files))
	}
}

// Answers that the IHE toolkit compares others with, once the identifiers and documents that it leaves out are filled.
func TestForeignResponses(t *testing.T) {
	field := func(name, text string) string {
		found := regexp.MustCompile(`<\w+:` + name + `>([^<]*)<`).FindStringSubmatch(text)
		return append(found, "", "")[1]
	}
	include := regexp.MustCompile(`(?s)<\w+:Include.*?/>`)
	n := 0
	for _, folder := range []string{"rad69", "rad69-initiating-gateway"} {
		for _, name := range vectors(t, folder, "ResponseBody.xml") {
			n++
			payload := include.ReplaceAllString(string(sharedfiles.Read(t, "ihe", "vectors", folder, name)), "QUJD")
			payload = strings.NewReplacer("<ns0:RepositoryUniqueId />", "<ns0:RepositoryUniqueId>"+location+"</ns0:RepositoryUniqueId>", ">...<", ">QUJD<").Replace(payload)
			var requests []ImagingRequest
			for _, one := range strings.Split(payload, "DocumentResponse>")[1:] {
				if uid := field("DocumentUniqueId", one); uid != "" {
					requests = append(requests, ImagingRequest{"1.1", "1.1.1", xds.DocumentRequest{
						HomeCommunityID: field("HomeCommunityId", one), RepositoryUniqueID: field("RepositoryUniqueId", one), DocumentUniqueID: uid,
					}})
				}
			}
			failed := requests == nil
			if failed {
				requests = []ImagingRequest{ask("1.1", "1.1.1", "1.1.1.1")}
			}
			root, err := (&soap.Envelope{Action: xds.TransactionOf(xds.RAD69).ResponseAction, Payload: []byte(payload)}).Marshal(nil)
			if err != nil {
				t.Fatal(err)
			}
			client := &Client{SOAP: &soap.Client{HTTP: &http.Client{Transport: canned(root)}}}
			response, err := client.RetrieveImages(t.Context(), "http://peer/", requests, []string{explicit})
			if name == "tk2-gold-iig_5405_ValidateRad69Response-ResponseBody.xml" { // a Failure without an error
				if err == nil {
					t.Errorf("%s is accepted", name)
				}
				continue
			}
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			got := outcome(response)
			if images := strings.Count(got, ": ABC"); images != len(requests) && !failed || failed && len(response.Errors) != 1 {
				t.Errorf("%s: got %s", name, got)
			}
		}
	}
	if n < 10 {
		t.Errorf("%d answers seen, there are more than 10", n)
	}
}

// canned is a transport that answers with one envelope.
type canned string

func (c canned) RoundTrip(r *http.Request) (*http.Response, error) {
	io.Copy(io.Discard, r.Body)
	r.Body.Close()
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/soap+xml"}}, Request: r, Body: io.NopCloser(strings.NewReader(string(c)))}, nil
}

// The request that we send is valid against the official schema and against our own; the answer is that of package xds.
func TestValid(t *testing.T) {
	xmllint, err := exec.LookPath("xmllint")
	if err != nil {
		t.Skip("xmllint is not installed")
	}
	home := ask("1.2", "1.2.1", "1.2.1.1")
	home.HomeCommunityID = "urn:oid:1.9"
	sent := string(appendRequest(nil, &retrieval{
		[]ImagingRequest{ask("1.1", "1.1.1", "1.1.1.1"), ask("1.1", "1.1.1", "1.1.1.2"), ask("1.1", "1.1.2", "1.1.2.1"), home, ask("1.1", "1.1.1", "1.1.1.1"), ask("1.3", "1.1.1", "1.1.1.1")}, []string{explicit, jpeg},
	}))
	if studies, series := strings.Count(sent, "<iherad:StudyRequest"), strings.Count(sent, "<iherad:SeriesRequest"); studies != 4 || series != 5 {
		t.Errorf("%d StudyRequests and %d SeriesRequests, want 4 and 5: %s", studies, series, sent)
	}
	for _, schema := range []string{
		sharedfiles.Path(t, "ihe", "schemas", "toolkit2", "v3", "XDSI.b_ImagingDocumentSource.xsd"), filepath.Join("..", "..", "wsdl", "XDSI.b_ImagingDocumentSource.xsd"),
	} {
		for message, ok := range map[string]bool{sent: true, strings.ReplaceAll(sent, "SeriesRequest", "SerieRequest"): false} {
			file := filepath.Join(t.TempDir(), "message.xml")
			if err := os.WriteFile(file, []byte(message), 0o600); err != nil {
				t.Fatal(err)
			}
			out, err := exec.CommandContext(t.Context(), xmllint, "--nonet", "--noout", "--schema", schema, file).CombinedOutput()
			if (err == nil) != ok {
				t.Errorf("%s: valid %t, want %t: %s\n%s", schema, err == nil, ok, out, message)
			}
		}
	}
}
