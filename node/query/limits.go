package query

import "time"

const (
	// MaxBytes bounds a query: one signed with RSA-8192 takes 2.3 KiB.
	MaxBytes = 4 << 10

	// MaxAge is how far a query may be from the clock of whoever answers it, in either direction: what a phone's
	// clock is wrong by, and not enough for a query that leaks to be of use for long.
	MaxAge = 5 * time.Minute
)
