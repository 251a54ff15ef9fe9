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

func TestContradicts(t *testing.T) {
	for _, tt := range []struct {
		study      Study
		id, issuer string
		want       bool
	}{
		{Study{PatientID: "1"}, "1", "", false},
		{Study{PatientID: "1"}, "2", "", true},
		{Study{PatientID: "1"}, "", "", false},
		{Study{}, "1", "A", false},
		{Study{PatientID: "1", IssuerOfPID: "A"}, "1", "", false},
		{Study{PatientID: "1"}, "1", "A", false},
		{Study{PatientID: "1", IssuerOfPID: "A"}, "1", "A", false},
		{Study{PatientID: "1", IssuerOfPID: "A"}, "1", "B", true},
		{Study{PatientID: "1", IssuerOfPID: "A"}, "", "B", true},
	} {
		if got := tt.study.Contradicts(tt.id, tt.issuer); got != tt.want {
			t.Errorf("%q of %q in a study of %q of %q: %v", tt.id, tt.issuer, tt.study.PatientID, tt.study.IssuerOfPID, got)
		}
	}
}
