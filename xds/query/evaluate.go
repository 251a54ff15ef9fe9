package query

import (
	"slices"

	"collimate/xds/metadata"
)

// Evaluate returns the objects among all that answer a query, in their order, each once. It looks at every object,
// and is the reference that a registry's own way to the same answer is compared with. It returns
// XDSResultNotSinglePatient where whole objects of several patients would be answered and must not be.
// ITI TF-2: 3.18.4.1.2.3.7
func Evaluate(q *Query, all *metadata.Objects) (*metadata.Objects, *metadata.Error) {
	e := evaluation{q: q, all: all, in: map[string]bool{}}
	e.run()
	out := &metadata.Objects{}
	for i := range all.SubmissionSets {
		if e.in[all.SubmissionSets[i].ID] {
			out.SubmissionSets = append(out.SubmissionSets, all.SubmissionSets[i])
		}
	}
	for i := range all.Documents {
		if e.in[all.Documents[i].ID] {
			out.Documents = append(out.Documents, all.Documents[i])
		}
	}
	for i := range all.Folders {
		if e.in[all.Folders[i].ID] {
			out.Folders = append(out.Folders, all.Folders[i])
		}
	}
	for i := range all.Associations {
		if e.in[all.Associations[i].ID] {
			out.Associations = append(out.Associations, all.Associations[i])
		}
	}
	if err := CheckPatient(q, out); err != nil {
		return nil, err
	}
	return out, nil
}

// CheckPatient returns XDSResultNotSinglePatient if the query asks for whole objects, is one that must not answer
// with several patients, and the result has several. ITI TF-2: 3.18.4.1.2.3.7.5 and others
func CheckPatient(q *Query, result *metadata.Objects) *metadata.Error {
	if d, _ := define(q.Name.ID()); !d.onePatient || q.Return != LeafClass {
		return nil
	}
	var patients []string
	for i := range result.SubmissionSets {
		patients = append(patients, result.SubmissionSets[i].PatientID)
	}
	for i := range result.Documents {
		patients = append(patients, result.Documents[i].PatientID)
	}
	for i := range result.Folders {
		patients = append(patients, result.Folders[i].PatientID)
	}
	for _, p := range patients {
		if p != patients[0] {
			return &metadata.Error{
				Code: metadata.ResultNotSinglePatient, Context: "the result is of several patients: ask for ObjectRef, or for fewer objects",
			}
		}
	}
	return nil
}

// evaluation marks the ids of the objects that are in the answer.
type evaluation struct {
	q   *Query
	all *metadata.Objects
	in  map[string]bool
}

func (e *evaluation) run() {
	switch e.q.Name {
	case FindDocuments, FindDocumentsByReferenceID, FindDocumentsExclude:
		e.documents(func(*metadata.DocumentEntry) bool { return true })
	case FindSubmissionSets:
		e.submissionSets(func(*metadata.SubmissionSet) bool { return true })
	case FindFolders:
		e.folders(func(*metadata.Folder) bool { return true })
	case GetAll:
		e.documents(func(*metadata.DocumentEntry) bool { return true })
		e.submissionSets(func(*metadata.SubmissionSet) bool { return true })
		e.folders(func(*metadata.Folder) bool { return true })
		e.associations(e.touches(e.in))
	case GetDocuments:
		e.documents(e.namedDocument)
	case GetFolders:
		e.folders(e.namedFolder)
	case GetAssociations:
		e.associations(e.touches(set(e.q.IDs)))
	case GetDocumentsAndAssociations:
		e.documents(e.namedDocument)
		e.associations(e.touches(e.in))
	case GetSubmissionSets:
		e.submissionSetsOf(set(e.q.IDs))
	case GetSubmissionSetAndContents:
		e.submissionSets(func(s *metadata.SubmissionSet) bool { return e.named(s.ID, s.UniqueID) })
		members := e.members()
		e.documents(func(d *metadata.DocumentEntry) bool { return members[d.ID] })
		e.folders(func(f *metadata.Folder) bool { return members[f.ID] })
		e.associations(e.within)
		e.associations(e.within) // and those that have an association as a member
	case GetFolderAndContents:
		e.folders(e.namedFolder)
		members := e.members()
		e.documents(func(d *metadata.DocumentEntry) bool { return members[d.ID] })
		e.associations(func(a *metadata.Association) bool { return a.Type == metadata.HasMember && e.within(a) })
	case GetFoldersForDocument:
		documents := map[string]bool{}
		for i := range e.all.Documents {
			if d := &e.all.Documents[i]; e.namedDocument(d) {
				documents[d.ID] = true
			}
		}
		folders := map[string]bool{}
		for i := range e.all.Associations {
			if a := &e.all.Associations[i]; a.Type == metadata.HasMember && documents[a.Target] {
				folders[a.Source] = true
			}
		}
		e.folders(func(f *metadata.Folder) bool { return folders[f.ID] })
	case GetRelatedDocuments:
		e.related()
	}
}

