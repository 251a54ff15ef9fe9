package mtom

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/iotest"
)

// parts reads a whole message.
func parts(r io.Reader, contentType string, l Limits) (ids []string, bodies []string, err error) {
	m, err := NewReader(r, contentType, l)
	if err != nil {
		return nil, nil, err
	}
	return rest(m)
}

// rest reads what is left of a message.
func rest(m *Reader) (ids []string, bodies []string, err error) {
	for {
		p, err := m.Next()
		if err == io.EOF {
			return ids, bodies, nil
		}
		if err != nil {
			return ids, bodies, err
		}
		b, err := io.ReadAll(p)
		if err != nil {
			return ids, bodies, err
		}
		ids, bodies = append(ids, p.ContentID), append(bodies, string(b))
	}
}

const simpleType = `multipart/related; boundary=b1; type="application/xop+xml"`

func TestReaderAtEveryStep(t *testing.T) {
	readers := map[string]func(io.Reader) io.Reader{
		"whole":          func(r io.Reader) io.Reader { return r },
		"one byte":       iotest.OneByteReader,
		"half":           iotest.HalfReader,
		"data and error": iotest.DataErrReader,
	}
	for name, wrap := range readers {
		ids, bodies, err := parts(wrap(strings.NewReader(golden)), simpleType, DefaultLimits)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if got, want := fmt.Sprintf("%q %q", ids, bodies), `["root@collimate" "d@x"] ["<Envelope/>" "DICM\r\n--b"]`; got != want {
			t.Errorf("%s: got %s, want %s", name, got, want)
		}
	}
}

// A message that is cut anywhere is an error, or lacks a whole part: the envelope refers to it, so that is seen
// too.
func TestTruncation(t *testing.T) {
	end := strings.LastIndex(golden, "--b1") + len("--b1")
	for n := range golden {
		_, bodies, err := parts(strings.NewReader(golden[:n]), simpleType, DefaultLimits)
		if n >= end { // the last delimiter is there: nothing of a part can be missing
			continue
		}
		if err == nil && len(bodies) == 2 {
			t.Errorf("cut at %d of %d: no error and %q", n, len(golden), bodies)
		}
		if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("cut at %d of %d: error %v, want io.ErrUnexpectedEOF", n, len(golden), err)
		}
	}
}

func TestTransportError(t *testing.T) {
	broken := errors.New("connection reset")
	for n := range golden[:len(golden)-len("--\r\n")] {
		r := io.MultiReader(strings.NewReader(golden[:n]), iotest.ErrReader(broken))
		if _, _, err := parts(r, simpleType, DefaultLimits); !errors.Is(err, broken) {
			t.Errorf("broken at %d: error %v, want the transport's", n, err)
		}
	}
}

func TestQuirks(t *testing.T) {
	lf := strings.ReplaceAll(golden, "\r\n", "\n")
	tests := []struct {
		name, contentType, message string
		bodies                     int
	}{
		{"start without brackets and a trailing semicolon", simpleType + `; start=root@collimate; `, golden, 2},
		{"folded Content-Type", "multipart/related;\r\n\tboundary=b1", golden, 2},
		{"unquoted action", simpleType + `; action=urn:ihe:iti:2007:RetrieveDocumentSet`, golden, 2},
		{"upper case names", `Multipart/Related; BOUNDARY="b1"; Type="Application/XOP+xml"`, golden, 2},
		{"empty line before the first boundary", simpleType, "\r\n" + golden, 2},
		{"blanks after a boundary", simpleType, strings.ReplaceAll(golden, "--b1\r\n", "--b1 \t\r\n"), 2},
		{"folded part header", simpleType, strings.Replace(golden, "charset=UTF-8; ", "charset=UTF-8;\r\n\t", 1), 2},
		{"blanks at the end of part headers", simpleType, strings.ReplaceAll(golden, "binary\r\n", "binary  \r\n"), 2},
		{"stray quotation mark in a part header", simpleType, strings.Replace(golden, "application/dicom", `application/dicom"`, 1), 2},
		{"no Content-ID on the root", simpleType, strings.Replace(golden, "Content-ID: <root@collimate>\r\n", "", 1), 2},
		{"no Content-Transfer-Encoding", simpleType, strings.ReplaceAll(golden, "Content-Transfer-Encoding: binary\r\n", ""), 2},
		{"no end of the closing boundary line", simpleType, strings.TrimSuffix(golden, "\r\n"), 2},
		{"closing boundary without its last dashes", simpleType, strings.TrimSuffix(golden, "--\r\n"), 2},
		{"closing boundary without its last dashes, with a line end", simpleType, strings.TrimSuffix(golden, "--\r\n") + "\r\n", 2},
		{"epilogue", simpleType, golden + "\r\nbye", 2},
		{"line feeds only", simpleType, lf, 2},
	}
	for _, test := range tests {
		for _, step := range []func(io.Reader) io.Reader{iotest.OneByteReader, func(r io.Reader) io.Reader { return r }} {
			_, bodies, err := parts(step(strings.NewReader(test.message)), test.contentType, DefaultLimits)
			if err != nil || len(bodies) != test.bodies {
				t.Errorf("%s: %d parts, error %v; want %d parts", test.name, len(bodies), err, test.bodies)
			}
			if len(bodies) == 2 && strings.ReplaceAll(bodies[1], "\r\n", "\n") != "DICM\n--b" {
				t.Errorf("%s: the document is %q", test.name, bodies[1])
			}
		}
	}
}

