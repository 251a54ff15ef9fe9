package query

import (
	"slices"
	"strings"
)

// text is a value that patterns of SQL LIKE are held against: % stands for any text, _ for any character. Its sets of
// positions are bits, position i being before character i, so that a pattern takes a step for each of its characters,
// whatever they are.
type text struct {
	value string
	end   int               // the position after the last character
	at    map[rune][]uint64 // by character: where it stands
}

func newText(value string) *text { return &text{value: value} }

// like reports whether the text matches a pattern.
func (t *text) like(pattern string) bool {
	if !strings.ContainsAny(pattern, "%_") {
		return pattern == t.value
	}
	if t.at == nil {
		t.index()
	}
	reached := make([]uint64, t.end/64+1) // the positions that the pattern has come to
	reached[0] = 1
	for _, c := range pattern {
		var carry uint64
		if c == '%' {
			for i, word := range reached { // all from the lowest on
				word |= carry
				word |= -word
				reached[i], carry = word, -(word >> 63)
			}
			continue
		}
		at := t.at[c]
		for i, word := range reached {
			if c != '_' {
				if at == nil {
					return false
				}
				word &= at[i]
			}
			reached[i], carry = word<<1|carry, word>>63
		}
	}
	return reached[t.end/64]>>(t.end%64)&1 == 1
}

func (t *text) index() {
	characters := []rune(t.value)
	t.end, t.at = len(characters), map[rune][]uint64{}
	for i, c := range characters {
		if t.at[c] == nil {
			t.at[c] = make([]uint64, t.end/64+1)
		}
		t.at[c][i/64] |= 1 << (i % 64)
	}
}

// likes reports whether conditions on values hold.
func likes(conditions []Like, values []string) bool {
	if len(conditions) == 0 {
		return true
	}
	texts := make([]*text, len(values))
	for i, value := range values {
		texts[i] = newText(value)
	}
	for _, l := range conditions {
		found := slices.ContainsFunc(texts, func(t *text) bool { return slices.ContainsFunc(l.AnyOf, t.like) })
		if found == l.Not {
			return false
		}
	}
	return true
}
