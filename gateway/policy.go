package gateway

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"

	"collimate/gateway/catalog"
	"collimate/gateway/registry"
	"collimate/ledger"
	"collimate/xds"
	"collimate/xds/metadata"
	"collimate/xua"
)

// subject is what a request names, as far as this source knows it.
type subject struct {
	// study is that of the archive, or the one that a submitted document belongs to; zero if this source has not
	// published it, or does not know what is asked for.
	study catalog.Study
	kind  ledger.DocumentKind
	// entry describes a submitted document, nil for what is made from the archive.
	entry *metadata.DocumentEntry
}

// The kinds of subjects beside those of the ledger, which are documents of each study.
const (
	kindInstance  ledger.DocumentKind = "instance"  // an instance of the archive, by RAD-69
	kindSubmitted ledger.DocumentKind = "submitted" // a document that came by ITI-41
)

// published reports whether the ledger knows the study.
func (s subject) published() bool { return s.study.StudyID != ledger.StudyID{} }

// scope returns what a grant must reach to.
func (s subject) scope() ledger.Scope {
	if s.entry == nil {
		return ledger.ScopeImages
	}
	return scopeOf(s.entry.MimeType)
}

// scopeOf sorts documents by their media type. What may be either needs a grant of both.
func scopeOf(mimeType string) ledger.Scope {
	switch {
	case mimeType == mimeManifest, mimeType == mimeStudy, strings.HasPrefix(mimeType, "image/"), strings.HasPrefix(mimeType, "video/"):
		return ledger.ScopeImages
	case mimeType == "application/pdf", strings.HasPrefix(mimeType, "text/"):
		return ledger.ScopeReports
	}
	return ledger.ScopeImages | ledger.ScopeReports
}

// verdict is what the policy point says of one document of a request.
type verdict struct {
	request xds.DocumentRequest
	subject
	reason  ledger.Reason
	refusal *xds.Error // nil when the caller may have the document
}

// The refusals. All that could tell an absent document from a denied one is in one of them.
const (
	refusedDocument   = "the document is not available to the requester"
	refusedRepository = "this repository does not have the repositoryUniqueId asked for"
	refusedStale      = "the repository is not in step with its network, try again later"
)

// Reasons that are found beside the ledger's. The last allows.
const (
	reasonUnknownRepository ledger.Reason = "unknown-repository"
	reasonUnknownDocument   ledger.Reason = "unknown-document"
	reasonUnpublished       ledger.Reason = "unpublished" // of a study that is not on the ledger, or of none
	reasonGone              ledger.Reason = "gone"        // allowed, and not in the archive
	reasonSubmitter         ledger.Reason = "submitter"
)

// decide is the one policy point: every way to the bytes of the archive and of the document store passes here. find
// returns what the request names, or catalog.ErrNotFound. An error means that no decision could be reached, and nothing
// may be released.
func (s *Source) decide(view *ledger.Snapshot, caller xua.Caller, r xds.DocumentRequest, find func() (subject, error)) (verdict, error) {
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

	v.subject, err = find()
	unknown := errors.Is(err, catalog.ErrNotFound)
	if err != nil && !unknown {
		return v, err
	}
	study := v.study.StudyID
	if !v.published() {
		// Ask the ledger about a study that cannot exist, so that an absent document takes the steps, and
		// about the time, of a denied one.
		study = sha256.Sum256([]byte(r.DocumentUniqueID))
	}
	decision, err := s.access(view, caller, study, v.scope())
	if err != nil {
		return v, err
	}
	switch {
	case decision.Reason == ledger.ReasonStale:
		return v.refuse(ledger.ReasonStale), nil
	case unknown:
		return v.refuse(reasonUnknownDocument), nil
	case !v.published() && s.submits(caller):
		v.reason = reasonSubmitter
		return v, nil
	case !v.published():
		return v.refuse(reasonUnpublished), nil
	case !decision.Allowed:
		return v.refuse(decision.Reason), nil
	case caller.Tier < s.config.Requesters.MinTier:
		return v.refuse(reasonTier), nil
	}
	v.reason = decision.Reason
	return v, nil
}

// access asks the ledger whether a caller may have something of a study of this source.
func (s *Source) access(view *ledger.Snapshot, caller xua.Caller, study ledger.StudyID, scope ledger.Scope) (ledger.Decision, error) {
	openings, err := s.config.Catalog.Openings(study, caller.Key)
	if err != nil {
		return ledger.Decision{}, err
	}
	return ledger.Decide(view, ledger.Access{
		Source:     s.id,
		Study:      study,
		Requester:  caller.Key,
		Openings:   openings,
		Scope:      scope,
		Tier:       ledger.Tier(caller.Tier),
		Revoked:    s.config.Ledger.Revoked,
		RevokedAll: s.config.Ledger.RevokedAll,
		Now:        s.config.Now(),
		Staleness:  s.config.Staleness,
	})
}

