package conformance

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"
)

// Check is one requirement.
type Check struct {
	ID       string // unique; that of toolkit2, IPF, Gazelle or Appendix V where there is one
	Title    string // what must be so, a sentence
	Citation string // who demands it
	// Run returns nil if it is so. The error says what was expected and what came, or is a skip if
	// the target lacks what the check needs.
	Run func(context.Context, *Target) error
}

// Outcome of a check.
type Outcome string

// The outcomes.
const (
	Passed  Outcome = "passed"
	Failed  Outcome = "failed"
	Skipped Outcome = "skipped"
)

// Result of a check.
type Result struct {
	Actor               Actor
	ID, Title, Citation string
	Outcome             Outcome
	// Detail of a failure is what was expected, what came and the citation; of a skipped check, what the
	// target lacks.
	Detail   string
	Duration time.Duration
}

// Checks returns all checks in the order in which they are best read and run.
func Checks() []Check {
	var judged []Check
	for _, r := range rules {
		judged = append(judged, Check{r.id, r.title, r.citation, func(ctx context.Context, t *Target) error {
			return t.judgeSamples(ctx, r.judge)
		}})
	}
	return slices.Concat(retrieveChecks(), judged, schemaChecks(), refusalChecks(), signatureChecks(),
		envelopeChecks(), packagingChecks(), hostileChecks(), transportChecks())
}

// Run runs the checks of actors against t, one after the other, and calls report, which may be nil, after each. The
// actors are judged in the order of Actors; Retrieval alone if there are none. When ctx ends, the checks that are left
// count as skipped.
func Run(ctx context.Context, t Target, report func(Result), actors ...Actor) (passed, failed, skipped int) {
	if len(actors) == 0 {
		actors = []Actor{Retrieval}
	}
	t.samples, t.steps = nil, nil
	for _, a := range Actors {
		if !slices.Contains(actors, a) {
			continue
		}
		for _, c := range a.Checks() {
			r := c.result(ctx, &t)
			r.Actor = a
			switch r.Outcome {
			case Passed:
				passed++
			case Failed:
				failed++
			case Skipped:
				skipped++
			}
			if report != nil {
				report(r)
			}
		}
	}
	return passed, failed, skipped
}

// result runs one check within its time.
func (c Check) result(ctx context.Context, t *Target) Result {
	r := Result{ID: c.ID, Title: c.Title, Citation: c.Citation, Outcome: Passed}
	if ctx.Err() != nil {
		r.Outcome, r.Detail = Skipped, "the run was stopped before this check"
		return r
	}
	timeout := t.Timeout
	if timeout <= 0 {
		timeout = defaultTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	start := time.Now()
	err := c.Run(ctx, t)
	r.Duration = time.Since(start)
	var s skip
	switch {
	case err == nil:
	case errors.As(err, &s):
		r.Outcome, r.Detail = Skipped, string(s)
	default:
		r.Outcome, r.Detail = Failed, shorten(err.Error())+" ("+c.Citation+")"
	}
	return r
}

// skip is the error of a check that the target gives no occasion for.
type skip string

func (s skip) Error() string { return "skipped: " + string(s) }

// shorten cuts a detail at maxDetail bytes.
func shorten(s string) string {
	if len(s) <= maxDetail {
		return s
	}
	return strings.ToValidUTF8(s[:maxDetail], "") + " ..."
}
