package registry

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"math"
	"slices"
	"strconv"
	"strings"

	"collimate/xds/metadata"
)

// errTooMany stops a query that has found more than it may.
var errTooMany = errors.New("too many objects")

// found are objects that have been read, each once.
type found struct {
	metadata.Objects
	order map[string]int64  // by id: in the order of registration
	study map[string]string // by id of an entry: the study that it belongs to
	added map[string]string // by id of a membership of a folder: when it was made
	limit int               // of objects, 0 for none
}

func newFound(limit int) *found {
	return &found{order: map[string]int64{}, study: map[string]string{}, added: map[string]string{}, limit: limit}
}

// add decodes a row.
func (f *found) add(r *row) error {
	id := formatID(r.id)
	if _, again := f.order[id]; again {
		return nil
	}
	if f.limit > 0 && len(f.order) >= f.limit {
		return errTooMany
	}
	f.order[id] = r.n
	switch r.kind {
	case submissionSet:
		var s metadata.SubmissionSet
		if err := r.objectOf(&s, &s.Object); err != nil {
			return err
		}
		s.PatientID, s.UniqueID = r.patient.String, r.uniqueID.String
		f.SubmissionSets = append(f.SubmissionSets, s)
	case document:
		var d metadata.DocumentEntry
		if err := r.objectOf(&d, &d.Object); err != nil {
			return err
		}
		d.PatientID, d.UniqueID, d.MimeType = r.patient.String, r.uniqueID.String, r.mimeType
		f.Documents = append(f.Documents, d)
		f.study[id] = r.study
	case folder:
		var d metadata.Folder
		if err := r.objectOf(&d, &d.Object); err != nil {
			return err
		}
		d.PatientID, d.UniqueID = r.patient.String, r.uniqueID.String
		f.Folders = append(f.Folders, d)
	case association:
		var a metadata.Association
		if err := r.objectOf(&a, &a.Object); err != nil {
			return err
		}
		a.Source, a.Target = formatID(r.source), formatID(r.target)
		f.Associations = append(f.Associations, a)
		if r.added.Valid {
			f.added[id] = r.added.String
		}
	}
	return nil
}

// filter keeps the objects with ids that are ok.
func (f *found) filter(ok func(id string) bool) {
	f.SubmissionSets = slices.DeleteFunc(f.SubmissionSets, func(s metadata.SubmissionSet) bool { return !ok(s.ID) })
	f.Documents = slices.DeleteFunc(f.Documents, func(d metadata.DocumentEntry) bool { return !ok(d.ID) })
	f.Folders = slices.DeleteFunc(f.Folders, func(d metadata.Folder) bool { return !ok(d.ID) })
	f.Associations = slices.DeleteFunc(f.Associations, func(a metadata.Association) bool { return !ok(a.ID) })
}

// merge adds the objects of other that are not there yet; other is of no use any more.
func (f *found) merge(other *found) error {
	other.filter(func(id string) bool { _, again := f.order[id]; return !again })
	if f.limit > 0 && len(f.order)+other.Len() > f.limit {
		return errTooMany
	}
	for id := range other.ids {
		f.order[id] = other.order[id]
	}
	f.SubmissionSets = append(f.SubmissionSets, other.SubmissionSets...)
	f.Documents = append(f.Documents, other.Documents...)
	f.Folders = append(f.Folders, other.Folders...)
	f.Associations = append(f.Associations, other.Associations...)
	return nil
}

// ids yields the id of each object.
func (f *found) ids(yield func(string) bool) {
	for i := range f.SubmissionSets {
		if !yield(f.SubmissionSets[i].ID) {
			return
		}
	}
	for i := range f.Documents {
		if !yield(f.Documents[i].ID) {
			return
		}
	}
	for i := range f.Folders {
		if !yield(f.Folders[i].ID) {
			return
		}
	}
	for i := range f.Associations {
		if !yield(f.Associations[i].ID) {
			return
		}
	}
}

// sort puts the objects in the order of registration.
func (f *found) sort() {
	slices.SortFunc(f.SubmissionSets, func(a, b metadata.SubmissionSet) int { return cmp.Compare(f.order[a.ID], f.order[b.ID]) })
	slices.SortFunc(f.Documents, func(a, b metadata.DocumentEntry) int { return cmp.Compare(f.order[a.ID], f.order[b.ID]) })
	slices.SortFunc(f.Folders, func(a, b metadata.Folder) int { return cmp.Compare(f.order[a.ID], f.order[b.ID]) })
	slices.SortFunc(f.Associations, func(a, b metadata.Association) int { return cmp.Compare(f.order[a.ID], f.order[b.ID]) })
}

