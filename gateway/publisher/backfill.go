package publisher

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"collimate/gateway"
	"collimate/gateway/catalog"
	"collimate/ledger"
	"collimate/pacs"
)

// BackFillOptions say which studies are to be published and how fast.
type BackFillOptions struct {
	// From and To bound the dates of the studies, both days included; zero leaves that side open. Studies without a
	// date are taken if both are.
	From, To time.Time
	Rate     int  // studies a minute at most; 0 is as fast as archive and ledger go
	DryRun   bool // only count
	// Progress is called after the listing and after each batch; optional.
	Progress func(BackFillProgress)
}

// BackFillProgress is how far a back-fill has come.
type BackFillProgress struct {
	Listed    int // studies of these dates that the archive has
	Published int // of these: that were published before
	Erased    int // that were erased, and so are left alone
	Fresh     int // that may still grow, and so are left to Look
	Wanted    int // that are to be published
	Done      int // that are
	Failed    int
	Troubles  []Trouble // the first of those that failed
}

// BackFill publishes the studies of the archive that are not, the latest first. It can be ended at any time, and goes on
// where it stood when it is called again; it may run beside Run. It waits while the source's allowance on the ledger is
// used up. An error says why it ended early; the progress is right even so.
func (w *Watcher) BackFill(ctx context.Context, o BackFillOptions) (BackFillProgress, error) {
	b := &backFill{Watcher: w, BackFillOptions: o}
	if b.BackFillOptions.Progress == nil {
		b.BackFillOptions.Progress = func(BackFillProgress) {}
	}
	if err := b.list(ctx); err != nil {
		return b.progress, fmt.Errorf("back-filling: %w", err)
	}
	b.Progress(b.progress)
	if o.DryRun {
		return b.progress, nil
	}
	for len(b.studies) > 0 {
		taken, err := b.batch(ctx)
		if err != nil {
			return b.progress, fmt.Errorf("back-filling: %w", err)
		}
		pause := time.Minute // for the allowance to refill
		if taken > 0 {
			b.Progress(b.progress)
			if pause = 0; b.Rate > 0 && len(b.studies) > 0 {
				pause = time.Duration(taken) * time.Minute / time.Duration(b.Rate)
			}
		}
		if pause > 0 {
			if err := w.config.Sleep(ctx, pause); err != nil {
				return b.progress, fmt.Errorf("back-filling: %w", err)
			}
		}
	}
	return b.progress, nil
}

// backFill is one BackFill.
type backFill struct {
	*Watcher
	BackFillOptions
	progress BackFillProgress
	studies  []dated // that are still to be published
}

// dated is a candidate with the date of its study.
type dated struct {
	candidate
	date string
}

// list finds the studies that are to be published.
func (b *backFill) list(ctx context.Context) error {
	from, to := "", "99999999"
	if !b.From.IsZero() {
		from = b.From.Format("20060102")
	}
	if !b.To.IsZero() {
		to = b.To.Format("20060102")
	}
	undated := b.From.IsZero() && b.To.IsZero()
	twice := map[string]bool{}
	for s, err := range b.config.Archive.Studies(ctx, b.From) {
		if err != nil {
			return err
		}
		uid, date := s.Study.InstanceUID, s.Study.Date
		if date == "" && !undated || date != "" && (date < from || date > to) || twice[uid] {
			continue
		}
		twice[uid] = true
		b.progress.Listed++
		count, err := b.sort(&s)
		if err != nil {
			return err
		}
		if *count++; count == &b.progress.Wanted {
			b.studies = append(b.studies, dated{candidate{uid, printOf(&s)}, date})
		}
	}
	slices.SortStableFunc(b.studies, func(x, y dated) int { return cmp.Compare(y.date, x.date) })
	return ctx.Err()
}

// sort returns what a study is counted as.
func (b *backFill) sort(s *pacs.Summary) (*int, error) {
	switch _, err := b.config.Source.Status(s.Study.InstanceUID); {
	case err == nil: // by whomever
		return &b.progress.Published, nil
	case !errors.Is(err, catalog.ErrNotFound) && !errors.Is(err, ledger.ErrNotFound):
		return nil, err
	}
	switch erased, err := b.config.Catalog.Erased(s.Study.InstanceUID); {
	case err != nil:
		return nil, err
	case erased:
		return &b.progress.Erased, nil
	case !b.settled(s):
		return &b.progress.Fresh, nil
	}
	return &b.progress.Wanted, nil
}

// settled reports whether a study can be taken to be complete without looking at it twice: by when its last instance
// came, or, if the archive does not say, by its being of the day before yesterday.
func (b *backFill) settled(s *pacs.Summary) bool {
	now := b.config.Now()
	if !s.Study.Stored.IsZero() {
		return now.Sub(s.Study.Stored) >= b.config.Stable
	}
	return s.Study.Date < now.AddDate(0, 0, -1).Format("20060102")
}

// batch publishes the next studies and returns how many it has dealt with: none if there is no room for any.
func (b *backFill) batch(ctx context.Context) (int, error) {
	b.working.Lock()
	defer b.working.Unlock()
	n, err := b.config.Source.Room()
	if n = min(n, len(b.studies), gateway.MaxBatch); b.Rate > 0 {
		n = min(n, b.Rate)
	}
	if n == 0 || err != nil {
		return 0, err
	}
	candidates := make([]candidate, n)
	for i, s := range b.studies[:n] {
		candidates[i] = s.candidate
	}
	failed := 0
	taken, err := b.publish(ctx, candidates, func(uid string, err error) error {
		if failed++; len(b.progress.Troubles) < maxTroubles {
			b.progress.Troubles = append(b.progress.Troubles, Trouble{uid, err})
		}
		return ctx.Err()
	})
	b.studies = b.studies[taken:]
	b.progress.Failed += failed
	b.progress.Done += max(0, taken-failed)
	return taken, err
}
