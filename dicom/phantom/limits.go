package phantom

// Limits on Options.
const (
	maxSeries = 64     // more than any protocol makes
	maxSlices = 10_000 // of one series; at the default size 5 GB
	minSide   = 16     // below, the object has no room
	maxSide   = 4096   // of a slice; 32 MiB of pixels in memory
)
