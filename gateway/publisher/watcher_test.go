package publisher

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"collimate/gateway"
	"collimate/gateway/catalog"
	"collimate/ledger"
	"collimate/pacs"
	"collimate/pacs/iocm"
)

func TestStable(t *testing.T) {
	w := newWorld(t)
	w.archive.add("1.2.1", 1)
	for range 5 { // it grows, with pauses
		w.watch(8 * time.Minute)
		w.archive.add("1.2.1", 1)
	}
	w.did()
	w.watch(9 * time.Minute)
	w.did()
	if got := w.watcher.Status().Waiting; got != 1 {
		t.Errorf("%d studies wait, want 1", got)
	}
	w.watch(3 * time.Minute)
	w.did("publish 1.2.1")
	w.watch(3 * time.Hour)
	w.restart()
	w.watch(3 * time.Hour)
	w.did()
	w.archive.add("1.2.1", 1)
	w.watch(10 * time.Minute)
	w.did()
	w.watch(2 * time.Minute)
	w.did("amend 1.2.1")
	if s := w.watcher.Status(); s.Waiting != 0 || s.Published != 0 || s.Amended != 1 || s.Error != nil {
		t.Errorf("the status is %+v", s)
	}
}

// TestStored: when the archive says when the last instance came, that is when waiting began.
func TestStored(t *testing.T) {
	w := newWorld(t)
	w.archive.add("1.2.1", 1)
	w.archive.change("1.2.1", func(s *pacs.Study) { s.Stored = w.now.Add(-time.Hour) })
	w.archive.add("1.2.2", 1)
	w.archive.change("1.2.2", func(s *pacs.Study) { s.Stored = w.now.Add(time.Hour) }) // its clock is wrong
	w.watch(time.Minute)
	w.did("publish 1.2.1")
	w.watch(12 * time.Minute)
	w.did("publish 1.2.2")
}

// TestFrom: what is older than the watcher is left to a back-fill, unless it came since.
func TestFrom(t *testing.T) {
	w := newWorld(t)
	w.config.From = w.now
	w.restart()
	for uid, date := range map[string]string{"1.2.1": "20270114", "1.2.2": "20270115", "1.2.3": "20200101", "1.2.4": ""} {
		w.archive.add(uid, 1)
		w.archive.change(uid, func(s *pacs.Study) { s.Date = date })
	}
	w.archive.change("1.2.3", func(s *pacs.Study) { s.Stored = w.now.Add(time.Second) }) // from a disc
	w.watch(time.Hour)
	w.did("publish 1.2.2", "publish 1.2.3")
}

func TestNotChanged(t *testing.T) {
	w := newWorld(t)
	w.archive.add("1.2.1", 3)
	w.watch(time.Hour)
	w.did("publish 1.2.1")
	// A listing that is wrong for a while, and then right.
	w.archive.lie = func(all []pacs.Summary) ([]pacs.Summary, error) { all[0].Instances = 1; return all, nil }
	w.watch(8 * time.Minute)
	w.archive.lie = nil
	w.watch(time.Hour)
	// One that is wrong for good: the study is looked into and is as it was.
	w.archive.lie = func(all []pacs.Summary) ([]pacs.Summary, error) { all[0].Instances = 1; return all, nil }
	w.watch(time.Hour)
	w.did()
	if asked := w.archive.asked; asked > 10 {
		t.Errorf("the archive was asked %d times for one study", asked)
	}
	// And one that does not show that an instance was replaced.
	w.archive.lie = nil
	w.archive.change("1.2.1", func(s *pacs.Study) { s.Series[0].Instances[1].CRC32++ })
	w.watch(2 * time.Hour)
	w.did("amend 1.2.1")
}

