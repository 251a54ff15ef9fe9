package dicom

import (
	"bytes"
	"encoding/binary"
)

// An RLE frame is one fragment, PS3.5 G:
//
//	header    number of segments (4), offset of each from the start of the frame (15 times 4)
//	segments  one for each byte of each sample, the sample's most significant byte first; PackBits, row by row

const (
	rleHeader   = 64
	rleSegments = 15
)

// frame is how the pixels of one frame are laid out.
type frame struct {
	plane   int // pixels
	columns int
	samples int
	width   int // bytes of a sample
	planar  bool
	count   int // frames
}

// layout holds the attributes against what RLE can do. PS3.5 8.2.2
func (i *image) layout() (frame, bool) {
	f := frame{plane: i.rows * i.columns, columns: i.columns, samples: i.samples, width: i.bits / 8, planar: i.planar, count: i.frames}
	if f.samples == 0 {
		f.samples = 1
	}
	if f.count == 0 {
		f.count = 1
	}
	ok := f.plane > 0 && i.bits > 0 && i.bits%8 == 0 && f.samples*f.width <= rleSegments && f.plane <= maxFrameBytes/(f.samples*f.width) && f.count > 0
	return f, ok
}

func (f *frame) size() int { return f.plane * f.samples * f.width }

// at returns where the bytes of a segment stand within a frame: the first, and the step from pixel to pixel.
func (f *frame) at(segment int) (first, step int) {
	sample, significance := segment/f.width, segment%f.width
	if f.planar {
		return sample*f.plane*f.width + f.width - 1 - significance, f.width
	}
	return sample*f.width + f.width - 1 - significance, f.samples * f.width
}

// unpack copies encapsulated RLE frames as native pixels.
func (c *recoder) unpack(i *image) error {
	f, ok := i.layout()
	total := int64(f.size()) * int64(f.count)
	if !ok || total/int64(f.count) != int64(f.size()) || total >= maxLongLength {
		return c.d.syntax("RLE pixels without dimensions that RLE can have, or with more than %d bytes", uint32(maxLongLength))
	}
	c.put(PixelData, vr{'O', 'W'}, uint32(total+total%2))
	var packed bytes.Buffer
	var pixels []byte
	for n := -1; ; n++ { // the first item is the Basic Offset Table
		e, err := c.d.element()
		if err != nil {
			return err
		}
		if err := c.within(min(e.length, maxLongLength)); err != nil {
			return err
		}
		switch {
		case e.tag == sequenceDelimitation && n == f.count:
			if total%2 == 1 {
				c.w.WriteByte(0)
			}
			return nil
		case e.tag != item || e.length == undefinedLength:
			return c.d.syntax("RLE pixels of %d frames have %d fragments", f.count, max(n, 0))
		case n == f.count:
			return c.d.syntax("RLE pixels of %d frames have more fragments", f.count)
		case n < 0:
			if err := c.d.skip(e.length); err != nil {
				return err
			}
			continue
		case int64(e.length) > rleHeader+2*int64(f.size())+1024:
			return c.d.syntax("an RLE frame of %d bytes for %d", e.length, f.size())
		}
		packed.Reset()
		if err := c.copy(&packed, e.length, vr{'O', 'B'}); err != nil {
			return err
		}
		if f.size()/64 > packed.Len() { // before memory is taken for what is not there
			return c.d.syntax("an RLE frame that is too short")
		}
		if pixels == nil {
			pixels = make([]byte, f.size())
		}
		if !f.decode(pixels, packed.Bytes()) {
			return c.d.syntax("an RLE frame that cannot be unpacked")
		}
		c.w.Write(pixels)
	}
}

// fragments copies encapsulated frames as they are.
func (c *recoder) fragments() error {
	c.put(PixelData, vr{'O', 'B'}, undefinedLength)
	for {
		e, err := c.d.element()
		if err != nil {
			return err
		}
		switch {
		case e.tag == sequenceDelimitation:
			c.put(e.tag, vr{}, 0)
			return nil
		case e.tag != item || e.length == undefinedLength:
			return c.d.syntax("%v where a fragment or the end of them is due", e.tag)
		}
		if err := c.within(e.length); err != nil {
			return err
		}
		c.put(item, vr{}, e.length+e.length%2)
		if err := c.copy(c.w, e.length, vr{'O', 'B'}); err != nil {
			return err
		}
		if e.length%2 == 1 {
			c.w.WriteByte(0)
		}
	}
}

