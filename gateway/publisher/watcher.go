package publisher

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"collimate/gateway"
	"collimate/gateway/catalog"
	"collimate/ledger"
	"collimate/pacs"
	"collimate/pacs/iocm"
)

// Source is what publishes; a *gateway.Source does. Each of its methods may be repeated.
type Source interface {
	PublishBatch(ctx context.Context, studyInstanceUIDs []string) ([]gateway.Outcome, error)
	Amend(ctx context.Context, studyInstanceUID string) error
	Hold(ctx context.Context, studyInstanceUID string, held bool) error
	Withdraw(ctx context.Context, studyInstanceUID string) error
	Status(studyInstanceUID string) (ledger.Status, error)
	Room() (studies int, err error)
}

// Archive is an archive that lists its studies.
type Archive interface {
	pacs.Archive
	pacs.Lister
}

// Config is what a Watcher is made of. The first three are required; what else is zero is by default.
type Config struct {
	Source  Source
	Archive Archive // with what is rejected in it
	Catalog *catalog.Catalog
	Logger  *slog.Logger // none when nil

	// From is since when studies are published: those dated, or come, before its day are left to BackFill. Zero
	// publishes all that the archive has.
	From time.Time
	// Interval is how often the archive is asked for what is dated, or came, within Recent; Full how often for all.
	Interval, Recent, Full time.Duration
	// Stable is how long a study must have been listed the same before it is published or amended.
	Stable time.Duration
	// Grace is how long a study must have been gone from the archive, or rejected as a whole, before it is withdrawn.
	Grace time.Duration
	// MaxVanished is how many published studies may be gone from a listing, or rejected, at once; if more are, none is
	// withdrawn.
	MaxVanished int

	Now   func() time.Time                                 // time.Now when nil
	Sleep func(ctx context.Context, d time.Duration) error // of BackFill and Run; a timer when nil
}

func (c *Config) prepare() error {
	if c.Source == nil || c.Archive == nil || c.Catalog == nil {
		return errors.New("a watcher needs source, archive and catalog")
	}
	var errs []error
	for _, d := range []struct {
		name  string
		value *time.Duration
		usual time.Duration
	}{
		{"interval", &c.Interval, DefaultInterval}, {"recent", &c.Recent, DefaultRecent}, {"full", &c.Full, DefaultFull},
		{"stable", &c.Stable, DefaultStable}, {"grace", &c.Grace, DefaultGrace},
	} {
		if *d.value < 0 {
			errs = append(errs, fmt.Errorf("the time %q of a watcher is negative", d.name))
		}
		if *d.value == 0 {
			*d.value = d.usual
		}
	}
	if c.MaxVanished < 0 {
		errs = append(errs, errors.New("the number of studies that may vanish at once is negative"))
	}
	if c.MaxVanished == 0 {
		c.MaxVanished = DefaultMaxVanished
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Sleep == nil {
		c.Sleep = sleep
	}
	return errors.Join(errs...)
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Watcher keeps a source in step with its archive. Its methods may be called concurrently.
type Watcher struct {
	config  Config
	archive *iocm.Archive // without what is rejected

	working sync.Mutex          // held while anything is published or changed; guards what follows
	waiting map[string]*waiting // studies that are to become stable or to be tried again, by UID
	full    time.Time           // when the last full listing began that came to its end
	cursor  string              // the study that was examined last

	mu     sync.Mutex // of status
	status Status
}

// waiting is a study that was listed otherwise than it was published, or that is not published.
type waiting struct {
	listed    digest
	since     time.Time // when it was first listed so, or came
	paused    time.Duration
	notBefore time.Time // because it failed
}

// pause puts the next try of a study off, each time for longer.
func (w *Watcher) pause(uid string) {
	if p := w.waiting[uid]; p != nil {
		p.paused = min(max(2*p.paused, w.config.Interval), maxPause)
		p.notBefore = w.config.Now().Add(p.paused)
	}
}

// Status is what a Watcher has done since it was made, and what it found last.
type Status struct {
	Looked    time.Time // when it last came to the end of a look
	Error     error     // of the last look; nil if all went well
	Waiting   int       // studies that are not stable yet, or could not be published
	Missing   int       // published studies that the archive has not, by the last full listing
	Rejected  int       // published studies that are held because all of them is rejected: by the last full listing, and found since
	Published int
	Amended   int
	Held      int
	Withdrawn int
	Troubles  []Trouble // studies that could not be dealt with in the last look, the first of them
}

// Trouble is a study that could not be dealt with. It is for the operator and not for a log.
type Trouble struct {
	StudyInstanceUID string
	Err              error
}

// New makes a Watcher. It does nothing until Run, Look or BackFill is called.
func New(c Config) (*Watcher, error) {
	if err := c.prepare(); err != nil {
		return nil, fmt.Errorf("publisher: %w", err)
	}
	return &Watcher{config: c, archive: iocm.New(c.Archive), waiting: map[string]*waiting{}}, nil
}

// Run looks at each interval until ctx ends. What fails is logged and tried again.
func (w *Watcher) Run(ctx context.Context) error {
	for {
		before := w.Status().Published
		if err := w.Look(ctx); err != nil && ctx.Err() == nil {
			w.config.Logger.Warn("keeping what is published in step with the archive", "error", err)
		}
		if n := w.Status().Published - before; n > 0 {
			w.config.Logger.Info("published", "studies", n)
		}
		if err := w.config.Sleep(ctx, w.config.Interval); err != nil {
			return err
		}
	}
}

// Status returns what was done and found.
func (w *Watcher) Status() Status {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.status
}

// note changes the status.
func (w *Watcher) note(change func(s *Status)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	change(&w.status)
}
