package ledger_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"maps"
	"math/big"
	"testing"

	"github.com/fxamacker/cbor/v2"

	"collimate/detcbor"
	"collimate/keys"
	"collimate/ledger"
)

// allow is a small body for tests that are about the envelope.
func allow() ledger.AllowAccess {
	return ledger.AllowAccess{Study: studyOf("s1"), Commitment: named("c"), NotAfter: testTime.Unix() + 10, Scope: ledger.ScopeAll}
}

// kindsOfKeys makes one key of each kind that the ledger accepts.
func kindsOfKeys(t testing.TB) map[string]crypto.Signer {
	t.Helper()
	p256, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return map[string]crypto.Signer{"P-256": p256, "P-384": p384, "RSA-2048": rsaKey, "Ed25519": keyOf("p1")}
}

func TestSignParse(t *testing.T) {
	for name, key := range kindsOfKeys(t) {
		t.Run(name, func(t *testing.T) {
			want, err := keys.IDOf(key.Public())
			if err != nil {
				t.Fatal(err)
			}
			for range 16 { // half of all ECDSA signatures need normalising
				raw, err := ledger.Sign(rand.Reader, testChain, allow(), key)
				if err != nil {
					t.Fatalf("Sign: %v", err)
				}
				tx, err := ledger.Parse(testChain, raw)
				if err != nil {
					t.Fatalf("Parse: %v", err)
				}
				if tx.Signer != want || tx.Body != allow() || tx.ID != sha256.Sum256(raw) || !bytes.Equal(tx.Raw, raw) {
					t.Errorf("got %+v", tx)
				}
				if _, err := ledger.Parse("another-chain", raw); ledger.CodeOf(err) != ledger.CodeBadSignature {
					t.Errorf("on another chain: got %v, want %s", err, ledger.CodeBadSignature)
				}
			}
		})
	}
}

// TestOnlyTheSignerChangesTheBytes flips a bit in every byte of a transaction of each kind of key, and cuts it at
// every length: none may remain valid.
func TestOnlyTheSignerChangesTheBytes(t *testing.T) {
	for name, key := range kindsOfKeys(t) {
		t.Run(name, func(t *testing.T) {
			raw, err := ledger.Sign(rand.Reader, testChain, allow(), key)
			if err != nil {
				t.Fatal(err)
			}
			for i := range raw {
				changed := bytes.Clone(raw)
				changed[i] ^= 1 << (i % 8)
				var syntax *ledger.SyntaxError
				if _, err := ledger.Parse(testChain, changed); !errors.As(err, &syntax) {
					t.Fatalf("bit %d of byte %d flipped: got %v, want a SyntaxError", i%8, i, err)
				}
			}
			for n := range raw {
				if _, err := ledger.Parse(testChain, raw[:n]); err == nil {
					t.Fatalf("cut to %d of %d bytes: accepted", n, len(raw))
				}
			}
		})
	}
}

// message is the outer form of a transaction, to take one apart and put it together otherwise.
type message struct {
	_           struct{} `cbor:",toarray"`
	Protected   []byte
	Unprotected cbor.RawMessage
	Payload     []byte
	Signature   []byte
}

func open(t testing.TB, raw []byte) message {
	t.Helper()
	var m message
	if err := cbor.Unmarshal(raw[1:], &m); err != nil {
		t.Fatal(err)
	}
	return m
}

func (m message) bytes(t testing.TB) []byte {
	t.Helper()
	b, err := cbor.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return append([]byte{0xd2}, b...)
}

// resign signs a message with an Ed25519 key, after its parts were changed: so a refusal is for the change, and
// not for a signature that no longer holds.
func (m message) resign(t testing.TB, key ed25519.PrivateKey) []byte {
	t.Helper()
	m.Signature = ed25519.Sign(key, m.signed(t))
	return m.bytes(t)
}