// decode unpacks a frame.
func (f *frame) decode(pixels, packed []byte) bool {
	segments := f.samples * f.width
	if len(packed) < rleHeader || binary.LittleEndian.Uint32(packed) != uint32(segments) {
		return false
	}
	for n := range segments {
		from, to := uint64(binary.LittleEndian.Uint32(packed[4+4*n:])), uint64(len(packed))
		if n+1 < segments {
			to = uint64(binary.LittleEndian.Uint32(packed[8+4*n:]))
		}
		if from < rleHeader || to < from || to > uint64(len(packed)) {
			return false
		}
		at, step := f.at(n)
		if !unpackBits(pixels[at:], step, f.plane, packed[from:to]) {
			return false
		}
	}
	return true
}

// unpackBits writes count bytes at every step-th place. What is left over is padding.
func unpackBits(out []byte, step, count int, b []byte) bool {
	at := 0
	for at < count*step {
		if len(b) < 2 {
			return false
		}
		n := int(int8(b[0]))
		switch {
		case n >= 0:
			if n++; len(b) < 1+n || at+n*step > count*step {
				return false
			}
			for _, v := range b[1 : 1+n] {
				out[at] = v
				at += step
			}
			b = b[1+n:]
		case n == -128: // nothing
			b = b[1:]
		default:
			if n = 1 - n; at+n*step > count*step {
				return false
			}
			for range n {
				out[at] = b[1]
				at += step
			}
			b = b[2:]
		}
	}
	return true
}

// pack copies native pixels as RLE frames. The Basic Offset Table stays empty, as it would need all frames before the
// first could be written. PS3.5 A.4
func (c *recoder) pack(i *image, v vr, length uint32) error {
	f, ok := i.layout()
	if !ok {
		return &TransferSyntaxError{From: c.from, To: c.to}
	}
	total := int64(f.size()) * int64(f.count)
	if total/int64(f.count) != int64(f.size()) || int64(length) < total || int64(length) > total+1 {
		return c.d.syntax("pixels of %d bytes, their dimensions say otherwise", length)
	}
	c.put(PixelData, vr{'O', 'B'}, undefinedLength)
	c.put(item, vr{}, 0)
	var pixels bytes.Buffer
	var packed, plane []byte
	for range f.count {
		pixels.Reset()
		if err := c.copy(&pixels, uint32(f.size()), v); err != nil {
			return err
		}
		packed, plane = f.encode(packed[:0], plane, pixels.Bytes())
		c.put(item, vr{}, uint32(len(packed)))
		c.w.Write(packed)
	}
	c.put(sequenceDelimitation, vr{}, 0)
	return c.d.skip(length - uint32(total))
}

// encode packs a frame; plane is room for the bytes of a segment.
func (f *frame) encode(packed, plane, pixels []byte) (_, _ []byte) {
	if plane == nil {
		plane = make([]byte, f.plane)
	}
	packed = append(packed, make([]byte, rleHeader)...)
	segments := f.samples * f.width
	binary.LittleEndian.PutUint32(packed, uint32(segments))
	for n := range segments {
		binary.LittleEndian.PutUint32(packed[4+4*n:], uint32(len(packed)))
		at, step := f.at(n)
		for k := range plane {
			plane[k] = pixels[at]
			at += step
		}
		for row := 0; row < len(plane); row += f.columns {
			packed = packBits(packed, plane[row:row+f.columns])
		}
		if len(packed)%2 == 1 {
			packed = append(packed, 0)
		}
	}
	return packed, plane
}

// packBits appends one row: runs of three and more are repeated, the rest is copied. PS3.5 G.3.1
func packBits(out, row []byte) []byte {
	for len(row) > 0 {
		run := 1
		for run < len(row) && run < 128 && row[run] == row[0] {
			run++
		}
		if run >= 3 || run == len(row) && run == 2 {
			out = append(out, byte(1-run), row[0])
			row = row[run:]
			continue
		}
		n := run
		for n < len(row) && n < 128 && !(n+2 < len(row) && row[n] == row[n+1] && row[n] == row[n+2]) {
			n++
		}
		n = min(n, 128)
		out = append(append(out, byte(n-1)), row[:n]...)
		row = row[n:]
	}
	return out
}
