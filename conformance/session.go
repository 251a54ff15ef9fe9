package conformance

import (
	"context"
	"fmt"
	"io"
	"maps"
	"strings"
	"time"
)

// session is what the steps of one run have told each other: what was submitted, and which rules the answers
// have kept so far.
type session struct {
	codes        Codes
	patients     [unknownPatient + 1]string
	fresh        bool   // nobody has submitted for these patients before
	sourceID     string // of the SubmissionSets
	repositoryID string // of the repository under test
	elsewhere    string // of documents that are registered and that nobody has
	sent         map[string]entry
	times        map[string]string // of folders, by step
	manifests    []*manifest       // of the target, once they have been looked for
	tallies      map[string]*tally // by transaction and rule
	lacking      string            // what a step asked for and is not there; see lacks
	pause        func(context.Context, time.Duration) error
}

// tally is how a rule fared over the answers of a transaction.
type tally struct {
	judged int
	broken error // the first
}

// session returns the session of this run, or skips if the target does not say for whom to submit.
func (t *Target) session() (*session, error) {
	if t.steps != nil {
		return t.steps, nil
	}
	s := &session{codes: t.Codes, sourceID: newOID(), repositoryID: t.RepositoryUniqueID, elsewhere: newOID(),
		sent: map[string]entry{}, times: map[string]string{}, tallies: map[string]*tally{}, pause: pause}
	if s.codes == nil {
		s.codes = DefaultCodes()
	}
	switch {
	case t.PatientID != "":
		s.patients[thePatient], s.patients[otherPatient] = t.PatientID, t.OtherPatientID
	case t.PatientAuthority != "":
		s.fresh = true
		run := newUUID()[:8]
		s.patients[thePatient] = fmt.Sprintf("conf-%s-1^^^&%s&ISO", run, t.PatientAuthority)
		s.patients[otherPatient] = fmt.Sprintf("conf-%s-2^^^&%s&ISO", run, t.PatientAuthority)
	default:
		return nil, skip("the target has neither PatientAuthority nor PatientID")
	}
	s.patients[unknownPatient] = "conf-nobody^^^&1.3.6.1.4.1.21367.13.20.9999&ISO"
	t.steps = s
	return s, nil
}

// pause waits for the clock: the times of folders have seconds.
func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// lacks notes what is not there. The step in which this happens is skipped, whatever else comes of it.
func (s *session) lacks(what string) {
	if s.lacking == "" {
		s.lacking = what
	}
}

// entry returns an object that an earlier step has submitted.
func (s *session) entry(name string) entry {
	e, ok := s.sent[name]
	if !ok {
		s.lacks("an earlier step did not get " + name + " registered")
	}
	return e
}

func (s *session) patient(p patient) string {
	if s.patients[p] == "" {
		s.lacks("the target has no OtherPatientID")
	}
	return s.patients[p]
}

// keep remembers what has been submitted.
func (s *session) keep(name string, sub *submission) {
	s.sent[name+".S"] = sub.set
	for i, d := range sub.documents {
		s.sent[fmt.Sprintf("%s.D%d", name, i)] = d
	}
	for i, f := range sub.folders {
		s.sent[fmt.Sprintf("%s.F%d", name, i)] = f
	}
}

// clone copies the session, for tests that run a step twice.
func (s *session) clone() *session {
	c := *s
	c.sent, c.times, c.tallies = maps.Clone(s.sent), maps.Clone(s.times), maps.Clone(s.tallies)
	return &c
}

// service is one of the actor's endpoints: signed if the target has a submitter's key, else plain.
func (t *Target) service(what, url string) (side, error) {
	if url == "" {
		return side{}, skip("the target has no " + what)
	}
	if t.Submitter.Key != nil {
		s := t.signed(url, t.Submitter, t.ActorTLS)
		s.name = what
		return s, nil
	}
	return t.plain(what, url, t.ActorTLS), nil
}

// exchange sends m, judges the answer by all rules of its transaction and returns it. The rules do not decide
// about the step; they have checks of their own.
func (t *Target) exchange(ctx context.Context, s *session, to side, m *message, deliver func(Document) io.Writer) (*exchange, error) {
	if s.lacking != "" {
		return nil, skip(s.lacking)
	}
	x, err := to.send(ctx, m, Whole, deliver)
	if err == nil {
		err = x.outcome()
	}
	if err != nil {
		return nil, expected("a "+m.tx.response, err)
	}
	for _, r := range m.tx.rules() {
		t.tally(s, m.tx, r.id, func() error { return r.judge(x) })
	}
	if t.validates() {
		t.tally(s, m.tx, schemaRule, func() error { return x.validate(ctx, t.SchemaDir) })
	}
	return x, nil
}

// tally counts what a rule says of one answer.
func (t *Target) tally(s *session, tx *transaction, rule string, judge func() error) {
	key := tx.id + " " + rule
	n := s.tallies[key]
	if n == nil {
		n = &tally{}
	} else {
		n = &tally{n.judged, n.broken} // clones of the session keep theirs
	}
	s.tallies[key] = n
	n.judged++
	if err := judge(); err != nil && n.broken == nil {
		n.broken = fmt.Errorf("answer %d to %s: %w", n.judged, tx.id, err)
	}
}

// verdict is how an answer must turn out.
type verdict struct {
	status  string
	code    string // which must be among the errorCodes. ENG-07
	message string // which must occur in a codeContext. ENG-08
}

var (
	success = verdict{status: StatusSuccess}
	failure = verdict{status: StatusFailure}
)

// refusedAs is a Failure with a code.
func refusedAs(code string) verdict { return verdict{status: StatusFailure, code: code} }

// saying is a Failure whose text must name a code: these tests of toolkit2 look for it there.
func saying(message string) verdict { return verdict{status: StatusFailure, message: message} }

// judge returns nil if the answer has turned out as it must. ENG-04, ENG-06 to ENG-08
func (v verdict) judge(x *exchange) error {
	if x.answer.Status != v.status {
		return expected("status "+local(v.status), fmt.Sprintf("%s %s", local(x.answer.Status), listErrors(x.answer.Errors)))
	}
	if v.status == StatusSuccess && failures(x) > 0 {
		return expected("warnings at most beside Success", listErrors(x.answer.Errors))
	}
	has := func(ok func(RegistryError) bool) bool {
		for _, e := range x.answer.Errors {
			if ok(e) {
				return true
			}
		}
		return false
	}
	if v.code != "" && !has(func(e RegistryError) bool { return e.Code == v.code }) {
		return expected("errorCode "+v.code, listErrors(x.answer.Errors))
	}
	if v.message != "" && !has(func(e RegistryError) bool { return strings.Contains(e.Context, v.message) }) {
		return expected(v.message+" in a codeContext", listErrors(x.answer.Errors))
	}
	return nil
}

// listErrors shows errors to a person.
func listErrors(errs []RegistryError) string {
	var texts []string
	for _, e := range errs {
		texts = append(texts, e.Code+": "+e.Context)
	}
	return "[" + strings.Join(texts, "; ") + "]"
}
