package registry

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"collimate/xds/metadata"
	"collimate/xds/query"
)

// A SubmissionSet and a folder with so many members that they are read in pages.
func TestLarge(t *testing.T) {
	onEach(t, func(t *testing.T, dsn string) {
		s := openStore(t, dsn)
		m := &model{sent: map[string]string{}, studies: map[string]string{}, added: map[string]string{}}
		add := func(b builder, first int) {
			t.Helper()
			o := Submission{Now: noon, PatientKnown: func(string) bool { return true }, NewID: numbers(first), Studies: map[string]string{}}
			for i := range b.Documents { // each is of a study of its own
				o.Studies[b.Documents[i].UniqueID] = b.Documents[i].UniqueID
			}
			if err := s.Submit(context.Background(), b.Objects, o); err != nil {
				t.Fatal(err)
			}
			o.NewID = numbers(first)
			if err := m.submit(b, o); err != nil {
				t.Fatal(err)
			}
		}
		const entries = maxBatch + 3
		b := submission("1.1", patientA)
		folder := b.folder("1.2")
		for i := range entries {
			entry := b.entry(fmt.Sprintf("2.%d", i))
			if i >= entries/2 {
				b.into(folder, entry)
			}
		}
		add(b, 0)
		ids := idsOf(everything(t, s))
		small := submission("1.3", patientA)
		small.into(ids["1.2"], small.entry("3.1"))
		small.link(metadata.Replace, "entry3.1", ids["2.5"])
		add(small, 1<<20)

		find, asked := query.Filter{PatientID: patientA}, 0
		s.ids = 300
		_, refused, err := s.Query(context.Background(), &query.Query{Name: query.FindDocuments, Return: query.ObjectRef, Documents: find},
			func(Entry) (bool, error) { asked++; return true, nil })
		if err != nil || refused == nil || asked != entries+1 {
			t.Errorf("%v, %v: asked %d times, once of each study is enough", refused, err, asked)
		}
		s.ids = 1 << 20
		for _, q := range []query.Query{
			{Name: query.FindDocuments, Documents: find},
			{Name: query.FindSubmissionSets, SubmissionSets: find},
			{Name: query.FindFolders, Folders: find},
			{Name: query.GetAll, Documents: find, SubmissionSets: find, Folders: find},
			{Name: query.GetAssociations, IDs: []string{ids["1.1"], ids["2.5"]}},
			{Name: query.GetSubmissionSets, IDs: []string{ids["1.2"], ids["2.5"]}},
			{Name: query.GetSubmissionSetAndContents, IDs: []string{ids["1.1"]}},
			{Name: query.GetFolderAndContents, UniqueIDs: []string{"1.2"}},
			{Name: query.GetFoldersForDocument, UniqueIDs: []string{"3.1"}},
		} {
			q.Return = query.ObjectRef
			for _, suffix := range []string{"", ".7", "3.1", "none"} {
				visible := func(e Entry) (bool, error) { return strings.HasSuffix(e.Study, suffix), nil }
				all := m.seen(visible)
				want, _ := query.Evaluate(&q, all)
				got, refused, err := s.Query(context.Background(), &q, visible)
				if err != nil || refused != nil || !reflect.DeepEqual(got, want) {
					t.Errorf("%s, %q: %d objects, want %d; %v, %v", q.Name, suffix, got.Len(), want.Len(), refused, err)
				}
			}
		}
	})
}

// What is hidden is not decoded, and of packages of a patient whose entries are all hidden not even the index is read.
func TestHiddenIsNotRead(t *testing.T) {
	onEach(t, func(t *testing.T, dsn string) {
		s := openStore(t, dsn)
		studies := map[string]string{"1.3": "S", "1.4": "S"}
		ids := filed(t, s, Submission{Now: noon, NewID: numbers(0), Studies: studies})
		if _, err := s.writes.Exec("UPDATE registry_object SET body = 'damaged' WHERE kind < 4"); err != nil {
			t.Fatal(err)
		}
		find := query.Filter{PatientID: patientA}
		for _, q := range []query.Query{
			{Name: query.FindDocuments, Documents: find}, {Name: query.FindFolders, Folders: find}, {Name: query.FindSubmissionSets, SubmissionSets: find},
			{Name: query.GetAll, Documents: find, SubmissionSets: find, Folders: find}, {Name: query.GetDocuments, UniqueIDs: []string{"1.3", "1.4"}},
			{Name: query.GetDocumentsAndAssociations, IDs: []string{ids["1.3"]}},
		} {
			asked := map[Entry]int{}
			q.Return = query.LeafClass
			got, refused, err := s.Query(context.Background(), &q, func(e Entry) (bool, error) { asked[e]++; return false, nil })
			if err != nil || refused != nil || got.Len() > 0 {
				t.Errorf("%s: %v, %v, %v", q.Name, got, refused, err)
			}
			for e, n := range asked {
				if n > 1 {
					t.Errorf("%s: asked %d times about %v", q.Name, n, e)
				}
			}
			if _, _, err := s.Query(context.Background(), &q, func(Entry) (bool, error) { return true, nil }); err == nil {
				t.Errorf("%s: what is seen is not read either", q.Name)
			}
		}
	})
}

// A query ends when its time is over.
func TestDeadline(t *testing.T) {
	onEach(t, func(t *testing.T, dsn string) {
		s := openStore(t, dsn)
		filed(t, s, Submission{Now: noon, NewID: numbers(0)})
		ctx, cancel := context.WithCancel(context.Background())
		q := &query.Query{Name: query.FindDocuments, Return: query.LeafClass, Documents: query.Filter{PatientID: patientA}}
		_, _, err := s.Query(ctx, q, func(Entry) (bool, error) { cancel(); return true, nil })
		if !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	})
}

