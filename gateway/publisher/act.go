package publisher

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"time"

	"collimate/gateway"
	"collimate/gateway/catalog"
	"collimate/ledger"
	"collimate/pacs"
	"collimate/pacs/iocm"
)

// candidate is a study that is to be published, and as what it was listed.
type candidate struct {
	uid    string
	listed digest
}

// inspected is a candidate that was looked into.
type inspected struct {
	candidate
	study   pacs.Study // without Series
	content digest
}

// publishAll publishes studies for as long as a look may take. An error says that ctx ended or the catalog fails.
func (l *look) publishAll(ctx context.Context, studies []candidate) error {
	for end := l.config.Now().Add(maxWork); len(studies) > 0 && l.config.Now().Before(end); {
		room, err := l.config.Source.Room()
		if err == nil && room == 0 {
			err = errNoRoom
		}
		if err != nil {
			l.failed(err)
			return nil
		}
		n := min(len(studies), room, gateway.MaxBatch)
		taken, err := l.publish(ctx, studies[:n], func(uid string, err error) error { return l.fail(ctx, uid, err) })
		if refused := (*batchError)(nil); errors.As(err, &refused) && ctx.Err() == nil {
			l.failed(err)
			return nil
		}
		if err != nil {
			return err
		}
		studies = studies[taken:]
	}
	return nil
}

// errNoRoom is a bond that is used up for now.
var errNoRoom = errors.New("the source's allowance on the ledger is used up: studies wait until it refills or more is bonded")

// batchError is a batch of which nothing can be said: the ledger or the catalog are in trouble.
type batchError struct{ error }

func (e *batchError) Unwrap() error { return e.error }

// publish publishes as many of the studies as can be looked into in a while, and returns how many of them it has dealt
// with. What fails about one study goes to failed; if that returns an error it ends.
func (w *Watcher) publish(
	ctx context.Context, studies []candidate, failed func(uid string, err error) error,
) (taken int, err error) {
	var batch []inspected
	for end := w.config.Now().Add(maxFilling); taken < len(studies) && (taken == 0 || w.config.Now().Before(end)); taken++ {
		c := studies[taken]
		s, err := w.archive.Study(ctx, c.uid)
		if errors.Is(err, iocm.ErrRejected) || errors.Is(err, iocm.ErrMixed) {
			if err := w.adopt(c.uid); err != nil {
				return taken, err
			}
		}
		switch {
		case errors.Is(err, iocm.ErrRejected):
			w.pause(c.uid) // until something else is listed of it, or for a while
		case errors.Is(err, pacs.ErrNotFound):
			delete(w.waiting, c.uid)
		case err != nil:
			if err := failed(c.uid, err); err != nil {
				return taken, err
			}
		default:
			batch = append(batch, inspected{c, s.Summary().Study, contentOf(s)})
		}
	}
	if len(batch) == 0 {
		return taken, ctx.Err()
	}
	uids := make([]string, len(batch))
	for i, b := range batch {
		uids[i] = b.uid
	}
	outcomes, err := w.config.Source.PublishBatch(ctx, uids)
	if err != nil {
		return 0, &batchError{err}
	}
	seen := make(map[ledger.StudyID]catalog.Watched, len(batch))
	for i, o := range outcomes {
		switch {
		case errors.Is(o.Err, gateway.ErrErased), errors.Is(o.Err, pacs.ErrNotFound):
			delete(w.waiting, uids[i])
			continue
		case o.Err != nil && !errors.Is(o.Err, gateway.ErrWithdrawn): // which is left in peace from now on
			if err := failed(uids[i], o.Err); err != nil {
				return taken, err
			}
			continue
		case o.Err == nil:
			w.note(func(s *Status) { s.Published++ })
		}
		study, err := w.config.Catalog.Study(uids[i])
		if errors.Is(err, catalog.ErrNotFound) { // erased meanwhile
			delete(w.waiting, uids[i])
			continue
		}
		if err != nil {
			return taken, err
		}
		now := catalog.Watched{Listed: listed(study, batch[i].listed), Content: content(study, batch[i].content)}
		remember(study, &now, &batch[i].study)
		seen[study.StudyID] = now
		delete(w.waiting, uids[i])
	}
	return taken, w.config.Catalog.PutWatched(seen)
}

// adopt makes a study known that was published by hand, so that the next look examines it, and holds it.
func (w *Watcher) adopt(uid string) error {
	study, err := w.config.Catalog.Study(uid)
	if err == nil {
		_, err = w.config.Catalog.Watched(study.StudyID)
		if errors.Is(err, catalog.ErrNotFound) {
			return w.remember(study, catalog.Watched{})
		}
	}
	if errors.Is(err, catalog.ErrNotFound) { // it is not published
		return nil
	}
	return err
}

