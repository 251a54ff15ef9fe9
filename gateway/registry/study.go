package registry

import (
	"context"
	"slices"

	"collimate/xds/metadata"
)

// Entry returns the entry of a document and the study that it belongs to, or ErrNotFound. Of several entries for the
// same document it is one that is Approved, if there is one, and the newest of these.
func (s *Store) Entry(ctx context.Context, uniqueID string) (entry metadata.DocumentEntry, study string, err error) {
	return s.entry(ctx, "unique_id = ?"+ofKind(document)+" ORDER BY deprecated, n DESC LIMIT 1", uniqueID)
}

// EntryOf returns the entry with an entryUUID and the study that it belongs to, or ErrNotFound.
func (s *Store) EntryOf(ctx context.Context, entryUUID string) (entry metadata.DocumentEntry, study string, err error) {
	id, err := parseID(entryUUID)
	if err != nil {
		return metadata.DocumentEntry{}, "", ErrNotFound
	}
	return s.entry(ctx, "id = ?"+ofKind(document), id)
}

func (s *Store) entry(ctx context.Context, condition string, key any) (entry metadata.DocumentEntry, study string, err error) {
	f := newFound(0)
	err = s.read(ctx, func(r reader) error {
		_, _, err := r.rows(f, condition, key)
		return err
	})
	switch {
	case err != nil:
		return metadata.DocumentEntry{}, "", err
	case len(f.Documents) == 0:
		return metadata.DocumentEntry{}, "", ErrNotFound
	}
	return f.Documents[0], f.study[f.Documents[0].ID], nil
}

// Entries returns the entries of a study, in the order of registration.
func (s *Store) Entries(ctx context.Context, study string) ([]metadata.DocumentEntry, error) {
	f := newFound(0)
	err := s.read(ctx, func(r reader) error { return r.ofStudy(f, study) })
	return f.Documents, err
}

func (r reader) ofStudy(f *found, study string) error {
	_, _, err := r.rows(f, "study = ? AND study <> '' ORDER BY n", study)
	return err
}

// HasHash reports whether there is an entry for a document with this SHA-1, in hexadecimal digits, in the repository that
// Submission.Repository names.
func (s *Store) HasHash(ctx context.Context, sha1 string) (has bool, err error) {
	hash, err := parseHash(sha1)
	if err != nil || hash == nil {
		return false, err
	}
	err = s.read(ctx, func(r reader) error {
		return r.queryRow("SELECT EXISTS (SELECT 1 FROM registry_object WHERE hash = ?)", hash).Scan(&has)
	})
	return has, err
}

// Deprecate makes entries Deprecated, and with them their transformations and addenda, as if they had been replaced.
// Nothing makes them Approved again.
func (s *Store) Deprecate(ctx context.Context, entryUUIDs ...string) error {
	return s.write(ctx, func(w writer) error {
		e := effects{writer: w}
		return e.deprecate(entryUUIDs)
	})
}

// Detach makes entries belong to no study any more.
func (s *Store) Detach(ctx context.Context, entryUUIDs ...string) error {
	return s.write(ctx, func(w writer) error { return w.set("study = ''", entryUUIDs) })
}

// Remove erases the entries of a study, the associations that they are an end of, and the SubmissionSets and Folders
// that have no member left. When it returns nil, what it erased is not in the files of the database any more (of
// SQLite: with PostgreSQL, traces are left in unused parts of its pages and in its log until it has used them again).
// It may be repeated.
func (s *Store) Remove(ctx context.Context, study string) error {
	err := s.write(ctx, func(w writer) error {
		f := newFound(0)
		if err := w.ofStudy(f, study); err != nil {
			return err
		}
		return w.erase(slices.Collect(f.ids))
	})
	if err != nil {
		return err
	}
	s.wiping.Lock() // new readers wait, and those that are there have a deadline
	defer s.wiping.Unlock()
	return s.engine.wipe(ctx, s.writes)
}

// erase deletes objects and what is nothing without them.
func (w writer) erase(ids []string) error {
	for len(ids) > 0 {
		if err := w.remove(ids); err != nil {
			return err
		}
		f := newFound(0)
		if err := w.in(f, "source", idKeys(ids), ""); err != nil {
			return err
		}
		if err := w.to(f, ids); err != nil {
			return err
		}
		ids = slices.Collect(f.ids)
		if err := w.remove(ids); err != nil {
			return err
		}
		for i := range f.Associations {
			a := &f.Associations[i]
			if a.Type != metadata.HasMember {
				continue
			}
			var members bool
			err := w.queryRow("SELECT EXISTS (SELECT 1 FROM registry_object WHERE source = ?)", idKeys([]string{a.Source})...).Scan(&members)
			if err != nil {
				return err
			}
			if !members {
				ids = append(ids, a.Source)
			}
		}
	}
	return nil
}
