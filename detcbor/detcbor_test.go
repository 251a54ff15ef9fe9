package detcbor_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"collimate/detcbor"
)

type record struct {
	Number uint64   `cbor:"1,keyasint"`
	Name   [2]byte  `cbor:"2,keyasint"`
	List   []uint64 `cbor:"3,keyasint"`
	Bytes  []byte   `cbor:"4,keyasint"`
	Flag   bool     `cbor:"5,keyasint"`
	Text   string   `cbor:"6,keyasint"`
}

var format = detcbor.New(detcbor.Limits{Depth: 4, Elements: 16, Pairs: 16})

func TestOneEncoding(t *testing.T) {
	const good = "a6" + "0118ff" + "024261ff" + "03820102" + "044101" + "05f5" + "066161"
	for name, c := range map[string]struct {
		in    string
		want  bool
		exact bool // it is refused because it would encode otherwise
	}{
		"as it should be":       {good, true, false},
		"a long integer":        {strings.Replace(good, "0118ff", "011900ff", 1), false, true},
		"a long length":         {strings.Replace(good, "044101", "04580101", 1), false, true},
		"unsorted keys":         {strings.Replace(good, "05f5066161", "06616105f5", 1), false, true},
		"a field twice":         {strings.Replace("a7"+good[2:], "05f5", "05f505f5", 1), false, false},
		"a field missing":       {strings.Replace("a5"+good[2:], "05f5", "", 1), false, true},
		"an unknown field":      {"a7" + good[2:] + "0700", false, false},
		"a short array":         {strings.Replace(good, "4261ff", "4161", 1), false, true},
		"null for a list":       {strings.Replace(good, "03820102", "03f6", 1), false, true},
		"null for all":          {"f6", false, true},
		"an indefinite list":    {strings.Replace(good, "03820102", "039f0102ff", 1), false, false},
		"a tag":                 {"c0" + good, false, false},
		"text that is none":     {strings.Replace(good, "066161", "0661ff", 1), false, false},
		"a trailing byte":       {good + "00", false, false},
		"cut off":               {good[:len(good)-2], false, false},
		"nothing":               {"", false, false},
		"a list of 17 elements": {strings.Replace(good, "03820102", "0391"+strings.Repeat("00", 17), 1), false, false},
		"announced 4 GiB":       {strings.Replace(good, "044101", "045affffffff", 1), false, false},
	} {
		in, err := hex.DecodeString(c.in)
		if err != nil {
			t.Fatal(err)
		}
		var r record
		err = format.DecodeExact(in, &r)
		if (err == nil) != c.want || errors.Is(err, detcbor.ErrNotExact) != c.exact {
			t.Errorf("%s: got %v", name, err)
		}
		if again, err := format.Encode(r); c.want && (err != nil || !bytes.Equal(again, in)) {
			t.Errorf("%s: encodes to %x, %v", name, again, err)
		}
	}
}

func TestDepth(t *testing.T) {
	for depth, want := range map[int]bool{4: true, 5: false} {
		var v any
		b := append(bytes.Repeat([]byte{0x81}, depth), 0)
		if err := format.DecodeExact(b, &v); (err == nil) != want {
			t.Errorf("a depth of %d: got %v", depth, err)
		}
	}
}

func TestNil(t *testing.T) {
	type pair struct {
		_     struct{} `cbor:",toarray"`
		List  []uint64
		Bytes []byte
	}
	null := detcbor.New(detcbor.Limits{Depth: 4, Elements: 16, Pairs: 16, NilIsNull: true})
	for want, f := range map[string]detcbor.Format{"828040": format, "82f6f6": null} {
		if b, err := f.Encode(pair{}); err != nil || hex.EncodeToString(b) != want {
			t.Errorf("got %x, %v, want %s", b, err, want)
		}
	}
}
