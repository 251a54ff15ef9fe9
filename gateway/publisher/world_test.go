package publisher

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"collimate/dicom"
	"collimate/gateway"
	"collimate/gateway/catalog"
	"collimate/ledger"
	"collimate/pacs"
	"collimate/pacs/iocm"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// archive is an archive in memory whose listings can be made to lie. What it answers about one study is true.
type archive struct {
	mu      sync.Mutex
	studies map[string]*pacs.Study
	files   map[string][]byte // of key objects, by SOP Instance UID
	asked   int               // how often for one study
	broken  error             // of Study
	lie     func(true []pacs.Summary) ([]pacs.Summary, error)
}

func (a *archive) Study(ctx context.Context, uid string) (*pacs.Study, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.asked++
	s := a.studies[uid]
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case a.broken != nil:
		return nil, a.broken
	case s == nil:
		return nil, pacs.ErrNotFound
	}
	whole := *s
	whole.Series = []pacs.Series{{InstanceUID: uid + ".1", Instances: slices.Clone(s.Series[0].Instances)}}
	return &whole, nil
}

func (a *archive) Open(_ context.Context, i pacs.Instance) (io.ReadCloser, error) {
	return io.NopCloser(bytes.NewReader(a.files[i.SOPInstanceUID])), nil
}

func (a *archive) Studies(ctx context.Context, from time.Time) iter.Seq2[pacs.Summary, error] {
	return func(yield func(pacs.Summary, error) bool) {
		a.mu.Lock()
		var all []pacs.Summary
		for _, uid := range slices.Sorted(maps.Keys(a.studies)) {
			if s := a.studies[uid]; from.IsZero() || s.Date >= from.Format("20060102") {
				all = append(all, s.Summary())
			}
		}
		lie := a.lie
		a.mu.Unlock()
		err := ctx.Err()
		if lie != nil {
			all, err = lie(all)
		}
		for _, s := range all {
			if !yield(s, nil) {
				return
			}
		}
		if err != nil {
			yield(pacs.Summary{}, err)
		}
	}
}

// change changes a study, which is made if there is none.
func (a *archive) change(uid string, do func(s *pacs.Study)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.studies[uid] == nil {
		a.studies[uid] = &pacs.Study{InstanceUID: uid, PatientID: "P1", PatientName: "Doe^Jane", Date: "20270115", Series: []pacs.Series{{}}}
	}
	do(a.studies[uid])
}

// add adds instances to a study.
func (a *archive) add(uid string, n int) {
	a.change(uid, func(s *pacs.Study) {
		for range n {
			all := &s.Series[0].Instances
			*all = append(*all, pacs.Instance{
				StudyInstanceUID: uid, SeriesInstanceUID: uid + ".1", SOPClassUID: dicom.CTImageStorage,
				SOPInstanceUID: fmt.Sprintf("%s.1.%d", uid, len(*all)+1), Size: 10,
			})
		}
	})
}

// reject adds a rejection note that refers to the first n instances of a study.
func (a *archive) reject(t *testing.T, uid string, n int) {
	t.Helper()
	item := func(put func(d *dicom.Dataset)) *dicom.Dataset { d := new(dicom.Dataset); put(d); return d }
	var refused []*dicom.Dataset
	for _, i := range a.studies[uid].Series[0].Instances[:n] {
		refused = append(refused, item(func(d *dicom.Dataset) {
			d.Put(dicom.ReferencedSOPClassUID, i.SOPClassUID)
			d.Put(dicom.ReferencedSOPInstanceUID, i.SOPInstanceUID)
		}))
	}
	file, err := item(func(d *dicom.Dataset) {
		d.Put(dicom.SOPClassUID, dicom.KeyObjectSelectionDocument)
		d.Put(dicom.SOPInstanceUID, uid+".9")
		d.PutItems(dicom.ConceptNameCodeSequence, item(func(d *dicom.Dataset) {
			d.Put(dicom.CodeValue, "113037")
			d.Put(dicom.CodingSchemeDesignator, "DCM")
		}))
		d.PutItems(dicom.CurrentRequestedEvidence, item(func(d *dicom.Dataset) {
			d.PutItems(dicom.ReferencedSeriesSequence, item(func(d *dicom.Dataset) {
				d.PutItems(dicom.ReferencedSOPSequence, refused...)
				d.Put(dicom.SeriesInstanceUID, uid+".1")
			}))
			d.Put(dicom.StudyInstanceUID, uid)
		}))
	}).AppendFile(nil)
	if err != nil {
		t.Fatal(err)
	}
	a.files[uid+".9"] = file
	a.change(uid, func(s *pacs.Study) {
		s.Series[0].Instances = append(s.Series[0].Instances, pacs.Instance{
			StudyInstanceUID: uid, SeriesInstanceUID: uid + ".1", SOPClassUID: dicom.KeyObjectSelectionDocument, SOPInstanceUID: uid + ".9",
		})
	})
}

// source is a gateway.Source whose ledger is a map. What it does is counted.
type source struct {
	t       testing.TB
	archive pacs.Archive
	catalog *catalog.Catalog
	status  map[string]ledger.Status // by Study Instance UID
	room    int
	did     map[string]int // "publish 1.2.3" and the like
	batches []int
	fault   func(step string) error // called before and after each effect

	unregistered bool // nothing can be registered
}

