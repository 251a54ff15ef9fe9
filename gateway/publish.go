package gateway

import (
	"context"
	"crypto/ed25519"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"slices"

	"collimate/gateway/catalog"
	"collimate/keys"
	"collimate/ledger"
)

// Define puts the source on the ledger, or brings its entry there up to date. prove signs a message with the
// validator key of the source's node. It does nothing when the entry is right already.
//
// A source needs a bond first. If nobody has put one up and the source's own key is a payer, it bonds all that it may.
func (s *Source) Define(ctx context.Context, validator [32]byte, prove func(message []byte) ([64]byte, error)) error {
	var now *ledger.SourceRecord
	var bond ledger.Bond
	err := s.config.Ledger.View(func(view *ledger.Snapshot) (err error) {
		now, err = view.Source(s.id)
		if !errors.Is(err, ledger.ErrNotFound) {
			return err
		}
		bond, err = s.ownBond(view)
		return err
	})
	if err != nil {
		return err
	}
	if now != nil {
		if now.Endpoints == s.Endpoints() && now.Peer == s.config.Peer && slices.Equal(now.EmergencyGroups, s.config.EmergencyGroups) {
			return nil
		}
		return s.submit(ctx, ledger.UpdateSource{
			Version: now.Version + 1, Endpoints: s.Endpoints(), Peer: s.config.Peer, EmergencyGroups: s.config.EmergencyGroups,
		})
	}
	if bond.Units > 0 {
		if err := s.submit(ctx, bond); err != nil {
			return fmt.Errorf("bonding: %w", err)
		}
	}
	proof, err := prove(ledger.ValidatorProofMessage(s.config.ChainID, s.id))
	if err != nil {
		return fmt.Errorf("proving the validator key: %w", err)
	}
	return s.submit(ctx, ledger.DefineSource{
		Endpoints:       s.Endpoints(),
		OIDs:            s.config.OIDs,
		ValidatorKey:    validator,
		ValidatorProof:  proof,
		Peer:            s.config.Peer,
		EmergencyGroups: s.config.EmergencyGroups,
	})
}

// ownBond returns the bond that the source puts up for itself, of no units if there is one already or it is no payer.
func (s *Source) ownBond(view *ledger.Snapshot) (ledger.Bond, error) {
	bond := ledger.Bond{Source: s.id}
	stake, err := view.Stake(s.id)
	if err == nil && stake.Units > 0 {
		return bond, nil
	}
	if err != nil && !errors.Is(err, ledger.ErrNotFound) {
		return bond, err
	}
	payer, err := view.Payer(keys.Payer{ID: s.id.ID})
	if errors.Is(err, ledger.ErrNotFound) {
		return bond, nil
	}
	if err != nil {
		return bond, err
	}
	bond.Units, bond.Sequence = payer.Units-payer.Bonded, payer.Sequence+1
	return bond, nil
}