// documents, submissionSets, folders and associations take in what the filter and a condition let through.
func (e *evaluation) documents(ok func(*metadata.DocumentEntry) bool) {
	for i := range e.all.Documents {
		if d := &e.all.Documents[i]; ok(d) && e.q.Documents.document(d) {
			e.in[d.ID] = true
		}
	}
}

func (e *evaluation) submissionSets(ok func(*metadata.SubmissionSet) bool) {
	for i := range e.all.SubmissionSets {
		if s := &e.all.SubmissionSets[i]; ok(s) && e.q.SubmissionSets.submissionSet(s) {
			e.in[s.ID] = true
		}
	}
}

func (e *evaluation) folders(ok func(*metadata.Folder) bool) {
	for i := range e.all.Folders {
		if f := &e.all.Folders[i]; ok(f) && e.q.Folders.folder(f) {
			e.in[f.ID] = true
		}
	}
}

func (e *evaluation) associations(ok func(*metadata.Association) bool) {
	var found []string // what is taken in is not to be seen by ok
	for i := range e.all.Associations {
		if a := &e.all.Associations[i]; ok(a) {
			found = append(found, a.ID)
		}
	}
	for _, id := range found {
		e.in[id] = true
	}
}

// named reports whether an object is one that the query names.
func (e *evaluation) named(id, uniqueID string) bool {
	return slices.Contains(e.q.IDs, id) || slices.Contains(e.q.UniqueIDs, uniqueID)
}

func (e *evaluation) namedDocument(d *metadata.DocumentEntry) bool { return e.named(d.ID, d.UniqueID) }
func (e *evaluation) namedFolder(f *metadata.Folder) bool          { return e.named(f.ID, f.UniqueID) }

// touches says of associations whether an end is in a set.
func (e *evaluation) touches(ids map[string]bool) func(*metadata.Association) bool {
	return func(a *metadata.Association) bool { return ids[a.Source] || ids[a.Target] }
}

// within reports whether both ends of an association are in the answer.
func (e *evaluation) within(a *metadata.Association) bool { return e.in[a.Source] && e.in[a.Target] }

// members returns what the objects in the answer have as members.
func (e *evaluation) members() map[string]bool {
	members := map[string]bool{}
	for i := range e.all.Associations {
		if a := &e.all.Associations[i]; a.Type == metadata.HasMember && e.in[a.Source] {
			members[a.Target] = true
		}
	}
	return members
}

// submissionSetsOf takes in the SubmissionSets that have the objects as members, and these memberships.
func (e *evaluation) submissionSetsOf(ids map[string]bool) {
	sets := map[string]bool{}
	for i := range e.all.SubmissionSets {
		sets[e.all.SubmissionSets[i].ID] = true
	}
	e.associations(func(a *metadata.Association) bool {
		if a.Type != metadata.HasMember || !sets[a.Source] || !ids[a.Target] {
			return false
		}
		e.in[a.Source] = true
		return true
	})
}

// related takes in the relationships of a document, and the documents at both ends.
func (e *evaluation) related() {
	from, documents := map[string]bool{}, map[string]bool{}
	for i := range e.all.Documents {
		d := &e.all.Documents[i]
		from[d.ID] = e.namedDocument(d)
		documents[d.ID] = e.q.Documents.document(d)
	}
	e.associations(func(a *metadata.Association) bool {
		touches, between := from[a.Source] || from[a.Target], documents[a.Source] && documents[a.Target]
		if !touches || !between || !slices.Contains(e.q.AssociationTypes, a.Type) {
			return false
		}
		e.in[a.Source], e.in[a.Target] = true, true
		return true
	})
}

func set(ids []string) map[string]bool {
	m := make(map[string]bool, len(ids))
	for _, id := range ids {
		m[id] = true
	}
	return m
}
