package remote

import "time"

const (
	// maxIndexBytes bounds the record of one study that is read: dicom.MaxInstances at some 250 bytes each.
	maxIndexBytes = 32 << 20

	// maxStudies bounds the records that are kept. A centre makes some 100 studies a day.
	maxStudies = 50_000

	// parallel is how many instances of a study are measured at once: enough to keep a PACS busy, few enough to
	// leave it to its other users.
	parallel = 4

	// saveAfter is how many instances may have to be measured again after a crash.
	saveAfter = 500

	// attempts is how often a request is made before it is given up.
	attempts = 3

	// backOff is the pause before the second attempt; it doubles, and is drawn between half and the whole, so
	// that many requests that fail at once do not come back at once.
	backOff = 200 * time.Millisecond

	// readAhead is what is read of an instance before it is handed out. A transfer that breaks until then is
	// tried again; one that breaks later is an error of the reader.
	readAhead = 64 << 10

	// copyBuffer is what an instance is measured through.
	copyBuffer = 256 << 10

	// minBatch is how many instances of a series must be wanted for the series to be asked for as a whole: what is
	// not wanted of it comes too.
	minBatch = 8

	// maxIdleParts bounds the instances of such an answer that come in vain, beside as many as are wanted, before the
	// rest is opened one by one.
	maxIdleParts = 16
)
