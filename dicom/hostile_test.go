package dicom

import (
	"bytes"
	"compress/flate"
	"errors"
	"io"
	"runtime"
	"strings"
	"testing"
)

// nested makes a file with sequences of undefined length in each other, closed or cut off.
func nested(depth int, closed bool) []byte {
	const undefined = "\xff\xff\xff\xff"
	head := "\x09\x00\x10\x10SQ\x00\x00" + undefined + "\xfe\xff\x00\xe0" + undefined
	tail := "\xfe\xff\x0d\xe0\x00\x00\x00\x00" + "\xfe\xff\xdd\xe0\x00\x00\x00\x00"
	data := strings.Repeat(head, depth)
	if closed {
		data += strings.Repeat(tail, depth) + string(layoutOf(ExplicitVRLittleEndian).encode(identity()[4:]...))
	}
	return fileOf(ExplicitVRLittleEndian, []byte(data))
}

func TestNesting(t *testing.T) {
	for _, tt := range []struct {
		depth  int
		closed bool
		want   string
	}{
		{1, true, ""},
		{maxDepth, true, ""},
		{maxDepth + 1, true, "nested"},
		{20_000, true, "nested"},
		{20_000, false, "nested"},
		{maxDepth, false, "ends within"},
	} {
		h, err := ReadHeader(bytes.NewReader(nested(tt.depth, tt.closed)))
		switch {
		case tt.want == "" && err != nil:
			t.Errorf("%d deep: %v", tt.depth, err)
		case tt.want == "" && h.Text(StudyInstanceUID) != "1.2.3":
			t.Errorf("%d deep: what follows was not read", tt.depth)
		case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
			t.Errorf("%d deep: %v, want %q", tt.depth, err, tt.want)
		}
	}
}

