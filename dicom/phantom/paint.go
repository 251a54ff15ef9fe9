package phantom

import (
	"encoding/binary"
	"math"
)

// Materials, in Hounsfield units.
const (
	air          = -1000
	water        = 0
	acrylic      = 120
	bone         = 900
	polyethylene = -90
	lung         = -750
	table        = -300
)

// noiseAmplitude is the largest deviation of the first and of the other series. The deviation is the sum of
// two even random numbers, so its standard deviation is about 0.41 of this.
const (
	smoothNoise = 15
	sharpNoise  = 63
)

// painter draws slices into one plane that it reuses.
type painter struct {
	o      Options
	hu     []int16
	pixels []byte // hu in little endian
}

func newPainter(o Options) *painter {
	return &painter{o: o, hu: make([]int16, o.Rows*o.Columns), pixels: make([]byte, 2*o.Rows*o.Columns)}
}

// paint returns the pixels of a slice, valid until the next call: rows from top to bottom, signed 16 bits.
func (p *painter) paint(series, slice int) []byte {
	for i := range p.hu {
		p.hu[i] = air
	}
	z := (float64(slice) + 0.5) / float64(p.o.Slices) // 0 at the feet, 1 at the head
	p.ellipse(0, 0.93, 0.95, 0.09, table)
	p.ellipse(0, 0, 0.84, 0.84, acrylic)
	p.ellipse(0, 0, 0.82, 0.82, water)
	for k, hu := range []int16{bone, polyethylene, acrylic, lung} {
		sin, cos := math.Sincos(2 * math.Pi * (z + float64(k)/4))
		p.ellipse(rounded(0.52*cos), rounded(0.52*sin), 0.13, 0.13, hu)
	}
	if r := 0.0625 - float64((z-0.5)*(z-0.5)); r > 0 { // a sphere of radius 1/4 at half height
		p.ellipse(0, 0, math.Sqrt(r), math.Sqrt(r), bone/2)
	}
	p.addNoise(series, slice)
	return p.pixels
}

// rounded drops the last bits, in which machines may differ. For the same reason products are converted before
// something is added to them here: that keeps the compiler from fusing the two where the processor can.
func rounded(x float64) float64 { return math.Round(x*(1<<20)) / (1 << 20) }

// ellipse fills an ellipse; the centre and the half axes are in units of half the slice, from its middle.
func (p *painter) ellipse(cx, cy, rx, ry float64, hu int16) {
	rows, columns := float64(p.o.Rows), float64(p.o.Columns)
	for y := range p.o.Rows {
		dy := ((float64(y)+0.5)/rows*2 - 1 - cy) / ry
		if dy*dy > 1 {
			continue
		}
		half := float64(rx * math.Sqrt(1-float64(dy*dy)))
		from := clamp(math.Round((cx-half+1)/2*columns), columns)
		to := clamp(math.Round((cx+half+1)/2*columns), columns)
		row := p.hu[y*p.o.Columns:][:p.o.Columns]
		for x := from; x < to; x++ {
			row[x] = hu
		}
	}
}

func clamp(x, high float64) int { return int(min(max(x, 0), high)) }

// addNoise adds triangular noise and writes the pixels. One step of a xorshift generator (Marsaglia 2003)
// serves two pixels: the noise is most of the work, and need not be good.
func (p *painter) addNoise(series, slice int) {
	mask := uint64(smoothNoise)
	if series > 0 {
		mask = sharpNoise
	}
	state := splitmix(p.o.Seed ^ splitmix(uint64(series)<<32|uint64(slice)))
	noise := func(bits uint64) int16 { return int16(bits&mask) + int16(bits>>8&mask) - int16(mask) }
	n := len(p.hu)
	for i := 0; i+1 < n; i += 2 {
		state ^= state << 13
		state ^= state >> 7
		state ^= state << 17
		a, b := p.hu[i]+noise(state), p.hu[i+1]+noise(state>>32)
		binary.LittleEndian.PutUint32(p.pixels[2*i:], uint32(uint16(a))|uint32(uint16(b))<<16)
	}
	if n%2 == 1 {
		binary.LittleEndian.PutUint16(p.pixels[2*n-2:], uint16(p.hu[n-1]))
	}
}

// splitmix spreads a seed over 64 bits, never to 0, where xorshift would stay (Steele et al. 2014).
func splitmix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return (x ^ x>>31) | 1
}
