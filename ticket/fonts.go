package ticket

import (
	"errors"
	"fmt"
	"sync"
	"unicode"

	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/gobold"
	"golang.org/x/image/font/gofont/gomono"
	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/font/sfnt"
	"golang.org/x/text/unicode/bidi"
)

const (
	mmPerPoint   = 25.4 / 72
	dotsPerInch  = 300
	dotsPerMM    = dotsPerInch / 25.4
	quietZone    = 4    // modules
	measuredSize = 1000 // points, at which texts are measured
)

// typeface is a font as bytes, for the PDF, and as outlines.
type typeface struct {
	name     string
	raw      []byte
	outlines *opentype.Font
}

// fonts are those of one page.
type fonts struct {
	regular, bold, mono *typeface
	other               *typeface // for what these lack; nil if none was given
}

// goFonts are the fonts that every page has; they are not changed.
var goFonts = sync.OnceValue(func() fonts {
	load := func(name string, raw []byte) *typeface {
		f, err := newTypeface(name, raw)
		if err != nil {
			panic(err) // built in
		}
		return f
	}
	return fonts{regular: load("regular", goregular.TTF), bold: load("bold", gobold.TTF), mono: load("mono", gomono.TTF)}
})

func loadFonts(other []byte) (*fonts, error) {
	f := goFonts()
	if other == nil {
		return &f, nil
	}
	if len(other) > maxFont {
		return nil, fmt.Errorf("the font has more than %d bytes", maxFont)
	}
	var err error
	f.other, err = newTypeface("other", other)
	return &f, err
}

func newTypeface(name string, raw []byte) (*typeface, error) {
	outlines, err := opentype.Parse(raw)
	if err != nil {
		return nil, fmt.Errorf("reading the font: want TrueType (.ttf): %w", err)
	}
	return &typeface{name, raw, outlines}, nil
}

// covering returns f, or the other font, whichever has all characters of a text.
func (f *fonts) covering(first *typeface, s string) (*typeface, error) {
	for _, r := range s {
		class, _ := bidi.LookupRune(r)
		switch {
		case !unicode.IsPrint(r):
			return nil, errors.New("a text on the page holds control characters")
		case class.Class() == bidi.R, class.Class() == bidi.AL, unicode.In(r, joining...):
			return nil, fmt.Errorf("%q is of a script that cannot be printed yet: write it in another", r)
		}
	}
	missing := first.missing(s)
	if missing == 0 {
		return first, nil
	}
	if f.other != nil {
		if missing = f.other.missing(s); missing == 0 {
			return f.other, nil
		}
	}
	return nil, fmt.Errorf("no font has the character %q: give a TrueType font that has it", missing)
}

// joining are scripts, written from left to right, whose letters change with their neighbours.
var joining = []*unicode.RangeTable{
	unicode.Devanagari, unicode.Bengali, unicode.Gurmukhi, unicode.Gujarati, unicode.Oriya, unicode.Tamil, unicode.Telugu,
	unicode.Kannada, unicode.Malayalam, unicode.Sinhala, unicode.Khmer, unicode.Myanmar, unicode.Tibetan, unicode.Mongolian,
}

// missing returns the first character that the font lacks, 0 if it has all.
func (f *typeface) missing(s string) rune {
	var b sfnt.Buffer
	for _, r := range s {
		if glyph, err := f.outlines.GlyphIndex(&b, r); err != nil || glyph == 0 {
			return r
		}
	}
	return 0
}

// measure returns the width of a text in millimetres at a size in points.
func (f *typeface) measure(s string, size float64) float64 {
	face := f.face(measuredSize, 72)
	defer face.Close()
	return float64(font.MeasureString(face, s)) / 64 * size / measuredSize * mmPerPoint
}

// face is the font at a size in points and dots per inch.
func (f *typeface) face(size, dpi float64) font.Face {
	face, err := opentype.NewFace(f.outlines, &opentype.FaceOptions{Size: size, DPI: dpi, Hinting: font.HintingNone})
	if err != nil {
		panic(err) // never: it has no cause to
	}
	return face
}
