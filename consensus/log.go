package consensus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"

	cmtlog "github.com/cometbft/cometbft/libs/log"
)

// engineLog hands the engine's log to slog, one level down: its Info is a running commentary, and its Error
// includes every send to a peer that has just gone.
type engineLog struct {
	to   *slog.Logger
	halt func(error)  // called when the engine gives up, which it tells its log alone
	calm *atomic.Bool // set when the engine is being stopped: its parts then complain of each other
}

// halted is what the engine logs when it gives up.
const halted = "CONSENSUS FAILURE!!!"

func (l engineLog) Debug(string, ...any)       {}
func (l engineLog) Info(msg string, kv ...any) { l.write(slog.LevelDebug, msg, kv) }
func (l engineLog) Warn(msg string, kv ...any) { l.write(slog.LevelInfo, msg, kv) }

// Error logs a warning, or the end.
func (l engineLog) Error(msg string, kv ...any) {
	if msg != halted {
		at := slog.LevelWarn
		if l.calm != nil && l.calm.Load() {
			at = slog.LevelDebug
		}
		l.write(at, msg, kv)
		return
	}
	l.write(slog.LevelError, msg, kv)
	if l.halt != nil {
		l.halt(errors.New("consensus failure"))
	}
}

// With adds to every line.
func (l engineLog) With(kv ...any) cmtlog.Logger { return l.with(kv) }

func (l engineLog) with(kv []any) engineLog {
	return engineLog{l.to.With(texts(kv)...), l.halt, l.calm}
}

func (l engineLog) write(at slog.Level, msg string, kv []any) {
	if ctx := context.Background(); l.to.Enabled(ctx, at) {
		l.to.Log(ctx, at, msg, texts(kv)...)
	}
}

// texts turns values into what slog prints well: the engine passes lazy Stringers.
func texts(kv []any) []any {
	out := make([]any, len(kv))
	for i, v := range kv {
		switch v := v.(type) {
		case error:
			out[i] = v.Error()
		case fmt.Stringer:
			out[i] = v.String()
		default:
			out[i] = v
		}
	}
	return out
}

// peerLog is engineLog for the switch and its peers, whose errors are the network's ups and downs. Package p2p
// reports those that an operator should see.
type peerLog struct{ engineLog }

func (l peerLog) Error(msg string, kv ...any)  { l.write(slog.LevelDebug, msg, kv) }
func (l peerLog) With(kv ...any) cmtlog.Logger { return peerLog{l.with(kv)} }
