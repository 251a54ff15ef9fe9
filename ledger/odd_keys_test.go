package ledger_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/asn1"
	"encoding/binary"
	"math/big"
	"slices"
	"sync"
	"testing"

	"collimate/ledger"
)

// offCurve is an Ed25519 key that is no point of the curve: a name like others, by which nothing is signed.
var offCurve = [32]byte{2}

var (
	oidRSA   = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 1}
	oidPSS   = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 10}
	derNull  = asn1.RawValue{FullBytes: []byte{5, 0}}
	exponent = big.NewInt(65537)
)

// rsaSPKI writes an RSA key, whether or not it can be one.
func rsaSPKI(algorithm asn1.ObjectIdentifier, n, e *big.Int, parameters ...asn1.RawValue) []byte {
	type algorithmIdentifier struct {
		Algorithm  asn1.ObjectIdentifier
		Parameters asn1.RawValue `asn1:"optional"`
	}
	id := algorithmIdentifier{Algorithm: algorithm}
	if len(parameters) > 0 {
		id.Parameters = parameters[0]
	}
	key := mustDER(struct{ N, E *big.Int }{n, e})
	return mustDER(struct {
		Algorithm algorithmIdentifier
		Key       asn1.BitString
	}{id, asn1.BitString{Bytes: key, BitLength: 8 * len(key)}})
}

func mustDER(v any) []byte {
	b, err := asn1.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}

// expand makes any number of bytes of a word.
func expand(word string, n int) (b []byte) {
	for i := uint32(0); len(b) < n; i++ {
		block := named(word, string(binary.BigEndian.AppendUint32(nil, i)))
		b = append(b, block[:]...)
	}
	return b[:n]
}

// rsaKey is an RSA key of 2048 bits and exponent 65537, the same in every run.
var rsaKey = sync.OnceValue(func() *rsa.PrivateKey { return rsaKeyOf(65537) })

func rsaKeyOf(e int64) *rsa.PrivateKey {
	one, exponent := big.NewInt(1), big.NewInt(e)
	prime := func(word string) *big.Int {
		p := new(big.Int).SetBytes(expand(word, 128))
		p.SetBit(p, 1023, 1).SetBit(p, 1022, 1).SetBit(p, 0, 1)
		for ; ; p.Add(p, big.NewInt(2)) {
			less := new(big.Int).Sub(p, one)
			if new(big.Int).GCD(nil, nil, less, exponent).Cmp(one) == 0 && p.ProbablyPrime(20) {
				return p
			}
		}
	}
	p, q := prime("rsa p"), prime("rsa q")
	phi := new(big.Int).Mul(new(big.Int).Sub(p, one), new(big.Int).Sub(q, one))
	return &rsa.PrivateKey{
		PublicKey: rsa.PublicKey{N: new(big.Int).Mul(p, q), E: int(e)},
		D:         new(big.Int).ModInverse(exponent, phi), Primes: []*big.Int{p, q},
	}
}

// signPSS signs with a salt of its own: RFC 8017 section 9.1.1 with SHA-256. crypto/rsa draws its salt.
func signPSS(key *rsa.PrivateKey, message, salt []byte) []byte {
	size := key.Size()
	hashed := sha256.Sum256(message)
	h := sha256.Sum256(slices.Concat(make([]byte, 8), hashed[:], salt))
	db := slices.Concat(make([]byte, size-len(salt)-len(h)-2), []byte{1}, salt)
	var mask []byte
	for i := uint32(0); len(mask) < len(db); i++ {
		block := sha256.Sum256(binary.BigEndian.AppendUint32(slices.Clone(h[:]), i))
		mask = append(mask, block[:]...)
	}
	for i := range db {
		db[i] ^= mask[i]
	}
	db[0] &= 0x7f
	m := new(big.Int).SetBytes(slices.Concat(db, h[:], []byte{0xbc}))
	return m.Exp(m, key.D, key.N).FillBytes(make([]byte, size))
}

