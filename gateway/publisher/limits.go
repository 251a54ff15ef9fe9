package publisher

import "time"

// What a Config stands for that does not say.
const (
	// DefaultInterval is how often the archive is asked for what came of late.
	DefaultInterval = time.Minute
	// DefaultFull is how often it is asked for all.
	DefaultFull = time.Hour
	// DefaultRecent is how far back what is asked for at each interval goes: over a long weekend without us.
	DefaultRecent = 7 * 24 * time.Hour
	// DefaultStable is how long a study must have been the same. Modalities send a study within minutes; some pause
	// for a second series.
	DefaultStable = 10 * time.Minute
	// DefaultGrace is for how long a study must be gone from the archive.
	DefaultGrace = 24 * time.Hour
	// DefaultMaxVanished is how many studies may be gone at once and it is still taken for deleting.
	DefaultMaxVanished = 50
)

const (
	// maxWaiting bounds the studies that wait, at some 300 bytes each. More of them wait their turn in the archive.
	maxWaiting = 50_000
	// maxWork is for how long a look publishes, and then amends, before it looks again: a wrong patient is not to wait.
	maxWork = time.Minute
	// maxFilling is for how long a batch is filled: an archive behind a network reads each instance of a study before
	// it lists it, and the first study is not to wait for the last.
	maxFilling = 20 * time.Second
	// maxPause is the longest pause after a study has failed; the first is the interval, and each is twice the last.
	maxPause = time.Hour
	// maxWrong bounds the studies that one look holds; more of them are held by the next.
	maxWrong = 1000
	// maxErrors bounds the errors of one look that are told one by one.
	maxErrors = 10
	// maxTroubles bounds the studies whose trouble is kept for the operator.
	maxTroubles = 100
	// examine is how many published studies are looked into at each full listing though it shows no change.
	examine = 100
)