func TestWrongPatient(t *testing.T) {
	for _, tt := range []struct {
		name   string
		before func(s *pacs.Study)
		after  func(s *pacs.Study)
		held   bool
	}{
		{"another id", func(*pacs.Study) {}, func(s *pacs.Study) { s.PatientID = "P2" }, true},
		{"another id and issuer", func(s *pacs.Study) { s.IssuerOfPID = "A" }, func(s *pacs.Study) { s.PatientID, s.IssuerOfPID = "P2", "B" }, true},
		{"another issuer", func(s *pacs.Study) { s.IssuerOfPID = "A" }, func(s *pacs.Study) { s.IssuerOfPID = "B" }, true},
		{"an issuer for the first time", func(*pacs.Study) {}, func(s *pacs.Study) { s.IssuerOfPID = "A" }, false},
		{"an id for the first time", func(s *pacs.Study) { s.PatientID = "" }, func(s *pacs.Study) { s.PatientID = "P2" }, false},
		{"no id any more", func(*pacs.Study) {}, func(s *pacs.Study) { s.PatientID = "" }, false},
		{"another name", func(*pacs.Study) {}, func(s *pacs.Study) { s.PatientName = "Roe^Jane" }, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			w.archive.add("1.2.1", 1)
			w.archive.change("1.2.1", tt.before)
			w.watch(time.Hour)
			w.did("publish 1.2.1")
			w.archive.change("1.2.1", tt.after)
			w.watch(time.Minute)
			if !tt.held {
				w.did()
				w.watch(time.Hour)
				w.did("amend 1.2.1")
				return
			}
			w.did("hold 1.2.1")                    // at once
			w.source.status["1.2.1"] = ledger.Live // and at once the operator releases it
			w.restart()
			w.watch(5 * time.Minute)
			w.did()
			w.source.status["1.2.1"] = ledger.Held
			w.watch(2 * time.Hour)
			w.did("amend 1.2.1")
			w.source.status["1.2.1"] = ledger.Live // the operator has released it
			w.watch(2 * time.Hour)
			w.did()
			w.archive.change("1.2.1", func(s *pacs.Study) { s.PatientID = "P3" })
			w.watch(time.Minute)
			w.did("hold 1.2.1")
		})
	}
}

// An id that goes and comes back as another is another's too.
func TestWrongPatientByWayOfNone(t *testing.T) {
	w := newWorld(t)
	w.archive.add("1.2.1", 1)
	w.watch(time.Hour)
	w.did("publish 1.2.1")
	for _, id := range []string{"", "P2"} {
		w.archive.change("1.2.1", func(s *pacs.Study) { s.PatientID = id })
		w.watch(time.Hour)
	}
	w.did("amend 1.2.1", "amend 1.2.1", "hold 1.2.1")
}

func TestDeleted(t *testing.T) {
	w := newWorld(t)
	w.archive.add("1.2.1", 1)
	w.archive.add("1.2.2", 1)
	w.watch(time.Hour)
	w.did("publish 1.2.1", "publish 1.2.2")
	gone := w.archive.studies["1.2.1"]
	delete(w.archive.studies, "1.2.1")
	w.watch(20 * time.Hour)
	w.did()
	if got := w.watcher.Status().Missing; got != 1 {
		t.Errorf("%d are missing, want 1", got)
	}
	w.archive.studies["1.2.1"] = gone // it was being moved
	w.watch(2 * time.Hour)
	delete(w.archive.studies, "1.2.1")
	w.watch(20 * time.Hour)
	w.restart()
	w.watch(3 * time.Hour)
	w.did()
	w.watch(3 * time.Hour)
	w.did("withdraw 1.2.1")
	if got := w.watcher.Status(); got.Withdrawn != 1 {
		t.Errorf("the status is %+v", got)
	}
	w.archive.studies["1.2.1"] = gone // which is for the operator now
	w.watch(48 * time.Hour)
	w.did()
}

