package mtom

import (
	"bytes"
	"io"
)

// Part describes a part. One that comes from a Reader can be read, once, until Reader.Next is called.
type Part struct {
	ContentID   string // without angle brackets and percent-encoding, see CleanID
	ContentType string
	Size        int64 // bytes, -1 if not known

	r     *Reader
	known int // bytes at the front of the buffer that are known to be of this part
	ended bool
}

// Read reads the bytes of the part. It returns io.EOF at the boundary after it, and no part ends otherwise
// without an error.
func (p *Part) Read(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	chunk, err := p.next()
	if err != nil {
		return 0, err
	}
	n := copy(b, chunk)
	p.consume(n)
	return n, nil
}

// WriteTo writes the bytes of the part, straight from the buffer they were received in. It implements
// io.WriterTo.
func (p *Part) WriteTo(w io.Writer) (int64, error) {
	var written int64
	for {
		chunk, err := p.next()
		if err == io.EOF {
			return written, nil
		}
		if err != nil {
			return written, err
		}
		n, err := w.Write(chunk)
		p.consume(n)
		written += int64(n)
		if err != nil {
			return written, err
		}
	}
}

func (p *Part) consume(n int) {
	p.r.r += n
	p.known -= n
}

// next returns bytes of the part that are in the buffer, at least one, without consuming them. At the
// boundary it consumes that and returns io.EOF. No byte is searched twice, however small the reads.
func (p *Part) next() ([]byte, error) {
	if p.ended {
		return nil, io.EOF
	}
	if p.r == nil || p.r.part != p {
		return nil, &FormatError{"a part was read after its turn"}
	}
	if p.known == 0 {
		n, err := p.r.scan()
		if err != nil {
			p.ended = err == io.EOF
			return nil, err
		}
		p.known = n
	}
	return p.r.buf[p.r.r : p.r.r+p.known], nil
}

// scan returns how many bytes at the front of the buffer are of the present part, at least one. At the
// boundary it consumes that and returns io.EOF.
func (r *Reader) scan() (int, error) {
	for need := 1; ; {
		n := r.fill(need)
		data := r.buf[r.r:r.w]
		if i := bytes.Index(data, r.delimiter); i > 0 {
			return i, nil
		} else if i == 0 {
			end, err := r.boundaryEnd()
			if end && err == nil {
				err = io.EOF
			}
			return len(r.delimiter), err // without an error, it only looked like a boundary
		}
		if safe := n - partial(data, r.delimiter); safe > 0 {
			return safe, nil
		}
		if n < need {
			return 0, r.ended()
		}
		need = n + 1
	}
}

// boundaryEnd looks at what follows a delimiter at the start of the buffer. If it is the end of a boundary
// line it consumes the line and returns true. RFC 2046 section 5.1.1
func (r *Reader) boundaryEnd() (bool, error) {
	const maxPadding = 64 // blanks after a boundary
	d := len(r.delimiter)
	for need := d + 1; ; need++ {
		n := r.fill(need)
		rest := r.buf[r.r+d : r.w]
		i := 0
		closing := bytes.HasPrefix(rest, []byte("--"))
		if closing {
			i = 2
		}
		for i < len(rest) && (rest[i] == ' ' || rest[i] == '\t') {
			i++
		}
		atEOF := n < need
		switch {
		case i > maxPadding:
			return false, nil
		case closing && (i < len(rest) || atEOF):
			// What follows is the epilogue. Whatever it is, the message is whole.
			r.r += d + i
			r.done = true
			return true, r.epilogue()
		case i < len(rest) && rest[i] == '\n':
			r.r += d + i + 1
			return true, nil
		case i+1 < len(rest) && rest[i] == '\r' && rest[i+1] == '\n':
			r.r += d + i + 2
			return true, nil
		case i < len(rest) && rest[i] == '\r' && !atEOF, i < len(rest) && rest[i] == '-' && len(rest) == 1 && !atEOF, i == len(rest) && !atEOF:
			continue // more has to come before this can be told
		case r.soap && i == len(rest) && r.err == io.EOF:
			// QUIRK: a last boundary without "--" and without a line end.
			r.r += d + i
			r.done = true
			return true, nil
		case atEOF:
			return false, r.ended()
		default:
			return false, nil
		}
	}
}

// epilogue reads to the end of the message, so that the connection can be used again, and that an error of
// the transport at the very end is seen.
func (r *Reader) epilogue() error {
	for left := maxEpilogue; left > 0; {
		n := r.fill(1)
		if n == 0 {
			if r.err == io.EOF {
				return nil
			}
			return r.ended()
		}
		r.r += n
		left -= n
	}
	return &FormatError{"there is more than an epilogue after the closing boundary"}
}

// partial returns the length of the longest prefix of delimiter that data ends with.
func partial(data, delimiter []byte) int {
	for n := min(len(data), len(delimiter)-1); n > 0; n-- {
		if bytes.HasPrefix(delimiter, data[len(data)-n:]) {
			return n
		}
	}
	return 0
}
