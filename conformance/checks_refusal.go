package conformance

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"sort"
	"strings"
)

// refusalChecks ask for what is not there, or not for us. Section B of toolkit2's tests, 15816.
func refusalChecks() []Check {
	const denied = "ITI TF-3: Table 4.2.4.1-2 XDSDocumentUniqueIdError (covers \"not authorized\"); denied and absent look alike"
	return []Check{
		{"15816.BAD", "An unknown document is refused with XDSDocumentUniqueIdError", "toolkit2 15816 retrieve_bad_doc_uid; ITI TF-3: Table 4.2.4.1-2", onEach(unknownDocument)},
		{"15816.PARTIAL", "A known and an unknown document give PartialSuccess with the known one", "toolkit2 15816 retrieve_partial_uid; ITI TF-2: 3.43.4.2.2", onEach(partial)},
		{"43-REPOSITORY", "A document of an unknown repository is refused with XDSUnknownRepositoryId", "ITI TF-3: Table 4.2.4.1-2", onEach(unknownRepository)},
		{"43-MIXED", "Each of several documents is judged by itself, also over several repositories", "ITI TF-2: 3.43.4.1.2 (repositories may differ), 3.43.5", onEach(mixed)},
		{"COL-DENIED", "A document that exists and is not granted looks like one that does not exist", denied, onEach(notGranted)},
		{"COL-STRANGER", "A requester whom nobody let in sees no difference between granted, not granted and absent", denied, stranger},
		{"IPF-17.DOCUMENT", "An empty DocumentUniqueId is refused", "IPF RetrieveDocumentSetRequestValidator", onEach(emptyID("DocumentUniqueId"))},
		{"IPF-17.REPOSITORY", "An empty RepositoryUniqueId is refused", "IPF RetrieveDocumentSetRequestValidator", onEach(emptyID("RepositoryUniqueId"))},
	}
}

// refused returns nil if the answer has no document, the status and exactly the codes wanted.
func refused(x *exchange, err error, status string, codes ...string) error {
	if err != nil {
		return err
	}
	var got []string
	for _, e := range x.answer.Errors {
		got = append(got, e.Code)
	}
	sort.Strings(got)
	if x.answer.Status != status || !slices.Equal(got, codes) {
		return expected(fmt.Sprintf("%s with %s", local(status), strings.Join(codes, ", ")), fmt.Sprintf("%s with %d documents and [%s]", local(x.answer.Status), len(x.answer.Documents), strings.Join(got, ", ")))
	}
	return nil
}

func (t *Target) ask(ctx context.Context, s side, asked ...DocumentRef) (*exchange, error) {
	if t.Manifest == "" {
		return nil, skip("the target has no Manifest")
	}
	x, err := s.send(ctx, newMessage(s.url, asked...), Whole, nil)
	if err == nil {
		err = x.outcome()
	}
	return x, err
}

func unknownDocument(ctx context.Context, t *Target, s side) error {
	x, err := t.ask(ctx, s, t.absent(t.Manifest))
	return refused(x, err, StatusFailure, codeDocumentUniqueID)
}

func unknownRepository(ctx context.Context, t *Target, s side) error {
	x, err := t.ask(ctx, s, foreign(t.Manifest))
	return refused(x, err, StatusFailure, codeUnknownRepositoryID)
}

func partial(ctx context.Context, t *Target, s side) error {
	x, err := t.ask(ctx, s, t.ref(t.Manifest), t.absent(t.Manifest))
	if err := refused(x, err, StatusPartialSuccess, codeDocumentUniqueID); err != nil {
		return err
	}
	return judgeEcho(x)
}

func mixed(ctx context.Context, t *Target, s side) error {
	x, err := t.ask(ctx, s, t.absent(t.Manifest), t.ref(t.Manifest), foreign("1.2.3.4"))
	if err := refused(x, err, StatusPartialSuccess, codeDocumentUniqueID, codeUnknownRepositoryID); err != nil {
		return err
	}
	return judgeAccounted(x)
}

func notGranted(ctx context.Context, t *Target, s side) error {
	if t.NotGranted == "" {
		return skip("the target has no NotGranted document")
	}
	denied, err := t.ask(ctx, s, t.ref(t.NotGranted))
	if err := refused(denied, err, StatusFailure, codeDocumentUniqueID); err != nil {
		return err
	}
	absent, err := t.ask(ctx, s, t.absent(t.NotGranted))
	if err := refused(absent, err, StatusFailure, codeDocumentUniqueID); err != nil {
		return err
	}
	return alike(denied, absent)
}