// TestLies: whatever a listing says, no study is withdrawn that the archive has, none is published twice, and afterwards
// all is as it should be.
func TestLies(t *testing.T) {
	const n = 10
	broken := errors.New("broken")
	for name, lie := range map[string]func(all []pacs.Summary) ([]pacs.Summary, error){
		"empty":  func([]pacs.Summary) ([]pacs.Summary, error) { return nil, nil },
		"half":   func(all []pacs.Summary) ([]pacs.Summary, error) { return all[:len(all)/2], nil },
		"error":  func([]pacs.Summary) ([]pacs.Summary, error) { return nil, broken },
		"midway": func(all []pacs.Summary) ([]pacs.Summary, error) { return all[:len(all)/2], broken },
		"twice":  func(all []pacs.Summary) ([]pacs.Summary, error) { return append(all, all...), nil },
		"twice and not the same": func(all []pacs.Summary) ([]pacs.Summary, error) {
			for _, s := range all {
				s.Instances--
				all = append(all, s)
			}
			return all, nil
		},
		"too few instances": func(all []pacs.Summary) ([]pacs.Summary, error) {
			for i := range all {
				all[i].Instances = 1
			}
			return all, nil
		},
		"no texts": func(all []pacs.Summary) ([]pacs.Summary, error) {
			for i := range all {
				all[i].Study = pacs.Study{InstanceUID: all[i].Study.InstanceUID, Date: all[i].Study.Date}
			}
			return all, nil
		},
		"what it has not": func(all []pacs.Summary) ([]pacs.Summary, error) {
			return append(all, pacs.Summary{Study: pacs.Study{InstanceUID: "9.9.9", Date: "20270115"}}), nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			var want []string
			for i := range n {
				w.archive.add(fmt.Sprintf("1.2.%d", i), 5)
				want = append(want, fmt.Sprintf("publish 1.2.%d", i))
			}
			for range 2 { // before they are published, and after
				w.archive.lie = lie
				for range 4 * 24 * 6 {
					if err := w.look(10 * time.Minute); err != nil && !errors.Is(err, broken) {
						t.Fatal(err)
					}
				}
				w.archive.lie = nil
				w.watch(3 * time.Hour)
				w.did(want...)
				want = nil
			}
		})
	}
}

// TestIncomplete: a listing that failed is no reason to ask for what it leaves out.
func TestIncomplete(t *testing.T) {
	w := newWorld(t)
	w.archive.add("1.2.1", 1)
	w.watch(3 * time.Hour)
	asked, broken := w.archive.asked, errors.New("broken")
	w.archive.lie = func([]pacs.Summary) ([]pacs.Summary, error) { return nil, broken }
	for range 10 {
		if err := w.look(time.Hour); !errors.Is(err, broken) {
			t.Fatalf("the listing fails: %v", err)
		}
	}
	if s := w.watcher.Status(); w.archive.asked != asked || s.Missing != 0 || !errors.Is(s.Error, broken) {
		t.Errorf("the archive was asked %d times; status %+v", w.archive.asked-asked, s)
	}
}

// TestVanished: when much is gone at once it is the archive that is amiss.
func TestVanished(t *testing.T) {
	w := newWorld(t)
	w.config.MaxVanished = 3
	w.restart()
	for i := range 10 {
		w.archive.add(fmt.Sprintf("1.2.%d", i), 1)
	}
	w.watch(time.Hour)
	clear(w.source.did)
	held := w.archive.studies
	w.archive.studies = map[string]*pacs.Study{}
	for range 3 * 24 {
		if err := w.look(time.Hour); err == nil || !strings.Contains(err.Error(), "10 of 10") {
			t.Fatalf("all are gone: %v", err)
		}
	}
	w.did()
	for i := range 7 {
		uid := fmt.Sprintf("1.2.%d", i)
		w.archive.studies[uid] = held[uid]
	}
	w.watch(30 * time.Hour)
	w.did("withdraw 1.2.7", "withdraw 1.2.8", "withdraw 1.2.9")
	// Those that are withdrawn do not count for ever.
	delete(w.archive.studies, "1.2.0")
	w.watch(30 * time.Hour)
	w.did("withdraw 1.2.0")
}

// rejected checks how many studies are said to be held because all of them is rejected.
func (w *world) rejected(want int) {
	w.t.Helper()
	if got := w.watcher.Status().Rejected; got != want {
		w.t.Errorf("%d studies are said to be rejected, want %d", got, want)
	}
}

func TestRejected(t *testing.T) {
	w := newWorld(t)
	for i := range 3 {
		w.archive.add(fmt.Sprintf("1.2.%d", i), 2)
	}
	w.archive.reject(t, "1.2.2", 2) // before it was ever published
	w.archive.change("1.2.2", func(s *pacs.Study) { s.Stored = w.now })
	w.watch(time.Hour)
	if w.archive.asked > 15 {
		t.Errorf("the archive was asked %d times in an hour", w.archive.asked)
	}
	w.did("publish 1.2.0", "publish 1.2.1")
	w.archive.reject(t, "1.2.0", 2)
	w.archive.reject(t, "1.2.1", 1)
	w.watch(time.Hour)
	w.did("hold 1.2.0", "amend 1.2.1")
	w.rejected(1)
	w.watch(20 * time.Hour)
	w.restart()
	w.watch(3 * time.Hour)
	w.did()
	w.rejected(1)
	w.watch(3 * time.Hour)
	w.did("withdraw 1.2.0")
	w.watch(time.Hour)
	w.rejected(0)
	w.restart()
	w.watch(48 * time.Hour)
	w.did()
	w.archive.add("1.2.2", 1) // which is good
	w.watch(time.Hour)
	w.did("publish 1.2.2")
}

