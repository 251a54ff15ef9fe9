package metadata

import (
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"collimate/internal/sharedfiles"
)

// Messages of other people's making: from the Technical Framework, test tools and peers. Those that are not
// listed are to be without fault.
func TestForeignSubmissions(t *testing.T) {
	const metadata = RegistryMetadata
	faulty := map[string][]ErrorCode{
		// Attributes that are required are missing.
		"tk2-11998a_classCode-submit.xml":                  {metadata},
		"tk2-11998a_confidentialityCode-submit.xml":        {metadata},
		"tk2-11998a_creationTime-submit.xml":               {metadata},
		"tk2-11998a_healthcareFacilityTypeCode-submit.xml": {metadata},
		"tk2-11998a_practiceSettingCode-submit.xml":        {metadata},
		"tk2-11998a_sourcePatientId-submit.xml":            {metadata},
		"tk2-12084_submit-submit.xml":                      {metadata}, // no repositoryUniqueId
		"tk2-12369_hash-submit.xml":                        {RepositoryMetadata},
		"tk2-11986_submit-submit.xml":                      {PatientIDDoesNotMatch},
		"tk2-11997_submit-submit.xml":                      {PatientIDDoesNotMatch},
		"tk2-msg-pnr-bad-uplink.xml":                       {RepositoryMetadata},
		// An ebXML registry's own objects, and an entry that is nothing but classifications: not for XDS.
		"dcm4chee-initialize.xml":              {metadata},
		"dcm4chee-testCodeClassifications.xml": {metadata},
		// Of ITI-41, sent to a registry.
		"ipf-SubmitObjectsRequest_ebrs30.xml":               {metadata},
		"ipf-SubmitObjectsRequest_ebrs3_extra_metadata.xml": {metadata},
		// The hash is one of SHA-256.
		"wxdsb-register_req.xml": {metadata},
		// A body to compare with, not one that is sent: Classifications point elsewhere.
		"tk2-ids_2018-4801a-metadata-evaluate.xml": {RepositoryMetadata},
		// An empty list.
		"xcads-IT_iti-41_request.xml": {RepositoryMetadata},
	}
	folders := map[string]Purpose{
		"iti41": Provide, "rad68": Provide, "kos-submission": Provide, "negative-iti41": Provide, "iti41-xop-noxop": Provide,
		"iti42": Register, "submission-set": Register, "negative-iti42": Register, "iti61": RegisterOnDemand,
	}
	seen := map[string]bool{}
	for folder, purpose := range folders {
		files, err := os.ReadDir(sharedfiles.Path(t, "ihe", "vectors", folder))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			name := file.Name()
			if !strings.HasSuffix(name, ".xml") && !strings.HasSuffix(name, ".txt") || strings.HasSuffix(name, "collections.txt") {
				continue
			}
			seen[name] = true
			t.Run(folder+"/"+name, func(t *testing.T) {
				o, ok := submission(t, folder, name)
				if !ok {
					return
				}
				errs := o.Validate(Rules{For: purpose})
				var got []ErrorCode
				for _, e := range errs {
					if !slices.Contains(got, e.Code) {
						got = append(got, e.Code)
					}
				}
				if want := faulty[name]; !slices.Equal(got, want) {
					t.Errorf("%d sets, %d documents, %d folders, %d associations: got %v, want codes %v", len(o.SubmissionSets),
						len(o.Documents), len(o.Folders), len(o.Associations), errs, want)
				}
			})
		}
	}
	if len(seen) < 100 {
		t.Errorf("%d files seen, there are more than 100", len(seen))
	}
	for name := range faulty {
		if !seen[name] {
			t.Errorf("%s is not among the files", name)
		}
	}
}

// What peers send comes back as it came: reading what was written gives the same objects.
func TestForeignSubmissionsRoundTrip(t *testing.T) {
	for _, folder := range []string{"iti41", "iti42", "iti61", "rad68"} {
		files, err := os.ReadDir(sharedfiles.Path(t, "ihe", "vectors", folder))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			if !strings.HasSuffix(file.Name(), ".xml") {
				continue
			}
			o, ok := submission(t, folder, file.Name())
			if !ok || len(o.faults) > 0 {
				continue
			}
			again, err := ParseSubmission(parse(t, string(AppendSubmission(nil, o))))
			if err != nil || !reflect.DeepEqual(o, again) {
				t.Errorf("%s/%s: error %v, or other objects than were written", folder, file.Name(), err)
			}
		}
	}
}