// known returns a published study and what is remembered of it, catalog.ErrNotFound unless there are both.
func (w *Watcher) known(uid string) (study catalog.Study, seen catalog.Watched, err error) {
	if study, err = w.config.Catalog.Study(uid); err == nil {
		seen, err = w.config.Catalog.Watched(study.StudyID)
	}
	return study, seen, err
}

func (w *Watcher) remember(study catalog.Study, seen catalog.Watched) error {
	return w.config.Catalog.PutWatched(map[ledger.StudyID]catalog.Watched{study.StudyID: seen})
}

// hold holds what is listed as another patient's.
func (l *look) hold(ctx context.Context) error {
	for _, s := range l.wrong {
		study, seen, err := l.known(s.InstanceUID)
		if err == nil {
			err = l.holdAnothers(ctx, study, &seen, &s)
		}
		if err != nil {
			if err := l.fail(ctx, s.InstanceUID, err); err != nil {
				return err
			}
		}
	}
	return nil
}

// holdAnothers holds a study and takes over whose it is said to be now, so that the operator's release stands.
func (l *look) holdAnothers(ctx context.Context, study catalog.Study, seen *catalog.Watched, s *pacs.Study) error {
	err := l.holdOne(ctx, study, "its patient id has changed in the archive: release it if the patient is the same, or withdraw it")
	if err != nil {
		return err
	}
	remember(study, seen, s)
	return l.remember(study, *seen)
}

// holdOne holds a study that is live, until a person decides.
func (l *look) holdOne(ctx context.Context, study catalog.Study, why string) error {
	if status, err := l.config.Source.Status(study.StudyInstanceUID); err != nil || status != ledger.Live {
		return err
	}
	if err := l.config.Source.Hold(ctx, study.StudyInstanceUID, true); err != nil && !isWithdrawn(err) {
		return fmt.Errorf("holding a study, as %s: %w", why, err)
	}
	l.config.Logger.Warn("a study is held", "study", study.StudyID, "reason", why)
	l.note(func(s *Status) { s.Held++ })
	return nil
}

// isWithdrawn reports a refusal because the study is withdrawn, after which nothing is left to be done about it.
func isWithdrawn(err error) bool { return ledger.CodeOf(err) == ledger.CodeWithdrawn }

// examine looks into a published study and amends it if it is not what was published, or holds it if nothing of it is
// left or it is of two patients.
func (l *look) examine(ctx context.Context, uid string) error {
	study, seen, err := l.known(uid)
	if errors.Is(err, catalog.ErrNotFound) { // erased meanwhile
		delete(l.waiting, uid)
		return nil
	}
	if err != nil {
		return err
	}
	s, err := l.archive.Study(ctx, uid)
	switch {
	case errors.Is(err, iocm.ErrRejected):
		err = l.reject(ctx, study, &seen)
	case errors.Is(err, iocm.ErrMixed):
		seen.Rejected = 0
		err = l.holdOne(ctx, study, "some of its images name another patient: reject those by a note, or take them out of the archive, and release it")
	case errors.Is(err, pacs.ErrNotFound):
		delete(l.waiting, uid) // whether it is gone is for sweep to say
		return nil
	case err == nil:
		seen.Rejected = 0
		err = l.amend(ctx, study, &seen, s)
	}
	if err != nil {
		return l.fail(ctx, uid, err)
	}
	if w := l.waiting[uid]; w != nil {
		seen.Listed = listed(study, w.listed)
		delete(l.waiting, uid)
	}
	return l.remember(study, seen)
}

// amend amends a study if its content is not what was published, and has it registered in any case.
func (l *look) amend(ctx context.Context, study catalog.Study, seen *catalog.Watched, s *pacs.Study) error {
	if anothers(study, *seen, s) {
		if err := l.holdAnothers(ctx, study, seen, s); err != nil {
			return err
		}
	}
	remember(study, seen, s)
	now := content(study, contentOf(s))
	if now == seen.Content {
		return l.register(ctx, s.InstanceUID)
	}
	err := l.config.Source.Amend(ctx, s.InstanceUID)
	switch {
	case err == nil:
		l.note(func(s *Status) { s.Amended++ })
	case errors.Is(err, gateway.ErrUnregistered): // then it is on the ledger, and is not to be amended again
	case !isWithdrawn(err):
		return err
	default:
		err = nil
	}
	seen.Content = now
	if err != nil {
		return errors.Join(err, l.remember(study, *seen))
	}
	return nil
}

// register has a published study put into the registry if it is not there as it is.
func (l *look) register(ctx context.Context, uid string) error {
	outcomes, err := l.config.Source.PublishBatch(ctx, []string{uid})
	if err == nil && !errors.Is(outcomes[0].Err, gateway.ErrWithdrawn) {
		err = outcomes[0].Err
	}
	return err
}

