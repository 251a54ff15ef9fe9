package ticket

import (
	"fmt"
	"image"
	"io"

	"github.com/signintech/gopdf"
)

// WritePDF writes the page as PDF, with text that can be searched and read aloud.
func (p *Page) WritePDF(w io.Writer) error {
	doc := &gopdf.GoPdf{}
	doc.Start(gopdf.Config{Unit: gopdf.UnitMM, PageSize: gopdf.Rect{W: p.paper.width, H: p.paper.height}})
	doc.SetInfo(gopdf.PdfInfo{Title: p.title, Creator: "Collimate"}) // no date: the same ticket is the same file
	doc.AddPage()
	for _, s := range p.shapes {
		doc.SetFillColor(s.ink.R, s.ink.G, s.ink.B)
		points := make([]gopdf.Point, len(s.points))
		for i, at := range s.points {
			points[i] = gopdf.Point{X: at[0], Y: at[1]}
		}
		doc.Polygon(points, "F")
	}
	q := p.square
	if err := doc.ImageFrom(q.image(), q.x, q.y, &gopdf.Rect{W: q.side, H: q.side}); err != nil {
		return fmt.Errorf("drawing the QR code: %w", err)
	}
	added := map[*typeface]bool{}
	for _, t := range p.texts {
		if !added[t.font] {
			if err := doc.AddTTFFontDataWithOption(t.font.name, t.font.raw, gopdf.TtfOption{UseKerning: true}); err != nil {
				return fmt.Errorf("embedding the font: %w", err)
			}
			added[t.font] = true
		}
		if err := doc.SetFont(t.font.name, "", t.size); err != nil {
			return fmt.Errorf("choosing the font: %w", err)
		}
		doc.SetTextColor(t.ink.R, t.ink.G, t.ink.B)
		doc.SetXY(t.x, t.y)
		if err := doc.Text(t.string); err != nil {
			return fmt.Errorf("drawing the text: %w", err)
		}
	}
	if _, err := doc.WriteTo(w); err != nil {
		return fmt.Errorf("writing the page: %w", err)
	}
	return nil
}

// image is the QR code with its quiet zone, in dots.
func (q *square) image() image.Image {
	side := (q.code.Size + 2*quietZone) * q.dots
	img := image.NewGray(image.Rect(0, 0, side, side))
	for y := range side {
		for x := range side {
			if !q.code.Black(x/q.dots-quietZone, y/q.dots-quietZone) {
				img.Pix[y*img.Stride+x] = 0xff
			}
		}
	}
	return img
}
