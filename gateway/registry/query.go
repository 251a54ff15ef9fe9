package registry

import (
	"context"
	"errors"
	"slices"

	"collimate/xds/metadata"
	"collimate/xds/query"
)

// Query answers a stored query with what the caller may see, in the order of registration: what query.Evaluate returns
// for the part of the registry that is seen. It asks visible once about all entries that are alike, before conditions and
// limits apply: what is hidden costs a look at an index. The second result is for the caller: XDSResultNotSinglePatient,
// or XDSTooManyResults where nothing is answered as it would be too much.
func (s *Store) Query(
	ctx context.Context, q *query.Query, visible func(Entry) (bool, error),
) (answer *metadata.Objects, refused *metadata.Error, err error) {
	limit := s.objects
	if q.Return == query.ObjectRef {
		limit = s.ids
	}
	near := limit
	switch q.Name {
	case query.GetRelatedDocuments, query.GetFoldersForDocument, query.GetSubmissionSetAndContents:
		near *= maxNear
	}
	err = s.read(ctx, func(r reader) error {
		n := neighbourhood{newView(r, visible), q, newFound(near)}
		if err := n.gather(); err != nil {
			return err
		}
		n.near.sort()
		answer, refused = query.Evaluate(q, &n.near.Objects)
		return nil
	})
	switch {
	case errors.Is(err, errTooMany), err == nil && refused == nil && answer.Len() > limit:
		return nil, &metadata.Error{
			Code: metadata.TooManyResults, Context: "the result has too many objects: narrow the query, or ask for ObjectRef and then for objects by id",
		}, nil
	case err != nil:
		return nil, nil, err
	}
	return answer, refused, nil
}

// neighbourhood is what query.Evaluate has to look at: a part of what the caller sees that has all objects that the
// query speaks of.
type neighbourhood struct {
	view
	q    *query.Query
	near *found
}

func (n *neighbourhood) gather() error {
	q := n.q
	switch q.Name {
	case query.FindDocuments, query.FindDocumentsByReferenceID, query.FindDocumentsExclude:
		return n.ofPatient(document, &q.Documents)
	case query.FindSubmissionSets:
		return n.ofPatient(submissionSet, &q.SubmissionSets)
	case query.FindFolders:
		return n.ofPatient(folder, &q.Folders)
	case query.GetAll:
		err := errors.Join(n.ofPatient(document, &q.Documents), n.ofPatient(submissionSet, &q.SubmissionSets), n.ofPatient(folder, &q.Folders))
		if err != nil {
			return err
		}
		return n.touching(slices.Collect(n.near.ids))
	case query.GetDocuments:
		return n.named(document)
	case query.GetFolders:
		return n.named(folder)
	case query.GetAssociations:
		return n.touching(q.IDs)
	case query.GetDocumentsAndAssociations:
		if err := n.named(document); err != nil {
			return err
		}
		return n.touching(slices.Collect(n.near.ids))
	case query.GetSubmissionSets:
		return n.packagesOf(submissionSet, q.IDs)
	case query.GetSubmissionSetAndContents:
		return n.contents(submissionSet)
	case query.GetFolderAndContents:
		return n.contents(folder)
	case query.GetFoldersForDocument:
		if err := n.named(document); err != nil {
			return err
		}
		return n.packagesOf(folder, slices.Collect(n.near.ids))
	case query.GetRelatedDocuments:
		return n.related()
	}
	return errors.New("the registry does not know this query")
}

// keep adds what is seen of f, and fulfils the conditions of the query unless it is only on the way to the answer.
func (n *neighbourhood) keep(f *found, filtered bool) error {
	if err := n.hide(f); err != nil {
		return err
	}
	if filtered {
		n.filter(f)
	}
	return n.near.merge(f)
}

// filter takes out of f the objects that do not fulfil the conditions of the query; associations have none.
func (n *neighbourhood) filter(f *found) {
	if n.q.Name == query.GetSubmissionSets {
		return // has no conditions
	}
	conditions := query.Query{
		Name: query.GetAll, Return: query.ObjectRef, Documents: n.q.Documents, SubmissionSets: n.q.SubmissionSets, Folders: n.q.Folders,
	}
	objects := f.Objects
	objects.Associations = nil
	ok, _ := query.Evaluate(&conditions, &objects)
	f.SubmissionSets, f.Documents, f.Folders = ok.SubmissionSets, ok.Documents, ok.Folders
}

// has reports whether an object has been added.
func (n *neighbourhood) has(id string) bool { _, ok := n.near.order[id]; return ok }

