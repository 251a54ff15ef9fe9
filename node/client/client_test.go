package client

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"collimate/ledger"
)

// The node's own tests speak to a real one; these are answers that no node gives.
func TestOddAnswers(t *testing.T) {
	for _, test := range []struct {
		name   string
		status int
		body   string
		want   string // in the error
	}{
		{"another server", 404, "<html>", "is this the API of a ledger node"},
		{"empty problem", 500, "{}", "is this the API of a ledger node"},
		{"no JSON", 200, "<html>", "decoding"},
		{"endless", 200, strings.Repeat(" ", maxAnswer+1), "more than"},
		{"problem", 409, `{"error":{"code":"not-owner","detail":"d"}}`, "not-owner: d"},
	} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(test.status)
			_, _ = w.Write([]byte(test.body))
		}))
		_, err := New(s.URL + "/").Status(t.Context())
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got %v, want an error with %q", test.name, err, test.want)
		}
		s.Close()
		if _, err := New(s.URL).Status(t.Context()); err == nil {
			t.Errorf("%s: no error from a closed server", test.name)
		}
	}
}

func TestErrors(t *testing.T) {
	for status, is := range map[int]func(error) bool{
		http.StatusConflict: func(err error) bool { return errors.Is(err, &ledger.Error{Code: "c"}) },
		http.StatusUnprocessableEntity: func(err error) bool {
			return errors.As(err, new(*ledger.SyntaxError)) && ledger.CodeOf(err) == "c"
		},
		http.StatusNotFound:           func(err error) bool { return errors.Is(err, ledger.ErrNotFound) },
		http.StatusServiceUnavailable: func(err error) bool { return ledger.CodeOf(err) == "" && errors.As(err, new(*Error)) },
	} {
		if err := problem(status, []byte(`{"error":{"code":"c","detail":"d"}}`)); !is(err) {
			t.Errorf("%d: got %#v", status, err)
		}
	}
}

func TestSubmitRequest(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var b bytes.Buffer
		_, _ = b.ReadFrom(r.Body)
		if r.Method != "POST" || r.URL.Path != "/v1/transactions" || r.URL.Query().Get("wait") != "30s" || r.Header.Get("Content-Type") != "application/cbor" || b.String() != "raw" {
			t.Errorf("%s %s, %s, %q", r.Method, r.URL, r.Header.Get("Content-Type"), b.String())
		}
		_, _ = w.Write([]byte(`{"tx":"` + strings.Repeat("ab", 32) + `","height":7,"time":"2026-01-02T03:04:05Z"}`))
	}))
	defer s.Close()
	r, err := New(s.URL).Submit(t.Context(), []byte("raw"))
	if err != nil || r.Height != 7 || r.TxID[31] != 0xab || r.Time.Year() != 2026 {
		t.Errorf("got %+v, %v", r, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := New(s.URL).Submit(ctx, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: got %v", err)
	}
}
