package publisher

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"collimate/ledger"
	"collimate/pacs"
)

// errKilled ends a process in a test: until a restart nothing succeeds any more.
var errKilled = errors.New("killed")

// live looks for a while, 30 times or so, over restarts.
func (w *world) live(d time.Duration) {
	w.t.Helper()
	for end := w.now.Add(d); w.now.Before(end); {
		if err := w.look(max(time.Minute, d/30)); errors.Is(err, errKilled) {
			w.source.fault = nil
			w.restart()
		} else if err != nil {
			w.t.Fatal(err)
		}
	}
}

// TestRestartAnywhere ends the process before and after each thing that it does, in turn. Afterwards each was done, and
// what must not be done twice was not.
func TestRestartAnywhere(t *testing.T) {
	steps := 0
	for ; ; steps++ {
		w := newWorld(t)
		n := 0
		w.source.fault = func(string) error {
			if n++; n > steps {
				return errKilled
			}
			return nil
		}
		w.archive.add("1.2.1", 1)
		w.archive.add("1.2.2", 1)
		w.live(30 * time.Minute)
		w.archive.add("1.2.1", 1)
		w.live(30 * time.Minute)
		w.archive.change("1.2.2", func(s *pacs.Study) { s.PatientID = "P2" })
		w.archive.add("1.2.3", 1)
		w.live(30 * time.Minute)
		delete(w.archive.studies, "1.2.1")
		w.live(30 * time.Hour)
		died := w.source.fault == nil
		for what, most := range map[string]int{
			"publish 1.2.1": 1, "publish 1.2.2": 1, "publish 1.2.3": 1, "enter": 3, "hold 1.2.2": 1, "withdraw 1.2.1": 1,
			"amend 1.2.1": 2, "amend 1.2.2": 2, // after a crash it is not known whether that was done
		} {
			if got := w.source.did[what]; got < 1 || got > most {
				t.Errorf("killed at step %d: %q was done %d times, want 1 to %d", steps, what, got, most)
			}
			delete(w.source.did, what)
		}
		if len(w.source.did) > 0 {
			t.Errorf("killed at step %d: also done was %v", steps, w.source.did)
		}
		if !died {
			break
		}
	}
	if steps < 15 {
		t.Errorf("only %d steps", steps)
	}
}

// TestRandom changes an archive at random while listings lie and the process is killed. In the end, when nothing lies any
// more, what is published is what the archive has.
func TestRandom(t *testing.T) {
	for seed := range uint64(8) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 0))
			w := newWorld(t)
			patients, deleted := map[string]bool{}, map[string]bool{} // whose patient was changed after it was published; of which none is left
			uid := func() string { return fmt.Sprintf("1.2.%d", r.IntN(12)) }
			w.archive.lie = func(all []pacs.Summary) ([]pacs.Summary, error) {
				switch r.IntN(6) {
				case 0:
					return all[:r.IntN(len(all)+1)], nil
				case 1:
					return all[:r.IntN(len(all)+1)], errKilled
				case 2:
					return append(all, all...), nil
				}
				return all, nil
			}
			for range 250 {
				id := uid()
				switch r.IntN(8) {
				case 0, 1, 2:
					if !deleted[id] {
						w.archive.add(id, 1+r.IntN(3))
					}
				case 3:
					if s := w.archive.studies[id]; s != nil && r.IntN(4) == 0 {
						s.PatientID += "x"
						if _, published := w.source.status[id]; published {
							patients[id] = true
						}
					}
				case 4:
					if r.IntN(4) == 0 {
						delete(w.archive.studies, id)
						deleted[id] = true
					}
				case 5:
					w.source.fault = func(string) error {
						if r.IntN(3) == 0 {
							return errKilled
						}
						return nil
					}
				default:
					w.live(time.Duration(1+r.IntN(40)) * time.Minute)
				}
			}
			w.source.fault, w.archive.lie = nil, nil
			w.live(30 * time.Hour)
			w.live(30 * time.Hour)
			for _, id := range slices.Sorted(maps.Keys(w.archive.studies)) {
				want := ledger.Live
				if patients[id] {
					want = ledger.Held
				}
				if got, ok := w.source.status[id]; !ok || got != want {
					t.Errorf("%s is %v, published %v, want %v", id, got, ok, want)
				}
				study, seen, err := w.watcher.known(id)
				if err != nil {
					t.Fatal(err)
				}
				if whole, err := w.archive.Study(t.Context(), id); err != nil || seen.Content != content(study, contentOf(whole)) {
					t.Errorf("%s was not amended to what it is (%v)", id, err)
				}
			}
			for id, status := range w.source.status {
				if w.archive.studies[id] == nil && status != ledger.Withdrawn {
					t.Errorf("%s is gone and not withdrawn", id)
				}
				if n := w.source.did["publish "+id]; n != 1 {
					t.Errorf("%s was published %d times", id, n)
				}
			}
		})
	}
}