// submits reports whether a caller is one of the organisation's own systems. Whatever the evidence, it is bound to the key.
func (s *Source) submits(caller xua.Caller) bool {
	return caller.Authenticated() && slices.Contains(s.config.Submitters, caller.Key.ID)
}

// byUniqueID finds a document by its documentUniqueId. It looks in both places whatever the first one says, so that what
// is in neither takes no longer.
func (s *Source) byUniqueID(ctx context.Context, id string) (subject, error) {
	document, study, err := s.config.Catalog.Document(id)
	if err != nil && !errors.Is(err, catalog.ErrNotFound) {
		return subject{}, err
	}
	made := err == nil
	if s.config.Registry == nil {
		return subject{study: study, kind: document.Kind}, err
	}
	entry, of, err := s.config.Registry.Entry(ctx, id)
	switch {
	case made:
		return subject{study: study, kind: document.Kind}, nil
	case errors.Is(err, registry.ErrNotFound), err == nil && entry.RepositoryUniqueID != s.id.Alias():
		return subject{}, catalog.ErrNotFound
	case err != nil:
		return subject{}, fmt.Errorf("looking up a document: %w", err)
	}
	found := subject{kind: kindSubmitted, entry: &entry}
	found.study, err = s.config.Catalog.Study(of)
	if errors.Is(err, catalog.ErrNotFound) {
		err = nil // the document is there; whose study it is of the ledger does not say
	}
	return found, err
}

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
func (s *Source) recheck(caller xua.Caller, about subject) error {
	if !about.published() {
		return nil // it is the caller's own
	}
	return s.config.Ledger.View(func(view *ledger.Snapshot) error {
		d, err := s.access(view, caller, about.study.StudyID, about.scope())
		if err != nil {
			return err
		}
		if !d.Allowed {
			return fmt.Errorf("access ended while streaming: %s", d.Reason)
		}
		return nil
	})
}

// visibility returns which entries a caller may see in answers to queries, by one snapshot: those that it may retrieve
// and that its grant lets it find. What is of no study on the ledger is seen by who submits, and by nobody else; what is
// held or withdrawn, by nobody at all.
func (s *Source) visibility(view *ledger.Snapshot, caller xua.Caller) func(registry.Entry) (bool, error) {
	type asked struct {
		study string
		scope ledger.Scope
	}
	known := map[asked]bool{}
	ask := func(question asked) (bool, error) {
		visible, ok := known[question]
		if ok {
			return visible, nil
		}
		visible, err := s.visible(view, caller, question.study, question.scope)
		known[question] = visible && err == nil
		return visible, err
	}
	return func(e registry.Entry) (bool, error) {
		if e == (registry.Entry{}) && len(known) > 0 {
			return s.submits(caller), nil // a decision has been made already
		}
		// Whether the study may be found comes first: one that is hidden is one decision, whatever it has.
		if ok, err := ask(asked{e.Study, ledger.ScopeFind}); !ok {
			return false, err
		}
		return ask(asked{e.Study, scopeOf(e.MimeType) | ledger.ScopeFind})
	}
}

func (s *Source) visible(view *ledger.Snapshot, caller xua.Caller, studyInstanceUID string, scope ledger.Scope) (bool, error) {
	study, err := s.config.Catalog.Study(studyInstanceUID)
	if errors.Is(err, catalog.ErrNotFound) {
		// As in decide: what is not there takes the steps of what is denied.
		_, err := s.access(view, caller, sha256.Sum256([]byte(studyInstanceUID)), scope)
		return s.submits(caller), err
	}
	if err != nil {
		return false, err
	}
	if s.submits(caller) {
		record, err := view.Study(study.StudyID)
		if errors.Is(err, ledger.ErrNotFound) {
			return true, nil
		}
		return err == nil && record.Status == ledger.Live, err
	}
	d, err := s.access(view, caller, study.StudyID, scope)
	return d.Allowed && caller.Tier >= s.config.Requesters.MinTier, err
}

// studyOf returns the study that a submitted entry says it is of, "" if it says none or several.
func studyOf(d *metadata.DocumentEntry) string {
	study := ""
	for _, reference := range d.ReferenceIDs {
		parts := strings.Split(reference, "^")
		if len(parts) < 5 || parts[4] != referenceStudy {
			continue
		}
		if study != "" && study != parts[0] {
			return ""
		}
		study = parts[0]
	}
	return study
}
