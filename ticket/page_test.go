package ticket

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"collimate/gateway"
)

// page lays out a ticket.
func page(t testing.TB, ticket *gateway.Ticket, o Options) *Page {
	t.Helper()
	if o.Language == "" {
		o.Language = "en"
	}
	p, err := New(ticket, o)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// tool returns where a program is, and skips the test where it is not installed.
func tool(t *testing.T, name, pkg string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("%s is not installed (Debian: %s)", name, pkg)
	}
	return path
}

// output runs a program on content, which is given as a file, and returns what it prints.
func output(t *testing.T, content []byte, name string, args ...string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "content")
	if err := os.WriteFile(file, content, 0o600); err != nil {
		t.Fatal(err)
	}
	for i := range args {
		args[i] = strings.ReplaceAll(args[i], "FILE", file)
	}
	var stdout, stderr bytes.Buffer
	cmd := exec.Command(name, args...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s: %v\n%s", name, err, stderr.Bytes())
	}
	return stdout.String()
}

func pngOf(t testing.TB, p *Page) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := p.WritePNG(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func pdfOf(t testing.TB, p *Page) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := p.WritePDF(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// full is a page with all that can be asked for.
var full = Options{Institution: "Röntgenpraxis am Markt, Северный госпиталь", AccessionNumber: "A-2026-004711", Date: "2026-11-02"}

// The QR code on each sheet is read back by another program, and the picture has the size that the sheet has at 300 dots an inch.
func TestScan(t *testing.T) {
	zbar := tool(t, "zbarimg", "zbar-tools")
	for name, size := range map[string]image.Point{"a4": {2480, 3508}, "a5": {1748, 2480}, "letter": {2550, 3300}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ticket := largest(t)
			o := full
			o.Paper = name
			p := page(t, ticket, o)
			picture := pngOf(t, p)
			c, err := png.DecodeConfig(bytes.NewReader(picture))
			if err != nil || c.Width != size.X || c.Height != size.Y {
				t.Errorf("got %d x %d, %v; want %v", c.Width, c.Height, err, size)
			}
			if !bytes.Contains(picture[:64], []byte("pHYs\x00\x00\x2e\x23\x00\x00\x2e\x23\x01")) {
				t.Error("the picture does not say that it has 300 dots an inch")
			}
			if got, want := scan(t, zbar, picture), encode(t, ticket); got != want {
				t.Errorf("%d modules of %d dots: got %q, want %q", p.square.code.Size, p.square.dots, got, want)
			}
		})
	}
}

// A page that was printed, folded and stained is read too: the picture is small, and a ninth of the square is gone.
func TestScanStained(t *testing.T) {
	zbar := tool(t, "zbarimg", "zbar-tools")
	p := page(t, usual(t), Options{Paper: "a5"})
	picture, err := png.Decode(bytes.NewReader(pngOf(t, p)))
	if err != nil {
		t.Fatal(err)
	}
	canvas := picture.(draw.Image)
	corner := image.Pt(toDots(p.square.x), toDots(p.square.y))
	side := toDots(p.square.side)
	stain := image.Rect(0, 0, side/3, side/3).Add(corner).Add(image.Pt(side/2, side/2))
	draw.Draw(canvas, stain, image.NewUniform(color.RGBA{0x60, 0x40, 0x20, 0xff}), image.Point{}, draw.Src)
	half := image.NewGray(image.Rect(0, 0, canvas.Bounds().Dx()/2, canvas.Bounds().Dy()/2))
	for y := range half.Rect.Dy() {
		for x := range half.Rect.Dx() {
			half.Set(x, y, canvas.At(2*x, 2*y))
		}
	}
	var b bytes.Buffer
	if err := png.Encode(&b, half); err != nil {
		t.Fatal(err)
	}
	if got, want := scan(t, zbar, b.Bytes()), encode(t, usual(t)); got != want {
		t.Errorf("got %q", got)
	}
}

