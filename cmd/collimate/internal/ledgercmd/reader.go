package ledgercmd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"collimate/keys"
	"collimate/ledger"
	"collimate/node/client"
)

// shownPatience is how long a node may take to prove what it says: until its next block, which an idle network makes
// every ten seconds.
const shownPatience = 30 * time.Second

// ErrNotShown is returned when a node does not prove what it says.
var ErrNotShown = errors.New("the node says what it does not prove")

// Reader reads what is to be signed for. A transaction names numbers that make it good once: an epoch, a round, a
// sequence. A node that named a later one could keep what is signed until that day comes, say a grant until after its
// owner has revoked everything. So with a Verifier a node is believed what its proofs show.
type Reader struct {
	Node     *client.Client
	Verifier *client.Verifier // nil: the node is the reader's own
}

// chainID returns the chain to sign for.
func (r Reader) chainID(ctx context.Context) (string, error) {
	status, err := r.Node.Status(ctx)
	if err == nil && r.Verifier != nil && status.ChainID != r.Verifier.Trusted.ChainID {
		err = fmt.Errorf("%w: it is of the chain %q, and the genesis of %q", ErrNotShown, status.ChainID, r.Verifier.Trusted.ChainID)
	}
	return status.ChainID, err
}

// Study returns a study.
func (r Reader) Study(ctx context.Context, id ledger.StudyID) (*ledger.StudyRecord, error) {
	s, err := shown(ctx, r, "/v1/studies/"+id.String(),
		func(ctx context.Context) (*ledger.StudyRecord, error) { return r.Node.Study(ctx, id) },
		func(s *ledger.Snapshot) (*ledger.StudyRecord, error) { return s.Study(id) },
		func(s *ledger.StudyRecord) any { return []any{s.Epoch, s.Owner, s.OwnerSince, s.Source} })
	return found(s, err, "study")
}

// Source returns a source by its KeyID.
func (r Reader) Source(ctx context.Context, id keys.Source) (*ledger.SourceRecord, error) {
	s, err := shown(ctx, r, "/v1/sources/"+id.String(),
		func(ctx context.Context) (*ledger.SourceRecord, error) { return r.Node.Source(ctx, id) },
		func(s *ledger.Snapshot) (*ledger.SourceRecord, error) { return s.Source(id) },
		func(s *ledger.SourceRecord) any { return s })
	return found(s, err, "source")
}

// SourceOfKey returns a source by its present key.
func (r Reader) SourceOfKey(ctx context.Context, key keys.ID) (*ledger.SourceRecord, error) {
	s, err := shown(ctx, r, "/v1/sources/"+key.String(),
		func(ctx context.Context) (*ledger.SourceRecord, error) {
			return r.Node.Source(ctx, keys.Source{ID: key})
		},
		func(s *ledger.Snapshot) (*ledger.SourceRecord, error) {
			record, err := s.Source(keys.Source{ID: key})
			if errors.Is(err, ledger.ErrNotFound) {
				record, err = s.SourceOfKey(key)
			}
			return record, err
		},
		func(s *ledger.SourceRecord) any { return s })
	return found(s, err, "source of the key "+key.String())
}

// Payer returns a payer.
func (r Reader) Payer(ctx context.Context, id keys.Payer) (*ledger.PayerRecord, error) {
	p, err := shown(ctx, r, "/v1/payers/"+id.String(),
		func(ctx context.Context) (*ledger.PayerRecord, error) { return r.Node.Payer(ctx, id) },
		func(s *ledger.Snapshot) (*ledger.PayerRecord, error) { return s.Payer(id) },
		func(p *ledger.PayerRecord) any { return p.Sequence })
	return found(p, err, "payer "+id.String())
}

// Params returns the rules that can change.
func (r Reader) Params(ctx context.Context) (*ledger.ParamsRecord, error) {
	p, err := shown(ctx, r, "/v1/params", r.Node.Params, (*ledger.Snapshot).Params, func(p *ledger.ParamsRecord) any { return p })
	return found(p, err, "params")
}

