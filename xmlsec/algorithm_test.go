package xmlsec

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"encoding/asn1"
	"encoding/base64"
	"errors"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func base64Of(b []byte) string { return base64.StdEncoding.EncodeToString(b) }

// TestSigning makes and verifies every algorithm that can be chosen, and has xmlsec1 verify those that it knows.
func TestSigning(t *testing.T) {
	tool, _ := exec.LookPath("xmlsec1")
	for _, c := range []struct {
		kind, algorithm string
		xmlsec1         bool
	}{
		{"rsa", RSASHA256, true}, {"rsa", RSASHA384, true}, {"rsa", RSASHA512, true},
		{"rsa", PSSSHA256, false}, {"rsa", PSSSHA384, false}, {"rsa", PSSSHA512, false}, // since xmlsec 1.3
		{"p256", ECDSASHA256, true}, {"p256", ECDSASHA384, true}, {"p256", ECDSASHA512, true},
		{"p384", ECDSASHA256, true}, {"p384", ECDSASHA384, true}, {"p384", ECDSASHA512, true},
		{"ed25519", Ed25519, false},
	} {
		key := newKey(t, c.kind)
		for _, digest := range []string{SHA256, SHA384, SHA512} {
			t.Run(c.kind+" "+c.algorithm[strings.LastIndex(c.algorithm, "#")+1:]+" "+digest[strings.LastIndex(digest, "#")+1:], func(t *testing.T) {
				refs := referencesTo(t, "to", "action", "body")
				refs[0].InclusivePrefixes = []string{"s", "#default"}
				signature, err := Signing{Key: key, Random: rand.Reader, Algorithm: c.algorithm, Digest: digest}.Append(nil, refs)
				if err != nil {
					t.Fatal(err)
				}
				message := strings.Replace(envelope, "<!--signature-->", string(signature), 1)
				_, s, err := parseSigned(t, message)
				if err != nil {
					t.Fatal(err)
				}
				v, err := s.Verify(key.Public())
				if err != nil {
					t.Fatal(err)
				}
				if v.Algorithm() != c.algorithm || v.SHA1() || len(v.covered) != 3 {
					t.Errorf("got %+v", v)
				}
				if tool == "" || !c.xmlsec1 {
					return
				}
				file := filepath.Join(t.TempDir(), "message.xml")
				message = strings.Replace(message, "<ds:KeyInfo></ds:KeyInfo>", "<ds:KeyInfo/>", 1)
				if err := os.WriteFile(file, []byte(message), 0o600); err != nil {
					t.Fatal(err)
				}
				args := []string{"--verify", "--pubkey-pem", writePublicKey(t, key.Public())}
				for _, e := range []string{"http://www.w3.org/2005/08/addressing:To", "http://www.w3.org/2005/08/addressing:Action", "http://www.w3.org/2003/05/soap-envelope:Body"} {
					args = append(args, "--id-attr:Id", e)
				}
				if out, err := exec.Command(tool, append(args, file)...).CombinedOutput(); err != nil {
					t.Errorf("xmlsec1: %v\n%s", err, out)
				}
			})
		}
	}
	if tool == "" {
		t.Log("xmlsec1 is not installed, so only we have verified")
	}
}

func TestSigningChoosesFor(t *testing.T) {
	for _, c := range []struct{ kind, algorithm, digest string }{
		{"rsa", ECDSASHA256, ""}, {"rsa", RSASHA1, ""}, {"rsa", RSASHA256, SHA1}, {"p256", RSASHA256, ""}, {"p256", ECDSASHA1, ""},
		{"p256", PSSSHA256, ""}, {"ed25519", ECDSASHA256, ""}, {"rsa", "urn:other", ""}, {"rsa", "", "urn:other"}, {"p521", "", ""},
	} {
		signing := Signing{Key: newKey(t, c.kind), Random: rand.Reader, Algorithm: c.algorithm, Digest: c.digest}
		if _, err := signing.Append(nil, referencesTo(t, "body")); !errors.Is(err, ErrAlgorithm) {
			t.Errorf("%s key, %q, %q: got %v, want ErrAlgorithm", c.kind, c.algorithm, c.digest, err)
		}
	}
}

