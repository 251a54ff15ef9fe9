package metadata

import (
	"strings"
	"testing"
)

// Faults of messages, each alone.
func TestValidate(t *testing.T) {
	long := strings.Repeat("é", maxValue)
	d := func(f func(d *DocumentEntry)) func(*Objects) { return func(o *Objects) { f(&o.Documents[0]) } }
	a := func(i int, f func(a *Association)) func(*Objects) {
		return func(o *Objects) { f(&o.Associations[i-1]) }
	}
	tests := []struct {
		name   string
		change func(*Objects)
		want   string // part of the one error; "" for none
	}{
		{"nothing", func(*Objects) {}, ""},
		{"no association id", a(6, func(a *Association) { a.ID = "" }), ""},

		{"no set", func(o *Objects) {
			o.SubmissionSets, o.Documents, o.Folders, o.Associations = nil, nil, nil, nil
		}, "XDSRegistryMetadataError: a submission has exactly one SubmissionSet"},
		{"two sets", func(o *Objects) {
			s := o.SubmissionSets[0]
			s.ID, s.UniqueID = "Another", "1.2.3"
			o.SubmissionSets = append(o.SubmissionSets, s)
		}, "exactly one SubmissionSet"},
		{"no submissionTime", func(o *Objects) { o.SubmissionSets[0].SubmissionTime = "" }, "SubmissionSet 1: submissionTime is missing"},
		{"no contentTypeCode", func(o *Objects) { o.SubmissionSets[0].ContentTypeCode = Code{} }, "contentTypeCode is missing"},
		{"sourceId", func(o *Objects) { o.SubmissionSets[0].SourceID = "here" }, "sourceId is not an OID"},
		{"intendedRecipient", func(o *Objects) { o.SubmissionSets[0].IntendedRecipients = []string{"||"} }, "intendedRecipient is not"},
		{"no folder title", func(o *Objects) { o.Folders[0].Title = Text{} }, "Folder 1: title is missing"},
		{"no codeList", func(o *Objects) { o.Folders[0].Codes = nil }, "codeList is missing"},

		{"no objectType", d(func(d *DocumentEntry) { d.Type = "" }), "objectType is missing"},
		{"another objectType", d(func(d *DocumentEntry) { d.Type = nodeSet }), "objectType is neither"},
		{"no mimeType", d(func(d *DocumentEntry) { d.MimeType = "" }), "mimeType is missing"},
		{"mimeType with parameters", d(func(d *DocumentEntry) { d.MimeType = "text/xml; charset=UTF-8" }), "mimeType is not a media type"},
		{"no creationTime", d(func(d *DocumentEntry) { d.CreationTime = "" }), "DocumentEntry 1: creationTime is missing"},
		{"creationTime with zone", d(func(d *DocumentEntry) { d.CreationTime = "20240229+01" }), "creationTime is not a DTM"},
		{"no hash", d(func(d *DocumentEntry) { d.Hash = "" }), "hash is missing"},
		{"hash in capitals", d(func(d *DocumentEntry) { d.Hash = strings.ToUpper(d.Hash) }), ""},
		{"short hash", d(func(d *DocumentEntry) { d.Hash = d.Hash[1:] }), "hash is not"},
		{"no size", d(func(d *DocumentEntry) { d.Size = "" }), "size is missing"},
		{"size", d(func(d *DocumentEntry) { d.Size = "-1" }), "size is not"},
		{"no repositoryUniqueId", d(func(d *DocumentEntry) { d.RepositoryUniqueID = "" }), "repositoryUniqueId is missing"},
		{"no languageCode", d(func(d *DocumentEntry) { d.LanguageCode = "" }), "languageCode is missing"},
		{"no sourcePatientId", d(func(d *DocumentEntry) { d.SourcePatientID = "" }), "sourcePatientId is missing"},
		{"sourcePatientInfo", d(func(d *DocumentEntry) { d.SourcePatientInfo = []string{"PID-19|1"} }), "sourcePatientInfo is not"},
		{"legalAuthenticator", d(func(d *DocumentEntry) { d.LegalAuthenticator = "^^Marie" }), "legalAuthenticator is not"},
		{"referenceIdList", d(func(d *DocumentEntry) { d.ReferenceIDs = []string{"A1"} }), "referenceIdList is not"},
		{"stop before start", d(func(d *DocumentEntry) { d.ServiceStopTime = "20240229075959" }), "serviceStartTime is later"},
		{"stop at the start", d(func(d *DocumentEntry) { d.ServiceStopTime = "20240229080000" }), ""},
		{"URI", d(func(d *DocumentEntry) { d.URI = "a b" }), "URI is not"},
		{"no patientId", d(func(d *DocumentEntry) { d.PatientID = "" }), "patientId is missing"},
		{"another patient", d(func(d *DocumentEntry) { d.PatientID = "P-2^^^&1.2.840.1&ISO" }), "XDSPatientIdDoesNotMatch: DocumentEntry 1"},
		{"no uniqueId", d(func(d *DocumentEntry) { d.UniqueID = "" }), "uniqueId is missing"},
		{"uniqueId twice", d(func(d *DocumentEntry) { d.UniqueID = "1.2.840.11" }), "XDSRegistryDuplicateUniqueIdInMessage: Folder 1"},
		{"no author", d(func(d *DocumentEntry) { d.Authors = nil }), ""},
		{"author of no name", d(func(d *DocumentEntry) { d.Authors = []Author{{Roles: []string{"Reader"}}} }), "an author has neither"},
		{"authorInstitution", d(func(d *DocumentEntry) { d.Authors[0].Institutions[1] = "^^1" }), "authorInstitution is not"},
		{"code not allowed", d(func(d *DocumentEntry) { d.ClassCode.Value = "other" }), "classCode has a code that is not in the code set"},
		{"scheme not allowed", d(func(d *DocumentEntry) { d.EventCodes[1].Scheme = "other" }), "eventCodeList has a code that is not in the code set"},
		{"another display name", d(func(d *DocumentEntry) { d.ClassCode.Display = "other" }), ""},
		{"mimeType not allowed", d(func(d *DocumentEntry) { d.MimeType = "text/plain" }), "mimeType is not one of the affinity domain"},
		{"title", d(func(d *DocumentEntry) { d.Title.Value = long[:2*maxTitle] }), ""},
		{"long title", d(func(d *DocumentEntry) { d.Title.Value = long[:2*maxTitle+2] }), "title has more than 128"},
		{"long comments", d(func(d *DocumentEntry) { d.Comments.Value = strings.Repeat("c", maxText+1) }), "comments have more than 1024"},
		{"value", d(func(d *DocumentEntry) { d.Authors[0].Roles[0] = long }), ""},
		{"long value", d(func(d *DocumentEntry) { d.Authors[0].Roles[0] = long + "e" }), "authorRole has a value of more than 256"},
		{"long extra value", d(func(d *DocumentEntry) { d.Extra[0].Values[1] = long + "e" }), "a Slot with a name of its own has a value"},
		{"home", d(func(d *DocumentEntry) { d.HomeCommunityID = "urn:oid:1.2.3" }), ""},
		{"home without urn", d(func(d *DocumentEntry) { d.HomeCommunityID = "1.2.3" }), "homeCommunityId is not"},
		{"id that is no UUID", a(6, func(a *Association) { a.ID = "urn:uuid:1" }), "starts with urn:uuid: and is not a UUID"},
		{"id twice", a(6, func(a *Association) { a.ID = "A1" }), "the id stands twice"},

		{"association of no kind", a(6, func(a *Association) { a.Type = "urn:ihe:iti:2007:AssociationType:X" }), "associationType is not"},
		{"update", a(6, func(a *Association) { a.Type = SubmitAssociation }), "associationType is not"},
		{"to itself", a(6, func(a *Association) { a.Target = a.Source }), "or they are the same"},
		{"to nothing", a(6, func(a *Association) { a.Target = "" }), "is missing"},
		{"to a symbol", a(6, func(a *Association) { a.Target = "Document09" }), "UnresolvedReferenceException: Association 6"},
		{"from a registered document", a(6, func(a *Association) { a.Source = "urn:uuid:11111111-2222-4333-8444-555555555556" }), "UnresolvedReferenceException"},
		{"from a folder", a(6, func(a *Association) { a.Source = "Folder01" }), "UnresolvedReferenceException"},
		{"transform of a new document", a(6, func(a *Association) { a.Type, a.Target = Transform, "Document01" }), ""},
		{"replacement of a new document", a(6, func(a *Association) { a.Type, a.Target = Replace, "Document01" }), "it has to be registered before"},
		{"addendum to a folder", a(6, func(a *Association) { a.Target = "Folder01" }), "targetObject is not a DocumentEntry"},
		{"addendum to a set", a(6, func(a *Association) { a.Type, a.Target = HasMember, "SubmissionSet01"; a.Documentation = Code{} }), ""},
		{"status of an addendum", a(6, func(a *Association) { a.SubmissionSetStatus = Original }), "SubmissionSetStatus is only for"},
		{"reason of a membership", a(1, func(a *Association) { a.Documentation = code("why") }), "documentation code"},
		{"Reference to a new document", a(1, func(a *Association) { a.SubmissionSetStatus = Reference }), "is not Original"},
		{"no SubmissionSetStatus", a(1, func(a *Association) { a.SubmissionSetStatus = "" }), "is not Original"},
		{"SubmissionSetStatus of a folder", a(3, func(a *Association) { a.SubmissionSetStatus = Original }), ""},
		{"status of a folder's member", a(4, func(a *Association) { a.SubmissionSetStatus = Original }), "SubmissionSetStatus is only for"},
		{"document that is no member", a(1, func(a *Association) { a.Target = registered; a.SubmissionSetStatus = Reference }), "DocumentEntry 1: it is not a member"},
		{"Original of a registered document", func(o *Objects) {
			o.Associations = append(o.Associations, Association{Object: Object{ID: "A7"}, Type: HasMember, Source: "SubmissionSet01", Target: registered, SubmissionSetStatus: Original})
		}, "is not Reference"},
		{"member twice", a(5, func(a *Association) { a.Target = "Folder01" }), ""},
	}
	// Two that have more than one fault.
	several := map[string][]string{
		"addendum to a set": {"targetObject is a SubmissionSet", "neither a SubmissionSet nor a Folder", "Association 6: it is not a member"},
		"member twice":      {"Folder 1: it is a member of the SubmissionSet more than once", "Association 4: it is not a member"},
	}
	codes := &Codes{}
	for f := range sample().all {
		for _, c := range f.codes {
			for _, code := range c.values() {
				codes.Add(c.name, code)
			}
		}
	}
	codes.Add("mimeType", Code{Value: "application/dicom"})
	for _, test := range tests {
		o := sample()
		test.change(o)
		errs := o.Validate(Rules{For: Register, Codes: codes})
		want := several[test.name]
		if test.want != "" {
			want = []string{test.want}
		}
		if len(errs) != len(want) {
			t.Errorf("%s: got %v, want %d errors", test.name, errs, len(want))
			continue
		}
		for i := range errs {
			if !strings.Contains(errs[i].Error(), want[i]) {
				t.Errorf("%s: got %v, want %q", test.name, errs[i], want[i])
			}
		}
	}
}

