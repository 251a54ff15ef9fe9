package publisher

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"collimate/pacs"
)

// old makes studies of consecutive days, the first on the first of January 2024.
func (w *world) old(n int) {
	for i := range n {
		uid := fmt.Sprintf("1.3.%d", i)
		w.archive.add(uid, 1)
		w.archive.change(uid, func(s *pacs.Study) {
			s.Date = time.Date(2024, 1, 1+i, 0, 0, 0, 0, time.UTC).Format("20060102")
		})
	}
}

func TestBackFill(t *testing.T) {
	w := newWorld(t)
	w.config.From = w.now
	w.restart()
	w.old(300)
	w.archive.add("1.2.1", 1) // of today
	w.archive.add("1.2.2", 1)
	w.archive.change("1.2.2", func(s *pacs.Study) { s.Date = "" })
	w.watch(time.Hour)
	w.did("publish 1.2.1")

	dry, err := w.watcher.BackFill(t.Context(), BackFillOptions{DryRun: true})
	if err != nil || dry.Listed != 302 || dry.Wanted != 301 || dry.Published != 1 || dry.Done != 0 {
		t.Errorf("dry run: %+v, %v", dry, err)
	}
	w.did()

	day := func(n int) time.Time { return time.Date(2024, 1, n, 15, 0, 0, 0, time.UTC) }
	some, err := w.watcher.BackFill(t.Context(), BackFillOptions{From: day(3), To: day(5)})
	if err != nil || some.Listed != 3 || some.Wanted != 3 || some.Done != 3 {
		t.Errorf("three days: %+v, %v", some, err)
	}
	w.did("publish 1.3.2", "publish 1.3.3", "publish 1.3.4")

	w.source.batches = nil
	var seen []int
	start := w.now
	all, err := w.watcher.BackFill(t.Context(), BackFillOptions{Rate: 100, Progress: func(p BackFillProgress) { seen = append(seen, p.Done) }})
	if err != nil || all.Wanted != 298 || all.Done != 298 || all.Failed != 0 {
		t.Errorf("the rest: %+v, %v", all, err)
	}
	if !slices.Equal(seen, []int{0, 100, 200, 298}) || !slices.Equal(w.source.batches, []int{100, 100, 98}) {
		t.Errorf("progress %v, batches %v", seen, w.source.batches)
	}
	if took := w.now.Sub(start); took != 2*time.Minute {
		t.Errorf("it took %v, want two minutes", took)
	}
	clear(w.source.did)
	again, err := w.watcher.BackFill(t.Context(), BackFillOptions{})
	if err != nil || again.Wanted != 0 || again.Published != 302 {
		t.Errorf("again: %+v, %v", again, err)
	}
	w.watch(24 * time.Hour)
	w.did()
}

// TestBackFillGoesOn: a back-fill that ended early goes on where it stood, and one that finds no room waits.
func TestBackFillGoesOn(t *testing.T) {
	w := newWorld(t)
	w.config.From = w.now
	w.restart()
	w.old(1000)
	steps := 0
	w.source.fault = func(string) error {
		if steps++; steps > 9 {
			return errKilled
		}
		return nil
	}
	first, err := w.watcher.BackFill(t.Context(), BackFillOptions{})
	if !errors.Is(err, errKilled) || first.Done != 512 {
		t.Errorf("killed: %+v, %v", first, err)
	}
	w.source.fault, w.source.room = nil, 10
	w.restart()
	waited := 0
	w.watcher.config.Sleep = func(context.Context, time.Duration) error {
		waited++
		w.source.room = 300
		return nil
	}
	second, err := w.watcher.BackFill(t.Context(), BackFillOptions{})
	if err != nil || waited == 0 || second.Published+second.Done != 1000 || second.Wanted != second.Done {
		t.Errorf("after it: %+v, %v, waited %d times", second, err, waited)
	}
	for what, n := range w.source.did {
		if n != 1 && what != "enter" {
			t.Errorf("%s was done %d times", what, n)
		}
	}
	if got := w.source.did["enter"]; got != 1000 {
		t.Errorf("%d studies were entered, want 1000", got)
	}
}

// TestBackFillByHand: what was published by hand is published, and what was begun is not.
func TestBackFillByHand(t *testing.T) {
	w := newWorld(t)
	w.old(3)
	if _, err := w.source.PublishBatch(t.Context(), []string{"1.3.0"}); err != nil {
		t.Fatal(err)
	}
	w.source.fault = func(step string) error {
		if step == "before defining" {
			return errKilled
		}
		return nil
	}
	if _, err := w.source.PublishBatch(t.Context(), []string{"1.3.1"}); !errors.Is(err, errKilled) {
		t.Fatal(err)
	}
	w.source.fault = nil
	got, err := w.watcher.BackFill(t.Context(), BackFillOptions{})
	if err != nil || got.Listed != 3 || got.Published != 1 || got.Wanted != 2 || got.Done != 2 {
		t.Errorf("%+v, %v", got, err)
	}
	w.did("publish 1.3.0", "publish 1.3.1", "publish 1.3.2")
}

// TestBackFillLeavesTheFresh: what may still grow is not published by a back-fill, nor is any of a listing that failed.
func TestBackFillLeavesTheFresh(t *testing.T) {
	w := newWorld(t)
	w.archive.add("1.2.1", 1) // of today
	w.archive.add("1.2.2", 1)
	w.archive.change("1.2.2", func(s *pacs.Study) { s.Date, s.Stored = "20260101", w.now.Add(-time.Minute) })
	w.archive.add("1.2.3", 1)
	w.archive.change("1.2.3", func(s *pacs.Study) { s.Stored = w.now.Add(-time.Hour) })
	got, err := w.watcher.BackFill(t.Context(), BackFillOptions{})
	if err != nil || got.Fresh != 2 || got.Done != 1 {
		t.Errorf("%+v, %v", got, err)
	}
	w.did("publish 1.2.3")
	w.archive.lie = func(all []pacs.Summary) ([]pacs.Summary, error) { return all, errKilled }
	if got, err := w.watcher.BackFill(t.Context(), BackFillOptions{}); !errors.Is(err, errKilled) || got.Done != 0 {
		t.Errorf("a listing that failed: %+v, %v", got, err)
	}
	w.archive.lie = nil
	w.archive.broken = errors.New("broken")
	w.archive.add("1.2.4", 1)
	w.archive.change("1.2.4", func(s *pacs.Study) { s.Date = "20260101" })
	if got, err := w.watcher.BackFill(t.Context(), BackFillOptions{}); err != nil || got.Failed != 1 || got.Done != 0 || len(got.Troubles) != 1 {
		t.Errorf("a study that fails: %+v, %v", got, err)
	}
}