// ofPatient adds the objects of a kind that a patient has and that fulfil the conditions. Of entries it reads those of
// the studies that have any that are seen.
func (n *neighbourhood) ofPatient(k kind, conditions *query.Filter) error {
	if conditions.PatientID == "" {
		return errors.New("the query has no patient id")
	}
	where, patient := "patient = ?"+ofKind(k), conditions.PatientID
	if slices.Equal(conditions.Statuses, []metadata.Status{metadata.Approved}) {
		where += " AND deprecated = 0" // a study that grows leaves many that are not
	}
	keep := func(page *found) (more bool, err error) { return true, n.keep(page, true) }
	studies, all, err := n.seenOf(patient)
	if err != nil {
		return err
	}
	if len(studies) == 0 { // what has no member at all is left
		if ok, err := n.sees(Entry{}); !ok {
			return err
		}
	}
	if all || k != document {
		return n.pages(where, []any{patient}, keep)
	}
	for chunk := range slices.Chunk(studies, maxKeys) {
		args := append([]any{patient}, chunk...)
		if err := n.pages(where+" AND study IN ("+parameters(len(chunk))+")", args, keep); err != nil {
			return err
		}
	}
	return nil
}

// named adds the objects of a kind that the query names.
func (n *neighbourhood) named(k kind) error {
	filtered := n.q.Name != query.GetRelatedDocuments && n.q.Name != query.GetFoldersForDocument // which start from them
	keep := func(f *found) (more bool, err error) { return true, n.keep(f, filtered) }
	if err := n.batches("id", idKeys(n.q.IDs), ofKind(k), keep); err != nil {
		return err
	}
	uniqueIDs := make([]any, len(n.q.UniqueIDs))
	for i, id := range n.q.UniqueIDs {
		uniqueIDs[i] = id
	}
	return n.batches("unique_id", uniqueIDs, ofKind(k), keep)
}

// others adds the objects of a kind, which fulfil the conditions of the query, among the ids.
func (n *neighbourhood) others(k kind, ids []string) error {
	return n.batches("id", idKeys(ids), ofKind(k), func(f *found) (more bool, err error) { return true, n.keep(f, true) })
}

// associations yields those that are seen, have one of the ids at an end (a column), and are ok.
func (n *neighbourhood) associations(end string, ids []string, ok func(*metadata.Association) bool, yield func(*found) error) error {
	return n.batches(end, idKeys(ids), "", func(f *found) (more bool, err error) {
		f.Associations = slices.DeleteFunc(f.Associations, func(a metadata.Association) bool { return !ok(&a) })
		if err := n.hide(f); err != nil {
			return false, err
		}
		return true, yield(f)
	})
}

func anyAssociation(*metadata.Association) bool { return true }
func isMembership(a *metadata.Association) bool { return a.Type == metadata.HasMember }

// touching adds the associations that have an end among the ids.
func (n *neighbourhood) touching(ids []string) error {
	if err := n.associations("source", ids, anyAssociation, n.near.merge); err != nil {
		return err
	}
	return n.associations("target", ids, anyAssociation, n.near.merge)
}

// packagesOf adds the packages of a kind that have the ids as members, and these memberships.
func (n *neighbourhood) packagesOf(k kind, ids []string) error {
	return n.associations("target", ids, isMembership, func(f *found) error {
		var sources []string
		for i := range f.Associations {
			sources = append(sources, f.Associations[i].Source)
		}
		if err := n.others(k, sources); err != nil {
			return err
		}
		f.Associations = slices.DeleteFunc(f.Associations, func(a metadata.Association) bool { return !n.has(a.Source) })
		return n.near.merge(f)
	})
}

// contents adds the packages of a kind that the query names, their members, and the associations among all these; and
// those that have these associations as members.
func (n *neighbourhood) contents(k kind) error {
	if err := n.named(k); err != nil {
		return err
	}
	err := n.associations("source", slices.Collect(n.near.ids), isMembership, func(f *found) error {
		var targets []string
		for i := range f.Associations {
			targets = append(targets, f.Associations[i].Target)
		}
		if err := n.others(document, targets); err != nil || k == folder {
			return err
		}
		return n.others(folder, targets)
	})
	if err != nil {
		return err
	}
	ids := slices.Collect(n.near.ids)
	within := func(a *metadata.Association) bool { return n.has(a.Target) }
	if err := n.associations("source", ids, within, n.near.merge); err != nil {
		return err
	}
	return n.associations("source", ids, within, n.near.merge)
}

// related adds the documents that the query names, their relationships, and the documents at the other ends.
func (n *neighbourhood) related() error {
	if err := n.named(document); err != nil {
		return err
	}
	ids := slices.Collect(n.near.ids)
	asked := func(a *metadata.Association) bool { return slices.Contains(n.q.AssociationTypes, a.Type) }
	for _, end := range []string{"source", "target"} {
		err := n.associations(end, ids, asked, func(f *found) error {
			var ends []string
			for i := range f.Associations {
				ends = append(ends, f.Associations[i].Source, f.Associations[i].Target)
			}
			if err := n.others(document, ends); err != nil {
				return err
			}
			f.Associations = slices.DeleteFunc(f.Associations, func(a metadata.Association) bool { return !n.has(a.Source) || !n.has(a.Target) })
			return n.near.merge(f)
		})
		if err != nil {
			return err
		}
	}
	return nil
}