// oddKeys are SubjectPublicKeyInfos of keys that 2.2 does not have, and of others in another encoding.
func oddKeys() map[string][]byte {
	modulus := func(bits int) *big.Int {
		n := new(big.Int).SetBytes(expand("modulus", 1025))
		n.SetBit(n, 8199, 1)
		n.Rsh(n, uint(8200-bits))
		return n.SetBit(n, bits-1, 1).SetBit(n, 0, 1)
	}
	rsaOf := func(bits int, e *big.Int) []byte { return rsaSPKI(oidRSA, modulus(bits), e, derNull) }
	power := func(of uint, more int64) *big.Int {
		return new(big.Int).Add(new(big.Int).Lsh(big.NewInt(1), of), big.NewInt(more))
	}
	even := modulus(2048)
	good := rsaOf(2048, exponent)
	p256 := scalarPoint()
	compressed := append([]byte{2 + p256[64]&1}, p256[1:33]...)
	ec := func(point []byte) []byte {
		head := []byte{0x30, byte(21 + 2 + 1 + len(point)), 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01,
			0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, byte(1 + len(point)), 0}
		return append(head, point...)
	}
	offP256 := slices.Clone(p256)
	offP256[64] ^= 1
	ed := func(head ...byte) []byte { return append(head, expand("any", 32)...) }
	return map[string][]byte{
		"RSA of 1024 bits":                   rsaOf(1024, exponent),
		"RSA of 2047 bits":                   rsaOf(2047, exponent),
		"RSA of 8193 bits":                   rsaOf(8193, exponent),
		"RSA with an even modulus":           rsaSPKI(oidRSA, even.SetBit(even, 0, 0), exponent, derNull),
		"RSA with exponent 1":                rsaOf(2048, big.NewInt(1)),
		"RSA with exponent 2":                rsaOf(2048, big.NewInt(2)),
		"RSA with exponent 65536":            rsaOf(2048, big.NewInt(65536)),
		"RSA with exponent 2^31 + 1":         rsaOf(2048, power(31, 1)),
		"RSA with exponent 2^33 + 1":         rsaOf(2048, power(33, 1)),
		"RSA with exponent 2^64 + 1":         rsaOf(2048, power(64, 1)),
		"RSA with a negative modulus":        rsaSPKI(oidRSA, new(big.Int).Neg(modulus(2048)), exponent, derNull),
		"RSA without parameters":             rsaSPKI(oidRSA, modulus(2048), exponent),
		"RSA for PSS alone":                  rsaSPKI(oidPSS, modulus(2048), exponent),
		"RSA and a byte more":                append(slices.Clone(good), 0),
		"RSA with a zero before the modulus": zeroBeforeModulus(modulus(2048)),
		"P-256, compressed":                  ec(compressed),
		"P-256, spelled out":                 explicitP256(p256),
		"P-256, off the curve":               ec(offP256),
		"P-256, the point at infinity":       ec([]byte{0}),
		"P-256 and a byte more":              append(ec(p256), 0),
		"Ed25519 with parameters":            ed(0x30, 0x2c, 0x30, 0x07, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x05, 0x00, 0x03, 0x21, 0x00),
		"Ed25519, long length":               ed(0x30, 0x81, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00),
		"Ed25519 and a byte more":            append(ed(0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00), 0),
		"X25519":                             ed(0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x6e, 0x03, 0x21, 0x00),
	}
}

// zeroBeforeModulus writes an RSA key whose modulus has a zero byte more than DER allows.
func zeroBeforeModulus(n *big.Int) []byte {
	number := append([]byte{2, 0x82, 1, 2, 0, 0}, n.Bytes()...)
	key := mustDER(asn1.RawValue{Tag: 16, IsCompound: true, Bytes: append(number, mustDER(exponent)...)})
	algorithm := []byte{0x30, 0x0d, 6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1, 5, 0}
	bits := mustDER(asn1.BitString{Bytes: key, BitLength: 8 * len(key)})
	return mustDER(asn1.RawValue{Tag: 16, IsCompound: true, Bytes: append(algorithm, bits...)})
}

// explicitP256 writes a P-256 key with the parameters of its curve in place of the curve's name. RFC 3279 section 2.3.5
func explicitP256(point []byte) []byte {
	type field struct {
		Type  asn1.ObjectIdentifier
		Prime *big.Int
	}
	type curve struct {
		A, B []byte
	}
	type parameters struct {
		Version int
		Field   field
		Curve   curve
		Base    []byte
		Order   *big.Int
		Factor  int
	}
	type algorithm struct {
		Algorithm  asn1.ObjectIdentifier
		Parameters parameters
	}
	c := elliptic.P256().Params()
	base := slices.Concat([]byte{4}, c.Gx.FillBytes(make([]byte, 32)), c.Gy.FillBytes(make([]byte, 32)))
	a := new(big.Int).Sub(c.P, big.NewInt(3)).FillBytes(make([]byte, 32))
	return mustDER(struct {
		Algorithm algorithm
		Key       asn1.BitString
	}{
		algorithm{asn1.ObjectIdentifier{1, 2, 840, 10045, 2, 1}, parameters{
			1, field{asn1.ObjectIdentifier{1, 2, 840, 10045, 1, 1}, c.P}, curve{a, c.B.FillBytes(make([]byte, 32))}, base, c.N, 1,
		}},
		asn1.BitString{Bytes: point, BitLength: 8 * len(point)},
	})
}

