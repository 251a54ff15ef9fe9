package documents

import "syscall"

// freeBytes returns how many bytes the disk of a folder has left.
func freeBytes(dir string) (uint64, error) {
	var s syscall.Statfs_t
	err := syscall.Statfs(dir, &s)
	return s.Bavail * uint64(s.Bsize), err
}
