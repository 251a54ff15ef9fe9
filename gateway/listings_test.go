package gateway

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"collimate/pacs"
)

// counted counts how often it lists.
type counted struct {
	pacs.Archive
	listed int
	err    error
}

func (c *counted) Study(_ context.Context, uid string) (*pacs.Study, error) {
	c.listed++
	return &pacs.Study{InstanceUID: uid, ID: fmt.Sprint(c.listed)}, c.err
}

func TestListings(t *testing.T) {
	a := &counted{}
	check := func(l *listings, uid string, want int) {
		t.Helper()
		s, err := l.study(t.Context(), a, uid)
		if err != nil || s.InstanceUID != uid || a.listed != want {
			t.Errorf("%+v, %v after %d listings, want %d", s, err, a.listed, want)
		}
	}
	none := &listings{}
	check(none, "1", 1)
	check(none, "1", 2)

	some := &listings{keep: time.Hour}
	check(some, "1", 3)
	check(some, "1", 3)
	some.forget("1")
	check(some, "1", 4)
	r := some.recent["1"]
	r.at = r.at.Add(-time.Hour)
	some.recent["1"] = r
	check(some, "1", 5)
	for i := range 2 * maxListings {
		check(some, fmt.Sprint("2.", i), 6+i)
	}
	if len(some.recent) > maxListings {
		t.Errorf("%d listings are kept", len(some.recent))
	}
	a.err = errors.New("the PACS is away")
	if _, err := some.study(t.Context(), a, "3"); !errors.Is(err, a.err) {
		t.Errorf("got %v", err)
	}
	a.err = nil
	listed := a.listed
	check(some, "3", listed+1)
}
