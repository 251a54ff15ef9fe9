package soap

import (
	"context"
	"errors"
	"io"
	"net/http"
	"time"

	"collimate/soap/mtom"
)

// ErrIdle is returned where a peer has sent nothing for the idle timeout.
var ErrIdle = errors.New("the peer has sent nothing for too long")

// deadlineWriter writes an answer piece by piece, each under a deadline of its own, so that a long answer to a
// peer that takes it is never cut off, and one to a peer that does not is given up. net/http takes the last
// deadline away when the answer is out.
type deadlineWriter struct {
	w       http.ResponseWriter
	control *http.ResponseController
	idle    time.Duration
}

func newDeadlineWriter(w http.ResponseWriter, idle time.Duration) *deadlineWriter {
	return &deadlineWriter{w: w, control: http.NewResponseController(w), idle: idle}
}

// extend gives the peer another idle time. A writer that knows no deadlines, as in tests, has none.
func (d *deadlineWriter) extend() error {
	err := d.control.SetWriteDeadline(time.Now().Add(d.idle))
	if errors.Is(err, http.ErrNotSupported) {
		return nil
	}
	return err
}

// flush sends what is buffered.
func (d *deadlineWriter) flush() error {
	if err := d.extend(); err != nil {
		return err
	}
	if err := d.control.Flush(); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	return nil
}

// Write implements io.Writer.
func (d *deadlineWriter) Write(b []byte) (int, error) {
	written := 0
	for {
		piece := b[written:min(len(b), written+writePiece)]
		if err := d.extend(); err != nil {
			return written, err
		}
		n, err := d.w.Write(piece)
		written += n
		if err != nil || written == len(b) {
			return written, err
		}
	}
}

// fileWriter is a deadlineWriter over plain TCP, where the kernel can send files by itself. Over TLS it
// cannot, and net/http would copy in small pieces.
type fileWriter struct {
	*deadlineWriter
	from io.ReaderFrom
}

// ReadFrom implements io.ReaderFrom for an *os.File, or an io.LimitedReader around one.
func (f fileWriter) ReadFrom(src io.Reader) (int64, error) {
	if !mtom.IsFile(src) {
		return io.Copy(f.deadlineWriter, src)
	}
	file, left := src, int64(-1)
	if l, ok := src.(*io.LimitedReader); ok {
		file, left = l.R, l.N
	}
	var total, quick int64 // quick: taken since there was a slow piece
	for size := int64(writePiece); left != 0; {
		piece := size
		if left > 0 {
			piece = min(piece, left)
		}
		start := time.Now()
		if err := f.extend(); err != nil {
			return total, err
		}
		n, err := f.from.ReadFrom(&io.LimitedReader{R: file, N: piece})
		total += n
		if err != nil || n < piece {
			return total, err
		}
		if left > 0 {
			left -= n
		}
		quick += n
		switch {
		case time.Since(start) >= f.idle/quickPart:
			size, quick = writePiece, 0
		case quick >= quickPieces*size:
			size = min(2*size, maxPiece)
		}
	}
	return total, nil
}

// idleBody is the body of an answer. A read that yields nothing for the idle time cancels the request; the
// time that the reader takes between reads does not count.
type idleBody struct {
	body   io.ReadCloser
	idle   time.Duration
	timer  *time.Timer
	cancel context.CancelCauseFunc
	ctx    context.Context
	sent   *sending // what was asked, nil if it was not a stream
}

func newIdleBody(ctx context.Context, cancel context.CancelCauseFunc, body io.ReadCloser, idle time.Duration, sent *sending) *idleBody {
	b := &idleBody{body: body, idle: idle, cancel: cancel, ctx: ctx, sent: sent}
	b.timer = time.AfterFunc(idle, func() { cancel(ErrIdle) })
	b.timer.Stop()
	return b
}

// Read implements io.Reader.
func (b *idleBody) Read(p []byte) (int, error) {
	b.timer.Reset(b.idle)
	n, err := b.body.Read(p)
	b.timer.Stop()
	if err != nil && err != io.EOF && errors.Is(context.Cause(b.ctx), ErrIdle) {
		err = ErrIdle
	}
	return n, err
}

// Close implements io.Closer.
func (b *idleBody) Close() error {
	b.timer.Stop()
	err := b.body.Close()
	b.cancel(nil)
	b.sent.wait()
	return err
}