func TestMalformed(t *testing.T) {
	const undefined = "\xff\xff\xff\xff"
	l := layoutOf(ExplicitVRLittleEndian)
	data := func(s string) []byte { return fileOf(ExplicitVRLittleEndian, []byte(s)) }
	for _, tt := range []struct {
		name string
		file []byte
		want string
	}{
		{"no VR", data("\x08\x00\x16\x00\x00\x00\x02\x001\x00"), "no value representation"},
		{"length beyond the end", data("\x08\x00\x16\x00UI\x40\x001.2"), "ends within"},
		{"32-bit length beyond the end", data("\x09\x00\x16\x00OB\x00\x00\x00\x00\x20\x00xx"), "ends within"},
		{"length beyond the limit", data("\x09\x00\x16\x00OB\x00\x00\xfe\xff\xff\xffxx"), "more than 16777216 bytes"},
		{"value at the limit", explicit(raw{PatientName, "UT", strings.Repeat("x", maxValueBytes)}), ""},
		{"value over the limit", explicit(raw{PatientName, "UT", strings.Repeat("x", maxValueBytes+2)}), "more than 4096 bytes"},
		{"twice", explicit(raw{StudyInstanceUID, "UI", "1.2 "}, raw{StudyInstanceUID, "UI", "1.3 "}), "stands twice"},
		{"transfer syntax twice", append(fileOf("1.2 ", nil), l.encode(raw{transferSyntaxUID, "UI", "1.3 "})...), "stands twice"},
		{"delimiter out of place", data("\xfe\xff\xdd\xe0\x00\x00\x00\x00"), ""}, // group FFFE is past all we want
		{"element for an item", data("\x09\x00\x10\x10SQ\x00\x00" + undefined + "\x08\x00\x16\x00UI\x02\x001\x00"), "where an item"},
		{"item in an item", data("\x09\x00\x10\x10SQ\x00\x00" + undefined + "\xfe\xff\x00\xe0" + undefined + "\xfe\xff\x00\xe0" + undefined), "where an item"},
		{"wrong delimiter", data("\x09\x00\x10\x10SQ\x00\x00" + undefined + "\xfe\xff\x0d\xe0\x00\x00\x00\x00"), "where an item"},
		{"no data set and no transfer syntax", append(make([]byte, 128), "DICM"...), "no transfer syntax"},
		{"not deflated", append(fileOf(DeflatedExplicitVRLittleEndian, nil)[:deflatedStart], "\xff\xff\xff\xff"...), "ends within"},
	} {
		_, err := ReadHeader(bytes.NewReader(tt.file))
		syntax := new(SyntaxError)
		switch {
		case tt.want == "" && err != nil:
			t.Errorf("%s: %v", tt.name, err)
		case tt.want != "" && (!errors.As(err, &syntax) || !strings.Contains(syntax.Msg, tt.want)):
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
}

func TestNotDICOM(t *testing.T) {
	for name, b := range map[string]string{
		"empty": "", "short": "DICM", "text": strings.Repeat("the quick brown fox ", 20), "zip": "PK\x03\x04" + strings.Repeat("\x00", 200),
		"zeros": strings.Repeat("\x00", 1000), "jpeg": "\xff\xd8\xff\xe0" + strings.Repeat("\x00", 300),
		"looks like a data set at first": "\x08\x00\x05\x00CS\x02\x00xx" + "\x08\x00\x06\x00??" + strings.Repeat("?", 200),
	} {
		if _, err := ReadHeader(strings.NewReader(b)); !errors.Is(err, ErrNotDICOM) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestTruncated cuts a file at each byte: it is read as far as it goes, or refused, and never half a value.
func TestTruncated(t *testing.T) {
	for _, ts := range []string{ImplicitVRLittleEndian, ExplicitVRLittleEndian, DeflatedExplicitVRLittleEndian} {
		file := fileOf(ts, layoutOf(ts).encode(identity()...))
		for n := range file {
			h, err := ReadHeader(bytes.NewReader(file[:n]))
			if err != nil {
				continue
			}
			for _, e := range identity() {
				got := h.Text(e.tag)
				if want := strings.Trim(e.value, " \x00"); got != "" && got != want {
					t.Errorf("%s cut at %d: %v is %q", ts, n, e.tag, got)
				}
			}
		}
	}
}

// endless repeats a pattern for ever.
type endless struct {
	block string // the pattern many times
	at    int
}

func repeat(pattern string) *endless {
	return &endless{block: strings.Repeat(pattern, 1+1<<16/len(pattern))}
}

func (e *endless) Read(b []byte) (int, error) {
	n := copy(b, e.block[e.at:])
	e.at = (e.at + n) % len(e.block)
	return n, nil
}

// deflatedStart is where the data set of fileOf(DeflatedExplicitVRLittleEndian, ...) begins.
const deflatedStart = 132 + 14 + 30

// bomb deflates so many bytes of a pattern.
func bomb(t *testing.T, pattern string, size int64) []byte {
	t.Helper()
	var z bytes.Buffer
	w, err := flate.NewWriter(&z, flate.BestSpeed)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.CopyN(w, repeat(pattern), size); err != nil {
		t.Fatal(err)
	}
	w.Close()
	return append(fileOf(DeflatedExplicitVRLittleEndian, nil)[:deflatedStart], z.Bytes()...)
}

// TestBounded: input that never ends is given up at maxHeaderBytes, and leaves no memory behind.
func TestBounded(t *testing.T) {
	small := "\x09\x00\x10\x10LO\x00\x00" // an empty element
	start := string(fileOf(ExplicitVRLittleEndian, nil))
	item := "\xfe\xff\x00\xe0\x00\x00\x00\x00"
	for _, tt := range []struct {
		name string
		r    io.Reader
	}{
		{"elements", io.MultiReader(strings.NewReader(start), repeat(small))},
		{"items", io.MultiReader(strings.NewReader(start+"\x09\x00\x10\x10SQ\x00\x00\xff\xff\xff\xff"), repeat(item))},
		{"meta elements", io.MultiReader(strings.NewReader(start), repeat("\x02\x00\x99\x00LO\x00\x00"))},
		{"deflated elements", bytes.NewReader(bomb(t, small, 2*maxHeaderBytes))},
		{"deflated value", bytes.NewReader(bomb(t, "\x09\x00\x10\x10OB\x00\x00\xf0\xff\xff\xff", 2*maxHeaderBytes))},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err := ReadHeader(tt.r)
			runtime.ReadMemStats(&after)
			if err == nil || !strings.Contains(err.Error(), "more than 16777216 bytes") {
				t.Errorf("got %v", err)
			}
			if used := after.TotalAlloc - before.TotalAlloc; used > 1<<20 {
				t.Errorf("allocated %d bytes", used)
			}
		})
	}
}
