package keys_test

import (
	"bytes"
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"math/big"
	"regexp"
	"strings"
	"testing"

	"collimate/keys"
)

func TestSupported(t *testing.T) {
	curve := func(c elliptic.Curve) crypto.PublicKey {
		k, err := ecdsa.GenerateKey(c, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		return k.Public()
	}
	modulus := func(bits int) *rsa.PublicKey {
		n := new(big.Int).Lsh(big.NewInt(1), uint(bits-1))
		return &rsa.PublicKey{N: n.SetBit(n, 0, 1), E: 65537}
	}
	exponent := func(e int) *rsa.PublicKey { return &rsa.PublicKey{N: modulus(2048).N, E: e} }
	ed, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	x25519, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	offCurve := curve(elliptic.P256()).(*ecdsa.PublicKey)
	//lint:ignore SA1019 A key that was not parsed can have any coordinates.
	offCurve.X = big.NewInt(1)
	cases := []struct {
		name string
		pub  crypto.PublicKey
		want bool
	}{
		{"P-224", curve(elliptic.P224()), false},
		{"P-256", curve(elliptic.P256()), true},
		{"P-384", curve(elliptic.P384()), true},
		{"P-521", curve(elliptic.P521()), false},
		{"off the curve", offCurve, false},
		{"RSA-2047", modulus(2047), false},
		{"RSA-2048", modulus(2048), true},
		{"RSA-8192", modulus(8192), true},
		{"RSA-8193", modulus(8193), false},
		{"RSA, an even modulus", &rsa.PublicKey{N: new(big.Int).Lsh(big.NewInt(1), 2047), E: 65537}, false},
		{"RSA, no modulus", &rsa.PublicKey{E: 65537}, false},
		{"RSA, exponent 1", exponent(1), false},
		{"RSA, exponent 3", exponent(3), true},
		{"RSA, exponent 4", exponent(4), false},
		{"RSA, exponent 2^31 - 1", exponent(1<<31 - 1), true},
		{"RSA, exponent 2^31 + 1", exponent(1<<31 + 1), false},
		{"Ed25519", ed, true},
		{"Ed25519, short", ed[:31], false},
		{"X25519", x25519.PublicKey(), false},
		{"nil", nil, false},
	}
	for _, c := range cases {
		if err := keys.Supported(c.pub); (err == nil) != c.want {
			t.Errorf("%s: got %v, want supported=%v", c.name, err, c.want)
		}
		if _, err := keys.IDOf(c.pub); err != nil && c.want {
			t.Errorf("%s: IDOf: %v", c.name, err)
		} else if err == nil && !c.want {
			t.Errorf("%s: IDOf names it", c.name)
		}
	}
}

// TestAlgorithm: each kind of key has one.
func TestAlgorithm(t *testing.T) {
	p256, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ed, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	odd := new(big.Int).Lsh(big.NewInt(1), 2047)
	for want, pub := range map[int64]crypto.PublicKey{
		-7: p256.Public(), -35: p384.Public(), -37: &rsa.PublicKey{N: odd.SetBit(odd, 0, 1), E: 3}, -8: ed,
	} {
		if got, err := keys.Algorithm(pub); got != want || err != nil {
			t.Errorf("%T: got %d, %v, want %d", pub, got, err, want)
		}
	}
	if _, err := keys.Algorithm(nil); err == nil {
		t.Error("there is an algorithm for no key")
	}
}

// TestParseSPKI: a key is read in the one encoding of it that has its KeyID.
func TestParseSPKI(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	if pub, err := keys.ParseSPKI(der); err != nil || !key.PublicKey.Equal(pub) {
		t.Errorf("got %v, %v", pub, err)
	}
	odd := new(big.Int).Lsh(big.NewInt(1), 2047)
	weak, err := x509.MarshalPKIXPublicKey(&rsa.PublicKey{N: odd.SetBit(odd, 0, 1), E: 4})
	if err != nil {
		t.Fatal(err)
	}
	// A bit string whose last bit does not count, which Go reads as the bits before it: an Ed25519 key shifted by one.
	var ed ed25519.PublicKey
	for ed == nil || ed[0] >= 0x80 {
		if ed, _, err = ed25519.GenerateKey(rand.Reader); err != nil {
			t.Fatal(err)
		}
	}
	shifted, err := x509.MarshalPKIXPublicKey(ed)
	if err != nil {
		t.Fatal(err)
	}
	new(big.Int).Lsh(new(big.Int).SetBytes(ed), 1).FillBytes(shifted[12:])
	shifted[11] = 1
	if pub, err := x509.ParsePKIXPublicKey(shifted); err != nil || !ed.Equal(pub) {
		t.Fatalf("Go reads %x as %v, %v: the test has lost its way", shifted, pub, err)
	}
	for name, b := range map[string][]byte{
		"nothing": nil, "a trailing byte": append(bytes.Clone(der), 0), "cut off": der[:len(der)-1], "an even exponent": weak, "a bit less": shifted,
	} {
		if pub, err := keys.ParseSPKI(b); err == nil {
			t.Errorf("%s: got %v", name, pub)
		}
	}
}

// TestOneID: a key has one KeyID, whichever way one comes to it.
func TestOneID(t *testing.T) {
	pub, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(pub)
	if err != nil {
		t.Fatal(err)
	}
	id, err := keys.IDOf(pub)
	if err != nil {
		t.Fatal(err)
	}
	if got := keys.IDOfSPKI(der); got != id {
		t.Errorf("IDOfSPKI: got %s, want %s", got, id)
	}
	c := &x509.Certificate{PublicKey: pub, RawSubjectPublicKeyInfo: der}
	if got, err := keys.IDOfCertificate(c); got != id || err != nil {
		t.Errorf("IDOfCertificate: got %s, %v, want %s", got, err, id)
	}
	if _, err := keys.IDOfCertificate(&x509.Certificate{RawSubjectPublicKeyInfo: der}); err == nil {
		t.Error("IDOfCertificate names a key that it cannot read")
	}
}

func TestText(t *testing.T) {
	id := keys.IDOfSPKI([]byte("key"))
	owner := keys.Owner{ID: id}
	b, err := json.Marshal(owner)
	if err != nil || string(b) != `"`+id.String()+`"` {
		t.Fatalf("got %s, %v", b, err)
	}
	var again keys.Owner
	if err := json.Unmarshal(b, &again); err != nil || again != owner {
		t.Errorf("got %v, %v, want %v", again, err, owner)
	}
	s := id.String()
	for _, bad := range []string{"", s[1:], s + "0", strings.ToUpper(s), "x" + s[1:], " " + s[1:]} {
		if got, err := keys.ParseID(bad); err == nil || !got.IsZero() {
			t.Errorf("ParseID(%q): got %v, %v", bad, got, err)
		}
		if again.UnmarshalText([]byte(bad)) == nil || again != owner {
			t.Errorf("UnmarshalText(%q): accepted, or changed the key", bad)
		}
	}
	raw, err := owner.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	var fromRaw keys.Owner
	if err := fromRaw.UnmarshalBinary(raw); err != nil || fromRaw != owner {
		t.Errorf("got %v, %v, want %v", fromRaw, err, owner)
	}
	for _, n := range []int{0, 31, 33} {
		if fromRaw.UnmarshalBinary(make([]byte, n)) == nil {
			t.Errorf("UnmarshalBinary of %d bytes: accepted", n)
		}
	}
}

func TestAlias(t *testing.T) {
	fill := func(b byte) (name [32]byte) {
		for i := range name {
			name[i] = b
		}
		return name
	}
	// The decimals are those of the UUIDs 00000000-0000-8000-8000-000000000000 and ffffffff-ffff-8fff-bfff-ffffffffffff.
	for b, want := range map[byte]string{
		0x00: "2.25.604472133179351442128896",
		0xff: "2.25.340282366920937934553716840013076889599",
	} {
		if got := keys.OIDAlias(fill(b)); got != want || !keys.IsAlias(got) || len(got) > 44 {
			t.Errorf("alias of %#x...: got %s, want %s", b, got, want)
		}
	}
	last := fill(0)
	last[16] = 1
	if keys.OIDAlias(last) != keys.OIDAlias(fill(0)) {
		t.Error("the alias depends on more than the first 16 bytes")
	}
	for _, no := range []string{
		"", "2.25.", "2.25.1", "1.2.840.10008", "2.25.0604472133179351442128896", "2.25.-604472133179351442128896",
		"2.25.+604472133179351442128896", "2.25.604472133179351442128896.1", "2.25.6e23",
		"2.25.329800735698586629295641978511506172918",  // a UUIDv4
		"2.25.340282366920938463463374607431768211455",  // all bits set
		"2.25.3402823669209384634633746074317682114550", // 40 digits
	} {
		if keys.IsAlias(no) {
			t.Errorf("%q is taken for an alias", no)
		}
	}
}

func FuzzIsAlias(f *testing.F) {
	f.Add("2.25.604472133179351442128896", []byte("name"))
	form := regexp.MustCompile(`^2\.25\.[1-9][0-9]{0,38}$`)
	f.Fuzz(func(t *testing.T, oid string, b []byte) {
		if keys.IsAlias(oid) && !form.MatchString(oid) {
			t.Errorf("%q is taken for an alias", oid)
		}
		if alias := keys.OIDAlias(keys.IDOfSPKI(b)); !keys.IsAlias(alias) {
			t.Errorf("%q is not taken for an alias", alias)
		}
	})
}
