package ticket

import (
	"errors"
	"fmt"
	"image/color"
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	"collimate/gateway"

	"rsc.io/qr"
)

// Options say what is printed, and on what.
type Options struct {
	Paper    string // of Papers
	Language string // of Languages
	// Institution stands over the page: who gives the ticket, and whom to call.
	Institution string
	// AccessionNumber and Date of the examination are printed if they are not empty.
	AccessionNumber, Date string
	// Font is a TrueType font for what the Go fonts lack; nil for none.
	Font []byte
}

// paper is a sheet.
type paper struct {
	width, height float64 // millimetres
	scale         float64 // of all that is on it; 1 on A4
}

var papers = map[string]paper{
	"a4":     {210, 297, 1},
	"a5":     {148, 210, 0.72},
	"letter": {215.9, 279.4, 0.98},
}

// Papers lists the sheets that a page can be for.
func Papers() []string { return []string{"a4", "a5", "letter"} }

var (
	ink    = color.RGBA{0x1b, 0x2a, 0x33, 0xff}
	accent = color.RGBA{0x0b, 0x5a, 0x6f, 0xff}
	faint  = color.RGBA{0x5d, 0x6b, 0x73, 0xff}
	tint   = color.RGBA{0xec, 0xf3, 0xf5, 0xff}
	white  = color.RGBA{0xff, 0xff, 0xff, 0xff}
)

// Page is a ticket as it is printed. Lengths are millimetres from the upper left corner.
type Page struct {
	paper  paper
	title  string
	shapes []shape
	square square
	texts  []text
}

// shape is a filled polygon.
type shape struct {
	points [][2]float64
	ink    color.RGBA
}

// square is the QR code: n modules of a whole number of dots each.
type square struct {
	code       *qr.Code
	x, y, side float64
	dots       int // of a module
}

// text is a line of text from where its baseline begins.
type text struct {
	x, y   float64
	string string
	font   *typeface
	size   float64 // points
	ink    color.RGBA
}

// New lays a ticket out. It returns gateway.ErrClaimed for a ticket that opens nothing any more.
func New(t *gateway.Ticket, o Options) (*Page, error) {
	sheet, ok := papers[o.Paper]
	if !ok {
		return nil, fmt.Errorf("there is no paper %q, only %s", o.Paper, strings.Join(Papers(), ", "))
	}
	w, ok := languages[o.Language]
	if !ok {
		return nil, fmt.Errorf("there is no language %q, only %s", o.Language, strings.Join(Languages(), ", "))
	}
	letters, err := Encode(t)
	if err != nil {
		return nil, err
	}
	code, err := qr.Encode(letters, qr.Q)
	if err != nil {
		return nil, fmt.Errorf("making the QR code: %w", err)
	}
	l, err := newLayout(sheet, o)
	if err != nil {
		return nil, err
	}
	l.page.title = w.ticket
	l.header(w, o)
	l.paragraph(w.title, l.bold, 25, accent)
	l.y += 2 * l.s
	l.paragraph(w.lead, l.regular, 14, ink)
	l.y += 5 * l.s
	l.panel(w, code, Number(t.StudyID))
	l.y += 8 * l.s
	l.advice(w.keep)
	l.y += 5 * l.s
	l.advice(w.lost)
	l.foot(w.letters, letters)
	return l.page, l.err
}

// layout places one thing below the other.
type layout struct {
	*fonts
	page        *Page
	s           float64 // scale
	left, width float64
	y           float64 // where the next thing begins
	err         error   // the first
}

// margin is what printers cannot print on, and what looks well.
const margin = 17

func newLayout(sheet paper, o Options) (*layout, error) {
	for _, line := range []string{o.Institution, o.AccessionNumber, o.Date} {
		if utf8.RuneCountInString(line) > maxLine {
			return nil, fmt.Errorf("institution, accession number or date has more than %d characters", maxLine)
		}
	}
	f, err := loadFonts(o.Font)
	if err != nil {
		return nil, err
	}
	l := &layout{fonts: f, page: &Page{paper: sheet}, s: sheet.scale, y: margin * sheet.scale}
	l.left, l.width = margin*l.s, sheet.width-2*margin*l.s
	return l, nil
}

// header is a line with who gives the ticket, and one with what tells it from others, if that is asked for.
func (l *layout) header(w words, o Options) {
	l.y += 4 * l.s
	right := l.measure(w.ticket, l.regular, 11)
	name := l.fit(o.Institution, l.bold, 13, l.width-right-6*l.s)
	l.text(l.left, l.y, o.Institution, l.bold, name, ink)
	l.text(l.left+l.width-right, l.y, w.ticket, l.regular, 11, faint)
	l.y += 3 * l.s
	l.fill(rounded(l.left, l.y, l.width, 0.7*l.s, 0.35*l.s), accent)
	l.y += 6 * l.s
	var details []string
	for _, d := range []struct{ what, is string }{{w.date, o.Date}, {w.accession, o.AccessionNumber}} {
		if d.is != "" {
			details = append(details, d.what+": "+d.is)
		}
	}
	if len(details) > 0 {
		l.paragraph(strings.Join(details, " · "), l.regular, 11, faint)
		l.y += 2 * l.s
	}
	l.y += 2 * l.s
}

