//go:build !unix

package fs

// lock, share and receive take nothing where there is no flock: run one import at a time, and nothing beside it.
func (a *Archive) lock() (unlock func(), err error)    { return func() {}, nil }
func (a *Archive) share() (unlock func(), err error)   { return func() {}, nil }
func (a *Archive) receive() (unlock func(), err error) { return func() {}, nil }

// syncDir does nothing where a directory cannot be synced; renames are as durable as the system makes them.
func (a *Archive) syncDir(string) error { return a.fault("sync directory") }
