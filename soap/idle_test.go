package soap

import (
	"bytes"
	"crypto/tls"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

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

// slowAt takes files without reading them: each piece at once but one, which lasts.
type slowAt struct {
	piece  int
	lasts  time.Duration
	pieces []int64
}

func (s *slowAt) ReadFrom(r io.Reader) (int64, error) {
	if len(s.pieces) == s.piece {
		time.Sleep(s.lasts)
	}
	s.pieces = append(s.pieces, r.(*io.LimitedReader).N)
	return r.(*io.LimitedReader).N, nil
}

// Pieces of a file grow while the peer is quick, up to a limit, and begin anew when it is not.
func TestPieces(t *testing.T) {
	const mb, idle = writePiece, time.Minute
	f, err := os.Create(filepath.Join(t.TempDir(), "document"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	pieces := func(n1, n2, n4 int) []int64 {
		return slices.Concat(slices.Repeat([]int64{mb}, n1), slices.Repeat([]int64{2 * mb}, n2), slices.Repeat([]int64{4 * mb}, n4))
	}
	tests := []struct {
		name  string
		slow  int
		lasts time.Duration
		want  []int64
	}{
		{"quick", 5, idle/quickPart - 1, pieces(16, 8, 42)},
		{"slow at first", 5, idle / quickPart, pieces(22, 8, 40)},
		{"slow in the middle", 20, idle / quickPart, append(pieces(16, 5, 0), pieces(16, 8, 35)...)},
		{"slow later", 30, idle / quickPart, append(pieces(16, 8, 7), pieces(16, 8, 27)...)},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var size int64
				for _, n := range test.want {
					size += n
				}
				size += mb / 2 // what is left is less than a piece
				to := &slowAt{piece: test.slow, lasts: test.lasts}
				n, err := fileWriter{newDeadlineWriter(httptest.NewRecorder(), idle), to}.ReadFrom(io.LimitReader(f, size))
				if want := append(test.want, mb/2); n != size || err != nil || !slices.Equal(to.pieces, want) {
					t.Errorf("%d of %d bytes, error %v, in pieces of %d, want %d", n, size, err, to.pieces, want)
				}
			})
		})
	}
}