// Stake returns what stands behind a source.
func (r Reader) Stake(ctx context.Context, id keys.Source) (*ledger.StakeRecord, error) {
	s, err := shown(ctx, r, "/v1/sources/"+id.String()+"/stake",
		func(ctx context.Context) (*ledger.StakeRecord, error) { return r.Node.Stake(ctx, id) },
		func(s *ledger.Snapshot) (*ledger.StakeRecord, error) { return s.Stake(id) },
		func(s *ledger.StakeRecord) any { return s.Jailings })
	return found(s, err, "stake")
}

// Guardians returns who can recover a study, nil if nobody ever could.
func (r Reader) Guardians(ctx context.Context, id ledger.StudyID) (*ledger.GuardiansRecord, error) {
	return shown(ctx, r, "/v1/studies/"+id.String()+"/guardians",
		func(ctx context.Context) (*ledger.GuardiansRecord, error) { return r.Node.Guardians(ctx, id) },
		func(s *ledger.Snapshot) (*ledger.GuardiansRecord, error) { return s.Guardians(id) },
		func(g *ledger.GuardiansRecord) any { return []uint64{g.OwnerSince, g.Round} })
}

// Recovery returns what the guardians of a study have said so far, nil if that is nothing.
func (r Reader) Recovery(ctx context.Context, id ledger.StudyID) (*ledger.RecoveryRecord, error) {
	return shown(ctx, r, "/v1/studies/"+id.String()+"/recovery",
		func(ctx context.Context) (*ledger.RecoveryRecord, error) { return r.Node.Recovery(ctx, id) },
		func(s *ledger.Snapshot) (*ledger.RecoveryRecord, error) { return s.Recovery(id) },
		func(x *ledger.RecoveryRecord) any { return []any{x.Round, x.Calls} })
}

func found[R any](record *R, err error, what string) (*R, error) {
	if err == nil && record == nil {
		err = ledger.ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("looking up the %s: %w", what, err)
	}
	return record, nil
}

// shown returns a record as the node says it and, with a Verifier, not before proofs show the same of what is signed
// for: the block that proves the last change comes after it. nil stands for no record.
func shown[R any](ctx context.Context, r Reader, path string, say func(context.Context) (*R, error),
	read func(*ledger.Snapshot) (*R, error), signed func(*R) any) (*R, error) {
	said, err := orNil(say(ctx))
	if err != nil || r.Verifier == nil {
		return said, err
	}
	ctx, cancel := context.WithTimeout(ctx, shownPatience)
	defer cancel()
	for {
		var proven *R
		err := r.Verifier.Read(ctx, path, func(s *ledger.Snapshot) (err error) {
			proven, err = orNil(read(s))
			return err
		})
		var same bool
		if err == nil {
			err = Fresh(r.Verifier, time.Now())
		}
		if err == nil {
			same, err = equal(said, proven, signed)
		}
		if same {
			return proven, nil
		}
		if err != nil && ctx.Err() == nil && !mayPass(err) {
			return nil, err
		}
		select {
		case <-time.After(retryPause):
		case <-ctx.Done():
			return nil, fmt.Errorf("%w, up to block %d, about %s: ask another node", ErrNotShown, r.Verifier.Trusted.Height, path)
		}
		if said, err = orNil(say(ctx)); err != nil && ctx.Err() == nil && !mayPass(err) {
			return nil, err
		}
	}
}

func orNil[R any](record *R, err error) (*R, error) {
	if errors.Is(err, ledger.ErrNotFound) {
		return nil, nil
	}
	return record, err
}

// equal compares what is signed for of two records.
func equal[R any](a, b *R, signed func(*R) any) (bool, error) {
	if a == nil || b == nil {
		return a == b, nil
	}
	x, err := json.Marshal(signed(a))
	if err != nil {
		return false, err
	}
	y, err := json.Marshal(signed(b))
	return string(x) == string(y), err
}
