package keys

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"slices"
)

// soundEd25519 refuses keys that are nobody's secret, since their point is of small order and anybody can sign for it,
// and second encodings of a key, which would have another KeyID. Whether the point is on the curve shows at its first
// signature. ledger-spec 2.2
func soundEd25519(key ed25519.PublicKey) bool {
	y := bytes.Clone(key)
	y[31] &= 0x7f // the sign of x
	for _, small := range smallOrder {
		if bytes.Equal(y, small) {
			return false
		}
	}
	slices.Reverse(y)
	return bytes.Compare(y, prime) < 0
}

// prime is 2^255 - 19, big-endian.
var prime = mustHex("7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffed")

// smallOrder has the y of the points of order 1, 2, 4 and 8, little-endian as in keys.
var smallOrder = [][]byte{
	mustHex("0100000000000000000000000000000000000000000000000000000000000000"), // 1
	mustHex("ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"), // 2
	mustHex("0000000000000000000000000000000000000000000000000000000000000000"), // 4
	mustHex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"), // 8
	mustHex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"), // 8
}

func mustHex(s string) []byte {
	b, err := hex.DecodeString(s)
	if err != nil {
		panic(err)
	}
	return b
}