func scan(t *testing.T, zbar string, picture []byte) string {
	return strings.TrimSpace(output(t, picture, zbar, "--raw", "--quiet", "--nodbus", "-Sdisable", "-Sqrcode.enable", "FILE"))
}

// The PDF has the words as text, in their order, and the ticket in letters; and it scans as printed.
func TestPDF(t *testing.T) {
	pdftotext, pdftoppm := tool(t, "pdftotext", "poppler-utils"), tool(t, "pdftoppm", "poppler-utils")
	zbar := tool(t, "zbarimg", "zbar-tools")
	o := full
	o.Paper = "a5"
	ticket := usual(t)
	pdf := pdfOf(t, page(t, ticket, o))
	text := strings.Join(strings.Fields(output(t, pdf, pdftotext, "-raw", "FILE", "-")), " ")
	w := languages["en"]
	rest := text
	for _, want := range []string{full.Institution, w.ticket, full.Date, full.AccessionNumber, w.title, w.lead,
		w.steps[0].head, w.steps[0].body, w.steps[1].body, w.steps[2].body, Number(ticket.StudyID),
		w.keep.head, w.keep.body, w.lost.body, w.letters, Prefix} {
		_, after, found := strings.Cut(rest, want)
		if !found {
			t.Fatalf("%q is not in the text, or not in its place: %s", want, text)
		}
		rest = after
	}
	if got, err := Decode(Prefix + rest); err != nil || !reflect.DeepEqual(got, ticket) {
		t.Errorf("the letters: got %+v, %v", got, err)
	}
	printed := output(t, pdf, pdftoppm, "-r", "200", "-singlefile", "-png", "FILE")
	if got := scan(t, zbar, []byte(printed)); got != encode(t, ticket) {
		t.Errorf("the printed PDF scans as %q", got)
	}
}

// The PDF, drawn by another program, is the picture: everything stands where the layout put it.
func TestPDFIsThePicture(t *testing.T) {
	pdftoppm := tool(t, "pdftoppm", "poppler-utils")
	o := full
	o.Paper = "a5"
	p := page(t, usual(t), o)
	ours, err := png.Decode(bytes.NewReader(pngOf(t, p)))
	if err != nil {
		t.Fatal(err)
	}
	drawn, err := png.Decode(strings.NewReader(output(t, pdfOf(t, p), pdftoppm, "-r", "300", "-singlefile", "-png", "FILE")))
	if err != nil {
		t.Fatal(err)
	}
	const block = 32 // dots: edges that are smoothed otherwise do not count for much in one
	for y := 0; y+block < ours.Bounds().Dy(); y += block {
		for x := 0; x+block < ours.Bounds().Dx(); x += block {
			if a, b := brightness(ours, x, y, block), brightness(drawn, x, y, block); math.Abs(a-b) > 20 {
				t.Fatalf("at %d, %d: the picture has brightness %.0f, the PDF %.0f", x, y, a, b)
			}
		}
	}
}

// brightness is the mean of a square, 0 to 255.
func brightness(img image.Image, x, y, side int) float64 {
	sum := 0
	for dy := range side {
		for dx := range side {
			sum += int(color.GrayModel.Convert(img.At(x+dx, y+dy)).(color.Gray).Y)
		}
	}
	return float64(sum) / float64(side*side)
}

func TestSameBytes(t *testing.T) {
	o := full
	o.Paper = "letter"
	for range 3 {
		a, b := page(t, usual(t), o), page(t, usual(t), o)
		if !bytes.Equal(pdfOf(t, a), pdfOf(t, b)) {
			t.Error("the PDF differs")
		}
	}
	if !bytes.Equal(pngOf(t, page(t, usual(t), o)), pngOf(t, page(t, usual(t), o))) {
		t.Error("the PNG differs")
	}
}

