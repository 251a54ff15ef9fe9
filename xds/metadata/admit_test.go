package metadata

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
)

func TestAdmit(t *testing.T) {
	// What the sample appends to, and an older folder and document with the same uniqueIds.
	document := DocumentEntry{Object: Object{ID: registered, Status: Approved}, Type: Stable, PatientID: samplePatient, UniqueID: "1.2.3"}
	same := sample().Documents[0]
	same.ID, same.Status = "urn:uuid:11111111-2222-4333-8444-555555555556", Approved
	with := func(change func(*DocumentEntry)) *Objects {
		d := same
		change(&d)
		return &Objects{Documents: []DocumentEntry{document, d}}
	}
	target := func(change func(*DocumentEntry)) *Objects {
		d := document
		change(&d)
		return &Objects{Documents: []DocumentEntry{d}}
	}
	tests := []struct {
		name  string
		known *Objects
		want  string // part of the one error
	}{
		{"new", target(func(*DocumentEntry) {}), ""},
		{"the same document again", with(func(*DocumentEntry) {}), ""},
		{"hash in capitals", with(func(d *DocumentEntry) { d.Hash = strings.ToUpper(d.Hash) }), ""},
		{"another hash", with(func(d *DocumentEntry) { d.Hash = d.Hash[1:] + "0" }), "XDSNonIdenticalHash: DocumentEntry 1"},
		{"another size", with(func(d *DocumentEntry) { d.Size = "37" }), "XDSNonIdenticalSize: DocumentEntry 1"},
		{"on-demand before", with(func(d *DocumentEntry) { d.Type = OnDemand }), "XDSDuplicateUniqueIdInRegistry: DocumentEntry 1"},
		{"target deprecated", target(func(d *DocumentEntry) { d.Status = Deprecated }), "XDSRegistryDeprecatedDocumentError: Association 6"},
		{"target of another patient", target(func(d *DocumentEntry) { d.PatientID = "P-2^^^&1.2.840.1&ISO" }), "XDSPatientIdDoesNotMatch: Association 6"},
		{"no target", &Objects{}, "UnresolvedReferenceException: Association 6"},
		{"target is a folder", &Objects{Folders: []Folder{{Object: Object{ID: registered}}}}, "targetObject is not a DocumentEntry"},
		{"set is registered", &Objects{Documents: []DocumentEntry{document}, SubmissionSets: []SubmissionSet{{UniqueID: "1.2.840.10"}}}, "XDSDuplicateUniqueIdInRegistry: SubmissionSet 1"},
		{"folder is registered", &Objects{Documents: []DocumentEntry{document}, Folders: []Folder{{UniqueID: "1.2.840.11"}}}, "XDSDuplicateUniqueIdInRegistry: Folder 1"},
		{"a folder has the uniqueId of a document", &Objects{Documents: []DocumentEntry{document}, Folders: []Folder{{UniqueID: "1.2.840.5.1"}}}, "XDSDuplicateUniqueIdInRegistry: DocumentEntry 1"},
		{"a document has the uniqueId of the set", target(func(d *DocumentEntry) { d.UniqueID = "1.2.840.10" }), "XDSDuplicateUniqueIdInRegistry: SubmissionSet 1"},
	}
	for _, test := range tests {
		errs := sample().Admit(Registered{PatientKnown: true, Objects: *test.known})
		if test.want == "" && errs != nil || test.want != "" && (len(errs) != 1 || !strings.Contains(errs[0].Error(), test.want)) {
			t.Errorf("%s: got %v, want %q", test.name, errs, test.want)
		}
	}

	// An id that is taken, and memberships of what is registered.
	o := sample()
	o.Documents[0].ID = registered
	o.Associations = []Association{
		{Object: Object{ID: "A1"}, Type: HasMember, Source: "SubmissionSet01", Target: same.ID, SubmissionSetStatus: Reference},
		{Object: Object{ID: "A2"}, Type: HasMember, Source: "Folder01", Target: same.ID},
	}
	known := with(func(*DocumentEntry) {})
	if errs := o.Admit(Registered{PatientKnown: true, Objects: *known}); len(errs) != 1 || errs[0].Location != "DocumentEntry 1" {
		t.Errorf("an id that is taken: %v", errs)
	}
	known.Documents = nil
	known.SubmissionSets = []SubmissionSet{{Object: Object{ID: same.ID}}}
	if errs := o.Admit(Registered{PatientKnown: true, Objects: *known}); len(errs) != 2 {
		t.Errorf("a SubmissionSet as a member: %v", errs)
	}
}

func TestReferences(t *testing.T) {
	o := sample()
	o.Documents[1].ID = "urn:uuid:11111111-2222-4333-8444-555555555556"
	ids, uniqueIDs := o.References()
	if want := []string{o.Documents[1].ID, registered}; !slices.Equal(ids, want) {
		t.Errorf("ids %v, want %v", ids, want)
	}
	if want := []string{"1.2.840.10", "1.2.840.5.1", "1.2.840.5.2", "1.2.840.11"}; !slices.Equal(uniqueIDs, want) {
		t.Errorf("uniqueIds %v, want %v", uniqueIDs, want)
	}
}

func TestResolve(t *testing.T) {
	o := sample()
	o.Documents[1].Status = Deprecated
	o.Associations[5].ID = ""
	o.Folders[0].ID = "urn:uuid:11111111-2222-4333-8444-555555555556"
	o.Associations[2].Target, o.Associations[3].Source = o.Folders[0].ID, o.Folders[0].ID
	o.Refs = []ObjectRef{{ID: nodeSet}}
	n := 0
	o.Resolve(func() string { n++; return fmt.Sprintf("urn:uuid:00000000-0000-4000-8000-%012d", n) })
	seen := map[string]bool{}
	for f := range o.all {
		x := f.object
		if !IsUUID(x.ID) || x.LogicalID != x.ID || x.Version != "1" || x.Status != Approved || seen[x.ID] {
			t.Errorf("%s is %+v", f.location, x)
		}
		seen[x.ID] = true
	}
	set, documents, folder := o.SubmissionSets[0].ID, o.Documents, o.Folders[0].ID
	if folder != "urn:uuid:11111111-2222-4333-8444-555555555556" || o.Refs != nil || n != 9 {
		t.Errorf("folder %s, %d ids given", folder, n)
	}
	var got [][2]string
	for _, a := range o.Associations {
		got = append(got, [2]string{a.Source, a.Target})
	}
	want := [][2]string{{set, documents[0].ID}, {set, documents[1].ID}, {set, folder}, {folder, documents[0].ID}, {set, o.Associations[3].ID}, {documents[1].ID, registered}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if errs := o.Validate(Rules{For: Register}); errs != nil {
		t.Error(errs)
	}
}
