package registry

import (
	"context"
	"errors"
	"testing"
	"time"
)

// Submissions that wait are written together, and each by itself is made or is not.
func TestGroup(t *testing.T) {
	onEach(t, func(t *testing.T, dsn string) {
		s := openStore(t, dsn)
		number := numbers(0)
		ids := filed(t, s, Submission{Now: noon, NewID: number})
		failed := errors.New("failed")
		cancelled, cancel := context.WithCancel(context.Background())
		cancel()
		submits := func(uniqueID string) func(writer) error {
			return func(w writer) error {
				b := submission(uniqueID, patientA)
				b.entry(uniqueID + ".1")
				b.Resolve(number)
				rows, err := rowsOf(b.Objects, nil, Submission{})
				return errors.Join(err, w.insert(rows))
			}
		}
		s.turn <- struct{}{} // so that they wait
		var results []chan error
		for _, c := range []struct {
			ctx context.Context
			f   func(writer) error
		}{
			{context.Background(), submits("2.1")},
			{context.Background(), func(w writer) error { return errors.Join(w.remove([]string{ids["1.3"]}), failed) }},
			{context.Background(), func(w writer) error { return w.exec("DELETE FROM nothing") }},
			{cancelled, func(writer) error { t.Error("what was given up is written"); return nil }},
			{context.Background(), submits("2.3")},
		} {
			result, waiting := make(chan error, 1), len(s.waiting)
			results = append(results, result)
			go func() { result <- s.write(c.ctx, c.f) }()
			for deadline := time.Now().Add(30 * time.Second); len(s.waiting) == waiting; time.Sleep(time.Millisecond) {
				if time.Now().After(deadline) {
					t.Fatal("it does not come to wait")
				}
			}
		}
		s.group()
		var got []error
		for _, result := range results {
			got = append(got, <-result)
		}
		if got[0] != nil || !errors.Is(got[1], failed) || got[2] == nil || !errors.Is(got[3], context.Canceled) || got[4] != nil {
			t.Errorf("got %v", got)
		}
		after := idsOf(everything(t, s))
		for uniqueID, want := range map[string]bool{"1.3": true, "2.1.1": true, "2.3.1": true} {
			if _, ok := after[uniqueID]; ok != want {
				t.Errorf("%s is registered: %t", uniqueID, ok)
			}
		}
	})
}

// A transaction that cannot be ended is nobody's success, and the next is not in its way.
func TestGroupFails(t *testing.T) {
	onEach(t, func(t *testing.T, dsn string) {
		s := openStore(t, dsn)
		second := &change{ctx: context.Background(), f: func(w writer) error { return w.tx.Rollback() }, done: make(chan error, 1)}
		err := s.write(context.Background(), func(writer) error { s.waiting <- second; return nil })
		if err == nil {
			t.Error("the first is told that it was written")
		}
		if err := <-second.done; err == nil {
			t.Error("the second is told that it was written")
		}
		func() {
			defer func() { recover() }()
			s.write(context.Background(), func(writer) error { s.waiting <- second; panic("a defect") })
		}()
		filed(t, s, Submission{Now: noon, NewID: numbers(0)})
	})
}
