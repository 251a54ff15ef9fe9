package admin

import "time"

const (
	// maxRequestBytes bounds a request; a folder's name has at most 4 kB.
	maxRequestBytes = 16 << 10
	// maxEventBytes bounds one line of an answer: a folder of 10,000 studies
	// makes tickets of 8 MB.
	maxEventBytes = 64 << 20
	// progressInterval is how often progress is sent at the most: as often as an eye follows.
	progressInterval = 100 * time.Millisecond
	// tokenBytes is the length of the token; nobody guesses 256 bits.
	tokenBytes = 32
)
