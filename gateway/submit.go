package gateway

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"collimate/atna"
	"collimate/dicom"
	"collimate/gateway/catalog"
	"collimate/gateway/documents"
	"collimate/gateway/registry"
	"collimate/ledger"
	"collimate/soap"
	"collimate/xds"
	"collimate/xds/metadata"
	"collimate/xua"
)

// Register takes a submission of entries whose documents are in other repositories: ITI-42, and ITI-61. An entry of this
// repository comes with its document, by Provide: otherwise an entry could give any document that is stored another
// patient.
func (s *Source) Register(ctx context.Context, caller xua.Caller, purpose metadata.Purpose, submission *metadata.Objects) error {
	kind := atna.TypeRegister
	if purpose == metadata.RegisterOnDemand {
		kind = atna.TypeRegisterOnDemand
	}
	return s.submission(ctx, caller, kind, PathRegistry, submission, func() error {
		if errs := submission.Validate(metadata.Rules{For: purpose, Codes: s.config.Codes}); len(errs) > 0 {
			return errs
		}
		for i := range submission.Documents {
			if submission.Documents[i].RepositoryUniqueID == s.id.Alias() {
				return refusedEntry(metadata.RegistryMetadata, i, "repositoryUniqueId is that of this repository, to which documents come by ITI-41")
			}
		}
		s.submitting.Lock()
		defer s.submitting.Unlock()
		return s.enlist(ctx, submission, studiesOf(submission), metadata.RegistryMetadata)
	})
}

// Provide takes documents and their entries: ITI-41, and RAD-68. The documents are on disk before the registry has the
// entries, and the registry has them before this returns. ITI TF-2: 3.41.4.1.3
func (s *Source) Provide(ctx context.Context, caller xua.Caller, submission *metadata.Objects, incoming xds.Incoming) error {
	return s.submission(ctx, caller, atna.TypeProvideAndRegister, PathRepository, submission, func() error {
		if errs := submission.Validate(metadata.Rules{For: metadata.Provide, Codes: s.config.Codes}); len(errs) > 0 {
			return errs
		}
		p := provision{source: s, Objects: submission, studies: studiesOf(submission)}
		defer p.discard()
		if err := p.receive(incoming); err != nil {
			return err
		}
		s.submitting.Lock()
		defer s.submitting.Unlock()
		return s.config.Documents.Commit(ctx, p.received, func() error {
			return s.enlist(ctx, submission, p.studies, metadata.RepositoryMetadata)
		})
	})
}

// submission lets submitters do what they ask for, and writes the audit record, whatever it comes to.
func (s *Source) submission(ctx context.Context, caller xua.Caller, kind atna.Code, path string, submission *metadata.Objects, take func() error) error {
	r := atna.Submission{
		Time: s.config.Now(), Origin: s.origin(), Type: kind, Sender: recipient(caller), Receiver: local(s.config.URL + path),
		Requestors: requestors(caller),
	}
	if !s.submits(caller) || s.config.Registry == nil {
		if s.strangers.allow(r.Time) { // anybody can ask, as often as they like
			r.Outcome, r.Reason = atna.MinorFailure, "the sender is none of the submitters"
			if err := s.config.Audit.Record(ctx, r.Message()); err != nil {
				return fmt.Errorf("writing the audit trail: %w", err)
			}
		}
		return &soap.Fault{Code: soap.Sender, Reason: "the sender may not submit here"}
	}
	if len(submission.SubmissionSets) == 1 {
		r.PatientID, r.SubmissionSet = submission.SubmissionSets[0].PatientID, submission.SubmissionSets[0].UniqueID
	}
	err := take()
	var refused metadata.Errors
	switch {
	case errors.As(err, &refused) && refused.Severity() == metadata.SeverityError:
		r.Outcome, r.Reason = atna.MinorFailure, refused.Error()
	case err != nil && refused == nil:
		r.Outcome, r.Reason = atna.SeriousFailure, err.Error()
	}
	if recorded := s.config.Audit.Record(ctx, r.Message()); recorded != nil && err == nil {
		return fmt.Errorf("writing the audit trail: %w", recorded) // the sender tries again, to no harm
	}
	return err
}

