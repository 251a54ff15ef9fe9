package mtom

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

// list returns parts one after the other.
func list(parts []Part, bodies ...io.Reader) func() (Part, io.Reader, error) {
	n := 0
	return func() (Part, io.Reader, error) {
		if n == len(parts) {
			return Part{}, nil, io.EOF
		}
		n++
		return parts[n-1], bodies[n-1], nil
	}
}

// A stream is what a Writer writes, however it is read.
func TestStream(t *testing.T) {
	parts := []Part{{ContentID: "a", ContentType: "a/b", Size: 9}, {ContentID: "b", ContentType: "a/b", Size: -1}, {ContentID: "c", ContentType: "a/b", Size: 0}}
	contents := []string{"DICM\r\n--b", strings.Repeat("x", 100_000), ""}
	var want bytes.Buffer
	w := NewWriter(&want, "b1")
	err := w.Root([]byte("<Envelope/>"))
	for i, p := range parts {
		err = errors.Join(err, w.Part(p, bytesTo(contents[i])))
	}
	if err = errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	for name, wrap := range map[string]func(io.Reader) io.Reader{
		"as it is": func(r io.Reader) io.Reader { return r }, "byte by byte": iotest.OneByteReader, "half": iotest.HalfReader, "data with the error": iotest.DataErrReader,
	} {
		var bodies []io.Reader
		for _, c := range contents {
			bodies = append(bodies, wrap(strings.NewReader(c)))
		}
		got, err := io.ReadAll(wrap(NewStream("b1", []byte("<Envelope/>"), list(parts, bodies...))))
		if err != nil || !bytes.Equal(got, want.Bytes()) {
			t.Errorf("%s: error %v, got %d bytes, want %d", name, err, len(got), want.Len())
		}
	}
	if err := iotest.TestReader(NewStream("b1", []byte("<Envelope/>"), list(nil)), []byte(strings.Split(golden, "--b1\r\nContent-Type: application/dicom")[0]+"--b1--\r\n")); err != nil {
		t.Error(err)
	}
}

func TestTornStream(t *testing.T) {
	broken := errors.New("broken")
	one := []Part{{ContentID: "a", ContentType: "a/b", Size: 3}}
	for _, test := range []struct {
		name string
		next func() (Part, io.Reader, error)
		want string
	}{
		{"too short", list(one, strings.NewReader("AB")), "mtom: a part has 2 bytes, 3 were declared"},
		{"too long", list(one, strings.NewReader("ABCD")), "mtom: a part has more than the 3 bytes declared"},
		{"an error in a part", list(one, io.MultiReader(strings.NewReader("AB"), iotest.ErrReader(broken))), "broken"},
		{"an error of next", func() (Part, io.Reader, error) { return Part{}, nil, broken }, "broken"},
	} {
		got, err := io.ReadAll(NewStream("b1", []byte("<Envelope/>"), test.next))
		if err == nil || err.Error() != test.want || bytes.HasSuffix(got, []byte("--b1--\r\n")) || bytes.Contains(got, []byte("ABCD")) {
			t.Errorf("%s: error %v, want %s, after %q", test.name, err, test.want, got)
		}
	}
}