// panel is the QR code with the three steps beside it.
func (l *layout) panel(w words, code *qr.Code, number string) {
	const pad, gap, frame, target = 8, 8, 1.5, 76
	top := l.y
	// Whole dots, and a quiet zone of four modules on each side. ISO/IEC 18004 6.3.8
	modules := code.Size + 2*quietZone
	dots := max(1, int(target*l.s*dotsPerMM/float64(modules)))
	side := float64(modules*dots) / dotsPerMM

	at := len(l.page.shapes) // the panel is drawn beneath what is on it
	left, width := l.left, l.width
	l.left, l.width = left+pad*l.s+side+gap*l.s, width-side-(2*pad+gap)*l.s
	l.y = top + (pad+1)*l.s
	for i, step := range w.steps {
		l.step(i+1, step)
	}
	l.left, l.width = left, width

	x, y := left+pad*l.s, top+pad*l.s
	l.page.square = square{code: code, x: x, y: y, side: side, dots: dots}
	below := y + side + 8*l.s
	l.text(x, below, w.number, l.regular, 10, faint)
	below += 6 * l.s
	l.text(x, below, number, l.mono, 15, ink)

	l.y = max(l.y, below) + pad*l.s
	l.page.shapes = slices.Insert(l.page.shapes, at,
		shape{rounded(left, top, width, l.y-top, 4*l.s), tint},
		shape{rounded(x-frame*l.s, y-frame*l.s, side+2*frame*l.s, side+2*frame*l.s, 2.5*l.s), white})
}

// step is one of the three things to do.
func (l *layout) step(n int, s step) {
	const radius, indent = 3.6, 11.5
	numeral := fmt.Sprint(n)
	l.fill(rounded(l.left, l.y-0.4*l.s, 2*radius*l.s, 2*radius*l.s, radius*l.s), accent)
	l.text(l.left+radius*l.s-l.measure(numeral, l.bold, 12)/2, l.y+4.7*l.s, numeral, l.bold, 12, white)
	l.left, l.width = l.left+indent*l.s, l.width-indent*l.s
	l.paragraph(s.head, l.bold, 13.5, ink)
	l.paragraph(s.body, l.regular, 12.5, ink)
	l.left, l.width = l.left-indent*l.s, l.width+indent*l.s
	l.y += 4 * l.s
}

// advice is a heading with a text, beside a bar.
func (l *layout) advice(s step) {
	const indent = 5
	top := l.y
	l.left, l.width = l.left+indent*l.s, l.width-indent*l.s
	l.paragraph(s.head, l.bold, 13.5, ink)
	l.paragraph(s.body, l.regular, 12.5, ink)
	l.left, l.width = l.left-indent*l.s, l.width+indent*l.s
	l.fill(rounded(l.left, top, 1.2*l.s, l.y-top, 0.6*l.s), accent)
}

// foot is the code in letters, at the lower edge.
func (l *layout) foot(what, letters string) {
	const size, pitch = 8, 3.6
	lines := l.broken(letters, l.mono, size)
	y := l.page.paper.height - margin*l.s - float64(len(lines))*pitch*l.s
	if y < l.y+4*l.s {
		l.fail(errors.New("the page is too small for what is to be on it: print it on larger paper"))
	}
	l.text(l.left, y, what, l.regular, 9, faint)
	for _, line := range lines {
		y += pitch * l.s
		l.text(l.left, y, line, l.mono, size, faint)
	}
}

// paragraph sets words in lines, and goes on below them.
func (l *layout) paragraph(words string, f *typeface, size float64, in color.RGBA) {
	leading := size * 1.32 * l.s * mmPerPoint
	line := ""
	flush := func() {
		l.y += leading
		l.text(l.left, l.y-0.28*leading, line, f, size, in)
		line = ""
	}
	for word := range strings.FieldsSeq(words) {
		if line != "" && l.measure(line+" "+word, f, size) > l.width {
			flush()
		}
		line = strings.TrimPrefix(line+" "+word, " ")
	}
	flush()
}

// broken breaks letters wherever a line is full.
func (l *layout) broken(letters string, f *typeface, size float64) (lines []string) {
	per := int(l.width / l.measure("0", f, size)) // all are as wide
	for chunk := range slices.Chunk([]byte(letters), per) {
		lines = append(lines, string(chunk))
	}
	return lines
}

// text puts one line of text.
func (l *layout) text(x, y float64, s string, f *typeface, size float64, in color.RGBA) {
	f, err := l.covering(f, s)
	if err != nil {
		l.fail(err)
		return
	}
	if s != "" {
		l.page.texts = append(l.page.texts, text{x, y, s, f, size * l.s, in})
	}
}

// measure returns how wide a text will be.
func (l *layout) measure(s string, f *typeface, size float64) float64 {
	f, err := l.covering(f, s)
	if err != nil {
		l.fail(err)
		return 0
	}
	return f.measure(s, size*l.s)
}

// fit returns the size, not above the one that is given, at which a text is no wider than width.
func (l *layout) fit(s string, f *typeface, size, width float64) float64 {
	if w := l.measure(s, f, size); w > width {
		return size * width / w
	}
	return size
}

func (l *layout) fill(points [][2]float64, in color.RGBA) {
	l.page.shapes = append(l.page.shapes, shape{points, in})
}

func (l *layout) fail(err error) {
	if l.err == nil {
		l.err = err
	}
}

// rounded is a box with rounded corners; a disc if the radius is half of its side.
func rounded(x, y, w, h, radius float64) (points [][2]float64) {
	const perCorner = 12
	radius = min(radius, w/2, h/2)
	left, right, top, bottom := x+radius, x+w-radius, y+radius, y+h-radius
	for corner, centre := range [][2]float64{{right, top}, {right, bottom}, {left, bottom}, {left, top}} {
		for i := range perCorner + 1 {
			angle := (float64(corner) - 1 + float64(i)/perCorner) * math.Pi / 2
			points = append(points, [2]float64{centre[0] + radius*math.Cos(angle), centre[1] + radius*math.Sin(angle)})
		}
	}
	return points
}
