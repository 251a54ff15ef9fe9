package ticket

const (
	// maxCode bounds the characters of a code that is read; with the longest of all that it holds it has 380.
	maxCode = 1 << 10
	// maxLine bounds what an institution has printed in one line: 64 characters of any script fit.
	maxLine = 64
	// maxFont bounds a font that is given; one with all of Hangul has 4 MB, with all of Unicode's Han 20 MB.
	maxFont = 64 << 20
)
