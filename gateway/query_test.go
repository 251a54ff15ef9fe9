package gateway_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"collimate/gateway"
	"collimate/keys"
	"collimate/ledger"
	"collimate/soap"
	"collimate/xds"
	"collimate/xds/metadata"
	"collimate/xds/query"
	"collimate/xua"
)

// found is what a query came to: the uniqueIds of the documents, sorted, and how many objects there are beside them.
type found struct {
	documents []string
	others    int
}

// patientID is that of the published study, as the registry has it.
func (w *world) patientID() string { return "PHANTOM-1^^^&" + w.source.ID().Alias() + "&ISO" }

func (w *world) all() *query.Query {
	live := query.Filter{PatientID: w.patientID(), Statuses: []metadata.Status{metadata.Approved, metadata.Deprecated}}
	documents := live
	documents.Types = []metadata.ObjectType{metadata.Stable, metadata.OnDemand}
	return &query.Query{Name: query.GetAll, Return: query.LeafClass, Documents: documents, SubmissionSets: live, Folders: live}
}

// query asks the registry, signed by p.
func (w *world) query(p party, q *query.Query) found {
	w.t.Helper()
	return w.asks(w.client(p), q)
}

// plain is a system of the organisation: it shows a certificate, and signs nothing.
func (w *world) plain(p party) *xds.Client {
	return &xds.Client{SOAP: &soap.Client{HTTP: gateway.PinnedClient(p.tls(), w.north.id)}}
}

func (w *world) asks(client *xds.Client, q *query.Query) found {
	w.t.Helper()
	r, err := client.Query(context.Background(), w.at(gateway.PathRegistry), q)
	w.must(err)
	if r.Objects == nil {
		w.t.Fatalf("the query failed: %v", r.Errors)
	}
	f := found{others: r.Objects.Len() - len(r.Objects.Documents)}
	if errs := r.Objects.Validate(metadata.Rules{For: metadata.Answer}); len(errs) > 0 {
		w.t.Errorf("the answer is not valid: %v", errs)
	}
	for _, d := range r.Objects.Documents {
		f.documents = append(f.documents, d.UniqueID)
	}
	slices.Sort(f.documents)
	return f
}

func (f found) empty() bool { return len(f.documents) == 0 && f.others == 0 }

// What a caller finds is what it may retrieve, and it finds it no longer than it may.
func TestQueryIsPermissionAware(t *testing.T) {
	w := newWorld(t, small)
	south, stranger := newParty(t, "south"), newParty(t, "stranger")
	ids := []string{w.ticket.Documents[ledger.DocumentStudy], w.ticket.Documents[ledger.DocumentManifest]}
	slices.Sort(ids)
	check := func(p party, want bool, when string) {
		t.Helper()
		got := w.query(p, w.all())
		if !want && !got.empty() || want && (!slices.Equal(got.documents, ids) || got.others != 3) {
			t.Errorf("%s: %s finds %d documents and %d others", when, p.cert.Subject.CommonName, len(got.documents), got.others)
		}
	}
	check(south, false, "before the grant")
	granted := w.allow(south, w.chain.now().Add(time.Hour), false)
	check(south, true, "with a grant")
	check(stranger, false, "without a grant")
	check(w.patient, true, "owner")
	unfindable := newParty(t, "not to be found")
	w.allowScope(unfindable, ledger.ScopeImages|ledger.ScopeReports)
	check(unfindable, false, "a grant without find")
	onlyFind := newParty(t, "find alone")
	w.allowScope(onlyFind, ledger.ScopeFind)
	check(onlyFind, false, "a grant of find alone")
	if got := w.asks(w.plain(w.ehr), w.all()); !slices.Equal(got.documents, ids) {
		t.Errorf("the organisation's own system finds %v", got)
	}

	w.must(w.source.Hold(t.Context(), w.ticket.StudyInstanceUID, true))
	check(south, false, "held")
	check(w.patient, false, "held")
	if got := w.asks(w.plain(w.ehr), w.all()); !got.empty() {
		t.Errorf("the organisation's own system finds what is held: %v", got)
	}
	w.must(w.source.Hold(t.Context(), w.ticket.StudyInstanceUID, false))
	check(south, true, "released")
	w.chain.see(granted)
	check(south, false, "revoked, not final")
	late := newParty(t, "late")
	w.allow(late, w.chain.now().Add(time.Minute), false)
	check(late, true, "before its end")
	w.chain.pass(61 * time.Second)
	check(late, false, "after its end")
	w.must(w.source.Withdraw(t.Context(), w.ticket.StudyInstanceUID))
	check(w.patient, false, "withdrawn")
	if got := w.asks(w.plain(w.ehr), w.all()); !got.empty() {
		t.Errorf("the organisation's own system finds what is withdrawn: %v", got)
	}
	w.must(w.source.Erase(t.Context(), w.ticket.StudyInstanceUID))
	if got := w.asks(w.plain(w.ehr), w.all()); !got.empty() {
		t.Errorf("the organisation's own system finds what is erased: %v", got)
	}
}

