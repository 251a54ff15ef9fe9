package xds

import (
	"strings"
	"testing"

	"collimate/xds/metadata"
)

const (
	statusSuccess = `<rs:RegistryResponse xmlns:rs="` + metadata.NSRS + `" status="` + string(Success) + `"/>`
	includeOne    = `<i:Include xmlns:i="http://www.w3.org/2004/08/xop/include" href="cid:1"/>`
)

// registry returns a RegistryResponse with errors, each "severity|code|location".
func registry(status Status, errors ...string) string {
	s := `<rs:RegistryResponse xmlns:rs="` + metadata.NSRS + `" status="` + string(status) + `">`
	if len(errors) > 0 {
		s += `<rs:RegistryErrorList>`
		for _, e := range errors {
			f := strings.Split(e, "|")
			s += `<rs:RegistryError severity="urn:oasis:names:tc:ebxml-regrep:ErrorSeverityType:` + f[0] + `" errorCode="` + f[1] + `" codeContext=" why " location="` + f[2] + `"/>`
		}
		s += `</rs:RegistryErrorList>`
	}
	return s + `</rs:RegistryResponse>`
}

func documentResponse(home, repository, document, content string) string {
	s := `<DocumentResponse>`
	if home != "" {
		s += `<HomeCommunityId>` + home + `</HomeCommunityId>`
	}
	return s + `<RepositoryUniqueId>` + repository + `</RepositoryUniqueId><DocumentUniqueId>` + document + `</DocumentUniqueId><mimeType>a/b</mimeType><Document>` + content + `</Document></DocumentResponse>`
}

func TestParseRetrieveResponse(t *testing.T) {
	asked := []DocumentRequest{{"", "1.2", "1.3"}, {"urn:oid:1", "1.2", "1.4"}}
	first, second := documentResponse("", "1.2", "1.3", "QUJD"), documentResponse("urn:oid:1", "1.2", "1.4", includeOne)
	tests := []struct {
		name, inside string
		summary      string // of what is read; an error if empty
	}{
		{"both", statusSuccess + first + second, "2 documents"},
		{"in another order", statusSuccess + second + first, "2 documents"},
		{"with blanks", statusSuccess + strings.NewReplacer("1.3", "\n 1.3 ", "QUJD", "\n QU\n JD ").Replace(first) + second, "2 documents"},
		{"errors for all", registry(Failure, "Error|XDSRepositoryBusy|1.3", "Error|urn:dicom:wado:0007|1.4"), "0 documents, XDSRepositoryBusy at 1.3, urn:dicom:wado:0007 at 1.4"},
		{"error without location", registry(Failure, "Error|XDSRepositoryBusy|"), "0 documents, XDSRepositoryBusy at 1.3, XDSRepositoryBusy at 1.4"},
		{"error at a community", registry(PartialSuccess, "Error|XDSUnavailableCommunity|urn:oid:1") + first, "1 documents, XDSUnavailableCommunity at 1.4"},
		{"silence about one", registry(PartialSuccess, "Error|XDSRepositoryBusy|1.3"), "0 documents, XDSRepositoryBusy at 1.3, XDSRepositoryError at 1.4"},
		{"silence about one, with success", statusSuccess + first, "1 documents, XDSRepositoryError at 1.4"},
		{"warning", registry(Success, "Warning|XDSRepositoryError|1.3") + first + second, "2 documents, warning XDSRepositoryError at 1.3"},
		{"PartialSuccess of ebXML", strings.Replace(registry(PartialSuccess, "Error|X|1.4"), "urn:ihe:iti:2007:", "urn:oasis:names:tc:ebxml-regrep:", 1) + first, "1 documents, X at 1.4"},

		{"no RegistryResponse", first + second, ""},
		{"two RegistryResponses", statusSuccess + statusSuccess + first + second, ""},
		{"unknown status", strings.Replace(statusSuccess, "Success", "Warning", 1) + first + second, ""},
		{"success without documents", statusSuccess, ""},
		{"success with errors", registry(Success, "Error|X|1.4") + first, ""},
		{"failure without errors", registry(Failure), ""},
		{"failure with documents", registry(Failure, "Error|X|1.4") + first, ""},
		{"document that was not asked", statusSuccess + first + documentResponse("", "1.2", "1.5", "QUJD"), ""},
		{"of another repository", statusSuccess + documentResponse("", "1.9", "1.3", "QUJD") + second, ""},
		{"home community added", statusSuccess + documentResponse("urn:oid:1", "1.2", "1.3", "QUJD") + second, ""},
		{"home community dropped", statusSuccess + first + documentResponse("", "1.2", "1.4", "QUJD"), ""},
		{"document twice", statusSuccess + first + first, ""},
		{"no mimeType", statusSuccess + strings.Replace(first, "<mimeType>a/b</mimeType>", "", 1), ""},
		{"mimeType twice", statusSuccess + strings.Replace(first, "<mimeType>a/b</mimeType>", "<mimeType>a/b</mimeType><mimeType>a/b</mimeType>", 1), ""},
		{"no Document", statusSuccess + strings.Replace(first, "<Document>QUJD</Document>", "", 1), ""},
		{"two Documents", statusSuccess + strings.Replace(first, "</Document>", "</Document><Document/>", 1), ""},
		{"empty Document", statusSuccess + documentResponse("", "1.2", "1.3", " ") + second, ""},
		{"not base64", statusSuccess + documentResponse("", "1.2", "1.3", "!!") + second, ""},
		{"Include without href", statusSuccess + documentResponse("", "1.2", "1.3", strings.Replace(includeOne, "href", "ref", 1)) + second, ""},
		{"Include of a URL", statusSuccess + documentResponse("", "1.2", "1.3", strings.Replace(includeOne, "cid:", "http:", 1)) + second, ""},
		{"two Includes", statusSuccess + documentResponse("", "1.2", "1.3", includeOne+includeOne) + second, ""},
		{"another element in Document", statusSuccess + documentResponse("", "1.2", "1.3", "<x/>") + second, ""},
		{"unknown child", statusSuccess + first + second + "<x/>", ""},
		{"unknown child of a document", statusSuccess + strings.Replace(first, "<Document>", "<x/><Document>", 1) + second, ""},
		{"unknown child of the error list", strings.Replace(registry(Failure, "Error|X|1.3"), "<rs:RegistryError ", "<x/><rs:RegistryError ", 1), ""},
	}
	for _, test := range tests {
		a, err := parseRetrieveResponse(parse(t, `<RetrieveDocumentSetResponse xmlns="`+NSXDSb+`">`+test.inside+`</RetrieveDocumentSetResponse>`))
		if err == nil {
			err = a.match(asked)
		}
		if err != nil {
			if test.summary != "" {
				t.Errorf("%s: %v", test.name, err)
			}
			continue
		}
		if got := summary(a); got != test.summary {
			t.Errorf("%s: got %q, want %q", test.name, got, test.summary)
		}
		for i, d := range a.documents {
			if inline := a.bodies[i].contentID == ""; inline != (d.Size == 3) || !inline && d.Size != -1 {
				t.Errorf("%s: document %d has size %d", test.name, i, d.Size)
			}
		}
	}
}

