package main

import (
	"fmt"
	"os"

	"collimate/cmd/collimate/internal/admin"
)

// passingLine returns a function that shows a line which the next one replaces; "" clears it. It is nil unless
// standard error is a terminal.
func (a *app) passingLine() func(string) {
	f, ok := a.stderr.(*os.File)
	if !ok {
		return nil
	}
	if info, err := f.Stat(); err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return nil
	}
	return func(line string) { fmt.Fprintf(f, "\r\x1b[K%s", line) }
}

// progress returns a function that shows how far long work is, on a terminal only, and one that clears it. Files that
// were refused are told everywhere.
func (a *app) progress() (show func(admin.Progress), done func()) {
	line := a.passingLine()
	if line == nil {
		line = func(string) {}
	}
	return func(p admin.Progress) {
		if p.Refused != "" {
			line("")
			fmt.Fprintln(a.stderr, p)
			return
		}
		line(p.String())
	}, func() { line("") }
}

// byteCount writes a number of bytes for a person.
func byteCount(n int64) string {
	if n < 1e6 {
		return fmt.Sprintf("%.1f kB", float64(n)/1e3)
	}
	return fmt.Sprintf("%.1f MB", float64(n)/1e6)
}
