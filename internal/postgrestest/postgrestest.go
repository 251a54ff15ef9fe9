// Package postgrestest runs a PostgreSQL of its own for tests, in a temporary directory, from the programs that Debian's
// package postgresql installs. Others on the machine are not touched.
//
// It answers on a Unix socket in that directory, where it asks for no password, and on a port of 127.0.0.1 if one is
// named, where it does. The package is for tests only.
package postgrestest

import (
	"bytes"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
	"time"
)

// The user that owns everything, and the password by which it comes in over TCP.
const (
	User     = "registry"
	Password = "open sesame"
)

// startTime bounds how long it takes to start.
const startTime = 30 * time.Second

// ErrMissing is returned by New where PostgreSQL is not installed, and where it cannot be run like this: on anything but
// Linux.
var ErrMissing = errors.New("PostgreSQL is not there: want Linux, and initdb on PATH or in /usr/lib/postgresql")

// Server is a PostgreSQL. It is not for concurrent use.
type Server struct {
	bin, dir string
	port     int
	process  *exec.Cmd // nil while it is stopped
}

// New makes an empty database and starts the server. Port 0 is none.
func New(port int) (*Server, error) {
	s := &Server{bin: programs(), port: port}
	if s.bin == "" || runtime.GOOS != "linux" {
		return nil, ErrMissing
	}
	var err error
	if s.dir, err = os.MkdirTemp("", "pg"); err != nil {
		return nil, err
	}
	if err := errors.Join(s.initialise(), s.Start()); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// programs returns where the programs are.
func programs() string {
	installed, _ := filepath.Glob("/usr/lib/postgresql/*/bin") // the newest is the last
	found := ""
	for _, dir := range append(filepath.SplitList(os.Getenv("PATH")), installed...) {
		if _, err := os.Stat(filepath.Join(dir, "initdb")); err == nil {
			found = dir
		}
	}
	return found
}

func (s *Server) initialise() error {
	if err := handOver(s.dir); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(s.dir, "password"), []byte(Password), 0o644); err != nil {
		return err
	}
	out, err := s.command("initdb", "-D", s.data(), "-U", User, "--auth-local=trust", "--auth-host=scram-sha-256", "--pwfile=password",
		"-E", "UTF8", "--no-sync").CombinedOutput()
	if err != nil {
		return fmt.Errorf("initdb: %w: %s", err, bytes.TrimSpace(out))
	}
	return nil
}

// Start starts it again after Stop or Kill, and returns when it answers.
func (s *Server) Start() error {
	listen := "listen_addresses="
	if s.port != 0 {
		listen += "127.0.0.1"
	}
	process := s.command("postgres", "-D", s.data(), "-k", s.dir, "-p", s.number(), "-c", listen)
	if err := process.Start(); err != nil {
		return err
	}
	s.process = process
	for deadline := time.Now().Add(startTime); ; time.Sleep(20 * time.Millisecond) {
		err := s.command("pg_isready", "-q", "-h", s.dir, "-p", s.number()).Run()
		if err == nil {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("PostgreSQL does not answer: %w", err)
		}
	}
}

// Stop ends it, as an administrator does who does not wait for its users (fast shutdown).
func (s *Server) Stop() error { return s.end(syscall.SIGINT) }

// Kill ends it as a crash does.
func (s *Server) Kill() error { return s.end(syscall.SIGQUIT) }

func (s *Server) end(signal syscall.Signal) error {
	if s.process == nil {
		return nil
	}
	if err := s.process.Process.Signal(signal); err != nil {
		return err
	}
	_ = s.process.Wait() // how it ended is known
	s.process = nil
	return nil
}

// Close ends it and deletes all that it has.
func (s *Server) Close() error { return errors.Join(s.Stop(), os.RemoveAll(s.dir)) }

// Socket is its URL by the Unix socket.
func (s *Server) Socket() string {
	return "postgres:///postgres?" + url.Values{"user": {User}, "host": {s.dir}, "port": {s.number()}}.Encode()
}

// TCP is its URL by the port, without the password.
func (s *Server) TCP() string { return "postgres://" + User + "@127.0.0.1:" + s.number() + "/postgres" }

// number is the port, or the one after which the socket is named where there is none.
func (s *Server) number() string {
	if s.port == 0 {
		return "5432"
	}
	return strconv.Itoa(s.port)
}

func (s *Server) data() string { return filepath.Join(s.dir, "data") }

// command prepares one of its programs.
func (s *Server) command(name string, args ...string) *exec.Cmd {
	c := exec.Command(filepath.Join(s.bin, name), args...)
	c.Dir, c.Env, c.SysProcAttr = s.dir, []string{"LC_ALL=C", "PATH=" + s.bin}, attributes()
	return c
}
