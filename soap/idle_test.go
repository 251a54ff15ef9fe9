package soap

import (
	"bytes"
	"crypto/tls"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"collimate/soap/mtom"
)

// tcp is a ResponseWriter that can send files, and keeps the pieces in which it does.
type tcp struct {
	*httptest.ResponseRecorder
	pieces []int64
}

func (c *tcp) ReadFrom(r io.Reader) (int64, error) {
	l, ok := r.(*io.LimitedReader)
	if !ok || !mtom.IsFile(l) {
		return 0, os.ErrInvalid
	}
	if _, nested := l.R.(*io.LimitedReader); nested {
		return 0, os.ErrInvalid
	}
	n, err := c.Body.ReadFrom(r)
	c.pieces = append(c.pieces, n)
	return n, err
}

// A file goes to the kernel over plain TCP, in pieces that each have a deadline, and never over TLS.
func TestSendFile(t *testing.T) {
	content := bytes.Repeat([]byte("0123456789abcdef"), writePiece/8) // two pieces
	name := filepath.Join(t.TempDir(), "doc")
	if err := os.WriteFile(name, content, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, limited := range []bool{false, true} {
		for _, state := range []*tls.ConnectionState{nil, {}} {
			var closed bool
			s := &Server{Operations: operations(func() ([]mtom.Part, Parts) {
				size := int64(len(content))
				return []mtom.Part{{ContentID: "a", ContentType: "x/y", Size: size}}, &oneByOne{order: []int{0}, err: io.EOF, closed: &closed, bodies: []io.WriterTo{
					writerTo(func(w io.Writer) (int64, error) {
						f, err := os.Open(name)
						if err != nil {
							return 0, err
						}
						defer f.Close()
						if limited {
							return io.CopyN(w, f, size)
						}
						return io.Copy(w, f)
					}),
				}}
			})}
			r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(multipart(envelopeWith(`<a:Action>`+actionMTOM+`</a:Action>`, ask))))
			r.Header.Set("Content-Type", mtomType)
			r.TLS = state
			w := &tcp{ResponseRecorder: httptest.NewRecorder()}
			s.ServeHTTP(w, r)
			if !bytes.Contains(w.Body.Bytes(), content) {
				t.Errorf("limited %t, TLS %t: the document is not what was stored", limited, state != nil)
			}
			if want := 2; state == nil && len(w.pieces) != want || state != nil && len(w.pieces) != 0 {
				t.Errorf("limited %t, TLS %t: sent in pieces of %d", limited, state != nil, w.pieces)
			}
		}
	}
}