// The messages that need a registry behind them.
func TestForeignConflicts(t *testing.T) {
	known := func(o *Objects, patient bool) Registered { return Registered{PatientKnown: patient, Objects: *o} }
	entry := func(status Status, kind ObjectType) *Objects {
		return &Objects{Documents: []DocumentEntry{{Object: Object{ID: registered, Status: status}, Type: kind, PatientID: "P-1^^^&1.3.6.1.4.1.21367.2005.13.20.1000&ISO"}}}
	}
	folder := &Objects{Folders: []Folder{{Object: Object{ID: registered, Status: Approved}, PatientID: "P-1^^^&1.3.6.1.4.1.21367.2005.13.20.1000&ISO"}}}
	first, _ := submission(t, "iti42", "dcm4chee-RegisterOneDocument.xml")
	first.Resolve(func() string { return registered })
	first.SubmissionSets, first.Associations = nil, nil
	first.Documents[0].ID = registered
	tests := []struct {
		folder, file string
		known        Registered
		want         []ErrorCode
	}{
		{"iti42", "tk2-11996_submit-submit.xml", Registered{}, []ErrorCode{UnknownPatientID}},
		{"iti42", "tk2-11996_submit-submit.xml", Registered{PatientKnown: true}, nil},
		{"negative-iti42", "dcm4chee-ResubmitWrongHash.xml", known(first, true), []ErrorCode{NonIdenticalHash}},
		{"iti42", "dcm4chee-RegisterOneDocument.xml", known(first, true), nil},
		{"iti42", "tk2-12346_rplc-rplc.xml", known(entry(Approved, Stable), true), nil},
		{"iti42", "tk2-12346_rplc-rplc.xml", known(entry(Deprecated, Stable), true), []ErrorCode{RegistryDeprecatedDocument}},
		{"iti42", "tk2-12346_rplc-rplc.xml", known(folder, true), []ErrorCode{RegistryMetadata}},
		{"iti42", "tk2-12346_rplc-rplc.xml", known(&Objects{}, true), []ErrorCode{UnresolvedReference}},
		{"iti42", "tk2-12001_add_to_folder-add.xml", known(folder, true), nil},
		{"iti42", "tk2-12001_add_to_folder-add.xml", known(&Objects{}, true), []ErrorCode{UnresolvedReference}},
		{"iti42", "tk2-12001_add_to_folder-add.xml", known(entry(Approved, Stable), true), []ErrorCode{RegistryMetadata}},
		{"iti41", "tk2-15812_Register_OD_ContentBundle_Content1-SubmitStableIsSnapshotOfDocumentEntry.xml", known(entry(Approved, OnDemand), true), nil},
		{"iti41", "tk2-15812_Register_OD_ContentBundle_Content1-SubmitStableIsSnapshotOfDocumentEntry.xml", known(entry(Approved, Stable), true), []ErrorCode{RegistryMetadata}},
	}
	for _, test := range tests {
		o, _ := submission(t, test.folder, test.file)
		var got []ErrorCode
		for _, e := range o.Admit(test.known) {
			got = append(got, e.Code)
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("%s: got %v, want %v", test.file, got, test.want)
		}
	}
}

// Documents without entries and the other way round.
func TestForeignDocuments(t *testing.T) {
	for _, test := range []struct {
		file string
		ids  []string
		want ErrorCode
	}{
		{"tk2-11966_submit-submit.xml", []string{"Document01"}, ""},
		{"tk2-11983_submit_no_doc-doc_missing.xml", nil, MissingDocument},
		{"tk2-11983_submit_no_metadata-doc_metadata_missing.xml", []string{"Document01"}, MissingDocumentMetadata},
		{"tk2-11966_submit-submit.xml", []string{"Document01", "Document01"}, RepositoryMetadata},
	} {
		o, _ := submission(t, "iti41", test.file)
		errs := o.CheckDocuments(test.ids)
		if test.want == "" && len(errs) > 0 || test.want != "" && (len(errs) != 1 || errs[0].Code != test.want) {
			t.Errorf("%s: got %v, want %s", test.file, errs, test.want)
		}
	}
}
