package ticket

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"io"
	"math"

	"golang.org/x/image/font"
	"golang.org/x/image/math/fixed"
	"golang.org/x/image/vector"
)

// WritePNG writes the page as PNG at 300 dots an inch.
func (p *Page) WritePNG(w io.Writer) error {
	canvas := image.NewRGBA(image.Rect(0, 0, toDots(p.paper.width), toDots(p.paper.height)))
	draw.Draw(canvas, canvas.Bounds(), image.NewUniform(white), image.Point{}, draw.Src)
	for _, s := range p.shapes {
		fill(canvas, s)
	}
	q := p.square.image()
	draw.Draw(canvas, q.Bounds().Add(image.Pt(toDots(p.square.x), toDots(p.square.y))), q, image.Point{}, draw.Src)
	for _, t := range p.texts {
		face := t.font.face(t.size, dotsPerInch)
		at := fixed.Point26_6{X: toFixed(t.x), Y: toFixed(t.y)}
		d := font.Drawer{Dst: canvas, Src: image.NewUniform(t.ink), Face: face, Dot: at}
		d.DrawString(t.string)
		face.Close()
	}
	var b bytes.Buffer
	if err := png.Encode(&b, canvas); err != nil {
		return fmt.Errorf("encoding the page: %w", err)
	}
	if err := withResolution(w, b.Bytes()); err != nil {
		return fmt.Errorf("writing the page: %w", err)
	}
	return nil
}

func toDots(mm float64) int { return int(math.Round(mm * dotsPerMM)) }

func toFixed(mm float64) fixed.Int26_6 { return fixed.Int26_6(math.Round(mm * dotsPerMM * 64)) }

// fill draws a polygon, on the part of the page that it takes.
func fill(canvas *image.RGBA, s shape) {
	box := image.Rectangle{Min: canvas.Bounds().Max}
	for _, at := range s.points {
		x, y := at[0]*dotsPerMM, at[1]*dotsPerMM
		box.Min.X, box.Min.Y = min(box.Min.X, int(x)), min(box.Min.Y, int(y))
		box.Max.X, box.Max.Y = max(box.Max.X, int(x)+1), max(box.Max.Y, int(y)+1)
	}
	r := vector.NewRasterizer(box.Dx(), box.Dy())
	for i, at := range s.points {
		x, y := float32(at[0]*dotsPerMM-float64(box.Min.X)), float32(at[1]*dotsPerMM-float64(box.Min.Y))
		if i == 0 {
			r.MoveTo(x, y)
		} else {
			r.LineTo(x, y)
		}
	}
	r.ClosePath()
	r.Draw(canvas, box, image.NewUniform(color.Color(s.ink)), image.Point{})
}

// pngHeader is the length of a PNG's signature with its first chunk, IHDR. PNG 11.2.1
const pngHeader = 8 + 4 + 4 + 13 + 4

// withResolution writes a PNG with the chunk that says how large its dots are. PNG 11.3.4.3
func withResolution(w io.Writer, raw []byte) error {
	chunk := []byte("\x00\x00\x00\x09pHYs")
	perMetre := uint32(math.Round(dotsPerMM * 1000))
	chunk = binary.BigEndian.AppendUint32(chunk, perMetre)
	chunk = binary.BigEndian.AppendUint32(chunk, perMetre)
	chunk = append(chunk, 1) // the unit is the metre
	chunk = binary.BigEndian.AppendUint32(chunk, crc32.ChecksumIEEE(chunk[4:]))
	for _, part := range [][]byte{raw[:pngHeader], chunk, raw[pngHeader:]} {
		if _, err := w.Write(part); err != nil {
			return err
		}
	}
	return nil
}