// TestRejectedByHand: what somebody has published by hand is held too, though nothing is remembered of it yet.
func TestRejectedByHand(t *testing.T) {
	w := newWorld(t)
	for _, uid := range []string{"1.2.1", "1.2.2"} {
		w.archive.add(uid, 2)
	}
	if _, err := w.source.PublishBatch(t.Context(), []string{"1.2.1", "1.2.2"}); err != nil {
		t.Fatal(err)
	}
	clear(w.source.did)
	w.archive.reject(t, "1.2.1", 2)
	w.archive.change("1.2.2", func(s *pacs.Study) { s.Series[0].Instances[1].OtherPatient = true })
	for range 60 {
		if err := w.look(time.Minute); err != nil && !errors.Is(err, iocm.ErrMixed) {
			t.Fatal(err)
		}
	}
	w.did("hold 1.2.1", "hold 1.2.2")
	w.rejected(1)
}

// TestRejectedMany: notes are as easily stored as images, so many at once withdraw nothing.
func TestRejectedMany(t *testing.T) {
	w := newWorld(t)
	w.config.MaxVanished = 3
	w.restart()
	for i := range 10 {
		w.archive.add(fmt.Sprintf("1.2.%d", i), 2)
	}
	w.watch(time.Hour)
	clear(w.source.did)
	for i := range 3 {
		w.archive.reject(t, fmt.Sprintf("1.2.%d", i), 2)
	}
	gone := w.archive.studies["1.2.3"]
	delete(w.archive.studies, "1.2.3")
	w.watch(30 * time.Minute)
	w.did("hold 1.2.0", "hold 1.2.1", "hold 1.2.2")
	var err error
	for n := range 3 * 24 {
		if n == 48 { // which is no reason either
			w.archive.change("1.2.0", func(s *pacs.Study) { s.Description = "corrected" })
		}
		if err = w.look(time.Hour); err == nil || !strings.Contains(err.Error(), "4 of 10") {
			t.Fatalf("three are rejected and one is gone: %v", err)
		}
	}
	w.did()
	w.archive.studies["1.2.3"] = gone
	w.watch(2 * time.Hour)
	w.did("withdraw 1.2.0", "withdraw 1.2.1", "withdraw 1.2.2")
}

// TestRejectedInVain: a note that is taken back, and a study that a person releases, are no reason to withdraw anything.
func TestRejectedInVain(t *testing.T) {
	w := newWorld(t)
	w.config.MaxVanished = 1
	w.restart()
	for _, uid := range []string{"1.2.1", "1.2.2"} {
		w.archive.add(uid, 2)
	}
	w.watch(time.Hour)
	clear(w.source.did)
	w.archive.reject(t, "1.2.2", 2)
	w.watch(20 * time.Hour)
	w.did("hold 1.2.2")
	w.source.status["1.2.2"] = ledger.Live
	w.watch(48 * time.Hour)
	w.did()
	before := w.archive.studies["1.2.1"].Series[0].Instances
	w.archive.reject(t, "1.2.1", 2)
	w.watch(20 * time.Hour)
	w.did("hold 1.2.1")
	w.archive.change("1.2.1", func(s *pacs.Study) { s.Series[0].Instances = before })
	w.watch(48 * time.Hour)
	w.did()
	w.archive.reject(t, "1.2.1", 2) // which begins anew, though the study was never released
	w.watch(23 * time.Hour)
	w.did()
	w.watch(3 * time.Hour)
	w.did("withdraw 1.2.1") // and what was released does not count
	w.archive.lie = func(all []pacs.Summary) ([]pacs.Summary, error) { return all[:min(1, len(all))], nil }
	w.watch(48 * time.Hour)
	w.did()
}

