package soap

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"collimate/soap/mtom"
)

// countingListener counts what its connections are given to write, and what they take from files by ReadFrom,
// which is where package net uses sendfile.
type countingListener struct {
	net.Listener
	written, fromFiles *atomic.Int64
}

func (l countingListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return countingConn{c.(*limitedTCP), l.written, l.fromFiles}, nil
}

type countingConn struct {
	*limitedTCP
	written, fromFiles *atomic.Int64
}

func (c countingConn) Write(b []byte) (int, error) {
	n, err := c.limitedTCP.Write(b)
	c.written.Add(int64(n))
	return n, err
}

func (c countingConn) ReadFrom(r io.Reader) (int64, error) {
	l, ok := r.(*io.LimitedReader)
	if _, file := l.R.(*os.File); !ok || !file {
		return io.Copy(c.limitedTCP, r)
	}
	n, err := c.limitedTCP.ReadFrom(r)
	c.fromFiles.Add(n)
	return n, err
}

// Over plain TCP every byte of a document goes from the file to the connection without passing through this
// process: through the HTTP server and a LimitListener, as in production.
func TestSendFileConnection(t *testing.T) {
	const size = 8 << 20
	name := filepath.Join(t.TempDir(), "document")
	writeDocument(t, name, size)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var written, fromFiles atomic.Int64
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- Serve(ctx, NewHTTPServer(fileServer(name, size), nil, nil), countingListener{LimitListener(l, 10, 10), &written, &fromFiles}, time.Minute)
	}()
	response, err := http.Post("http://"+l.Addr().String(), mtomType, mtomRequest())
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(response.Body)
	response.Body.Close()
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
	want, readErr := os.ReadFile(name)
	if err != nil || readErr != nil || !bytes.Contains(got, want) {
		t.Errorf("the document is not what is in the file: %v, %v", err, readErr)
	}
	if fromFiles.Load() != size || written.Load() > 8192 {
		t.Errorf("%d bytes from the file and %d written, want %d and only headers", fromFiles.Load(), written.Load(), size)
	}
}

const sendFileChild = "COLLIMATE_TEST_SENDFILE"

// The same, as the kernel sees it: all of a document goes out corked, and nothing stays so.
func TestSendFileSyscall(t *testing.T) {
	const size = 8 << 20
	if name := os.Getenv(sendFileChild); name != "" {
		response, err := http.Post(startServer(t, fileServer(name, size), nil), mtomType, mtomRequest())
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		if _, err := io.Copy(io.Discard, response.Body); err != nil {
			t.Fatal(err)
		}
		return
	}
	strace, err := exec.LookPath("strace")
	if err != nil {
		t.Skip("strace is not installed: system calls cannot be seen")
	}
	dir := t.TempDir()
	name, trace := filepath.Join(dir, "document"), filepath.Join(dir, "trace")
	writeDocument(t, name, size)
	command := exec.Command(strace, "-f", "-qq", "-e", "trace=sendfile,setsockopt", "-o", trace, os.Args[0], "-test.run=^TestSendFileSyscall$")
	command.Env = append(os.Environ(), sendFileChild+"="+name)
	out, err := command.CombinedOutput()
	if err != nil && bytes.Contains(out, []byte("PTRACE")) {
		t.Skip("processes may not be traced here")
	}
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	b, err := os.ReadFile(trace)
	if err != nil {
		t.Fatal(err)
	}
	var sent int
	for _, call := range regexp.MustCompile(`sendfile(?:\(|64\(| resumed>).*= (\d+)\n`).FindAllSubmatch(b, -1) {
		n, err := strconv.Atoi(string(call[1]))
		if err != nil {
			t.Fatal(err)
		}
		sent += n
	}
	if sent != size {
		t.Errorf("sendfile has sent %d bytes, want %d", sent, size)
	}
	corked := false
	for line := range bytes.Lines(b) {
		switch {
		case bytes.Contains(line, []byte("TCP_CORK, [1]")):
			corked = true
		case bytes.Contains(line, []byte("TCP_CORK, [0]")):
			corked = false
		case bytes.Contains(line, []byte(" sendfile")) && !corked:
			t.Fatalf("not corked: %s", line)
		}
	}
	if corked {
		t.Error("the end of the document stays corked")
	}
}