// TestPaddingsDoNotMix: a signature under one padding is nothing under the other, and a salt of another length is
// not taken.
func TestPaddingsDoNotMix(t *testing.T) {
	key := newKey(t, "rsa").(*rsa.PrivateKey)
	verify := func(algorithm, value string) error {
		info := signedInfo(algorithm, SHA256, referencesTo(t, "body"))
		message := strings.Replace(envelope, "<!--signature-->", `<ds:Signature xmlns:ds="`+NamespaceDSig+`">`+info+
			"<ds:SignatureValue>"+value+"</ds:SignatureValue><ds:KeyInfo/></ds:Signature>", 1)
		_, s, err := parseSigned(t, message)
		if err != nil {
			t.Fatal(err)
		}
		_, err = s.Verify(key.Public())
		return err
	}
	for _, algorithm := range []string{RSASHA256, PSSSHA256} {
		info := []byte(signedInfo(algorithm, SHA256, referencesTo(t, "body")))
		s, _ := signatureScheme(algorithm)
		digest := s.message(newWorkspace(), info)
		pkcs, err := rsa.SignPKCS1v15(rand.Reader, key, s.hash, digest)
		if err != nil {
			t.Fatal(err)
		}
		if got := verify(algorithm, base64Of(pkcs)) == nil; got != (algorithm == RSASHA256) {
			t.Errorf("PKCS #1 v1.5 as %s: accepted %v", algorithm, got)
		}
		for salt, ok := range map[int]bool{20: false, 31: false, 32: true, 33: false, 64: false} {
			pss, err := rsa.SignPSS(rand.Reader, key, s.hash, digest, &rsa.PSSOptions{SaltLength: salt})
			if err != nil {
				t.Fatal(err)
			}
			if got := verify(algorithm, base64Of(pss)) == nil; got != (ok && algorithm == PSSSHA256) {
				t.Errorf("PSS with a salt of %d as %s: accepted %v", salt, algorithm, got)
			}
		}
	}
}

// TestRSASizes: 2048 bits and up, within reason.
func TestRSASizes(t *testing.T) {
	s, _ := signatureScheme(RSASHA256)
	for bits, want := range map[int]error{1024: ErrAlgorithm, 2047: ErrAlgorithm, 2048: ErrSignature, 8192: ErrSignature, 8193: ErrAlgorithm} {
		modulus := new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), uint(bits)), big.NewInt(1))
		if got := modulus.BitLen(); got != bits {
			t.Fatal(got)
		}
		err := s.verify(&rsa.PublicKey{N: modulus, E: 65537}, make([]byte, 32), make([]byte, (bits+7)/8), false)
		if !errors.Is(err, want) {
			t.Errorf("%d bits: got %v, want %v", bits, err, want)
		}
	}
}

