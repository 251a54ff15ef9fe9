package mtom

import "io"

// NewStream returns a message to be read, as Writer would write it: the envelope, then each part that next returns with
// its bytes, until next returns io.EOF. The bytes of a part are read to their end before next is called again. An error
// of next or of a reader ends the stream with that error, as does a part of another size than it declares.
func NewStream(boundary string, envelope []byte, next func() (Part, io.Reader, error)) io.Reader {
	root := head(boundary, false, rootID, rootType) + string(envelope)
	return &stream{boundary: boundary, next: next, ready: root, left: -1}
}

type stream struct {
	boundary string
	next     func() (Part, io.Reader, error)

	ready string    // to be read before the part
	part  io.Reader // nil if there is none, or none yet
	size  int64     // declared, -1 if not known
	left  int64     // of size
	err   error     // after ready
}

// Read implements io.Reader.
func (s *stream) Read(b []byte) (int, error) {
	for {
		switch {
		case len(b) == 0:
			return 0, nil
		case s.ready != "":
			n := copy(b, s.ready)
			s.ready = s.ready[n:]
			return n, nil
		case s.err != nil:
			return 0, s.err
		case s.part == nil:
			s.begin()
		default:
			if n := s.read(b); n > 0 {
				return n, nil
			}
		}
	}
}

// begin goes to the next part, or to the end.
func (s *stream) begin() {
	part, bytes, err := s.next()
	switch err {
	case nil:
		s.ready = head(s.boundary, true, part.ContentID, part.ContentType)
		s.part, s.size, s.left = bytes, part.Size, part.Size
	case io.EOF:
		s.ready, s.err = tail(s.boundary), io.EOF
	default:
		s.err = err
	}
}

// read reads of the part, and no byte beyond its size.
func (s *stream) read(b []byte) int {
	n, err := s.part.Read(b)
	if s.size >= 0 {
		if int64(n) > s.left {
			s.err = &SizeError{Declared: s.size, Got: s.size + 1}
			return 0
		}
		s.left -= int64(n)
	}
	switch {
	case err == io.EOF && s.size >= 0 && s.left > 0:
		s.err = &SizeError{Declared: s.size, Got: s.size - s.left}
	case err == io.EOF:
		s.part = nil
	case err != nil:
		s.err = err
	}
	return n
}