// A question about permission that cannot be answered fails the query.
func TestNoPermission(t *testing.T) {
	s := openStore(t, sqliteDSN(t))
	filed(t, s, Submission{Now: noon, NewID: numbers(0)})
	failed := errors.New("no answer")
	find := query.Filter{PatientID: patientA}
	for _, q := range []query.Query{
		{Name: query.FindDocuments, Documents: find}, {Name: query.FindFolders, Folders: find}, {Name: query.GetDocuments, UniqueIDs: []string{"1.3"}},
	} {
		q.Return = query.LeafClass
		got, refused, err := s.Query(context.Background(), &q, func(Entry) (bool, error) { return true, failed })
		if !errors.Is(err, failed) || got != nil || refused != nil {
			t.Errorf("%s: %v, %v, %v", q.Name, got, refused, err)
		}
	}
}

// Whether there is something that the caller may not see cannot be told from any answer: it is that for what is not there.
func TestHiddenIsAbsent(t *testing.T) {
	s := openStore(t, sqliteDSN(t))
	ids := filed(t, s, Submission{Now: noon, NewID: numbers(0)})
	none := func(Entry) (bool, error) { return false, nil }
	absent := numbers(1 << 30)()
	for _, name := range catalogue {
		for _, as := range []query.ReturnType{query.LeafClass, query.ObjectRef} {
			ask := func(patient, id string) any {
				f := query.Filter{PatientID: patient}
				q := &query.Query{Name: name, Return: as, IDs: []string{id}, AssociationTypes: []metadata.AssociationType{metadata.HasMember, metadata.Append}}
				switch name {
				case query.FindDocuments, query.FindDocumentsByReferenceID, query.FindDocumentsExclude, query.FindFolders, query.FindSubmissionSets, query.GetAll:
					q.Documents, q.SubmissionSets, q.Folders = f, f, f
				}
				got, refused, err := s.Query(context.Background(), q, none)
				return fmt.Sprint(got, refused, err)
			}
			for _, uid := range []string{"1.1", "1.2", "1.3", "1.4"} {
				if got, want := ask(patientA, ids[uid]), ask(patientB, absent); got != want {
					t.Errorf("%s of %s: %v, want %v", name, uid, got, want)
				}
			}
		}
	}
}

// A folder to which a document is added that the caller may not see is, byte for byte, as if it had not been added.
func TestHiddenMember(t *testing.T) {
	onEach(t, func(t *testing.T, dsn string) {
		const later, latest = "20240302120000", "20240303120000"
		answers := func(hidden bool) (all []string) {
			s := openStore(t, dsn)
			defer s.Remove(context.Background(), "S")
			defer s.Remove(context.Background(), "T")
			add := func(b builder, day int) map[string]string {
				return submit(t, s, b, Submission{
					Now: noon.AddDate(0, 0, day), NewID: numbers(1000 * day), Studies: map[string]string{"1.3": "S", "2.3": "T", "3.3": "S", "4.3": "T"},
				})
			}
			b := submission("1.1", patientA)
			b.into(b.folder("1.2"), b.entry("1.3"))
			folder := add(b, 0)["1.2"]
			for day, study := range []string{"2", "3", "4"} { // the second is seen
				if b := submission(study+".1", patientA); hidden || study == "3" {
					b.into(folder, b.entry(study+".3"))
					add(b, day+1)
				}
			}
			for _, name := range catalogue {
				for _, as := range []query.ReturnType{query.LeafClass, query.ObjectRef} {
					for _, from := range []string{"", later, latest} {
						f := query.Filter{PatientID: patientA}
						q := &query.Query{Name: name, Return: as, IDs: []string{folder}, AssociationTypes: []metadata.AssociationType{metadata.HasMember}}
						switch name {
						case query.FindDocuments, query.FindDocumentsByReferenceID, query.FindDocumentsExclude, query.FindFolders, query.FindSubmissionSets, query.GetAll:
							q.Documents, q.SubmissionSets, q.Folders = f, f, f
							q.Folders.Times = []query.TimeRange{{Attribute: "lastUpdateTime", From: from}}
						case query.GetDocuments, query.GetDocumentsAndAssociations, query.GetFoldersForDocument, query.GetRelatedDocuments:
							q.IDs, q.UniqueIDs = nil, []string{"1.3", "2.3", "3.3", "4.3"}
						case query.GetSubmissionSetAndContents:
							q.IDs, q.UniqueIDs = nil, []string{"1.1", "2.1", "3.1", "4.1"}
						}
						got, refused, err := s.Query(context.Background(), q, func(e Entry) (bool, error) { return e.Study == "S", nil })
						if err != nil || refused != nil {
							t.Fatal(refused, err)
						}
						for _, d := range got.Folders {
							if d.LastUpdateTime != latest {
								t.Errorf("updated %s", d.LastUpdateTime)
							}
						}
						all = append(all, string(query.AppendResponse(nil, &query.Response{Objects: got}, as)))
					}
				}
			}
			return all
		}
		with, without := answers(true), answers(false)
		for i := range with {
			if with[i] != without[i] {
				t.Errorf("%s:\n%s\nwithout:\n%s", catalogue[i/6], with[i], without[i])
			}
		}
	})
}