// Publish offers a study of the archive: it draws the salt and the claim key, stores them, and then defines the
// study on the ledger. It returns the claim ticket.
//
// It may be repeated at any time, also after a crash: a study that is in the catalog keeps its salt, and one
// that is on the ledger is not defined again. Once the study has been claimed the ticket holds no claim key. A study
// that is withdrawn is not published: erase it first. One whose name another source has taken before ours was final
// gets another name.
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
	if err == nil {
		err = s.define(ctx, &study)
	}
	if errors.Is(err, errTaken) { // so nobody has a ticket of it
		if err = s.config.Catalog.Erase(ctx, studyInstanceUID); err == nil {
			study, err = s.enter(studyInstanceUID)
		}
		if err == nil {
			err = s.define(ctx, &study)
		}
	}
	if err != nil {
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

// errTaken is returned for a study whose name another source has defined first. Anybody reads a name before it is final.
var errTaken = errors.New("another source has defined the name of the study")

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
		return s.submit(ctx, ledger.DefineStudy{Studies: []ledger.StudyDefinition{{Study: study.StudyID, Owner: claim, Kind: ledger.RecordImaging}}})
	case err != nil:
		return err
	case record.Source != s.id:
		return errTaken
	case record.Status == ledger.Withdrawn:
		return errors.New("the study is withdrawn on the ledger: erase it, then publish it again")
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

// DefineGroup puts a record of kind group on the ledger, whose owner makes members by granting it to them. Its name is
// random: it stands for nothing else.
func (s *Source) DefineGroup(ctx context.Context, owner keys.Owner) (ledger.StudyID, error) {
	var id ledger.StudyID
	if _, err := io.ReadFull(s.config.Rand, id[:]); err != nil {
		return id, fmt.Errorf("drawing a name: %w", err)
	}
	return id, s.submit(ctx, ledger.DefineStudy{Studies: []ledger.StudyDefinition{{Study: id, Owner: owner, Kind: ledger.RecordGroup}}})
}

// Amend tells the ledger that instances were added to a published study or changed.
func (s *Source) Amend(ctx context.Context, studyInstanceUID string) error {
	return s.act(ctx, studyInstanceUID, func(r *ledger.StudyRecord) ledger.Body {
		return ledger.AmendStudy{Study: r.ID, Revision: r.Revision}
	})
}

// Hold keeps a published study from everybody, its owner included, or releases it again: for a study that may be of
// another patient. It does nothing if it is so already.
func (s *Source) Hold(ctx context.Context, studyInstanceUID string, held bool) error {
	return s.act(ctx, studyInstanceUID, func(r *ledger.StudyRecord) ledger.Body {
		if (r.Status == ledger.Held) == held {
			return nil
		}
		return ledger.HoldStudy{Study: r.ID, Revision: r.Revision, Held: held}
	})
}

// Withdraw takes a published study back, for good. It does nothing if it is withdrawn already.
func (s *Source) Withdraw(ctx context.Context, studyInstanceUID string) error {
	return s.act(ctx, studyInstanceUID, func(r *ledger.StudyRecord) ledger.Body {
		if r.Status == ledger.Withdrawn {
			return nil
		}
		return ledger.WithdrawStudy{Study: r.ID, Revision: r.Revision}
	})
}

// Erase withdraws a study and deletes its salt and all else that the catalog holds of it. What stays on the ledger is
// then linked to the study by nothing that the source has. The archive keeps the images. An Erase that was interrupted
// is to be repeated, also if the study is not in the catalog any more.
func (s *Source) Erase(ctx context.Context, studyInstanceUID string) error {
	s.publishing.Lock()
	defer s.publishing.Unlock()
	err := s.Withdraw(ctx, studyInstanceUID)
	switch {
	case errors.Is(err, catalog.ErrNotFound):
		return errors.Join(err, s.config.Catalog.Erase(ctx, studyInstanceUID))
	case errors.Is(err, ledger.ErrNotFound), ledger.CodeOf(err) == ledger.CodeOtherSource:
		// It never became ours on the ledger: there is nothing to withdraw.
	case err != nil:
		return err
	}
	return s.config.Catalog.Erase(ctx, studyInstanceUID)
}

// act submits what body makes of the ledger's record of a published study, if it makes anything.
func (s *Source) act(ctx context.Context, studyInstanceUID string, body func(*ledger.StudyRecord) ledger.Body) error {
	study, err := s.config.Catalog.Study(studyInstanceUID)
	if err != nil {
		return err
	}
	var b ledger.Body
	err = s.config.Ledger.View(func(view *ledger.Snapshot) error {
		record, err := view.Study(study.StudyID)
		if err == nil {
			b = body(record)
		}
		return err
	})
	if err != nil || b == nil {
		return err
	}
	return s.submit(ctx, b)
}

// submit signs a transaction with the source's key and waits until it is final.
func (s *Source) submit(ctx context.Context, body ledger.Body) error {
	raw, err := ledger.Sign(s.config.Rand, s.config.ChainID, body, s.config.Key)
	if err != nil {
		return fmt.Errorf("signing a transaction: %w", err)
	}
	return s.config.Ledger.Submit(ctx, raw)
}
