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

// MaxBatch is how many studies PublishBatch takes: those that one transaction holds.
const MaxBatch = ledger.MaxStudiesPerTx

// ErrWithdrawn is returned for a study that is to be published and is withdrawn.
var ErrWithdrawn = errors.New("the study is withdrawn on the ledger: erase it, then publish it again")

// ErrErased is returned by PublishBatch for a study that was erased: only Publish, by which somebody names it, brings it
// back.
var ErrErased = errors.New("the study was erased: publish it by name if it is to be published again")

// maxTries bounds how often something is put to the ledger that has changed there since it was looked at, which is rare
// enough once.
const maxTries = 3

// Publish offers a study of the archive: it draws the salt and the claim key, stores them, defines the study on the
// ledger, and registers its documents. It returns the claim ticket.
//
// It may be repeated at any time, also after a crash: a study that is in the catalog keeps its salt, and one
// that is on the ledger is not defined again. Once the study has been claimed the ticket holds no claim key. A study
// that is withdrawn is not published: ErrWithdrawn. One whose name another source has taken before ours was final
// gets another name.
func (s *Source) Publish(ctx context.Context, studyInstanceUID string) (*Ticket, error) {
	outcomes, err := s.publishAll(ctx, []string{studyInstanceUID}, true)
	if err != nil {
		return nil, err
	}
	return outcomes[0].Ticket, outcomes[0].Err
}

// Outcome is what became of one study of a batch.
type Outcome struct {
	Ticket *Ticket // nil if there is an error
	Err    error
}

// PublishBatch publishes at most MaxBatch studies, each named once, by one transaction, as Publish does one; but it leaves
// those alone that were erased. The outcomes are in the order of the studies; an error besides them means that nothing
// can be said of any, and all are to be published again.
func (s *Source) PublishBatch(ctx context.Context, studyInstanceUIDs []string) ([]Outcome, error) {
	if len(studyInstanceUIDs) > MaxBatch {
		return nil, fmt.Errorf("publishing: %d studies at once, want at most %d", len(studyInstanceUIDs), MaxBatch)
	}
	return s.publishAll(ctx, studyInstanceUIDs, false)
}

func (s *Source) publishAll(ctx context.Context, studyInstanceUIDs []string, erased bool) ([]Outcome, error) {
	outcomes := make([]Outcome, len(studyInstanceUIDs))
	var batch []*publication
	for i, uid := range studyInstanceUIDs {
		if _, outcomes[i].Err = s.config.Archive.Study(ctx, uid); outcomes[i].Err == nil {
			batch = append(batch, &publication{Study: catalog.Study{StudyInstanceUID: uid}, outcome: &outcomes[i]})
		}
	}
	s.publishing.Lock()
	defer s.publishing.Unlock()
	if err := s.publish(ctx, batch, erased); err != nil {
		return nil, fmt.Errorf("publishing: %w", err)
	}
	for i, o := range outcomes {
		if o.Err != nil {
			outcomes[i] = Outcome{Err: fmt.Errorf("publishing: %w", o.Err)}
		}
	}
	return outcomes, nil
}

// publication is a study that is being published.
type publication struct {
	catalog.Study
	record  *ledger.StudyRecord // nil while it is not on the ledger
	outcome *Outcome
}

// publish brings studies into the catalog, onto the ledger and into the registry, in this order.
func (s *Source) publish(ctx context.Context, batch []*publication, erased bool) error {
	if err := s.enter(batch, erased); err != nil {
		return err
	}
	for try := 1; ; try++ {
		missing, err := s.compare(ctx, batch)
		if err != nil {
			return err
		}
		if len(missing.Studies) == 0 {
			break
		}
		err = s.submit(ctx, missing)
		if err == nil {
			break
		}
		// A study that has come onto the ledger since: by a transaction of ours whose answer was lost, or another's.
		if ledger.CodeOf(err) != ledger.CodeStudyExists || try == maxTries {
			return err
		}
	}
	var live []*publication
	for _, p := range batch {
		switch {
		case p.outcome.Err != nil:
		case p.record != nil && p.record.Status == ledger.Withdrawn:
			p.outcome.Err = ErrWithdrawn
		default:
			p.outcome.Ticket = s.ticket(p.Study)
			if p.record == nil || p.record.Status == ledger.Live {
				live = append(live, p)
			}
		}
	}
	return s.enrol(ctx, live)
}

// enrol registers studies; if not all can be, as many as can.
func (s *Source) enrol(ctx context.Context, batch []*publication) error {
	studies := make([]catalog.Study, len(batch))
	for i, p := range batch {
		studies[i] = p.Study
	}
	if s.register(ctx, studies) == nil {
		return nil
	}
	for i, p := range batch {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := s.register(ctx, studies[i:i+1]); err != nil {
			*p.outcome = Outcome{Err: fmt.Errorf("%w: %w", ErrUnregistered, err)}
		}
	}
	return nil
}

