package fs

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"path"
	"slices"
	"strings"
	"time"

	"collimate/pacs"
)

// listed is the summary of a study, and of which files.
type listed struct {
	index, journal stamp
	summary        pacs.Summary
}

// stamp tells one state of a file from another: files are replaced or grow.
type stamp struct {
	modified int64 // Unix nanoseconds; 0 if there is no file
	size     int64
}

// Studies implements pacs.Lister. It goes by when files came, and reads those that have changed since it was last called.
func (a *Archive) Studies(ctx context.Context, from time.Time) iter.Seq2[pacs.Summary, error] {
	return func(yield func(pacs.Summary, error) bool) {
		names, err := a.names(studies)
		if err != nil {
			yield(pacs.Summary{}, fmt.Errorf("listing the archive: %w", err))
			return
		}
		for n, name := range names { // a study has an index, a journal or both
			names[n], _, _ = strings.Cut(name, ".")
		}
		for _, name := range slices.Compact(names) {
			if err := ctx.Err(); err != nil {
				yield(pacs.Summary{}, err)
				return
			}
			s, err := a.summary(name, from)
			if errors.Is(err, pacs.ErrNotFound) {
				continue // it came before, or is a journal that was begun and holds nothing yet
			}
			if err != nil {
				err = fmt.Errorf("listing the archive: %w", err) // one study is damaged; the others are not
			}
			if !yield(s, err) {
				return
			}
		}
	}
}

// summary returns that of a study by the stem of its files, pacs.ErrNotFound if it came before from.
func (a *Archive) summary(stem string, from time.Time) (pacs.Summary, error) {
	name := path.Join(studies, stem)
	var now listed
	var err error
	if now.journal, err = a.stamp(name + ".journal"); err != nil { // first, as readIndex does
		return pacs.Summary{}, err
	}
	if now.index, err = a.stamp(name + ".json"); err != nil {
		return pacs.Summary{}, err
	}
	if !from.IsZero() && max(now.index.modified, now.journal.modified) < from.UnixNano() {
		return pacs.Summary{}, pacs.ErrNotFound
	}
	a.listing.Lock()
	before, ok := a.listed[stem]
	a.listing.Unlock()
	if ok && before.index == now.index && before.journal == now.journal {
		return before.summary, nil
	}
	x, err := a.readIndex(name) // as it is now or better; if better it is read once more next time
	if err != nil {
		return pacs.Summary{}, err
	}
	now.summary = x.Study.Summary()
	a.listing.Lock()
	defer a.listing.Unlock()
	if a.listed == nil || len(a.listed) >= maxListed {
		a.listed = make(map[string]listed)
	}
	a.listed[stem] = now
	return now.summary, nil
}

func (a *Archive) stamp(name string) (stamp, error) {
	info, err := a.stat(name)
	if info == nil || err != nil {
		return stamp{}, err
	}
	return stamp{info.ModTime().UnixNano(), info.Size()}, nil
}
