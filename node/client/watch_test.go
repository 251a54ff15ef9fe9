package client

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"collimate/ledger"
)

func TestWatch(t *testing.T) {
	study := ledger.StudyID{1}
	event := `{"study":"` + study.String() + `","kind":"revoke-access","height":0}`
	for name, test := range map[string]struct {
		status int
		body   string
		told   string
		want   string // in the error
	}{
		"all":        {200, ": welcome\n\nid: 7\nevent: block\ndata: {\"height\":7}\n\nevent: seen\ndata: " + event + "\n\nevent: study\ndata: " + event + "\n\n", "7 seen final ", "broke off"},
		"end":        {200, "event: end\ndata: {\"error\":{\"code\":\"too-slow\",\"detail\":\"d\"}}\n\n", "", "too-slow: d"},
		"later":      {200, "event: news\ndata: x\n\nevent: block\ndata: {\"height\":8}\n\n", "8 ", "broke off"},
		"damaged":    {200, "event: block\ndata: x\n\n", "", "decoding"},
		"long":       {200, "event: block\ndata: " + strings.Repeat("x", maxFrame) + "\n\n", "", "too long"},
		"refused":    {410, `{"error":{"code":"too-old","detail":"d"}}`, "", "too-old: d"},
		"no node":    {404, "<html>", "", "is this the API"},
		"empty page": {404, "", "", "is this the API"},
	} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Last-Event-ID") != "6" || r.URL.Query().Get("study") != study.String() {
				t.Errorf("%s: asked %s since %q", name, r.URL, r.Header.Get("Last-Event-ID"))
			}
			w.WriteHeader(test.status)
			fmt.Fprint(w, test.body)
		}))
		told := ""
		err := New(s.URL).Watch(t.Context(), 6, []ledger.StudyID{study}, func(n Notice) error {
			switch {
			case n.Block != nil:
				told += fmt.Sprint(n.Block.Height, " ")
			case n.Event.Study != study:
				t.Errorf("%s: got %+v", name, n.Event)
			case n.Final:
				told += "final "
			default:
				told += "seen "
			}
			return nil
		})
		if told != test.told || err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: told %q, %v, want %q and an error with %q", name, told, err, test.told, test.want)
		}
		s.Close()
	}
	enough := errors.New("enough")
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, strings.Repeat("event: block\ndata: {}\n\n", 2))
	}))
	defer s.Close()
	if err := New(s.URL).Watch(t.Context(), 0, nil, func(Notice) error { return enough }); err != enough {
		t.Errorf("got %v", err)
	}
}
