//go:build !race

package conformance

// raceEnabled makes tests that move much data move less.
const raceEnabled = false
