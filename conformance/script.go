package conformance

import (
	"context"
	"fmt"
	"strings"
)

// script is a test of toolkit2: steps that build on each other. One whose id is a transaction is of ours, and its title
// is who demands it.
type script struct {
	id, title string
	steps     []step
}

// citation says who demands what the steps look at.
func (c script) citation() string {
	if strings.HasPrefix(c.id, "ITI-") || strings.HasPrefix(c.id, "RAD-") {
		return c.title
	}
	return "toolkit2 " + c.id + " " + c.title
}

// step is one of them. Its check is called as toolkit2 calls it: test / section / step.
type step struct {
	name  string // section / step
	title string
	run   func(context.Context, *Target, *session) error
}

// checks turns scripts into checks that share the session of the run.
func checks(scripts []script) []Check {
	var all []Check
	for _, c := range scripts {
		for _, p := range c.steps {
			all = append(all, Check{c.id + " / " + p.name, p.title, c.citation(), func(ctx context.Context, t *Target) error {
				s, err := t.session()
				if err != nil {
					return err
				}
				s.lacking = ""
				err = p.run(ctx, t, s)
				if s.lacking != "" {
					return skip(s.lacking)
				}
				return err
			}})
		}
	}
	return all
}

// submit registers by ITI-42.
func submit(name, title string, r recipe, v verdict) step {
	return step{name, title, submits(registerDocumentSet, r, v, nil)}
}

// submitOnDemand registers by ITI-61.
func submitOnDemand(name, title string, r recipe, v verdict) step {
	return step{name, title, submits(registerOnDemand, r, v, nil)}
}

// provide submits documents by ITI-41.
func provide(name, title string, r recipe, v verdict) step {
	return step{name, title, submits(provideAndRegister, r, v, nil)}
}

// submits sends a submission, judges the status, and remembers what was accepted. What was refused is
// remembered too, so that later steps can ask whether it has left anything behind. wrap, which may be nil, says how the
// message is put into HTTP.
func submits(tx *transaction, r recipe, v verdict, wrap func(*wrapping)) func(context.Context, *Target, *session) error {
	return func(ctx context.Context, t *Target, s *session) error {
		what, url := "RegistryURL", t.RegistryURL
		if tx == provideAndRegister {
			what, url = "RepositoryURL", t.RepositoryURL
		}
		to, err := t.service(what, url)
		if err != nil {
			return err
		}
		if t.ReadOnly {
			return skip("nothing is submitted to the target")
		}
		sub := s.make(r, tx)
		m := sub.message(to.url, tx)
		if wrap != nil {
			wrap(&m.wrap)
		}
		x, err := t.exchange(ctx, s, to, m, nil)
		if err != nil {
			return err
		}
		if err := v.judge(x); err != nil {
			return err
		}
		s.keep(r.name, sub)
		return nil
	}
}

// ask sends a stored query that must succeed with what is wanted.
func ask(name, title string, q func(*session) *query, w want) step {
	return step{name, title, func(ctx context.Context, t *Target, s *session) error {
		x, err := t.query(ctx, s, q(s))
		if err != nil {
			return err
		}
		if err := success.judge(x); err != nil {
			return err
		}
		return w.judge(s, x)
	}}
}

// askBadly sends a stored query that must be refused without a result.
func askBadly(name, title string, q func(*session) *query, v verdict) step {
	return step{name, title, func(ctx context.Context, t *Target, s *session) error {
		x, err := t.query(ctx, s, q(s))
		if err != nil {
			return err
		}
		if err := v.judge(x); err != nil {
			return err
		}
		if c := readContents(x); len(c.objects)+len(c.associations)+len(c.refs) > 0 {
			return expected("no objects beside Failure", plural(len(c.objects)+len(c.associations)+len(c.refs), "object"))
		}
		return nil
	}}
}

// query sends a stored query to the registry.
func (t *Target) query(ctx context.Context, s *session, q *query) (*exchange, error) {
	to, err := t.service("RegistryURL", t.RegistryURL)
	if err != nil {
		return nil, err
	}
	return t.exchange(ctx, s, to, q.message(to.url), nil)
}

// ruleChecks report how the rules of transactions have fared over all answers of the steps before.
func ruleChecks(actor Actor, txs ...*transaction) []Check {
	var all []Check
	for _, tx := range txs {
		rules := tx.rules()
		rules = append(rules, rule{schemaRule, "Each answer is valid against the official schema", tx.schema + "; toolkit2 ENG-09, ENG-10", nil})
		for _, r := range rules {
			key := tx.id + " " + r.id
			all = append(all, Check{fmt.Sprintf("%s / %s", actor, key), r.title, r.citation, func(_ context.Context, t *Target) error {
				if t.steps == nil || t.steps.tallies[key] == nil {
					if r.id == schemaRule && !t.validates() {
						return skip("the target has no SchemaDir, or xmllint is not installed")
					}
					return skip("there was no answer to " + tx.id)
				}
				return t.steps.tallies[key].broken
			}})
		}
	}
	return all
}
