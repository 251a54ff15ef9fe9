package pacs

import "testing"

func TestCompareNumbers(t *testing.T) {
	for _, tt := range []struct {
		a, b string
		want int
	}{
		{"2", "10", -1}, {"10", "2", 1}, {"2", "2", 0}, {"02", "2", 0}, {"-1", "1", -1},
		{"1", "", -1}, {"", "1", 1}, {"", "", 0}, {"x", "y", 0}, {"99999999999999999999", "1", 1},
	} {
		if got := compareNumbers(tt.a, tt.b); got != tt.want {
			t.Errorf("%q, %q: %d, want %d", tt.a, tt.b, got, tt.want)
		}
	}
}