// signed returns what a signature is over.
func (m message) signed(t testing.TB) []byte {
	t.Helper()
	aad := "collimate/tx/v1\x00" + testChain
	b, err := cbor.Marshal([]any{"Signature1", m.Protected, []byte(aad), m.Payload})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// coreHeader encodes a protected header.
func coreHeader(t testing.TB, h map[any]any) []byte {
	t.Helper()
	b, err := detcbor.New(detcbor.Limits{Depth: 4, Elements: 16, Pairs: 16, NilIsNull: true}).Encode(h)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// scalarKey returns the ECDSA key with a fixed private scalar.
func scalarKey(t testing.TB, curve elliptic.Curve) *ecdsa.PrivateKey {
	t.Helper()
	scalar := named("scalar")
	size := (curve.Params().BitSize + 7) / 8
	key, err := ecdsa.ParseRawPrivateKey(curve, append(make([]byte, size-len(scalar)), scalar[:]...))
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// twin returns a transaction with the other of the two ECDSA signatures that anybody can turn into each other.
func twin(t testing.TB) []byte {
	t.Helper()
	key := scalarKey(t, elliptic.P256())
	raw, err := ledger.Sign(nil, testChain, allow(), key)
	if err != nil {
		t.Fatal(err)
	}
	m := open(t, raw)
	otherS(key.Params().N, m.Signature)
	return m.bytes(t)
}

// TestSignatureForm: other writings of a signature that holds do not hold.
func TestSignatureForm(t *testing.T) {
	for name, key := range kindsOfKeys(t) {
		raw, err := ledger.Sign(rand.Reader, testChain, allow(), key)
		if err != nil {
			t.Fatal(err)
		}
		good := open(t, raw).Signature
		forms := map[string][]byte{
			"a zero before": append([]byte{0}, good...),
			"a zero after":  append(bytes.Clone(good), 0),
			"one byte less": good[1:],
		}
		switch k := key.(type) {
		case *ecdsa.PrivateKey:
			r, s := new(big.Int).SetBytes(good[:len(good)/2]), new(big.Int).SetBytes(good[len(good)/2:])
			if forms["as in X.509"], err = asn1.Marshal(struct{ R, S *big.Int }{r, s}); err != nil {
				t.Fatal(err)
			}
		case *rsa.PrivateKey:
			s := new(big.Int).SetBytes(good)
			if s.Add(s, k.N); s.BitLen() <= 8*len(good) {
				forms["the modulus added"] = s.Bytes()
			}
		case ed25519.PrivateKey:
			forms["the order added"] = addOrder(good)
		}
		for form, signature := range forms {
			m := open(t, raw)
			m.Signature = signature
			if _, err := ledger.Parse(testChain, m.bytes(t)); ledger.CodeOf(err) != ledger.CodeBadSignature {
				t.Errorf("%s, %s: got %v, want %s", name, form, err, ledger.CodeBadSignature)
			}
		}
	}
}

// bad is a message that Parse must refuse, and how.
type bad struct {
	raw  []byte
	want ledger.ErrorCode
}

// TestStrictDecoding: see badPayloads and badEnvelopes.
func TestStrictDecoding(t *testing.T) {
	for name, c := range badMessages(t) {
		t.Run(name, func(t *testing.T) {
			var syntax *ledger.SyntaxError
			_, err := ledger.Parse(testChain, c.raw)
			if got := ledger.CodeOf(err); got != c.want || !errors.As(err, &syntax) {
				t.Errorf("got %v, want %s", err, c.want)
			}
		})
	}
}

func badMessages(t testing.TB) map[string]bad {
	all := badPayloads(t)
	maps.Copy(all, badEnvelopes(t))
	good := open(t, sign(t, allow()))
	forms := badForms(t)
	maps.Copy(forms, ownerBadForms())
	for name, form := range forms {
		m := good
		m.Payload = ledger.Payload(form.body)
		all[name] = bad{m.resign(t, keyOf("p1")), form.want}
	}
	return all
}

// badPayloads makes, with a valid signature each time, every encoding that a tolerant decoder would take for the
// same transaction, or for none.
func badPayloads(t testing.TB) map[string]bad {
	raw, err := ledger.Sign(nil, testChain, allow(), keyOf("p1"))
	if err != nil {
		t.Fatal(err)
	}
	good := open(t, raw)
	if again := good.resign(t, keyOf("p1")); !bytes.Equal(again, raw) {
		t.Fatal("the test does not sign as the ledger does")
	}
	study, c := studyOf("s1"), named("c")
	// In the payload the body's six fields follow its head a6.
	head := append([]byte{0x82, 0x6c}, "allow-access"...)
	f1 := append([]byte{0x01, 0x58, 0x20}, study[:]...)
	f2 := []byte{0x02, 0x00}
	f3 := append([]byte{0x03, 0x58, 0x20}, c[:]...)
	f4 := good.Payload[len(good.Payload)-10 : len(good.Payload)-4]
	f5 := []byte{0x05, 0x07}
	f6 := []byte{0x06, 0x00}
	join := func(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
	if !bytes.Equal(join(head, []byte{0xa6}, f1, f2, f3, f4, f5, f6), good.Payload) {
		t.Fatal("the test does not encode as the ledger does")
	}
	payloads := map[string]struct {
		payload []byte
		want    ledger.ErrorCode
	}{
		"unsorted keys":      {join(head, []byte{0xa6}, f2, f1, f3, f4, f5, f6), ledger.CodeNotCanonical},
		"duplicate key":      {join(head, []byte{0xa7}, f1, f2, f2, f3, f4, f5, f6), ledger.CodeMalformed},
		"unknown field":      {join(head, []byte{0xa7}, f1, f2, f3, f4, f5, f6, []byte{0x07, 0x00}), ledger.CodeMalformed},
		"unknown text field": {join(head, []byte{0xa7}, f1, f2, f3, f4, f5, f6, []byte{0x61, 'x', 0x00}), ledger.CodeMalformed},
		"missing field":      {join(head, []byte{0xa5}, f1, f3, f4, f5, f6), ledger.CodeNotCanonical},
		"long integer":       {join(head, []byte{0xa6}, f1, []byte{0x02, 0x18, 0x00}, f3, f4, f5, f6), ledger.CodeNotCanonical},
		"long length":        {join(head, []byte{0xa6}, []byte{0x01, 0x59, 0x00, 0x20}, study[:], f2, f3, f4, f5, f6), ledger.CodeNotCanonical},
		"long key":           {join(head, []byte{0xa6}, f1, []byte{0x18, 0x02, 0x00}, f3, f4, f5, f6), ledger.CodeNotCanonical},
		"indefinite map":     {join(head, []byte{0xbf}, f1, f2, f3, f4, f5, f6, []byte{0xff}), ledger.CodeMalformed},
		"indefinite list":    {join([]byte{0x9f}, head[1:], []byte{0xa6}, f1, f2, f3, f4, f5, f6, []byte{0xff}), ledger.CodeMalformed},
		"indefinite string":  {join(head, []byte{0xa6, 0x01, 0x5f, 0x58, 0x20}, study[:], []byte{0xff}, f2, f3, f4, f5, f6), ledger.CodeMalformed},
		"trailing byte":      {join(good.Payload, []byte{0x00}), ledger.CodeMalformed},
		"short commitment":   {join(head, []byte{0xa6}, f1, f2, []byte{0x03, 0x58, 0x1f}, c[:31], f4, f5, f6), ledger.CodeNotCanonical},
		"long commitment":    {join(head, []byte{0xa6}, f1, f2, []byte{0x03, 0x58, 0x21}, c[:], []byte{0}, f4, f5, f6), ledger.CodeNotCanonical},
		"null commitment":    {join(head, []byte{0xa6}, f1, f2, []byte{0x03, 0xf6}, f4, f5, f6), ledger.CodeNotCanonical},
		"text commitment":    {join(head, []byte{0xa6}, f1, f2, []byte{0x03, 0x78, 0x20}, bytes.Repeat([]byte{'a'}, 32), f4, f5, f6), ledger.CodeMalformed},
		"listed commitment":  {join(head, []byte{0xa6}, f1, f2, []byte{0x03, 0x98, 0x20}, make([]byte, 32), f4, f5, f6), ledger.CodeNotCanonical},
		"float epoch":        {join(head, []byte{0xa6}, f1, []byte{0x02, 0xf9, 0x00, 0x00}, f3, f4, f5, f6), ledger.CodeMalformed},
		"negative epoch":     {join(head, []byte{0xa6}, f1, []byte{0x02, 0x20}, f3, f4, f5, f6), ledger.CodeMalformed},
		"tagged epoch":       {join(head, []byte{0xa6}, f1, []byte{0x02, 0xc1, 0x00}, f3, f4, f5, f6), ledger.CodeMalformed},
		"huge end":           {join(head, []byte{0xa6}, f1, f2, f3, []byte{0x04, 0x1b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, f5, f6), ledger.CodeMalformed},
		"negative end":       {join(head, []byte{0xa6}, f1, f2, f3, []byte{0x04, 0x20}, f5, f6), ledger.CodeOutOfBounds},
		"unknown kind":       {join([]byte{0x82, 0x6c}, []byte("allow-excess"), []byte{0xa6}, f1, f2, f3, f4, f5, f6), ledger.CodeUnknownKind},
		"another kind":       {join([]byte{0x82, 0x6d}, []byte("revoke-access"), []byte{0xa6}, f1, f2, f3, f4, f5, f6), ledger.CodeMalformed},
		"null body":          {join(head, []byte{0xf6}), ledger.CodeNotCanonical},
		"list as body":       {join(head, []byte{0x80}), ledger.CodeMalformed},
		"three parts":        {join([]byte{0x83}, head[1:], []byte{0xa6}, f1, f2, f3, f4, f5, f6, []byte{0x00}), ledger.CodeMalformed},
		"deep nesting":       {join(head, bytes.Repeat([]byte{0x81}, 1000), []byte{0x00}), ledger.CodeMalformed},
		"announced 4 GiB":    {join(head, []byte{0x5b, 0, 0, 0, 1, 0, 0, 0, 0}), ledger.CodeMalformed},
		"announced list":     {join(head, []byte{0x9b, 0, 0, 0, 1, 0, 0, 0, 0}), ledger.CodeMalformed},
		"bad UTF-8 kind":     {join([]byte{0x82, 0x61, 0xff, 0xa0}), ledger.CodeMalformed},
	}
	all := map[string]bad{}
	for name, c := range payloads {
		m := good
		m.Payload = c.payload
		all[name] = bad{m.resign(t, keyOf("p1")), c.want}
	}
	return all
}

// badEnvelopes is badPayloads for what surrounds the payload.
func badEnvelopes(t testing.TB) map[string]bad {
	raw, err := ledger.Sign(nil, testChain, allow(), keyOf("p1"))
	if err != nil {
		t.Fatal(err)
	}
	good := open(t, raw)
	spki, err := x509.MarshalPKIXPublicKey(keyOf("p1").Public())
	if err != nil {
		t.Fatal(err)
	}
	header := func(h map[any]any) []byte { return coreHeader(t, h) }
	protected := func(p []byte) []byte {
		m := good
		m.Protected = p
		return m.resign(t, keyOf("p1"))
	}
	p224, err := ecdsa.ParseRawPrivateKey(elliptic.P224(), append(make([]byte, 27), 7))
	if err != nil {
		t.Fatal(err)
	}
	weak, err := x509.MarshalPKIXPublicKey(p224.Public())
	if err != nil {
		t.Fatal(err)
	}
	weakKeys := map[string]bad{}
	for name, spki := range weakEd25519() {
		weakKeys["signer's key of "+name] = bad{protected(header(map[any]any{1: -8, -65537: spki})), ledger.CodeUnsupportedKey}
	}
	for name, spki := range oddKeys() {
		alg := -8
		switch name[:3] {
		case "RSA":
			alg = -37
		case "P-2":
			alg = -7
		}
		weakKeys["signer's key: "+name] = bad{protected(header(map[any]any{1: alg, -65537: spki})), ledger.CodeUnsupportedKey}
	}
	unprotected := good
	unprotected.Unprotected = header(map[any]any{4: []byte("kid")})
	detached := bytes.Replace(raw, append([]byte{0x58, byte(len(good.Payload))}, good.Payload...), []byte{0xf6}, 1)
	all := map[string]bad{
		"nothing":              {nil, ledger.CodeMalformed},
		"no tag":               {raw[1:], ledger.CodeMalformed},
		"another tag":          {append([]byte{0xd1}, raw[1:]...), ledger.CodeMalformed},
		"long tag":             {append([]byte{0xd8, 0x12}, raw[1:]...), ledger.CodeMalformed},
		"two tags":             {append([]byte{0xd2}, raw...), ledger.CodeMalformed},
		"trailing byte":        {append(bytes.Clone(raw), 0), ledger.CodeMalformed},
		"unprotected header":   {unprotected.bytes(t), ledger.CodeMalformed},
		"detached payload":     {detached, ledger.CodeNotCanonical},
		"without key":          {protected(header(map[any]any{1: -8})), ledger.CodeNotCanonical},
		"without algorithm":    {protected(header(map[any]any{-65537: spki})), ledger.CodeNotCanonical},
		"another algorithm":    {protected(header(map[any]any{1: -7, -65537: spki})), ledger.CodeUnsupportedKey},
		"further header":       {protected(header(map[any]any{1: -8, 4: []byte{1}, -65537: spki})), ledger.CodeMalformed},
		"empty header":         {protected([]byte{}), ledger.CodeMalformed},
		"key in other order":   {protected(append([]byte{0xa2, 0x3a, 0, 1, 0, 0, 0x58, byte(len(spki))}, append(bytes.Clone(spki), 0x01, 0x27)...)), ledger.CodeNotCanonical},
		"key that is none":     {protected(header(map[any]any{1: -8, -65537: []byte("key")})), ledger.CodeUnsupportedKey},
		"key of another curve": {protected(header(map[any]any{1: -7, -65537: weak})), ledger.CodeUnsupportedKey},
		"too large":            {append(bytes.Clone(raw), make([]byte, ledger.MaxTxBytes)...), ledger.CodeTooLarge},
		"another signer":       {good.resign(t, keyOf("p2")), ledger.CodeBadSignature},
		"high s":               {twin(t), ledger.CodeBadSignature},
		"key too long":         {protected(header(map[any]any{1: -8, -65537: make([]byte, 1101)})), ledger.CodeOutOfBounds},
	}
	maps.Copy(all, weakKeys)
	maps.Copy(all, oddSignatures(t))
	return all
}

// TestMadeByHand: what Parse has not verified, no state accepts.
func TestMadeByHand(t *testing.T) {
	w := newWorld(t, "north")
	tx := &ledger.Transaction{Signer: idOf("north"), Body: sourceBody("north")}
	if got := ledger.CodeOf(w.apply(t, tx)); got != ledger.CodeOtherChain {
		t.Errorf("got %q, want %s", got, ledger.CodeOtherChain)
	}
}
