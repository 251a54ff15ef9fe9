//go:build unix

package fs

import (
	"errors"
	"os"
	"syscall"
)

// lock takes the archive for an import, or for clearing up, until unlock is called or the process ends; ErrBusy if
// someone else is at it or instances are being received.
func (a *Archive) lock() (unlock func(), err error) { return a.flock(lockName, syscall.LOCK_EX) }

// share takes the archive for an instance that is being received, beside others; ErrBusy while an import runs.
func (a *Archive) share() (unlock func(), err error) { return a.flock(lockName, syscall.LOCK_SH) }

// receive makes this the one process that receives, until unlock is called or the process ends.
func (a *Archive) receive() (unlock func(), err error) { return a.flock(receiverName, syscall.LOCK_EX) }

func (a *Archive) flock(name string, how int) (unlock func(), err error) {
	f, err := a.root.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), how|syscall.LOCK_NB); err != nil {
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
