package gateway_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"collimate/gateway"
	"collimate/gateway/catalog"
	"collimate/keys"
	"collimate/ledger"
	"collimate/pacs"
)

// Publishing again changes nothing, and a claimed study's ticket opens nothing.
func TestPublishAgain(t *testing.T) {
	w := newWorld(t, small) // published and claimed
	again, err := w.source.Publish(context.Background(), w.ticket.StudyInstanceUID)
	if err != nil {
		t.Fatal(err)
	}
	if again.StudyID != w.ticket.StudyID || again.Salt != w.ticket.Salt {
		t.Error("publishing again drew another salt: the study is on the ledger twice")
	}
	if _, err := again.Claim(); !errors.Is(err, gateway.ErrClaimed) {
		t.Errorf("Claim of a claimed study = %v, want ErrClaimed", err)
	}
	stored, err := w.catalog.Study(w.ticket.StudyInstanceUID)
	if err != nil || stored.ClaimKey != nil {
		t.Errorf("the catalog still holds the claim key (%v)", err)
	}
	if _, err := w.source.Publish(context.Background(), "1.2.3"); !errors.Is(err, pacs.ErrNotFound) {
		t.Errorf("publishing what the archive has not got = %v, want pacs.ErrNotFound", err)
	}
}

// Defining a source again changes nothing while its entry is right.
func TestDefineAgain(t *testing.T) {
	w := newWorld(t, small)
	w.secondSource(small).defineAs(spareValidator)
	w.must(w.chain.View(func(view *ledger.Snapshot) error {
		sources, err := view.Sources()
		for _, s := range sources {
			if s.Version != 1 {
				t.Errorf("a source is at version %d, want 1", s.Version)
			}
		}
		if len(sources) != 2 {
			t.Errorf("%d sources, want 2", len(sources))
		}
		return err
	}))
}

// A crash between the catalog and the ledger is made good by publishing again, with the same salt.
func TestPublishAfterCrash(t *testing.T) {
	w := newWorld(t, small)
	from, err := w.catalog.Study(w.ticket.StudyInstanceUID)
	w.must(err)
	lost := newWorld(t, small) // whose ledger has never heard of it
	from.ClaimKey = w.ticket.ClaimKey
	w.must(lost.catalog.PutStudy(from, nil))
	got, err := lost.source.Publish(context.Background(), from.StudyInstanceUID)
	if err != nil || got.StudyID != w.ticket.StudyID {
		t.Fatalf("Publish = %v, %v, want the study that the catalog knew", got, err)
	}
	w.must(lost.chain.View(func(view *ledger.Snapshot) error { _, err := view.Study(got.StudyID); return err }))
}

