package query

import (
	"reflect"
	"strings"
	"testing"

	"collimate/xds/metadata"
	"collimate/xmlsec"
)

// request returns an AdhocQueryRequest for whole objects. A parameter is "Name=value|value".
func ask(name Name, parameters ...string) string {
	return askID(name.ID(), parameters...)
}

func askID(id string, parameters ...string) string {
	s := `<q:AdhocQueryRequest xmlns:q="` + NSQuery + `" xmlns="` + metadata.NSRIM + `"><q:ResponseOption returnType="LeafClass"/><AdhocQuery id="` + id + `">`
	for _, p := range parameters {
		name, values, _ := strings.Cut(p, "=")
		s += `<Slot name="$` + name + `"><ValueList>`
		for value := range strings.SplitSeq(values, "|") {
			s += `<Value>` + string(xmlsec.EscapeText(nil, value)) + `</Value>`
		}
		s += `</ValueList></Slot>`
	}
	return s + `</AdhocQuery></q:AdhocQueryRequest>`
}

const (
	patientA = "A^^^&1.2.3&ISO"
	patientB = "B^^^&1.2.3&ISO"
	approved = "XDSDocumentEntryStatus=('" + string(metadata.Approved) + "')"
	ofA      = "XDSDocumentEntryPatientId='" + patientA + "'"
)