// reader reads in one transaction, which its context is of.
type reader struct {
	ctx    context.Context
	tx     *sql.Tx
	engine *engine
	see    func(*row) (bool, error) // whether a row is to be decoded; nil for all
}

func (r reader) query(statement string, args ...any) (*sql.Rows, error) {
	return r.tx.QueryContext(r.ctx, r.engine.bind(statement), args...)
}

func (r reader) queryRow(statement string, args ...any) *sql.Row {
	return r.tx.QueryRowContext(r.ctx, r.engine.bind(statement), args...)
}

// rows adds the objects that a condition selects, and that are seen, to into, and returns how many rows there are and
// the last n.
func (r reader) rows(into *found, condition string, args ...any) (count int, last int64, err error) {
	rows, err := r.query("SELECT "+columns+" FROM registry_object WHERE "+condition, args...)
	if err != nil {
		return 0, 0, err
	}
	defer rows.Close()
	for ; rows.Next(); count++ {
		var o row
		if err := rows.Scan(o.fields()...); err != nil {
			return 0, 0, err
		}
		last = o.n
		if r.see != nil {
			if seen, err := r.see(&o); err != nil {
				return 0, 0, err
			} else if !seen {
				continue
			}
		}
		if err := into.add(&o); err != nil {
			return 0, 0, err
		}
	}
	return count, last, rows.Err()
}

// in adds the objects whose column has one of the keys, and for which a condition holds.
func (r reader) in(into *found, column string, keys []any, condition string) error {
	for chunk := range slices.Chunk(keys, maxKeys) {
		if _, _, err := r.rows(into, column+" IN ("+parameters(len(chunk))+")"+condition, chunk...); err != nil {
			return err
		}
	}
	return nil
}

// parameters returns ?,?, ..., count of them.
func parameters(count int) string { return strings.TrimSuffix(strings.Repeat("?,", count), ",") }

// ofKind is a condition for in.
func ofKind(k kind) string { return " AND kind = " + strconv.Itoa(int(k)) }

// byID adds the objects with these ids; those that are no ids of ours have none.
func (r reader) byID(into *found, ids []string, condition string) error {
	return r.in(into, "id", idKeys(ids), condition)
}

// byUniqueID adds the objects with these uniqueIds.
func (r reader) byUniqueID(into *found, uniqueIDs []string, condition string) error {
	keys := make([]any, len(uniqueIDs))
	for i, id := range uniqueIDs {
		keys[i] = id
	}
	return r.in(into, "unique_id", keys, condition)
}

// to adds the associations that have one of these ids as their target.
func (r reader) to(into *found, ids []string) error { return r.in(into, "target", idKeys(ids), "") }

func idKeys(ids []string) []any {
	var keys []any
	for _, id := range ids {
		if key, err := parseID(id); err == nil {
			keys = append(keys, key)
		}
	}
	return keys
}

// batches yields the objects whose column has one of the keys, and for which a condition holds, some at a time. Few keys
// have many objects; those of such a key come in pages, of which there are no more once yield has had enough.
func (r reader) batches(column string, keys []any, condition string, yield func(*found) (more bool, err error)) error {
	for chunk := range slices.Chunk(keys, maxKeys) {
		batch := newFound(maxBatch)
		switch err := r.in(batch, column, chunk, condition); {
		case err == nil:
			if _, err := yield(batch); err != nil {
				return err
			}
			continue
		case !errors.Is(err, errTooMany):
			return err
		}
		for _, key := range chunk {
			if err := r.pages(column+" = ?"+condition, []any{key}, yield); err != nil {
				return err
			}
		}
	}
	return nil
}

// pages yields the objects that a condition selects, a page at a time, the newest first.
func (r reader) pages(condition string, args []any, yield func(*found) (more bool, err error)) error {
	before := int64(math.MaxInt32) // as the column of PostgreSQL
	more := true
	for more {
		page := newFound(0)
		count, last, err := r.rows(page, condition+" AND n < ? ORDER BY n DESC LIMIT "+strconv.Itoa(pageSize), append(slices.Clone(args), before)...)
		if err != nil {
			return err
		}
		if more, err = yield(page); err != nil {
			return err
		}
		more, before = more && count == pageSize, last
	}
	return nil
}