func TestTicket(t *testing.T) {
	w := newWorld(t, small)
	raw, err := json.Marshal(w.ticket)
	w.must(err)
	got, err := gateway.ParseTicket(raw)
	if err != nil || got.StudyID != w.ticket.StudyID {
		t.Fatalf("ParseTicket = %+v, %v", got, err)
	}
	if printed := fmt.Sprintf("%v %s", w.ticket.Salt, w.ticket.Salt); strings.Contains(printed, keys.ID(w.ticket.Salt).String()[:8]) {
		t.Error("the salt prints")
	}
	for name, damaged := range map[string]string{
		"another study":  strings.Replace(string(raw), w.ticket.StudyInstanceUID, "1.2.3", 1),
		"another salt":   strings.Replace(string(raw), keys.ID(w.ticket.Salt).String(), keys.ID{1}.String(), 1),
		"not JSON":       string(raw[1:]),
		"unknown field":  `{"extra":1,` + string(raw[1:]),
		"nothing at all": "",
	} {
		if _, err := gateway.ParseTicket([]byte(damaged)); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// The source's endpoint for openings takes what proves itself and nothing else.
func TestOpenings(t *testing.T) {
	w := newWorld(t, small)
	south := newParty(t, "south")
	blind := gateway.Secret{42}
	opening := gateway.Opening{Study: w.ticket.StudyID, Grantee: keys.Grantee{ID: south.id}, Blind: blind}
	post := func(body []byte) int {
		t.Helper()
		r, err := pinnedWithout(w.north.id).Post(w.source.Endpoints().Openings, "application/json", bytes.NewReader(body))
		w.must(err)
		r.Body.Close()
		return r.StatusCode
	}
	encode := func(o gateway.Opening) []byte { raw, err := json.Marshal(o); w.must(err); return raw }

	if got := post(encode(opening)); got != http.StatusNotFound {
		t.Errorf("before the grant is final: %d, want 404", got)
	}
	w.chain.sign(w.patient.key, ledger.AllowAccess{Study: w.ticket.StudyID, Epoch: w.epoch(),
		Commitment: ledger.NewCommitment(blind, opening.Grantee, opening.Study), NotAfter: w.chain.now().Add(time.Hour).Unix(), Scope: ledger.ScopeAll})
	for name, o := range map[string]gateway.Opening{
		"another blind":   {Study: opening.Study, Grantee: opening.Grantee, Blind: gateway.Secret{43}},
		"another grantee": {Study: opening.Study, Grantee: keys.Grantee{ID: keys.ID{1}}, Blind: blind},
		"another study":   {Study: ledger.StudyID{1}, Grantee: opening.Grantee, Blind: blind},
	} {
		if got := post(encode(o)); got != http.StatusNotFound {
			t.Errorf("%s: %d, want 404", name, got)
		}
	}
	// A study of another source, properly granted, is that source's business.
	east := w.secondSource(small)
	east.chain.sign(w.patient.key, ledger.AllowAccess{Study: east.ticket.StudyID, Epoch: east.epoch(),
		Commitment: ledger.NewCommitment(blind, opening.Grantee, east.ticket.StudyID), NotAfter: w.chain.now().Add(time.Hour).Unix(), Scope: ledger.ScopeAll})
	if got := post(encode(gateway.Opening{Study: east.ticket.StudyID, Grantee: opening.Grantee, Blind: blind})); got != http.StatusNotFound {
		t.Errorf("study of another source: %d, want 404", got)
	}
	for name, body := range map[string][]byte{
		"not JSON":   []byte("hello"),
		"upper case": bytes.ToUpper(encode(opening)),
		"more":       append([]byte(`{"extra":1,`), encode(opening)[1:]...),
		"too long":   append(bytes.Repeat([]byte(" "), 5000), encode(opening)...),
	} {
		if got := post(body); got != http.StatusBadRequest {
			t.Errorf("%s: %d, want 400", name, got)
		}
	}
	for range 2 { // the second time changes nothing
		if got := post(encode(opening)); got != http.StatusNoContent {
			t.Fatalf("the opening: %d, want 204", got)
		}
	}
	if got, err := w.retrieve(south, w.document(ledger.DocumentManifest)); err != nil || len(got.codes) > 0 {
		t.Errorf("after the opening: errors %v, %v, want success", got.codes, err)
	}
	r, err := pinnedWithout(w.north.id).Get(w.source.Endpoints().Openings)
	w.must(err)
	r.Body.Close()
	if r.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("GET: %d, want 405", r.StatusCode)
	}
}

// batch makes a source with n more studies in its archive, none of them published, and a counter of its transactions.
func (w *world) batch(n int) (uids []string, transactions func() int) {
	w.t.Helper()
	f := &fakeStudies{w.archive, map[string]*pacs.Study{}}
	for range n {
		s, err := w.archive.Study(w.t.Context(), w.ticket.StudyInstanceUID)
		w.must(err)
		w.submissions++
		s.InstanceUID = fmt.Sprintf("1.2.3.%d", w.submissions)
		f.studies[s.InstanceUID] = s
		uids = append(uids, s.InstanceUID)
	}
	var err error
	w.source, err = gateway.NewSource(w.config(func(c *gateway.SourceConfig) { c.Archive = f }))
	w.must(err)
	w.archive = &flaky{Archive: f}
	start := w.height()
	return uids, func() int { return int(w.height() - start) }
}

func (w *world) height() (height int64) {
	w.must(w.chain.View(func(view *ledger.Snapshot) error { height = view.Height(); return nil }))
	return height
}

// fakeStudies is an archive that lists more studies than it has.
type fakeStudies struct {
	pacs.Archive
	studies map[string]*pacs.Study
}

func (f *fakeStudies) Study(ctx context.Context, uid string) (*pacs.Study, error) {
	if s := f.studies[uid]; s != nil {
		return s, nil
	}
	return f.Archive.Study(ctx, uid)
}

// publishAll publishes studies in batches, which must not fail as a whole.
func (w *world) publishAll(uids []string) []gateway.Outcome {
	w.t.Helper()
	outcomes, err := w.source.PublishBatch(w.t.Context(), uids)
	w.must(err)
	if len(outcomes) != len(uids) {
		w.t.Fatalf("%d outcomes of %d studies", len(outcomes), len(uids))
	}
	return outcomes
}

// A batch is one transaction, and one study that cannot be published does not keep the others back.
func TestPublishBatch(t *testing.T) {
	w := newWorld(t, small)
	uids, transactions := w.batch(20)
	ctx := t.Context()
	tickets := map[string]*gateway.Ticket{}
	for i, o := range w.publishAll(uids[:10]) {
		w.must(o.Err)
		tickets[uids[i]] = o.Ticket
	}
	if got := transactions(); got != 1 {
		t.Errorf("ten studies took %d transactions", got)
	}
	w.must(w.source.Withdraw(ctx, uids[0]))
	w.must(w.source.Erase(ctx, uids[1]))
	w.must(w.source.Hold(ctx, uids[2], true))
	before := transactions()
	all := append(slices.Clone(uids), "1.2.3.4.5.6", "no study")
	for i, o := range w.publishAll(all) {
		var want error
		switch i {
		case 0:
			want = gateway.ErrWithdrawn
		case 1:
			want = gateway.ErrErased
		case 20, 21:
			want = pacs.ErrNotFound
		}
		if !errors.Is(o.Err, want) || (o.Ticket == nil) != (want != nil) {
			t.Errorf("study %d: %v, %v, want %v", i, o.Ticket, o.Err, want)
		}
		if before := tickets[all[i]]; before != nil && o.Ticket != nil && before.StudyID != o.Ticket.StudyID {
			t.Errorf("study %d has another name when it is published again", i)
		}
	}
	if got := transactions() - before; got != 1 {
		t.Errorf("the ten others took %d transactions", got)
	}
	for i, want := range []ledger.Status{ledger.Withdrawn, 99, ledger.Held, ledger.Live} {
		got, err := w.source.Status(uids[i])
		if i == 1 && !errors.Is(err, catalog.ErrNotFound) || i != 1 && (err != nil || got != want) {
			t.Errorf("study %d is %d, %v, want %d", i, got, err, want)
		}
	}
	if ticket, err := w.source.Publish(ctx, uids[1]); err != nil || ticket.StudyID == tickets[uids[1]].StudyID {
		t.Errorf("an erased study that is named: %v", err)
	}
	if _, err := w.source.PublishBatch(ctx, make([]string, gateway.MaxBatch+1)); err == nil {
		t.Error("a batch that is too large was taken")
	}
	if got, err := w.source.PublishBatch(ctx, nil); err != nil || len(got) != 0 {
		t.Errorf("no study at all: %v, %v", got, err)
	}
}

// racing is a ledger on which something happens just before a transaction comes.
type racing struct {
	*chain
	before func(raw []byte) error
}

func (r *racing) Submit(ctx context.Context, raw []byte) error {
	if err := r.before(raw); err != nil {
		return err
	}
	return r.chain.Submit(ctx, raw)
}

// A batch some of whose studies came onto the ledger since it was looked at: by a transaction whose answer was lost.
func TestPublishBatchTwice(t *testing.T) {
	w := newWorld(t, small)
	uids, transactions := w.batch(5)
	lost := errors.New("the answer is lost")
	r := &racing{chain: w.chain}
	var err error
	w.source, err = gateway.NewSource(w.config(func(c *gateway.SourceConfig) { c.Ledger = r }))
	w.must(err)
	var late []byte
	r.before = func(raw []byte) error { late = raw; return lost }
	if _, err := w.source.PublishBatch(t.Context(), uids[:3]); !errors.Is(err, lost) {
		t.Fatalf("got %v, want the ledger's error", err)
	}
	r.before = func([]byte) error { // now it comes, before the next
		if late == nil {
			return nil
		}
		raw := late
		late = nil
		return w.chain.Submit(t.Context(), raw)
	}
	for _, o := range w.publishAll(uids) {
		w.must(o.Err)
	}
	if got := transactions(); got != 2 {
		t.Errorf("%d transactions, want two", got)
	}
	w.must(w.chain.View(func(view *ledger.Snapshot) error {
		source, err := view.Source(w.source.ID())
		if err == nil && source.Studies != 6 {
			t.Errorf("the source has %d studies on the ledger, want 6", source.Studies)
		}
		return err
	}))
	// One of a batch whose name somebody else has taken gets another name, and the others keep theirs.
	w.must(w.source.Erase(t.Context(), uids[0]))
	east := newParty(t, "east")
	w.define(east)
	r.before = func(raw []byte) error {
		r.before = func([]byte) error { return nil }
		tx, err := ledger.Parse(chainID, raw)
		w.must(err)
		stolen := tx.Body.(ledger.DefineStudy).Studies[0]
		w.chain.sign(east.key, ledger.DefineStudy{Studies: []ledger.StudyDefinition{{Study: stolen.Study, Owner: keys.Owner{ID: east.id}, Kind: ledger.RecordImaging}}})
		return nil
	}
	ticket, err := w.source.Publish(t.Context(), uids[0])
	w.must(err)
	w.must(w.chain.View(func(view *ledger.Snapshot) error {
		record, err := view.Study(ticket.StudyID)
		if err == nil && record.Source != w.source.ID() {
			t.Error("the ticket is of a study of somebody else's")
		}
		return err
	}))
}

// Room is what the bond still allows.
func TestRoom(t *testing.T) {
	w := newWorld(t, small)
	before, err := w.source.Room()
	w.must(err)
	uids, _ := w.batch(7)
	w.publishAll(uids)
	if after, err := w.source.Room(); err != nil || before-after != 7 {
		t.Errorf("seven studies took %d of the room, %v", before-after, err)
	}
}

// BenchmarkPublish publishes in batches, registers, and gives studies a second.
func BenchmarkPublish(b *testing.B) {
	for _, size := range []int{1, 16, gateway.MaxBatch} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			w := newWorld(b, small)
			n := 0
			for b.Loop() {
				b.StopTimer()
				w.chain.pass(24 * time.Hour) // so that the bond allows it
				uids, _ := w.batch(size)
				b.StartTimer()
				for _, o := range w.publishAll(uids) {
					w.must(o.Err)
				}
				n += size
			}
			b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "studies/s")
		})
	}
}