func TestParseRequest(t *testing.T) {
	find := func(parameters ...string) string {
		return ask(FindDocuments, append([]string{ofA, approved}, parameters...)...)
	}
	long := strings.Repeat("é", maxText)
	const missing, number, coding = metadata.StoredQueryMissingParam, metadata.StoredQueryParamNumber, metadata.RegistryError
	tests := []struct {
		name, request string
		want          metadata.ErrorCode // of the one error; "" for none
		names         string             // in the context
	}{
		{"all that is required", find(), "", ""},
		{"unknown query", askID("urn:uuid:00000000-0000-4000-8000-000000000000"), metadata.UnknownStoredQuery, "id of AdhocQuery"},
		{"query of ITI-51", askID("urn:uuid:3d1bdb10-39a2-11de-89c2-2f44d94eaa9f"), metadata.UnknownStoredQuery, ""},
		{"no id", askID(""), metadata.UnknownStoredQuery, ""},
		{"id in capitals", strings.Replace(find(), FindDocuments.ID(), strings.ToUpper(FindDocuments.ID()), 1), "", ""},
		{"returnType", strings.Replace(find(), "LeafClass", "LeafClassWithRepositoryItem", 1), coding, "returnType"},
		{"no returnType", strings.Replace(find(), ` returnType="LeafClass"`, "", 1), coding, "returnType"},
		{"home", strings.Replace(find(), "<AdhocQuery ", `<AdhocQuery home="urn:oid:1.2" `, 1), "", ""},
		{"bad home", strings.Replace(find(), "<AdhocQuery ", `<AdhocQuery home="1.2" `, 1), metadata.UnknownCommunity, "home"},

		{"no patient", ask(FindDocuments, approved), missing, "$XDSDocumentEntryPatientId"},
		{"no status", ask(FindDocuments, ofA), missing, "$XDSDocumentEntryStatus"},
		{"empty status", ask(FindDocuments, ofA, "XDSDocumentEntryStatus="), missing, "$XDSDocumentEntryStatus"},
		{"unknown status", ask(FindDocuments, ofA, "XDSDocumentEntryStatus=('x')"), missing, "$XDSDocumentEntryStatus"},
		{"unknown status beside a known", ask(FindDocuments, ofA, approved+"|('x')"), "", ""},
		{"two patients", ask(FindDocuments, approved, ofA+"|'"+patientB+"'"), number, "$XDSDocumentEntryPatientId"},
		{"two patients in a list", ask(FindDocuments, approved, "XDSDocumentEntryPatientId=('"+patientA+"','"+patientB+"')"), number, "$XDSDocumentEntryPatientId"},
		{"patient in parentheses", ask(FindDocuments, approved, "XDSDocumentEntryPatientId=('"+patientA+"')"), "", ""},
		{"patient not quoted", ask(FindDocuments, approved, "XDSDocumentEntryPatientId="+patientA), coding, "quoted"},
		{"patient in double quotes", ask(FindDocuments, approved, `XDSDocumentEntryPatientId="`+patientA+`"`), "", ""},
		{"patient without authority", ask(FindDocuments, approved, "XDSDocumentEntryPatientId='A'"), coding, "CX"},
		{"patient, and more", ask(FindDocuments, approved, ofA+" x"), coding, "quoted"},
		{"status twice", find(approved), number, "$XDSDocumentEntryStatus stands more than once"},
		{"patient twice", find(ofA), number, "$XDSDocumentEntryPatientId"},
		{"unknown parameter", find("XDSDocumentEntryPracticeSettingCodeScheme=('x')", "MetadataLevel=1"), "", ""},

		{"class code", find("XDSDocumentEntryClassCode=('a^^1','b^^1')|('c^^1')"), "", ""},
		{"class code without scheme", find("XDSDocumentEntryClassCode=('a')"), coding, "codingScheme"},
		{"class code with an empty scheme", find("XDSDocumentEntryClassCode=('a^^1', 'b^^')"), coding, "codingScheme"},
		{"class code with a name", find("XDSDocumentEntryClassCode=('a^n^1')"), coding, "codingScheme"},
		{"class code twice", find("XDSDocumentEntryClassCode=('a^^1')", "XDSDocumentEntryClassCode=('b^^1')"), number, "$XDSDocumentEntryClassCode"},
		{"event code twice", find("XDSDocumentEntryEventCodeList=('a^^1')", "XDSDocumentEntryEventCodeList=('b^^1')"), "", ""},
		{"no parentheses", find("XDSDocumentEntryClassCode='a^^1'"), coding, "list"},
		{"open parenthesis", find("XDSDocumentEntryClassCode=('a^^1'"), coding, "list"},
		{"open quote", find("XDSDocumentEntryClassCode=('a^^1)"), coding, "list"},
		{"empty list", find("XDSDocumentEntryClassCode=()"), coding, "list"},
		{"comma at the end", find("XDSDocumentEntryClassCode=('a^^1',)"), coding, "list"},
		{"semicolon", find("XDSDocumentEntryClassCode=('a^^1';'b^^1')"), coding, "list"},
		{"text after the list", find("XDSDocumentEntryClassCode=('a^^1') or 1"), coding, "list"},
		{"blanks", find("XDSDocumentEntryClassCode= ( 'a^^1' ,\n'b^^1' ) "), "", ""},
		{"a quote within", find("XDSDocumentEntryAuthorPerson=('%O''Hara%')"), "", ""},
		{"empty text", find("XDSDocumentEntryAuthorPerson=('')"), coding, "list"},
		{"text", find("XDSDocumentEntryAuthorPerson=('" + long + "')"), "", ""},
		{"long text", find("XDSDocumentEntryAuthorPerson=('" + long + "e')"), coding, "256"},
		{"many", find("XDSDocumentEntryAuthorPerson=(" + strings.Repeat("'a',", maxAlternatives) + "'a')"), coding, "too many"},
		{"many together", find("XDSDocumentEntryClassCode=("+strings.Repeat("'a^^1',", maxAlternatives-1)+"'a^^1')", "XDSDocumentEntryTypeCode=('a^^1')"), coding, "too many"},
		{"patterns", find("XDSDocumentEntryAuthorPerson=(" + strings.Repeat("'%a',", maxPatterns-1) + "'a')"), "", ""},
		{"many patterns", ask(FindDocumentsByReferenceID, "XDSDocumentEntryPatientId='P^^^&1.2&ISO'", "XDSDocumentEntryStatus=('"+string(metadata.Approved)+"')",
			"XDSDocumentEntryAuthorPerson=("+strings.Repeat("'%a',", maxPatterns-1)+"'a')", "XDSDocumentEntryReferenceIdList=('a')"), coding, "too many"},

		{"time", find("XDSDocumentEntryCreationTimeFrom=200401", "XDSDocumentEntryCreationTimeTo='2005'"), "", ""},
		{"time of another form", find("XDSDocumentEntryCreationTimeFrom=2004-01-01"), coding, "$XDSDocumentEntryCreationTimeFrom"},
		{"time in parentheses", find("XDSDocumentEntryServiceStartTimeFrom=(2004)"), coding, "time"},
		{"two times", find("XDSDocumentEntryServiceStopTimeTo=2004|2005"), number, "several"},

		{"UUIDs", ask(GetDocuments, "XDSDocumentEntryEntryUUID=('urn:uuid:a','urn:uuid:b')"), "", ""},
		{"uniqueIds", ask(GetDocuments, "XDSDocumentEntryUniqueId=('1.2')"), "", ""},
		{"neither", ask(GetDocuments), missing, "$XDSDocumentEntryEntryUUID"},
		{"both", ask(GetDocuments, "XDSDocumentEntryEntryUUID=('urn:uuid:a')", "XDSDocumentEntryUniqueId=('1.2')"), number, "both"},
		{"two folders where one is asked", ask(GetFolderAndContents, "XDSFolderEntryUUID='urn:uuid:a'|'urn:uuid:b'"), number, "$XDSFolderEntryUUID"},
		{"no uuid", ask(GetAssociations), missing, "$uuid"},
		{"no types", ask(GetRelatedDocuments, "XDSDocumentEntryUniqueId='1.2'"), missing, "$AssociationTypes"},
		{"everything of a patient", ask(GetAll, "patientId='"+patientA+"'", approved, "XDSSubmissionSetStatus=('"+string(metadata.Approved)+"')", "XDSFolderStatus=('"+string(metadata.Approved)+"')"), "", ""},
		{"everything but folders", ask(GetAll, "patientId='"+patientA+"'", approved, "XDSSubmissionSetStatus=('"+string(metadata.Approved)+"')"), missing, "$XDSFolderStatus"},
		{"no reference", ask(FindDocumentsByReferenceID, ofA, approved), missing, "$XDSDocumentEntryReferenceIdList"},
		{"excluded", ask(FindDocumentsExclude, ofA, approved, "XDSDocumentEntryClassCodeExclude=('a^^1')", "XDSDocumentEntryTypeCode=('b^^1')"), "", ""},
		{"asked and excluded", ask(FindDocumentsExclude, ofA, approved, "XDSDocumentEntryClassCodeExclude=('a^^1')", "XDSDocumentEntryClassCode=('b^^1')"), number, "opposite"},
	}
	for _, test := range tests {
		q, errs, err := ParseRequest(parse(t, test.request))
		switch {
		case err != nil:
			t.Errorf("%s: %v", test.name, err)
		case test.want == "" && (errs != nil || q == nil):
			t.Errorf("%s: %v", test.name, errs)
		case test.want != "" && (q != nil || len(errs) != 1 || errs[0].Code != test.want || !strings.Contains(errs[0].Context, test.names)):
			t.Errorf("%s: got %v, want %s with %q", test.name, errs, test.want, test.names)
		}
	}

	// All that is wrong is said, and nothing of the values.
	_, errs, _ := ParseRequest(parse(t, ask(FindDocuments, "XDSDocumentEntryPatientId=MARK", "XDSDocumentEntryClassCode=MARK", "XDSDocumentEntryCreationTimeTo=MARK")))
	if len(errs) != 4 {
		t.Errorf("got %v, want four errors", errs)
	}
	for _, e := range errs {
		if strings.Contains(e.Error(), "MARK") {
			t.Errorf("%v quotes the request", e)
		}
	}
}