// TestRejectedAndGone: what is not listed either is not withdrawn the sooner for it.
func TestRejectedAndGone(t *testing.T) {
	w := newWorld(t)
	w.archive.add("1.2.1", 2)
	w.watch(time.Hour)
	w.did("publish 1.2.1")
	w.archive.reject(t, "1.2.1", 2)
	w.archive.lie = func([]pacs.Summary) ([]pacs.Summary, error) { return nil, nil }
	w.watch(20 * time.Hour)
	w.did("hold 1.2.1")
	w.watch(6 * time.Hour)
	w.did("withdraw 1.2.1")
}

// TestMixed: a study of two patients is not published, or held if it is, and goes on when it is of one.
func TestMixed(t *testing.T) {
	w := newWorld(t)
	mark := func(uid string, other bool) {
		w.archive.change(uid, func(s *pacs.Study) {
			all := s.Series[0].Instances
			all[len(all)-1].OtherPatient = other
		})
	}
	w.archive.add("1.2.1", 2)
	w.archive.add("1.2.2", 2)
	mark("1.2.2", true)
	for range 60 {
		if err := w.look(time.Minute); err != nil && !errors.Is(err, iocm.ErrMixed) {
			t.Fatal(err)
		}
	}
	w.did("publish 1.2.1")
	mark("1.2.2", false)
	w.watch(2 * time.Hour)
	w.did("publish 1.2.2")
	w.archive.add("1.2.1", 1)
	mark("1.2.1", true)
	w.watch(15 * time.Minute)
	w.did("hold 1.2.1")
	w.watch(48 * time.Hour)
	w.did()
	if s := w.watcher.Status(); s.Held != 1 || s.Withdrawn != 0 {
		t.Errorf("the status is %+v", s)
	}
	w.archive.change("1.2.1", func(s *pacs.Study) { s.Series[0].Instances = s.Series[0].Instances[:2] })
	w.watch(time.Hour)
	w.did() // it is as it was published, and for a person to release
}

// TestByHand: what the operator does is respected.
func TestByHand(t *testing.T) {
	w := newWorld(t)
	w.archive.add("1.2.1", 1)
	if _, err := w.source.PublishBatch(t.Context(), []string{"1.2.1"}); err != nil {
		t.Fatal(err)
	}
	w.did("publish 1.2.1")
	w.watch(time.Hour) // it is taken over
	w.archive.add("1.2.1", 1)
	w.watch(time.Hour)
	w.did("amend 1.2.1")
	w.archive.add("1.2.1", 1)
	w.watch(5 * time.Minute) // it waits
	if err := w.catalog.Erase(t.Context(), "1.2.1"); err != nil {
		t.Fatal(err)
	}
	delete(w.source.status, "1.2.1")
	w.watch(48 * time.Hour)
	if p, err := w.watcher.BackFill(t.Context(), BackFillOptions{}); err != nil || p.Erased != 1 || p.Done != 0 || w.watcher.Status().Waiting != 0 {
		t.Errorf("back-filling: %+v, %v", p, err)
	}
	w.did()
	w.archive.add("1.2.2", 1)
	w.watch(time.Hour)
	w.did("publish 1.2.2")
	w.source.status["1.2.2"] = ledger.Withdrawn
	w.archive.add("1.2.2", 1)
	w.watch(48 * time.Hour)
	w.did()
}

// TestErasedMeanwhile: a study that is erased while it is dealt with is no failure, and stays erased.
func TestErasedMeanwhile(t *testing.T) {
	for _, step := range []string{"before entering", "after defining", "before amend", "after amend", "before hold", "after hold"} {
		w := newWorld(t)
		w.source.fault = func(now string) error {
			if now != step {
				return nil
			}
			w.source.fault = nil
			if err := w.catalog.Erase(t.Context(), "1.2.1"); err != nil {
				t.Fatal(err)
			}
			delete(w.source.status, "1.2.1")
			return catalog.ErrNotFound
		}
		w.archive.add("1.2.1", 1)
		for range 3 {
			for range 30 {
				if err := w.look(time.Minute); err != nil && step != "before entering" && step != "after defining" {
					t.Fatalf("%s: %v", step, err)
				}
			}
			w.archive.add("1.2.1", 1)
			w.archive.change("1.2.1", func(s *pacs.Study) { s.PatientID += "x" })
		}
		if _, published := w.source.status["1.2.1"]; published || w.source.fault != nil {
			t.Errorf("%s: it is published again, %v", step, published)
		}
		if err := w.look(time.Hour); err != nil || w.watcher.Status().Waiting != 0 {
			t.Errorf("%s: %v, %+v", step, err, w.watcher.Status())
		}
	}
}

