// Package ledgercmd speaks to the ledger for whoever holds a key: a payer, a source, an owner, a guardian or a member
// of a group that may break the glass. It looks up what a transaction has to name, signs it, and waits until it is
// final; and it reads the ledger through proofs for those who trust no node.
//
// Keys stay in this process. A Signer without a Verifier is safe for concurrent use.
package ledgercmd

import (
	"context"
	"crypto"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"time"

	"collimate/keys"
	"collimate/ledger"
	"collimate/node/client"
)

const (
	// finalityPatience is how long a transaction may take to become final: a network whose third member is
	// just being restarted needs some of it.
	finalityPatience = 90 * time.Second
	// retryPause is between two attempts: less than a block takes.
	retryPause = 200 * time.Millisecond
)

// Signer signs with one key and submits to one node.
type Signer struct {
	Key crypto.Signer
	Reader
}

// id returns the KeyID of the key.
func (s *Signer) id() (keys.ID, error) { return keys.IDOf(s.Key.Public()) }

// Submit signs a body for the chain of the node and returns when it is final.
func (s *Signer) Submit(ctx context.Context, body ledger.Body) (client.Receipt, error) {
	chain, err := s.chainID(ctx)
	if err != nil {
		return client.Receipt{}, err
	}
	raw, err := ledger.Sign(rand.Reader, chain, body, s.Key)
	if err != nil {
		return client.Receipt{}, fmt.Errorf("signing: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, finalityPatience)
	defer cancel()
	for {
		// The same bytes are the same transaction: sending them again cannot do anything twice.
		r, err := s.Node.Submit(ctx, raw)
		if err == nil || !mayPass(err) {
			return r, err
		}
		select {
		case <-time.After(retryPause):
		case <-ctx.Done():
			return r, err
		}
	}
}

// mayPass reports whether a node's refusal may pass by itself.
func mayPass(err error) bool {
	var refused *client.Error
	if !errors.As(err, &refused) {
		return false
	}
	switch refused.Code {
	case client.CodeCatchingUp, client.CodeBusy, client.CodeNotFinal, client.CodeTooMany, client.CodeNoProof:
		return true
	}
	return false
}

// Bond puts up units for a source, which need not be defined yet.
func (s *Signer) Bond(ctx context.Context, source keys.Source, units uint64) (client.Receipt, error) {
	payer, err := s.payer(ctx)
	if err != nil {
		return client.Receipt{}, err
	}
	return s.Submit(ctx, ledger.Bond{Source: source, Units: units, Sequence: payer.Sequence + 1})
}

// Unbond takes units back, which are free after some time.
func (s *Signer) Unbond(ctx context.Context, source keys.Source, units uint64) (client.Receipt, error) {
	payer, err := s.payer(ctx)
	if err != nil {
		return client.Receipt{}, err
	}
	return s.Submit(ctx, ledger.Unbond{Source: source, Units: units, Sequence: payer.Sequence + 1})
}

func (s *Signer) payer(ctx context.Context) (*ledger.PayerRecord, error) {
	id, err := s.id()
	if err != nil {
		return nil, err
	}
	return s.Payer(ctx, keys.Payer{ID: id})
}

// Vote is what a payer votes for.
type Vote struct {
	Params ledger.Params
	Payers []ledger.PayerUnits
	Height uint64 // from which it is to count
}

// SetParams votes. It is decided when payers with more than two thirds of all units have voted for the same.
func (s *Signer) SetParams(ctx context.Context, v Vote) (client.Receipt, error) {
	payer, err := s.payer(ctx)
	if err != nil {
		return client.Receipt{}, err
	}
	params, err := s.Params(ctx)
	if err != nil {
		return client.Receipt{}, err
	}
	return s.Submit(ctx, ledger.SetParams{
		Version: params.Version + 1, Params: v.Params, Payers: v.Payers, Height: v.Height, Sequence: payer.Sequence + 1,
	})
}

// Rotate gives the source of the key another one. The source keeps its name, and the key before stays good in TLS for a
// while unless it is compromised.
func (s *Signer) Rotate(ctx context.Context, newKey crypto.Signer, compromised bool) (*ledger.SourceRecord, client.Receipt, error) {
	source, err := s.source(ctx)
	if err != nil {
		return nil, client.Receipt{}, err
	}
	chain, err := s.chainID(ctx)
	if err != nil {
		return nil, client.Receipt{}, err
	}
	body, err := ledger.NewRotateKey(rand.Reader, chain, source.ID, source.Version+1, newKey)
	if err != nil {
		return nil, client.Receipt{}, err
	}
	body.Compromised = compromised
	r, err := s.Submit(ctx, body)
	return source, r, err
}

// Unjail lets the source of the key out of jail, when its time there is over.
func (s *Signer) Unjail(ctx context.Context) (client.Receipt, error) {
	source, err := s.source(ctx)
	if err != nil {
		return client.Receipt{}, err
	}
	stake, err := s.Stake(ctx, source.ID)
	if err != nil {
		return client.Receipt{}, err
	}
	return s.Submit(ctx, ledger.Unjail{Jailing: stake.Jailings})
}

func (s *Signer) source(ctx context.Context) (*ledger.SourceRecord, error) {
	id, err := s.id()
	if err != nil {
		return nil, err
	}
	source, err := s.SourceOfKey(ctx, id)
	if err == nil && source.Key != id {
		err = fmt.Errorf("the source of the key %s has another key by now, %s", id, source.Key)
	}
	return source, err
}

// Guardianship makes somebody a guardian of a study. The guardian keeps it in confidence: with the guardian's key it
// is a vote on who owns the study.
type Guardianship struct {
	Study    ledger.StudyID `json:"study"`
	Guardian keys.Guardian  `json:"guardian"`
	Blind    Blind          `json:"blind"`
}

// NewGuardianship draws the secret of a guardian.
func NewGuardianship(study ledger.StudyID, guardian keys.Guardian) Guardianship {
	return Guardianship{Study: study, Guardian: guardian, Blind: NewBlind()}
}

// SetGuardians says who can recover a study, how many must agree, and after which delay; without guardians nobody can.
func (s *Signer) SetGuardians(ctx context.Context, study ledger.StudyID, guardians []Guardianship, threshold uint64, delay time.Duration) (client.Receipt, error) {
	record, round, err := s.study(ctx, study)
	if err != nil {
		return client.Receipt{}, err
	}
	body := ledger.SetGuardians{Study: study, Epoch: record.Epoch, Round: round, Threshold: threshold, Delay: uint64(delay / time.Second)}
	for _, g := range guardians {
		body.Guardians = append(body.Guardians, ledger.NewGuardian(g.Blind, g.Guardian, study))
	}
	return s.Submit(ctx, body)
}

// CancelRecovery ends a recovery that the owner did not ask for.
func (s *Signer) CancelRecovery(ctx context.Context, study ledger.StudyID) (client.Receipt, error) {
	record, round, err := s.study(ctx, study)
	if err != nil {
		return client.Receipt{}, err
	}
	return s.Submit(ctx, ledger.CancelRecovery{Study: study, Epoch: record.Epoch, Round: round})
}

// Recover says, as a guardian, who is to own a study from now on.
func (s *Signer) Recover(ctx context.Context, g Guardianship, newOwner keys.Owner) (client.Receipt, error) {
	record, round, err := s.study(ctx, g.Study)
	if err != nil {
		return client.Receipt{}, err
	}
	attempt := uint64(1)
	recovery, err := s.Recovery(ctx, g.Study)
	if err != nil {
		return client.Receipt{}, err
	}
	if recovery != nil && recovery.Round == round {
		mine := ledger.NewGuardian(g.Blind, g.Guardian, g.Study)
		if i := slices.IndexFunc(recovery.Calls, func(c ledger.RecoveryCall) bool { return c.Guardian == mine }); i >= 0 {
			attempt = recovery.Calls[i].Attempt + 1
		}
	}
	return s.Submit(ctx, ledger.Recover{
		Study: g.Study, OwnerSince: record.OwnerSince, Round: round, NewOwner: newOwner, Blind: g.Blind, Attempt: attempt,
	})
}

// study returns a study and the round of its guardians. ledger-spec 4.8
func (s *Signer) study(ctx context.Context, id ledger.StudyID) (study *ledger.StudyRecord, round uint64, err error) {
	if study, err = s.Study(ctx, id); err != nil {
		return nil, 0, err
	}
	guardians, err := s.Guardians(ctx, id)
	if err != nil || guardians == nil || guardians.OwnerSince != study.OwnerSince {
		return study, 0, err
	}
	return study, guardians.Round, nil
}

// Reason is why somebody broke the glass. Whoever did keeps it, to account for it.
type Reason struct {
	Study ledger.StudyID `json:"study"`
	Text  string         `json:"reason"`
	Blind Blind          `json:"blind"`
}

// Emergency takes access to a study that nobody granted, as a member of a group that the study's source admits.
func (s *Signer) Emergency(ctx context.Context, reason Reason, group ledger.StudyID, membership Blind, notAfter time.Time) (client.Receipt, error) {
	return s.Submit(ctx, ledger.EmergencyAccess{
		Study: reason.Study, Group: group, Blind: membership, Reason: ledger.NewReason(reason.Blind, reason.Text), NotAfter: notAfter.Unix(),
	})
}
