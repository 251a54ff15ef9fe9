package js_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"encoding/hex"
	"fmt"
	"math/big"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"collimate/detcbor"
	"collimate/ledger"
)

const testChain = "collimate-test"

// signer is who signs all messages here.
var signer = func() ed25519.PrivateKey {
	seed := sha256.Sum256([]byte("signer"))
	return ed25519.NewKeyFromSeed(seed[:])
}()

func encode(t *testing.T, v any) []byte {
	t.Helper()
	b, err := detcbor.New(detcbor.Limits{Depth: 4, Elements: 16, Pairs: 16, NilIsNull: true}).Encode(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// message encodes and signs whatever it gets; signature is made if it is nil.
func message(t *testing.T, alg int, spki []byte, kind string, body any, signature []byte) []byte {
	t.Helper()
	protected, payload := encode(t, map[int]any{1: alg, -65537: spki}), encode(t, []any{kind, body})
	if signature == nil {
		signature = ed25519.Sign(signer, encode(t, []any{"Signature1", protected, []byte("collimate/tx/v1\x00" + testChain), payload}))
	}
	return append([]byte{0xd2}, encode(t, []any{protected, map[int]any{}, payload, signature})...)
}

func spki(t *testing.T, key any) []byte {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// compared runs messages through both parsers and returns how often each code came.
func compared(t *testing.T, chainID string, messages map[string][]byte) map[ledger.ErrorCode]int {
	t.Helper()
	codes := map[ledger.ErrorCode]int{}
	var all []map[string]any
	for name, raw := range messages {
		_, err := ledger.Parse(chainID, raw)
		code := ledger.CodeOf(err)
		codes[code]++
		v := map[string]any{"name": fmt.Sprintf("%s: %v", name, err), "chain_id": chainID, "raw": hex.EncodeToString(raw)}
		if code != "" {
			v["code"] = code
		}
		all = append(all, v)
	}
	directory := t.TempDir()
	write(t, directory, "damaged-transactions.json", all)
	t.Log(node(t, directory), codes)
	return codes
}

// TestTexts compares the grammars of URLs, OIDs and peers over random texts that are nearly right.
func TestTexts(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 3))
	join := func(most int, pieces ...string) string {
		var b strings.Builder
		for range r.IntN(most) + 1 {
			b.WriteString(pieces[r.IntN(len(pieces))])
		}
		return b.String()
	}
	url := func() string {
		host, port, path := "a.B-9", ":443", "/p?q=%41"
		switch r.IntN(3) {
		case 0:
			host = join(3, "a", ".", "-", "[::1]", "[", "]", "[g]", "[G]", "[]", "[aF.]", "_", "é", "@")
		case 1:
			port = join(2, "", ":", ":443", ":0", ":08", ":65535", ":65536", ":99999999999999999999", ":4z")
		case 2:
			path = join(4, "", "/", "?", "%aF", "%4g", "%4", "%", "#", "@", " ", "~!$&'()*+,;=:@/?-._", "\n", "\ufeff", "é", "\\", "|")
		}
		return "https://" + host + port + path
	}
	oid := func() string {
		return join(1, "0", "1", "2", "3", "00", "") + join(1, ".", ".", ".", "..") + join(1, "0", "9", "39", "40", "99", "100", "05", "00") +
			join(3, "", ".0", ".1", ".01", ".840", ".", "-", "a", " ", "\n")
	}
	number := func() string {
		var b [16]byte
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		if r.IntN(2) == 0 {
			b[6], b[8] = b[6]&0x0f|0x80, b[8]&0x3f|0x80
		}
		return new(big.Int).SetBytes(b[r.IntN(3)*r.IntN(2):]).String()
	}
	alias := func() string { return join(1, "2.25.", "2.25.0", "2.26.") + number() + join(1, "", "", "", "9", ".1") }
	long := func(unit string, n int, end string) string {
		return strings.Repeat(unit, n+r.IntN(3)-1-len(end)) + end
	}
	peer := func() string {
		return join(3, "1", "z", "0", "O", "I", "l", "Qm", long("k", 32, "")) + join(1, "@", "@", "@", "", "@@") +
			join(2, "host", "[::1]", ".", "a-b", "é", "[") + join(1, ":1", ":26656", ":65536", ":", "", ":01", ":1/")
	}
	messages := map[string][]byte{}
	for i := range 2000 {
		urls, oids, at := map[int]any{1: "https://a", 2: "", 3: ""}, []string{}, ""
		var what string
		switch i % 8 {
		case 0, 1, 2:
			what = url()
			urls[r.IntN(3)+1] = what
		case 3:
			what = long("h", 512, "")
			what = "https://" + what[8:]
			urls[r.IntN(3)+1] = what
		case 4:
			what = oid()
			oids = append(oids, what)
		case 5:
			what = alias()
			oids = append(oids, what)
		case 6:
			what = peer()
			at = what
		case 7:
			what = long("1.", 32, "1") // 64 characters, or about
			if r.IntN(2) == 0 {
				oids = append(oids, what)
			} else {
				what = long("k", 64, "") + "@" + long("h", 253, "") + ":1"
				at = what
			}
		}
		body := map[int]any{1: urls, 2: oids, 3: []byte(signer.Public().(ed25519.PublicKey)), 4: make([]byte, 64), 5: at, 6: [][]byte{}}
		messages[fmt.Sprintf("%d %q", i, what)] = message(t, -8, spki(t, signer.Public()), "define-source", body, nil)
	}
	if codes := compared(t, testChain, messages); codes[""] < 200 || codes[ledger.CodeOutOfBounds] < 200 || len(codes) > 2 {
		t.Errorf("the texts show little: %v", codes)
	}
}

// TestKeys compares what the two take for a key. The signatures are none, so that a key that is one shows in the code.
func TestKeys(t *testing.T) {
	messages := map[string][]byte{}
	body := map[int]any{1: make([]byte, 32), 2: 0}
	add := func(name string, alg int, spki []byte, sizes ...int) {
		for _, size := range sizes {
			for _, fill := range []byte{0x00, 0x7f, 0xff} {
				signature := bytes.Repeat([]byte{fill}, size)
				messages[fmt.Sprintf("%s, signature of %d bytes %x", name, size, fill)] = message(t, alg, spki, "amend-study", body, signature)
			}
		}
	}

	for _, c := range []struct {
		curve elliptic.Curve
		alg   int
	}{{elliptic.P256(), -7}, {elliptic.P384(), -35}} {
		key, err := ecdsa.ParseRawPrivateKey(c.curve, append(make([]byte, c.curve.Params().BitSize/8-1), 7))
		if err != nil {
			t.Fatal(err)
		}
		good, size := spki(t, key.Public()), c.curve.Params().BitSize/8
		name := c.curve.Params().Name
		point := len(good) - 1 - 2*size
		edit := func(change func(der []byte)) []byte {
			der := slices.Clone(good)
			change(der)
			return der
		}
		add(name, c.alg, good, 2*size, 2*size-1, 2*size+1)
		add(name+", algorithm of another", -8, good, 2*size)
		add(name+", off the curve", c.alg, edit(func(der []byte) { der[len(der)-1] ^= 1 }), 2*size)
		add(name+", hybrid", c.alg, edit(func(der []byte) { der[point] = 6 | der[len(der)-1]&1 }), 2*size)
		add(name+", tag of a compressed point", c.alg, edit(func(der []byte) { der[point] = 2 }), 2*size)
		add(name+", x beyond the prime", c.alg, edit(func(der []byte) {
			for i := range size {
				der[point+1+i] = 0xff
			}
		}), 2*size)
		add(name+", x and the prime", c.alg, edit(func(der []byte) {
			x, y := smallX(c.curve.Params())
			x.Add(x, c.curve.Params().P).FillBytes(der[point+1 : point+1+size])
			y.FillBytes(der[point+1+size:])
		}), 2*size)
		add(name+", negative y", c.alg, edit(func(der []byte) {
			y := new(big.Int).SetBytes(der[point+1+size:])
			y.Sub(c.curve.Params().P, y).FillBytes(der[point+1+size:])
		}), 2*size)
		add(name+", trailing byte", c.alg, append(slices.Clone(good), 0), 2*size)
		add(name+", cut off", c.alg, good[:len(good)-1], 2*size)
	}

	for _, hexKey := range []string{
		"0000000000000000000000000000000000000000000000000000000000000000",
		"0100000000000000000000000000000000000000000000000000000000000000",
		"0100000000000000000000000000000000000000000000000000000000000080",
		"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"f1ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
		"ebffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
		"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
		"0300000000000000000000000000000000000000000000000000000000000000",
	} {
		key, err := hex.DecodeString(hexKey)
		if err != nil {
			t.Fatal(err)
		}
		add("Ed25519 "+hexKey, -8, append([]byte{0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00}, key...), 64, 63)
	}

	for _, bits := range []uint{1024, 2047, 2048, 2049, 3072, 8192, 8193} {
		n := new(big.Int).Lsh(big.NewInt(1), bits-1)
		n.Add(n, big.NewInt(1)) // odd
		size := int(bits+7) / 8
		for _, e := range []int64{0, 1, 2, 3, 65536, 65537, 1<<31 - 1, 1<<31 + 1, 1<<62 + 1} {
			key, err := asn1.Marshal(struct {
				N *big.Int
				E int64
			}{n, e})
			if err != nil {
				t.Fatal(err)
			}
			good := rsaKey(t, key, 0)
			name := fmt.Sprintf("RSA of %d bits, e %d", bits, e)
			add(name, -37, good, min(size, 1024), min(size-1, 1023))
			if bits != 2048 || e != 3 {
				continue
			}
			add(name+", unused bits", -37, rsaKey(t, key, 1), size)
			add(name+", something after the key", -37, rsaKey(t, append(slices.Clone(key), 0), 0), size)
			add(name+", long length", -37, append([]byte{0x30, 0x83, 0, good[2], good[3]}, good[4:]...), size)
			add(name+", trailing byte", -37, append(slices.Clone(good), 0), size)
			add(name+", cut off", -37, good[:len(good)-1], size)
			even := slices.Clone(good)
			even[len(even)-4] &^= 1 // the end of the modulus: the exponent takes 3 bytes
			add(name+", even modulus", -37, even, size)
			zero := bytes.Replace(key, []byte{0x02, 0x82, 0x01, 0x01, 0x00}, []byte{0x02, 0x82, 0x01, 0x02, 0x00, 0x00}, 1)
			zero[3]++
			add(name+", longer integer", -37, rsaKey(t, zero, 0), size)
			bare := bytes.Replace(good, []byte{0x30, 0x0d, 0x06}, []byte{0x30, 0x0b, 0x06}, 1)
			add(name+", parameters left out", -37, bytes.Replace(bare, []byte{0x05, 0x00, 0x03}, []byte{0x03}, 1), size)
		}
	}

	codes := compared(t, testChain, messages)
	if codes[ledger.CodeUnsupportedKey] < 50 || codes[ledger.CodeBadSignature] < 50 || codes[""] > 0 {
		t.Errorf("the keys show little: %v", codes)
	}
}

// smallX returns a point of a curve whose x is so small that the prime can be added to it.
func smallX(c *elliptic.CurveParams) (x, y *big.Int) {
	for x = big.NewInt(0); ; x.Add(x, big.NewInt(1)) {
		square := new(big.Int).Exp(x, big.NewInt(3), c.P)
		square.Sub(square, new(big.Int).Mul(x, big.NewInt(3))).Add(square, c.B).Mod(square, c.P)
		if y = new(big.Int).ModSqrt(square, c.P); y != nil {
			return x, y
		}
	}
}

// rsaKey puts an RSAPublicKey into a SubjectPublicKeyInfo.
func rsaKey(t *testing.T, key []byte, unused int) []byte {
	t.Helper()
	oid := asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 1}
	der, err := asn1.Marshal(struct {
		Algorithm struct {
			OID        asn1.ObjectIdentifier
			Parameters asn1.RawValue
		}
		Key asn1.BitString
	}{
		struct {
			OID        asn1.ObjectIdentifier
			Parameters asn1.RawValue
		}{oid, asn1.NullRawValue},
		asn1.BitString{Bytes: key, BitLength: 8*len(key) - unused},
	})
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// TestEdges compares at both sides of limits that no vector is near.
func TestEdges(t *testing.T) {
	der := spki(t, signer.Public())
	body := map[int]any{1: make([]byte, 32), 2: 0}
	owned := func(size int) any { return map[int]any{1: body[1], 2: 0, 3: bytes.Repeat([]byte{1}, size)} }
	nested := func(n int) any {
		var v any = 0
		for range n {
			v = []any{v}
		}
		return v
	}
	good := message(t, -8, der, "amend-study", body, nil)
	messages := map[string][]byte{
		"good":                   good,
		"65537 bytes":            append(slices.Clone(good), make([]byte, ledger.MaxTxBytes+1-len(good))...),
		"65536 bytes":            append(slices.Clone(good), make([]byte, ledger.MaxTxBytes-len(good))...),
		"no signature":           message(t, -8, der, "amend-study", body, []byte{}),
		"signature of 1025":      message(t, -8, der, "amend-study", body, make([]byte, 1025)),
		"nested 4 of no kind":    message(t, -8, der, "none", nested(4), nil),
		"nested 5 of no kind":    message(t, -8, der, "none", nested(5), nil),
		"nested 6 of no kind":    message(t, -8, der, "none", nested(6), nil),
		"nested 7 of no kind":    message(t, -8, der, "none", nested(7), nil),
		"256 of no kind":         message(t, -8, der, "none", make([]int, 256), nil),
		"257 of no kind":         message(t, -8, der, "none", make([]int, 257), nil),
		"name of an inheritance": message(t, -8, der, "toString", body, nil),
		"name of a prototype":    message(t, -8, der, "__proto__", body, nil),
		"epoch of 2^64-1":        message(t, -8, der, "amend-study", map[int]any{1: body[1], 2: uint64(1<<64 - 1)}, nil),
		"owner of 31 bytes":      message(t, -8, der, "transfer-study", owned(31), nil),
		"owner of 33 bytes":      message(t, -8, der, "transfer-study", owned(33), nil),
		"kind with a BOM":        message(t, -8, der, "\ufeffamend-study", body, nil),
		"reserved length":        append([]byte{0xd2, 0x9c}, good[2:]...),
	}
	if codes := compared(t, testChain, messages); codes[""] != 2 {
		t.Errorf("%d messages are accepted, want 2: %v", codes[""], codes)
	}
	for _, chainID := range []string{"", "a b", "ä", "a\n", strings.Repeat("c", 51)} {
		if codes := compared(t, chainID, map[string][]byte{"chain " + chainID: good}); codes[ledger.CodeOutOfBounds] != 1 {
			t.Errorf("chain id %q: %v", chainID, codes)
		}
	}
}
