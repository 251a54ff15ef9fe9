package fs

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"hash/crc32"
	"io"
	"os"
	"path"
)

// digest is the SHA-256 of a file, as lower case hex in JSON.
type digest [sha256.Size]byte

// MarshalText returns hex.
func (d digest) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, d[:]), nil }

// UnmarshalText reads hex.
func (d *digest) UnmarshalText(b []byte) error {
	if hex.DecodedLen(len(b)) != len(d) {
		return hex.ErrLength
	}
	_, err := hex.Decode(d[:], b)
	return err
}

// copied is a file in incoming, on disk under a name of no meaning.
type copied struct {
	path   string
	size   int64
	crc    uint32
	digest digest
}

// copy copies r to incoming. The file is on disk when it returns.
func (a *Archive) copy(r *source, buffer []byte) (copied, error) {
	if err := a.fault("create"); err != nil {
		return copied{}, err
	}
	c := copied{path: path.Join(incoming, rand.Text())}
	f, err := a.root.OpenFile(c.path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return copied{}, err
	}
	crc, sum := crc32.NewIEEE(), sha256.New()
	c.size, err = io.CopyBuffer(io.MultiWriter(f, crc, sum), r, buffer)
	if err == nil {
		err = a.fault("sync")
	}
	if err == nil {
		err = f.Sync()
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err != nil {
		a.root.Remove(c.path)
		return copied{}, err
	}
	c.crc = crc.Sum32()
	sum.Sum(c.digest[:0])
	return c, nil
}

// write writes b to incoming.
func (a *Archive) write(b []byte) (copied, error) {
	return a.copy(&source{r: bytes.NewReader(b)}, make([]byte, copyBuffer))
}

// source reads a file on its way in and keeps its errors, so that they can be told from those of the archive.
type source struct {
	r   io.Reader
	err error
}

func (s *source) Read(b []byte) (int, error) {
	n, err := s.r.Read(b)
	if err != nil && err != io.EOF {
		s.err = err
	}
	return n, err
}

// digestOf reads r to its end.
func digestOf(r io.Reader, buffer []byte) (d digest, err error) {
	sum := sha256.New()
	_, err = io.CopyBuffer(sum, r, buffer)
	sum.Sum(d[:0])
	return d, err
}

// place gives a copy its name among the objects and notes the directories that have new names.
func (a *Archive) place(c copied, to string, dirty map[string]bool) error {
	dir := path.Dir(to)
	if err := a.fault("mkdir"); err != nil {
		return err
	}
	if err := a.root.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	dirty[dir], dirty[objects] = true, true
	return a.rename(c, to)
}

// rename gives a copy its name, in place of what had it.
func (a *Archive) rename(c copied, to string) error {
	if err := a.fault("rename"); err != nil {
		return err
	}
	return a.root.Rename(c.path, to)
}
