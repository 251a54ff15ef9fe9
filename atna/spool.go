package atna

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
)

// FileSpool keeps messages in a file, one XML document per line, in the order in which they came.
//
// When Record returns nil, the message is on disk; messages that come at the same time share one fsync. When the
// file reaches its bound it is renamed to path.1, path.2 and so on, and a new one begun. Nothing is ever deleted:
// how long an audit trail is kept is for law and operator to say. A crash can leave an unfinished last line,
// whose Record never returned; Open removes it.
//
// One process may use a path at a time.
type FileSpool struct {
	path string
	max  int64
	torn int64

	mu      sync.Mutex // guards all below; released while the disk is waited for
	turn    sync.Cond  // signalled when syncing ends
	file    *os.File   // nil after Close
	size    int64
	rotated int    // number of the last file that was renamed
	written uint64 // messages written
	synced  uint64 // of these, on disk
	syncing bool   // some caller is in fsync, for all that was written when it began
	err     error  // the first failure of the disk, after which nothing can be promised
}

// Open opens or creates a spool whose files are at most DefaultMaxBytes large.
func Open(path string) (*FileSpool, error) { return OpenSize(path, DefaultMaxBytes) }

// OpenSize is Open with another bound for each file, in bytes. A single message may exceed it.
func OpenSize(path string, maxBytes int64) (*FileSpool, error) {
	s := &FileSpool{path: path, max: maxBytes}
	s.turn.L = &s.mu
	if err := s.open(); err != nil {
		return nil, fmt.Errorf("opening the audit spool: %w", err)
	}
	if err := s.recover(); err != nil {
		s.file.Close()
		return nil, fmt.Errorf("recovering the audit spool %s: %w", path, err)
	}
	for {
		if _, err := os.Lstat(s.numbered(s.rotated + 1)); err != nil {
			break
		}
		s.rotated++
	}
	return s, nil
}

// Torn returns how many bytes of an unfinished line Open removed.
func (s *FileSpool) Torn() int64 { return s.torn }

// Record writes m and waits until it is on disk. It does not give up when ctx ends: whoever hangs up must not
// get away unrecorded. After a failure of the disk every call fails, until the spool is opened again.
func (s *FileSpool) Record(_ context.Context, m Message) error {
	line, err := m.MarshalText()
	if err != nil {
		return err
	}
	line = append(line, '\n')

	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.write(line); err != nil {
		return fmt.Errorf("recording an audit message: %w", err)
	}
	for mine := s.written; s.synced < mine; {
		if s.file == nil {
			return fmt.Errorf("recording an audit message: %w", os.ErrClosed)
		}
		if s.err != nil {
			return fmt.Errorf("recording an audit message: %w", s.err)
		}
		if s.syncing {
			s.turn.Wait()
			continue
		}
		s.sync()
	}
	return nil
}

// Close waits for what is under way and closes the file. Later calls of Record fail.
func (s *FileSpool) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.syncing {
		s.turn.Wait()
	}
	if s.file == nil {
		return nil
	}
	err := s.file.Sync()
	if err == nil {
		s.synced = s.written
	}
	err = errors.Join(err, s.file.Close())
	s.file = nil
	s.turn.Broadcast()
	return err
}

// write appends one line, in a new file if this one is full. The caller holds mu.
func (s *FileSpool) write(line []byte) error {
	for s.size > 0 && s.size+int64(len(line)) > s.max && s.err == nil && s.file != nil {
		if s.syncing {
			s.turn.Wait() // and look again: another may have begun the new file meanwhile
			continue
		}
		if err := s.rotate(); err != nil {
			s.fail(err)
		}
	}
	if s.err != nil {
		return s.err
	}
	if s.file == nil {
		return os.ErrClosed
	}
	if n, err := s.file.Write(line); err != nil {
		if n > 0 { // take the torn line back, so that the next one begins a line
			if terr := s.file.Truncate(s.size); terr != nil {
				s.fail(errors.Join(err, terr))
			}
		}
		return err
	}
	s.size += int64(len(line))
	s.written++
	return nil
}

// sync brings all that is written to disk, with mu released meanwhile. The caller holds mu.
func (s *FileSpool) sync() {
	s.syncing = true
	file, upTo := s.file, s.written
	s.mu.Unlock()
	err := file.Sync()
	s.mu.Lock()
	s.syncing = false
	if err != nil {
		// The kernel may have dropped the pages: a second fsync would lie.
		s.fail(err)
	} else {
		s.synced = upTo
	}
	s.turn.Broadcast()
}

func (s *FileSpool) fail(err error) {
	if s.err == nil {
		s.err = fmt.Errorf("the audit spool %s failed and must be opened again: %w", s.path, err)
	}
}

// rotate renames the full file and begins a new one. The caller holds mu, and nobody syncs.
func (s *FileSpool) rotate() error {
	if err := s.file.Sync(); err != nil {
		return err
	}
	s.synced = s.written
	if err := s.file.Close(); err != nil {
		return err
	}
	s.rotated++
	if err := os.Rename(s.path, s.numbered(s.rotated)); err != nil {
		return err
	}
	s.turn.Broadcast()
	return s.open()
}

func (s *FileSpool) numbered(n int) string { return fmt.Sprintf("%s.%d", s.path, n) }

// open opens or creates the file and makes its name durable.
func (s *FileSpool) open() error {
	file, err := os.OpenFile(s.path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(s.path))
	if err == nil {
		err = errors.Join(dir.Sync(), dir.Close())
	}
	info, serr := file.Stat()
	if err = errors.Join(err, serr); err != nil {
		file.Close()
		return err
	}
	s.file, s.size = file, info.Size()
	return nil
}

// recover cuts off what follows the last whole line.
func (s *FileSpool) recover() error {
	tail := make([]byte, min(s.size, 2*maxRecord))
	if _, err := s.file.ReadAt(tail, s.size-int64(len(tail))); err != nil && err != io.EOF {
		return err
	}
	end := []byte("</AuditMessage>\n")
	keep := 0
	if i := bytes.LastIndex(tail, end); i >= 0 {
		keep = i + len(end)
	} else if int64(len(tail)) < s.size || !begun(tail) {
		return errors.New("it holds no audit message; is this the right file?")
	}
	s.torn = int64(len(tail) - keep)
	if s.torn == 0 {
		return nil
	}
	s.size -= s.torn
	if err := s.file.Truncate(s.size); err != nil {
		return err
	}
	return s.file.Sync()
}

// begun reports whether b can be the torn beginning of a message. A file system may leave zeros where bytes had
// not reached the disk.
func begun(b []byte) bool {
	const start = "<AuditMessage"
	return len(bytes.Trim(b, "\x00")) == 0 || bytes.HasPrefix(b, []byte(start)[:min(len(b), len(start))])
}