// TestSwitches: DER and SHA-1 are taken where they are allowed, and reported.
func TestSwitches(t *testing.T) {
	ec, rsaKey := newKey(t, "p256"), newKey(t, "rsa")
	message := signEnvelope(t, ec, "body")
	before, rest, _ := strings.Cut(message, "<ds:SignatureValue>")
	text, after, _ := strings.Cut(rest, "</ds:SignatureValue>")
	value, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	der, err := asn1.Marshal(struct{ R, S *big.Int }{new(big.Int).SetBytes(value[:32]), new(big.Int).SetBytes(value[32:])})
	if err != nil {
		t.Fatal(err)
	}
	spell := func(value []byte) string {
		return before + "<ds:SignatureValue>" + base64Of(value) + "</ds:SignatureValue>" + after
	}
	sha1By := func(algorithm, digest string) string {
		key := ec
		if algorithm == RSASHA1 || algorithm == RSASHA256 {
			key = rsaKey
		}
		return strings.Replace(envelope, "<!--signature-->", resign(t, key, algorithm, signedInfo(algorithm, digest, referencesTo(t, "body"))), 1)
	}
	for _, c := range []struct {
		name, message string
		allowed       Algorithms
		want          error
		sha1          bool
	}{
		{"r and s", message, Algorithms{DER: true}, nil, false},
		{"DER", spell(der), Algorithms{}, ErrSignature, false},
		{"DER, allowed", spell(der), Algorithms{DER: true}, nil, false},
		{"DER with more after it", spell(append(der, 0)), Algorithms{DER: true}, ErrSignature, false},
		{"DER with a longer length", spell(append([]byte{0x30, 0x81, der[1]}, der[2:]...)), Algorithms{DER: true}, ErrSignature, false},
		{"RSA with SHA-1", sha1By(RSASHA1, SHA256), Algorithms{}, ErrAlgorithm, false},
		{"RSA with SHA-1, allowed", sha1By(RSASHA1, SHA256), Algorithms{SHA1: true}, nil, true},
		{"ECDSA with SHA-1, allowed", sha1By(ECDSASHA1, SHA256), Algorithms{SHA1: true}, nil, true},
		{"digest by SHA-1", sha1By(RSASHA256, SHA1), Algorithms{}, ErrAlgorithm, false},
		{"digest by SHA-1, allowed", sha1By(RSASHA256, SHA1), Algorithms{SHA1: true}, nil, true},
		{"SHA-1 allowed and not used", sha1By(RSASHA256, SHA256), Algorithms{SHA1: true}, nil, false},
		{"listed, and SHA-1 not allowed", sha1By(RSASHA1, SHA256), Algorithms{Signatures: []string{RSASHA1}}, ErrAlgorithm, false},
		{"SHA-1 allowed, and not listed", sha1By(RSASHA1, SHA256), Algorithms{Signatures: []string{RSASHA256}, SHA1: true}, ErrAlgorithm, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := parse(t, c.message)
			var element Node
			for n := range d.Walk() {
				if n.Is(NamespaceDSig, "Signature") {
					element = n
				}
			}
			s, err := ParseSignature(element, c.allowed)
			var v Verified
			if err == nil {
				key := ec.Public()
				if s.scheme.family == familyRSA {
					key = rsaKey.Public()
				}
				v, err = s.Verify(key)
			}
			if !errors.Is(err, c.want) || v.SHA1() != c.sha1 {
				t.Errorf("got %v, SHA-1 %v; want %v, %v", err, v.SHA1(), c.want, c.sha1)
			}
		})
	}
}

// TestAppendDER compares with crypto/ecdsa's own reading, at every length of r and s.
func TestAppendDER(t *testing.T) {
	for _, size := range []int{32, 48} {
		for zeroes := range size {
			for _, high := range []byte{0x01, 0x7f, 0x80, 0xff} {
				r := make([]byte, size)
				r[zeroes] = high
				s := make([]byte, size)
				s[size-1] = high
				var got struct{ R, S *big.Int }
				der := appendDER([]byte("x"), r, s)[1:]
				if rest, err := asn1.Unmarshal(der, &got); err != nil || len(rest) > 0 {
					t.Fatalf("%x: %v", der, err)
				}
				if got.R.Cmp(new(big.Int).SetBytes(r)) != 0 || got.S.Cmp(new(big.Int).SetBytes(s)) != 0 {
					t.Errorf("%x and %x come back as %x and %x", r, s, got.R, got.S)
				}
			}
		}
	}
	if ecdsa.VerifyASN1(newKey(t, "p256").Public().(*ecdsa.PublicKey), make([]byte, 32), appendDER(nil, make([]byte, 32), make([]byte, 32))) {
		t.Error("zero is a signature")
	}
}

// TestVerifyAgain: workspaces are used again, for messages of any kind, without a trace of the one before.
func TestVerifyAgain(t *testing.T) {
	for _, kind := range []string{"rsa", "p256", "p384", "ed25519"} {
		key := newKey(t, kind)
		message := signEnvelope(t, key, "to", "action", "body")
		for i := range 20 {
			_, s, err := parseSigned(t, message)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := s.Verify(key.Public()); err != nil {
				t.Fatalf("%s, time %d: %v", kind, i, err)
			}
		}
	}
}