func TestRefused(t *testing.T) {
	header := func(line string) string {
		return strings.Replace(golden, "Content-ID: <d@x>\r\n", line, 1)
	}
	tests := []struct{ name, contentType, message string }{
		{"not multipart", "text/plain", golden},
		{"multipart/mixed", "multipart/mixed; boundary=b1", golden},
		{"no media type", "; boundary=b1", golden},
		{"no boundary", "multipart/related", golden},
		{"empty boundary", `multipart/related; boundary=""`, golden},
		{"boundary with a line break", "multipart/related; boundary=\"b\r\n1\"", golden},
		{"two boundaries", "multipart/related; boundary=b1; boundary=b2", golden},
		{"parameter without a value", "multipart/related; boundary=b1; start", golden},
		{"open quotation", `multipart/related; boundary="b1`, golden},
		{"type of another thing", `multipart/related; boundary=b1; type="application/dicom"`, golden},
		{"another boundary", "multipart/related; boundary=b2", golden},
		{"empty message", simpleType, ""},
		{"part without Content-ID", simpleType, header("")},
		{"two parts of one Content-ID", simpleType, header("Content-ID: <root@collimate>\r\n")},
		{"header twice", simpleType, header("Content-ID: <d@x>\r\nContent-ID: <e@x>\r\n")},
		{"header line without colon", simpleType, header("Content-ID <d@x>\r\n")},
		{"folded line first", simpleType, strings.Replace(golden, "--b1\r\n", "--b1\r\n Folded: x\r\n", 1)},
		{"base64 part", simpleType, strings.Replace(golden, "binary", "base64", 1)},
		{"long epilogue", simpleType, golden + strings.Repeat("x", maxEpilogue+1)},
		{"long preamble", simpleType, strings.Repeat("x\r\n", maxPreamble/3+1) + golden},
	}
	for _, test := range tests {
		_, _, err := parts(strings.NewReader(test.message), test.contentType, DefaultLimits)
		if err == nil {
			t.Errorf("%s: accepted", test.name)
		}
	}
}

func TestLimits(t *testing.T) {
	message := func(n, header int) string {
		var b strings.Builder
		for i := range n {
			line := fmt.Sprintf("Content-ID: <%d>\r\nX: ", i)
			b.WriteString("--b1\r\n" + line + strings.Repeat("x", header-len(line)-len("\r\n\r\n")) + "\r\n\r\nbody\r\n")
		}
		return b.String() + "--b1--\r\n"
	}
	tests := []struct {
		name          string
		parts, header int
		ok            bool
	}{
		{"at the limits", 4, 100, true},
		{"one part more", 5, 100, false},
		{"one byte more", 4, 101, false},
	}
	for _, test := range tests {
		for _, step := range []func(io.Reader) io.Reader{iotest.OneByteReader, func(r io.Reader) io.Reader { return r }} {
			_, _, err := parts(step(strings.NewReader(message(test.parts, test.header))), simpleType, Limits{Parts: 4, HeaderBytes: 100})
			if (err == nil) != test.ok {
				t.Errorf("%s: error %v", test.name, err)
			}
		}
	}
	for _, n := range []int{len(golden), len(golden) - 1} {
		_, _, err := parts(strings.NewReader(golden), simpleType, Limits{Parts: 2, HeaderBytes: 200, Bytes: int64(n)})
		if (err == nil) != (n == len(golden)) {
			t.Errorf("a message of %d bytes, limit %d: error %v", len(golden), n, err)
		}
	}
	for _, n := range []int{maxBoundary, maxBoundary + 1} {
		boundary := strings.Repeat("b", n)
		message := "--" + boundary + "\r\n\r\nx\r\n--" + boundary + "--"
		_, _, err := parts(strings.NewReader(message), "multipart/related; boundary="+boundary, DefaultLimits)
		if (err == nil) != (n <= maxBoundary) {
			t.Errorf("boundary of %d characters: error %v", n, err)
		}
	}
	for _, n := range []int{maxContentType, maxContentType + 1} {
		ct := simpleType + "; x="
		_, _, err := parts(strings.NewReader(golden), ct+strings.Repeat("x", n-len(ct)), DefaultLimits)
		if (err == nil) != (n <= maxContentType) {
			t.Errorf("Content-Type of %d bytes: error %v", n, err)
		}
	}
}

