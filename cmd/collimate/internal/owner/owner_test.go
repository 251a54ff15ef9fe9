package owner

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"collimate/cmd/collimate/internal/ledgercmd"
	"collimate/gateway"
	"collimate/keys"
	"collimate/ledger"
	"collimate/node/client"
)

// source is a stand-in for a study's source, and for a node whose ledger names it. It answers openings with the
// statuses given, the last one again and again.
func source(t *testing.T, statuses ...int) (node *client.Client, asked *int, record *ledger.SourceRecord) {
	t.Helper()
	asked = new(int)
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		status := statuses[min(*asked, len(statuses)-1)]
		*asked++
		w.WriteHeader(status)
	}))
	t.Cleanup(s.Close)
	id, err := keys.IDOfCertificate(s.Certificate())
	if err != nil {
		t.Fatal(err)
	}
	record = &ledger.SourceRecord{ID: keys.Source{ID: id}, Key: id, Endpoints: ledger.Endpoints{Openings: s.URL + "/v1/openings"}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/studies/{id}", func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(ledger.StudyRecord{Source: record.ID})
	})
	mux.HandleFunc("GET /v1/sources/{id}", func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(record)
	})
	n := httptest.NewServer(mux)
	t.Cleanup(n.Close)
	return client.New(n.URL), asked, record
}

func TestDisclose(t *testing.T) {
	for _, test := range []struct {
		name     string
		statuses []int
		want     string // in the error; none if empty
		asked    int
	}{
		{"taken at once", []int{204}, "", 1},
		{"the source is a block behind", []int{404, 404, 204}, "", 3},
		{"the source has a moment of weakness", []int{500, 503, 204}, "", 3},
		{"refused for good", []int{400, 204}, "400", 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			node, asked, _ := source(t, test.statuses...)
			err := Disclose(t.Context(), ledgercmd.Reader{Node: node}, gateway.Opening{Study: ledger.StudyID{1}})
			if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("got %v, want %q", err, test.want)
			}
			if *asked != test.asked {
				t.Errorf("asked %d times, want %d", *asked, test.asked)
			}
		})
	}
}

// The opening goes to nobody but the key that the ledger names.
func TestDisclosePinned(t *testing.T) {
	node, asked, record := source(t, 204)
	record.Key[0] ^= 1
	err := Disclose(t.Context(), ledgercmd.Reader{Node: node}, gateway.Opening{})
	if !errors.Is(err, gateway.ErrPin) || *asked != 0 {
		t.Errorf("got %v after %d requests, want ErrPin before any", err, *asked)
	}
}