// What each transaction takes.
func TestPurposes(t *testing.T) {
	bare := func() *Objects {
		o := sample()
		for i := range o.Documents {
			d := &o.Documents[i]
			d.Hash, d.Size, d.RepositoryUniqueID = "", "", ""
		}
		return o
	}
	answered := func() *Objects { return resolved() }
	unversioned := func() *Objects {
		o := resolved()
		o.Documents[0].Version = ""
		o.Documents[1].LogicalID = ""
		o.Folders[0].Status = Deprecated
		return o
	}
	timed := func() *Objects {
		o := onDemandSample()
		o.Documents[0].CreationTime, o.Documents[0].Hash, o.Documents[0].Size = "2024", sampleHash, "1"
		return o
	}
	tests := []struct {
		name    string
		objects *Objects
		purpose Purpose
		code    ErrorCode
		errors  int
	}{
		{"a source knows no hash, size, repository", bare(), Provide, "", 0},
		{"a repository does", bare(), Register, RegistryMetadata, 6},
		{"on-demand", onDemandSample(), RegisterOnDemand, "", 0},
		{"on-demand to a registry", onDemandSample(), Register, RegistryMetadata, 1},
		{"on-demand to a repository", onDemandSample(), Provide, RepositoryMetadata, 1},
		{"stable as on-demand", sample(), RegisterOnDemand, RegistryMetadata, 2},
		{"on-demand with creationTime, hash and size", timed(), RegisterOnDemand, RegistryMetadata, 3},
		{"answer", answered(), Answer, "", 0},
		{"answer without lid, VersionInfo, status", unversioned(), Answer, RegistryMetadata, 3},
	}
	for _, test := range tests {
		errs := test.objects.Validate(Rules{For: test.purpose})
		if len(errs) != test.errors || len(errs) > 0 && !errs.Has(test.code) {
			t.Errorf("%s: got %v, want %d of %s", test.name, errs, test.errors, test.code)
		}
	}
	o := sample()
	o.Documents[1].UniqueID = o.Documents[0].UniqueID
	if errs := o.Validate(Rules{For: Provide}); len(errs) != 1 || errs[0].Code != RepositoryDuplicateUniqueID {
		t.Errorf("a repository says %v of a uniqueId that is there twice", errs)
	}
	if errs := o.Validate(Rules{For: Register}); len(errs) != 1 || errs[0].Code != RegistryDuplicateUniqueID {
		t.Errorf("a registry says %v of a uniqueId that is there twice", errs)
	}
}

// No error quotes a value of the message, whatever is wrong with it.
func TestErrorsQuoteNothing(t *testing.T) {
	const marker = "MARK"
	message := text()
	for _, cut := range []string{`value="`, `<rim:Value>`, `id="`, `nodeRepresentation="`, `mimeType="`, `targetObject="`, `objectType="`, `classificationScheme="`, `name="`, `associationType="`} {
		o, err := ParseSubmission(parse(t, strings.ReplaceAll(message, cut, cut+marker)))
		if err != nil {
			t.Fatal(err)
		}
		errs := append(o.Validate(Rules{For: Register}), o.Admit(Registered{})...)
		if len(errs) == 0 {
			t.Errorf("nothing is wrong with %s%s", cut, marker)
		}
		for _, e := range errs {
			if strings.Contains(e.Error(), marker) {
				t.Errorf("%v quotes the message", e)
			}
		}
		if written := AppendErrorList(nil, errs); strings.Contains(string(written), marker) {
			t.Errorf("the RegistryErrorList quotes the message")
		}
	}
}