// Parts that are no SOAP message need no Content-ID; such a message has to be whole wherever it is cut, as no envelope
// says what is to come.
func TestPartsReader(t *testing.T) {
	const part, end = "--b\r\nContent-Type: application/dicom\r\n\r\nDICM\r\n--b-\r\n", "--b--"
	for n, message := range []string{part + end, part + part + end, "\r\n" + part + end + "\r\n", strings.ReplaceAll(part+part+part+end, "\r\n", "\n")} {
		whole := strings.LastIndex(message, end) + len(end)
		for cut := range len(message) + 1 {
			var bodies []string
			m, err := NewPartsReader(iotest.OneByteReader(strings.NewReader(message[:cut])), "b", DefaultLimits)
			if err == nil {
				_, bodies, err = rest(m)
			}
			if (err == nil) != (cut >= whole) {
				t.Errorf("message %d, %d of %d bytes: error %v", n, cut, len(message), err)
			}
			if err == nil && len(bodies) != strings.Count(message, "DICM") || len(bodies) > 0 && !strings.HasPrefix(bodies[0], "DICM") {
				t.Errorf("message %d: %q", n, bodies)
			}
		}
	}
	m, err := NewPartsReader(strings.NewReader(end+"\r\n"), "b", DefaultLimits)
	if err == nil {
		_, err = m.Next()
	}
	if err != io.EOF {
		t.Errorf("no parts: error %v", err)
	}
	for _, boundary := range []string{"", "a\nb", strings.Repeat("b", maxBoundary+1)} {
		if _, err := NewPartsReader(strings.NewReader("--"+boundary+"--"), boundary, DefaultLimits); err == nil {
			t.Errorf("boundary %q: no error", boundary)
		}
	}
}

// Documents are full of what looks like a boundary, are of sizes around those of the buffers, and are read in
// steps of their own.
func TestRoundTrip(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	pieces := []string{"\r\n--b1", "\r\n--b", "\r\n--b1x", "\r\n--b1-", "\r", "\n", "\r\n", "--b1", "\r\n--b1 x", "a"}
	for _, size := range []int{0, 1, 2, 100, smallBuffer - 50, smallBuffer, smallBuffer + 1, bufferSize, bufferSize + 7, 3*bufferSize + 11} {
		var doc []byte
		for len(doc) < size {
			p := pieces[rnd.IntN(len(pieces))]
			// What is a boundary must not be in a document; anything else must come through.
			if p == "\r\n--b1" || p == "\r\n--b1-" {
				p += "Z"
			}
			doc = append(doc, p...)
			doc = append(doc, bytes.Repeat([]byte{'.'}, rnd.IntN(200))...)
		}
		var b bytes.Buffer
		w := NewWriter(&b, "b1")
		p := Part{ContentID: "d", ContentType: "x/y", Size: int64(len(doc))}
		if err := errors.Join(w.Root([]byte("<e/>")), w.Part(p, bytesTo(doc)), w.Close()); err != nil {
			t.Fatal(err)
		}
		if got, want := int64(b.Len()), Length("b1", 4, []Part{p}); got != want {
			t.Errorf("size %d: %d bytes written, Length is %d", size, got, want)
		}
		_, bodies, err := parts(&randomReader{&b, rnd}, simpleType, DefaultLimits)
		if err != nil || len(bodies) != 2 || bodies[1] != string(doc) {
			t.Errorf("size %d: %d parts, equal %t, error %v", size, len(bodies), len(bodies) == 2 && bodies[1] == string(doc), err)
		}
	}
}

type randomReader struct {
	r   io.Reader
	rnd *rand.Rand
}

func (r *randomReader) Read(p []byte) (int, error) {
	return r.r.Read(p[:min(len(p), 1+r.rnd.IntN(40000))])
}

func TestPartAfterItsTurn(t *testing.T) {
	m, err := NewReader(strings.NewReader(golden), simpleType, DefaultLimits)
	if err != nil {
		t.Fatal(err)
	}
	root, err := m.Next()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Next(); err != nil { // skips the root
		t.Fatal(err)
	}
	if n, err := root.Read(make([]byte, 10)); n != 0 || err == nil {
		t.Errorf("a part that was skipped yields %d bytes, error %v", n, err)
	}
}

// Next must not wait for bytes beyond the end of a part: the peer may be waiting for us.
func TestNoReadAhead(t *testing.T) {
	r, w := io.Pipe()
	defer r.Close()
	end := strings.Index(golden, "DICM")
	go io.WriteString(w, golden[:end+4]) // the first bytes of the document, and no more
	m, err := NewReader(r, simpleType, DefaultLimits)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Next(); err != nil {
		t.Fatal(err)
	}
	p, err := m.Next()
	if err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 4)
	if _, err := io.ReadFull(p, b); err != nil || string(b) != "DICM" {
		t.Errorf("got %q, error %v", b, err)
	}
}
