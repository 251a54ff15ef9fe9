package pebbledb

import (
	"fmt"
	"log/slog"

	"github.com/cockroachdb/pebble/v2"
)

// Logger hands Pebble's errors to slog and drops its chatter.
func Logger(log *slog.Logger) pebble.Logger { return logger{log} }

type logger struct{ to *slog.Logger }

func (l logger) Infof(string, ...any) {}

func (l logger) Errorf(format string, args ...any) {
	l.to.Error("database", "err", fmt.Sprintf(format, args...))
}

// Fatalf is called when the disk fails beneath a commit. Pebble's contract is that it does not return: nothing that
// was promised could be kept after it.
func (l logger) Fatalf(format string, args ...any) {
	panic("database: " + fmt.Sprintf(format, args...))
}
