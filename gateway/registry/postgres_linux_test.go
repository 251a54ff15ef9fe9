package registry

import (
	"bytes"
	"database/sql"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"
)

// cluster is a PostgreSQL of its own for the tests: on a Unix socket in a temporary directory, started with the first
// test that needs one.
var cluster struct {
	once    sync.Once
	dir     string
	server  *exec.Cmd
	dsn     string
	missing string // why there is none
}

// startPostgres returns the address of the cluster, or skips the test if PostgreSQL is not installed.
func startPostgres(t testing.TB) string {
	t.Helper()
	cluster.once.Do(func() { cluster.missing = runPostgres() })
	if cluster.missing != "" {
		t.Skip("PostgreSQL: " + cluster.missing)
	}
	return cluster.dsn
}

// runPostgres returns why PostgreSQL cannot be started, "" if it runs.
func runPostgres() (missing string) {
	bin := ""
	for _, dir := range append(filepath.SplitList(os.Getenv("PATH")), matches("/usr/lib/postgresql/*/bin")...) {
		if _, err := os.Stat(filepath.Join(dir, "initdb")); err == nil {
			bin = dir
		}
	}
	if bin == "" {
		return "initdb is neither on PATH nor in /usr/lib/postgresql"
	}
	dir, err := os.MkdirTemp("", "pg")
	if err != nil {
		return err.Error()
	}
	cluster.dir = dir
	attributes := &syscall.SysProcAttr{Pdeathsig: syscall.SIGINT}
	if os.Getuid() == 0 { // it does not run as root
		nobody, err := user.Lookup("nobody")
		if err != nil {
			return err.Error()
		}
		uid, _ := strconv.Atoi(nobody.Uid)
		gid, _ := strconv.Atoi(nobody.Gid)
		if err := os.Chown(dir, uid, gid); err != nil {
			return err.Error()
		}
		attributes.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	}
	data := filepath.Join(dir, "data")
	command := func(name string, args ...string) *exec.Cmd {
		c := exec.Command(filepath.Join(bin, name), args...)
		c.Dir, c.Env, c.SysProcAttr = dir, []string{"LC_ALL=C", "PATH=" + bin}, attributes
		return c
	}
	if out, err := command("initdb", "-D", data, "-U", "registry", "-A", "trust", "-E", "UTF8", "--no-sync").CombinedOutput(); err != nil {
		return "initdb: " + err.Error() + ": " + string(bytes.TrimSpace(out))
	}
	server := command("postgres", "-D", data, "-k", dir, "-c", "listen_addresses=")
	if err := server.Start(); err != nil {
		return err.Error()
	}
	cluster.server, cluster.dsn = server, "postgres:///postgres?user=registry&host="+dir
	db, err := sql.Open("pgx", cluster.dsn)
	if err != nil {
		return err.Error()
	}
	defer db.Close()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if err = db.Ping(); err == nil {
			return ""
		}
		if time.Now().After(deadline) {
			return err.Error()
		}
	}
}

func matches(pattern string) []string {
	paths, _ := filepath.Glob(pattern)
	return paths
}

// stopPostgres ends the cluster, if there is one, and takes its directory away.
func stopPostgres() {
	if cluster.server != nil {
		cluster.server.Process.Signal(syscall.SIGINT) // fast shutdown
		cluster.server.Wait()
	}
	if cluster.dir != "" {
		os.RemoveAll(cluster.dir)
	}
}