func stranger(ctx context.Context, t *Target) error {
	if t.SourceURL == "" || t.Stranger.Key == nil || t.Manifest == "" {
		return skip("the target has no SourceURL, no stranger's key or no Manifest")
	}
	config := t.StrangerTLS
	if config == nil {
		config = t.SourceTLS
	}
	s := t.source(t.Stranger, config)
	absent, err := t.ask(ctx, s, t.absent(t.Manifest))
	if err := refused(absent, err, StatusFailure, codeDocumentUniqueID); err != nil {
		return fmt.Errorf("absent: %w", err)
	}
	for _, id := range slices.Concat(nonEmpty(t.Manifest), t.Studies, nonEmpty(t.NotGranted)) {
		denied, err := t.ask(ctx, s, t.ref(id))
		if err := refused(denied, err, StatusFailure, codeDocumentUniqueID); err != nil {
			return fmt.Errorf("denied: %w", err)
		}
		if err := alike(denied, absent); err != nil {
			return err
		}
	}
	return nil
}

func emptyID(name string) func(context.Context, *Target, side) error {
	return func(ctx context.Context, t *Target, s side) error {
		m := newMessage(s.url, t.ref(t.Manifest))
		m.request().SelectElement("DocumentRequest").SelectElement(name).SetText("")
		x, err := s.send(ctx, m, Whole, nil)
		if err != nil {
			return err
		}
		var fault *Fault
		if err := x.outcome(); err != nil && !errors.As(err, &fault) {
			return expected("a SOAP fault or status Failure", err)
		}
		if x.answer != nil && (x.answer.Status != StatusFailure || len(x.answer.Documents) > 0) {
			return expected("a SOAP fault or status Failure", local(x.answer.Status))
		}
		return nil
	}
}

// volatile is what may differ between two answers: UUIDs, times and multipart boundaries.
var volatile = regexp.MustCompile(`(?i)[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}|\d{4}-\d\d-\d\dT[0-9:.]+Z?`)

// alike returns nil if two answers, each for one document, differ in nothing but ids and times.
func alike(denied, absent *exchange) error {
	d, a := denied.normal(), absent.normal()
	if d == a {
		return nil
	}
	i := 0
	for i < min(len(d), len(a)) && d[i] == a[i] {
		i++
	}
	from := max(0, i-40)
	return expected(
		fmt.Sprintf("the same answer to denied and absent, such as %q", a[from:min(len(a), i+60)]),
		fmt.Sprintf("%q", d[from:min(len(d), i+60)]))
}

// normal returns all that a requester sees of the answer, with ids and times made equal.
func (x *exchange) normal() string {
	var b strings.Builder
	fmt.Fprintf(&b, "HTTP %d\n", x.status)
	for _, name := range sortedKeys(x.header) {
		value := strings.Join(x.header[name], ", ")
		if name == "Date" {
			value = "(time)"
		}
		fmt.Fprintf(&b, "%s: %s\n", name, value)
	}
	for _, p := range x.parts {
		for _, name := range sortedKeys(p.header) {
			fmt.Fprintf(&b, "%s: %s\n", name, strings.Join(p.header[name], ", "))
		}
	}
	b.Write(x.raw)
	s := b.String()
	replace := []string{x.sent.id, "(message)"}
	for _, ref := range x.sent.asked {
		replace = append(replace, ref.DocumentUniqueID, "(document)")
	}
	if boundary := x.params["boundary"]; boundary != "" {
		replace = append(replace, boundary, "(boundary)")
	}
	s = strings.NewReplacer(replace...).Replace(s)
	// Content-Length follows the length of the ids, which is not a difference in what is said.
	if idsLength := idsLength(x); x.length >= 0 {
		s = strings.Replace(s, fmt.Sprintf("Content-Length: %d\n", x.length), fmt.Sprintf("Content-Length: %d + ids\n", x.length-idsLength), 1)
	}
	return volatile.ReplaceAllString(s, "(id)")
}

// idsLength counts the bytes of the requested ids in the envelope.
func idsLength(x *exchange) int64 {
	n := 0
	for _, ref := range x.sent.asked {
		n += strings.Count(string(x.raw), ref.DocumentUniqueID) * len(ref.DocumentUniqueID)
	}
	return int64(n)
}

func sortedKeys(header map[string][]string) []string {
	var names []string
	for name := range header {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}
