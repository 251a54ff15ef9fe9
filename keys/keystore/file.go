package keystore

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// readFile reads a bounded file, after check has seen its mode. The mode is that of the open file, so that
// nothing can be exchanged between the look and the read.
func readFile(path string, check func(fs.FileInfo) error) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file", path)
	}
	if err := check(info); err != nil {
		return nil, err
	}
	b, err := io.ReadAll(io.LimitReader(f, maxFileBytes+1))
	if err != nil {
		return nil, err
	}
	if len(b) > maxFileBytes {
		return nil, fmt.Errorf("%s is larger than %d bytes: this is no key or certificate file", path, maxFileBytes)
	}
	return b, nil
}

// writeNew writes a file that must not exist yet. link(2) fails where the name is taken, which rename(2) does
// not, so two writers cannot both believe that their key is the one on disk.
func writeNew(path string, b []byte, mode fs.FileMode) error {
	return writeTemp(path, b, mode, func(temp string) error {
		err := os.Link(temp, path)
		if errors.Is(err, fs.ErrExist) {
			return fmt.Errorf("%s exists already and is not overwritten; move it away first: %w", path, fs.ErrExist)
		}
		return err
	})
}

// replace writes a file, in the place of an older one if there is one.
func replace(path string, b []byte, mode fs.FileMode) error {
	return writeTemp(path, b, mode, func(temp string) error { return os.Rename(temp, path) })
}

// writeTemp writes b to a synced temporary file beside path, has place give it its name, and syncs the
// directory: only then does the name survive a power cut.
func writeTemp(path string, b []byte, mode fs.FileMode, place func(temp string) error) (err error) {
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, ".keystore-*") // made with mode 0600
	if err != nil {
		return err
	}
	defer func() {
		// After a rename the name is gone already.
		if e := os.Remove(f.Name()); e != nil && !errors.Is(e, fs.ErrNotExist) {
			err = errors.Join(err, e)
		}
	}()
	_, err = f.Write(b)
	err = errors.Join(err, f.Chmod(mode), f.Sync(), f.Close())
	if err != nil {
		return err
	}
	if err := place(f.Name()); err != nil {
		return err
	}
	return syncDir(dir)
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
