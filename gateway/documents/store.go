// Package documents keeps the documents that were submitted to a Document Repository. ITI TF-2: 3.41.4.1.3
//
// A document is a file that is named by the SHA-1 of its bytes, which is the hash of its DocumentEntry: the registry is
// the only index. A file that no entry names is of no use to anybody, and is removed.
//
//	incoming/RANDOM      being received; emptied by Open
//	doubtful/HASH        empty: whether an entry names the document has to be asked; asked by Open
//	content/HA/HASH      the documents
//
// The steps of a submission, each on disk before the next, and what a power cut after it leaves behind:
//
//	Receive    incoming/RANDOM                 nothing, Open removes it
//	Commit     doubtful/HASH                   nothing
//	           content/HA/HASH                 nothing, unless the registry has the entry: Open asks it
//	           register, the caller's          the document: acknowledged or not, it is whole and registered
//	           doubtful/HASH is removed        the document
//
// SHA-1 collides where somebody wants it to. A second document with the hash of a first and other bytes is refused, so a
// name stands for one document. What is read is held against its name before its last bytes are handed out.
//
// A Store may be used concurrently; one process at a time may hold it.
package documents

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"sync"
	"syscall"
)

// ErrNotFound is returned for a document that the store does not hold.
var ErrNotFound = errors.New("not in the document store")

// ErrTooLarge refuses a document that is longer than it may be.
var ErrTooLarge = errors.New("the document is larger than this repository takes")

// ErrFull refuses a document for which there is no room.
var ErrFull = errors.New("the document store is full: make room on its disk")

// ErrConflict refuses other bytes under the same SHA-1.
var ErrConflict = errors.New("another document with the same SHA-1 is stored")

// The folders of a store.
const (
	incoming = "incoming"
	doubtful = "doubtful"
	content  = "content"
)

// Registered reports whether an entry names the document of a SHA-1, in lower-case hexadecimal.
type Registered func(ctx context.Context, hash string) (bool, error)

// Store is an open document store.
type Store struct {
	root       *os.Root
	registered Registered
	// step is called before each change on the disk; tests fail there.
	step func(what string) error
	// free returns how many bytes the disk has left.
	free func() (uint64, error)

	mu sync.Mutex // held from doubt to certainty: another submission may bring the same document
}

// Open opens the store in dir, makes it if there is none, and clears up what a crash has left behind.
func Open(ctx context.Context, dir string, registered Registered) (*Store, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("opening the document store: %w", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("opening the document store: %w", err)
	}
	s := &Store{root: root, registered: registered, step: func(string) error { return nil }, free: func() (uint64, error) { return freeBytes(dir) }}
	if err := s.prepare(ctx); err != nil {
		root.Close()
		return nil, fmt.Errorf("opening the document store: %w", err)
	}
	return s, nil
}

// Close closes the store.
func (s *Store) Close() error { return s.root.Close() }

func (s *Store) prepare(ctx context.Context) error {
	for _, dir := range []string{incoming, doubtful, content} {
		if err := s.root.MkdirAll(dir, 0o700); err != nil {
			return err
		}
	}
	if err := s.syncDir("."); err != nil {
		return err
	}
	left, err := s.names(incoming)
	if err != nil {
		return err
	}
	for _, name := range left {
		if err := s.root.Remove(path.Join(incoming, name)); err != nil {
			return err
		}
	}
	hashes, err := s.names(doubtful)
	if err != nil {
		return err
	}
	return s.settle(ctx, hashes)
}

func (s *Store) names(dir string) ([]string, error) {
	f, err := s.root.Open(dir)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return f.Readdirnames(-1)
}

// Received is a document that has come whole and is not in place yet. Whoever has one must Commit or Discard it.
type Received struct {
	Hash string // SHA-1, in lower-case hexadecimal
	Size int64

	store *Store
	path  string
}

// Receive copies a document of at most max bytes to the disk.
func (s *Store) Receive(r io.Reader, max int64) (*Received, error) {
	d := &Received{store: s, path: path.Join(incoming, rand.Text())}
	err := s.step("receive")
	if err == nil {
		err = d.receive(r, max)
	}
	if err != nil {
		d.Discard()
		return nil, fmt.Errorf("receiving a document: %w", full(err))
	}
	return d, nil
}

func (d *Received) receive(r io.Reader, max int64) error {
	f, err := d.store.root.OpenFile(d.path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	sum := sha1.New()
	d.Size, err = io.CopyBuffer(io.MultiWriter(room{f, d.store}, sum), io.LimitReader(r, max+1), make([]byte, copyBuffer))
	if err == nil && d.Size > max {
		err = ErrTooLarge
	}
	if err == nil {
		err = f.Sync()
	}
	d.Hash = hex.EncodeToString(sum.Sum(nil))
	return errors.Join(err, f.Close())
}

// room writes as long as the disk has more left than the reserve.
type room struct {
	io.Writer
	store *Store
}

func (r room) Write(b []byte) (int, error) {
	if free, err := r.store.free(); err != nil {
		return 0, err
	} else if free < reserve {
		return 0, ErrFull
	}
	return r.Writer.Write(b)
}

// full makes an error of a disk without room ErrFull.
func full(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return fmt.Errorf("%w: %w", ErrFull, err)
	}
	return err
}

