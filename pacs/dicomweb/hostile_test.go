package dicomweb

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"collimate/pacs"
	"collimate/pacs/remote"
)

var one = pacs.Instance{StudyInstanceUID: "1.2.3", SeriesInstanceUID: "1.2.3.4", SOPInstanceUID: "1.2.3.4.5"}

// pacsOf runs a PACS that answers as told.
func pacsOf(t *testing.T, answer http.HandlerFunc) *Client {
	t.Helper()
	s := httptest.NewServer(answer)
	t.Cleanup(s.Close)
	c, err := New(Config{URL: s.URL, Idle: 300 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestFetchHostile: only an answer that is whole comes to a good end.
func TestFetchHostile(t *testing.T) {
	const kind = `multipart/related; type="application/dicom"; boundary=b`
	const part = "--b\r\nContent-Type: application/dicom\r\n\r\nsome bytes"
	for name, tt := range map[string]struct {
		status     int
		kind, body string
		is         error
		want       string // of the error; "" for none
	}{
		"good":                   {200, kind, part + "\r\n--b--\r\n", nil, ""},
		"no closing boundary":    {200, kind, part, nil, "breaks off"},
		"cut in the boundary":    {200, kind, part + "\r\n--b", nil, "breaks off"},
		"cut behind a boundary":  {200, kind, part + "\r\n--b\r\n", nil, "breaks off"},
		"another boundary":       {200, kind, part + "\r\n--c--", nil, "breaks off"},
		"two instances":          {200, kind, part + "\r\n" + part + "\r\n--b--", nil, "more than one"},
		"none":                   {200, kind, "--b--\r\n", pacs.ErrNotFound, "no instance"},
		"empty":                  {200, kind, "", nil, "breaks off"},
		"more behind it":         {200, kind, part + "\r\n--b--\r\n" + strings.Repeat("x", 1<<16), nil, "epilogue"},
		"an endless head":        {200, kind, "--b\r\nX: " + strings.Repeat("y", 1<<20), nil, "have more than"},
		"another type of part":   {200, kind, "--b\r\nContent-Type: text/html\r\n\r\nlogin\r\n--b--", nil, "other than application/dicom"},
		"another type":           {200, "text/html", "login", nil, "multipart/related"},
		"no boundary":            {200, "multipart/related", part, nil, "multipart/related"},
		"no content":             {204, "", "", nil, "multipart/related"},
		"not found":              {404, "", "", pacs.ErrNotFound, "404"},
		"gone":                   {410, "", "", pacs.ErrNotFound, "410"},
		"who are you":            {401, "", "", remote.ErrRefused, "401"},
		"not you":                {403, "", "", remote.ErrRefused, "403"},
		"not so":                 {406, "", "", remote.ErrRefused, "406"},
		"elsewhere":              {302, "", "", remote.ErrRefused, "302"},
		"busy":                   {503, "", "", nil, "503"},
		"a part, and then a 4xx": {206, kind, part, remote.ErrRefused, "206"},
	} {
		t.Run(name, func(t *testing.T) {
			c := pacsOf(t, func(w http.ResponseWriter, r *http.Request) {
				if !strings.Contains(r.Header.Get("Accept"), "transfer-syntax=*") {
					t.Errorf("asked for %q", r.Header.Get("Accept"))
				}
				if tt.kind != "" {
					w.Header().Set("Content-Type", tt.kind)
				}
				w.Header().Set("Location", "/elsewhere")
				w.WriteHeader(tt.status)
				io.WriteString(w, tt.body)
			})
			r, err := c.Fetch(t.Context(), one)
			var b []byte
			if err == nil {
				defer r.Close()
				b, err = io.ReadAll(r)
			}
			if tt.want == "" {
				if err != nil || string(b) != "some bytes" {
					t.Errorf("%q, %v", b, err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) || tt.is != nil && !errors.Is(err, tt.is) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
			if err != nil && strings.Contains(err.Error(), "1.2.3") {
				t.Errorf("the error tells: %v", err)
			}
		})
	}
}

// TestSilent: a PACS that stops sending, or does not begin to.
func TestSilent(t *testing.T) {
	for _, begun := range []bool{false, true} {
		release := make(chan struct{})
		c := pacsOf(t, func(w http.ResponseWriter, r *http.Request) {
			if begun {
				w.Header().Set("Content-Type", "multipart/related; boundary=b")
				io.WriteString(w, "--b\r\nContent-Type: application/dicom\r\n\r\nhalf")
				w.(http.Flusher).Flush()
			}
			<-release
		})
		r, err := c.Fetch(t.Context(), one)
		if err == nil {
			_, err = io.ReadAll(r)
			r.Close()
		}
		if err == nil || begun && !errors.Is(err, errSilent) {
			t.Errorf("begun %v: %v", begun, err)
		}
		close(release)
	}
	// Nobody listens: no URL in the error.
	s := httptest.NewServer(nil)
	s.Close()
	c, err := New(Config{URL: s.URL})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Fetch(t.Context(), one); err == nil || strings.Contains(err.Error(), "1.2.3") || strings.Contains(err.Error(), "http") {
		t.Errorf("nobody there: %v", err)
	}
}

func ui(tag, v string) string { return fmt.Sprintf(`"%s":{"vr":"UI","Value":["%s"]}`, tag, v) }

// TestListHostile: a listing is complete and of the study that was asked for, or an error.
func TestListHostile(t *testing.T) {
	study := `[{` + ui("0020000D", "1.2.3") + `,"00100010":{"vr":"PN","Value":[{"Alphabetic":"Фантом^Цилиндр","Ideographic":"幻"}]},"00201208":{"vr":"IS","Value":[2]}}]`
	series := `[{` + ui("0020000E", "1.2.3.4") + `}]`
	image := func(n int) string {
		return fmt.Sprintf(`{%s,%s,%s}`, ui("0020000E", "1.2.3.4"), ui("00080016", "1.2.840"), ui("00080018", fmt.Sprintf("1.2.3.4.%d", n)))
	}
	both := "[" + image(1) + "," + image(2) + "]"
	for name, tt := range map[string]struct {
		study, series, images string
		is                    error
		want                  string
	}{
		"good":              {study, series, both, nil, ""},
		"none":              {"[]", series, both, pacs.ErrNotFound, "not in the archive"},
		"nothing":           {"", series, both, pacs.ErrNotFound, "not in the archive"},
		"another study":     {strings.Replace(study, "1.2.3", "1.2.9", 1), series, both, nil, "another study"},
		"two studies":       {"[{},{}]", series, both, nil, "2 studies"},
		"one image missing": {study, series, "[" + image(1) + "]", nil, "lists 1 instances of a study of which it says it has 2"},
		"no images":         {study, series, "[]", nil, "lists 0"},
		"another series":    {study, strings.Replace(series, "1.2.3.4", "1.2.3.5", 1), both, nil, "does not list"},
		"a series twice":    {study, "[{" + ui("0020000E", "1.2.3.9") + "},{" + ui("0020000E", "1.2.3.9") + "}]", both, nil, "twice"},
		"not JSON":          {study, series, "<html>", nil, "other than DICOM JSON"},
		"cut":               {study, series, both[:20], nil, "other than DICOM JSON"},
	} {
		t.Run(name, func(t *testing.T) {
			c := pacsOf(t, func(w http.ResponseWriter, r *http.Request) {
				body := tt.study
				switch {
				case strings.HasSuffix(r.URL.Path, "/series"):
					body = tt.series
				case strings.HasSuffix(r.URL.Path, "/instances"):
					body = tt.images
				}
				if r.URL.Query().Get("offset") != "" && r.URL.Query().Get("offset") != "0" {
					body = "[]"
				}
				io.WriteString(w, body)
			})
			s, err := c.List(t.Context(), "1.2.3")
			if tt.want == "" {
				if err != nil || s.PatientName != "Фантом^Цилиндр=幻" || len(s.Series) != 1 || len(s.Series[0].Instances) != 2 {
					t.Errorf("%+v, %v", s, err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) || tt.is != nil && !errors.Is(err, tt.is) ||
				tt.is == nil && errors.Is(err, pacs.ErrNotFound) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

// TestPages: a PACS with a limit of its own, and one that knows no offset.
func TestPages(t *testing.T) {
	for _, knowsOffset := range []bool{true, false} {
		c := pacsOf(t, func(w http.ResponseWriter, r *http.Request) {
			var at int
			fmt.Sscan(r.URL.Query().Get("offset"), &at)
			var page []string
			for n := at; n < min(at+3, 10) || !knowsOffset && n < 10+at; n++ {
				uid := n
				if !knowsOffset {
					uid = n - at
				}
				page = append(page, "{"+ui("0020000E", fmt.Sprintf("1.2.%d", uid))+"}")
			}
			io.WriteString(w, "["+strings.Join(page, ",")+"]")
		})
		got, err := c.all(t.Context(), "/series", 0)
		if err != nil || len(got) != 10 {
			t.Errorf("knows an offset %v: %d, %v", knowsOffset, len(got), err)
		}
	}
}

func TestConfig(t *testing.T) {
	for url, want := range map[string]string{
		"https://pacs.example/dicom-web":   "",
		"http://127.0.0.1:8042/dicom-web/": "",
		"http://[::1]/dicom-web":           "",
		"http://pacs.example/dicom-web":    "to another machine",
		"ftp://pacs.example":               "no http",
		"pacs":                             "no http",
		"https://me:secret@pacs.example/":  "credentials",
		"https://pacs.example/?a=b":        "query",
	} {
		c := Config{URL: url}
		if err := c.Validate(); (err == nil) != (want == "") || err != nil && (!strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret")) {
			t.Errorf("%s: %v, want %q", url, err, want)
		}
	}
}

// TestStudiesInPages: a PACS that gives fewer at a time than asked for, one that knows no offset, and those that fail.
func TestStudiesInPages(t *testing.T) {
	const total = 7
	page := func(from, to int) string {
		var all []string
		for n := from; n < min(to, total); n++ {
			all = append(all, fmt.Sprintf(`{"0020000D":{"vr":"UI","Value":["1.2.%d"]},"00201208":{"vr":"IS","Value":[%d]}}`, n+1, n))
		}
		return "[" + strings.Join(all, ",") + "]"
	}
	for _, tt := range []struct {
		name   string
		answer func(offset int) (status int, body string)
		want   int
		err    string
	}{
		{"three at a time", func(o int) (int, string) { return 200, page(o, o+3) }, total, ""},
		{"no offset", func(int) (int, string) { return 200, page(0, total) }, total, ""},
		{"none", func(int) (int, string) { return 204, "" }, 0, ""},
		{"not found", func(int) (int, string) { return 404, "" }, 0, "no list of studies"},
		{"broken midway", func(o int) (int, string) {
			if o > 0 {
				return 500, ""
			}
			return 200, page(o, o+3)
		}, 3, "500"},
	} {
		c := pacsOf(t, func(w http.ResponseWriter, r *http.Request) {
			if got := r.FormValue("StudyDate"); got != "20240228-" {
				t.Errorf("%s: asked for StudyDate=%q", tt.name, got)
			}
			offset, _ := strconv.Atoi(r.FormValue("offset"))
			status, body := tt.answer(offset)
			w.WriteHeader(status)
			io.WriteString(w, body)
		})
		got, err := map[string]int{}, error(nil)
		for s, e := range c.Studies(t.Context(), time.Date(2024, 2, 29, 0, 0, 0, 0, time.UTC)) {
			if err = e; e == nil {
				got[s.Study.InstanceUID] = s.Instances
			}
		}
		if len(got) != tt.want || (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) || errors.Is(err, pacs.ErrNotFound) {
			t.Errorf("%s: %d studies, %v; want %d, %q", tt.name, len(got), err, tt.want, tt.err)
		}
		if tt.want == total && got["1.2.7"] != 6 {
			t.Errorf("%s: the last study has %d instances, want 6", tt.name, got["1.2.7"])
		}
	}
}
