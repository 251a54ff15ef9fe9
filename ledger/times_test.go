package ledger_test

import (
	"encoding/json"
	"math"
	"testing"

	"collimate/ledger"
)

// TestTimes: times are text in JSON, never is empty, and both come back as they were.
func TestTimes(t *testing.T) {
	type times struct {
		S ledger.Seconds
		N ledger.Nanoseconds
	}
	for _, c := range []struct {
		in   times
		want string
	}{
		{times{}, `{"S":"","N":""}`},
		{times{1, 1}, `{"S":"1970-01-01T00:00:01Z","N":"1970-01-01T00:00:00.000000001Z"}`},
		{times{1767225600, 1767225600_500000000}, `{"S":"2026-01-01T00:00:00Z","N":"2026-01-01T00:00:00.5Z"}`},
		{times{-1, -1}, `{"S":"1969-12-31T23:59:59Z","N":"1969-12-31T23:59:59.999999999Z"}`},
	} {
		b, err := json.Marshal(c.in)
		if err != nil || string(b) != c.want {
			t.Errorf("%+v: got %s, %v, want %s", c.in, b, err, c.want)
		}
		var out times
		if err := json.Unmarshal(b, &out); err != nil || out != c.in {
			t.Errorf("%s: got %+v, %v", b, out, err)
		}
	}
	var s ledger.Seconds
	var n ledger.Nanoseconds
	for _, bad := range []string{"x", "2026-01-01", "1"} {
		if s.UnmarshalText([]byte(bad)) == nil || n.UnmarshalText([]byte(bad)) == nil {
			t.Errorf("%q is taken for a time", bad)
		}
	}
	if !ledger.Seconds(0).Time().IsZero() || !ledger.Nanoseconds(0).Time().IsZero() {
		t.Error("never is not the zero time")
	}
	// What no rule lets in still prints.
	if _, err := ledger.Seconds(math.MaxInt64).MarshalText(); err != nil {
		t.Error(err)
	}
}
