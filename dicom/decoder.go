package dicom

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// ErrNotDICOM is returned for bytes that do not begin as a DICOM file does.
var ErrNotDICOM = errors.New("not a DICOM file")

// SyntaxError is malformed DICOM: the file begins as one and cannot be read on.
type SyntaxError struct {
	Offset int64 // bytes from the start of the file, in a deflated data set as if it were inflated
	Msg    string

	truncated bool // the file ends where something is due
}

// Error returns the message and the offset.
func (e *SyntaxError) Error() string {
	return fmt.Sprintf("malformed DICOM at byte %d: %s", e.Offset, e.Msg)
}

// element is the head of an element; its value follows in the stream.
type element struct {
	tag    Tag
	vr     vr // zero in implicit VR, and for items and delimiters
	length uint32
}

// layout is how elements are laid out. DICOM PS3.5 Annex A
type layout struct {
	order    binary.ByteOrder
	implicit bool
}

// layoutOf returns the layout of the data set in a transfer syntax. All that are not listed, so all
// compressed ones and those to come, are explicit VR little endian. DICOM PS3.5 10
func layoutOf(transferSyntax string) layout {
	switch transferSyntax {
	case ImplicitVRLittleEndian:
		return layout{binary.LittleEndian, true}
	case ExplicitVRBigEndian:
		return layout{binary.BigEndian, false}
	}
	return layout{binary.LittleEndian, false}
}

// decoder walks the elements of a stream and counts what it has taken.
type decoder struct {
	r *bufio.Reader
	layout
	offset int64
	limit  int64   // of offset; 0 for none
	head   [8]byte // of an element; here so that reading one does not allocate
}

func (d *decoder) syntax(format string, args ...any) error {
	return &SyntaxError{Offset: d.offset, Msg: fmt.Sprintf(format, args...)}
}

// ended turns the end of the stream within something into an error; errors of the stream itself pass.
func (d *decoder) ended(err error) error {
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return &SyntaxError{Offset: d.offset, Msg: "the file ends within an element", truncated: true}
	}
	return fmt.Errorf("reading DICOM: %w", err)
}

// within holds the next n bytes against the limit.
func (d *decoder) within(n int64) error {
	if d.limit > 0 && d.offset+n > d.limit {
		return d.syntax("more than %d bytes", d.limit)
	}
	return nil
}

// read fills b.
func (d *decoder) read(b []byte) error {
	if err := d.within(int64(len(b))); err != nil {
		return err
	}
	n, err := io.ReadFull(d.r, b)
	d.offset += int64(n)
	if err != nil {
		return d.ended(err)
	}
	return nil
}

// skip passes over n bytes, in steps that an int of 32 bits holds.
func (d *decoder) skip(n uint32) error {
	if err := d.within(int64(n)); err != nil {
		return err
	}
	for left := int64(n); left > 0; {
		k, err := d.r.Discard(int(min(left, 1<<30)))
		d.offset += int64(k)
		left -= int64(k)
		if err != nil {
			return d.ended(err)
		}
	}
	return nil
}

// peekTag returns the tag of the next element without taking it, io.EOF at the end of the stream.
func (d *decoder) peekTag() (Tag, error) {
	b, err := d.r.Peek(4)
	switch {
	case len(b) == 0 && err == io.EOF:
		return 0, io.EOF
	case err != nil:
		return 0, d.ended(err)
	}
	return d.tag(b), nil
}

func (d *decoder) tag(b []byte) Tag {
	return Tag(d.order.Uint16(b))<<16 | Tag(d.order.Uint16(b[2:]))
}

// element takes the head of the next element.
func (d *decoder) element() (element, error) {
	b := d.head[:]
	if err := d.read(b); err != nil {
		return element{}, err
	}
	e := element{tag: d.tag(b)}
	if d.implicit || e.tag>>16 == item>>16 {
		e.length = d.order.Uint32(b[4:])
		return e, nil
	}
	e.vr = vr{b[4], b[5]}
	if !e.vr.valid() {
		return element{}, d.syntax("%v has no value representation", e.tag)
	}
	if !e.vr.long() {
		e.length = uint32(d.order.Uint16(b[6:]))
		return e, nil
	}
	if err := d.read(b[:4]); err != nil {
		return element{}, err
	}
	e.length = d.order.Uint32(b)
	return e, nil
}

// skipValue passes over the value of e.
func (d *decoder) skipValue(e element) error {
	if e.length != undefinedLength {
		return d.skip(e.length)
	}
	return d.skipSequence(e.vr)
}

// skipSequence passes over a value of undefined length: items up to the delimiter, each of a defined length
// or a data set up to its own delimiter. The nesting is a counted stack, not recursion, so depth costs the
// sender more than us. DICOM PS3.5 7.5
func (d *decoder) skipSequence(v vr) error {
	outer := d.layout
	defer func() { d.layout = outer }()
	type level struct {
		inItem bool
		before layout // to go back to when this level ends
	}
	enter := func(v vr) level {
		l := level{before: d.layout}
		if v == (vr{'U', 'N'}) { // a sequence that passed through someone who did not know its tag. PS3.5 6.2.2
			d.layout = layoutOf(ImplicitVRLittleEndian)
		}
		return l
	}
	stack := append(make([]level, 0, 2*maxDepth), enter(v))
	for len(stack) > 0 {
		top := stack[len(stack)-1]
		e, err := d.element()
		if err != nil {
			return err
		}
		switch {
		case e.tag == item && !top.inItem && e.length == undefinedLength:
			stack = append(stack, level{inItem: true, before: d.layout})
		case e.tag == item && !top.inItem:
			err = d.skip(e.length)
		case e.tag == sequenceDelimitation && !top.inItem, e.tag == itemDelimitation && top.inItem:
			d.layout = top.before
			stack = stack[:len(stack)-1]
		case e.tag>>16 == item>>16 || !top.inItem:
			err = d.syntax("%v where an item, an element or the end of one is due", e.tag)
		case e.length != undefinedLength:
			err = d.skip(e.length)
		case len(stack) >= 2*maxDepth:
			err = d.syntax("sequences nested more than %d deep", maxDepth)
		default:
			stack = append(stack, enter(e.vr))
		}
		if err != nil {
			return err
		}
	}
	return nil
}
