package admin

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"collimate/gateway"
	"collimate/keys"
	"collimate/ledger"
)

// ops are operations that do what a test says.
type ops struct {
	define  func() (*Source, error)
	publish func(ctx context.Context, folder string, progress func(Progress)) ([]*gateway.Ticket, error)
	act     func(study string, act Act) error
	named   func(studyInstanceUIDs []string) ([]*gateway.Ticket, error)
	ticket  func(study string) (*Ticket, error)
	fill    func(r BackFillRequest, progress func(Progress)) (*BackFilled, error)
	watcher func() (*Watcher, error)
}

func (o ops) PublishStudies(_ context.Context, studyInstanceUIDs []string) ([]*gateway.Ticket, error) {
	return o.named(studyInstanceUIDs)
}
func (o ops) Ticket(_ context.Context, study string) (*Ticket, error) { return o.ticket(study) }
func (o ops) BackFill(_ context.Context, r BackFillRequest, progress func(Progress)) (*BackFilled, error) {
	return o.fill(r, progress)
}
func (o ops) Published(_ context.Context, since time.Time) ([]Published, error) {
	return []Published{{Study: "1.2", Number: "N", At: since, Claimed: true}}, nil
}
func (o ops) Watcher(context.Context) (*Watcher, error) { return o.watcher() }

func (o ops) DefineGroup(_ context.Context, owner keys.Owner) (ledger.StudyID, error) {
	return ledger.StudyID(owner.ID), nil
}
func (o ops) Act(_ context.Context, study string, act Act) error { return o.act(study, act) }

func (o ops) DefineSource(context.Context) (*Source, error) { return o.define() }
func (o ops) PublishFolder(ctx context.Context, folder string, progress func(Progress)) ([]*gateway.Ticket, error) {
	return o.publish(ctx, folder, progress)
}

func door(t *testing.T, o ops) (dir string, d *Door) {
	t.Helper()
	dir = t.TempDir()
	d = NewDoor(dir, o)
	server := httptest.NewServer(d)
	t.Cleanup(server.Close)
	if err := d.Open(server.URL); err != nil {
		t.Fatal(err)
	}
	return dir, d
}

func TestRoundTrip(t *testing.T) {
	study := ledger.StudyID{1}
	dir, d := door(t, ops{
		define: func() (*Source, error) { return &Source{RepositoryUniqueID: "2.25.1"}, nil },
		publish: func(_ context.Context, folder string, progress func(Progress)) ([]*gateway.Ticket, error) {
			progress(Progress{Step: "archiving", Done: 1, Of: 2})
			progress(Progress{Step: "archiving", Done: 2, Of: 2}) // too soon after the other to be sent
			progress(Progress{Refused: "a: damaged"})             // never too soon
			progress(Progress{Refused: "b: damaged"})
			progress(Progress{Step: "publishing"})
			return []*gateway.Ticket{{StudyID: study, StudyInstanceUID: folder}}, nil
		},
	})
	if info, err := os.Stat(filepath.Join(dir, File)); err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("%s: got %v, %v; want mode 0600", File, info.Mode(), err)
	}
	c, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	if s, err := c.DefineSource(t.Context()); err != nil || s.RepositoryUniqueID != "2.25.1" {
		t.Errorf("got %+v, %v", s, err)
	}
	var steps []string
	tickets, err := c.PublishFolder(t.Context(), "/images", func(p Progress) { steps = append(steps, p.String()) })
	if err != nil || len(tickets) != 1 || tickets[0].StudyID != study || tickets[0].StudyInstanceUID != "/images" {
		t.Errorf("got %+v, %v", tickets, err)
	}
	if got, want := strings.Join(steps, "; "), "archiving 1 of 2; not archived: a: damaged; not archived: b: damaged; publishing 0 of 0"; got != want {
		t.Errorf("progress: got %q, want %q", got, want)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir); !errors.Is(err, ErrNotRunning) {
		t.Errorf("after Close: got %v, want ErrNotRunning", err)
	}
}

func TestErrors(t *testing.T) {
	dir, d := door(t, ops{
		define: func() (*Source, error) { return nil, errors.New("the ledger says no") },
		publish: func(context.Context, string, func(Progress)) ([]*gateway.Ticket, error) {
			panic(http.ErrAbortHandler) // as if the server were killed
		},
	})
	c, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.DefineSource(t.Context()); err == nil || err.Error() != "the ledger says no" {
		t.Errorf("got %v, want the server's own words", err)
	}
	if _, err := c.PublishFolder(t.Context(), "relative", nil); err == nil || !strings.Contains(err.Error(), "absolute") {
		t.Errorf("relative folder: got %v", err)
	}
	if _, err := c.PublishFolder(t.Context(), "/images", nil); err == nil {
		t.Error("a server that dies: got no error")
	}
	c.endpoint.Token = strings.Repeat("0", 64)
	if _, err := c.DefineSource(t.Context()); err == nil || !strings.Contains(err.Error(), "401") {
		t.Errorf("wrong token: got %v, want 401", err)
	}
	c.endpoint.URL = "http://127.0.0.1:1"
	if _, err := c.DefineSource(t.Context()); !errors.Is(err, ErrNotRunning) {
		t.Errorf("nobody there: got %v, want ErrNotRunning", err)
	}
	w := httptest.NewRecorder()
	r := httptest.NewRequest("POST", pathDefine, strings.NewReader(strings.Repeat(" ", maxRequestBytes)+"{}"))
	r.Header.Set("Authorization", "Bearer "+d.token)
	if d.ServeHTTP(w, r); w.Code != http.StatusBadRequest {
		t.Errorf("a request over the limit: got %d, want 400", w.Code)
	}
}

