package remote

import (
	"errors"
	"testing"
	"time"

	"collimate/pacs"
)

// TestListingFails: a listing that fails at once is tried again, one that fails midway is not and says so, and a study
// without a name does not end it.
func TestListingFails(t *testing.T) {
	broken := errors.New("broken")
	one := func(uid string) pacs.Summary { return pacs.Summary{Study: pacs.Study{InstanceUID: uid}} }
	for _, tt := range []struct {
		name           string
		script         func(call int, yield func(pacs.Summary, error) bool)
		studies, calls int
		want           error
	}{
		{"at first", func(call int, yield func(pacs.Summary, error) bool) {
			if call == 1 {
				yield(pacs.Summary{}, broken)
				return
			}
			yield(one("1.2.3"), nil)
		}, 1, 2, nil},
		{"always", func(_ int, yield func(pacs.Summary, error) bool) { yield(pacs.Summary{}, broken) }, 0, attempts, broken},
		{"refused", func(_ int, yield func(pacs.Summary, error) bool) { yield(pacs.Summary{}, ErrRefused) }, 0, 1, ErrRefused},
		{"midway", func(_ int, yield func(pacs.Summary, error) bool) {
			_ = yield(one("1.2.3"), nil) && yield(pacs.Summary{}, broken)
		}, 1, 1, broken},
		{"nameless", func(_ int, yield func(pacs.Summary, error) bool) {
			_ = yield(one("../../etc"), nil) && yield(one("1.2.3"), nil)
		}, 1, 1, errNameless},
	} {
		calls, studies := 0, 0
		f := &fake{studies: func(yield func(pacs.Summary, error) bool) { calls++; tt.script(calls, yield) }}
		var got error
		for s, err := range open(t, f, t.TempDir()).Studies(t.Context(), time.Time{}) {
			if err != nil {
				got = errors.Join(got, err)
			} else if studies++; s.Study.InstanceUID != "1.2.3" {
				t.Errorf("%s: lists %q", tt.name, s.Study.InstanceUID)
			}
		}
		if studies != tt.studies || calls != tt.calls || !errors.Is(got, tt.want) {
			t.Errorf("%s: %d studies by %d calls, %v; want %d by %d, %v", tt.name, studies, calls, got, tt.studies, tt.calls, tt.want)
		}
	}
}
