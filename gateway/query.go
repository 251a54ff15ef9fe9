package gateway

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"collimate/atna"
	"collimate/gateway/registry"
	"collimate/ledger"
	"collimate/xds/metadata"
	"collimate/xds/query"
	"collimate/xua"
)

// Query answers ITI-18 with what the caller may see, by one snapshot of the ledger. What is not seen is as if it were
// not there.
func (s *Source) Query(ctx context.Context, caller xua.Caller, q *query.Query) (*query.Response, error) {
	if !caller.Authenticated() {
		return nil, errors.New("nobody is authenticated")
	}
	response := &query.Response{Objects: &metadata.Objects{}}
	if s.config.Registry == nil {
		return response, nil
	}
	start := time.Now()
	objects, err := s.ask(ctx, caller, q)
	if objects != nil {
		response.Objects = objects
	}
	if response.Objects.Len() == 0 && !s.submits(caller) {
		even(ctx, start)
	}
	if recorded := s.auditQuery(ctx, caller, q, response, err); recorded != nil {
		return nil, fmt.Errorf("writing the audit trail: %w", recorded) // what cannot be audited is not released
	}
	if err != nil {
		return nil, err
	}
	return response, nil
}

// ask asks the registry, in turn.
func (s *Source) ask(ctx context.Context, caller xua.Caller, q *query.Query) (found *metadata.Objects, err error) {
	ctx, done, err := s.turn(ctx, caller)
	if err != nil {
		return nil, err
	}
	defer done()
	err = s.config.Ledger.View(func(view *ledger.Snapshot) error {
		// A study that cannot exist: it says whether the ledger is in step.
		d, err := s.access(view, caller, sha256.Sum256([]byte(q.Name)), ledger.ScopeFind)
		if err != nil {
			return err
		}
		if d.Reason == ledger.ReasonStale {
			return metadata.Errors{{Code: metadata.RegistryBusy, Context: refusedStale}}
		}
		visible := s.visibility(view, caller)
		objects, refused, err := s.config.Registry.Query(ctx, q, visible)
		if err == nil {
			_, err = visible(registry.Entry{}) // a decision has been made, whatever there is
		}
		switch {
		case ctx.Err() != nil:
			return metadata.Errors{{Code: metadata.RegistryBusy, Context: "the query takes too long: narrow it, or try again later", Err: ctx.Err()}}
		case err != nil:
			return fmt.Errorf("asking the registry: %w", err)
		case refused != nil:
			return metadata.Errors{refused}
		}
		found = objects
		return nil
	})
	return found, err
}

// turn waits until a query may run, and bounds the time that it may take. Queries of the organisation's own systems do
// not wait; those of all others leave them, and who retrieves, a part of the machine and of the registry.
func (s *Source) turn(ctx context.Context, caller xua.Caller) (bounded context.Context, done func(), err error) {
	bounded, cancel := context.WithTimeout(ctx, queryTimeout)
	if s.submits(caller) {
		return bounded, cancel, nil
	}
	select {
	case s.asking <- struct{}{}:
		return bounded, func() { <-s.asking; cancel() }, nil
	case <-bounded.Done():
		cancel()
		return nil, nil, metadata.Errors{{Code: metadata.RegistryBusy, Context: "too many queries are running, try again later"}}
	}
}

// even waits until an answer has taken a multiple of quietStep: a patient with many studies that are hidden is a decision
// on each, and must not be told by them from one that is not here.
func even(ctx context.Context, start time.Time) {
	wait := time.NewTimer(quietStep - time.Since(start)%quietStep)
	defer wait.Stop()
	select {
	case <-wait.C:
	case <-ctx.Done():
	}
}

// auditQuery writes what was asked and how it ended. Of queries that found nothing there may be any number, and few are
// recorded.
func (s *Source) auditQuery(ctx context.Context, caller xua.Caller, q *query.Query, response *query.Response, err error) error {
	now := s.config.Now()
	if response.Objects.Len() == 0 && !s.strangers.allow(now) {
		return nil
	}
	m := atna.Query{
		Time: now, Origin: s.origin(), Registry: local(s.config.URL + PathRegistry), Consumer: recipient(caller),
		Requestors: requestors(caller), PatientID: patientOf(q), HomeCommunityID: q.HomeCommunityID,
		ID: q.Name.ID(), Request: query.AppendRequest(nil, q),
	}
	if err != nil {
		m.Outcome, m.Reason = atna.SeriousFailure, err.Error()
	}
	return s.config.Audit.Record(ctx, m.Message())
}

// patientOf returns the patient that a query names, "" if it names none.
func patientOf(q *query.Query) string {
	for _, f := range []query.Filter{q.Documents, q.SubmissionSets, q.Folders} {
		if f.PatientID != "" {
			return f.PatientID
		}
	}
	return ""
}