// Everything stands on the sheet, and nothing on something else, whatever is printed.
func TestFits(t *testing.T) {
	for _, name := range Papers() {
		p := page(t, largest(t), Options{Paper: name, Institution: strings.Repeat("W", maxLine),
			AccessionNumber: strings.Repeat("W", 16), Date: "22 November 2026"})
		for i, a := range p.texts {
			right := a.x + a.font.measure(a.string, a.size)
			if a.x < 10 || right > p.paper.width-10 || a.y < 10 || a.y > p.paper.height-10 {
				t.Errorf("%s: %q is off the sheet", name, a.string)
			}
			for _, b := range p.texts[:i] {
				if b.y == a.y && b.x < right && a.x < b.x+b.font.measure(b.string, b.size) {
					t.Errorf("%s: %q stands on %q", name, a.string, b.string)
				}
			}
			q := p.square
			if a.x < q.x+q.side && right > q.x && a.y > q.y && a.y-a.size*mmPerPoint*0.7 < q.y+q.side {
				t.Errorf("%s: %q stands on the square", name, a.string)
			}
		}
		if q := p.square; q.dots < 5 {
			t.Errorf("%s: modules of %d dots", name, q.dots)
		}
	}
	l, err := newLayout(papers["a5"], Options{})
	if err != nil {
		t.Fatal(err)
	}
	l.y = 190
	if l.foot("letters", encode(t, usual(t))); l.err == nil {
		t.Error("a foot that stands on the text: no error")
	}
}

func TestScripts(t *testing.T) {
	institution := func(name string, font []byte) error {
		_, err := New(usual(t), Options{Paper: "a4", Language: "en", Institution: name, Font: font})
		return err
	}
	for name, want := range map[string]string{
		"Северный госпиталь":       "",
		"Νοσοκομείο":               "",
		"서울대학교병원":                  "no font has the character '서'",
		"مستشفى":                   "cannot be printed yet",
		"अस्पताल":                  "cannot be printed yet",
		"a\nb":                     "control characters",
		strings.Repeat("x", 65):    "more than 64",
		strings.Repeat("ж", 64):    "",
		"\u202eetacilop \u202d xx": "control characters",
	} {
		err := institution(name, nil)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%q: got %v, want %q", name, err, want)
		}
	}
	if err := institution("x", []byte("not a font")); err == nil || !strings.Contains(err.Error(), "TrueType") {
		t.Errorf("not a font: got %v", err)
	}
	if _, err := New(usual(t), Options{Paper: "a3", Language: "en"}); err == nil {
		t.Error("paper a3: no error")
	}
	if _, err := New(usual(t), Options{Paper: "a4", Language: "tlh"}); err == nil {
		t.Error("an unknown language: no error")
	}
}

// A script that the Go fonts lack is printed with a font that has it.
func TestOtherFont(t *testing.T) {
	const file = "/usr/share/fonts/truetype/droid/DroidSansFallbackFull.ttf"
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Skip("no font with Han characters here (Debian: fonts-droid-fallback)")
	}
	const name = "東京大学病院"
	pdf := pdfOf(t, page(t, usual(t), Options{Paper: "a4", Institution: name, Font: raw}))
	if text := output(t, pdf, tool(t, "pdftotext", "poppler-utils"), "-raw", "FILE", "-"); !strings.Contains(text, name) {
		t.Errorf("got %.100q", text)
	}
}

// Each language says everything.
func TestLanguages(t *testing.T) {
	var walk func(path string, v reflect.Value)
	walk = func(path string, v reflect.Value) {
		switch v.Kind() {
		case reflect.String:
			if v.Len() == 0 {
				t.Errorf("%s is empty", path)
			}
		case reflect.Array:
			for i := range v.Len() {
				walk(fmt.Sprintf("%s[%d]", path, i), v.Index(i))
			}
		case reflect.Struct:
			for i := range v.NumField() {
				walk(path+"."+v.Type().Field(i).Name, v.Field(i))
			}
		}
	}
	for _, tag := range Languages() {
		walk(tag, reflect.ValueOf(languages[tag]))
		for _, name := range Papers() {
			page(t, largest(t), Options{Paper: name, Language: tag})
		}
	}
}

func BenchmarkPNG(b *testing.B) {
	o := full
	o.Paper = "a4"
	p := page(b, usual(b), o)
	for b.Loop() {
		pngOf(b, p)
	}
}