// What a query is read as.
func TestMeaning(t *testing.T) {
	q, errs, err := ParseRequest(parse(t, ask(FindDocuments, ofA, approved, "XDSDocumentEntryCreationTimeTo=2005", "XDSDocumentEntryCreationTimeFrom=2004",
		"XDSDocumentEntryEventCodeList=('a^^1')|('b^^1')", "XDSDocumentEntryEventCodeList=('c^^1')", "XDSDocumentEntryAuthorPerson=('%O''Hara%')", "other=(1)")))
	want := &Query{Name: FindDocuments, Return: LeafClass, Documents: Filter{
		PatientID: patientA, Statuses: []metadata.Status{metadata.Approved}, Types: []metadata.ObjectType{metadata.Stable},
		Codes: []CodeCondition{
			{Attribute: "eventCodeList", AnyOf: []metadata.Code{{Value: "a", Scheme: "1"}, {Value: "b", Scheme: "1"}}},
			{Attribute: "eventCodeList", AnyOf: []metadata.Code{{Value: "c", Scheme: "1"}}},
		},
		Authors: []Like{{AnyOf: []string{"%O'Hara%"}}}, Times: []TimeRange{{"creationTime", "2004", "2005"}},
	}, Extra: []metadata.Slot{{Name: "$other", Values: []string{"(1)"}}}}
	if err != nil || errs != nil || !reflect.DeepEqual(q, want) {
		t.Errorf("errors %v, %v; got\n%+v\nwant\n%+v", err, errs, q, want)
	}
}