// reject holds a study of which everything is rejected. Anybody who can store into the archive can store notes, and a
// withdrawal is for good: so it comes only by a sweep that finds few such studies, after the time of grace, and unless a
// person has released the study.
func (l *look) reject(ctx context.Context, study catalog.Study, seen *catalog.Watched) error {
	if seen.Rejected == 0 {
		err := l.holdOne(ctx, study, "all of its instances are rejected: release it if the notes are wrong, or it is withdrawn after a time of grace")
		if err == nil {
			seen.Rejected, l.rejected[study.StudyInstanceUID] = l.now.Unix(), true
			l.note(func(s *Status) { s.Rejected++ })
		}
		return err
	}
	if !l.few || l.now.Sub(time.Unix(seen.Rejected, 0)) < l.config.Grace {
		return nil
	}
	if status, err := l.config.Source.Status(study.StudyInstanceUID); err != nil || status != ledger.Held {
		return err
	}
	return l.withdraw(ctx, study, "all of its instances are rejected")
}

func (l *look) withdraw(ctx context.Context, study catalog.Study, why string) error {
	if status, err := l.config.Source.Status(study.StudyInstanceUID); err != nil || status == ledger.Withdrawn {
		return err
	}
	if err := l.config.Source.Withdraw(ctx, study.StudyInstanceUID); err != nil && !isWithdrawn(err) {
		return err
	}
	l.config.Logger.Warn("a study is withdrawn", "study", study.StudyID, "reason", why)
	l.note(func(s *Status) { s.Withdrawn++ })
	return nil
}

// sweep sees to the published studies that a whole listing left out and to those that are rejected, and looks into some
// of the others: a listing can be the same while an instance is not.
func (l *look) sweep(ctx context.Context) error {
	var gone, rejected, next []string
	missing, vanished, total := 0, 0, 0
	err := l.config.Catalog.Each(func(study catalog.Study) error {
		uid := study.StudyInstanceUID
		_, ok := l.seen[maphash.String(l.seed, uid)]
		if ok && !l.rejected[uid] {
			total++
			if uid > l.cursor && len(next) < examine {
				next = append(next, uid)
			}
			return nil
		}
		status, err := l.config.Source.Status(uid)
		if errors.Is(err, ledger.ErrNotFound) || err == nil && status == ledger.Withdrawn {
			return nil
		}
		if err != nil {
			return err
		}
		total++
		if ok && status != ledger.Held { // a person has released it
			return nil
		}
		if vanished++; !ok {
			missing++
		}
		switch {
		case vanished > l.config.MaxVanished:
		case ok:
			rejected = append(rejected, uid)
		default:
			gone = append(gone, uid)
		}
		return nil
	})
	if err != nil {
		return err
	}
	l.note(func(s *Status) { s.Missing, s.Rejected = missing, vanished-missing })
	if l.few = vanished <= l.config.MaxVanished; !l.few {
		l.failed(fmt.Errorf("%d of %d published studies are not in the archive, or all of their instances are rejected, more than the %d "+
			"that may vanish at once: none is withdrawn; see to the archive, or withdraw them yourself", vanished, total, l.config.MaxVanished))
		gone, rejected = nil, nil
	}
	for _, uid := range gone {
		if err := l.miss(ctx, uid); err != nil {
			return err
		}
	}
	l.cursor = ""
	if len(next) == examine {
		l.cursor = next[examine-1]
	}
	for _, uid := range append(next, rejected...) {
		if l.waiting[uid] != nil {
			continue // it is looked into when it is stable
		}
		if err := l.examine(ctx, uid); err != nil {
			return err
		}
	}
	return nil
}

// miss asks for a study that was not listed, and withdraws it if it was gone a time of grace ago and still is.
func (l *look) miss(ctx context.Context, uid string) error {
	study, err := l.config.Catalog.Study(uid)
	if errors.Is(err, catalog.ErrNotFound) {
		return nil // erased meanwhile
	}
	if err != nil {
		return err
	}
	seen, err := l.config.Catalog.Watched(study.StudyID)
	if err != nil && !errors.Is(err, catalog.ErrNotFound) {
		return err
	}
	before := seen
	switch _, err = l.archive.Study(ctx, uid); {
	case err == nil, errors.Is(err, iocm.ErrMixed): // it is the listing that was wrong
		seen.Missing, err = 0, nil
	case errors.Is(err, iocm.ErrRejected):
		seen.Missing, err = 0, l.reject(ctx, study, &seen)
	case errors.Is(err, pacs.ErrNotFound) && before.Missing == 0:
		seen.Missing, err = l.now.Unix(), nil
	case errors.Is(err, pacs.ErrNotFound) && l.now.Sub(time.Unix(before.Missing, 0)) < l.config.Grace:
		err = nil
	case errors.Is(err, pacs.ErrNotFound):
		err = l.withdraw(ctx, study, "it is gone from the archive")
	}
	if err != nil {
		return l.fail(ctx, uid, err)
	}
	if seen == before {
		return nil
	}
	return l.remember(study, seen)
}
