package registry

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"collimate/xds/metadata"
)

// Submission is what Submit has to know beside the objects.
type Submission struct {
	// Now is the time at which folders are made, and documents are put into them.
	Now time.Time
	// NewID returns a new random id, urn:uuid: and a UUID in lower case.
	NewID func() string
	// PatientKnown reports whether a patient id (CX) is of the affinity domain; nil for any is.
	PatientKnown func(cx string) bool
	// Studies are the studies that documents belong to, by uniqueId: opaque, and what Entry.Study is.
	Studies map[string]string
	// Repository is the repositoryUniqueId whose documents HasHash is about; "" for any.
	Repository string
}

// Submit registers a submission that Validate finds nothing wrong with: all of it, with what follows for other
// objects, or nothing. It returns metadata.Errors for what IHE refuses. Once it returns nil all is on disk. The same
// submission again is a success that changes nothing, so that a sender who got no answer may repeat it.
// ITI TF-2: 3.42.4.1.3, 3.61.4.1.3
func (s *Store) Submit(ctx context.Context, submission *metadata.Objects, o Submission) error {
	if len(submission.SubmissionSets) != 1 {
		return metadata.Errors{{Code: metadata.RegistryMetadata, Context: "a submission has exactly one SubmissionSet"}}
	}
	digest := digestOf(submission)
	objects := copyOf(submission)
	set := &objects.SubmissionSets[0]
	return s.write(ctx, func(w writer) error {
		again, err := w.submitted(set.UniqueID, digest)
		if again || err != nil {
			return err
		}
		held := newFound(0)
		ids, uniqueIDs := objects.References()
		if err := w.byID(held, ids, ""); err != nil {
			return err
		}
		if err := w.byUniqueID(held, uniqueIDs, ""); err != nil {
			return err
		}
		known := metadata.Registered{PatientKnown: o.PatientKnown == nil || o.PatientKnown(set.PatientID), Objects: held.Objects}
		if errs := objects.Admit(known); len(errs) > 0 {
			return errs
		}
		objects.Resolve(o.NewID)
		e := effects{w, objects, o}
		if err := e.run(); err != nil {
			return err
		}
		rows, err := rowsOf(objects, digest, o)
		if err != nil {
			return err
		}
		return w.insert(rows)
	})
}

// copyOf returns a submission that can be resolved without changing the first.
func copyOf(o *metadata.Objects) *metadata.Objects {
	return &metadata.Objects{
		SubmissionSets: slices.Clone(o.SubmissionSets), Documents: slices.Clone(o.Documents),
		Folders: slices.Clone(o.Folders), Associations: slices.Clone(o.Associations),
	}
}

// digestOf identifies the content of a submission, whatever its symbolic ids are.
func digestOf(o *metadata.Objects) []byte {
	o = copyOf(o)
	n := 0
	o.Resolve(func() string { n++; return fmt.Sprintf(urnUUID+"00000000-0000-0000-0000-%012d", n) })
	sum := sha256.Sum256(metadata.AppendSubmission(nil, o))
	return sum[:]
}

// writer is a reader that is the only one to write.
type writer struct{ reader }

func (w writer) exec(statement string, args ...any) error {
	if statement == "" {
		return nil
	}
	_, err := w.tx.ExecContext(w.ctx, w.engine.bind(statement), args...)
	return err
}

// submitted reports whether a SubmissionSet with this uniqueId came with this content. That another has the uniqueId
// is for Admit to find.
func (w writer) submitted(uniqueID string, digest []byte) (bool, error) {
	var before []byte
	err := w.queryRow("SELECT digest FROM registry_object WHERE unique_id = ?"+ofKind(submissionSet), uniqueID).Scan(&before)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return bytes.Equal(before, digest), err
}

// rowsOf returns the rows of a submission.
func rowsOf(o *metadata.Objects, digest []byte, s Submission) ([]*row, error) {
	rows := make([]*row, 0, o.Len())
	add := func(r *row, err error) error {
		rows = append(rows, r)
		return err
	}
	for i := range o.SubmissionSets {
		if err := add(setRow(o.SubmissionSets[i], digest)); err != nil {
			return nil, err
		}
	}
	for i := range o.Documents {
		d := &o.Documents[i]
		r, err := documentRow(*d, s.Studies[d.UniqueID])
		if err != nil {
			return nil, err
		}
		if s.Repository != "" && s.Repository != d.RepositoryUniqueID {
			r.hash = nil
		}
		rows = append(rows, r)
	}
	for i := range o.Folders {
		if err := add(folderRow(o.Folders[i])); err != nil {
			return nil, err
		}
	}
	for i := range o.Associations {
		a, added := o.Associations[i], ""
		if a.Type == metadata.HasMember && a.Source != o.SubmissionSets[0].ID {
			added = s.Now.UTC().Format(dtm)
		}
		if err := add(associationRow(a, added)); err != nil {
			return nil, err
		}
	}
	return rows, nil
}

// insert writes rows after those that are there.
func (w writer) insert(rows []*row) error {
	var n int64
	if err := w.queryRow("SELECT COALESCE(MAX(n), 0) FROM registry_object").Scan(&n); err != nil {
		return err
	}
	for chunk := range slices.Chunk(rows, maxInserted) {
		var values []any
		var b strings.Builder
		b.WriteString("INSERT INTO registry_object (" + columns + ") VALUES ")
		for i, r := range chunk {
			n++
			r.n = n
			if i > 0 {
				b.WriteByte(',')
			}
			b.WriteString("(" + parameters(len(r.values())) + ")")
			values = append(values, r.values()...)
		}
		if err := w.exec(b.String(), values...); err != nil {
			return err
		}
	}
	return nil
}

// set sets a column of entries.
func (w writer) set(column string, ids []string) error {
	for chunk := range slices.Chunk(idKeys(ids), maxKeys) {
		if err := w.exec("UPDATE registry_object SET "+column+" WHERE id IN ("+parameters(len(chunk))+")"+ofKind(document), chunk...); err != nil {
			return err
		}
	}
	return nil
}

// remove deletes objects.
func (w writer) remove(ids []string) error {
	for chunk := range slices.Chunk(idKeys(ids), maxKeys) {
		if err := w.exec("DELETE FROM registry_object WHERE id IN ("+parameters(len(chunk))+")", chunk...); err != nil {
			return err
		}
	}
	return nil
}
