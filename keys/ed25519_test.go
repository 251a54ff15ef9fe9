package keys

import (
	"crypto/ed25519"
	"math/big"
	"slices"
	"testing"
)

// point is one of the curve of Ed25519, affine. RFC 8032 section 5.1
type point struct{ x, y *big.Int }

var (
	p25519 = new(big.Int).SetBytes(prime)
	d25519 = mod(new(big.Int).Mul(big.NewInt(-121665), inverse(big.NewInt(121666))))
)

func mod(n *big.Int) *big.Int     { return n.Mod(n, p25519) }
func inverse(n *big.Int) *big.Int { return new(big.Int).ModInverse(n, p25519) }

// double adds a point to itself by the addition law of RFC 8032 section 5.1.4, in affine coordinates.
func (p point) double() point {
	xx, yy := new(big.Int).Mul(p.x, p.x), new(big.Int).Mul(p.y, p.y)
	xy := new(big.Int).Mul(p.x, p.y)
	dxxyy := mod(new(big.Int).Mul(d25519, new(big.Int).Mul(xx, yy)))
	one := big.NewInt(1)
	return point{
		mod(new(big.Int).Mul(xy.Lsh(xy, 1), inverse(mod(new(big.Int).Add(one, dxxyy))))),
		mod(new(big.Int).Mul(yy.Add(yy, xx), inverse(mod(new(big.Int).Sub(one, dxxyy))))),
	}
}

// at returns the point of a y, with the even x.
func at(t *testing.T, key []byte) point {
	t.Helper()
	b := slices.Clone(key)
	b[31] &= 0x7f
	slices.Reverse(b)
	y := new(big.Int).SetBytes(b)
	yy := mod(new(big.Int).Mul(y, y))
	u := mod(new(big.Int).Sub(yy, big.NewInt(1)))
	v := mod(new(big.Int).Add(new(big.Int).Mul(d25519, yy), big.NewInt(1)))
	x := new(big.Int).ModSqrt(mod(u.Mul(u, inverse(v))), p25519)
	if x == nil {
		t.Fatalf("%x is not on the curve", key)
	}
	return point{x, y}
}

// TestSmallOrder: what is listed as of small order is, and with it every point that is.
func TestSmallOrder(t *testing.T) {
	points := 0
	for _, key := range smallOrder {
		p := at(t, key)
		points++
		if p.x.Sign() != 0 {
			points++ // and the one with -x
		}
		p = p.double().double().double()
		if p.x.Sign() != 0 || p.y.Cmp(big.NewInt(1)) != 0 {
			t.Errorf("eight times %x is not the neutral point", key)
		}
		for _, sign := range []byte{0, 0x80} {
			k := slices.Clone(key)
			k[31] |= sign
			if err := Supported(ed25519.PublicKey(k)); err == nil {
				t.Errorf("%x is accepted", k)
			}
		}
	}
	if points != 8 { // the order of the group is 8 times a prime
		t.Errorf("%d points, want 8", points)
	}
}

// TestSecondEncodings: a y of 2^255-19 or more is refused, which is y - (2^255-19) for tolerant decoders.
func TestSecondEncodings(t *testing.T) {
	for least, want := range map[byte]bool{0xec: false /* order 2 */, 0xeb: true, 0xed: false, 0xee: false, 0xff: false} {
		key := mustHex("00ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f")
		key[0] = least
		if got := Supported(ed25519.PublicKey(key)) == nil; got != want {
			t.Errorf("%x: accepted is %t, want %t", key, got, want)
		}
	}
}