// A stream that ends before its result says so.
func TestReadEventsTorn(t *testing.T) {
	var got string
	err := readEvents(strings.NewReader(`{"progress":{"step":"x","done":1,"of":2}}`+"\n"), nil, &got)
	if err == nil || !strings.Contains(err.Error(), "stopped before it was done") {
		t.Errorf("got %v", err)
	}
}

// A claim key is never lost to a repetition.
func TestWriteTicket(t *testing.T) {
	dir := t.TempDir()
	id := ledger.NewStudyID([32]byte{}, "1.2.3")
	full := &gateway.Ticket{StudyID: id, StudyInstanceUID: "1.2.3", ClaimKey: []byte("key")}
	claimed := &gateway.Ticket{StudyID: id, StudyInstanceUID: "1.2.3"}
	file, err := WriteTicket(dir, full)
	if err != nil {
		t.Fatal(err)
	}
	before, _ := os.ReadFile(file)
	if again, err := WriteTicket(dir, claimed); err != nil || again != file {
		t.Fatalf("got %q, %v; want %q", again, err, file)
	}
	if after, _ := os.ReadFile(file); string(after) != string(before) || len(after) == 0 {
		t.Error("the ticket with the claim key was replaced by one without")
	}
	if info, _ := os.Stat(file); info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, want 0600", info.Mode())
	}
	if err := os.WriteFile(file, nil, 0o600); err != nil { // as a power cut may leave it
		t.Fatal(err)
	}
	if _, err := WriteTicket(dir, claimed); err != nil {
		t.Fatal(err)
	}
	if after, _ := os.ReadFile(file); len(after) == 0 {
		t.Error("an empty file was taken for a ticket")
	}
}

func TestAct(t *testing.T) {
	refused := errors.New("this source has not published such a study")
	dir, _ := door(t, ops{act: func(study string, act Act) error {
		if study != "1.2.3" || act != ActHold {
			return refused
		}
		return nil
	}})
	c, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	if id, err := c.DefineGroup(t.Context(), keys.Owner{ID: keys.ID{7}}); err != nil || id != (ledger.StudyID{7}) {
		t.Errorf("DefineGroup = %v, %v", id, err)
	}
	if err := c.Act(t.Context(), "1.2.3", ActHold); err != nil {
		t.Error(err)
	}
	if err := c.Act(t.Context(), "1.2.4", ActErase); err == nil || !strings.Contains(err.Error(), refused.Error()) {
		t.Errorf("got %v, want the refusal", err)
	}
}

// What is asked for arrives as it was given, and the answer comes back whole.
func TestStudies(t *testing.T) {
	request := BackFillRequest{From: "2025-01-01", To: "2025-12-31", Rate: 60, DryRun: true}
	filled := BackFilled{Listed: 9, Published: 1, Erased: 1, Fresh: 2, Wanted: 5, Done: 4, Failed: 1, Troubles: []string{"1.2: gone"}}
	watcher := Watcher{Watching: true, Looked: time.Unix(1_800_000_000, 0).UTC(), Error: "slow", Waiting: 1, Missing: 2, Published: 3, Amended: 4, Held: 5, Withdrawn: 6, Troubles: []string{"1.3: no"}}
	dir, _ := door(t, ops{
		named: func(uids []string) ([]*gateway.Ticket, error) {
			return []*gateway.Ticket{{StudyInstanceUID: strings.Join(uids, " ")}}, nil
		},
		ticket: func(study string) (*Ticket, error) {
			return &Ticket{Ticket: &gateway.Ticket{StudyInstanceUID: study}, Institution: "i", AccessionNumber: "a", Date: "d"}, nil
		},
		fill: func(r BackFillRequest, progress func(Progress)) (*BackFilled, error) {
			progress(Progress{Step: "publishing", Done: 1, Of: 5})
			if r != request {
				t.Errorf("got %+v", r)
			}
			return &filled, nil
		},
		watcher: func() (*Watcher, error) { return &watcher, nil },
	})
	c, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := c.PublishStudies(t.Context(), []string{"1.2", "1.3"}); err != nil || len(got) != 1 || got[0].StudyInstanceUID != "1.2 1.3" {
		t.Errorf("PublishStudies: got %v, %v", got, err)
	}
	if got, err := c.Ticket(t.Context(), "3F9A C21B 07D4 88E0"); err != nil || got.Ticket.StudyInstanceUID != "3F9A C21B 07D4 88E0" || got.Institution+got.AccessionNumber+got.Date != "iad" {
		t.Errorf("Ticket: got %+v, %v", got, err)
	}
	var steps []string
	if got, err := c.BackFill(t.Context(), request, func(p Progress) { steps = append(steps, p.String()) }); err != nil || !reflect.DeepEqual(*got, filled) || len(steps) != 1 {
		t.Errorf("BackFill: got %+v, %v, %v", got, steps, err)
	}
	since := time.Unix(1_800_000_000, 0).UTC()
	if got, err := c.Published(t.Context(), since); err != nil || len(got) != 1 || got[0] != (Published{"1.2", "N", since, true}) {
		t.Errorf("Published: got %+v, %v", got, err)
	}
	if got, err := c.Watcher(t.Context()); err != nil || !reflect.DeepEqual(*got, watcher) {
		t.Errorf("Watcher: got %+v, %v", got, err)
	}
}