// TestFails: a study that cannot be listed is tried again, ever more seldom, and is not in the way of others.
func TestFails(t *testing.T) {
	w := newWorld(t)
	broken := errors.New("broken")
	w.archive.add("1.2.1", 1)
	w.archive.add("1.2.2", 1)
	w.archive.broken = broken
	for range 12 * 60 {
		if err := w.look(time.Minute); err != nil && !errors.Is(err, broken) {
			t.Fatal(err)
		}
	}
	if w.archive.asked > 50 {
		t.Errorf("the archive was asked %d times in twelve hours", w.archive.asked)
	}
	w.archive.broken = nil
	w.watch(2 * time.Hour)
	w.did("publish 1.2.1", "publish 1.2.2")
}

func TestNoRoom(t *testing.T) {
	w := newWorld(t)
	w.source.room = 3
	for i := range 5 {
		w.archive.add(fmt.Sprintf("1.2.%d", i), 1)
	}
	var err error
	for range 30 {
		err = w.look(time.Minute)
	}
	if !errors.Is(err, errNoRoom) || len(w.source.did) != 4 { // and "enter"
		t.Errorf("%v: %v", err, w.source.did)
	}
	w.source.room = 10
	w.watch(time.Minute)
	if got := len(w.source.did); got != 6 {
		t.Errorf("%v", w.source.did)
	}
}

// TestUnregistered: what could not be registered is registered later, and not amended again for that.
func TestUnregistered(t *testing.T) {
	w := newWorld(t)
	w.archive.add("1.2.1", 1)
	w.watch(time.Hour)
	w.did("publish 1.2.1")
	w.source.unregistered = true
	w.archive.add("1.2.1", 1)
	failed := 0
	for range 48 * 60 {
		if err := w.look(time.Minute); errors.Is(err, gateway.ErrUnregistered) {
			failed++
		} else if err != nil {
			t.Fatal(err)
		}
	}
	w.did("amend 1.2.1")
	if failed < 10 || failed > 60 {
		t.Errorf("it was tried %d times in two days", failed)
	}
	w.source.unregistered = false
	w.watch(2 * time.Hour)
	w.did()
	if s := w.watcher.Status(); s.Waiting != 0 || s.Error != nil {
		t.Errorf("the status is %+v", s)
	}
}

// TestManyWrong: more studies of other patients than one look holds are held by the next, and what is told of errors is
// bounded.
func TestManyWrong(t *testing.T) {
	w := newWorld(t)
	for i := range maxWrong + 500 {
		uid := fmt.Sprintf("1.2.%d", i)
		w.archive.add(uid, 1)
		w.archive.change(uid, func(s *pacs.Study) { s.Date = "20260101" }) // which only a full listing shows
	}
	w.watch(2 * time.Hour)
	clear(w.source.did)
	for i := range maxWrong + 500 {
		w.archive.change(fmt.Sprintf("1.2.%d", i), func(s *pacs.Study) { s.PatientID = "P2" })
	}
	broken := errors.New("broken")
	w.source.fault = func(string) error { return broken }
	err := w.look(time.Hour)
	if told := w.watcher.Status().Troubles; !errors.Is(err, broken) || len(err.Error()) > 2000 || len(told) != maxTroubles {
		t.Errorf("an error of %d bytes, %d troubles", len(err.Error()), len(told))
	}
	w.source.fault = nil
	w.watch(2 * time.Minute)
	if got := w.watcher.Status().Held; got != maxWrong+500 {
		t.Errorf("%d are held, want %d", got, maxWrong+500)
	}
}

// BenchmarkLook compares a listing with what is published when nothing has changed, and gives studies a second.
func BenchmarkLook(b *testing.B) {
	const n = 5000
	w := newWorld(b)
	w.config.Full = time.Nanosecond
	w.restart()
	for i := range n {
		w.archive.add(fmt.Sprintf("1.2.%d", i), 1)
	}
	w.watch(30 * time.Minute)
	for b.Loop() {
		if err := w.look(time.Minute); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "studies/s")
}
