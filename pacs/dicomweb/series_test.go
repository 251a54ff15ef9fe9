package dicomweb

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"collimate/dicom/phantom"
	"collimate/pacs"
	"collimate/pacs/pacstest/peer"
)

// TestSeries reads a series that Orthanc gives in one answer, and each instance of it by itself: the same bytes.
func TestSeries(t *testing.T) {
	orthanc := peer.Orthanc(t, peer.Options{})
	from := t.TempDir()
	info, err := phantom.Generate(from, phantom.Options{Series: 2, Slices: 9, Rows: 128, Columns: 128})
	if err != nil {
		t.Fatal(err)
	}
	orthanc.Push(t, from)
	a := archive(t, Config{URL: orthanc.URL}, t.TempDir())
	s, err := a.Study(t.Context(), info.StudyInstanceUID)
	if err != nil {
		t.Fatal(err)
	}
	var wanted []pacs.Instance
	for _, series := range s.Series {
		wanted = append(wanted, series.Instances...)
	}
	b := a.Batch(wanted)
	defer b.Close()
	for range wanted {
		n, r, err := b.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		r.Close()
		if r, err = a.Open(t.Context(), wanted[n]); err != nil {
			t.Fatal(err)
		}
		want, err := io.ReadAll(r)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("instance %d: %d bytes in the series, %d by itself, %v", n, len(got), len(want), err)
		}
		r.Close()
	}
	if _, _, err := b.Next(t.Context()); err != io.EOF {
		t.Errorf("after the last: %v", err)
	}
}

// A series that is cut, or that is not what WADO-RS answers with, never ends as if it were whole.
func TestSeriesHostile(t *testing.T) {
	const head, part = "--b\r\nContent-Type: application/dicom\r\n\r\n", "--b\r\nContent-Type: application/dicom\r\n\r\nDICM\r\n"
	for name, c := range map[string]struct {
		kind, body string
		instances  int
		whole      bool
	}{
		"two":              {`multipart/related; boundary=b`, part + part + "--b--\r\n", 2, true},
		"none":             {`multipart/related; boundary=b`, "--b--\r\n", 0, true},
		"no last boundary": {`multipart/related; boundary=b`, part + part, 2, false},
		"cut within one":   {`multipart/related; boundary=b`, part + head + "DI", 2, false},
		"cut in a header":  {`multipart/related; boundary=b`, part + "--b\r\nContent-Ty", 1, false},
		"not DICOM":        {`multipart/related; boundary=b`, part + strings.ReplaceAll(part, "application/dicom", "text/html") + "--b--\r\n", 1, false},
		"a long epilogue":  {`multipart/related; boundary=b`, part + "--b--\r\n" + strings.Repeat("x", 8<<10), 1, false},
		"no multipart":     {`text/html`, "<html>", 0, false},
		"no boundary":      {`multipart/related`, part, 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path != "/studies/1.2/series/1.2.3" || r.Header.Get("Accept") != acceptStored {
					t.Errorf("asked for %s as %s", r.URL.Path, r.Header.Get("Accept"))
				}
				w.Header().Set("Content-Type", c.kind)
				fmt.Fprint(w, c.body)
			}))
			defer server.Close()
			client, err := New(Config{URL: server.URL})
			if err != nil {
				t.Fatal(err)
			}
			instances, err := readSeries(t, client)
			if whole := err == io.EOF; whole != c.whole || instances != c.instances {
				t.Errorf("%d instances, then %v", instances, err)
			}
		})
	}
	client, err := New(Config{URL: "http://127.0.0.1:1"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.FetchSeries(t.Context(), "1.2", "../instances"); !errors.Is(err, pacs.ErrNotFound) {
		t.Errorf("a UID that is none: %v", err)
	}
}

// readSeries reads a series to its end, counts the instances, and returns how it ended: io.EOF if well.
func readSeries(t *testing.T, c *Client) (instances int, err error) {
	parts, err := c.FetchSeries(t.Context(), "1.2", "1.2.3")
	if err != nil {
		return 0, err
	}
	defer parts.Close()
	for {
		r, err := parts.Next()
		if err != nil {
			return instances, err
		}
		instances++
		if _, err := io.Copy(io.Discard, r); err != nil {
			return instances, err
		}
	}
}