func summary(a *retrieveReply) string {
	s := string('0'+rune(len(a.documents))) + " documents"
	for _, e := range a.errors {
		s += ", "
		if e.Severity == SeverityWarning {
			s += "warning "
		}
		s += string(e.Code) + " at " + e.Location
	}
	return s
}

// FuzzRetrieveResponse: whatever is accepted fits the request, and can be sent on.
func FuzzRetrieveResponse(f *testing.F) {
	wrap := func(s string) string {
		return `<RetrieveDocumentSetResponse xmlns="` + NSXDSb + `">` + s + `</RetrieveDocumentSetResponse>`
	}
	f.Add(wrap(statusSuccess + documentResponse("", "1.2", "1.3", "QUJD") + documentResponse("urn:oid:1", "1.2", "1.4", includeOne)))
	f.Add(wrap(registry(PartialSuccess, "Error|X|", "Warning|Y|1.4") + documentResponse("", "1.2", "1.3", includeOne)))
	asked := []DocumentRequest{{"", "1.2", "1.3"}, {"urn:oid:1", "1.2", "1.4"}}
	f.Fuzz(func(t *testing.T, s string) {
		n, err := parseXML(s)
		if err != nil {
			return
		}
		a, err := parseRetrieveResponse(n)
		if err != nil || a.match(asked) != nil {
			return
		}
		if len(a.documents)+len(a.errors) < len(asked) {
			t.Fatalf("%d documents and %d errors for %d requests", len(a.documents), len(a.errors), len(asked))
		}
		out := appendRetrieveResponse(nil, &RetrieveResponse{Documents: a.documents, Errors: a.errors})
		again, err := parseRetrieveResponse(parse(t, string(out)))
		if err != nil || len(again.documents) != len(a.documents) || len(again.errors) != len(a.errors) {
			t.Fatalf("sent on: %s: %v", out, err)
		}
	})
}
