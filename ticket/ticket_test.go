package ticket

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"collimate/gateway"
	"collimate/keys"
	"collimate/ledger"
)

// sample is a ticket as Source.Publish makes it.
func sample(t testing.TB, chain, study string) *gateway.Ticket {
	t.Helper()
	key, err := x509.MarshalPKCS8PrivateKey(ed25519.NewKeyFromSeed(bytes.Repeat([]byte{0xc1, 0x0e}, 16)))
	if err != nil {
		t.Fatal(err)
	}
	source := keys.Source{ID: keys.ID(bytes.Repeat([]byte{0x5e, 0xed, 1, 2}, 8))}
	salt := gateway.Secret(bytes.Repeat([]byte{0xa1, 3, 0xff, 0}, 8))
	id := ledger.NewStudyID(salt, study)
	return &gateway.Ticket{
		ChainID: chain, StudyID: id, Source: source, RepositoryUniqueID: source.Alias(), StudyInstanceUID: study, Salt: salt,
		Documents: map[ledger.DocumentKind]string{
			ledger.DocumentStudy:    ledger.DocumentUniqueID(id, ledger.DocumentStudy),
			ledger.DocumentManifest: ledger.DocumentUniqueID(id, ledger.DocumentManifest),
		},
		ClaimKey: key,
	}
}

// usual is a ticket of a usual length, largest one that could not be longer.
func usual(t testing.TB) *gateway.Ticket {
	return sample(t, "our-network", "1.2.840.113619.2.55.3.604688119.971.1447916432.467")
}

func largest(t testing.TB) *gateway.Ticket {
	return sample(t, strings.Repeat("n", ledger.MaxChainIDBytes), strings.Repeat("12345678.", 8)[:64])
}

func encode(t testing.TB, ticket *gateway.Ticket) string {
	t.Helper()
	text, err := Encode(ticket)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// What is encoded comes back whole, however it was copied.
func TestCode(t *testing.T) {
	for _, want := range []*gateway.Ticket{usual(t), largest(t), sample(t, "n", "1.2")} {
		text := encode(t, want)
		for _, copied := range []string{text, " " + strings.ToLower(text) + "\r\n", text[:40] + "\n  " + text[40:]} {
			got, err := Decode(copied)
			if err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("got %+v, %v; want %+v", got, err, want)
			}
		}
	}
}

// A slip anywhere is noticed: no other ticket comes of it.
func TestCodeDamaged(t *testing.T) {
	text := encode(t, usual(t))
	for i := range text {
		other := byte('A')
		if text[i] == other {
			other = 'B'
		}
		if _, err := Decode(text[:i] + string(other) + text[i+1:]); err == nil {
			t.Errorf("character %d changed: no error", i)
		}
		if _, err := Decode(text[:i] + text[i+1:]); err == nil {
			t.Errorf("character %d missing: no error", i)
		}
	}
	for _, bad := range []string{"", Prefix, Prefix + "A", "COLLIMATE:2:" + text[len(Prefix):], text + "A", text + text,
		strings.Repeat("A", maxCode+1)} {
		if got, err := Decode(bad); err == nil || got != nil {
			t.Errorf("%.40q: got %v", bad, got)
		}
	}
}

// Another encoding of the same is refused although its sum is right: one ticket is one code.
func TestCodeOtherEncodings(t *testing.T) {
	raw, err := format.Encode(&code{ChainID: "n", Study: "1.2"})
	if err != nil {
		t.Fatal(err)
	}
	for name, other := range map[string][]byte{
		"as it is":            raw,
		"a longer length":     append([]byte{0x98, 5}, raw[1:]...),
		"an indefinite array": append(append([]byte{0x9f}, raw[1:]...), 0xff),
		"more behind it":      append(slices.Clone(raw), 0),
		"a shorter source":    slices.Delete(slices.Replace(slices.Clone(raw), 3, 5, 0x58, 31), 5, 6),
	} {
		sum := sha256.Sum256(other)
		_, err := Decode(Prefix + encoding.EncodeToString(append(slices.Clone(other), sum[:sumSize]...)))
		if (err == nil) != (name == "as it is") {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// What no ticket holds is refused although its sum is right.
func TestCodeOtherForms(t *testing.T) {
	for name, change := range map[string]func(*code){
		"no network":      func(c *code) { c.ChainID = "" },
		"a long network":  func(c *code) { c.ChainID = strings.Repeat("n", ledger.MaxChainIDBytes+1) },
		"no study":        func(c *code) { c.Study = "" },
		"a path as study": func(c *code) { c.Study = "1.2/../3" },
	} {
		c := code{ChainID: "n", Study: "1.2"}
		if text, err := c.text(); err != nil {
			t.Fatal(err)
		} else if _, err := Decode(text); err != nil {
			t.Fatalf("unchanged: %v", err)
		}
		change(&c)
		text, err := c.text()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Decode(text); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestEncodeRefuses(t *testing.T) {
	claimed := usual(t)
	claimed.ClaimKey = nil
	if _, err := Encode(claimed); !errors.Is(err, gateway.ErrClaimed) {
		t.Errorf("a claimed ticket: got %v", err)
	}
	other := usual(t)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if other.ClaimKey, err = x509.MarshalPKCS8PrivateKey(key); err != nil {
		t.Fatal(err)
	}
	if _, err := Encode(other); err == nil || !strings.Contains(err.Error(), "Ed25519") {
		t.Errorf("another kind of key: got %v", err)
	}
}

func FuzzDecode(f *testing.F) {
	text := encode(f, usual(f))
	f.Add(text)
	f.Add(text[:100])
	f.Add(Prefix + "AAAAAAAA")
	f.Fuzz(func(t *testing.T, text string) {
		ticket, err := Decode(text)
		if err != nil {
			return
		}
		if again := encode(t, ticket); again != strings.ToUpper(strings.Join(strings.Fields(text), "")) {
			t.Errorf("%q decodes, and encodes as %q", text, again)
		}
	})
}

// Staff type the number as it stands on the page, or as they hear it.
func TestNumber(t *testing.T) {
	want := Number(usual(t).StudyID)
	for _, typed := range []string{want, strings.ToLower(want), " " + strings.ReplaceAll(want, " ", "") + "\n"} {
		if got, err := ParseNumber(typed); err != nil || got != want {
			t.Errorf("%q: got %q, %v; want %q", typed, got, err, want)
		}
	}
	for _, bad := range []string{"", want[1:], want + "0", strings.Replace(want, want[:1], "G", 1), "1.2.840.10008.1.2"} {
		if got, err := ParseNumber(bad); err == nil {
			t.Errorf("%q: got %q", bad, got)
		}
	}
}
