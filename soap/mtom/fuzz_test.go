package mtom

import (
	"bytes"
	"errors"
	"io"
	"maps"
	"net/url"
	"strings"
	"testing"
	"testing/iotest"
)

// FuzzReader: any input is read or refused, in the same way whatever the steps in which it arrives; and what
// was read can be written and read again.
func FuzzReader(f *testing.F) {
	f.Add(simpleType, []byte(golden))
	f.Add(simpleType+"; start=root@collimate;", []byte(strings.ReplaceAll(golden, "\r\n", "\n")))
	f.Add(simpleType, []byte(strings.TrimSuffix(golden, "--\r\n")))
	f.Add("multipart/related;\r\n boundary=\"b1\"", []byte("\r\n"+golden+"x"))
	f.Add(`multipart/related; boundary=b1; x="\"`, []byte("--b1\r\n\r\n\r\n--b1--"))
	f.Fuzz(func(t *testing.T, contentType string, message []byte) {
		limits := Limits{Parts: 16, HeaderBytes: 512}
		ids, bodies, err := parts(bytes.NewReader(message), contentType, limits)
		ids1, bodies1, err1 := parts(iotest.OneByteReader(bytes.NewReader(message)), contentType, limits)
		if (err == nil) != (err1 == nil) || strings.Join(bodies, "|") != strings.Join(bodies1, "|") || strings.Join(ids, "|") != strings.Join(ids1, "|") {
			t.Fatalf("whole: %q %q %v\nbyte by byte: %q %q %v", ids, bodies, err, ids1, bodies1, err1)
		}
		if err != nil || len(bodies) == 0 {
			return
		}
		for _, b := range bodies {
			if strings.Contains(b, "uuid-0") {
				return
			}
		}
		var out bytes.Buffer
		w := NewWriter(&out, "uuid-0")
		errs := []error{w.Root([]byte(bodies[0]))}
		for i, b := range bodies[1:] {
			p := Part{ContentID: strings.Repeat("i", i+1), ContentType: "x/y", Size: int64(len(b))}
			errs = append(errs, w.Part(p, bytesTo(b)))
		}
		if err := errors.Join(append(errs, w.Close())...); err != nil {
			t.Fatal(err)
		}
		_, again, err := parts(&out, FormatContentType("uuid-0", "urn:x"), DefaultLimits)
		if err != nil || strings.Join(again, "|") != strings.Join(bodies, "|") {
			t.Fatalf("written and read again: %q, error %v, want %q", again, err, bodies)
		}
	})
}

// FuzzContentType: what is read does not depend on how it was written: read, written plainly and read again, it is
// the same.
func FuzzContentType(f *testing.F) {
	for _, s := range []string{
		simpleType, FormatContentType("uuid-0", "urn:x"), `multipart/related; start="<a@b>"; x=`, "a/b;\r\n\tc=d; ;", `a/b; c="\"\\"`, "A/B;C = d",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		ct, err := ParseContentType(s)
		if err != nil {
			return
		}
		again := ct.MediaType
		for name, value := range ct.Parameters {
			again += `; ` + name + `="` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(value) + `"`
		}
		if len(again) > maxContentType {
			return
		}
		got, err := ParseContentType(again)
		if err != nil || got.MediaType != ct.MediaType || !maps.Equal(got.Parameters, ct.Parameters) {
			t.Fatalf("%q is %v, written as %q it is %v, error %v", s, ct, again, got, err)
		}
	})
}

// FuzzCleanID: an id is a plain string: no brackets around it, and no longer than it was.
func FuzzCleanID(f *testing.F) {
	for _, s := range []string{"<a@b>", "a%40b", " <%3Ca%3E> ", "<>", "%zz", "<"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if got := CleanID(s); len(got) > len(s) {
			t.Fatalf("%q became %q", s, got)
		}
		if !strings.Contains(s, "%") && !strings.ContainsAny(s, "<> \t\r\n") && CleanID(s) != s && strings.TrimSpace(s) == s {
			t.Fatalf("%q became %q", s, CleanID(s))
		}
		if e := url.PathEscape(CleanID(s)); CleanID(e) != CleanID(s) {
			t.Fatalf("%q as %q became %q", CleanID(s), e, CleanID(e))
		}
	})
}

const benchSize = 64 << 20

// pixels yields a document of a size, copied as from a page cache.
type pixels struct{ left int64 }

func (p *pixels) Read(b []byte) (int, error) {
	if p.left == 0 {
		return 0, io.EOF
	}
	n := copy(b[:min(int64(len(b)), p.left)], block)
	p.left -= int64(n)
	return n, nil
}

var block = bytes.Repeat([]byte("0123456789abcdef"), bufferSize/16)

func BenchmarkWrite(b *testing.B) {
	b.SetBytes(benchSize)
	b.ReportAllocs()
	for b.Loop() {
		w := NewWriter(io.Discard, "uuid-00112233445566778899aabbccddeeff")
		if err := errors.Join(w.Root([]byte("<e/>")), w.Part(Part{ContentID: "d", ContentType: "x/y", Size: benchSize}, copyTo{&pixels{benchSize}}), w.Close()); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkRead(b *testing.B) {
	const boundary = "uuid-00112233445566778899aabbccddeeff"
	doc := make([]byte, benchSize)
	for i := range doc {
		doc[i] = byte(i * 2654435761 >> 13) // as pixels: every byte value, "\r" among them
	}
	var message bytes.Buffer
	w := NewWriter(&message, boundary)
	if err := errors.Join(w.Root([]byte("<e/>")), w.Part(Part{ContentID: "d", ContentType: "x/y", Size: benchSize}, bytesTo(doc)), w.Close()); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(benchSize)
	b.ReportAllocs()
	for b.Loop() {
		r, err := NewReader(bytes.NewReader(message.Bytes()), FormatContentType(boundary, "urn:x"), DefaultLimits)
		if err != nil {
			b.Fatal(err)
		}
		for {
			p, err := r.Next()
			if err == io.EOF {
				break
			}
			if err != nil {
				b.Fatal(err)
			}
			if _, err := p.WriteTo(io.Discard); err != nil {
				b.Fatal(err)
			}
		}
	}
}