// enter draws the secrets of the studies that the catalog does not know and stores them. They are on disk before the
// ledger hears of a study: a crash in between leaves an entry that is taken up again, never a study whose salt is lost.
func (s *Source) enter(batch []*publication, erased bool) error {
	var fresh []catalog.Study
	for _, p := range batch {
		known, err := s.config.Catalog.Study(p.StudyInstanceUID)
		if err == nil {
			p.Study = known
			continue
		}
		if !errors.Is(err, catalog.ErrNotFound) {
			return err
		}
		if was, err := s.config.Catalog.Erased(p.StudyInstanceUID); err != nil {
			return err
		} else if was && !erased {
			p.outcome.Err = ErrErased
			continue
		}
		if err := s.draw(&p.Study); err != nil {
			return err
		}
		fresh = append(fresh, p.Study)
	}
	return s.store(fresh...)
}

// draw draws the secrets of a study.
func (s *Source) draw(study *catalog.Study) error {
	study.Published, study.MADO = s.config.Now().Unix(), s.config.MADO
	if _, err := io.ReadFull(s.config.Rand, study.Salt[:]); err != nil {
		return fmt.Errorf("drawing a salt: %w", err)
	}
	study.StudyID = ledger.NewStudyID(study.Salt, study.StudyInstanceUID)
	_, claim, err := ed25519.GenerateKey(s.config.Rand)
	if err != nil {
		return fmt.Errorf("drawing a claim key: %w", err)
	}
	if study.ClaimKey, err = x509.MarshalPKCS8PrivateKey(claim); err != nil {
		return fmt.Errorf("encoding the claim key: %w", err)
	}
	return nil
}

// store puts studies and their documents into the catalog.
func (s *Source) store(studies ...catalog.Study) error {
	if len(studies) == 0 {
		return nil
	}
	return s.config.Catalog.PutStudies(studies, func(study catalog.Study) map[string]ledger.DocumentKind {
		kinds := map[string]ledger.DocumentKind{}
		for kind, id := range documentIDs(study.StudyID) {
			kinds[id] = kind
		}
		return kinds
	})
}

// documentIDs returns the documents that a study is offered as, by kind.
func documentIDs(study ledger.StudyID) map[ledger.DocumentKind]string {
	ids := map[ledger.DocumentKind]string{}
	for _, kind := range []ledger.DocumentKind{ledger.DocumentStudy, ledger.DocumentManifest} {
		ids[kind] = ledger.DocumentUniqueID(study, kind)
	}
	return ids
}

// compare looks the studies up on the ledger and returns the definition of those that are not there. Of those that are
// claimed it forgets the claim key; those whose name another source has taken, so that nobody has a ticket of them, get
// another name.
func (s *Source) compare(ctx context.Context, batch []*publication) (missing ledger.DefineStudy, err error) {
	err = s.config.Ledger.View(func(view *ledger.Snapshot) error {
		for _, p := range batch {
			var err error
			if p.record, err = view.Study(p.StudyID); err != nil && !errors.Is(err, ledger.ErrNotFound) {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return missing, err
	}
	for _, p := range batch {
		if p.outcome.Err != nil {
			continue
		}
		if p.record != nil && p.record.Source != s.id {
			if err := s.config.Catalog.Erase(ctx, p.StudyInstanceUID); err != nil {
				return missing, err
			}
			p.Study, p.record = catalog.Study{StudyInstanceUID: p.StudyInstanceUID}, nil
			if err := errors.Join(s.draw(&p.Study), s.store(p.Study)); err != nil {
				return missing, err
			}
		}
		if p.record != nil && p.ClaimKey == nil {
			continue
		}
		claim, err := claimOwner(p.Study)
		switch {
		case err != nil: // such as of a study that was claimed on a ledger that is lost
			p.outcome.Err = err
		case p.record == nil:
			missing.Studies = append(missing.Studies, ledger.StudyDefinition{Study: p.StudyID, Owner: claim, Kind: ledger.RecordImaging})
		case p.record.Owner != claim:
			p.ClaimKey = nil
			if err := s.store(p.Study); err != nil {
				return missing, err
			}
		}
	}
	return missing, nil
}

// ticket makes the claim ticket of a study.
func (s *Source) ticket(study catalog.Study) *Ticket {
	return &Ticket{
		ChainID:            s.config.ChainID,
		StudyID:            study.StudyID,
		Source:             s.id,
		RepositoryUniqueID: s.id.Alias(),
		StudyInstanceUID:   study.StudyInstanceUID,
		Salt:               study.Salt,
		Documents:          documentIDs(study.StudyID),
		ClaimKey:           study.ClaimKey,
	}
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

// DefineGroup puts a record of kind group on the ledger, whose owner makes members by granting it to them.
func (s *Source) DefineGroup(ctx context.Context, owner keys.Owner) (ledger.StudyID, error) {
	var nonce [8]byte
	if _, err := io.ReadFull(s.config.Rand, nonce[:]); err != nil {
		return ledger.StudyID{}, fmt.Errorf("drawing a name: %w", err)
	}
	id := ledger.NewGroupID(nonce, s.id, owner)
	return id, s.submit(ctx, ledger.DefineStudy{Studies: []ledger.StudyDefinition{{Study: id, Owner: owner, Kind: ledger.RecordGroup}}})
}

// submit signs a transaction with the source's key and waits until it is final.
func (s *Source) submit(ctx context.Context, body ledger.Body) error {
	raw, err := ledger.Sign(s.config.Rand, s.config.ChainID, body, s.config.Key)
	if err != nil {
		return fmt.Errorf("signing a transaction: %w", err)
	}
	return s.config.Ledger.Submit(ctx, raw)
}
