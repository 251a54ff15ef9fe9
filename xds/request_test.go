package xds

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"collimate/soap"
	"collimate/xds/metadata"
)

func documentRequest(home, repository, document string) string {
	s := "<DocumentRequest>"
	if home != "" {
		s += "<HomeCommunityId>" + home + "</HomeCommunityId>"
	}
	return s + "<RepositoryUniqueId>" + repository + "</RepositoryUniqueId><DocumentUniqueId>" + document + "</DocumentUniqueId></DocumentRequest>"
}

func retrieveRequest(inside string) string {
	return `<RetrieveDocumentSetRequest xmlns="` + NSXDSb + `">` + inside + `</RetrieveDocumentSetRequest>`
}

func TestParseRetrieveRequest(t *testing.T) {
	one := []DocumentRequest{{RepositoryUniqueID: "1.2", DocumentUniqueID: "1.3"}}
	at := func(n int) string { return "1" + strings.Repeat("0", n-1) }
	tests := []struct {
		name, request string
		want          []DocumentRequest
		fault         string // part of the reason
	}{
		{"one", retrieveRequest(documentRequest("", "1.2", "1.3")), one, ""},
		{"with blanks", retrieveRequest(documentRequest("", "\n 1.2\t", " 1.3 ")), one, ""},
		{"empty home community", retrieveRequest(documentRequest(" ", "1.2", "1.3")), one, ""},
		{"home community", retrieveRequest(documentRequest("urn:oid:1.9", "1.2", "1.3")), []DocumentRequest{{"urn:oid:1.9", "1.2", "1.3"}}, ""},
		{"the same twice", retrieveRequest(strings.Repeat(documentRequest("", "1.2", "1.3"), 2)), append(one, one...), ""},
		{"in another order", retrieveRequest("<DocumentRequest><DocumentUniqueId>1.3</DocumentUniqueId><RepositoryUniqueId>1.2</RepositoryUniqueId></DocumentRequest>"), one, ""},
		{"longest", retrieveRequest(documentRequest("urn:oid:"+at(64), at(64), at(128))), []DocumentRequest{{"urn:oid:" + at(64), at(64), at(128)}}, ""},
		{"comment in a text", retrieveRequest(documentRequest("", "1<!-- x -->.2", "1.3")), one, ""},
		{"repository too long", retrieveRequest(documentRequest("", at(65), "1.3")), nil, "RepositoryUniqueId has more than 64"},
		{"document too long", retrieveRequest(documentRequest("", "1.2", at(129))), nil, "DocumentUniqueId has more than 128"},
		{"home too long", retrieveRequest(documentRequest("urn:oid:"+at(65), "1.2", "1.3")), nil, "HomeCommunityId has more than 72"},
		{"no repository", retrieveRequest("<DocumentRequest><DocumentUniqueId>1</DocumentUniqueId></DocumentRequest>"), nil, "no RepositoryUniqueId"},
		{"empty document id", retrieveRequest(documentRequest("", "1.2", " ")), nil, "no DocumentUniqueId"},
		{"twice", retrieveRequest(strings.Replace(documentRequest("", "1.2", "1.3"), "<Doc", "<RepositoryUniqueId>9</RepositoryUniqueId><Doc", 2)), nil, ""},
		{"element in a text", retrieveRequest(documentRequest("", "<x/>", "1.3")), nil, "a text is expected"},
		{"unknown element", retrieveRequest(strings.Replace(documentRequest("", "1.2", "1.3"), "</DocumentRequest>", "<X/></DocumentRequest>", 1)), nil, "a child other than"},
		{"unknown child", retrieveRequest(documentRequest("", "1.2", "1.3") + "<X/>"), nil, "not a DocumentRequest"},
		{"nothing", retrieveRequest(" "), nil, "has no DocumentRequest"},
	}
	for _, test := range tests {
		got, fault := parseRetrieveRequest(parse(t, test.request))
		switch {
		case test.want != nil && (fault != nil || !reflect.DeepEqual(got, test.want)):
			t.Errorf("%s: got %+v, fault %v, want %+v", test.name, got, fault, test.want)
		case test.want == nil && (fault == nil || fault.Code != soap.Sender || !strings.Contains(fault.Reason, test.fault)):
			t.Errorf("%s: fault %v, want %q", test.name, fault, test.fault)
		}
	}
}