func (s *source) step(what string, effect func() error) error {
	for _, name := range []string{"before " + what, "after " + what} {
		if s.fault != nil {
			if err := s.fault(name); err != nil {
				return err
			}
		}
		if effect != nil {
			if err := effect(); err != nil {
				return err
			}
			effect = nil
		}
	}
	return nil
}

func (s *source) PublishBatch(ctx context.Context, uids []string) ([]gateway.Outcome, error) {
	outcomes := make([]gateway.Outcome, len(uids))
	var fresh []string
	for i, uid := range uids {
		_, err := s.catalog.Study(uid)
		erased, wrong := s.catalog.Erased(uid)
		_, absent := s.archive.Study(ctx, uid)
		switch _, defined := s.status[uid]; {
		case wrong != nil:
			return nil, wrong
		case absent != nil:
			outcomes[i].Err = absent
		case errors.Is(err, catalog.ErrNotFound) && erased:
			outcomes[i].Err = gateway.ErrErased
		case err == nil && s.status[uid] == ledger.Withdrawn:
			outcomes[i].Err = gateway.ErrWithdrawn
		case !defined:
			fresh = append(fresh, uid)
		}
	}
	if len(fresh) > s.room {
		return nil, errors.New("no room")
	}
	err := s.step("entering", func() error {
		for _, uid := range fresh {
			if _, err := s.catalog.Study(uid); err == nil {
				continue
			}
			study := catalog.Study{StudyInstanceUID: uid, Salt: [32]byte{byte(s.did["enter"])}}
			study.StudyID = ledger.NewStudyID(study.Salt, uid)
			if err := s.catalog.PutStudy(study, nil); err != nil {
				return err
			}
			s.did["enter"]++
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for i, uid := range uids {
		if s.unregistered && outcomes[i].Err == nil && s.status[uid] == ledger.Live {
			outcomes[i].Err = gateway.ErrUnregistered
		}
	}
	if len(fresh) == 0 {
		return outcomes, nil
	}
	return outcomes, s.step("defining", func() error {
		for _, uid := range fresh {
			s.status[uid] = ledger.Live
			s.did["publish "+uid]++
			s.room--
		}
		s.batches = append(s.batches, len(fresh))
		return nil
	})
}

// set makes a change on the ledger.
func (s *source) set(what, uid string, to ledger.Status) error {
	return s.step(what, func() error {
		if s.status[uid] == ledger.Withdrawn {
			return &ledger.Error{Code: ledger.CodeWithdrawn}
		}
		s.did[what+" "+uid]++
		s.status[uid] = to
		return nil
	})
}

func (s *source) Amend(_ context.Context, uid string) error {
	err := s.set("amend", uid, s.status[uid])
	if err == nil && s.unregistered {
		err = gateway.ErrUnregistered
	}
	return err
}

func (s *source) Hold(_ context.Context, uid string, held bool) error {
	if held && s.status[uid] == ledger.Held {
		return nil
	}
	return s.set("hold", uid, map[bool]ledger.Status{true: ledger.Held}[held])
}

func (s *source) Withdraw(_ context.Context, uid string) error {
	return s.set("withdraw", uid, ledger.Withdrawn)
}

func (s *source) Status(uid string) (ledger.Status, error) {
	status, ok := s.status[uid]
	if !ok {
		return 0, ledger.ErrNotFound
	}
	return status, nil
}

func (s *source) Room() (int, error) { return s.room, nil }

// world is an archive, a source and a watcher between them, with a clock that moves when told to.
type world struct {
	t       testing.TB
	now     time.Time
	archive *archive
	source  *source
	catalog *catalog.Catalog
	watcher *Watcher
	config  Config
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{t: t, now: time.Date(2027, 1, 15, 12, 0, 0, 0, time.UTC)}
	var err error
	if w.catalog, err = catalog.Open("catalog", catalog.Options{FS: vfs.NewMem()}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.catalog.Close() })
	w.archive = &archive{studies: map[string]*pacs.Study{}, files: map[string][]byte{}}
	w.source = &source{t: t, archive: iocm.New(w.archive), catalog: w.catalog, room: 1_000_000, status: map[string]ledger.Status{}, did: map[string]int{}}
	w.config = Config{Source: w.source, Archive: w.archive, Catalog: w.catalog, Now: func() time.Time { return w.now },
		Sleep: func(ctx context.Context, d time.Duration) error { w.now = w.now.Add(d); return ctx.Err() }}
	w.restart()
	return w
}

// restart begins anew with what is on disk.
func (w *world) restart() {
	w.t.Helper()
	var err error
	if w.watcher, err = New(w.config); err != nil {
		w.t.Fatal(err)
	}
}

// look lets time pass and looks.
func (w *world) look(after time.Duration) error {
	w.now = w.now.Add(after)
	return w.watcher.Look(w.t.Context())
}

// watch looks every minute for a time, and nothing must fail.
func (w *world) watch(d time.Duration) {
	w.t.Helper()
	for end := w.now.Add(d); w.now.Before(end); {
		if err := w.look(time.Minute); err != nil {
			w.t.Fatal(err)
		}
	}
}

// did compares what was done since the last call.
func (w *world) did(want ...string) {
	w.t.Helper()
	var got []string
	delete(w.source.did, "enter")
	for what, n := range w.source.did {
		for range n {
			got = append(got, what)
		}
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		w.t.Errorf("done was %q, want %q", got, want)
	}
	clear(w.source.did)
}
