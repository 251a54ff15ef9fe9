package config

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Fault is one thing that is wrong with a configuration.
type Fault struct {
	File    string
	Line    int    // 1 is the first; 0 if the fault has no line: something is missing, or it came from elsewhere
	Key     string // section.key or the name of an environment variable; may be empty
	Field   string // section.key when Key is an environment variable
	Message string // a phrase that says what is wrong and what would be right
}

// String returns "file:line: key: message", the form that editors can jump to.
func (f Fault) String() string {
	var b strings.Builder
	b.WriteString(f.File)
	if f.Line > 0 {
		fmt.Fprintf(&b, ":%d", f.Line)
	}
	b.WriteString(": ")
	if f.Key != "" {
		b.WriteString(f.Key + ": ")
	}
	b.WriteString(f.Message)
	return b.String()
}

// Faults are all that is wrong with a configuration, in the order of lines.
type Faults []Fault

// Error returns one line for each fault.
func (f Faults) Error() string {
	lines := make([]string, len(f))
	for i := range f {
		lines[i] = f[i].String()
	}
	return strings.Join(lines, "\n")
}

// inFile names the file in each fault and sorts; it returns nil, not an empty Faults, when there are none.
func (f Faults) inFile(name string) error {
	if len(f) == 0 {
		return nil
	}
	for i := range f {
		f[i].File = name
	}
	return f.sorted()
}

// sorted sorts by line; faults without one come first.
func (f Faults) sorted() Faults {
	slices.SortStableFunc(f, func(a, b Fault) int { return cmp.Compare(a.Line, b.Line) })
	return f
}

// about reports whether a key has a fault already, so that one mistake is told once.
func (f Faults) about(key string) bool {
	return slices.ContainsFunc(f, func(x Fault) bool { return x.Key == key || x.Field == key })
}

// yamlLine finds the line in an error of the YAML library, which has no type for it.
var yamlLine = regexp.MustCompile(`^yaml: (?:line (\d+): )?(.*)$`)

func syntaxFault(err error) Fault {
	first, _, _ := strings.Cut(err.Error(), "\n")
	m := yamlLine.FindStringSubmatch(first)
	if m == nil {
		return Fault{Message: "not YAML: " + first}
	}
	line, _ := strconv.Atoi(m[1])
	return Fault{Line: line, Message: "not YAML: " + m[2]}
}

// suggest returns a hint at the nearest of some words, or nothing if none is near.
func suggest(word string, among []string) string {
	best, distance := "", maxSuggestionDistance+1
	for _, w := range among {
		if d := edits(word, w); d < distance && d < len(w) {
			best, distance = w, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf(", did you mean %q?", best)
}

// edits is the Levenshtein distance of two words.
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			d := diagonal
			if a[i] != b[j] {
				d++
			}
			diagonal = row[j+1]
			row[j+1] = min(d, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