// enlist registers a submission. What the registry does not look at is looked at here: a document has one repository and
// one study for good, or the ledger's word on the one would open the other. The caller holds submitting.
func (s *Source) enlist(ctx context.Context, submission *metadata.Objects, studies map[string]string, code metadata.ErrorCode) error {
	if err := s.replaceable(ctx, submission, studies, code); err != nil {
		return err
	}
	patients := map[string]string{} // by study
	for i := range submission.Documents {
		d := &submission.Documents[i]
		made, err := s.made(d.UniqueID)
		if err != nil {
			return err
		}
		if made {
			return refusedEntry(code, i, "uniqueId is that of another document")
		}
		study := studies[d.UniqueID]
		before, of, err := s.config.Registry.Entry(ctx, d.UniqueID)
		switch {
		case errors.Is(err, registry.ErrNotFound):
		case err != nil:
			return fmt.Errorf("looking up a document: %w", err)
		case before.RepositoryUniqueID != d.RepositoryUniqueID:
			return refusedEntry(code, i, "uniqueId is registered for a document of another repository")
		case of != study:
			return refusedEntry(code, i, "uniqueId is registered for a document of another study: referenceIdList differs")
		}
		if _, ok := patients[study]; !ok {
			if patients[study], err = s.patientOf(ctx, study); err != nil {
				return err
			}
		}
		if patient := patients[study]; patient != "" && patient != d.PatientID {
			return refusedEntry(metadata.PatientIDDoesNotMatch, i, "patientId is not that of the study that referenceIdList names")
		}
	}
	return s.config.Registry.Submit(ctx, submission, registry.Submission{
		Now: s.config.Now(), NewID: newUUID, PatientKnown: s.patientKnown, Studies: studies, Repository: s.id.Alias(),
	})
}

// replaceable refuses to replace what is made of the archive, which follows the archive alone, and what is of another
// study than its replacement.
func (s *Source) replaceable(ctx context.Context, submission *metadata.Objects, studies map[string]string, code metadata.ErrorCode) error {
	entries := map[string]int{}
	for i := range submission.Documents {
		entries[submission.Documents[i].ID] = i
	}
	for _, a := range submission.Associations {
		i, ok := entries[a.Source]
		if !a.Type.Replaces() || !ok {
			continue
		}
		target, study, err := s.config.Registry.EntryOf(ctx, a.Target)
		if errors.Is(err, registry.ErrNotFound) {
			continue // the registry says so
		}
		if err != nil {
			return fmt.Errorf("looking up a document: %w", err)
		}
		made, err := s.made(target.UniqueID)
		switch {
		case err != nil:
			return err
		case made:
			return refusedEntry(code, i, "what it replaces is made of the archive: change the study there")
		case study != studies[submission.Documents[i].UniqueID]:
			return refusedEntry(code, i, "what it replaces is of another study: referenceIdList differs")
		}
	}
	return nil
}

// noPatient is what no patient id is: no document may be submitted for a study of which the patient is not known.
const noPatient = "none"

// patientOf returns the patient that a published study is registered under, "" if a study is not published.
func (s *Source) patientOf(ctx context.Context, studyInstanceUID string) (string, error) {
	study, err := s.config.Catalog.Study(studyInstanceUID)
	if errors.Is(err, catalog.ErrNotFound) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	made, _, err := s.config.Registry.Entry(ctx, ledger.DocumentUniqueID(study.StudyID, ledger.DocumentStudy))
	if errors.Is(err, registry.ErrNotFound) {
		return noPatient, nil
	}
	if err != nil {
		return "", fmt.Errorf("looking up a study: %w", err)
	}
	return made.PatientID, nil
}

