package gateway

import (
	"context"
	"crypto/ed25519"
	"crypto/x509"
	"errors"
	"fmt"
	"io"

	"collimate/gateway/catalog"
	"collimate/keys"
	"collimate/ledger"
)

// Define puts the source on the ledger, or brings its entry there up to date. prove signs a message with the
// validator key of the source's node. It does nothing when the entry is right already.
func (s *Source) Define(ctx context.Context, validator [32]byte, prove func(message []byte) ([64]byte, error)) error {
	version := uint64(1)
	done := false
	err := s.config.Ledger.View(func(view *ledger.Snapshot) error {
		now, err := view.Source(s.id)
		if errors.Is(err, ledger.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		done = now.Endpoints == s.Endpoints() && now.ValidatorKey == validator
		version = now.Version + 1
		return nil
	})
	if err != nil || done {
		return err
	}
	proof, err := prove(ledger.ValidatorProofMessage(s.config.ChainID, s.id))
	if err != nil {
		return fmt.Errorf("proving the validator key: %w", err)
	}
	return s.submit(ctx, ledger.DefineSource{
		Endpoints:      s.Endpoints(),
		OIDs:           s.config.OIDs,
		ValidatorKey:   validator,
		ValidatorProof: proof,
		Version:        version,
	})
}

// Publish offers a study of the archive: it draws the salt and the claim key, stores them, and then defines the
// study on the ledger. It returns the claim ticket.
//
// It may be repeated at any time, also after a crash: a study that is in the catalog keeps its salt, and one
// that is on the ledger is not defined again. Once the study has been claimed the ticket holds no claim key.
func (s *Source) Publish(ctx context.Context, studyInstanceUID string) (*Ticket, error) {
	if _, err := s.config.Archive.Study(ctx, studyInstanceUID); err != nil {
		return nil, fmt.Errorf("publishing: %w", err)
	}
	s.publishing.Lock()
	defer s.publishing.Unlock()
	study, err := s.config.Catalog.Study(studyInstanceUID)
	if errors.Is(err, catalog.ErrNotFound) {
		study, err = s.enter(studyInstanceUID)
	}
	if err != nil {
		return nil, err
	}
	if err := s.define(ctx, &study); err != nil {
		return nil, err
	}
	return &Ticket{
		ChainID:            s.config.ChainID,
		StudyID:            study.StudyID,
		Source:             s.id,
		RepositoryUniqueID: s.id.Alias(),
		StudyInstanceUID:   studyInstanceUID,
		Salt:               study.Salt,
		Documents:          documents(study.StudyID),
		ClaimKey:           study.ClaimKey,
	}, nil
}

// documents returns the documents that a study is offered as, by kind.
func documents(study ledger.StudyID) map[ledger.DocumentKind]string {
	ids := map[ledger.DocumentKind]string{}
	for _, kind := range []ledger.DocumentKind{ledger.DocumentStudy, ledger.DocumentManifest} {
		ids[kind] = ledger.DocumentUniqueID(study, kind)
	}
	return ids
}

// enter draws the secrets of a study and stores them. They are on disk before the ledger hears of the study:
// a crash in between leaves an entry that Publish takes up again, never a study whose salt is lost.
func (s *Source) enter(studyInstanceUID string) (catalog.Study, error) {
	study := catalog.Study{StudyInstanceUID: studyInstanceUID, Published: s.config.Now().Unix()}
	if _, err := io.ReadFull(s.config.Rand, study.Salt[:]); err != nil {
		return study, fmt.Errorf("drawing a salt: %w", err)
	}
	study.StudyID = ledger.NewStudyID(study.Salt, studyInstanceUID)
	_, claim, err := ed25519.GenerateKey(s.config.Rand)
	if err != nil {
		return study, fmt.Errorf("drawing a claim key: %w", err)
	}
	if study.ClaimKey, err = x509.MarshalPKCS8PrivateKey(claim); err != nil {
		return study, fmt.Errorf("encoding the claim key: %w", err)
	}
	return study, s.store(study)
}

// store puts a study and its documents into the catalog.
func (s *Source) store(study catalog.Study) error {
	kinds := map[string]ledger.DocumentKind{}
	for kind, id := range documents(study.StudyID) {
		kinds[id] = kind
	}
	return s.config.Catalog.PutStudy(study, kinds)
}

// define puts a study on the ledger unless it is there, and forgets its claim key once it has been claimed.
func (s *Source) define(ctx context.Context, study *catalog.Study) error {
	var record *ledger.StudyRecord
	err := s.config.Ledger.View(func(view *ledger.Snapshot) (err error) {
		record, err = view.Study(study.StudyID)
		return err
	})
	switch {
	case errors.Is(err, ledger.ErrNotFound):
		claim, err := claimOwner(*study)
		if err != nil {
			return err
		}
		return s.submit(ctx, ledger.DefineStudy{Studies: []ledger.StudyDefinition{{Study: study.StudyID, Owner: claim}}})
	case err != nil:
		return err
	case study.ClaimKey == nil:
		return nil
	}
	claim, err := claimOwner(*study)
	if err != nil || record.Owner == claim {
		return err
	}
	study.ClaimKey = nil
	return s.store(*study)
}

// claimOwner names the owner of a study until it is claimed: the claim key.
func claimOwner(study catalog.Study) (keys.Owner, error) {
	t := Ticket{ClaimKey: study.ClaimKey}
	k, err := t.Claim()
	if err != nil {
		return keys.Owner{}, err
	}
	id, err := keys.IDOf(k.Public())
	return keys.Owner{ID: id}, err
}

// submit signs a transaction with the source's key and waits until it is final.
func (s *Source) submit(ctx context.Context, body ledger.Body) error {
	raw, err := ledger.Sign(s.config.Rand, s.config.ChainID, body, s.config.Key)
	if err != nil {
		return fmt.Errorf("signing a transaction: %w", err)
	}
	return s.config.Ledger.Submit(ctx, raw)
}
