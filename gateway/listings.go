package gateway

import (
	"context"
	"sync"
	"time"

	"collimate/pacs"
)

// listings remembers what an archive has listed of late. Nobody changes a listing.
type listings struct {
	keep time.Duration // how long; zero for not at all

	mu     sync.Mutex
	recent map[string]recent // by Study Instance UID; guarded by mu
}

type recent struct {
	study *pacs.Study
	at    time.Time // on the monotonic clock
}

// study lists a study, or remembers how it was listed.
func (l *listings) study(ctx context.Context, archive pacs.Archive, uid string) (*pacs.Study, error) {
	if l.keep == 0 {
		return archive.Study(ctx, uid)
	}
	l.mu.Lock()
	r, ok := l.recent[uid]
	l.mu.Unlock()
	if ok && time.Since(r.at) < l.keep {
		return r.study, nil
	}
	begun := time.Now()
	study, err := archive.Study(ctx, uid)
	if err != nil {
		l.forget(uid)
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for other, r := range l.recent {
		if len(l.recent) >= maxListings || time.Since(r.at) >= l.keep {
			delete(l.recent, other)
		}
	}
	if l.recent == nil {
		l.recent = map[string]recent{}
	}
	l.recent[uid] = recent{study, begun}
	return study, nil
}

// forget drops what is remembered of a study, as when it was changed.
func (l *listings) forget(uid string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.recent, uid)
}
