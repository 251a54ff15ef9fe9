package iocm

const (
	// maxNotes bounds the key objects whose contents are kept in memory, rejection notes or not.
	maxNotes = 10_000

	// maxKept is the longest rejection note that is kept, at some 80 bytes a reference: longer ones are read each time.
	maxKept = 1000
)
