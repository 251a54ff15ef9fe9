package postgrestest

import (
	"os"
	"os/user"
	"strconv"
	"syscall"
)

// attributes are those of a process that does not run as root, which PostgreSQL refuses to, and ends with the test.
func attributes() *syscall.SysProcAttr {
	a := &syscall.SysProcAttr{Pdeathsig: syscall.SIGINT}
	if uid, gid, err := owner(); err == nil && os.Getuid() == 0 {
		a.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	}
	return a
}

// handOver gives a directory to who the processes run as.
func handOver(dir string) error {
	if os.Getuid() != 0 {
		return nil
	}
	uid, gid, err := owner()
	if err != nil {
		return err
	}
	return os.Chown(dir, uid, gid)
}

// owner is who the processes run as for root.
func owner() (uid, gid int, err error) {
	nobody, err := user.Lookup("nobody")
	if err != nil {
		return 0, 0, err
	}
	if uid, err = strconv.Atoi(nobody.Uid); err != nil {
		return 0, 0, err
	}
	gid, err = strconv.Atoi(nobody.Gid)
	return uid, gid, err
}