// made reports whether a document is one that this source makes of the archive.
func (s *Source) made(uniqueID string) (bool, error) {
	_, _, err := s.config.Catalog.Document(uniqueID)
	if errors.Is(err, catalog.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// patientKnown reports whether a patient id is of an authority that the affinity domain knows.
func (s *Source) patientKnown(cx string) bool {
	var known []string
	if s.config.Codes != nil {
		known = s.config.Codes.Authorities
	}
	if own := s.config.Entries.PatientAuthority; own != "" && len(known) > 0 {
		known = append(known[:len(known):len(known)], own)
	}
	_, authority, _ := strings.Cut(cx, "^^^&")
	return len(known) == 0 || slices.Contains(known, strings.TrimSuffix(authority, "&ISO"))
}

// studiesOf returns the study that each document of a submission belongs to, by uniqueId.
func studiesOf(submission *metadata.Objects) map[string]string {
	studies := map[string]string{}
	for i := range submission.Documents {
		if study := studyOf(&submission.Documents[i]); study != "" {
			studies[submission.Documents[i].UniqueID] = study
		}
	}
	return studies
}

// refusedEntry refuses a submission because of one of its entries.
func refusedEntry(code metadata.ErrorCode, i int, context string) metadata.Errors {
	location := "DocumentEntry " + strconv.Itoa(i+1)
	return metadata.Errors{{Code: code, Location: location, Context: location + ": " + context}}
}

// newUUID returns a new random id of a registry object.
func newUUID() string {
	var u [16]byte
	rand.Read(u[:])
	u[6] = u[6]&0x0f | 0x40
	u[8] = u[8]&0x3f | 0x80
	return fmt.Sprintf("urn:uuid:%x-%x-%x-%x-%x", u[:4], u[4:6], u[6:8], u[8:10], u[10:])
}

// provision is a submission whose documents are coming in.
type provision struct {
	*metadata.Objects
	source   *Source
	studies  map[string]string // by uniqueId
	received []*documents.Received
}

func (p *provision) discard() {
	for _, d := range p.received {
		d.Discard()
	}
}

// receive takes the documents and holds each against its entry.
func (p *provision) receive(incoming xds.Incoming) error {
	entries := map[string]int{}
	for i := range p.Documents {
		entries[p.Documents[i].ID] = i
	}
	var faults metadata.Errors
	for {
		id, bytes, err := incoming.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		i, ok := entries[id]
		if !ok {
			return errors.New("a document came for which there is no entry, or which came before")
		}
		delete(entries, id)
		errs, err := p.document(i, bytes)
		if err != nil {
			return err
		}
		faults = append(faults, errs...)
	}
	if len(entries) > 0 {
		return errors.New("there are entries without a document")
	}
	return faults.Err()
}

// document takes one document. It completes its entry, or says what differs. ITI TF-2: 3.41.4.1.3
func (p *provision) document(i int, r io.Reader) (metadata.Errors, error) {
	d, s := &p.Documents[i], p.source
	got, err := s.config.Documents.Receive(r, s.config.MaxDocument)
	switch {
	case errors.Is(err, documents.ErrTooLarge):
		return nil, refusedEntry(metadata.RepositoryOutOfResources, i, documents.ErrTooLarge.Error())
	case errors.Is(err, documents.ErrFull):
		s.config.Logger.Error("receiving a document", "error", err)
		return nil, refusedEntry(metadata.RepositoryOutOfResources, i, "the repository has no room for the document")
	case err != nil:
		return nil, err
	}
	p.received = append(p.received, got)
	size := strconv.FormatInt(got.Size, 10)
	if d.Hash != "" && !strings.EqualFold(d.Hash, got.Hash) {
		return refusedEntry(metadata.RepositoryMetadata, i, "hash is not the SHA-1 of the document"), nil
	}
	if d.Size != "" && strings.TrimLeft(d.Size, "0") != strings.TrimLeft(size, "0") {
		return refusedEntry(metadata.RepositoryMetadata, i, "size is not that of the document"), nil
	}
	d.Hash, d.Size, d.RepositoryUniqueID = got.Hash, size, s.id.Alias()
	if d.FormatCode.Value != dicom.KeyObjectSelectionDocument {
		return nil, nil
	}
	return p.keyObject(i, got)
}

// keyObject holds a manifest against its entry, and finds the study that it is of. RAD TF-3: 4.68.4.1.2
func (p *provision) keyObject(i int, got *documents.Received) (metadata.Errors, error) {
	d := &p.Documents[i]
	f, err := got.Open()
	if err != nil {
		return nil, err
	}
	defer f.Close()
	k, err := dicom.ReadKeyObject(io.LimitReader(f, maxKeyObject))
	if err != nil {
		return refusedEntry(metadata.InvalidDocumentContent, i, "formatCode is that of a Key Object Selection document, and the document is none: "+err.Error()), nil
	}
	switch {
	case d.MimeType != mimeManifest:
		return refusedEntry(metadata.RepositoryMetadata, i, "mimeType of a Key Object Selection document is application/dicom"), nil
	case k.Text(dicom.SOPInstanceUID) != d.UniqueID:
		return refusedEntry(metadata.RepositoryMetadata, i, "uniqueId is not the SOP Instance UID of the Key Object Selection document"), nil
	}
	study := k.References[0].StudyInstanceUID
	for _, r := range k.References {
		if r.StudyInstanceUID != study {
			delete(p.studies, d.UniqueID) // it shows several studies, and the ledger's word is on one
			return nil, nil
		}
	}
	if said, ok := p.studies[d.UniqueID]; ok && said != study {
		return refusedEntry(metadata.RepositoryMetadata, i, "referenceIdList names another study than the Key Object Selection document"), nil
	}
	p.studies[d.UniqueID] = study
	return nil, nil
}