// A peer that takes a file quickly, so that pieces grow, and then nothing is given up after the idle time.
func TestSendFileIdlePeer(t *testing.T) {
	const size = 1 << 30
	name := filepath.Join(t.TempDir(), "document")
	if err := errors.Join(os.WriteFile(name, nil, 0o600), os.Truncate(name, size)); err != nil {
		t.Fatal(err)
	}
	var closed bool
	done := make(chan error, 1)
	url := startServer(t, &Server{Limits: Limits{IdleTimeout: 500 * time.Millisecond}, Operations: operations(func() ([]mtom.Part, Parts) {
		return []mtom.Part{{ContentID: "a", ContentType: "x/y", Size: size}}, &oneByOne{order: []int{0}, err: io.EOF, closed: &closed, bodies: []io.WriterTo{
			writerTo(func(w io.Writer) (int64, error) {
				f, err := os.Open(name)
				if err != nil {
					return 0, err
				}
				defer f.Close()
				n, err := io.CopyN(w, f, size)
				done <- err
				return n, err
			}),
		}}
	})}, nil)
	response, err := http.Post(url, mtomType, mtomRequest())
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if _, err := io.CopyN(io.Discard, response.Body, 32<<20); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-done:
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("error %v, want a deadline", err)
		}
	case <-time.After(20 * time.Second):
		t.Error("the connection is held on")
	}
	if n, err := io.Copy(io.Discard, response.Body); err == nil {
		t.Errorf("the answer ends well after %d bytes more, want it torn", n)
	}
}

// endless yields so many bytes from nowhere.
type endless struct{ left int64 }

func (e *endless) Read(b []byte) (int, error) {
	if e.left == 0 {
		return 0, io.EOF
	}
	n := min(int64(len(b)), e.left)
	e.left -= n
	return int(n), nil
}

// The memory of server and client together does not depend on the size of a document: it is taken at its peak,
// from the kernel.
func TestMemoryIsFlat(t *testing.T) {
	sizes := []int64{1 << 20, 64 << 20, 4 << 30}
	switch {
	case raceDetector:
		sizes[2] = 512 << 20 // it is ten times slower
	case testing.Short():
		sizes[2] = 1 << 30
	}
	for _, secure := range []bool{false, true} {
		var size int64
		s := &Server{Operations: operations(func() ([]mtom.Part, Parts) {
			return []mtom.Part{{ContentID: "a", ContentType: "x/y", Size: size}}, &oneByOne{order: []int{0}, err: io.EOF, closed: new(bool), bodies: []io.WriterTo{
				writerTo(func(w io.Writer) (int64, error) { return io.Copy(w, &endless{size}) }),
			}}
		})}
		var url string
		if secure {
			url = startServer(t, s, &tls.Config{Certificates: []tls.Certificate{selfSigned(t)}})
		} else {
			url = startServer(t, s, nil)
		}
		client := &Client{HTTP: benchClient()}
		var first int64
		for _, size = range sizes {
			if !resetPeak() {
				t.Skip("the kernel does not tell the peak of the memory of a process")
			}
			start := time.Now()
			reply, err := client.Call(t.Context(), url, Envelope{Action: actionMTOM, Payload: []byte(ask), MTOM: true})
			if err != nil {
				t.Fatal(err)
			}
			part, err := reply.Next()
			if err != nil {
				t.Fatal(err)
			}
			n, err := part.WriteTo(io.Discard)
			if err != nil || n != size {
				t.Fatalf("%d of %d bytes, error %v", n, size, err)
			}
			if _, err := reply.Next(); err != io.EOF {
				t.Fatal(err)
			}
			reply.Close()
			peak := peakMemory(t)
			t.Logf("tls %t: %4d MB in %v, at most %d MB of memory", secure, size>>20, time.Since(start).Round(time.Millisecond), peak>>20)
			if first == 0 {
				first = peak
			} else if peak > first+16<<20 {
				t.Errorf("tls %t: %d MB take %d MB of memory, %d MB take %d MB", secure, sizes[0]>>20, first>>20, size>>20, peak>>20)
			}
		}
	}
}

// resetPeak has the kernel forget the peak. proc(5), /proc/pid/clear_refs
func resetPeak() bool { return os.WriteFile("/proc/self/clear_refs", []byte("5"), 0) == nil }

// peakMemory is the most memory that this process has had since, in bytes.
func peakMemory(t *testing.T) int64 {
	t.Helper()
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	match := regexp.MustCompile(`VmHWM:\s+(\d+) kB`).FindSubmatch(b)
	if match == nil {
		t.Skip("the kernel does not tell the peak of the memory of a process")
	}
	n, err := strconv.ParseInt(string(match[1]), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n << 10
}
