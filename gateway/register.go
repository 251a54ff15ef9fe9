package gateway

import (
	"context"
	"errors"
	"fmt"
	"io"

	"collimate/gateway/catalog"
	"collimate/gateway/registry"
	"collimate/keys"
	"collimate/ledger"
	"collimate/xds/metadata"
)

// register brings the registry in step with what the ledger and the archive have of published studies: a study gets its
// entries, and one that was amended gets others that replace them. It may be repeated at any time. It has nothing to do
// for a study that is held or withdrawn: every answer asks the ledger whether it may be seen.
func (s *Source) register(ctx context.Context, studies []catalog.Study) error {
	if s.config.Registry == nil {
		return nil
	}
	for _, study := range studies {
		if err := s.registerStudy(ctx, study); err != nil {
			return fmt.Errorf("registering a study: %w", err)
		}
	}
	return nil
}

func (s *Source) registerStudy(ctx context.Context, study catalog.Study) error {
	live, err := s.isLive(study)
	if err != nil || !live {
		return err
	}
	s.listings.forget(study.StudyInstanceUID)
	listing, err := s.config.Archive.Study(ctx, study.StudyInstanceUID)
	if err != nil {
		return err
	}
	s.submitting.Lock()
	defer s.submitting.Unlock()
	entries, err := s.config.Registry.Entries(ctx, study.StudyInstanceUID)
	if err != nil {
		return err
	}
	made, err := s.sift(ctx, entries, cx(listing.PatientID, s.config.Entries.PatientAuthority))
	if err != nil {
		return err
	}
	if listing.PatientID == "" {
		s.config.Logger.Warn("a study without a patient id is published, and not listed in the registry")
		return nil
	}
	m, err := s.manifest(study, listing)
	if err != nil {
		return err
	}
	stable, onDemand := s.entries(study, listing, m)
	var before []metadata.DocumentEntry // what is to be replaced
	for _, e := range made {
		if e.Status != metadata.Approved {
			continue
		}
		if e.UniqueID == stable.UniqueID && e.PatientID == stable.PatientID {
			return nil // and the other one came with it
		}
		before = append(before, e)
	}
	// The name first: an entry whose document nobody can get would be worse than a name that no entry has.
	if err := s.config.Catalog.PutManifest(study.StudyInstanceUID, m.first, m.id); err != nil {
		return err
	}
	submission, corrected, err := s.submissionOf(study, stable, onDemand, before)
	if err != nil {
		return err
	}
	if len(corrected) > 0 {
		if err := s.config.Registry.Deprecate(ctx, corrected...); err != nil {
			return err
		}
	}
	return s.config.Registry.Submit(ctx, submission, registry.Submission{
		Now: s.config.Now(), NewID: newUUID,
		Studies: map[string]string{stable.UniqueID: study.StudyInstanceUID, onDemand.UniqueID: study.StudyInstanceUID},
	})
}

// sift returns those entries of a study that are made of the archive. What was submitted for the study, before it was
// published or corrected, and is of another patient than it has turned out to be, belongs to no study from then on.
func (s *Source) sift(ctx context.Context, entries []metadata.DocumentEntry, patient string) (made []metadata.DocumentEntry, err error) {
	var strange []string
	for _, e := range entries {
		ours, err := s.made(e.UniqueID)
		switch {
		case err != nil:
			return nil, err
		case ours:
			made = append(made, e)
		case e.PatientID != patient:
			strange = append(strange, e.ID)
		}
	}
	if len(strange) == 0 {
		return made, nil
	}
	s.config.Logger.Warn("documents that were submitted for a study are of another patient, and belong to no study now", "documents", len(strange))
	return made, s.config.Registry.Detach(ctx, strange...)
}

// isLive reports whether the ledger has a study as one that may be seen.
func (s *Source) isLive(study catalog.Study) (live bool, err error) {
	err = s.config.Ledger.View(func(view *ledger.Snapshot) error {
		record, err := view.Study(study.StudyID)
		if errors.Is(err, ledger.ErrNotFound) {
			return nil
		}
		live = err == nil && record.Source == s.id && record.Status == ledger.Live
		return err
	})
	return live, err
}

// submissionOf makes the submission of the entries of a study, which replace those that were before. A replacement stays
// with its patient: entries of another one, from before the study was corrected, are returned to be deprecated.
func (s *Source) submissionOf(study catalog.Study, stable, onDemand metadata.DocumentEntry, before []metadata.DocumentEntry) (
	submission *metadata.Objects, corrected []string, err error,
) {
	var name [32]byte
	if _, err := io.ReadFull(s.config.Rand, name[:]); err != nil {
		return nil, nil, fmt.Errorf("drawing a name: %w", err)
	}
	set := metadata.SubmissionSet{
		Object:          metadata.Object{ID: "set"},
		Authors:         stable.Authors,
		ContentTypeCode: s.config.Entries.ContentType,
		PatientID:       stable.PatientID,
		SourceID:        s.id.Alias(),
		UniqueID:        keys.OIDAlias(name),
		SubmissionTime:  s.config.Now().UTC().Format(dtmLayout),
	}
	submission = &metadata.Objects{SubmissionSets: []metadata.SubmissionSet{set}, Documents: []metadata.DocumentEntry{stable, onDemand}}
	link := func(kind metadata.AssociationType, from, to, status string) {
		submission.Associations = append(submission.Associations, metadata.Association{
			Object: metadata.Object{ID: fmt.Sprint("association-", len(submission.Associations))},
			Type:   kind, Source: from, Target: to, SubmissionSetStatus: status,
		})
	}
	for _, d := range submission.Documents {
		link(metadata.HasMember, set.ID, d.ID, metadata.Original)
		for _, e := range before {
			if e.Type == d.Type && e.PatientID == d.PatientID {
				link(metadata.Replace, d.ID, e.ID, "")
			}
		}
	}
	for _, e := range before {
		if e.PatientID != stable.PatientID {
			corrected = append(corrected, e.ID)
		}
	}
	return submission, corrected, nil
}

// unregister deletes all entries of a study, those that others have submitted for it too, and their documents.
func (s *Source) unregister(ctx context.Context, studyInstanceUID string) error {
	if s.config.Registry == nil {
		return nil
	}
	s.submitting.Lock()
	defer s.submitting.Unlock()
	remove := func() error { return s.config.Registry.Remove(ctx, studyInstanceUID) }
	if s.config.Documents == nil {
		return remove()
	}
	entries, err := s.config.Registry.Entries(ctx, studyInstanceUID)
	if err != nil {
		return fmt.Errorf("erasing a study: %w", err)
	}
	var hashes []string
	for i := range entries {
		if entries[i].Hash != "" {
			hashes = append(hashes, lowerHash(&entries[i]))
		}
	}
	return s.config.Documents.Erase(ctx, hashes, remove)
}