// The answer about what is there and hidden is, byte for byte, that about what is not there, whatever the query.
func TestQueryDeniedLooksAbsent(t *testing.T) {
	w := newWorld(t, small)
	entries, err := w.registry.Entries(t.Context(), w.ticket.StudyInstanceUID)
	w.must(err)
	if len(entries) != 2 {
		t.Fatalf("%d entries", len(entries))
	}
	everything := func(patient, id, uniqueID, study string) []*query.Query {
		statuses := []metadata.Status{metadata.Approved, metadata.Deprecated}
		types := []metadata.ObjectType{metadata.Stable, metadata.OnDemand}
		of := query.Filter{PatientID: patient, Statuses: statuses, Types: types}
		byReference := of
		byReference.References = []query.Like{{AnyOf: []string{study + "%"}}}
		packages := query.Filter{PatientID: patient, Statuses: statuses}
		return []*query.Query{
			{Name: query.FindDocuments, Documents: of},
			{Name: query.FindDocumentsByReferenceID, Documents: byReference},
			{Name: query.FindSubmissionSets, SubmissionSets: packages},
			{Name: query.FindFolders, Folders: packages},
			{Name: query.GetAll, Documents: of, SubmissionSets: packages, Folders: packages},
			{Name: query.GetDocuments, IDs: []string{id}},
			{Name: query.GetDocuments, UniqueIDs: []string{uniqueID}},
			{Name: query.GetAssociations, IDs: []string{id}},
			{Name: query.GetDocumentsAndAssociations, UniqueIDs: []string{uniqueID}},
			{Name: query.GetSubmissionSets, IDs: []string{id}},
			{Name: query.GetFoldersForDocument, UniqueIDs: []string{uniqueID}},
			{Name: query.GetRelatedDocuments, UniqueIDs: []string{uniqueID}, AssociationTypes: []metadata.AssociationType{metadata.Replace}},
		}
	}
	real := everything(w.patientID(), entries[0].ID, entries[0].UniqueID, w.ticket.StudyInstanceUID)
	absent := everything("PHANTOM-2"+w.patientID()[len("PHANTOM-1"):], "urn:uuid:00000000-0000-4000-8000-000000000000", "2.25.1", "1.2.3")
	client, raw := w.recording(newParty(t, "stranger"))
	seen := 0
	for i := range real {
		for _, as := range []query.ReturnType{query.LeafClass, query.ObjectRef} {
			real[i].Return, absent[i].Return = as, as
			ask := func(q *query.Query) string {
				if got := w.asks(&xds.Client{SOAP: client}, q); !got.empty() {
					t.Errorf("%s: a stranger finds %v", q.Name, got)
				}
				return *raw
			}
			denied, none := ask(real[i]), ask(absent[i])
			if denied != none {
				t.Errorf("%s: denied\n%s\nabsent\n%s", real[i].Name, denied, none)
			}
			if strings.Contains(none, "AdhocQueryResponse") {
				seen++
			}
		}
	}
	if seen != 2*len(real) {
		t.Errorf("%d answers were looked at, want %d", seen, 2*len(real))
	}
}

// What is hidden, however many studies, takes the time that what is not there takes.
func TestQueryDeniedIsNoSlower(t *testing.T) {
	w := newWorld(t, small)
	client := w.client(newParty(t, "stranger"))
	ask := func(patient string) time.Duration {
		q := w.all()
		q.Documents.PatientID, q.SubmissionSets.PatientID, q.Folders.PatientID = patient, patient, patient
		start := time.Now()
		if got := w.asks(client, q); !got.empty() {
			t.Errorf("a stranger finds %v", got)
		}
		return time.Since(start)
	}
	for _, patient := range []string{w.patientID(), "PHANTOM-2" + w.patientID()[len("PHANTOM-1"):]} {
		if took := ask(patient); took < 25*time.Millisecond {
			t.Errorf("an answer with nothing in it came after %v", took)
		}
	}
}

// gated is a ledger at which queries wait.
type gated struct {
	gateway.Ledger
	inside atomic.Int64
	open   chan struct{}
}

