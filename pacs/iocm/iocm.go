// Package iocm keeps rejected instances from being given out: IHE Imaging Object Change Management, RAD TF-1: 29.
//
// In a PACS an instance is not deleted where it was made but rejected, by a Key Object Selection document in its study
// that refers to it and whose title says why. RAD TF-2: 4.66.4.1.2, DICOM PS3.16 CID 7011
//
//	113001 DCM   rejected for quality reasons
//	113037 DCM   rejected for patient safety reasons
//	113038 DCM   incorrect modality worklist entry: it may be another patient's
//	113039 DCM   data retention policy expired
//
// The fourth says what has to be done about an instance that names another patient than its study. Until it is rejected,
// or gone, nothing is given out of the study: which of its images are whose is for a person to say.
//
// New wraps an archive so that neither the instances that are rejected nor the notes are listed. The notes are read from
// the archive whenever a study is listed, so there is nothing to be told, and nothing to be lost; what was read of one is
// kept in memory. A note counts for the study that it is in: one that names several is in each. One that cannot be read
// makes its study unavailable, since what it would keep back is not known.
package iocm

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"

	"collimate/dicom"
	"collimate/pacs"
)

// ErrRejected is a pacs.ErrNotFound: all instances of the study are rejected.
var ErrRejected = fmt.Errorf("all instances of the study are rejected: %w", pacs.ErrNotFound)

// ErrMixed is a study of which instances that are not rejected name another patient.
var ErrMixed = errors.New("some images of the study name another patient: reject them by a note, or take them out of the archive")

// Archive is an archive without what is rejected.
type Archive struct {
	pacs.Archive

	mu    sync.Mutex
	notes map[pacs.Instance][]string // what key objects reject
}

// New wraps an archive.
func New(a pacs.Archive) *Archive {
	return &Archive{Archive: a, notes: make(map[pacs.Instance][]string)}
}

// Study implements pacs.Archive, with ErrRejected if nothing is left, and ErrMixed if what is left is of two patients.
func (a *Archive) Study(ctx context.Context, studyInstanceUID string) (*pacs.Study, error) {
	s, err := a.Archive.Study(ctx, studyInstanceUID)
	if err != nil {
		return nil, err
	}
	rejected := make(map[string]bool)
	for _, series := range s.Series {
		for _, i := range series.Instances {
			if i.SOPClassUID != dicom.KeyObjectSelectionDocument {
				continue
			}
			note, err := a.note(ctx, i)
			if err != nil {
				return nil, fmt.Errorf("a key object of the study, which may reject some of it: %w", err)
			}
			for _, uid := range note {
				rejected[uid] = true
			}
		}
	}
	kept := s
	if len(rejected) > 0 {
		kept = without(s, rejected)
	}
	switch {
	case len(kept.Series) == 0:
		return nil, ErrRejected
	case kept.Mixed():
		return nil, ErrMixed
	}
	return kept, nil
}

// without returns a study without some of its instances.
func without(s *pacs.Study, rejected map[string]bool) *pacs.Study {
	kept := *s
	kept.Series = nil
	for _, series := range s.Series {
		series.Instances = slices.DeleteFunc(slices.Clone(series.Instances), func(i pacs.Instance) bool { return rejected[i.SOPInstanceUID] })
		if len(series.Instances) > 0 {
			kept.Series = append(kept.Series, series)
		}
	}
	return &kept
}

// note returns the instances that a key object rejects, itself among them: none if it is no rejection note.
func (a *Archive) note(ctx context.Context, i pacs.Instance) ([]string, error) {
	a.mu.Lock()
	rejected, known := a.notes[i]
	a.mu.Unlock()
	if known {
		return rejected, nil
	}
	r, err := a.Archive.Open(ctx, i)
	if err != nil {
		return nil, bare(err)
	}
	defer r.Close()
	k, err := dicom.ReadKeyObject(r)
	if err != nil {
		return nil, err
	}
	if _, err := io.Copy(io.Discard, r); err != nil { // to where the archive has held all of it against its checksum
		return nil, bare(err)
	}
	if isRejection(k.Title) {
		rejected = []string{i.SOPInstanceUID}
		for _, r := range k.References {
			if r.StudyInstanceUID == i.StudyInstanceUID {
				rejected = append(rejected, r.SOPInstanceUID)
			}
		}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.notes) >= maxNotes {
		clear(a.notes)
	}
	if len(rejected) <= maxKept {
		a.notes[i] = rejected
	}
	return rejected, nil
}

// isRejection reports whether the title of a key object rejects what it refers to. DICOM PS3.16 CID 7011
func isRejection(title dicom.Code) bool {
	return title.Scheme == "DCM" && slices.Contains([]string{"113001", "113037", "113038", "113039"}, title.Value)
}

// bare keeps a key object that is listed and not given from being read as "no such study".
func bare(err error) error {
	if errors.Is(err, pacs.ErrNotFound) {
		return errors.New("the archive lists it and does not give it")
	}
	return err
}
