package atna

const (
	// maxRecord bounds one message as XML, in bytes. A message about 1,000 documents takes about 400 KB.
	maxRecord = 1 << 20
	// maxReason bounds EventOutcomeDescription, in bytes: a page for a person. What is longer is cut.
	maxReason = 4 << 10
	// maxText bounds any single text that came from a peer, in bytes. Certificate subjects, the longest of
	// them, stay far below.
	maxText = 1 << 10
	// DefaultMaxBytes is the size in bytes at which a FileSpool begins a new file: about 50,000 retrieves,
	// and still opened by any editor.
	DefaultMaxBytes = 64 << 20
)
