package gateway

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"collimate/gateway/catalog"
	"collimate/ledger"
	"collimate/xds"
	"collimate/xua"
)

// verdict is what the policy point says of one document of a request.
type verdict struct {
	request  xds.DocumentRequest
	document catalog.Document
	study    catalog.Study
	reason   ledger.Reason
	refusal  *xds.Error // nil when the caller may have the document
}

// The refusals. All that could tell an absent document from a denied one is in one of them.
const (
	refusedDocument   = "the document is not available to the requester"
	refusedRepository = "this repository does not have the repositoryUniqueId asked for"
	refusedStale      = "the repository is not in step with its network, try again later"
)

// Reasons of refusal that are found before the ledger is asked.
const (
	reasonUnknownRepository ledger.Reason = "unknown-repository"
	reasonUnknownDocument   ledger.Reason = "unknown-document"
)

// decide is the one policy point: every way to the bytes of the archive passes here. An error means that no
// decision could be reached, and nothing may be released.
func (s *Source) decide(view *ledger.Snapshot, caller xua.Caller, r xds.DocumentRequest) (verdict, error) {
	v := verdict{request: r}
	if !caller.Authenticated() {
		return v, errors.New("nobody is authenticated")
	}
	repository, err := view.SourceByOID(r.RepositoryUniqueID)
	switch {
	case errors.Is(err, ledger.ErrNotFound), err == nil && repository.ID != s.id:
		return v.refuse(reasonUnknownRepository), nil
	case err != nil:
		return v, fmt.Errorf("looking up the repository: %w", err)
	}

	v.document, v.study, err = s.config.Catalog.Document(r.DocumentUniqueID)
	unknown := errors.Is(err, catalog.ErrNotFound)
	if unknown {
		// Ask the ledger about a study that cannot exist, so that an absent document takes the steps, and
		// about the time, of a denied one.
		v.study.StudyID = sha256.Sum256([]byte(r.DocumentUniqueID))
	} else if err != nil {
		return v, err
	}
	decision, err := s.access(view, caller, v.study.StudyID, v.document.Kind)
	if err != nil {
		return v, err
	}
	switch {
	case decision.Reason == ledger.ReasonStale:
		return v.refuse(ledger.ReasonStale), nil
	case unknown:
		return v.refuse(reasonUnknownDocument), nil
	case !decision.Allowed:
		return v.refuse(decision.Reason), nil
	case caller.Tier < s.config.Requesters.MinTier:
		return v.refuse(reasonTier), nil
	}
	v.reason = decision.Reason
	return v, nil
}

// access asks the ledger whether a caller may have a document of a study of this source.
func (s *Source) access(view *ledger.Snapshot, caller xua.Caller, study ledger.StudyID, kind ledger.DocumentKind) (ledger.Decision, error) {
	openings, err := s.config.Catalog.Openings(study, caller.Key)
	if err != nil {
		return ledger.Decision{}, err
	}
	return ledger.Decide(view, ledger.Access{
		Source:     s.id,
		Study:      study,
		Requester:  caller.Key,
		Openings:   openings,
		Scope:      scopeOf(kind),
		Tier:       ledger.Tier(caller.Tier),
		Revoked:    s.config.Ledger.Revoked,
		RevokedAll: s.config.Ledger.RevokedAll,
		Now:        s.config.Now(),
		Staleness:  s.config.Staleness,
	})
}

// scopeOf returns what a grant must reach to for a document of a kind. What has no scope of its own is images.
func scopeOf(ledger.DocumentKind) ledger.Scope { return ledger.ScopeImages }

// refuse turns a reason, which stays inside, into what the peer sees.
func (v verdict) refuse(why ledger.Reason) verdict {
	v.reason = why
	v.refusal = &xds.Error{Location: v.request.DocumentUniqueID, Err: errors.New(string(why))}
	switch why {
	case reasonUnknownRepository:
		v.refusal.Code, v.refusal.Context = xds.UnknownRepositoryID, refusedRepository
	case ledger.ReasonStale:
		v.refusal.Code, v.refusal.Context = xds.RepositoryBusy, refusedStale
	default:
		v.refusal.Code, v.refusal.Context = xds.DocumentUniqueIDError, refusedDocument
	}
	return v
}

// recheck decides anew for a document whose turn to stream has come: a revocation or an expiry since the
// beginning of a long answer still holds the rest of it back.
func (s *Source) recheck(caller xua.Caller, study ledger.StudyID, kind ledger.DocumentKind) error {
	return s.config.Ledger.View(func(view *ledger.Snapshot) error {
		d, err := s.access(view, caller, study, kind)
		if err != nil {
			return err
		}
		if !d.Allowed {
			return fmt.Errorf("access ended while streaming: %s", d.Reason)
		}
		return nil
	})
}

// published is when a study was first published: the date that its manifest bears.
func published(s catalog.Study) time.Time { return time.Unix(s.Published, 0).UTC() }
