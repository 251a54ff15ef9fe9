package dicom

import (
	"bufio"
	"bytes"
	"compress/flate"
	"encoding/binary"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// CanRecode reports whether Recode knows both transfer syntaxes: of a file in one it makes one in the other, if its
// pixels allow. Big endian is read and no longer written.
func CanRecode(from, to string) bool {
	return recodable(from) && recodable(to) && to != ExplicitVRBigEndian
}

func recodable(transferSyntax string) bool {
	switch transferSyntax {
	case ImplicitVRLittleEndian, ExplicitVRLittleEndian, DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian, RLELossless:
		return true
	}
	return false
}

// Recode copies a Part 10 file from r to w in another transfer syntax: implicit or explicit VR little endian, deflated
// or RLE lossless, from any of these or explicit VR big endian. Values stay as they are, and pixels stay the same
// pixels; they are never decoded beyond RLE. Group lengths (gggg,0000) are left out, sequences and items get undefined
// lengths, values that are odd are padded. PS3.5 7, A and G
//
// It streams: what it holds is one frame in RLE, and some buffers. It returns a *TransferSyntaxError for a transfer
// syntax that it does not know and for pixels that cannot be had in RLE, ErrNotDICOM or a *SyntaxError for what it
// cannot read, and otherwise an error of r or w. After an error what was written is of no use.
func Recode(w io.Writer, r io.Reader, transferSyntax string) error {
	d := &decoder{r: bufio.NewReaderSize(r, recodeBuffer), layout: layoutOf(ExplicitVRLittleEndian), limit: maxHeaderBytes}
	start, err := d.r.Peek(132)
	if err != nil && err != io.EOF {
		return fmt.Errorf("reading DICOM: %w", err)
	}
	if len(start) < 132 || string(start[128:]) != "DICM" {
		return ErrNotDICOM
	}
	preamble := bytes.Clone(start[:128])
	if err := d.skip(132); err != nil {
		return err
	}
	meta, from, err := readMetaElements(d)
	if err != nil {
		return err
	}
	if !CanRecode(from, transferSyntax) {
		return &TransferSyntaxError{From: from, To: transferSyntax}
	}
	out := bufio.NewWriterSize(w, recodeBuffer)
	out.Write(preamble)
	out.WriteString("DICM")
	out.Write(encodeMeta(meta, transferSyntax))
	d.limit, d.layout = 0, layoutOf(from)
	if from == DeflatedExplicitVRLittleEndian {
		d.r, d.limit = bufio.NewReaderSize(inflater{flate.NewReader(d.r)}, recodeBuffer), d.offset+maxInflatedBytes
	}
	c := &recoder{d: d, w: out, implicit: transferSyntax == ImplicitVRLittleEndian, from: from, to: transferSyntax}
	finish := out.Flush
	if transferSyntax == DeflatedExplicitVRLittleEndian {
		deflated := &evener{w: out}
		z, err := flate.NewWriter(deflated, flate.DefaultCompression)
		if err != nil {
			return err
		}
		c.w = bufio.NewWriterSize(z, recodeBuffer)
		finish = func() error {
			if err := c.w.Flush(); err != nil {
				return err
			}
			if err := z.Close(); err != nil {
				return err
			}
			if err := deflated.pad(); err != nil {
				return err
			}
			return out.Flush()
		}
	}
	if err := c.run(); err != nil {
		return err
	}
	return finish()
}

// evener pads a deflated data set to an even length. PS3.5 A.5
type evener struct {
	w   io.Writer
	odd bool
}

func (e *evener) Write(b []byte) (int, error) {
	n, err := e.w.Write(b)
	e.odd = e.odd != (n%2 == 1)
	return n, err
}

func (e *evener) pad() (err error) {
	if e.odd {
		_, err = e.w.Write([]byte{0})
	}
	return err
}

// metaElement is an element of group 0002, all of which are short.
type metaElement struct {
	element
	value []byte
}

// readMetaElements takes group 0002, and returns the transfer syntax in it.
func readMetaElements(d *decoder) (meta []metaElement, from string, err error) {
	for {
		t, err := d.peekTag()
		if err != nil && err != io.EOF {
			return nil, "", err
		}
		if err == io.EOF || t>>16 != fileMetaGroupLength>>16 {
			break
		}
		e, err := d.element()
		if err != nil {
			return nil, "", err
		}
		if e.length > maxMetaBytes || len(meta) == maxMetaElements {
			return nil, "", d.syntax("file meta information that is too long")
		}
		value := make([]byte, e.length)
		if err := d.read(value); err != nil {
			return nil, "", err
		}
		if e.tag == transferSyntaxUID {
			from = strings.TrimRight(string(value), "\x00 ")
		}
		meta = append(meta, metaElement{e, value})
	}
	if CheckUID(from) != nil {
		return nil, "", d.syntax("no transfer syntax")
	}
	return meta, from, nil
}

// encodeMeta writes group 0002 with another transfer syntax and the length that it then has.
func encodeMeta(meta []metaElement, transferSyntax string) []byte {
	var b []byte
	for _, m := range meta {
		if m.tag == fileMetaGroupLength {
			continue
		}
		if m.tag == transferSyntaxUID {
			m.value = []byte(transferSyntax)
		}
		if len(m.value)%2 == 1 {
			m.value = append(m.value, m.vr.padding())
		}
		b = appendHead(b, m.tag, m.vr, uint32(len(m.value)), false)
		b = append(b, m.value...)
	}
	head := appendHead(nil, fileMetaGroupLength, vr{'U', 'L'}, 4, false)
	return append(binary.LittleEndian.AppendUint32(head, uint32(len(b))), b...)
}

// appendHead appends the head of an element, little endian.
func appendHead(b []byte, t Tag, v vr, length uint32, implicit bool) []byte {
	b = appendTag(b, t)
	switch {
	case implicit || t>>16 == item>>16:
		return binary.LittleEndian.AppendUint32(b, length)
	case v.long():
		return binary.LittleEndian.AppendUint32(append(b, v[0], v[1], 0, 0), length)
	}
	return binary.LittleEndian.AppendUint16(append(b, v[0], v[1]), uint16(length))
}

// level is a sequence or an item that the recoder is in, or, as the lowest, the data set.
type level struct {
	item   bool
	end    int64  // offset behind it; -1 if a delimiter ends it
	before layout // to go back to when it ends
	image  image  // of an item and the data set: what its Image Pixel attributes say so far
}

// recoder copies a data set.
type recoder struct {
	d        *decoder
	w        *bufio.Writer
	implicit bool // on the way out
	from, to string
	stack    []level
	head     [12]byte
	buffer   []byte
}

func (c *recoder) put(t Tag, v vr, length uint32) {
	c.w.Write(appendHead(c.head[:0], t, v, length, c.implicit)) // a bufio.Writer keeps its error until Flush
}

// within holds what begins now and has so many bytes against the level around it.
func (c *recoder) within(length uint32) error {
	if end := c.stack[len(c.stack)-1].end; end >= 0 && c.d.offset+int64(length) > end {
		return c.d.syntax("an element that is longer than what holds it")
	}
	return nil
}

// run copies all elements. Nesting is a counted stack, not recursion.
func (c *recoder) run() error {
	c.buffer = make([]byte, recodeBuffer)
	c.stack = append(make([]level, 0, 2*maxDepth), level{item: true, end: -1})
	for {
		top := &c.stack[len(c.stack)-1]
		if top.end >= 0 && c.d.offset >= top.end {
			c.leave()
			continue
		}
		if len(c.stack) == 1 {
			if _, err := c.d.peekTag(); err == io.EOF {
				return nil
			} else if err != nil {
				return err
			}
		}
		e, err := c.d.element()
		if err == nil {
			err = c.step(top, e)
		}
		if err != nil {
			return err
		}
	}
}

// step takes one element within top.
func (c *recoder) step(top *level, e element) error {
	if e.length != undefinedLength {
		if err := c.within(e.length); err != nil {
			return err
		}
		if err := c.d.within(int64(e.length)); err != nil {
			return err
		}
	} else if err := c.within(0); err != nil {
		return err
	}
	switch {
	case e.tag == item && !top.item:
		c.put(item, vr{}, undefinedLength)
		c.enter(true, e.length, c.d.layout)
		return nil
	case e.tag == itemDelimitation && top.item && top.end < 0 && len(c.stack) > 1,
		e.tag == sequenceDelimitation && !top.item && top.end < 0:
		c.leave()
		return nil
	case e.tag>>16 == item>>16 || !top.item:
		return c.d.syntax("%v where an item, an element or the end of one is due", e.tag)
	case e.tag&0xffff == 0 && e.length == 4: // a group length, which will be wrong
		return c.d.skip(e.length)
	}
	v, content := e.vr, c.d.layout
	if c.d.implicit {
		v = implicitVR(e, top.image.signed(c.stack))
	} else if v == (vr{'U', 'N'}) && e.length == undefinedLength {
		// A sequence that passed through someone who did not know its tag. PS3.5 6.2.2
		v, content = vr{'S', 'Q'}, layoutOf(ImplicitVRLittleEndian)
	}
	switch {
	case v == (vr{'S', 'Q'}):
		if len(c.stack) >= 2*maxDepth {
			return c.d.syntax("sequences nested more than %d deep", maxDepth)
		}
		c.put(e.tag, v, undefinedLength)
		c.enter(false, e.length, content)
		return nil
	case e.tag == PixelData && e.length == undefinedLength && c.from == RLELossless && c.to == RLELossless:
		return c.fragments()
	case e.tag == PixelData && e.length == undefinedLength && c.from == RLELossless:
		return c.unpack(&top.image)
	case e.length == undefinedLength:
		return c.d.syntax("%v has an undefined length", e.tag)
	case e.tag == PixelData && c.to == RLELossless && len(c.stack) == 1:
		return c.pack(&top.image, v, e.length)
	}
	return c.value(top, e, v)
}

// enter goes into a sequence or an item.
func (c *recoder) enter(isItem bool, length uint32, content layout) {
	l := level{item: isItem, end: -1, before: c.d.layout}
	if length != undefinedLength {
		l.end = c.d.offset + int64(length)
	}
	c.d.layout = content
	c.stack = append(c.stack, l)
}

// leave goes out of a sequence or an item.
func (c *recoder) leave() {
	top := c.stack[len(c.stack)-1]
	c.stack = c.stack[:len(c.stack)-1]
	c.d.layout = top.before
	if top.item {
		c.put(itemDelimitation, vr{}, 0)
	} else {
		c.put(sequenceDelimitation, vr{}, 0)
	}
}

// value copies an element that is no sequence.
func (c *recoder) value(top *level, e element, v vr) error {
	odd := e.length % 2
	out := v
	if !c.implicit && !v.long() && e.length > maxShortLength {
		out = vr{'U', 'N'} // PS3.5 6.2.2: what is too long for its representation
	}
	if e.length == maxLongLength+1-odd && odd == 1 {
		return c.d.syntax("%v has an odd length that cannot be padded", e.tag)
	}
	c.put(e.tag, out, e.length+odd)
	if e.tag>>16 == 0x0028 && e.length <= maxImageValue {
		b := c.buffer[:e.length]
		if err := c.d.read(b); err != nil {
			return err
		}
		c.swap(b, v)
		top.image.note(e.tag, b)
		c.w.Write(b)
	} else if err := c.copy(c.w, e.length, v); err != nil {
		return err
	}
	if odd == 1 {
		c.w.WriteByte(v.padding())
	}
	return nil
}

// copy copies a value, with its bytes in the order that little endian has them. The buffer has a multiple of 8 bytes, so
// that no word is cut.
func (c *recoder) copy(w io.Writer, length uint32, v vr) error {
	for left := length; left > 0; {
		b := c.buffer[:min(left, uint32(len(c.buffer)))]
		if err := c.d.read(b); err != nil {
			return err
		}
		c.swap(b, v)
		if _, err := w.Write(b); err != nil {
			return err
		}
		left -= uint32(len(b))
	}
	return nil
}

// swap turns the words of a value from big to little endian.
func (c *recoder) swap(b []byte, v vr) {
	if c.d.order == binary.ByteOrder(binary.LittleEndian) {
		return
	}
	size := v.word()
	for ; size > 1 && len(b) >= size; b = b[size:] {
		slices.Reverse(b[:size])
	}
}

// word returns the bytes of the words that values of v are made of. PS3.5 7.3
func (v vr) word() int {
	switch string(v[:]) {
	case "AT", "OW", "SS", "US":
		return 2
	case "FL", "OF", "OL", "SL", "UL":
		return 4
	case "FD", "OD", "OV", "SV", "UV":
		return 8
	}
	return 1
}

// implicitVR returns the representation of an element in implicit VR: the standard's, LO for the creators of private
// elements, and for what is not known SQ or UN by its length. PS3.5 7.8.1, A.1
func implicitVR(e element, signed bool) vr {
	group, number := uint32(e.tag)>>16, uint32(e.tag)&0xffff
	t := e.tag
	if group%2 == 1 {
		if number >= 0x10 && number <= 0xff && e.length != undefinedLength {
			return vr{'L', 'O'}
		}
	} else {
		if group>>8 == 0x50 || group>>8 == 0x60 {
			t = Tag(group&0xff00<<16 | number)
		}
		n, ok := slices.BinarySearchFunc(standardVRs[:], t, func(entry uint64, t Tag) int {
			return int(int64(entry>>32) - int64(t))
		})
		if ok {
			switch v := (vr{byte(standardVRs[n] >> 8), byte(standardVRs[n])}); {
			case v == (vr{'x', 's'}) && signed:
				return vr{'S', 'S'}
			case v == (vr{'x', 's'}):
				return vr{'U', 'S'}
			case v == (vr{'l', 't'}):
				return vr{'O', 'W'}
			case e.length != undefinedLength || v == (vr{'S', 'Q'}) || e.tag == PixelData:
				return v
			}
		}
	}
	if e.length == undefinedLength {
		return vr{'S', 'Q'}
	}
	return vr{'U', 'N'}
}

// image is what the Image Pixel attributes of a data set or item say. PS3.3 C.7.6.3
type image struct {
	rows, columns, samples, bits, frames int
	planar                               bool
	represented, negative                bool // Pixel Representation stands here; it is signed
}

// note takes the value of an attribute of group 0028, little endian.
func (i *image) note(t Tag, b []byte) {
	number := 0
	if len(b) >= 2 {
		number = int(binary.LittleEndian.Uint16(b))
	}
	switch t {
	case SamplesPerPixel:
		i.samples = number
	case planarConfiguration:
		i.planar = number == 1
	case numberOfFrames:
		i.frames, _ = strconv.Atoi(strings.Trim(string(b), " \x00")) // 0 is refused when it matters
	case Rows:
		i.rows = number
	case Columns:
		i.columns = number
	case BitsAllocated:
		i.bits = number
	case PixelRepresentation:
		i.represented, i.negative = true, number == 1
	}
}

// signed reports whether pixels are signed: as the item says, or else what is around it.
func (i *image) signed(around []level) bool {
	if i.represented {
		return i.negative
	}
	for n := len(around) - 1; n >= 0; n-- {
		if around[n].image.represented {
			return around[n].image.negative
		}
	}
	return false
}
