package documents

import (
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
)

// errDamaged is a file that is not what its name says.
var errDamaged = errors.New("a document on disk is damaged: its bytes are not those of its hash; restore it from a backup")

// Open opens a document by its SHA-1, in lower-case hexadecimal, and its size. Reading yields exactly size bytes, or an
// error: the last bytes are handed out only if the whole has that hash.
func (s *Store) Open(hash string, size int64) (io.ReadCloser, error) {
	f, err := s.root.Open(nameOf(hash))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("opening a document: %w", err)
	}
	info, err := f.Stat()
	switch {
	case err != nil:
	case !info.Mode().IsRegular():
		err = ErrNotFound
	case info.Size() != size:
		err = errDamaged
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("opening a document: %w", err)
	}
	return &reader{ReadCloser: f, name: hash, left: size, sum: sha1.New()}, nil
}

// reader holds what it reads against its name.
type reader struct {
	io.ReadCloser
	name string
	left int64
	sum  hash.Hash
	err  error // the end, good or bad
}

func (r *reader) Read(b []byte) (int, error) {
	if r.err != nil || len(b) == 0 {
		return 0, r.err
	}
	n, err := 0, error(nil)
	if r.left > 0 {
		n, err = r.ReadCloser.Read(b[:min(int64(len(b)), r.left)])
		r.sum.Write(b[:n])
		r.left -= int64(n)
	}
	switch {
	case r.left > 0 && err == io.EOF:
		r.err = errDamaged
		return 0, r.err
	case r.left > 0:
		r.err = err
		return n, err
	case hex.EncodeToString(r.sum.Sum(nil)) != r.name:
		r.err = errDamaged
		return 0, r.err
	}
	if r.err = io.EOF; n > 0 {
		return n, nil
	}
	return 0, io.EOF
}