func TestMaxDocumentRequests(t *testing.T) {
	for _, n := range []int{maxDocumentRequests, maxDocumentRequests + 1} {
		got, fault := parseRetrieveRequest(parse(t, retrieveRequest(strings.Repeat(documentRequest("", "1.2", "1.3"), n))))
		if ok := n <= maxDocumentRequests; ok != (fault == nil) || ok && len(got) != n {
			t.Errorf("%d requests: %d parsed, fault %v", n, len(got), fault)
		}
	}
}

func TestAppendRetrieveRequest(t *testing.T) {
	requests := []DocumentRequest{{RepositoryUniqueID: " 1.2 ", DocumentUniqueID: "1.3^a&b"}, {"urn:oid:1", "1.4", "1.5"}}
	got := string(appendRetrieveRequest(nil, requests))
	want := `<xdsb:RetrieveDocumentSetRequest xmlns:xdsb="urn:ihe:iti:xds-b:2007">` +
		`<xdsb:DocumentRequest><xdsb:RepositoryUniqueId>1.2</xdsb:RepositoryUniqueId><xdsb:DocumentUniqueId>1.3^a&amp;b</xdsb:DocumentUniqueId></xdsb:DocumentRequest>` +
		`<xdsb:DocumentRequest><xdsb:HomeCommunityId>urn:oid:1</xdsb:HomeCommunityId><xdsb:RepositoryUniqueId>1.4</xdsb:RepositoryUniqueId><xdsb:DocumentUniqueId>1.5</xdsb:DocumentUniqueId></xdsb:DocumentRequest>` +
		`</xdsb:RetrieveDocumentSetRequest>`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestIdentifiers(t *testing.T) {
	long := strings.Repeat("1.", 31) + "12" // 64 characters
	tests := []struct {
		check func(string) bool
		name  string
		yes   []string
		no    []string
	}{
		{metadata.IsOID, "metadata.IsOID", []string{"1.2.3", "1", "1.234.2.3.4.5", "01.002", long}, []string{"", ".", "1.", ".1", "1..2", "1.a", "1 2", "urn:oid:1.2", long + "3"}},
		{isDocumentUniqueID, "isDocumentUniqueID", []string{"1.2", "1.2^ext", "1.2^a^b", "urn:uuid:1-2", "1.2^" + strings.Repeat("x", 124)},
			[]string{"", "bad", "1.2^", "^x", "1.2^a b", "1.2^a\x00", "urn:", "1.2^é", "1.2^" + strings.Repeat("x", 125), "$docuid$"}},
		{isHomeCommunityID, "isHomeCommunityID", []string{"urn:oid:1.2", "1.2", "urn:oid:" + long}, []string{"", "urn:oid:", "urn:uuid:1", "x", "urn:oid:" + long + "3"}},
		{isMimeType, "isMimeType", []string{"application/dicom", "text/xml; charset=UTF-8"}, []string{"", "text", "/x", "x/", "a/b\r\nX: y", "a/b\x00", "a/é", "a/" + strings.Repeat("x", 254)}},
	}
	for _, test := range tests {
		for _, s := range test.yes {
			if !test.check(s) {
				t.Errorf("%s(%q) is false", test.name, s)
			}
		}
		for _, s := range test.no {
			if test.check(s) {
				t.Errorf("%s(%q) is true", test.name, s)
			}
		}
	}
}

func FuzzRetrieveRequest(f *testing.F) {
	f.Add(retrieveRequest(documentRequest("urn:oid:1", "1.2", "1.3")))
	f.Add(retrieveRequest(documentRequest("", " 1.2", "1.3^x") + documentRequest("", "1.2", "urn:uuid:1")))
	f.Fuzz(func(t *testing.T, s string) {
		doc, err := parseXML(s)
		if err != nil {
			return
		}
		requests, fault := parseRetrieveRequest(doc)
		if fault != nil {
			return
		}
		again, fault := parseRetrieveRequest(parse(t, string(appendRetrieveRequest(nil, requests))))
		if fault != nil || fmt.Sprint(again) != fmt.Sprint(requests) {
			t.Fatalf("%q became %q, fault %v", requests, again, fault)
		}
		for _, r := range requests {
			r.Unanswerable()
		}
	})
}
