package mtom

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// bytesTo is a document in memory.
type bytesTo []byte

func (b bytesTo) WriteTo(w io.Writer) (int64, error) {
	n, err := w.Write(b)
	return int64(n), err
}

// copyTo is a document that is copied from a reader, as archives do it.
type copyTo struct{ r io.Reader }

func (c copyTo) WriteTo(w io.Writer) (int64, error) { return io.Copy(w, c.r) }

const golden = "--b1\r\n" +
	"Content-Type: application/xop+xml; charset=UTF-8; type=\"application/soap+xml\"\r\n" +
	"Content-Transfer-Encoding: binary\r\n" +
	"Content-ID: <root@collimate>\r\n" +
	"\r\n" +
	"<Envelope/>\r\n" +
	"--b1\r\n" +
	"Content-Type: application/dicom\r\n" +
	"Content-Transfer-Encoding: binary\r\n" +
	"Content-ID: <d@x>\r\n" +
	"\r\n" +
	"DICM\r\n--b\r\n" +
	"--b1--\r\n"

func TestWriterGolden(t *testing.T) {
	part := Part{ContentID: "d@x", ContentType: "application/dicom", Size: 9}
	var b bytes.Buffer
	w := NewWriter(&b, "b1")
	if err := errors.Join(w.Root([]byte("<Envelope/>")), w.Part(part, bytesTo("DICM\r\n--b")), w.Close()); err != nil {
		t.Fatal(err)
	}
	if got := b.String(); got != golden {
		t.Errorf("got\n%q\nwant\n%q", got, golden)
	}
	if got, want := Length("b1", len("<Envelope/>"), []Part{part}), int64(len(golden)); got != want {
		t.Errorf("Length = %d, want %d", got, want)
	}
	part.Size = -1
	if got := Length("b1", 11, []Part{part}); got != -1 {
		t.Errorf("Length of an unknown size = %d, want -1", got)
	}
}

func TestFormatContentType(t *testing.T) {
	got := FormatContentType("b1", "urn:ihe:iti:2007:RetrieveDocumentSet")
	want := `multipart/related; boundary="b1"; type="application/xop+xml"; start="<root@collimate>"; start-info="application/soap+xml"; action="urn:ihe:iti:2007:RetrieveDocumentSet"`
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// kernel is a writer with a ReadFrom, as a plain TCP connection is one. It reads at most as much as it is
// told to, and records whether it was used.
type kernel struct {
	bytes.Buffer
	used bool
}

func (k *kernel) ReadFrom(r io.Reader) (int64, error) {
	k.used = true
	return k.Buffer.ReadFrom(r)
}

func TestPartSize(t *testing.T) {
	ten := []byte("0123456789")
	file := func(t *testing.T) *os.File {
		t.Helper()
		name := filepath.Join(t.TempDir(), "ten")
		if err := os.WriteFile(name, ten, 0o600); err != nil {
			t.Fatal(err)
		}
		f, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		return f
	}
	sources := map[string]func(t *testing.T) io.WriterTo{
		"bytes":  func(*testing.T) io.WriterTo { return bytesTo(ten) },
		"reader": func(*testing.T) io.WriterTo { return copyTo{io.MultiReader(bytes.NewReader(ten))} },
		"file":   func(t *testing.T) io.WriterTo { return copyTo{file(t)} },
		"start of file": func(t *testing.T) io.WriterTo {
			return copyTo{io.LimitReader(io.MultiReader(file(t)), 10)}
		},
		"limited file": func(t *testing.T) io.WriterTo { return copyTo{io.LimitReader(file(t), 10)} },
		"longer limit": func(t *testing.T) io.WriterTo { return copyTo{io.LimitReader(file(t), 1<<40)} },
	}
	for name, source := range sources {
		for _, size := range []int64{-1, 0, 9, 10, 11} {
			var k kernel
			w := NewWriter(&k, "b")
			if err := w.Root(nil); err != nil {
				t.Fatal(err)
			}
			head := k.Len() + len(head("b", true, "c", "t/t"))
			err := w.Part(Part{ContentID: "c", ContentType: "t/t", Size: size}, source(t))
			var wrong *SizeError
			if ok := size == 10 || size == -1; ok != (err == nil) {
				t.Errorf("%s, size %d: error %v", name, size, err)
			} else if !ok && !errors.As(err, &wrong) {
				t.Errorf("%s, size %d: error %v, want a SizeError", name, size, err)
			}
			if size >= 0 && int64(k.Len()-head) > size {
				t.Errorf("%s, size %d: %d bytes were written", name, size, k.Len()-head)
			}
			if err != nil && w.Close() == nil {
				t.Errorf("%s, size %d: Close succeeds after an error", name, size)
			}
			if want := strings.Contains(name, "file") && name != "start of file" || name == "longer limit"; size == 10 && k.used != want {
				t.Errorf("%s: handed to the kernel: %t, want %t", name, k.used, want)
			}
		}
	}
}

// limitedUse is what a caller sees who copies from one file into several parts.
func TestLimitedReaderIsAdvanced(t *testing.T) {
	name := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(name, []byte("0123456789"), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	l := &io.LimitedReader{R: f, N: 4}
	var k kernel
	w := NewWriter(&k, "b")
	if err := w.Part(Part{ContentID: "c", ContentType: "t/t", Size: 4}, copyTo{l}); err != nil {
		t.Fatal(err)
	}
	if l.N != 0 {
		t.Errorf("the LimitedReader has %d bytes left, want 0", l.N)
	}
	rest, err := io.ReadAll(f)
	if err != nil || string(rest) != "456789" {
		t.Errorf("the file goes on with %q (%v), want 456789", rest, err)
	}
}

// failing swallows the writer's error, as a careless backend might.
type careless struct{}

func (careless) WriteTo(w io.Writer) (int64, error) {
	w.Write(make([]byte, 100))
	return 100, nil
}

func TestSwallowedErrorIsSeen(t *testing.T) {
	w := NewWriter(io.Discard, "b")
	if err := w.Part(Part{ContentID: "c", ContentType: "t/t", Size: 10}, careless{}); err == nil {
		t.Error("a part that is too long is accepted when its writer says nothing")
	}
}
