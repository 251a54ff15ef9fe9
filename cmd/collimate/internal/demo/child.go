package demo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"
)

const (
	// stopPatience is how long a server may take to end politely before it is killed.
	stopPatience = 10 * time.Second
	// logTailBytes is how much of a log's end is looked at for the reason of a failure.
	logTailBytes = 4 << 10
)

// child is one organisation's server, a process of its own.
type child struct {
	name, log string
	cmd       *exec.Cmd
	lifeline  io.Closer     // closing it, or our death, ends the server
	done      chan struct{} // closed when the process has ended; err is set then
	err       error
}

// start starts 'collimate serve' with its standard input tied to our life.
func start(exe, name, config, log string) (*child, error) {
	out, err := os.OpenFile(log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	defer out.Close() // the process has its own
	c := &child{name: name, log: log, cmd: exec.Command(exe, "serve", "--config", config, "--until-eof"), done: make(chan struct{})}
	c.cmd.Stdout, c.cmd.Stderr = out, out
	c.cmd.SysProcAttr = ownGroup() // the terminal's Ctrl-C is for us; we tell the children
	if c.lifeline, err = c.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	if err := c.cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting %s: %w", name, err)
	}
	go func() {
		c.err = c.cmd.Wait()
		close(c.done)
	}()
	return c, nil
}

// ended reports whether the process has ended.
func (c *child) ended() bool {
	select {
	case <-c.done:
		return true
	default:
		return false
	}
}

// stop ends the server politely, and after a while otherwise, and waits for it.
func (c *child) stop() {
	_ = c.lifeline.Close()
	select {
	case <-c.done:
	case <-time.After(stopPatience):
		_ = c.cmd.Process.Kill()
		<-c.done
	}
}

// failure says why a server has ended, by its own words if it left some.
func (c *child) failure() error {
	why := "it was told to"
	var exit *exec.ExitError
	switch {
	case errors.As(c.err, &exit) && exit.Exited():
		why = lastLine(c.log) // it says itself why
	case c.err != nil:
		why = c.err.Error() // such as "signal: killed"
	}
	return fmt.Errorf("%s stopped: %s (log: %s)", c.name, why, c.log)
}

func lastLine(file string) string {
	f, err := os.Open(file)
	if err != nil {
		return ""
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.Size() > logTailBytes {
		_, _ = f.Seek(-logTailBytes, io.SeekEnd)
	}
	tail, _ := io.ReadAll(io.LimitReader(f, logTailBytes))
	lines := strings.Split(string(bytes.TrimSpace(tail)), "\n")
	return strings.TrimSpace(lines[len(lines)-1])
}

// until calls check until it returns nil, while all children live. Its last error is told when patience ends.
func until(ctx context.Context, patience time.Duration, children []*child, check func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		err := check(ctx)
		if err == nil {
			return nil
		}
		for _, c := range children {
			if c.ended() {
				return c.failure()
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			if errors.Is(ctx.Err(), context.DeadlineExceeded) {
				return fmt.Errorf("not within %s: %w", patience, err)
			}
			return ctx.Err()
		}
	}
}