func (g *gated) View(f func(*ledger.Snapshot) error) error {
	g.inside.Add(1)
	<-g.open
	return g.Ledger.View(f)
}

// Whoever asks much leaves the organisation's own systems their part of the machine.
func TestQueriesInTurn(t *testing.T) {
	w := newWorld(t, small)
	g := &gated{Ledger: w.chain, open: make(chan struct{})}
	source, err := gateway.NewSource(w.config(func(c *gateway.SourceConfig) { c.Ledger = g }))
	w.must(err)
	const strangers = 20
	var all sync.WaitGroup
	ask := func(p party) {
		all.Go(func() {
			caller := xua.Caller{Key: keys.Grantee{ID: p.id}, Tier: xua.TierA}
			if _, err := source.Query(context.Background(), caller, w.all()); err != nil {
				t.Error(err)
			}
		})
	}
	stranger := newParty(t, "stranger")
	for range strangers {
		ask(stranger)
	}
	inside := func(want int64) {
		t.Helper()
		for try := 0; g.inside.Load() < want; try++ {
			if try == 500 {
				t.Fatalf("%d queries run, want %d", g.inside.Load(), want)
			}
			time.Sleep(10 * time.Millisecond)
		}
	}
	inside(1)
	before := g.inside.Load()
	ask(w.ehr)
	inside(before + 1)
	if n := g.inside.Load(); n > 5 {
		t.Errorf("%d queries of strangers run at once", n-1)
	}
	busy := func(p party, when string) { // whose time is over
		t.Helper()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := source.Query(ctx, xua.Caller{Key: keys.Grantee{ID: p.id}, Tier: xua.TierA}, w.all())
		var errs metadata.Errors
		if !errors.As(err, &errs) || !errs.Has(metadata.RegistryBusy) {
			t.Errorf("%s: %v", when, err)
		}
	}
	busy(stranger, "waiting")
	close(g.open)
	all.Wait()
	busy(w.ehr, "running")
}

// A registry that is out of step says so to everybody, of everything.
func TestQueryStale(t *testing.T) {
	w := newWorld(t, small)
	w.chain.stop()
	for _, client := range []*xds.Client{w.client(w.patient), w.plain(w.ehr)} {
		r, err := client.Query(t.Context(), w.at(gateway.PathRegistry), w.all())
		w.must(err)
		if r.Objects != nil || !r.Errors.Has(metadata.RegistryBusy) {
			t.Errorf("got %v", r.Errors)
		}
	}
}

// Each query that finds something is in the audit trail, with what was asked; and what cannot be audited is not answered.
func TestQueryAudit(t *testing.T) {
	w := newWorld(t, small)
	w.query(w.patient, w.all())
	m := w.audit.messages[len(w.audit.messages)-1]
	if m.Event.Value != "110112" || m.Type.Value != "ITI-18" || len(m.Objects) != 2 || m.Objects[0].ID != w.patientID() ||
		m.Objects[1].ID != query.GetAll.ID() || !strings.Contains(string(m.Objects[1].Query), "AdhocQueryRequest") || !w.audit.names(w.patient.id.String()) {
		t.Errorf("the audit trail has %+v", m)
	}
	stranger, before := newParty(t, "stranger"), len(w.audit.messages)
	for range 30 {
		w.query(stranger, w.all())
	}
	if n := len(w.audit.messages) - before; n == 0 || n > 20 {
		t.Errorf("30 queries that found nothing are %d records", n)
	}
	w.audit.broken = context.DeadlineExceeded
	r, err := w.client(w.patient).Query(t.Context(), w.at(gateway.PathRegistry), w.all())
	if err != nil || r.Objects != nil {
		t.Errorf("answered without an audit trail: %v", err)
	}
}

// A query that nobody signed is a fault, unless it is one of the organisation's own systems that asks.
func TestQueryUnsigned(t *testing.T) {
	w := newWorld(t, small)
	south := newParty(t, "south")
	w.allow(south, w.chain.now().Add(time.Hour), false)
	if _, err := w.plain(south).Query(t.Context(), w.at(gateway.PathRegistry), w.all()); err == nil {
		t.Error("an unsigned query of a grantee is answered")
	}
	w.asks(w.plain(w.ehr), w.all())
}

// A TLS certificate names its holder while its dates hold, and no longer.
func TestSubmitterExpired(t *testing.T) {
	w := newWorld(t, small)
	w.asks(w.plain(w.ehr), w.all())
	w.chain.pass(25 * time.Hour)
	if _, err := w.plain(w.ehr).Query(t.Context(), w.at(gateway.PathRegistry), w.all()); err == nil {
		t.Error("an expired certificate is taken")
	}
}