// What is no query, and what is too much.
func TestRefused(t *testing.T) {
	for name, request := range map[string]string{
		"another element":     "<a/>",
		"no AdhocQuery":       `<q:AdhocQueryRequest xmlns:q="` + NSQuery + `"/>`,
		"many parameters":     ask(FindDocuments, strings.Split(strings.Repeat("x=1,", maxParameters)+"x=1", ",")...),
		"elements in a value": strings.Replace(ask(FindDocuments, "x=1"), ">1<", "><b/><", 1),
	} {
		if _, _, err := ParseRequest(parse(t, request)); err == nil {
			t.Errorf("%s is read", name)
		}
	}
}

// everything returns a query of each name with all of its parameters.
func everything() []*Query {
	var queries []*Query
	for _, d := range catalogue {
		parameters := []string{"extra='x'"}
		for _, p := range d.parameters {
			value := map[kind]string{
				patientID: "'" + patientA + "'", statuses: "('" + string(metadata.Approved) + "','" + string(metadata.Deprecated) + "')",
				objectTypes: "('" + string(metadata.OnDemand) + "')", codes: "('a^^1','b^^1')", authors: "('%O''Hara_')", references: "('A^^^&1.2&ISO^t')",
				timeFrom: "2004", timeTo: "20050101", sourceIDs: "('1.2')", ids: "('urn:uuid:a')", associationTypes: "('" + string(metadata.Replace) + "')",
			}[p.kind]
			if p.single {
				value = strings.Trim(value, "()")
			}
			twin := p.exclude && !strings.HasPrefix(p.name, "XDSDocumentEntryFormatCode") || d.name == FindDocumentsExclude && p.name == "XDSDocumentEntryFormatCode"
			if value == "" || twin {
				continue
			}
			parameters = append(parameters, p.name+"="+value)
			if p.repeats {
				parameters = append(parameters, p.name+"="+value)
			}
		}
		doc, err := xmlsec.Parse([]byte(ask(d.name, parameters...)), xmlsec.Limits{})
		if err != nil {
			panic(err)
		}
		q, errs, err := ParseRequest(doc.Root())
		if err != nil || errs != nil {
			panic(errs)
		}
		queries = append(queries, q)
	}
	return queries
}

// What is written is read as the same query.
func TestRoundTrip(t *testing.T) {
	for _, q := range everything() {
		for _, q.Return = range []ReturnType{ObjectRef, LeafClass} {
			again, errs, err := ParseRequest(parse(t, string(AppendRequest(nil, q))))
			if err != nil || errs != nil || !reflect.DeepEqual(q, again) {
				t.Errorf("%s: %v, %v; got\n%+v\nwant\n%+v", q.Name, err, errs, again, q)
			}
		}
	}
	if len(catalogue) != 15 {
		t.Errorf("%d stored queries", len(catalogue))
	}
}

// FuzzRequest: what is read is written so that it is read as the same, and can be run.
func FuzzRequest(f *testing.F) {
	for _, q := range everything() {
		f.Add(AppendRequest(nil, q))
	}
	f.Add([]byte(ask(GetDocuments, `XDSDocumentEntryUniqueId=("1.2", 'a''b')`)))
	all := example()
	f.Fuzz(func(t *testing.T, message []byte) {
		doc, err := xmlsec.Parse(message, xmlsec.Limits{MaxBytes: 1 << 20})
		if err != nil {
			return
		}
		q, errs, err := ParseRequest(doc.Root())
		if err != nil || errs != nil {
			return
		}
		if doc, err = xmlsec.Parse(AppendRequest(nil, q), xmlsec.Limits{}); err != nil {
			t.Fatal(err)
		}
		again, errs, err := ParseRequest(doc.Root())
		if err != nil || errs != nil || !reflect.DeepEqual(q, again) {
			t.Fatalf("%v, %v; got\n%+v\nwant\n%+v", err, errs, again, q)
		}
		_, _ = Evaluate(q, all)
	})
}