// scalarPoint is the uncompressed point of the P-256 key of the tests.
func scalarPoint() []byte {
	scalar := named("scalar")
	key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), scalar[:])
	if err != nil {
		panic(err)
	}
	b, err := key.PublicKey.Bytes()
	if err != nil {
		panic(err)
	}
	return b
}

// rsaSigned returns a transaction signed with a salt of some bytes.
func rsaSigned(t testing.TB, key *rsa.PrivateKey, salt int) []byte {
	m := open(t, sign(t, allow()))
	spki := rsaSPKI(oidRSA, key.N, big.NewInt(int64(key.E)), derNull)
	m.Protected = coreHeader(t, map[any]any{1: -37, -65537: spki})
	m.Signature = signPSS(key, m.signed(t), expand("salt", salt))
	return m.bytes(t)
}

// oddSignatures has messages whose signature is of another form, or made in another way, than 3.4 and 3.5 say. That
// rsaSigned makes good ones shows in transactions.json.
func oddSignatures(t testing.TB) map[string]bad {
	all := map[string]bad{}
	key := rsaKey()
	for name, salt := range map[string]int{"no salt": 0, "a salt of 20 bytes": 20, "a salt of 31 bytes": 31, "the longest salt": 222} {
		all["RSA with "+name] = bad{rsaSigned(t, key, salt), ledger.CodeBadSignature}
	}
	m := open(t, rsaSigned(t, key, 32))
	signed := m.signed(t)
	for i := 0; ; i++ { // s and s + n are the same for whoever does not compare it with n
		s := new(big.Int).SetBytes(signPSS(key, signed, expand("salt "+string(rune(i)), 32)))
		if s.Add(s, key.N); s.BitLen() <= 2048 {
			m.Signature = s.Bytes()
			all["RSA, the modulus added"] = bad{m.bytes(t), ledger.CodeBadSignature}
			break
		}
	}
	ed := open(t, sign(t, allow()))
	ed.Signature = addOrder(ed.Signature)
	all["Ed25519, the order added"] = bad{ed.bytes(t), ledger.CodeBadSignature}
	ed.Protected = coreHeader(t, map[any]any{1: -8, -65537: ed25519SPKI(offCurve)})
	ed.Signature = make([]byte, 64)
	all["signer's key of no point"] = bad{ed.bytes(t), ledger.CodeBadSignature}
	long := open(t, sign(t, allow()))
	kind := make([]byte, ledger.MaxTxBytes)
	for i := range kind {
		kind[i] = 'a'
	}
	over := func(n int) []byte { // a message whose kind is so long that it has one byte too many
		long.Payload = slices.Concat([]byte{0x82, 0x79, byte(n >> 8), byte(n)}, kind[:n], []byte{0xa0})
		return long.resign(t, keyOf("p1"))
	}
	n := ledger.MaxTxBytes + 1 - (len(over(60000)) - 60000)
	all["one byte too large"] = bad{over(n), ledger.CodeTooLarge}
	return all
}

// addOrder adds L, the order of the base point, to the S of an Ed25519 signature. RFC 8032 section 5.1
func addOrder(signature []byte) []byte {
	l, _ := new(big.Int).SetString("27742317777372353535851937790883648493", 10)
	l.Add(l, new(big.Int).Lsh(big.NewInt(1), 252))
	s := slices.Clone(signature[32:])
	slices.Reverse(s)
	twin := l.Add(l, new(big.Int).SetBytes(s)).FillBytes(make([]byte, 32))
	slices.Reverse(twin)
	return append(slices.Clone(signature[:32]), twin...)
}

// ed25519SPKI writes an Ed25519 key. RFC 8410
func ed25519SPKI(key [32]byte) []byte {
	return append([]byte{0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00}, key[:]...)
}
