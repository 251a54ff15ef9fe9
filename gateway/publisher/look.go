package publisher

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"slices"
	"time"

	"collimate/gateway"
	"collimate/gateway/catalog"
	"collimate/pacs"
)

// look is one comparison of the archive with what is published.
type look struct {
	*Watcher
	now      time.Time
	full     bool // everything was asked for
	complete bool // and the listing came to its end
	seed     maphash.Seed
	seen     map[uint64]struct{} // hashes of the UIDs listed: of two that collide one may be missed, and not next time
	wrong    []pacs.Study        // published ones that are listed as another patient's
	rejected map[string]bool     // published ones, by UID, of which all was rejected when they were last looked into
	few      bool                // so few are gone or rejected that they may be withdrawn
	errs     []error             // the first of them
	more     int                 // how many errors there were besides
	troubles []Trouble
}

// Look looks at the archive once and does what there is to do, for some minutes at most. The error tells all that failed;
// each of it is tried again by a later Look.
func (w *Watcher) Look(ctx context.Context) error {
	w.working.Lock()
	defer w.working.Unlock()
	l := &look{Watcher: w, now: w.config.Now(), seed: maphash.MakeSeed(), seen: map[uint64]struct{}{}, rejected: map[string]bool{}}
	l.full = l.now.Sub(w.full) >= w.config.Full
	err := l.run(ctx)
	if l.more > 0 {
		l.errs = append(l.errs, fmt.Errorf("and %d more errors", l.more))
	}
	err = errors.Join(append(l.errs, err)...)
	w.note(func(s *Status) {
		s.Looked, s.Error, s.Waiting, s.Troubles = l.now, err, len(w.waiting), l.troubles
	})
	return err
}

func (l *look) run(ctx context.Context) error {
	if err := l.list(ctx); err != nil {
		return err
	}
	if err := l.hold(ctx); err != nil {
		return err
	}
	fresh, changed := l.stable()
	if err := l.publishAll(ctx, fresh); err != nil {
		return err
	}
	for end := l.config.Now().Add(maxWork); len(changed) > 0 && l.config.Now().Before(end); changed = changed[1:] {
		if err := l.examine(ctx, changed[0].uid); err != nil {
			return err
		}
	}
	if !l.full || !l.complete {
		return nil
	}
	return l.sweep(ctx)
}

// failed notes an error.
func (l *look) failed(err error) {
	if len(l.errs) < maxErrors {
		l.errs = append(l.errs, err)
	} else {
		l.more++
	}
}

// fail notes what failed about a study, which is tried again after a pause. What ctx ended did not fail, and what was
// erased is not tried again.
func (l *look) fail(ctx context.Context, uid string, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if errors.Is(err, catalog.ErrNotFound) || errors.Is(err, gateway.ErrErased) { // erased meanwhile
		delete(l.waiting, uid)
		return nil
	}
	l.failed(err)
	if len(l.troubles) < maxTroubles {
		l.troubles = append(l.troubles, Trouble{uid, err})
	}
	l.pause(uid)
	return nil
}

// list goes through what the archive lists. An error says that the catalog cannot be read.
func (l *look) list(ctx context.Context) error {
	from := time.Time{}
	if !l.full {
		from = l.now.Add(-l.config.Recent)
	}
	l.complete = true
	for s, err := range l.config.Archive.Studies(ctx, from) {
		if err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			l.complete = false
			l.failed(err)
			continue
		}
		l.seen[maphash.String(l.seed, s.Study.InstanceUID)] = struct{}{}
		if err := l.compare(&s); err != nil {
			return err
		}
	}
	if len(l.wrong) == maxWrong {
		l.Watcher.full = time.Time{}
	} else if l.full {
		l.Watcher.full = l.now
	}
	return nil
}

// compare holds a listed study against what is known of it.
func (l *look) compare(s *pacs.Summary) error {
	uid := s.Study.InstanceUID
	study, err := l.config.Catalog.Study(uid)
	if errors.Is(err, catalog.ErrNotFound) {
		wanted, err := l.wanted(s)
		if wanted {
			l.wait(s)
		}
		return err
	}
	if err != nil {
		return err
	}
	seen, err := l.config.Catalog.Watched(study.StudyID)
	if errors.Is(err, catalog.ErrNotFound) { // published by hand, or interrupted: it has waited already
		l.wait(s)
		if w := l.waiting[uid]; w != nil {
			w.since = time.Time{}
		}
		return nil
	}
	if err != nil {
		return err
	}
	if seen.Missing != 0 {
		seen.Missing = 0
		if err := l.remember(study, seen); err != nil {
			return err
		}
	}
	if seen.Rejected != 0 {
		l.rejected[uid] = true
	}
	if anothers(study, seen, &s.Study) {
		if len(l.wrong) == maxWrong {
			return nil // a look at all, soon, finds it again
		}
		l.wrong = append(l.wrong, s.Study)
	}
	if listed(study, printOf(s)) != seen.Listed {
		l.wait(s)
	} else {
		delete(l.waiting, uid) // it is again as it was
	}
	return nil
}

// wanted reports whether a study that is not published is to be.
func (l *look) wanted(s *pacs.Summary) (bool, error) {
	if from := l.config.From; !from.IsZero() && s.Study.Date < from.Format("20060102") && s.Study.Stored.Before(from) {
		return false, nil
	}
	erased, err := l.config.Catalog.Erased(s.Study.InstanceUID)
	return !erased, err
}

// wait begins to wait for a study, anew if it is listed otherwise than before.
func (l *look) wait(s *pacs.Summary) {
	p := printOf(s)
	w := l.waiting[s.Study.InstanceUID]
	if w != nil && w.listed == p {
		return
	}
	if w == nil && len(l.waiting) >= maxWaiting {
		return // its turn comes when others are through
	}
	since := l.now
	if stored := s.Study.Stored; !stored.IsZero() && stored.Before(since) {
		since = stored
	}
	l.waiting[s.Study.InstanceUID] = &waiting{listed: p, since: since}
}

// stable returns the studies that have been the same for long enough, those that have waited longest first: those to
// publish, and those of which something may have changed.
func (l *look) stable() (fresh, changed []candidate) {
	var ready []string
	for uid, w := range l.waiting {
		if l.now.Sub(w.since) >= l.config.Stable && !l.now.Before(w.notBefore) {
			ready = append(ready, uid)
		}
	}
	slices.SortFunc(ready, func(a, b string) int {
		return cmp.Or(l.waiting[a].since.Compare(l.waiting[b].since), cmp.Compare(a, b))
	})
	for _, uid := range ready {
		c := candidate{uid, l.waiting[uid].listed}
		if _, _, err := l.known(uid); err == nil {
			changed = append(changed, c)
		} else {
			fresh = append(fresh, c)
		}
	}
	return fresh, changed
}