// Open opens the document to be looked at before it is in place.
func (d *Received) Open() (io.ReadCloser, error) { return d.store.root.Open(d.path) }

// Discard removes a document that is not wanted. It does nothing to one that is in place.
func (d *Received) Discard() { d.store.root.Remove(d.path) }

// Commit puts documents in place and calls register, which is to make the entries that name them. If register fails, of
// what it was to name nothing is kept that no other entry names. The documents are on disk before register is called.
func (s *Store) Commit(ctx context.Context, received []*Received, register func() error) error {
	var hashes []string
	for _, d := range received {
		hashes = append(hashes, d.Hash)
	}
	return s.change(ctx, hashes, func() error {
		var dirty []string
		for _, d := range received {
			if err := s.place(d, &dirty); err != nil {
				return fmt.Errorf("storing a document: %w", full(err))
			}
		}
		for _, dir := range dirty {
			if err := s.syncDir(dir); err != nil {
				return fmt.Errorf("storing a document: %w", err)
			}
		}
		return register()
	})
}

// Erase calls remove, which is to delete the entries that name documents, and deletes those that are named no more.
func (s *Store) Erase(ctx context.Context, hashes []string, remove func() error) error {
	return s.change(ctx, hashes, remove)
}

// change does what may begin or end that entries name documents.
func (s *Store) change(ctx context.Context, hashes []string, do func() error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	slices.Sort(hashes)
	hashes = slices.Compact(hashes)
	if err := s.doubt(hashes); err != nil {
		return fmt.Errorf("storing a document: %w", full(err))
	}
	err := do()
	// Whoever asked may be gone; what is done has to be put in order all the same. If it cannot be, Open tries again.
	settled := s.settle(context.WithoutCancel(ctx), hashes)
	if err != nil {
		return err
	}
	if settled != nil {
		return fmt.Errorf("clearing up the document store: %w", settled)
	}
	return nil
}

// doubt notes on disk that documents may be named by no entry.
func (s *Store) doubt(hashes []string) error {
	for _, hash := range hashes {
		if err := s.step("doubt"); err != nil {
			return err
		}
		f, err := s.root.OpenFile(path.Join(doubtful, hash), os.O_WRONLY|os.O_CREATE, 0o600)
		if err != nil {
			return err
		}
		if err := f.Close(); err != nil {
			return err
		}
	}
	return s.syncDir(doubtful)
}

// place gives a document its name. dirty has the folders that have new names.
func (s *Store) place(d *Received, dirty *[]string) error {
	to := nameOf(d.Hash)
	if _, err := s.root.Lstat(to); err == nil {
		return s.same(d, to)
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := s.step("place"); err != nil {
		return err
	}
	dir := path.Dir(to)
	if err := s.root.Mkdir(dir, 0o700); err == nil {
		*dirty = append(*dirty, content)
	} else if !errors.Is(err, fs.ErrExist) {
		return err
	}
	if !slices.Contains(*dirty, dir) {
		*dirty = append(*dirty, dir)
	}
	return s.root.Rename(d.path, to)
}

// same returns ErrConflict unless the stored document is that which has come.
func (s *Store) same(d *Received, stored string) error {
	a, err := s.root.Open(stored)
	if err != nil {
		return err
	}
	defer a.Close()
	b, err := s.root.Open(d.path)
	if err != nil {
		return err
	}
	defer b.Close()
	x, y := make([]byte, copyBuffer), make([]byte, copyBuffer)
	for {
		n, errA := io.ReadFull(a, x)
		m, errB := io.ReadFull(b, y)
		ended := errA == io.EOF || errA == io.ErrUnexpectedEOF
		switch {
		case !bytes.Equal(x[:n], y[:m]):
			return ErrConflict
		case ended:
			d.Discard()
			return nil
		case errA != nil || errB != nil:
			return errors.Join(errA, errB)
		}
	}
}

// settle asks of each document whether an entry names it, and removes it if none does.
func (s *Store) settle(ctx context.Context, hashes []string) error {
	for _, hash := range hashes {
		named, err := s.registered(ctx, hash)
		if err != nil {
			return err
		}
		if err := s.step("settle"); err != nil {
			return err
		}
		if !named {
			if err := s.root.Remove(nameOf(hash)); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
			if err := s.syncDir(path.Dir(nameOf(hash))); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
		if err := s.root.Remove(path.Join(doubtful, hash)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// nameOf returns where a document is kept. A hash that is none leads nowhere.
func nameOf(hash string) string {
	if len(hash) != 2*sha1.Size {
		return path.Join(content, "none")
	}
	return path.Join(content, hash[:2], hash)
}

// syncDir puts the names in a folder on disk, where the system can do that.
func (s *Store) syncDir(name string) error {
	if err := s.step("sync"); err != nil {
		return err
	}
	f, err := s.root.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := f.Sync(); err != nil && !errors.Is(err, errors.ErrUnsupported) && !errors.Is(err, syscall.EINVAL) {
		return err
	}
	return nil
}
