//go:build unix

package fs

import (
	"errors"
	"os"
	"syscall"
)

// lock takes the archive for writing until unlock is called or the process ends.
func (a *Archive) lock() (unlock func(), err error) {
	f, err := a.root.OpenFile(lockName, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, ErrBusy
		}
		return nil, err
	}
	return func() { f.Close() }, nil
}

// syncDir puts the names in a directory on disk.
func (a *Archive) syncDir(name string) error {
	if err := a.fault("sync directory"); err != nil {
		return err
	}
	f, err := a.root.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Sync()
}
